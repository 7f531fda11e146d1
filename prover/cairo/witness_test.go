package cairo

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/seed06907907/fatty/prover/stark"
	"github.com/seed06907907/fatty/prover/vm"
	"github.com/seed06907907/fatty/verifier/air"
	"github.com/seed06907907/fatty/verifier/cairo"
	vstark "github.com/seed06907907/fatty/verifier/stark"
)

// TestPublicDataAttacks changes each public datum. Either the check refuses it, or no multiplicities make the lookups agree;
// and the verifier refuses the honest proof with it.
func TestPublicDataAttacks(t *testing.T) {
	in := everything(t)
	inst, pre, program := instance(t, in)
	proof, err := stark.Prove(context.Background(), inst, pre, program, &stark.Trace{Main: in.Main}, stark.Options{})
	if err != nil {
		t.Fatal(err)
	}
	verify := func(d *cairo.PublicData) error {
		other := *inst
		other.Scalars, other.Public, other.PublicSum = d.Scalars(), d.Words(), d.PublicSum
		return vstark.Verify(&other, proof)
	}
	if err := verify(in.Public); err != nil {
		t.Fatal(err)
	}
	attacks := map[string]func(d *cairo.PublicData){
		"first ap + 1": func(d *cairo.PublicData) { d.InitialAP++ },
		"first ap - 1": func(d *cairo.PublicData) { d.InitialAP-- },
		"last ap + 1":  func(d *cairo.PublicData) { d.FinalAP++ },
		"last ap - 1":  func(d *cairo.PublicData) { d.FinalAP-- },
		"ids swapped":  func(d *cairo.PublicData) { d.FrameID, d.ReturnID = d.ReturnID, d.FrameID },
		"outputs swapped": func(d *cairo.PublicData) {
			d.Output[0], d.Output[1] = d.Output[1], d.Output[0]
		},
		"output values swapped": func(d *cairo.PublicData) {
			d.Output[0].Value, d.Output[1].Value = d.Output[1].Value, d.Output[0].Value
		},
		"output shorter": func(d *cairo.PublicData) { d.Output = d.Output[:1]; d.Segments[0].Stop-- },
		"output longer": func(d *cairo.PublicData) {
			d.Output = append(d.Output, d.Output[0])
			d.Segments[0].Stop++
		},
		"output elsewhere": func(d *cairo.PublicData) { d.Segments[0].Start++; d.Segments[0].Stop++ },
		"no output builtin": func(d *cairo.PublicData) {
			d.Builtins &^= cairo.BuiltinOutput
			d.Segments, d.Output = d.Segments[1:], nil
		},
		"no range checks": func(d *cairo.PublicData) { d.Segments[1].Stop = d.Segments[1].Start },
		"no bitwise":      func(d *cairo.PublicData) { d.Segments[2].Stop = d.Segments[2].Start },
	}
	for i := range 3 {
		name := in.Public.Builtins.Names()[i]
		attacks[name+" start + 1"] = func(d *cairo.PublicData) { d.Segments[i].Start++ }
		attacks[name+" start - 1"] = func(d *cairo.PublicData) { d.Segments[i].Start-- }
		attacks[name+" stop + 1"] = func(d *cairo.PublicData) { d.Segments[i].Stop++ }
		attacks[name+" stop - 1"] = func(d *cairo.PublicData) { d.Segments[i].Stop-- }
		attacks[name+" moved"] = func(d *cairo.PublicData) { d.Segments[i].Start += 5; d.Segments[i].Stop += 5 }
		attacks[name+" start id"] = func(d *cairo.PublicData) { d.Segments[i].StartID++ }
		attacks[name+" stop id"] = func(d *cairo.PublicData) { d.Segments[i].StopID++ }
	}
	for i := range in.Public.Output {
		attacks["output id "+itoa(i)] = func(d *cairo.PublicData) { d.Output[i].ID++ }
		for j := range 32 {
			attacks["output "+itoa(i)+" byte "+itoa(j)] = func(d *cairo.PublicData) { d.Output[i].Value[j] ^= 1 }
		}
	}
	for name, change := range attacks {
		f := forge(t, in)
		change(f.in.Public)
		if f.in.Public.Check(in.LogHeights) == nil && changedVerdict(t, f) == nil {
			t.Errorf("%s: check and oracle accept", name)
		}
		if verify(f.in.Public) == nil {
			t.Errorf("%s: the verifier accepts an honest proof of something else", name)
		}
	}
}

// changedVerdict is the verdict of the oracle with the scalars that the changed public data give.
func changedVerdict(t *testing.T, f *forger) error {
	t.Helper()
	f.tables = airTables(t, f.in)
	return f.verdict()
}

