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
		{[circuit.Tables]int{7, 10, 11, 14, 14}, rootOf(0x33ef26f1, 0xe7a876f, 0x1bf59976, 0x626798e6, 0x52398951, 0xc25103c, 0x7baac7dd, 0x2577a193)},   // wrap 0
		{[circuit.Tables]int{7, 11, 12, 15, 16}, rootOf(0x744c0c3a, 0x78ef98f, 0x4286c17b, 0x454d450c, 0x461fe43f, 0x5571344e, 0x60b07a26, 0x3896aa7b)},  // wrap 1
		{[circuit.Tables]int{7, 11, 12, 16, 16}, rootOf(0x6c23d352, 0x403976fe, 0x14beb555, 0x6dd9efd9, 0x702fdeef, 0x384c3115, 0x76b29f6b, 0x44f2800c)}, // wrap 2
		{[circuit.Tables]int{6, 10, 11, 14, 14}, rootOf(0x14adee43, 0x679be9f2, 0x60de1421, 0x43afc2e5, 0x7dfdd7d3, 0xb020c4d, 0x5552a390, 0x705d1e62)},  // merge narrow narrow
		{[circuit.Tables]int{6, 10, 11, 14, 14}, rootOf(0x4b88e637, 0x4ab26c5c, 0x5ae4e983, 0x32125aad, 0x3ea74e35, 0xf53e518, 0x5618e876, 0xc9518a6)},   // merge narrow wide
		{[circuit.Tables]int{6, 10, 11, 14, 14}, rootOf(0x3e154e68, 0x68c166f5, 0x62f250b3, 0x2054285c, 0x7ec3161, 0x1cdd02a6, 0x17bb4ded, 0x299aedb0)},  // merge wide narrow
		{[circuit.Tables]int{6, 10, 11, 14, 14}, rootOf(0x56ffd251, 0x3f05c551, 0x3125a8d8, 0x1df1151b, 0x59a93e36, 0x27b7533e, 0x6bc73600, 0x75181578)}, // merge wide wide
		{[circuit.Tables]int{6, 9, 10, 13, 13}, rootOf(0x6d49ad81, 0x334489b7, 0x41fc6530, 0x57bcb8ae, 0x2a618c3, 0x46605c7e, 0x3fdfe5ac, 0x60a754ca)},   // shrink narrow
		{[circuit.Tables]int{6, 9, 10, 13, 13}, rootOf(0x1750e7fa, 0x6ae19c6f, 0x157fe1d1, 0x3e1c181d, 0x6d93a48a, 0x5e3e141e, 0x63ea6fc6, 0x15c34a27)},  // shrink wide
	},
	Security124: {
		{[circuit.Tables]int{7, 10, 11, 14, 15}, rootOf(0x624f967b, 0x2c6a61dd, 0x7e9730a5, 0x56e43c0c, 0x11a191eb, 0x504beeee, 0x5641357c, 0x7062351e)}, // wrap 0
		{[circuit.Tables]int{7, 12, 13, 16, 16}, rootOf(0x54b592f9, 0x7481fd1e, 0x260f923, 0x1eafd6cf, 0x6e6fd11f, 0x12018af8, 0x39ecb7c3, 0x124aaf70)},  // wrap 1
		{[circuit.Tables]int{7, 12, 13, 16, 16}, rootOf(0x4a46e624, 0x5beb8583, 0x2b62c4b7, 0x6188b23a, 0x245666ca, 0x24e8743c, 0x6a89fde7, 0x7c2460c0)}, // wrap 2
		{[circuit.Tables]int{6, 10, 11, 15, 15}, rootOf(0x5cb2ba2c, 0xffb7bf5, 0x70f33e1c, 0x65d4b741, 0x192cdc41, 0x1470b385, 0x4d51aab8, 0x1355ccf7)},  // merge narrow narrow
		{[circuit.Tables]int{6, 10, 11, 15, 15}, rootOf(0x325920d8, 0x602cb5d3, 0x69a91c56, 0x50973ffc, 0x69d115f0, 0x276bcb43, 0x683b2ff2, 0x3c64daa3)}, // merge narrow wide
		{[circuit.Tables]int{6, 10, 11, 15, 15}, rootOf(0x5296f1db, 0x738710d5, 0x3f6e27e, 0x1c021f21, 0x3d156494, 0xef546fe, 0x5c1c4bc8, 0x25256ef0)},   // merge wide narrow
		{[circuit.Tables]int{6, 10, 11, 15, 15}, rootOf(0x6376f867, 0x654d06f1, 0x199dbdf0, 0x411ba0a7, 0x1fb353b8, 0x46d909f, 0x7b1a4889, 0x5ad3bee5)},  // merge wide wide
		{[circuit.Tables]int{6, 9, 10, 14, 14}, rootOf(0xe31c924, 0x4befac2c, 0x97f34b1, 0x73922901, 0x837e702, 0x68f791b9, 0x5d23c416, 0x195275b0)},     // shrink narrow
		{[circuit.Tables]int{6, 9, 10, 14, 14}, rootOf(0x29aa0b55, 0x7ed1dff, 0x5ca2aa2b, 0x35ff4503, 0x16b9bbdc, 0x2e7d44c1, 0x16ffdcb, 0x38ce9eba)},    // shrink wide
	},
}
