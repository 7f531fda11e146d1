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
		{[circuit.Tables]int{7, 10, 11, 14, 14}, rootOf(0x142b9c62, 0x102ee1ce, 0x2e39b762, 0x415f7eb3, 0x6505e1d5, 0x792a7081, 0x136dc4a6, 0x6fac8f03)}, // wrap 0
		{[circuit.Tables]int{7, 11, 12, 16, 16}, rootOf(0x4bc60a11, 0xa60b821, 0x568f7de2, 0x3fa0d370, 0x13f30153, 0x16221e28, 0x73dc3abd, 0x1c66f6c7)},  // wrap 1
		{[circuit.Tables]int{7, 11, 12, 16, 16}, rootOf(0x10500951, 0x2f891b58, 0x4b3b8cf7, 0x2524cff5, 0x5c5c73d0, 0x7114fa56, 0x411e62e9, 0xbd0762e)},  // wrap 2
		{[circuit.Tables]int{6, 10, 11, 14, 14}, rootOf(0x301695, 0x532b7730, 0x2d235719, 0x3dc58045, 0x1d6582a, 0x540d9941, 0x28292a25, 0x23c6f6ee)},    // merge narrow narrow
		{[circuit.Tables]int{6, 10, 11, 14, 14}, rootOf(0x49790b38, 0x538f36e2, 0x4c6cb7cb, 0x49fbefc1, 0x6150e00c, 0x674e9b82, 0x25822298, 0x1e12f5ed)}, // merge narrow wide
		{[circuit.Tables]int{6, 10, 11, 14, 14}, rootOf(0x10c31fc9, 0x2748daad, 0x5d44b856, 0x5edbc343, 0x78d6f60c, 0x75f4afa5, 0x7065251b, 0x5bce37f8)}, // merge wide narrow
		{[circuit.Tables]int{6, 10, 11, 14, 14}, rootOf(0x6d6efdef, 0x178c6f00, 0x104d3915, 0xcb9ce73, 0x78ebe60d, 0x471b0b5d, 0x3084e7d, 0x313db46d)},   // merge wide wide
		{[circuit.Tables]int{6, 9, 10, 13, 13}, rootOf(0x2f316d23, 0x5eec727d, 0x3a4599fb, 0x67f6c7dc, 0x128d996, 0x356c2f34, 0x582161f5, 0x35e07114)},   // shrink narrow
		{[circuit.Tables]int{6, 9, 10, 13, 13}, rootOf(0xfccf133, 0x566f6b72, 0x4919d0ab, 0x47341e00, 0x7dd11a2f, 0x45146258, 0x765318ba, 0x6c1719c8)},   // shrink wide
	},
	Security124: {
		{[circuit.Tables]int{7, 10, 11, 14, 15}, rootOf(0x77c6ac49, 0x6a1f751b, 0x7ca66188, 0x56e345e, 0x642f7cfa, 0x7c4713e4, 0x3b667138, 0xf3bd6da)},   // wrap 0
		{[circuit.Tables]int{7, 11, 12, 16, 16}, rootOf(0x1590fa86, 0x6af570a5, 0x250269d7, 0x6fd6ad64, 0xc03ca6a, 0x51d86079, 0x66b8ef7f, 0x7104c387)},  // wrap 1
		{[circuit.Tables]int{7, 12, 13, 16, 16}, rootOf(0x541557df, 0x134df347, 0x1e440c8, 0x5c266fa, 0x5a891169, 0x5b853c0f, 0xd28e5ae, 0x54fed127)},    // wrap 2
		{[circuit.Tables]int{6, 10, 11, 15, 15}, rootOf(0x751a1dab, 0x6350adf9, 0x600a6bc4, 0x63735290, 0x6efa4bae, 0x1bcce36b, 0x3285cdb1, 0x3e2048d5)}, // merge narrow narrow
		{[circuit.Tables]int{6, 10, 11, 15, 15}, rootOf(0x24c04fdc, 0xbee6f54, 0x3728a7aa, 0x7e50b734, 0x2bf8175e, 0x7b403ce2, 0x62b21c46, 0x3f521f5c)},  // merge narrow wide
		{[circuit.Tables]int{6, 10, 11, 15, 15}, rootOf(0x45bde657, 0x656733ae, 0x4908832e, 0x3b677348, 0x28f860a2, 0xf271878, 0x747bf11, 0x8f4f882)},    // merge wide narrow
		{[circuit.Tables]int{6, 10, 11, 15, 15}, rootOf(0x6e4773b, 0x2223fc7c, 0x65ed5c91, 0x6404fe65, 0x6512b40, 0x39109c66, 0x78b7fd7d, 0x20816e49)},   // merge wide wide
		{[circuit.Tables]int{6, 9, 10, 14, 14}, rootOf(0x3b1cf30c, 0x32bc522a, 0x564fb6c5, 0x37e0a299, 0x2496045d, 0x71214035, 0xa584aba, 0x29f71ee1)},   // shrink narrow
		{[circuit.Tables]int{6, 9, 10, 14, 14}, rootOf(0x580c68b4, 0x3c7a250c, 0xb93aaed, 0x3bef18f7, 0x78aa4d6e, 0x79955806, 0xc669983, 0x5c9a5769)},    // shrink wide
	},
}
