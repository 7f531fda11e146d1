package api

// HolderParams names a lock by path, by lock CID or by machine CID.
type HolderParams struct {
	Lock  string `json:"lock"`
	Prove bool   `json:"prove,omitempty"` // add the state certificate and the CAR
}

// Holder says who holds a lock, where they are and how far their clock has come.
type Holder struct {
	Lock       string   `json:"lock"`
	LockCID    string   `json:"lock_cid"`
	Machine    string   `json:"machine,omitempty"` // empty: a lock without a machine
	Program    string   `json:"program,omitempty"`
	Holder     string   `json:"holder"` // peer id of the holder's key
	Key        string   `json:"key"`
	Addresses  []string `json:"addresses"`
	T          Clock    `json:"t"`
	State      string   `json:"state,omitempty"`
	LeaseEnd   Time     `json:"lease_end"`
	Generation uint64   `json:"generation"`
	Sequencer  string   `json:"sequencer"`
	Sequence   uint64   `json:"sequence"`         // of the state that this was read from
	Others     []string `json:"others,omitempty"` // asked by machine: further locks that it holds
	Proof      *Proof   `json:"proof,omitempty"`
}

// Proof makes an answer checkable: a state root that 2f+1 validators signed, and the blocks from it to the record.
type Proof struct {
	Certificate []byte `json:"certificate"` // canonical DAG-CBOR of the state certificate
	CAR         []byte `json:"car"`         // CARv1, root first
}

// PathParams names a node of the tree.
type PathParams struct {
	Path  string `json:"path"`
	At    uint64 `json:"at,omitempty"`    // as of this sequence number; 0: now
	Prove bool   `json:"prove,omitempty"` // add the state certificate and the CAR
}

// Contents is a file's content with its generations.
type Contents struct {
	Stat
	Data []byte `json:"data"`
}

// Stat is what is known of a node without its content.
type Stat struct {
	Path              string `json:"path"`
	Directory         bool   `json:"directory"`
	Instance          uint64 `json:"instance"`
	ContentGeneration uint64 `json:"content_generation"`
	LockGeneration    uint64 `json:"lock_generation"`
	ACLGeneration     uint64 `json:"acl_generation"`
	Checksum          string `json:"checksum,omitempty"`
	Length            int    `json:"length"`
	Children          uint64 `json:"children,omitempty"`
	Ephemeral         bool   `json:"ephemeral,omitempty"`
	Locked            bool   `json:"locked"`
	Machine           string `json:"machine,omitempty"`
	Sequence          uint64 `json:"sequence"`
	Proof             *Proof `json:"proof,omitempty"`
}

// ListParams asks for children of a directory behind a cursor.
type ListParams struct {
	Path   string `json:"path"`
	Cursor string `json:"cursor,omitempty"` // the last name of the page before
	Limit  int    `json:"limit,omitempty"`  // 0: 100; at most 1,000
}

// List is one page of a directory.
type List struct {
	Children []Child `json:"children"`
	Cursor   string  `json:"cursor,omitempty"` // empty: this was the last page
	Sequence uint64  `json:"sequence"`
}

// Child is one entry of a directory.
type Child struct {
	Name      string `json:"name"`
	Directory bool   `json:"directory"`
	Locked    bool   `json:"locked"`
	Machine   string `json:"machine,omitempty"`
}

// WatchParams asks for events under a path.
type WatchParams struct {
	Path string `json:"path"`
	From uint64 `json:"from,omitempty"` // the first event's number; 0: from now on
}

// Subscription is the answer to lock.watch: events follow as notifications lock.event with this id.
type Subscription struct {
	Subscription uint64 `json:"subscription"`
	Next         uint64 `json:"next"` // the number that the next event of the ledger will have at least
}

