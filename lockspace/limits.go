package lockspace

// Bounds on what comes from outside. Each is met before the work that it bounds.
const (
	// MaxTransaction bounds an encoded transaction in bytes: a program of MaxProgram and its envelope. All else is far
	// below: an acquire or renewal with MaxRuns runs, MaxInputs inputs and an opening of MaxOpening felts has at most
	// 100 KiB.
	MaxTransaction = 1<<20 + 1<<16
	// MaxContent bounds a file's content in bytes, as in Chubby (Burrows 2006, section 2.3).
	MaxContent = 256 << 10
	// InlineContent is the size up to which a content stands in its file's record and not in a block of its own.
	InlineContent = 1 << 10
	// MaxProgram bounds a canonical program's encoding in bytes.
	MaxProgram = 1 << 20
	// MaxPath bounds a path in bytes; MaxName one of its components; MaxPathDepth their number.
	MaxPath      = 512
	MaxName      = 255
	MaxPathDepth = 32
	// MaxAddresses and MaxAddress bound the multiaddrs that a holder publishes.
	MaxAddresses = 8
	MaxAddress   = 192
	// MaxPeer bounds a libp2p peer id's text.
	MaxPeer = 64
	// MaxMembers bounds each list of accounts in a lock's terms.
	MaxMembers = 16
	// MaxProof bounds a proof's length in bytes, as verifier.MaxSpanBytes does, to which node's tests hold it.
	MaxProof = 1 << 20
	// MaxRuns bounds the runs that the span of one renewal is made of. At the longest cadence of the default rules, 600 s,
	// that is a run each 0.6 s, as fast as one is proven; execution digests so many in a few milliseconds.
	MaxRuns = 1 << 10
	// MaxInputs bounds the inputs that those runs list together, idle ones among them, and MaxInputFelts the felts of all
	// those together that execution hashes by Poseidon, in some 30 ms.
	MaxInputs     = 1 << 12
	MaxInputFelts = 1 << 12
	// MaxTransactionFelts bounds one transaction of an inbox in felts.
	MaxTransactionFelts = 16
	// MaxOpening bounds the felts of a state's opening.
	MaxOpening = 1 << 10
	// MaxInboxBound bounds what a lock's terms may allow to wait.
	MaxInboxBound = 1024
	// MaxWindow bounds how many waiting transactions carry a deadline at once.
	MaxWindow = 16
	// MaxEphemerals bounds the ephemeral files of one lock, and so the work of losing it.
	MaxEphemerals = 64
	// MaxAccountName bounds an account's name in bytes.
	MaxAccountName = 64
	// MaxNonceJump bounds how far above the highest seen a nonce may be, so that no slip uses them all up.
	MaxNonceJump = 1 << 20
	// NonceWindow is how far below the highest seen an unused nonce is still accepted.
	NonceWindow = 256
	// MaxList bounds the entries of one listing.
	MaxList = 1000
	// MaxProofBlocks and MaxProofBytes bound the blocks that show a read.
	MaxProofBlocks = 1 << 12
	MaxProofBytes  = 8 << 20
	// MaxChain bounds a chain id in bytes.
	MaxChain = 64
	// MaxClock bounds a machine's clock: t < 2^62, as the clock ABI has it.
	MaxClock = 1 << 62
	// MaxRoots bounds how many past roots are kept as anchors, whatever the cadence.
	MaxRoots = 1 << 14
	// eventChunk is the number of events in one block of the event log.
	eventChunk = 256
)

// What each thing costs of an account's state quota, in bytes, beside what it holds.
const (
	costNode    = 256
	costMachine = 4096
	costProgram = 256
	costAccount = 512
	costEntry   = 128 // one waiting inbox transaction of one felt, against the inbox quota's account of state
	costFelt    = 32  // each felt more
)

// OutageAfter is the gap between two consecutive cuts above which the ledger was out.
const OutageAfter = 5 * Second
