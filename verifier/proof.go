package verifier

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/seed06907907/fatty/verifier/cairo"
	"github.com/seed06907907/fatty/verifier/field"
	"github.com/seed06907907/fatty/verifier/hash"
	"github.com/seed06907907/fatty/verifier/recursion"
	"github.com/seed06907907/fatty/verifier/stark"
)

// A run proof, all numbers big-endian:
//
//	"FATTYRUN" | version u16 | parameter set u8 | component set u8
//	life 32 | anchor 32
//	program: builtins u16 | felts u32 | log2 rows u8 | a root of 32 bytes for each pinned size
//	log2 height u8 for each component of the set
//	public data (see verifier/cairo)
//	the STARK (see verifier/stark)
const (
	proofMagic = "FATTYRUN"
	// ProofVersion is the version that this verifier reads and this prover writes. A change to the tables, the transcript or
	// the format takes the next number; genesis files name the versions that a ledger accepts.
	ProofVersion = 2
	coreSet      = 1
	headBytes    = len(proofMagic) + 2 + 1 + 1 + 32 + 32 + idBytes
	// MaxProofBytes bounds a proof, as an attachment of a transaction and as the content of a file.
	MaxProofBytes = 4 << 20
)

// Errors that callers branch on.
var (
	// ErrFormat is wrapped for bytes that are no proof of a version that this verifier reads.
	ErrFormat = errors.New("not a proof of a known form")
	// ErrVersion is wrapped for a proof of a version, parameter set or length of output that the caller does not accept.
	ErrVersion = errors.New("the proof's version, parameters or length of output are not accepted here")
	// ErrKind is wrapped for a run proof where a span proof is wanted, and the other way round.
	ErrKind = errors.New("it is a proof of another kind")
	// ErrInvalid is wrapped for a well-formed proof that does not hold.
	ErrInvalid = errors.New("the proof does not hold")
)

// The levels that parameter sets are made for, in proven bits.
const (
	Security100 = 100
	Security124 = 124
)

// parameterSet names parameters by a number that is never reused. The proof names one; whether it is accepted is the
// verifier's own decision.
type parameterSet struct {
	id       byte
	security int
	params   stark.Params
}

var parameterSets = func() (out []parameterSet) {
	// Queries by level and log2 of the blow-up: docs/proof-system.md, "How sure".
	queries := map[int][]int{Security100: {1: 173, 3: 57}, Security124: {1: 222, 3: 73}}
	for i, size := range pinnedSizes {
		p := stark.Params{LogN: size.n, LogBlowup: size.blowup, QueryGrind: 20, FoldLog: 3, FinalLog: size.final}
		for j, security := range []int{Security100, Security124} {
			p.Queries = queries[security][size.blowup]
			out = append(out, parameterSet{byte(1 + i + 16*j), security, p})
		}
	}
	return out
}()

// Accept is what a verifier takes, from its own configuration.
type Accept struct {
	Versions []uint16 // proof versions; nil for ProofVersion alone
	Security int      // least proven bits of a parameter set: Security100 or Security124; 0 for Security100
	Kind     Kind     // KindRun or KindSpan alone; empty for either
	// MaxOutput is the most felts of output; 0 for cairo.MaxOutput. Public data of the largest output cost a verifier twenty times
	// an honest proof before anything shows that they are false, so who wants the clock ABI asks for its five felts.
	MaxOutput int
}

func (a Accept) check(version uint16, security int) error {
	ok := len(a.Versions) == 0 && version == ProofVersion
	for _, v := range a.Versions {
		ok = ok || v == version
	}
	if !ok || version != ProofVersion {
		return fmt.Errorf("version %d: %w", version, ErrVersion)
	}
	if want := max(a.Security, Security100); security < want {
		return fmt.Errorf("parameters of %d bits, at least %d asked: %w", security, want, ErrVersion)
	}
	return nil
}

// Head is the part of a run proof before the STARK: together with the verifier's own constants it is the whole statement.
type Head struct {
	set        parameterSet
	Life       [32]byte
	Anchor     [32]byte
	program    *programID
	LogHeights []int // of the components of cairo.Core
	Public     *cairo.PublicData
}

