package lockspace

import (
	"errors"
	"fmt"
	"math"

	"github.com/seed06907907/fatty/internal/wire"
)

// Input is one transaction of a cut. Signed may be given where it was decoded from Tx before, so that decoding and the
// signature, both pure functions of the bytes, are not done twice; it is trusted to belong to Tx. Verdict and Whole, on
// the proof and on the whole-life span, are needed for a transaction that attaches them unless a cheap check refuses it.
type Input struct {
	Tx      []byte
	Signed  *Signed
	Verdict *Verdict
	Whole   *Verdict
}

// Cut is one committed step of the ledger.
type Cut struct {
	Sequence uint64 // the state's plus one
	Time     Time   // above the state's
	Inputs   []Input
}

// Receipt is what became of one transaction.
type Receipt struct {
	ID         wire.CID  `cbor:"id"`
	Code       Code      `cbor:"code,omitempty"` // empty: done
	Message    string    `cbor:"message,omitempty"`
	Instance   uint64    `cbor:"instance,omitempty"`   // of the file made or written, or of the lock
	Generation uint64    `cbor:"generation,omitempty"` // of the content or lock
	Index      *uint64   `cbor:"index,omitempty"`      // in the inbox, for a send
	LeaseEnd   Time      `cbor:"leaseEnd,omitempty"`   // ledger time, if no outage comes
	CID        *wire.CID `cbor:"cid,omitempty"`        // the program or machine
	// Counted says that the transaction used its nonce: it is this one receipt that tells its fate. Without it the
	// transaction did nothing, and may have a receipt elsewhere.
	Counted bool `cbor:"counted,omitempty"`
	// Verdict and Whole are those that decided, so that a replay need not verify the proofs again.
	Verdict *Verdict `cbor:"verdict,omitempty"`
	Whole   *Verdict `cbor:"whole,omitempty"` // on the whole-life span
}

// Result is what a cut brought. Write Blocks and Root in one batch before anyone reads the new state. Dropped are
// blocks of the state before that the new one does not refer to; they may come back in a later cut's Blocks, so a node
// that prunes old states must not remove one that was written again since.
type Result struct {
	Root        wire.CID
	Receipts    []Receipt // one for each input
	Events      []Event
	TicksNeeded bool
	Blocks      []Block
	Dropped     []wire.CID
}

// Apply executes a cut and returns the next state. It is all or nothing: an error means that a block could not be read
// or that a verdict is missing, and the state is as before. Transactions that are refused have receipts that say so.
func (s *State) Apply(c Cut) (*State, *Result, error) {
	if s.rules == nil {
		return nil, nil, errors.New("apply: this state was opened to check a read, not to execute")
	}
	if c.Sequence != s.root.Sequence+1 {
		return nil, nil, fmt.Errorf("apply: sequence %d, want %d", c.Sequence, s.root.Sequence+1)
	}
	// The largest sum of durations added to a time is a few days.
	if c.Time <= s.root.Time || c.Time > math.MaxInt64/2 {
		return nil, nil, fmt.Errorf("apply: cut %d has time %d, want above %d", c.Sequence, c.Time, s.root.Time)
	}
	x := newExecution(s, c.Time)
	x.root.Sequence, x.root.Time = c.Sequence, c.Time
	if gap := Duration(c.Time - s.root.Time); gap > OutageAfter && s.root.Sequence > 0 {
		x.root.Outage += gap - OutageAfter
	}
	x.clock = x.root.LeaseClock()
	x.keepRoot()
	x.expire()
	receipts := make([]Receipt, len(c.Inputs))
	for i := range c.Inputs {
		x.receipt = &receipts[i]
		x.transaction(&c.Inputs[i])
		if x.err != nil {
			return nil, nil, fmt.Errorf("apply cut %d, transaction %d: %w", c.Sequence, i, x.err)
		}
	}
	next, res, err := x.commit()
	if err != nil {
		return nil, nil, fmt.Errorf("apply cut %d: %w", c.Sequence, err)
	}
	res.Receipts = receipts
	return next, res, nil
}

// keepRoot adds the root of the sequence before to the anchors and forgets those that no lock's terms allow any more.
func (x *execution) keepRoot() {
	x.put(rootKey(x.s.root.Sequence), &pastRoot{Root: x.s.id, At: x.s.root.LeaseClock()})
	oldest := x.clock - 2*Time(x.s.rules.MaxCadence)
	for x.root.RootsFrom < x.s.root.Sequence {
		r := get[pastRoot](x, rootKey(x.root.RootsFrom))
		if r == nil {
			x.fail(fmt.Errorf("the root of sequence %d is missing", x.root.RootsFrom))
			return
		}
		if r.At >= oldest && x.s.root.Sequence-x.root.RootsFrom < MaxRoots {
			return
		}
		x.del(rootKey(x.root.RootsFrom))
		x.root.RootsFrom++
	}
}

// expire ends what ends by itself up to now, in the order of (end, path). What it starts ends later than now.
func (x *execution) expire() {
	var due []string
	err := x.s.tree.Scan(tableTimer, timerKey(x.clock+1, ""), func(key string, _ []byte) bool {
		due = append(due, key[1+8:])
		return true
	})
	if err != nil {
		x.fail(err)
		return
	}
	for _, path := range due {
		x.expireLock(path)
	}
}

