package verifier

import (
	"fmt"
	"math"
)

// The security calculator: from parameters and table shapes to bits of soundness, round by round.
//
// The proof is an interactive oracle proof made non-interactive by Fiat-Shamir; its error is at most the sum over its
// rounds of the chance that a cheating prover survives the round's challenge (round-by-round soundness, Ben-Sasson,
// Chiesa, Spooner 2016, section 5; grinding by g bits divides a round's error by 2^g for the same work). Terms:
//
//   - proximity gap of a line of two words, unique decoding: (theta n + 1) / q (ePrint 2025/2055, corollary 1.4);
//     Johnson regime with multiplicity m >= 3: ((2 M^5 + 3 M theta rho) n / (3 rho^1.5) + M / sqrt rho) / q, M = m + 1/2
//     (the same, theorems 1.5 and 4.2);
//   - batching l words by powers of one challenge: l - 1 lines;
//   - list size L: 1 in unique decoding, m / rho in the Johnson regime;
//   - LogUp: L * fractions * tuple length / q (ePrint 2022/1530), the list size included because the trace is fixed only
//     up to L decodings when z and alpha are drawn;
//   - constraints combined by powers of alpha: L * constraints / q; out-of-domain sample:
//     L * (d (N + c - 1) + N - 1) / (q - N - n), for degree d and c points a column (ePrint 2022/1216, theorem 8);
//   - a FRI fold by 2^a: 2^a - 1 lines (one more is charged) at the folded length; Q queries: (1 - theta)^Q.
//
// Conjectures about decoding up to capacity are refuted (ePrint 2025/2010, 2025/2046): Conjectured is printed because
// other systems quote it, and nothing here relies on it.

// HashBits is the collision resistance of a digest of eight KoalaBear words, a ceiling on every level.
const HashBits = 124

// baseFieldBits is log2 of p = 2^31 - 2^24 + 1.
var baseFieldBits = math.Log2(2130706433)

// Shape is what a proof's soundness depends on.
type Shape struct {
	LogN        int     // log2 of the pinned size N
	LogBlowup   int     // log2 of 1/rho
	Degree      int     // degree of the extension that challenges come from
	Queries     int     // FRI queries
	Grind       int     // bits of work before the queries are drawn
	FoldLog     int     // log2 of FRI's folding factor
	FinalLog    int     // log2 of the degree bound at which FRI stops
	Words       int     // (column, point) pairs batched by powers of one challenge
	Constraints int     // constraints combined by powers of one challenge
	MaxDegree   int     // largest degree of a constraint
	Points      int     // largest number of points at which one column is opened
	Fractions   float64 // LogUp fractions: lookups times rows, over all tables
	TupleLen    int     // longest tuple, its relation's id counted
}

// Regime is the proximity regime of an analysis; M is the multiplicity in the Johnson regime and 0 in unique decoding.
type Regime struct{ M int }

// maxMultiplicity bounds the search for the best Johnson multiplicity: its error grows with M^5, so the optimum is far
// below.
const maxMultiplicity = 200

// Round is one round's error as bits, -log2 of the error, after grinding where the round has any.
type Round struct {
	Name string
	Bits float64
}

// Level is the outcome of the calculator.
type Level struct {
	// Proven is -log2 of the sum of all rounds' errors in the better of the two proven regimes, at most HashBits.
	Proven float64 `json:"proven"`
	// Conjectured is min(Q log2(1/rho) + grinding, HashBits): the refuted formula, for comparison with other systems only.
	Conjectured float64 `json:"conjectured"`
	Regime      Regime  `json:"-"`
	Rounds      []Round `json:"-"`
}

// line is the error of a random line of two words over a code of dimension n0 (the proximity gap).
func (s Shape) line(r Regime, n0 float64) float64 {
	q := math.Exp2(baseFieldBits * float64(s.Degree))
	rho := math.Exp2(-float64(s.LogBlowup))
	n := n0 / rho
	if r.M == 0 {
		return ((1-rho)/2*n + 1) / q
	}
	sq, m := math.Sqrt(rho), float64(r.M)+0.5
	theta := 1 - sq - sq/(2*float64(r.M))
	return ((2*math.Pow(m, 5)+3*m*theta*rho)*n/(3*rho*sq) + m/sq) / q
}

