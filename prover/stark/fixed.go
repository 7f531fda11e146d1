package stark

import (
	"context"
	"fmt"

	"github.com/consensys/gnark-crypto/field/koalabear"

	"github.com/seed06907907/fatty/verifier/air"
	"github.com/seed06907907/fatty/verifier/hash"
	vstark "github.com/seed06907907/fatty/verifier/stark"
)

// Fixed is a committed tree that does not depend on a run: the preprocessed columns of a set, or a program's table. It is
// immutable, so any number of proofs may use it at the same time.
type Fixed struct {
	tree  *tree
	rows  []koalabear.Vector // the columns on their rows
	names []string
}

// Root is what a verifier must know: Instance.Preprocessed or Instance.Program.
func (f *Fixed) Root() hash.Digest { return f.tree.root() }

// CommitPreprocessed commits the preprocessed columns of a set: its fixed tables, by column name, each of as many rows as
// the component that reads it, and, if a component reads one, the row counters.
func CommitPreprocessed(ctx context.Context, set *air.Set, p vstark.Params, tables map[string]koalabear.Vector) (*Fixed, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	var names []string
	var columns []koalabear.Vector
	seen, counters := map[string]bool{}, false
	for _, c := range set.Components {
		for _, f := range c.Fixed {
			counters = counters || f.Kind == air.FixedSeq
			if f.Kind != air.FixedTable || seen[f.Name] {
				continue
			}
			seen[f.Name] = true
			v := tables[f.Name]
			if len(v) < 1<<air.MinLogHeight || len(v) > 1<<p.LogN || len(v)&(len(v)-1) != 0 {
				return nil, fmt.Errorf("table column %s has %d rows, must be a power of two, 2^%d to 2^%d", f.Name, len(v), air.MinLogHeight, p.LogN)
			}
			if c.LogHeight != air.AnyHeight && len(v) != 1<<c.LogHeight {
				return nil, fmt.Errorf("table column %s has %d rows, must be 2^%d", f.Name, len(v), c.LogHeight)
			}
			names = append(names, f.Name)
			columns = append(columns, v)
		}
	}
	for k := air.MinLogHeight; counters && k <= p.LogN; k++ {
		v := make(koalabear.Vector, 1<<k)
		for i := range v {
			v[i].SetUint64(uint64(i))
		}
		names = append(names, vstark.SeqName(k))
		columns = append(columns, v)
	}
	if len(columns) == 0 {
		return nil, fmt.Errorf("set %s reads no preprocessed column: Prove takes nil", set.Name)
	}
	return commitFixed(ctx, p, names, columns)
}

// CommitProgram commits the program table of a set: its columns by name, all of one power of two of rows.
func CommitProgram(ctx context.Context, set *air.Set, p vstark.Params, table map[string]koalabear.Vector) (*Fixed, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	names := set.FixedNames(air.FixedProgram)
	var columns []koalabear.Vector
	for _, name := range names {
		v := table[name]
		if len(v) < 1<<air.MinLogHeight || len(v) > 1<<p.LogN || len(v)&(len(v)-1) != 0 || len(columns) > 0 && len(v) != len(columns[0]) {
			return nil, fmt.Errorf("program column %s has %d rows, must be a power of two, the same for all, 2^%d to 2^%d",
				name, len(v), air.MinLogHeight, p.LogN)
		}
		columns = append(columns, v)
	}
	if len(columns) == 0 {
		return nil, fmt.Errorf("set %s reads no program table", set.Name)
	}
	return commitFixed(ctx, p, names, columns)
}

func commitFixed(ctx context.Context, p vstark.Params, names []string, columns []koalabear.Vector) (*Fixed, error) {
	heights := make([]int, len(columns))
	extended := make([]koalabear.Vector, len(columns))
	err := each(ctx, len(columns), func(_, i int) error {
		heights[i] = log2(len(columns[i]))
		extended[i] = make(koalabear.Vector, len(columns[i])<<p.LogBlowup)
		copy(extended[i], columns[i])
		domainOf(heights[i]).extend(extended[i], p.LogBlowup)
		return nil
	})
	if err != nil {
		return nil, err
	}
	t, err := commit(ctx, p.LogN, p.LogBlowup, heights, extended)
	if err != nil {
		return nil, err
	}
	return &Fixed{tree: t, rows: columns, names: names}, nil
}

// fixedColumns returns the preprocessed columns that a component reads, on its rows or extended.
func fixedColumns(refs []vstark.FixedRef, fixed [vstark.Trees]*Fixed, extended bool) []koalabear.Vector {
	out := make([]koalabear.Vector, len(refs))
	for j, ref := range refs {
		f := fixed[ref.Tree]
		if extended {
			out[j] = f.tree.columns[ref.Column]
		} else {
			out[j] = f.rows[ref.Column]
		}
	}
	return out
}

// matches checks that a committed tree is the one of an instance.
func (f *Fixed) matches(what string, root hash.Digest, heights []int, p vstark.Params) error {
	if f == nil {
		if len(heights) == 0 {
			return nil
		}
		return fmt.Errorf("the %s tree is not given", what)
	}
	if f.Root() != root {
		return fmt.Errorf("the %s tree is not the one that the instance names", what)
	}
	if len(heights) != len(f.tree.heights) || f.tree.n != p.LogN || f.tree.b != p.LogBlowup {
		return fmt.Errorf("the %s tree is of another set or size", what)
	}
	for i, k := range heights {
		if f.tree.heights[i] != k {
			return fmt.Errorf("column %s has 2^%d rows, the instance says 2^%d", f.names[i], f.tree.heights[i], k)
		}
	}
	return nil
}
