package vm

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strings"
)

// Load reads a compiled program: a Cairo 0 program built for proof mode, or a Cairo 2 executable; the content decides.
// Every error wraps ErrProgram.
func Load(data []byte) (*Program, error) {
	if len(data) > MaxProgramBytes {
		return nil, programErrorf("%d bytes; at most %d can be", len(data), MaxProgramBytes)
	}
	if err := checkJSONDepth(data); err != nil {
		return nil, programErrorf("%w", err)
	}
	var shape struct {
		Data    json.RawMessage `json:"data"`
		Prime   json.RawMessage `json:"prime"`
		Program json.RawMessage `json:"program"`
		Entries json.RawMessage `json:"entrypoints"`
	}
	if err := json.Unmarshal(data, &shape); err != nil {
		var t *json.UnmarshalTypeError
		if errors.As(err, &t) {
			return nil, programErrorf("it is a JSON %s, not an object", t.Value)
		}
		return nil, programErrorf("%w", wrongJSON(err))
	}
	var p *Program
	var err error
	switch {
	case shape.Data != nil && shape.Program == nil:
		p, err = loadCairo0(data)
	case shape.Program != nil && shape.Data == nil:
		p, err = loadCairo2(data)
	default:
		return nil, programErrorf("it has neither the keys of a Cairo 0 program (data, prime) nor those of a Cairo 2 " +
			"executable (program, entrypoints)")
	}
	if err != nil {
		return nil, programErrorf("%s: %w", p.Kind, err)
	}
	return p, nil
}

// wrongJSON says in the file's words what the decoder says in Go's.
func wrongJSON(err error) error {
	var t *json.UnmarshalTypeError
	switch {
	case !errors.As(err, &t):
		return fmt.Errorf("it is no JSON: %w", err)
	case t.Field == "":
		return fmt.Errorf("it has a JSON %s where no compiler writes one", t.Value)
	}
	return fmt.Errorf("its key %s has a JSON %s, which no compiler writes there", t.Field, t.Value)
}