// NewHead makes the head of a proof about a program; security is a level of a parameter set, logN a pinned size.
func NewHead(p Program, security, logN int, life, anchor [32]byte, logHeights []int, public *cairo.PublicData) (*Head, error) {
	id, err := p.id()
	if err != nil {
		return nil, err
	}
	for _, s := range parameterSets {
		if s.security == security && s.params.LogN == logN {
			return &Head{set: s, Life: life, Anchor: anchor, program: id, LogHeights: logHeights, Public: public}, nil
		}
	}
	return nil, fmt.Errorf("no parameters of %d bits for 2^%d rows: %w", security, logN, ErrVersion)
}

// Key is the key of the program that the proof is about.
func (h *Head) Key() Key { return h.program.Key() }

// Instance returns what the STARK's verifier checks, and its prover proves.
func (h *Head) Instance() (*stark.Instance, error) {
	if err := h.Public.Check(h.LogHeights); err != nil {
		return nil, err
	}
	if h.Public.Builtins != h.program.builtins {
		return nil, fmt.Errorf("public data of other builtins than the program's: %w", ErrFormat)
	}
	params := h.set.params
	at := -1
	for i, size := range pinnedSizes {
		if size.n == params.LogN {
			at = i
		}
	}
	if at < 0 {
		return nil, fmt.Errorf("2^%d rows is no pinned size: %w", params.LogN, ErrFormat)
	}
	set := cairo.Core()
	inst := &stark.Instance{Set: set, Params: params, LogHeights: h.LogHeights, Scalars: h.Public.Scalars(),
		Preprocessed: preprocessedRoots[at], Program: h.program.roots[at], ProgramLogHeight: h.program.logHeight,
		PublicSum: h.Public.PublicSum}
	inst.Public = append(h.set.head(), h.Public.Words()...)
	key, err := wordsOf(h.program.Key())
	if err != nil {
		return nil, err
	}
	life, anchor := recursion.Words(h.Life), recursion.Words(h.Anchor)
	inst.PublicDigests = []hash.Digest{life[0], life[1], anchor[0], anchor[1], key}
	return inst, nil
}

// head are the first words of a run's statement.
func (s *parameterSet) head() []field.Element {
	return []field.Element{field.New(ProofVersion), field.New(uint64(s.id)), field.New(coreSet)}
}

// Encode writes a whole proof.
func (h *Head) Encode(inst *stark.Instance, proof *stark.Proof) ([]byte, error) {
	tail, err := proof.Encode(inst)
	if err != nil {
		return nil, err
	}
	b := append([]byte(proofMagic), 0, ProofVersion, h.set.id, coreSet)
	b = append(append(b, h.Life[:]...), h.Anchor[:]...)
	b = append(b, h.program.encode()...)
	for _, k := range h.LogHeights {
		b = append(b, byte(k))
	}
	return append(append(b, h.Public.Encode()...), tail...), nil
}

// decodeHead reads a proof's head and returns the STARK's bytes behind it.
func decodeHead(b []byte, accept Accept) (*Head, []byte, error) {
	if len(b) > MaxProofBytes {
		return nil, nil, fmt.Errorf("%d bytes, at most %d: %w", len(b), MaxProofBytes, ErrFormat)
	}
	heights := len(cairo.Core().Components)
	if len(b) < headBytes+heights || !bytes.HasPrefix(b, []byte(proofMagic)) {
		return nil, nil, fmt.Errorf("it does not begin as a run proof: %w", ErrFormat)
	}
	r := b[len(proofMagic):]
	version, setID, components := binary.BigEndian.Uint16(r), r[2], r[3]
	h := &Head{}
	for _, s := range parameterSets {
		if s.id == setID {
			h.set = s
		}
	}
	if h.set.id == 0 || components != coreSet {
		return nil, nil, fmt.Errorf("parameter set %d, component set %d: %w", setID, components, ErrVersion)
	}
	if err := accept.check(version, h.set.security); err != nil {
		return nil, nil, err
	}
	r = r[4:]
	copy(h.Life[:], r)
	copy(h.Anchor[:], r[32:])
	var err error
	if h.program, err = decodeID(r[64 : 64+idBytes]); err != nil {
		return nil, nil, err
	}
	r = r[64+idBytes:]
	for _, k := range r[:heights] {
		h.LogHeights = append(h.LogHeights, int(k))
	}
	r = r[heights:]
	public, n, err := cairo.DecodePublicData(r, h.program.builtins)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", err, ErrFormat)
	}
	if accept.MaxOutput > 0 && len(public.Output) > accept.MaxOutput {
		return nil, nil, fmt.Errorf("an output of %d felts, at most %d asked: %w", len(public.Output), accept.MaxOutput, ErrVersion)
	}
	h.Public = public
	return h, r[n:], nil
}