// Event is something that happened to a node of the tree. Numbers grow without meaning gaps: those of other paths.
type Event struct {
	Number   uint64 `json:"number"`
	Sequence uint64 `json:"sequence"`
	Time     Time   `json:"time"`
	Kind     string `json:"kind"`
	Path     string `json:"path"`
	Machine  string `json:"machine,omitempty"`
	Holder   string `json:"holder,omitempty"`
	T        Clock  `json:"t,omitempty"`
	State    string `json:"state,omitempty"`
	LeaseEnd Time   `json:"lease_end"`
	Child    string `json:"child,omitempty"` // child_added, child_removed: the name; Path is the directory
	Input    uint64 `json:"input,omitempty"` // inbox_sent: the index
	Content  string `json:"content,omitempty"`
	Detail   string `json:"detail,omitempty"`
}

// Events is the parameter of a notification lock.event.
type Events struct {
	Subscription uint64  `json:"subscription"`
	Events       []Event `json:"events"`
	// Closed says why no more will come; the client dials again from the last number.
	Closed string `json:"closed,omitempty"`
}

// SequencerParams carries a sequencer as its holder handed it out.
type SequencerParams struct {
	Sequencer string `json:"sequencer"`
}

// SequencerCheck says whether a sequencer is still good.
type SequencerCheck struct {
	Valid    bool   `json:"valid"`
	Reason   string `json:"reason,omitempty"`
	Lock     string `json:"lock,omitempty"`
	Holder   string `json:"holder,omitempty"`
	Sequence uint64 `json:"sequence"`
}

// MachineParams names a machine by its CID or its lock's path.
type MachineParams struct {
	Machine string `json:"machine"`
}

// Machine is what the ledger knows of a machine under one lock.
type Machine struct {
	Lock       string   `json:"lock"`
	LockCID    string   `json:"lock_cid"`
	Machine    string   `json:"machine"`
	Program    string   `json:"program"`
	Key        string   `json:"key"` // the program's key, hex
	Start      string   `json:"start"`
	T          Clock    `json:"t"`
	State      string   `json:"state"`
	Opening    []string `json:"opening"`
	Terms      Terms    `json:"terms"`
	Held       bool     `json:"held"`
	Holder     string   `json:"holder,omitempty"`
	LeaseEnd   Time     `json:"lease_end"`
	ClosedTill Time     `json:"closed_till"` // lock-delay
	Instance   uint64   `json:"instance"`
	Generation uint64   `json:"generation"`
	Waiting    uint64   `json:"waiting"` // transactions in the inbox
	// The newest accepted proof and where it starts, and the newest whole-life span, from t = 0, and where it ends: CIDs of
	// the bytes without envelope. Empty: none yet.
	Proof      string `json:"proof,omitempty"`
	ProofT0    Clock  `json:"proof_t0"`
	WholeLife  string `json:"whole_life,omitempty"`
	WholeLifeT Clock  `json:"whole_life_t"`
	// WholeLifeDue says that the next acquire or renewal must bring the whole-life span to t: the one named here merged with
	// the newest proof. WholeLifeTill, while the lock is free, is when an acquire may do without and break the chain.
	WholeLifeDue  bool   `json:"whole_life_due"`
	WholeLifeTill Time   `json:"whole_life_till"`
	Sequence      uint64 `json:"sequence"`
}

// Terms are a machine lock's terms.
type Terms struct {
	Transaction int      `json:"transaction"`
	Inputs      string   `json:"inputs"`
	Succession  string   `json:"succession"`
	Opening     string   `json:"opening"`
	Idle        []string `json:"idle"`
	Cadence     float64  `json:"cadence"`
	Grace       float64  `json:"grace"`
	LockDelay   float64  `json:"lock_delay"`
}

// MachineProof is a span proof that the node keeps of a machine: the newest one, or the whole-life span.
type MachineProof struct {
	Lock     string `json:"lock"`
	Machine  string `json:"machine"`
	Proof    string `json:"proof"` // CID of the bytes without envelope, as transactions and machine.get name it
	T0       Clock  `json:"t0"`
	T1       Clock  `json:"t1"`
	Envelope []byte `json:"envelope"` // a proof file as `fatty verify` reads it
	Sequence uint64 `json:"sequence"` // in which it was accepted
}

