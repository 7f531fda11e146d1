package vm

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// edit changes one part of a compiled program.
func edit(t testing.TB, data []byte, change func(map[string]any)) []byte {
	t.Helper()
	var m map[string]any
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if err := d.Decode(&m); err != nil {
		t.Fatal(err)
	}
	change(m)
	out, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestLoadRefuses is every way in which a file is not a program; each has one clear error.
func TestLoadRefuses(t *testing.T) {
	zero := readGzip(t, "testdata/programs0/lcg.json.gz")
	two := numberProgram(numberHints2[0]).file()
	at := func(m map[string]any, keys ...string) map[string]any {
		for _, k := range keys {
			m = m[k].(map[string]any)
		}
		return m
	}
	hint := func(m map[string]any) map[string]any {
		return at(m, "hints")["49"].([]any)[0].(map[string]any)
	}
	for name, c := range map[string]struct {
		data []byte
		says string
	}{
		"empty":           {nil, "JSON"},
		"no object":       {[]byte("[1]"), "JSON"},
		"no program":      {[]byte("{}"), "neither"},
		"both":            {[]byte(`{"data":[],"program":{}}`), "neither"},
		"truncated":       {zero[:len(zero)/2], "JSON"},
		"huge":            {make([]byte, MaxProgramBytes+1), "at most"},
		"deep":            {[]byte(strings.Repeat("[", 1<<20)), "nested"},
		"deep in strings": {[]byte(`{"data":"` + strings.Repeat("[", 1000) + `"}`), "string"},
		"other prime":     {edit(t, zero, func(m map[string]any) { m["prime"] = "0x800000000000011" }), "prime"},
		"no prime":        {edit(t, zero, func(m map[string]any) { delete(m, "prime") }), "prime"},
		"no bytecode":     {edit(t, zero, func(m map[string]any) { m["data"] = []any{} }), "no bytecode"},
		"a felt beyond the prime": {edit(t, zero, func(m map[string]any) { m["data"].([]any)[3] = m["prime"] }),
			"not below the prime"},
		"a felt that is no number": {edit(t, zero, func(m map[string]any) { m["data"].([]any)[3] = "0xzz" }),
			"not a field element"},
		"a felt with a thousand digits": {edit(t, zero, func(m map[string]any) {
			m["data"].([]any)[3] = "0x" + strings.Repeat("1", 1000)
		}), "not a field element"},
		"hint out of range": {edit(t, zero, func(m map[string]any) {
			at(m, "hints")["100000"] = at(m, "hints")["49"]
		}), "beyond the bytecode"},
		"hint at no offset": {edit(t, zero, func(m map[string]any) {
			at(m, "hints")["-1"] = at(m, "hints")["49"]
		}), "no offset"},
		"reference out of range": {edit(t, zero, func(m map[string]any) {
			at(hint(m), "flow_tracking_data", "reference_ids")["__main__.main.input"] = 100000
		}), "does not exist"},
		"ap tracking": {edit(t, zero, func(m map[string]any) {
			at(hint(m), "flow_tracking_data", "ap_tracking")["offset"] = 1 << 40
		}), "ap tracking"},
		"reference expression": {edit(t, zero, func(m map[string]any) {
			at(m, "reference_manager")["references"].([]any)[0].(map[string]any)["value"] = "[cast(fp + ("
		}), "reference"},
		"nested reference": {edit(t, zero, func(m map[string]any) {
			at(m, "reference_manager")["references"].([]any)[0].(map[string]any)["value"] = strings.Repeat("[", 500)
		}), "nested"},
		"unknown builtin": {edit(t, zero, func(m map[string]any) { m["builtins"] = []any{"output", "segment_arena"} }),
			"builtin"},
		"builtins out of order": {edit(t, zero, func(m map[string]any) { m["builtins"] = []any{"range_check", "output"} }),
			"out of order"},
		"no main": {edit(t, zero, func(m map[string]any) { m["main_scope"] = "elsewhere" }), "no main"},
		"label outside": {edit(t, zero, func(m map[string]any) {
			at(m, "identifiers", "__main__.__end__")["pc"] = 100000
		}), "no place"},
		"labels apart":      {edit(t, zero, func(m map[string]any) { at(m, "identifiers", "__main__.__end__")["pc"] = 5 }), "apart"},
		"Cairo 2: no entry": {edit(t, two, func(m map[string]any) { m["entrypoints"] = []any{} }), "Standalone"},
		"Cairo 2: entry outside": {edit(t, two, func(m map[string]any) {
			m["entrypoints"].([]any)[0].(map[string]any)["offset"] = 1000
		}), "beyond"},
		"Cairo 2: entry without its end": {edit(t, two, func(m map[string]any) {
			m["entrypoints"].([]any)[0].(map[string]any)["offset"] = len(at(m, "program")["bytecode"].([]any)) - 3
		}), "no room"},
		"Cairo 2: entry of another kind": {edit(t, two, func(m map[string]any) {
			m["entrypoints"].([]any)[1].(map[string]any)["kind"] = "External"
		}), "kind"},
		"Cairo 2: hint outside": {edit(t, two, func(m map[string]any) {
			at(m, "program")["hints"].([]any)[0].([]any)[0] = 1000
		}), "beyond the bytecode"},
		"Cairo 2: hints twice": {edit(t, two, func(m map[string]any) {
			h := at(m, "program")["hints"].([]any)
			at(m, "program")["hints"] = append(h, h[0])
		}), "twice"},
		"Cairo 2: hint without a field": {edit(t, two, func(m map[string]any) {
			delete(at(m, "program")["hints"].([]any)[0].([]any)[1].([]any)[0].(map[string]any)["TestLessThan"].(map[string]any), "lhs")
		}), "fields"},
		"Cairo 2: unknown register": {edit(t, two, func(m map[string]any) {
			at(at(m, "program")["hints"].([]any)[0].([]any)[1].([]any)[0].(map[string]any), "TestLessThan", "dst")["register"] = "PC"
		}), "no cell"},
		"Cairo 2: offset beyond 16 bits": {edit(t, two, func(m map[string]any) {
			at(at(m, "program")["hints"].([]any)[0].([]any)[1].([]any)[0].(map[string]any), "TestLessThan", "dst")["offset"] = 40000
		}), "offset"},
	} {
		_, err := Load(c.data)
		if !errors.Is(err, ErrProgram) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v does not say %q", name, err, c.says)
		}
	}
}

