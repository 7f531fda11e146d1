package stark

import (
	"context"
	"fmt"

	"github.com/consensys/gnark-crypto/field/koalabear"

	"github.com/seed06907907/fatty/verifier/field"
	vstark "github.com/seed06907907/fatty/verifier/stark"
)

// Trace is the main columns of every component of a set, in natural row order: Main[component][column] has as many rows
// as the instance says. Prove does not change it.
type Trace struct {
	Main [][]koalabear.Vector
}

// Options of Prove.
type Options struct {
	// Progress, if set, is told the stage that begins, and how many of how many stages are done.
	Progress func(stage string, done, total int)
}

// stages of a proof, as Progress names them.
var stages = []string{"main columns", "lookups", "constraints", "openings", "folding", "queries"}

// Prove makes a proof about an instance. pre is the preprocessed tree, program the program tree or nil for a set that reads
// none. A trace that does not satisfy its set gives a proof that Verify refuses: package air's oracle says where.
//
// The same input gives the same bytes: nothing is drawn at random. Proofs are not zero-knowledge.
func Prove(ctx context.Context, inst *vstark.Instance, pre, program *Fixed, trace *Trace, opt Options) (*vstark.Proof, error) {
	l, err := vstark.NewLayout(inst)
	if err != nil {
		return nil, err
	}
	if err := pre.matches("preprocessed", inst.Preprocessed, l.Columns[vstark.TreePreprocessed], inst.Params); err != nil {
		return nil, err
	}
	if err := program.matches("program", inst.Program, l.Columns[vstark.TreeProgram], inst.Params); err != nil {
		return nil, err
	}
	if err := trace.check(inst); err != nil {
		return nil, err
	}
	r := &run{ctx: ctx, inst: inst, l: l, trace: trace, opt: opt, ch: vstark.NewProverChallenges(inst)}
	r.fixed[vstark.TreePreprocessed], r.fixed[vstark.TreeProgram] = pre, program
	for t, f := range r.fixed {
		if f != nil {
			r.trees[t] = f.tree
		}
	}
	for i, step := range []func() error{r.main, r.lookups, r.constraints, r.openings, r.folding, r.queries} {
		if opt.Progress != nil {
			opt.Progress(stages[i], i, len(stages))
		}
		if err := step(); err != nil {
			return nil, fmt.Errorf("%s: %w", stages[i], err)
		}
	}
	if opt.Progress != nil {
		opt.Progress("done", len(stages), len(stages))
	}
	return &r.proof, nil
}

func (t *Trace) check(inst *vstark.Instance) error {
	if len(t.Main) != len(inst.Set.Components) {
		return fmt.Errorf("the trace has %d components, the set %d", len(t.Main), len(inst.Set.Components))
	}
	for i, c := range inst.Set.Components {
		if len(t.Main[i]) != len(c.Main) {
			return fmt.Errorf("component %s: %d main columns, must be %d", c.Name, len(t.Main[i]), len(c.Main))
		}
		for j, v := range t.Main[i] {
			if len(v) != 1<<inst.LogHeights[i] {
				return fmt.Errorf("component %s: column %s has %d rows, must be 2^%d", c.Name, c.Main[j], len(v), inst.LogHeights[i])
			}
		}
	}
	return nil
}

// run is one proof in the making.
type run struct {
	ctx   context.Context
	inst  *vstark.Instance
	l     *vstark.Layout
	trace *Trace
	opt   Options
	ch    *vstark.NativeChallenges
	proof vstark.Proof

	fixed  [vstark.Trees]*Fixed
	trees  [vstark.Trees]*tree
	lookup vstark.Lookup[field.Ext]
	sums   [][]extVec // extended interaction columns of each component
	zeta   field.Ext
	points map[int]*lagrange // by height
	layers []friLayer
	weight field.Ext
}

func (r *run) commit(t int, columns []koalabear.Vector) error {
	var err error
	r.trees[t], err = commit(r.ctx, r.inst.Params.LogN, r.inst.Params.LogBlowup, r.l.Columns[t], columns)
	return err
}

func (r *run) main() error {
	var columns []koalabear.Vector
	for i, c := range r.trace.Main {
		extended, err := extendAll(r.ctx, c, r.inst.LogHeights[i], r.inst.Params.LogBlowup)
		if err != nil {
			return err
		}
		columns = append(columns, extended...)
	}
	if err := r.commit(vstark.TreeMain, columns); err != nil {
		return err
	}
	r.proof.MainRoot = r.trees[vstark.TreeMain].root()
	z, alpha := r.ch.Lookup(r.proof.MainRoot)
	r.lookup = vstark.NewLookup[field.Ext](field.Arithmetic{}, r.inst.Set, z, alpha)
	return nil
}