func TestWitnessRefusesOtherBuiltins(t *testing.T) {
	for name, builtin := range map[string]string{"pedersen_chain": "pedersen", "poseidon_chain": "poseidon", "ec_op": "ec_op",
		"bank": "poseidon"} {
		p := loadProgram(t, name)
		res := run(t, p, felts(t, loadCases(t, name)[0].Input))
		_, err := Witness(context.Background(), res)
		if !errors.Is(err, cairo.ErrProgram) || !strings.Contains(err.Error(), builtin) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWitnessRefusesOtherModes(t *testing.T) {
	p := loadProgram(t, "counter")
	input := felts(t, loadCases(t, "counter")[1].Input)
	cfg := vm.StwoConfig(0)
	cfg.ProofMode = false
	cfg.Layout = "small"
	res, err := vm.Run(context.Background(), p, input, cfg)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Witness(context.Background(), res); !errors.Is(err, ErrRun) {
		t.Errorf("without proof mode: %v", err)
	}
	// A padded run of another layout repeats its last jump and is as good.
	cfg = vm.Config{Layout: "small", ProofMode: true, Pad: true}
	if res, err = vm.Run(context.Background(), p, input, cfg); err != nil {
		t.Fatal(err)
	}
	in, err := Witness(context.Background(), res)
	if err != nil {
		t.Fatal(err)
	}
	checkOracle(t, in)
}

// TestWitnessNamesWhatIsTooLong checks the bound of each table that a run can outgrow, without making such runs.
func TestWitnessNamesWhatIsTooLong(t *testing.T) {
	res := run(t, loadProgram(t, "counter"), felts(t, loadCases(t, "counter")[1].Input))
	long := *res
	long.Trace = make([]vm.TraceRow, 1<<20+2)
	for i := range long.Trace {
		long.Trace[i] = res.Trace[0]
	}
	long.Trace[len(long.Trace)-1] = res.Trace[len(res.Trace)-1]
	_, err := Witness(context.Background(), &long)
	if !errors.Is(err, ErrTooLong) || !strings.Contains(err.Error(), cairo.NameGeneric) || !strings.Contains(err.Error(), "fewer transitions") {
		t.Errorf("%v", err)
	}
	for _, c := range cairo.Core().Components {
		if err := fits(c.Name, 1<<20); err != nil {
			t.Error(err)
		}
		if err := fits(c.Name, 1<<20+1); !errors.Is(err, ErrTooLong) || !strings.Contains(err.Error(), c.Name) {
			t.Errorf("%s: %v", c.Name, err)
		}
	}
}

// TestWitnessRefusesForgedRuns checks that a result that no VM makes gives an error and no panic.
func TestWitnessRefusesForgedRuns(t *testing.T) {
	res := run(t, loadProgram(t, "lcg"), felts(t, loadCases(t, "lcg")[1].Input))
	for name, change := range map[string]func(r *vm.Result){
		"no trace":               func(r *vm.Result) { r.Trace = nil },
		"one row":                func(r *vm.Result) { r.Trace = r.Trace[:1] },
		"cut short":              func(r *vm.Result) { r.Trace = r.Trace[:len(r.Trace)-1] },
		"pc beyond memory":       func(r *vm.Result) { r.Trace[3].PC = 1<<32 - 1 },
		"pc 0":                   func(r *vm.Result) { r.Trace[3].PC = 0 },
		"pc at data":             func(r *vm.Result) { r.Trace[3].PC = r.InitialAP },
		"ap beyond memory":       func(r *vm.Result) { r.Trace[3].AP = 1<<32 - 1 },
		"ap beyond its range":    func(r *vm.Result) { r.Trace[3].AP = 1 << 28 },
		"fp 0":                   func(r *vm.Result) { r.Trace[3].FP = 0 },
		"an empty memory":        func(r *vm.Result) { r.Memory = vm.Memory{} },
		"no segments":            func(r *vm.Result) { r.Segments = nil },
		"a segment without room": func(r *vm.Result) { r.Segments[slices.IndexFunc(r.Segments, isRangeCheck)].Size = 1 },
		"a segment elsewhere":    func(r *vm.Result) { r.Segments[slices.IndexFunc(r.Segments, isRangeCheck)].Begin = 1 },
		"a huge segment": func(r *vm.Result) {
			s := &r.Segments[slices.IndexFunc(r.Segments, isRangeCheck)]
			s.Stop, s.Size = 1<<32-1, 1<<32-1
		},
	} {
		forged := *res
		forged.Trace, forged.Segments = slices.Clone(res.Trace), slices.Clone(res.Segments)
		change(&forged)
		if in, err := Witness(context.Background(), &forged); err == nil {
			if air.Check(cairo.Core(), airTables(t, in), in.Public.Lookups()) == nil {
				t.Errorf("%s: accepted", name)
			}
		}
	}
}

func isRangeCheck(s vm.SegmentInfo) bool { return s.Name == cairo.NameRangeCheck }

func TestWitnessStopsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	res := run(t, loadProgram(t, "counter"), felts(t, loadCases(t, "counter")[1].Input))
	if _, err := Witness(ctx, res); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// TestWitnessDoesNotDependOnCores compares all columns, since proofs must be the same bytes everywhere.
func TestWitnessDoesNotDependOnCores(t *testing.T) {
	res := lcgRun(t, 13)
	want := witness(t, res)
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	for _, cores := range []int{1, 3, 7} {
		runtime.GOMAXPROCS(cores)
		got := witness(t, res)
		for i := range want.Main {
			for j := range want.Main[i] {
				if !slices.Equal(got.Main[i][j], want.Main[i][j]) {
					t.Fatalf("%d cores: component %d, column %d differs", cores, i, j)
				}
			}
		}
	}
}

func TestOffsetForms(t *testing.T) {
	for _, v := range []int64{0, 1, -1, -2, 255, 1<<29 - 1, -(1 << 29), -(1<<29 + 1)} {
		n := limbs{uint64(v)}
		if v < 0 {
			d := limbs{uint64(-v)}
			n, _ = prime.minus(&d)
		}
		if got, ok := n.offset(); !ok || got != v {
			t.Errorf("%d: %d, %v", v, got, ok)
		}
	}
	for _, n := range []limbs{{1 << 29}, {0, 1}, {0, 0, 0, 1 << 58}, {prime[0] + 1, 0, 0, prime[3]}} {
		if _, ok := n.offset(); ok {
			t.Errorf("%v is no offset", n)
		}
	}
	low := limbs{1<<29 + 2}
	if n, _ := prime.minus(&low); true {
		if _, ok := n.offset(); ok {
			t.Error("-2^29 - 2 is no offset")
		}
	}
}