// list is the number of codewords within the regime's radius.
func (s Shape) list(r Regime) float64 {
	if r.M == 0 {
		return 1
	}
	return float64(r.M) * math.Exp2(float64(s.LogBlowup))
}

// queryBits is what one query is worth.
func (s Shape) queryBits(r Regime) float64 {
	rho := math.Exp2(-float64(s.LogBlowup))
	theta := (1 - rho) / 2
	if r.M != 0 {
		theta = 1 - math.Sqrt(rho)*(1+1/(2*float64(r.M)))
	}
	if theta <= 0 {
		return 0
	}
	return -math.Log2(1 - theta)
}

// In returns every round's bits in one regime.
func (s Shape) In(r Regime) []Round {
	q := math.Exp2(baseFieldBits * float64(s.Degree))
	n0 := math.Exp2(float64(s.LogN))
	n := n0 * math.Exp2(float64(s.LogBlowup))
	l := s.list(r)
	bits := func(e float64) float64 { return -math.Log2(e) }
	c, d := float64(s.Points), float64(s.MaxDegree)
	out := []Round{
		{"logup", bits(l * s.Fractions * float64(s.TupleLen) / q)},
		{"constraints", bits(l * float64(s.Constraints) / q)},
		{"out-of-domain", bits(l * (d*(n0+c-1) + n0 - 1) / (q - n0 - n))},
		{"batching", bits(s.line(r, n0) * float64(max(1, s.Words-1)))},
	}
	for k, i := s.LogN, 0; k > s.FinalLog; i++ {
		a := min(s.FoldLog, k-s.FinalLog)
		k -= a
		out = append(out, Round{fmt.Sprintf("fold %d", i), bits(s.line(r, math.Exp2(float64(k))) * math.Exp2(float64(a)))})
	}
	return append(out, Round{"queries", s.queryBits(r)*float64(s.Queries) + float64(s.Grind)})
}

// Validate refuses shapes for which the formulas say nothing.
func (s Shape) Validate() error {
	switch {
	case s.LogN < 1 || s.LogN+s.LogBlowup > 24:
		return fmt.Errorf("shape: 2^%d rows at blow-up 2^%d: the field's two-adicity is 24", s.LogN, s.LogBlowup)
	case s.LogBlowup < 1, s.Degree < 1, s.FoldLog < 1, s.FinalLog < 0, s.FinalLog > s.LogN:
		return fmt.Errorf("shape: blow-up 2^%d, degree %d, fold 2^%d, final 2^%d: each must be in range", s.LogBlowup, s.Degree, s.FoldLog, s.FinalLog)
	case s.Queries < 1 || s.Grind < 0 || s.Words < 1 || s.Constraints < 1 || s.Points < 1 || s.MaxDegree < 1 || s.Fractions < 1 || s.TupleLen < 1:
		return fmt.Errorf("shape: queries, words, constraints, points, degree, fractions and tuple length must be at least 1")
	}
	return nil
}

// Level runs the calculator: all rounds summed, in the best regime.
func (s Shape) Level() (Level, error) {
	if err := s.Validate(); err != nil {
		return Level{}, err
	}
	best := Level{Proven: math.Inf(-1)}
	for m := 0; m <= maxMultiplicity; m++ {
		if m == 1 || m == 2 { // theorem 4.2 asks for m >= 3
			continue
		}
		r := Regime{m}
		rounds, sum := s.In(r), 0.0
		for _, x := range rounds {
			sum += math.Exp2(-x.Bits)
		}
		if b := -math.Log2(sum); b > best.Proven {
			best = Level{Proven: b, Regime: r, Rounds: rounds}
		}
	}
	best.Proven = math.Min(best.Proven, HashBits)
	best.Conjectured = math.Min(float64(s.Queries*s.LogBlowup+s.Grind), HashBits)
	return best, nil
}