// TestUnknownHint0 names the text and the place of a hint that is in no table.
func TestUnknownHint0(t *testing.T) {
	const text = "print('what the VM cannot know')"
	data := edit(t, readGzip(t, "testdata/programs0/lcg.json.gz"), func(m map[string]any) {
		m["hints"].(map[string]any)["49"].([]any)[0].(map[string]any)["code"] = text
	})
	p, err := Load(data)
	if err != nil {
		t.Fatal(err)
	}
	_, err = Run(t.Context(), p, felts(t, []string{"0", "9", "1", "0"}), StwoConfig(0))
	var hintErr *HintError
	if !errors.As(err, &hintErr) || !hintErr.Unknown || hintErr.PC != 49 || hintErr.Text != text {
		t.Errorf("%v does not name the hint", err)
	}
}

// TestHostileRuns is programs that go wrong in every way there is: each ends in an error, in bounded time and memory.
func TestHostileRuns(t *testing.T) {
	jump := func(a *assembler2, to string) {
		a.words(encode(-1, -1, 1, flagDstFP|flagOp0FP|flagImm|flagRel), to)
	}
	alloc := func(a *assembler2) {
		a.hint(hintJSON("AllocSegment", "dst", cellJSON("ap")))
		a.addAP(1)
	}
	for name, c := range map[string]struct {
		build func(*assembler2)
		is    error
		says  string
	}{
		"endless loop":      {func(a *assembler2) { jump(a, "0") }, ErrSteps, ""},
		"endless pushing":   {func(a *assembler2) { a.push("1"); jump(a, "-2") }, ErrSteps, ""},
		"segments for ever": {func(a *assembler2) { alloc(a); jump(a, "-2") }, ErrMemory, "segments"},
		"pages for ever": {func(a *assembler2) {
			// Each round writes one cell into a page of its own, far from the last.
			a.push("1")
			a.addAP(16 * pageCells)
			jump(a, "-4")
		}, ErrMemory, "offset"},
		"far write": {func(a *assembler2) {
			alloc(a)
			a.pushSum(0, maxOffset-1)
			a.push("1")
			a.words(encode(-1, -2, 0, flagAssert))
		}, ErrMemory, "offset"},
		"beyond all offsets": {func(a *assembler2) { alloc(a); a.pushSum(0, maxOffset+1) }, errAddressRange, ""},
		"before a segment":   {func(a *assembler2) { alloc(a); a.pushSum(0, -1) }, errAddressRange, ""},
		"division by zero": {func(a *assembler2) {
			a.push("0")
			a.push("5")
			a.words(encode(-1, -2, 0, flagOp1AP|flagMul|flagAssert)) // 5 = 0 * [ap]
		}, nil, "/ 0"},
		"a sum of addresses": {func(a *assembler2) {
			alloc(a)
			a.words(encode(0, -1, -1, flagOp1AP|flagAdd|flagAPInc|flagAssert))
		}, errAddressSum, ""},
		"a product of addresses": {func(a *assembler2) {
			alloc(a)
			a.words(encode(0, -1, -1, flagOp1AP|flagMul|flagAPInc|flagAssert))
		}, errAddressProduct, ""},
		"a difference of addresses in two segments": {func(a *assembler2) {
			alloc(a)
			alloc(a)
			a.words(encode(-1, -2, 0, flagOp1AP|flagAdd|flagAssert))
		}, errAddressDifference, ""},
		"an assertion":         {func(a *assembler2) { a.push("1"); a.words(encode(-1, -1, 1, flagImm|flagAssert), "2") }, nil, "2"},
		"an unknown operand":   {func(a *assembler2) { a.words(encode(0, 3, 4, flagOp1AP|flagAdd|flagAssert)) }, errUnknownCell, ""},
		"an unknown condition": {func(a *assembler2) { a.words(encode(5, -1, 1, flagOp0FP|flagImm|flagJnz), "2") }, errUnknownCell, ""},
		"a jump to a number":   {func(a *assembler2) { a.words(encode(-1, -1, 1, flagDstFP|flagOp0FP|flagImm|flagJump), "2") }, errNotAddress, ""},
		"a jump out of reach":  {func(a *assembler2) { jump(a, primeHalf) }, errAddressRange, ""},
		"a jump before":        {func(a *assembler2) { jump(a, "-20") }, errAddressRange, ""},
		"a jump into data": {func(a *assembler2) {
			jump(a, "3")
			a.push("0x6000000000000000")
		}, nil, "not an instruction"},
		"a jump beyond":                   {func(a *assembler2) { jump(a, "100") }, errUnknownCell, ""},
		"ap to an address":                {func(a *assembler2) { alloc(a); a.words(encode(-1, -1, -1, flagOp1AP|flagAPRes)) }, errAddressRange, ""},
		"ap far off":                      {func(a *assembler2) { a.addAP(1 << 40) }, errAddressRange, ""},
		"ap below zero":                   {func(a *assembler2) { a.addAP(-100) }, errAddressRange, ""},
		"a frame that is none":            {func(a *assembler2) { a.push("1"); a.words(encode(-1, -1, -1, flagOp0FP|flagOp1FP|flagJump|flagRet)) }, errNotAddress, ""},
		"Blake":                           {func(a *assembler2) { a.words("0x8000000000000000") }, ErrUnsupported, "Blake2s compression"},
		"Blake's end":                     {func(a *assembler2) { a.words("0x10000000000000000") }, ErrUnsupported, "Blake2s finalization"},
		"QM31":                            {func(a *assembler2) { a.words("0x18000000000000000") }, ErrUnsupported, "QM31"},
		"an extension":                    {func(a *assembler2) { a.words("0x20000000000000000") }, nil, "not assigned"},
		"a large number":                  {func(a *assembler2) { a.words("0x400000000000000000000000000000000") }, nil, "2^128"},
		"no range check":                  {func(a *assembler2) { a.push(shifted("1", 128)); a.store(-1, -3, 0) }, nil, "range check"},
		"a range-checked address":         {func(a *assembler2) { alloc(a); a.store(-1, -3, 0) }, nil, "range check"},
		"a wrong stop pointer":            {func(a *assembler2) { a.pushSum(-4, 1); a.pushSum(-3, 0); a.ret() }, nil, "stop pointer"},
		"a stop pointer that is a number": {func(a *assembler2) { a.push("3"); a.pushSum(-3, 0); a.ret() }, nil, "stop pointer"},
		"a write behind the program": {func(a *assembler2) {
			// A function writes behind its return address, which points into the program.
			a.words(encode(0, 1, 1, flagImm|flagCall|flagRel), "7")
			a.pushSum(-4, 0)
			a.pushSum(-3, 0)
			a.ret()
			a.push("7")
			a.store(-1, -1, 30)
			a.ret()
		}, nil, "beyond the program"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAssembler2("output", "range_check")
			c.build(a)
			config := StwoConfig(1 << 22)
			if errors.Is(c.is, ErrSteps) {
				config.MaxSteps = 1 << 16
			}
			_, err := Run(t.Context(), a.program(t), nil, config)
			if err == nil || c.is != nil && !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v, not %v (%q)", err, c.is, c.says)
			}
		})
	}
}

