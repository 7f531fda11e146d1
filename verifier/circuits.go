package verifier

import (
	"github.com/seed06907907/fatty/verifier/hash"
	circuit "github.com/seed06907907/fatty/verifier/rcircuit"
)

// compiled is a circuit as a verifier knows it: the heights of its tables and the root of its preprocessed columns.
type compiled struct {
	heights [circuit.Components]int
	root    hash.Digest
}

// circuits are the circuits of each level, in the order of recursion.Level.Forms. They are constants of the verifier, never
// taken from a proof; a test computes them anew.
var circuits = map[int][]compiled{
	Security100: {
		{[circuit.Components]int{7, 10, 11, 14, 14}, rootOf(0x4dde80eb, 0x5864c387, 0x76e77956, 0x2d5046bc, 0x470380d5, 0x414dbfe9, 0x2089b720, 0x4b5ad44d)}, // wrap 0
		{[circuit.Components]int{7, 11, 12, 16, 16}, rootOf(0x118ba552, 0x3aade3e2, 0x5026ff07, 0x72044aba, 0x58ec72c, 0x698b8177, 0x76f94e20, 0x3cfd3e17)},  // wrap 1
		{[circuit.Components]int{7, 11, 12, 16, 16}, rootOf(0x71e0f446, 0x68ec8770, 0x7ebe72e6, 0x1f9faa55, 0x31334b3f, 0x556b6bea, 0x73188411, 0x4e9f667f)}, // wrap 2
		{[circuit.Components]int{6, 10, 11, 14, 14}, rootOf(0x4c1cc945, 0x7216f644, 0x4ad60129, 0x66b7b74, 0xae10f0c, 0x68e3d8a6, 0x69cdd5bc, 0x420ed76b)},   // merge narrow narrow
		{[circuit.Components]int{6, 10, 11, 14, 14}, rootOf(0x4fce302, 0x435c985e, 0xc8c08e8, 0x4b6bcf1f, 0x8880ea9, 0x15d83325, 0x1b30f259, 0x329ad37b)},    // merge narrow wide
		{[circuit.Components]int{6, 10, 11, 14, 14}, rootOf(0x73fef5a6, 0x76132f9b, 0x4402dc4c, 0x36b0a199, 0x6809dd0a, 0x41e94da4, 0x73678637, 0x5d05cb01)}, // merge wide narrow
		{[circuit.Components]int{6, 10, 11, 14, 14}, rootOf(0x48431f5, 0x774ee616, 0x3775e8e, 0x35164419, 0x4ae1c995, 0xcae8821, 0x298a415c, 0x68cc9c98)},    // merge wide wide
		{[circuit.Components]int{6, 9, 10, 13, 13}, rootOf(0x254f4d4a, 0x29ba6128, 0x75babf1c, 0x78eb511b, 0xc318ca6, 0x1c36a738, 0x5c72f894, 0x74daa450)},   // shrink narrow
		{[circuit.Components]int{6, 9, 10, 13, 13}, rootOf(0x7d2bbe21, 0x5617a938, 0x485e59e9, 0x2dd03b35, 0x702e62bf, 0x26dbad49, 0x16366bf8, 0x67e105dd)},  // shrink wide
	},
	Security124: {
		{[circuit.Components]int{7, 10, 11, 15, 14}, rootOf(0x57913b69, 0x51f71c7, 0x57183cf1, 0x4d4660ab, 0x5891642d, 0x1e3cd298, 0x1573f0b4, 0x4183e058)},  // wrap 0
		{[circuit.Components]int{7, 11, 12, 16, 16}, rootOf(0x6d07ecff, 0x59a10ba1, 0x5940eaa4, 0x1c1f6d1a, 0x36948c34, 0x33206ec8, 0x1d62ac2a, 0x6724125a)}, // wrap 1
		{[circuit.Components]int{7, 12, 13, 16, 16}, rootOf(0x4839075e, 0x59966fd4, 0x4ea21552, 0x10be0da0, 0x593af8b, 0x42d3d401, 0x60c95cec, 0x337f09f6)},  // wrap 2
		{[circuit.Components]int{6, 10, 11, 15, 15}, rootOf(0x66fb2916, 0x24c70340, 0x50daa7f0, 0x6e8b0d29, 0x7161593, 0x4fbcea3, 0x30183259, 0x65ee67e7)},   // merge narrow narrow
		{[circuit.Components]int{6, 10, 11, 15, 15}, rootOf(0x1637be4c, 0x4a45add1, 0x3727266c, 0xb467ac9, 0x26b898f2, 0x1174dfe0, 0x56bac506, 0x3a23559b)},  // merge narrow wide
		{[circuit.Components]int{6, 10, 11, 15, 15}, rootOf(0x3f40a396, 0x1e8e28ee, 0x1baffbc3, 0x33311abb, 0x3ef1a2eb, 0xdc1c0cd, 0xc1f23db, 0x6592dc13)},   // merge wide narrow
		{[circuit.Components]int{6, 10, 11, 15, 15}, rootOf(0x4966903c, 0x32de2e5e, 0x6ef2d22f, 0x4e8489a2, 0x1983477b, 0x7121dab, 0x55dce25f, 0x66b69543)},  // merge wide wide
		{[circuit.Components]int{6, 9, 10, 14, 14}, rootOf(0x5f44ae2b, 0x56351ce7, 0x1e6b3c48, 0x59040a21, 0x1cb6c2bd, 0x57ab372c, 0x1e3df1e8, 0x1610b403)},  // shrink narrow
		{[circuit.Components]int{6, 9, 10, 14, 14}, rootOf(0x69c6fa38, 0x51f26e5c, 0x19d00c3, 0x7b25d941, 0x5fc9a660, 0x4dd00ece, 0x56472660, 0x1de7512f)},   // shrink wide
	},
}
