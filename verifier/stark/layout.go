package stark

import (
	"fmt"
	"slices"

	"github.com/seed06907907/fatty/verifier/air"
	"github.com/seed06907907/fatty/verifier/field"
)

// The trees of a proof, in the order in which the transcript learns their roots.
const (
	TreePreprocessed = iota
	TreeProgram
	TreeMain
	TreeInteraction
	TreeComposition
	Trees
)

// CompositionColumns is the number of base field columns of the composition tree: two halves over the extension.
const CompositionColumns = 2 * field.Degree

// FixedRef says where a component's preprocessed column lies.
type FixedRef struct{ Tree, Column int }

// Layout says which column lies where. It follows from set, parameters and heights alone.
type Layout struct {
	Params  Params
	Columns [Trees][]int // log2 of the rows of each base field column, in the order in which leaves absorb them
	Top     [Trees]int   // log2 of the rows of the tree's tallest column

	// Preprocessed names the columns of the preprocessed tree: fixed tables as components read them, then seq_4 .. seq_n.
	// Program names those of the program tree.
	Preprocessed, Program []string

	Main        []int        // first main column of each component
	Interaction []int        // first interaction column (of the extension) of each component
	Batches     int          // number of interaction columns (of the extension)
	Constraint  []int        // number of constraints before each component's
	Constraints int          // number of all constraints
	Fixed       [][]FixedRef // of each component, as its Component.Fixed
}

// NewLayout checks that an instance has the shape of its set and lays out its columns.
func NewLayout(inst *Instance) (*Layout, error) {
	if err := inst.Params.Validate(); err != nil {
		return nil, err
	}
	set, n := inst.Set, inst.Params.LogN
	if set == nil || len(set.Components) == 0 {
		return nil, fmt.Errorf("no component: %w", ErrInstance)
	}
	if len(inst.LogHeights) != len(set.Components) || len(inst.Scalars) != len(set.Components) ||
		inst.Ext != nil && len(inst.Ext) != len(set.Components) {
		return nil, fmt.Errorf("set %s has %d components, got %d heights and %d scalar lists: %w", set.Name,
			len(set.Components), len(inst.LogHeights), len(inst.Scalars), ErrInstance)
	}
	if len(inst.Public) > MaxPublicWords {
		return nil, fmt.Errorf("%d public words, at most %d: %w", len(inst.Public), MaxPublicWords, ErrInstance)
	}
	l := &Layout{Params: inst.Params}
	if err := l.names(inst); err != nil {
		return nil, err
	}
	for i, c := range set.Components {
		if err := l.component(inst, i, c); err != nil {
			return nil, err
		}
	}
	if len(l.Program) == 0 && (inst.ProgramLogHeight != 0 || inst.Program != [8]field.Element{}) {
		return nil, fmt.Errorf("set %s reads no program, got one of 2^%d rows: %w", set.Name, inst.ProgramLogHeight, ErrInstance)
	}
	if len(l.Preprocessed) == 0 && inst.Preprocessed != [8]field.Element{} {
		return nil, fmt.Errorf("set %s reads no preprocessed column, got a root: %w", set.Name, ErrInstance)
	}
	for range l.Program {
		l.Columns[TreeProgram] = append(l.Columns[TreeProgram], inst.ProgramLogHeight)
	}
	for range CompositionColumns {
		l.Columns[TreeComposition] = append(l.Columns[TreeComposition], n)
	}
	if len(l.Columns[TreeMain]) == 0 {
		return nil, fmt.Errorf("set %s has no main column: %w", set.Name, ErrInstance)
	}
	for t, cols := range l.Columns {
		for _, k := range cols {
			l.Top[t] = max(l.Top[t], k)
		}
	}
	return l, boundUses(inst)
}

// names lists the preprocessed columns. Row counters are there for every height, whatever heights the components have.
func (l *Layout) names(inst *Instance) error {
	height := map[string]int{}
	l.Program = inst.Set.FixedNames(air.FixedProgram)
	counters := false
	for i, c := range inst.Set.Components {
		k := inst.LogHeights[i]
		for _, f := range c.Fixed {
			switch f.Kind {
			case air.FixedSeq:
				counters = true
			case air.FixedTable:
				if have, ok := height[f.Name]; ok && have != k {
					return fmt.Errorf("table column %s is read at 2^%d and 2^%d rows: %w", f.Name, have, k, ErrInstance)
				} else if !ok {
					height[f.Name] = k
					l.Preprocessed = append(l.Preprocessed, f.Name)
					l.Columns[TreePreprocessed] = append(l.Columns[TreePreprocessed], k)
				}
			case air.FixedProgram:
			default:
				return fmt.Errorf("component %s has a preprocessed column of unknown kind %d: %w", c.Name, f.Kind, ErrInstance)
			}
		}
	}
	for k := air.MinLogHeight; counters && k <= inst.Params.LogN; k++ {
		l.Preprocessed = append(l.Preprocessed, SeqName(k))
		l.Columns[TreePreprocessed] = append(l.Columns[TreePreprocessed], k)
	}
	return nil
}

