// Package circuit describes circuits over the extension field, proven by the STARK that proves everything else: a circuit is
// the preprocessed columns of five tables, whose commitment is its verifying key, and a run of it is their main columns.
//
// Its parts: Set, the tables; Builder, which records a circuit together with the values of one run (Wire and Block; sums,
// products, bits; hashing and Merkle openings); Circuit, the columns; Public, what a proof of a circuit is about.
//
//	b := circuit.NewBuilder()
//	x := b.Advice(value)
//	b.Equal("x is a root of 3", b.Mul(x, x), b.Const(three))
//	b.EqualBlocks("the statement", b.PublicBlock(statement), b.Pack([]circuit.Wire{x})[0])
//	c, err := b.Finish(circuit.Heights{})
//	pre, err := proverstark.CommitPreprocessed(ctx, circuit.Set(), params, c.Tables)
//	inst := &stark.Instance{Set: circuit.Set(), LogHeights: c.LogHeights, Ext: c.Public.Ext(), PublicSum: c.Public.Sum,
//		PublicDigests: []hash.Digest{c.Public.Statement}, PublicExt: []field.Ext{c.Public.A, c.Public.B}, ...}
//
// # The tables
//
//	constant    a wire or block of known value
//	opening     a leaf's chain, the node where it stands, its index and its Horner sum; a root; or two equal blocks
//	pack        24 words as three blocks and as four values; or four values of the base field
//	arithmetic  two gates out = b (q0 a + q5 c) + q1 a + q2 b + q3 c + q4; b may have to be a bit
//	poseidon2   one Compress: a step of a chain of blocks, with a step of Horner's rule; or a node of a tree
//
// They meet on one bus, WireRelation, of tuples (address, index, w0..w7, s0..s5): a value (a, 0, x0..x5, 0..), a block
// (a, 0, d0..d7, 0..), a chain's state (a, 0, h0..h7, sum), a node (code + level, index, d0..d7, 0..).
//
// # Why a wire is written once
//
// Let a be an address below 2^22. All lookups with address a have preprocessed addresses, preprocessed balances and index 0
// (of rows of nodes this is shown below). Of its n slots, one has balance n - 1 and the others -1; which one, does not matter.
// The bus cancels tuple by tuple. If a slot held another tuple than the one with balance n - 1, that tuple's balances would
// add up to some -k, 0 < k < n, which is not 0 mod p: slots are fewer than 2^27, as tables have at most 2^21 rows. So all
// slots hold the same. An advice that stands in one slot has balance 0 and is free, as it should be. Public data yield
// addresses 1, 2 and 3 once each, and one slot each has balance -1, in every circuit.
//
// # Why rows of nodes yield nothing but nodes below a root
//
// A row of table poseidon2 with node = 1 has free cells on (a bit), level, index and two multiplicities, which are all 0
// unless on is 1. If it is on, it uses (level, index, O) once, where O = Compress(L, R), and yields (level + 1, 2 index, L) and
// (level + 1, 2 index + 1, R) as often as it likes. Nothing in the row says that level is a code. But:
//
// (1) If a row is on at level l, then some row is on at level l - 1, or l is the code of the root of a tree. For add up all
// lookups with address l. Rows at level l contribute -k, their number, 0 < k < 2^22. Preprocessed balances contribute 0 if l
// is a wire's address or no address at all, with the public data's; -q if l is the code of the leaves of a tree with q
// openings; 1 if it is the code of a root. If no row is on at level l - 1, that is all, and it must be 0: so k = 1 and l is a
// root's code. (k + q stays below p.)
//
// (2) So each row that is on stands at the end of a chain of rows at levels c, c+1, .., l, with c the code of tree t's root,
// c = (t+1) 2^22. There are at most 2^21 rows, so l + 1 < (t+2) 2^22: a chain reaches no other tree's codes, nor, since
// (t+2) 2^22 < p, the wires' addresses beyond p. Hence lookups with the address of a wire come from preprocessed slots alone, and
// those at the codes of tree t from its own openings and the chains that begin at its root.
//
// (3) At code c, only the root's opening yields, (c, 0, root) once. So exactly one row is on there, at index 0, with O = root.
// By induction over levels, what is yielded at c + j is (c + j, i, d), maybe with some state beside, where 0 <= i < 2^j is a
// node's number and d its digest in a tree that leads to the root; and what is used must have been yielded. With depth at most
// 24 no number of a node wraps p. The opening of a leaf uses (c + depth, i, d): so d stands at i. As i has such a range, an
// index needs no bits of its own. A node is no leaf and a leaf no node by their levels, whatever they are the hash of.
//
// A tree's root may also be the root of another tree: each has codes of its own.
//
// The number of rows for nodes is what q openings can need at most, min(2^l, q) at each level l: it does not tell which
// places are opened. Those that are not needed are off.
//
// # Horner's sums
//
// out = in s^8 + sum over j of s^(7-j) R_j on the rows of a leaf with a side, whose scalar s is a public scalar of the proof
// (air.ExtParam), and out = 0 on all other rows. The first state of a chain is a constant with sum 0. Nothing in the
// tables ties this scalar to address 2 or 3: a verifier must take both, and PublicExt, from one value, and a circuit must
// demand that the wire at that address equals the scalar it means.
//
// The last block of a leaf may hold, behind its last cell, words that an honest leaf has as zeros. Leaf does not say that they
// are zero. A sum must give them powers of their own, as package stark does by counting whole blocks: then they are further
// columns, shown to have low degree and to vanish at the out-of-domain point, which no constraint reads. LeafExts, which has
// no sum, says that they are zero.
//
// # What a caller must bring
//
// A circuit's structure must follow from constants alone: a Builder gets values too, and a call that depends on one makes
// another circuit. The root of the preprocessed columns must be the verifier's own or come from a list that
// it knows.
package circuit
