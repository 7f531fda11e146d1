package verifier

import (
	"github.com/seed06907907/fatty/verifier/circuit"
	"github.com/seed06907907/fatty/verifier/hash"
)

// compiled is a circuit as a verifier knows it: the heights of its tables and the root of its preprocessed columns.
type compiled struct {
	heights [circuit.Tables]int
	root    hash.Digest
}

// circuits are the circuits of each level, in the order of recursion.Level.Forms. They are constants of the verifier, never
// taken from a proof; a test computes them anew.
var circuits = map[int][]compiled{
	Security100: {
		{[circuit.Tables]int{7, 10, 11, 14, 14}, rootOf(0x339abb57, 0x2cebc5c5, 0x82af445, 0xcc72307, 0x4c0a2ee0, 0x4f10d370, 0x2c8d5c0a, 0x497c3e56)},   // wrap 0
		{[circuit.Tables]int{7, 11, 12, 16, 16}, rootOf(0x3819b576, 0x63655aa5, 0x63eaf81f, 0x25c99102, 0x3d5ca658, 0x1049e8a6, 0x7825ed58, 0x1195d359)}, // wrap 1
		{[circuit.Tables]int{7, 11, 12, 16, 16}, rootOf(0xdb693a5, 0x6b3893, 0x78204f0a, 0x4e4aa4cd, 0x69f22f29, 0x5cefe5e7, 0x185a8da, 0x23dbbc87)},     // wrap 2
		{[circuit.Tables]int{6, 10, 11, 14, 14}, rootOf(0x301695, 0x532b7730, 0x2d235719, 0x3dc58045, 0x1d6582a, 0x540d9941, 0x28292a25, 0x23c6f6ee)},    // merge narrow narrow
		{[circuit.Tables]int{6, 10, 11, 14, 14}, rootOf(0x49790b38, 0x538f36e2, 0x4c6cb7cb, 0x49fbefc1, 0x6150e00c, 0x674e9b82, 0x25822298, 0x1e12f5ed)}, // merge narrow wide
		{[circuit.Tables]int{6, 10, 11, 14, 14}, rootOf(0x10c31fc9, 0x2748daad, 0x5d44b856, 0x5edbc343, 0x78d6f60c, 0x75f4afa5, 0x7065251b, 0x5bce37f8)}, // merge wide narrow
		{[circuit.Tables]int{6, 10, 11, 14, 14}, rootOf(0x6d6efdef, 0x178c6f00, 0x104d3915, 0xcb9ce73, 0x78ebe60d, 0x471b0b5d, 0x3084e7d, 0x313db46d)},   // merge wide wide
		{[circuit.Tables]int{6, 9, 10, 13, 13}, rootOf(0x11f44b70, 0x6b0466b9, 0x1db45c3a, 0x3322ee07, 0x7a6f67de, 0x43acac93, 0x326e5dae, 0x4069907)},   // shrink narrow
		{[circuit.Tables]int{6, 9, 10, 13, 13}, rootOf(0x7507c13, 0x2106c59, 0x483422bc, 0x232780a6, 0x49dea602, 0x555e4d99, 0x148457b2, 0x5abe7608)},    // shrink wide
	},
	Security124: {
		{[circuit.Tables]int{7, 10, 11, 14, 15}, rootOf(0x1af1cfc9, 0x6c9b5707, 0x1b48f1a, 0x7b5cf507, 0x56d31730, 0x419fe1a9, 0x735844cf, 0x6a7cab1e)},  // wrap 0
		{[circuit.Tables]int{7, 11, 12, 16, 16}, rootOf(0x73c43d1, 0x691dc4fc, 0x5f6f9daa, 0x7c0ae2cc, 0x4adf2d09, 0x508d0ec0, 0x2f842ce6, 0x40440d5)},   // wrap 1
		{[circuit.Tables]int{7, 12, 13, 16, 16}, rootOf(0x3e020248, 0x2903124c, 0x6ca3841c, 0x23737bd, 0x5265711f, 0x4f2d033a, 0x7836b6bb, 0x1153cbce)},  // wrap 2
		{[circuit.Tables]int{6, 10, 11, 15, 15}, rootOf(0x751a1dab, 0x6350adf9, 0x600a6bc4, 0x63735290, 0x6efa4bae, 0x1bcce36b, 0x3285cdb1, 0x3e2048d5)}, // merge narrow narrow
		{[circuit.Tables]int{6, 10, 11, 15, 15}, rootOf(0x24c04fdc, 0xbee6f54, 0x3728a7aa, 0x7e50b734, 0x2bf8175e, 0x7b403ce2, 0x62b21c46, 0x3f521f5c)},  // merge narrow wide
		{[circuit.Tables]int{6, 10, 11, 15, 15}, rootOf(0x45bde657, 0x656733ae, 0x4908832e, 0x3b677348, 0x28f860a2, 0xf271878, 0x747bf11, 0x8f4f882)},    // merge wide narrow
		{[circuit.Tables]int{6, 10, 11, 15, 15}, rootOf(0x6e4773b, 0x2223fc7c, 0x65ed5c91, 0x6404fe65, 0x6512b40, 0x39109c66, 0x78b7fd7d, 0x20816e49)},   // merge wide wide
		{[circuit.Tables]int{6, 9, 10, 14, 14}, rootOf(0x4de55d02, 0x11b604f6, 0x24a9fed5, 0x682aeb1a, 0x7b59bbbe, 0x2fa0a147, 0x233e8a81, 0x6629cb93)},  // shrink narrow
		{[circuit.Tables]int{6, 9, 10, 14, 14}, rootOf(0x5acda79f, 0x3a8b4db0, 0x32db8b7c, 0x3c385239, 0x714638a8, 0x42bad6df, 0x72a5bf8d, 0x4e295dd9)},  // shrink wide
	},
}