// SeqName is the name of the preprocessed column that counts 2^k rows.
func SeqName(k int) string { return fmt.Sprintf("seq_%d", k) }

func (l *Layout) component(inst *Instance, i int, c *air.Component) error {
	k, n := inst.LogHeights[i], inst.Params.LogN
	if k < air.MinLogHeight || k > n {
		return fmt.Errorf("component %s has 2^%d rows, must be 2^%d to 2^%d: %w", c.Name, k, air.MinLogHeight, n, ErrInstance)
	}
	if c.LogHeight != air.AnyHeight && c.LogHeight != k {
		return fmt.Errorf("component %s has 2^%d rows, must be 2^%d: %w", c.Name, k, c.LogHeight, ErrInstance)
	}
	if len(inst.Scalars[i]) != len(c.Params) {
		return fmt.Errorf("component %s has %d scalars, must be %d: %w", c.Name, len(inst.Scalars[i]), len(c.Params), ErrInstance)
	}
	if got := len(inst.ExtScalars(i)); got != len(c.ExtParams) {
		return fmt.Errorf("component %s has %d extension scalars, must be %d: %w", c.Name, got, len(c.ExtParams), ErrInstance)
	}
	if len(c.Batches) == 0 {
		return fmt.Errorf("component %s has no lookup: %w", c.Name, ErrInstance)
	}
	refs := make([]FixedRef, len(c.Fixed))
	for j, f := range c.Fixed {
		switch f.Kind {
		case air.FixedSeq:
			// The last n-3 columns count rows; a table of the same name is another column.
			refs[j] = FixedRef{TreePreprocessed, len(l.Preprocessed) - 1 - (n - k)}
		case air.FixedTable:
			refs[j] = FixedRef{TreePreprocessed, slices.Index(l.Preprocessed, f.Name)}
		case air.FixedProgram:
			refs[j] = FixedRef{TreeProgram, slices.Index(l.Program, f.Name)}
			if k != inst.ProgramLogHeight {
				return fmt.Errorf("component %s has 2^%d rows, the program table 2^%d: %w", c.Name, k, inst.ProgramLogHeight, ErrInstance)
			}
		}
	}
	l.Fixed = append(l.Fixed, refs)
	l.Main = append(l.Main, len(l.Columns[TreeMain]))
	for range c.Main {
		l.Columns[TreeMain] = append(l.Columns[TreeMain], k)
	}
	l.Interaction = append(l.Interaction, l.Batches)
	l.Batches += len(c.Batches)
	for range field.Degree * len(c.Batches) {
		l.Columns[TreeInteraction] = append(l.Columns[TreeInteraction], k)
	}
	l.Constraint = append(l.Constraint, l.Constraints)
	l.Constraints += Count(c)
	return nil
}

// Depth is the depth of all five trees.
func (l *Layout) Depth() int { return l.Params.LogN + l.Params.LogBlowup }

// Twins is the number of lowest levels of a tree where both children of a node are equal.
func (l *Layout) Twins(tree int) int { return l.Params.LogN - l.Top[tree] }

// boundUses checks that no relation can be used p times or more: then a sum of fractions with numerators 0 or 1 vanishes
// only if every used tuple is yielded (Haboeck, ePrint 2022/1530, needs multiplicities below the characteristic).
func boundUses(inst *Instance) error {
	uses := map[uint32]uint64{}
	for i, c := range inst.Set.Components {
		for _, l := range c.Lookups {
			if l.Relation.ID == 0 || len(l.Tuple) != l.Relation.Width {
				return fmt.Errorf("component %s: relation %s has id 0 or a tuple of another width: %w", c.Name, l.Relation.Name, ErrInstance)
			}
			if l.Unit {
				uses[l.Relation.ID] += 1 << inst.LogHeights[i]
			} else if !l.Yield {
				return fmt.Errorf("component %s uses relation %s with a free multiplicity: %w", c.Name, l.Relation.Name, ErrInstance)
			}
			if uses[l.Relation.ID] >= field.Modulus-PublicLookups {
				return fmt.Errorf("relation %s can be used %d times, must be below %d: %w", l.Relation.Name,
					uses[l.Relation.ID], field.Modulus-PublicLookups, ErrInstance)
			}
		}
	}
	return nil
}