// transaction executes one input and fills in its receipt.
func (x *execution) transaction(in *Input) {
	err := func() error {
		tx := in.Signed
		if tx == nil {
			var err error
			if tx, err = Decode(in.Tx); err != nil {
				x.receipt.ID = wire.Sum(in.Tx)
				return err
			}
		}
		x.verdict, x.whole = in.Verdict, in.Whole
		x.receipt.ID = tx.ID
		if err := x.enter(tx); err != nil {
			return err
		}
		err := tx.Op.run(x)
		if err != nil {
			x.rollback()
			if code := CodeOf(err); x.receipt.Verdict != nil && (code == CodeProof || code == CodeBadWhole) {
				x.punish()
			}
			*x.receipt = Receipt{ID: tx.ID, Counted: true, Verdict: x.receipt.Verdict, Whole: x.receipt.Whole}
		}
		return err
	}()
	if err == nil {
		return
	}
	var r *Refusal
	if !errors.As(err, &r) {
		x.fail(err)
		return
	}
	x.receipt.Code, x.receipt.Message = r.Code, r.Message
}

// enter makes tx the transaction in execution and uses up what stays so whatever becomes of its operation, which comes next.
func (x *execution) enter(tx *Signed) error {
	x.tx = tx
	x.begin()
	if err := x.admit(); err != nil {
		return err
	}
	x.receipt.Counted = true
	if n := len(tx.Attachments()); n > 0 {
		if err := x.chargeProofs(n); err != nil {
			return err
		}
	}
	x.begin() // what came before is not undone with the operation
	return nil
}

// admit checks the envelope against the state and uses the nonce.
func (x *execution) admit() error {
	tx := x.tx
	if tx.Chain != x.root.Chain {
		return refuse(CodeChain, "transaction for ledger %.70q: this one is %q", tx.Chain, x.root.Chain)
	}
	a := get[Account](x, accountKey(tx.Signer))
	if a == nil {
		return refuse(CodeAccount, "account %s is not on this ledger: ask someone who may grant", tx.Signer)
	}
	if tx.Expiry < x.now {
		return refuse(CodeExpired, "transaction expired at %d, it is %d: sign it again", tx.Expiry, x.now)
	}
	c := *a
	if err := c.useNonce(tx.Nonce); err != nil {
		return err
	}
	if err := tx.CheckSignature(); err != nil {
		return err
	}
	x.put(accountKey(tx.Signer), &c)
	return nil
}

// useNonce marks a nonce as used, or says why it cannot be.
func (a *Account) useNonce(n uint64) error {
	if n > a.Nonce {
		if n-a.Nonce > MaxNonceJump {
			return refuse(CodeNonce, "nonce %d is more than %d above the highest used, %d", n, MaxNonceJump, a.Nonce)
		}
		a.Used = shift(a.Used, n-a.Nonce)
		a.Nonce = n
		a.Used[0] |= 1
		return nil
	}
	back := a.Nonce - n
	if back >= NonceWindow {
		return refuse(CodeNonce, "nonce %d is too far below the highest used, %d: take one above it", n, a.Nonce)
	}
	if a.Used[back/8]&(1<<(back%8)) != 0 {
		return refuse(CodeNonce, "nonce %d was used already; the highest used is %d", n, a.Nonce)
	}
	a.Used[back/8] |= 1 << (back % 8)
	return nil
}

// shift moves each bit of a window up by n places; those that fall out are old.
func shift(w [32]byte, n uint64) (out [32]byte) {
	if n >= NonceWindow {
		return out
	}
	whole, bits := int(n/8), n%8
	for i := whole; i < len(w); i++ {
		out[i] = w[i-whole] << bits
		if bits > 0 && i > whole {
			out[i] |= w[i-whole-1] >> (8 - bits)
		}
	}
	return out
}

// Precheck makes every check that Apply would make on the transaction at ledger time now, as of this state, up to the
// proofs' verdicts. It returns what those must be, nil for a transaction without a proof, or why it would be refused. It
// is for gossip, blocks, and before a proof is verified: what it accepts can still be refused in its cut.
func (s *State) Precheck(tx *Signed, now Time) (*Need, error) {
	p, err := s.Prechecks(now)
	if err != nil {
		return nil, err
	}
	return p.Next(tx)
}

// Prechecks is Precheck for the transactions of one cut in their order. What they use up whatever becomes of them, nonces
// and the proof allowance, is used up for those that come after; else an account out of allowance could have the checks
// made on as many transactions as a cut holds, and they take up to 20 ms each. It is one goroutine's.
type Prechecks struct{ x *execution }

// Prechecks begins the checks of a cut at ledger time now.
func (s *State) Prechecks(now Time) (*Prechecks, error) {
	if s.rules == nil {
		return nil, errors.New("precheck: this state was opened to check a read")
	}
	if now > math.MaxInt64/2 {
		return nil, fmt.Errorf("precheck: time %d is too large", now)
	}
	x := newExecution(s, max(now, s.root.Time+1))
	x.root.Sequence, x.root.Time = s.root.Sequence+1, x.now
	if gap := Duration(x.now - s.root.Time); gap > OutageAfter && s.root.Sequence > 0 {
		x.root.Outage += gap - OutageAfter
	}
	x.clock = x.root.LeaseClock()
	x.put(rootKey(s.root.Sequence), &pastRoot{Root: s.id, At: s.root.LeaseClock()})
	x.dry = true
	return &Prechecks{x}, nil
}

// Next is Precheck for the cut's next transaction.
func (p *Prechecks) Next(tx *Signed) (*Need, error) {
	x := p.x
	x.receipt, x.need = &Receipt{}, nil
	err := x.enter(tx)
	if err == nil {
		err = tx.Op.run(x)
		x.rollback()
	}
	if x.err != nil {
		return nil, x.err
	}
	if errors.Is(err, errDry) {
		return x.need, nil
	}
	return nil, err
}