// InboxParams asks for waiting transactions.
type InboxParams struct {
	Machine string `json:"machine"`
	From    uint64 `json:"from,omitempty"`
	Limit   int    `json:"limit,omitempty"`
}

// Inbox is what waits for a machine.
type Inbox struct {
	Lock     string      `json:"lock"`
	Items    []InboxItem `json:"items"`
	Next     uint64      `json:"next"` // index of the first that is not consumed
	Sequence uint64      `json:"sequence"`
}

// InboxItem is one waiting transaction.
type InboxItem struct {
	Index    uint64   `json:"index"`
	Felts    []string `json:"felts"`
	Sender   string   `json:"sender"`
	Deadline Time     `json:"deadline"`
}

// FindParams asks who provides a CID.
type FindParams struct {
	CID string `json:"cid"`
}

// Found is the answer of machine.find.
type Found struct {
	CID       string     `json:"cid"`
	Kind      string     `json:"kind"` // program, machine, lock or unknown
	Holders   []Holder   `json:"holders"`
	Providers []Provider `json:"providers"`
}

// Provider is one record of the DHT: a hint. Checked says that the lock space names the peer as a holder.
type Provider struct {
	Peer      string   `json:"peer"`
	Addresses []string `json:"addresses"`
	Validator string   `json:"validator,omitempty"` // its name, if it is one: validators announce what is held
	Checked   bool     `json:"checked"`
}

// SubmitParams carries a signed transaction and the attachments that it names.
type SubmitParams struct {
	Transaction []byte   `json:"transaction"`
	Attachments [][]byte `json:"attachments,omitempty"`
}

// Submitted names what was accepted for ordering.
type Submitted struct {
	ID string `json:"id"` // CID of the transaction's bytes
}

// WaitParams asks for a receipt.
type WaitParams struct {
	ID      string  `json:"id"`
	Seconds float64 `json:"seconds,omitempty"` // how long at most; 0: 30; at most 60
}

// Receipt is what executing a transaction gave.
type Receipt struct {
	ID        string `json:"id"`
	OK        bool   `json:"ok"`
	Code      string `json:"code,omitempty"` // the refusal's word
	Message   string `json:"message,omitempty"`
	Sequence  uint64 `json:"sequence"`
	Index     int    `json:"index"`
	Time      Time   `json:"time"`
	StateRoot string `json:"state_root"`
	// What the operation made: of a file its instance and content generation, of a lock its instance, generation and
	// lease end, of a send the index in the inbox, of a publish or a new machine its id.
	Instance   uint64 `json:"instance,omitempty"`
	Generation uint64 `json:"generation,omitempty"`
	LeaseEnd   Time   `json:"lease_end"`
	Inbox      uint64 `json:"inbox"`
	CID        string `json:"cid,omitempty"`
}

// AccountParams names an account; the empty key asks for a page of all.
type AccountParams struct {
	Key    string `json:"key,omitempty"`
	Cursor string `json:"cursor,omitempty"`
}

// Accounts is a page of accounts.
type Accounts struct {
	Accounts []Account `json:"accounts"`
	Cursor   string    `json:"cursor,omitempty"`
	Sequence uint64    `json:"sequence"`
}

// Account is who may write, with which quotas: state (bytes), inbox (transactions that wait), proofs (at once) and
// refill_ms (milliseconds until one more proof is allowed); and what is used of them.
type Account struct {
	Key    string            `json:"key"`
	Name   string            `json:"name,omitempty"`
	Grant  bool              `json:"grant"`
	Nonce  uint64            `json:"nonce"` // the highest used
	Quotas map[string]uint64 `json:"quotas"`
	Used   map[string]uint64 `json:"used"`
}