// checkJSONDepth refuses deep nesting before any decoder recurses into it.
func checkJSONDepth(data []byte) error {
	depth, inString := 0, false
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			if depth++; depth > MaxJSONDepth {
				return fmt.Errorf("the JSON is nested deeper than %d", MaxJSONDepth)
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return nil
}

// What the Cairo 0 compiler writes, as far as a VM needs it.
type (
	file0 struct {
		Builtins    []string                             `json:"builtins"`
		Data        []string                             `json:"data"`
		Prime       string                               `json:"prime"`
		Hints       map[string][]fileHint0               `json:"hints"`
		Identifiers map[string]fileIdentifier            `json:"identifiers"`
		MainScope   string                               `json:"main_scope"`
		References  struct{ References []fileReference } `json:"reference_manager"`
	}
	fileHint0 struct {
		Code     string   `json:"code"`
		Scopes   []string `json:"accessible_scopes"`
		Tracking struct {
			AP         fileTracking   `json:"ap_tracking"`
			References map[string]int `json:"reference_ids"`
		} `json:"flow_tracking_data"`
	}
	fileTracking struct {
		Group  int64 `json:"group"`
		Offset int64 `json:"offset"`
	}
	fileReference struct {
		Value    string       `json:"value"`
		Tracking fileTracking `json:"ap_tracking_data"`
	}
	fileIdentifier struct {
		Type        string                `json:"type"`
		Value       json.Number           `json:"value"`
		PC          *int64                `json:"pc"`
		Destination string                `json:"destination"`
		Size        int64                 `json:"size"`
		Members     map[string]fileMember `json:"members"`
	}
	fileMember struct {
		Type   string `json:"cairo_type"`
		Offset int64  `json:"offset"`
	}
)

func loadCairo0(data []byte) (*Program, error) {
	p := &Program{Kind: Cairo0}
	var f file0
	d := json.NewDecoder(bytes.NewReader(data))
	if err := d.Decode(&f); err != nil {
		return p, wrongJSON(err)
	}
	n, ok := new(big.Int), false
	if len(f.Prime) <= maxNumberText {
		n, ok = n.SetString(f.Prime, 0)
	}
	if !ok || n.Cmp(prime) != 0 {
		return p, fmt.Errorf("it is compiled for the prime %.90q, not for the Cairo field 2^251 + 17*2^192 + 1", f.Prime)
	}
	if err := p.setBytecode(f.Data); err != nil {
		return p, err
	}
	if err := p.setBuiltins(f.Builtins); err != nil {
		return p, err
	}
	if err := p.loadIdentifiers(f.Identifiers); err != nil {
		return p, err
	}
	references, err := loadReferences(f.References.References)
	if err != nil {
		return p, err
	}
	if err := p.loadHints0(f.Hints, references); err != nil {
		return p, err
	}
	return p, p.setEntry0(f.MainScope)
}

// setBytecode parses the bytecode and decodes an instruction at every offset where there is one.
func (p *Program) setBytecode(words []string) error {
	if len(words) == 0 {
		return fmt.Errorf("it has no bytecode")
	}
	if len(words) > MaxBytecode {
		return fmt.Errorf("its bytecode has %d felts; at most %d can be", len(words), MaxBytecode)
	}
	p.code = make([]value, len(words))
	p.Bytecode = make([]Felt, len(words))
	p.instructions = make([]instruction, len(words))
	for i, w := range words {
		v, err := parseFelt(w)
		if err != nil {
			return fmt.Errorf("bytecode at %d: %w", i, err)
		}
		p.code[i], p.Bytecode[i] = v, v.felt()
		// Immediates and data need not be instructions; the step that meets one as an instruction says what is wrong.
		if ins, err := decode(v); err == nil {
			p.instructions[i] = ins
		}
	}
	return nil
}

// setBuiltins parses the builtins, which have to be in canonical order, each once.
func (p *Program) setBuiltins(names []string) error {
	builtins, err := parseBuiltins(names)
	p.Builtins = builtins
	return err
}

func parseBuiltins(names []string) ([]Builtin, error) {
	var out []Builtin
	for i, name := range names {
		b, err := parseBuiltin(name)
		if err != nil {
			return nil, err
		}
		if i > 0 && b <= out[i-1] {
			return nil, fmt.Errorf("builtin %s is out of order or named twice", name)
		}
		out = append(out, b)
	}
	return out, nil
}

func (p *Program) loadIdentifiers(in map[string]fileIdentifier) error {
	if len(in) > MaxIdentifiers {
		return fmt.Errorf("it has %d identifiers; at most %d can be", len(in), MaxIdentifiers)
	}
	p.identifiers = make(map[string]*identifier, len(in))
	for name, f := range in {
		id := &identifier{}
		switch f.Type {
		case "const":
			n, ok := new(big.Int), false
			if len(f.Value) <= maxNumberText {
				n, ok = n.SetString(string(f.Value), 10)
			}
			if !ok {
				return fmt.Errorf("the constant %.200q has no integer value", name)
			}
			id.kind, id.value = identifierConst, n
		case "struct":
			if f.Size < 0 || f.Size > MaxMemoryCells || len(f.Members) > maxStructMembers {
				return fmt.Errorf("the struct %.200q has size %d and %d members, which is beyond all bounds", name, f.Size,
					len(f.Members))
			}
			id.kind, id.size = identifierStruct, f.Size
			id.members = make(map[string]structMember, len(f.Members))
			for member, m := range f.Members {
				if m.Offset < 0 || m.Offset > f.Size {
					return fmt.Errorf("member %.200q of struct %.200q lies outside of it", member, name)
				}
				id.members[member] = structMember{offset: m.Offset, typ: m.Type}
			}
		case "label", "function":
			if f.PC == nil || *f.PC < 0 || *f.PC > int64(len(p.code)) {
				return fmt.Errorf("the %s %.200q has no place in the bytecode", f.Type, name)
			}
			id.kind, id.pc = identifierLabel, *f.PC
			if f.Type == "function" {
				id.kind = identifierFunction
			}
		case "alias":
			id.kind, id.destination = identifierAlias, f.Destination
		default: // references, type definitions, namespaces: no hint asks for them
			continue
		}
		p.identifiers[name] = id
	}
	return nil
}

func loadReferences(in []fileReference) ([]*reference, error) {
	if len(in) > MaxReferences {
		return nil, fmt.Errorf("it has %d references; at most %d can be", len(in), MaxReferences)
	}
	out := make([]*reference, len(in))
	for i, f := range in {
		r, err := parseReference(f.Value)
		if err != nil {
			return nil, err
		}
		if !f.Tracking.valid() {
			return nil, fmt.Errorf("reference %d has ap tracking beyond all bounds", i)
		}
		r.tracking = apTracking{f.Tracking.Group, f.Tracking.Offset}
		out[i] = r
	}
	return out, nil
}

func (t fileTracking) valid() bool { return t.Offset >= -MaxMemoryCells && t.Offset <= MaxMemoryCells }

func (p *Program) loadHints0(in map[string][]fileHint0, references []*reference) error {
	lists, err := sortHints(in, len(p.code))
	if err != nil {
		return err
	}
	for _, list := range lists {
		var out []compiledHint0
		for _, f := range list.hints {
			h := compiledHint0{
				text:       f.Code,
				known:      findHint0(f.Code),
				scopes:     f.Scopes,
				tracking:   apTracking{f.Tracking.AP.Group, f.Tracking.AP.Offset},
				references: make(map[string]*reference, len(f.Tracking.References)),
			}
			if !f.Tracking.AP.valid() {
				return fmt.Errorf("the hint at %d has ap tracking beyond all bounds", list.pc)
			}
			// Inner scopes hide outer ones, so go from the outermost in.
			for _, scope := range f.Scopes {
				for name, i := range f.Tracking.References {
					short, ok := strings.CutPrefix(name, scope+".")
					if !ok || strings.Contains(short, ".") {
						continue
					}
					if i < 0 || i >= len(references) {
						return fmt.Errorf("the hint at %d has the reference %d, which does not exist", list.pc, i)
					}
					h.references[short] = references[i]
				}
			}
			out = append(out, h)
		}
		p.hints0 = append(p.hints0, out)
		p.instructions[list.pc].hints = int32(len(p.hints0))
	}
	return nil
}

// setEntry0 finds the labels of proof mode and main.
func (p *Program) setEntry0(scope string) error {
	if main := p.resolveIdentifier(scope + ".main"); main != nil && main.kind == identifierFunction {
		p.main, p.hasMain = uint64(main.pc), true
	}
	start, end := p.resolveIdentifier(scope+".__start__"), p.resolveIdentifier(scope+".__end__")
	if start != nil && end != nil && start.kind == identifierLabel && end.kind == identifierLabel {
		if end.pc != start.pc+startLength {
			return fmt.Errorf("its labels __start__ and __end__ are %d apart, not %d", end.pc-start.pc, startLength)
		}
		p.Entry, p.hasStart = uint64(start.pc), true
	}
	if !p.hasMain && !p.hasStart {
		return fmt.Errorf("it has no main function and is not built for proof mode")
	}
	return nil
}

// startLength is the distance from a proof-mode entry to its last instruction: ap += n; call rel; then jmp rel 0.
const startLength = 4