// decodeBody reads the STARK behind a head, and returns what it is to be checked against.
func decodeBody(head interface {
	Instance() (*stark.Instance, error)
}, tail []byte) (*stark.Instance, *stark.Proof, error) {
	inst, err := head.Instance()
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", err, ErrInvalid)
	}
	p, err := stark.DecodeProof(tail, inst)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", err, ErrFormat)
	}
	return inst, p, nil
}

// Verify checks a run or span proof and returns what it says. It is a pure function of the bytes, of accept, and of constants of
// this package; it takes tens of milliseconds and memory in proportion to the bytes.
func Verify(proof []byte, accept Accept) (Statement, error) {
	kind := KindRun
	if isSpan(proof) {
		kind = KindSpan
	}
	if accept.Kind != "" && accept.Kind != kind {
		return Statement{}, fmt.Errorf("a proof of a %s, where one of a %s is wanted: %w", kind, accept.Kind, ErrKind)
	}
	if kind == KindSpan {
		return verifySpan(proof, accept)
	}
	h, tail, err := decodeHead(proof, accept)
	if err != nil {
		return Statement{}, err
	}
	inst, p, err := decodeBody(h, tail)
	if err != nil {
		return Statement{}, err
	}
	if err := stark.Verify(inst, p); err != nil {
		return Statement{}, fmt.Errorf("%w: %w", err, ErrInvalid)
	}
	shape, err := ShapeOf(inst)
	if err != nil {
		return Statement{}, err
	}
	level, err := shape.Level()
	if err != nil {
		return Statement{}, err
	}
	s := Statement{Kind: KindRun, Key: h.Key(), Life: h.Life, Anchor: h.Anchor, Level: level, Security: h.set.security}
	for _, c := range h.Public.Output {
		s.Output = append(s.Output, c.Value)
	}
	return s, nil
}

// ShapeOf returns what the security calculator needs of an instance.
func ShapeOf(inst *stark.Instance) (Shape, error) {
	l, err := stark.NewLayout(inst)
	if err != nil {
		return Shape{}, err
	}
	p := inst.Params
	s := Shape{LogN: p.LogN, LogBlowup: p.LogBlowup, Degree: field.Degree, Queries: p.Queries, Grind: p.QueryGrind,
		FoldLog: p.FoldLog, FinalLog: p.FinalLog, MaxDegree: 3, Points: 3, Words: l.Words(), Fractions: stark.PublicLookups}
	for i, c := range inst.Set.Components {
		s.Constraints += stark.Count(c)
		s.Fractions += float64(len(c.Lookups)) * float64(uint64(1)<<inst.LogHeights[i])
	}
	s.TupleLen = 1 + stark.WidestRelation(inst.Set)
	return s, nil
}

// PinnedSizes are the log2 sizes that proofs have.
func PinnedSizes() (out []int) {
	for _, size := range pinnedSizes {
		out = append(out, size.n)
	}
	return out
}

// Params returns the parameters of a level for a pinned size.
func Params(security, logN int) (stark.Params, error) {
	for _, s := range parameterSets {
		if s.security == security && s.params.LogN == logN {
			return s.params, nil
		}
	}
	return stark.Params{}, fmt.Errorf("no parameters of %d bits for 2^%d rows: choose %d or %d bits: %w", security, logN, Security100, Security124, ErrVersion)
}