// SequenceParams names a place in the ledger; 0 is the newest.
type SequenceParams struct {
	Sequence uint64 `json:"sequence,omitempty"`
}

// Head is the newest executed place in the ledger.
type Head struct {
	Chain     string `json:"chain"`
	Sequence  uint64 `json:"sequence"`
	Time      Time   `json:"time"`
	StateRoot string `json:"state_root"`
	Certified uint64 `json:"certified"` // newest sequence number with a state certificate
}

// Cut is one ordered cut.
type Cut struct {
	Sequence     uint64     `json:"sequence"`
	View         uint64     `json:"view"`
	Time         Time       `json:"time"`
	Blocks       []BlockRef `json:"blocks"`
	Transactions int        `json:"transactions"`
}

// BlockRef names a block of a worker.
type BlockRef struct {
	Worker string `json:"worker"`
	Height uint64 `json:"height"`
	CID    string `json:"cid"`
}

// BlockParams names a block.
type BlockParams struct {
	CID string `json:"cid"`
}

// Block is one worker's block.
type Block struct {
	BlockRef
	Transactions [][]byte `json:"transactions"`
}

// Certificate is a state certificate with its canonical bytes, from which a client checks it.
type Certificate struct {
	Sequence  uint64   `json:"sequence"`
	Time      Time     `json:"time"`
	StateRoot string   `json:"state_root"`
	Signers   []string `json:"signers"`
	Bytes     []byte   `json:"bytes"`
}

// Genesis is the genesis file as this node has it. It is no root of trust: a client that checks proofs brings its own.
type Genesis struct {
	Chain string `json:"chain"`
	File  []byte `json:"file"`
}

// Validators is the set in force.
type Validators struct {
	Chain      string      `json:"chain"`
	Validators []Validator `json:"validators"`
	Faulty     int         `json:"faulty"` // f, how many may be faulty
	Quorum     int         `json:"quorum"` // 2f+1
}

// Validator is one member.
type Validator struct {
	Name   string `json:"name"`
	Key    string `json:"key"`
	Peer   string `json:"peer"`
	Weight uint64 `json:"weight"`
}

// Status is this node.
type Status struct {
	Name      string   `json:"name"`
	Role      string   `json:"role"`
	Version   string   `json:"version"`
	Chain     string   `json:"chain"`
	Peer      string   `json:"peer"`
	Listen    []string `json:"listen"`
	Peers     int      `json:"peers"`
	View      uint64   `json:"view"`
	Leader    string   `json:"leader"`
	Sequence  uint64   `json:"sequence"`
	Committed uint64   `json:"committed"`
	Lag       uint64   `json:"lag"` // cuts that others decided and this node has not executed
	Time      Time     `json:"time"`
	StateRoot string   `json:"state_root"`
	Leases    int      `json:"leases"`
	Ready     bool     `json:"ready"`
	Reason    string   `json:"reason,omitempty"` // why it is not ready
	ReadOnly  bool     `json:"read_only"`
	Uptime    float64  `json:"uptime"`
}

// Peers is who the node is connected to.
type Peers struct {
	Peers []Peer `json:"peers"`
}

// Peer is one connection.
type Peer struct {
	ID        string   `json:"id"`
	Addresses []string `json:"addresses"`
	Validator string   `json:"validator,omitempty"` // its name, if it is one
}

// Version is the build.
type Version struct {
	Version string `json:"version"`
	Go      string `json:"go"`
	API     string `json:"api"`
}

// None is the parameter of methods that take nothing.
type None struct{}

// Done is the result of methods that return nothing.
type Done struct {
	OK bool `json:"ok"`
}

// ReadOnlyParams turns read-only mode on or off.
type ReadOnlyParams struct {
	On bool `json:"on"`
}

// LogLevelParams sets the log level: debug, info, warn or error.
type LogLevelParams struct {
	Level string `json:"level"`
}