var primeHalf = halfArc.String() + strings.Repeat("0", 38)

// TestDecode is the fields that no instruction has.
func TestDecode(t *testing.T) {
	for name, flags := range map[string]uint64{
		"two sources":         flagImm | flagOp1FP,
		"two operations":      flagAdd | flagMul,
		"two jumps":           flagJump | flagRel,
		"two steps of ap":     flagAPRes | flagAPInc,
		"two opcodes":         flagCall | flagRet,
		"jnz with a sum":      flagJnz | flagAdd,
		"call with ap":        flagCall | flagAPInc,
		"jnz that moves ap":   flagJnz | flagAPRes,
		"opcode three":        flagCall | flagRet | flagAssert,
		"immediate elsewhere": flagImm,
	} {
		v, err := parseFelt(encode(0, 0, 0, flags))
		if err != nil {
			t.Fatal(err)
		}
		if ins, err := decode(v); err == nil {
			t.Errorf("%s: decoded as %+v", name, ins)
		}
	}
}

// TestContext stops a run with its context, before and in the middle of it.
func TestContext(t *testing.T) {
	a := newAssembler2("output")
	a.words(encode(-1, -1, 1, flagDstFP|flagOp0FP|flagImm|flagRel), "0")
	p := a.program(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Run(ctx, p, nil, StwoConfig(0)); !errors.Is(err, context.Canceled) {
		t.Errorf("%v is not the context's error", err)
	}
	ctx, cancel = context.WithCancel(t.Context())
	go cancel()
	if _, err := Run(ctx, p, nil, StwoConfig(1<<40)); !errors.Is(err, context.Canceled) {
		t.Errorf("%v is not the context's error", err)
	}
}

// TestMemoryBound refuses the cell beyond the bound of all segments together.
func TestMemoryBound(t *testing.T) {
	var m memory
	base, err := m.addSegment()
	if err != nil {
		t.Fatal(err)
	}
	m.cells = MaxMemoryCells - pageCells
	if err := m.set(address{base.seg, pageCells}, uintValue(1)); err != nil {
		t.Errorf("the last page: %v", err)
	}
	if err := m.set(address{base.seg, 2 * pageCells}, uintValue(1)); !errors.Is(err, ErrMemory) {
		t.Errorf("the page beyond: %v", err)
	}
	if err := m.set(address{base.seg, 0}, uintValue(1)); !errors.Is(err, ErrMemory) {
		t.Errorf("the first cells beyond: %v", err)
	}
}

// TestRelocationRules chains temporary segments, in any order, and refuses cycles.
func TestRelocationRules(t *testing.T) {
	var m memory
	real, err := m.addSegment()
	if err != nil {
		t.Fatal(err)
	}
	const n = 1000
	var temporary []address
	for range n {
		p, err := m.addTemporary()
		if err != nil {
			t.Fatal(err)
		}
		if err := m.set(p, uintValue(uint64(len(temporary)))); err != nil {
			t.Fatal(err)
		}
		temporary = append(temporary, p)
	}
	for i := n - 1; i > 0; i-- { // each behind the one before, the last rule first
		if err := m.addRule(temporary[i], address{temporary[i-1].seg, 1}); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.addRule(temporary[0], address{temporary[n-1].seg, 0}); err == nil {
		t.Error("a cycle of rules was accepted")
	}
	if err := m.addRule(temporary[0], address{temporary[0].seg, 4}); err == nil {
		t.Error("a segment was put into itself")
	}
	if err := m.addRule(temporary[0], real); err != nil {
		t.Fatal(err)
	}
	if err := m.addRule(temporary[0], real); err == nil {
		t.Error("a second rule was accepted")
	}
	if err := m.addRule(address{temporary[1].seg, 1}, real); err == nil {
		t.Error("a rule for the middle of a segment was accepted")
	}
	if err := m.placeTemporary(); err != nil {
		t.Fatal(err)
	}
	for i := range int64(n) {
		if v := m.peek(address{real.seg, i}); v != uintValue(uint64(i)) {
			t.Fatalf("cell %d holds %v", i, v)
		}
	}
}

// TestConfig is what Run refuses before it starts.
func TestConfig(t *testing.T) {
	p := loadFixture(t, "pedersen_chain")
	for name, c := range map[string]struct {
		p     *Program
		input []Felt
		cfg   Config
	}{
		"unknown layout":                {p, nil, Config{Layout: "large"}},
		"a builtin the layout lacks":    {p, felts(t, []string{"0", "0", "1", "1", "5"}), Config{Layout: "plain", ProofMode: true}},
		"an input beyond the bound":     {p, make([]Felt, MaxInput+1), StwoConfig(0)},
		"a step bound below the length": {p, felts(t, []string{"0", "0", "1", "1", "5"}), StwoConfig(10)},
	} {
		if _, err := Run(t.Context(), c.p, c.input, c.cfg); err == nil {
			t.Errorf("%s: it ran", name)
		}
	}
}

// FuzzLoad feeds files to the loader; whatever loads is run for a few steps.
func FuzzLoad(f *testing.F) {
	f.Add(readGzip(f, "testdata/programs0/fibonacci.json.gz"))
	f.Add(readGzip(f, "testdata/programs0/lcg.json.gz"))
	f.Add(dictProgram().file())
	f.Add(numberProgram(numberHints2[0]).file())
	f.Add([]byte(`{"data":["0x1"],"prime":"0x800000000000011000000000000000000000000000000000000000000000001"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := Load(data)
		if err != nil {
			if !errors.Is(err, ErrProgram) {
				t.Fatalf("%v does not wrap ErrProgram", err)
			}
			return
		}
		_, _ = Run(t.Context(), p, []Felt{{}, {}, {}, {}}, StwoConfig(1000))
		_, _ = Run(t.Context(), p, nil, Config{MaxSteps: 1000})
	})
}

// FuzzRun runs arbitrary bytecode, with a hint of each kind before some instruction.
func FuzzRun(f *testing.F) {
	for i := range 8 {
		f.Add([]byte(strings.Repeat(fmt.Sprintf("%c\x80\xff\x7f\xfe\x7f\x48\x20", i), 12)), uint8(i), uint8(6))
	}
	names := make([]string, 0, len(coreHints))
	for _, h := range numberHints2 {
		names = append(names, h.name)
	}
	f.Fuzz(func(t *testing.T, code []byte, which, where uint8) {
		a := newAssembler2("output", "range_check", "bitwise", "ec_op", "poseidon", "add_mod", "mul_mod")
		start := len(a.code)
		for len(code) >= 8 && len(a.code) < 200 {
			a.words(fmt.Sprintf("0x%x", code[:8]))
			code = code[8:]
		}
		a.words("0x208b7fff7fff7ffe")
		known := coreHints[names[int(which)%len(names)]]
		var pairs []string
		for i, field := range known.operands {
			pairs = append(pairs, field, derefJSON(fmt.Sprintf("fp-%d", 3+i)))
		}
		for i, field := range known.cells {
			pairs = append(pairs, field, cellJSON(fmt.Sprintf("ap+%d", i)))
		}
		at := start + int(where)%(len(a.code)-start)
		a.hints[at] = []string{hintJSON(known.name, pairs...)}
		p, err := Load(a.file())
		if err != nil {
			t.Fatal(err) // eight bytes are always a felt
		}
		r, err := Run(t.Context(), p, []Felt{{}, {}}, StwoConfig(2000))
		if err == nil && uint64(len(r.Trace)) != r.Steps {
			t.Fatalf("%d rows for %d steps", len(r.Trace), r.Steps)
		}
	})
}