func (r *run) lookups() error {
	b := r.inst.Params.LogBlowup
	var columns []koalabear.Vector
	for i, c := range r.inst.Set.Components {
		k := r.inst.LogHeights[i]
		p := compile(c, r.inst.Scalars[i], false)
		rows := append(append([]koalabear.Vector(nil), r.trace.Main[i]...), fixedColumns(r.l.Fixed[i], r.fixed, false)...)
		sums, claim, err := interaction(r.ctx, p, newDenominators(p, r.lookup), rows, k, b)
		if err != nil {
			return fmt.Errorf("component %s: %w", c.Name, err)
		}
		r.proof.Claims = append(r.proof.Claims, claim)
		err = each(r.ctx, len(sums), func(_, j int) error {
			domainOf(k).extend(sums[j], b)
			return nil
		})
		if err != nil {
			return err
		}
		columns = append(columns, sums...)
		r.sums = append(r.sums, extVecs(sums))
	}
	if err := r.commit(vstark.TreeInteraction, columns); err != nil {
		return err
	}
	r.proof.InteractionRoot = r.trees[vstark.TreeInteraction].root()
	r.weight = r.ch.Weight(r.proof.Claims, r.proof.InteractionRoot)
	return nil
}

func (r *run) constraints() error {
	b := r.inst.Params.LogBlowup
	powers := field.Powers(r.weight, r.l.Constraints)
	q := &quotients{b: b, of: map[int]*extVec{}}
	for i, c := range r.inst.Set.Components {
		p := compile(c, r.inst.Scalars[i], true)
		main := r.trees[vstark.TreeMain].columns[r.l.Main[i] : r.l.Main[i]+len(c.Main)]
		columns := append(append([]koalabear.Vector(nil), main...), fixedColumns(r.l.Fixed[i], r.fixed, true)...)
		err := q.add(r.ctx, p, newDenominators(p, r.lookup), columns, r.sums[i], r.proof.Claims[i], r.inst.LogHeights[i],
			r.inst.ExtScalars(i), powers[r.l.Constraint[i]:r.l.Constraint[i]+vstark.Count(c)])
		if err != nil {
			return fmt.Errorf("component %s: %w", c.Name, err)
		}
	}
	columns, err := q.composition(r.ctx, r.inst.Params.LogN)
	if err != nil {
		return err
	}
	if err := r.commit(vstark.TreeComposition, columns); err != nil {
		return err
	}
	r.proof.CompositionRoot = r.trees[vstark.TreeComposition].root()
	r.zeta = r.ch.Zeta(r.proof.CompositionRoot)
	return nil
}

func (r *run) openings() error {
	n := r.inst.Params.LogN
	r.points = map[int]*lagrange{}
	for _, cols := range r.l.Columns {
		for _, k := range cols {
			if r.points[k] == nil {
				l, err := newLagrange(r.ctx, k, field.Square2(r.zeta, n-k))
				if err != nil {
					return err
				}
				r.points[k] = l
			}
		}
	}
	values := &r.proof.Open.Columns
	for t, tr := range r.trees {
		if tr == nil {
			continue
		}
		values[t] = make([]field.Ext, len(tr.columns))
		err := each(r.ctx, len(tr.columns), func(_, c int) error {
			values[t][c] = r.points[tr.heights[c]].at(tr.columns[c])
			return nil
		})
		if err != nil {
			return err
		}
	}
	for i, k := range r.inst.LogHeights {
		last := r.sums[i][len(r.sums[i])-1]
		before := make([]field.Ext, field.Degree)
		for d := range before {
			before[d] = r.points[k].before(last[d])
		}
		r.proof.Open.Previous = append(r.proof.Open.Previous, combine(before))
	}
	return nil
}

func (r *run) folding() error {
	p := r.inst.Params
	deep := vstark.NewDeep(r.inst, r.ch.Deep(&r.proof.Open))
	codeword, err := deepCodeword(r.ctx, p.LogN, p.LogBlowup, r.trees, r.inst.LogHeights, deep, &r.proof.Open, &r.points[p.LogN].inverse)
	if err != nil {
		return err
	}
	r.layers, r.proof.Final, err = layers(r.ctx, p, codeword, r.ch)
	if err != nil {
		return err
	}
	for i := range r.layers {
		r.proof.LayerRoots = append(r.proof.LayerRoots, r.layers[i].root())
	}
	r.proof.Nonce, err = grind(r.ctx, r.ch.Seed(r.proof.Final), p.QueryGrind)
	return err
}

func (r *run) queries() error {
	places := vstark.Queries(r.ch, r.proof.Nonce, r.inst.Params)
	for t, tr := range r.trees {
		if tr != nil {
			r.proof.Rows[t], r.proof.Paths[t] = tr.rows(places), tr.path(places)
		}
	}
	for i := range r.layers {
		var layer vstark.Layer
		layer, places = r.layers[i].open(places)
		r.proof.Layers = append(r.proof.Layers, layer)
	}
	return nil
}
