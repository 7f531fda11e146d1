package cairo

import (
	"fmt"
	"math/bits"
	"runtime"
	"sync"

	"github.com/consensys/gnark-crypto/field/koalabear"

	"github.com/seed06907907/fatty/verifier/air"
	"github.com/seed06907907/fatty/verifier/cairo"
)

// Element is the base field.
type Element = koalabear.Element

// elements holds 0 .. 2^16-1 in the field's inner form: most cells of a trace are bytes or words.
var elements = func() (out [1 << 16]Element) {
	for i := range out {
		out[i].SetUint64(uint64(i))
	}
	return out
}()

// element is v in the field; v is below p.
func element(v uint32) (e Element) {
	if v < uint32(len(elements)) {
		return elements[v]
	}
	e.SetUint64(uint64(v))
	return e
}

// signed is v in the field.
func signed(v int64) (e Element) {
	e.SetInt64(v)
	return e
}

// table is a component's main columns under construction.
type table struct {
	c    *air.Component
	log  int
	main []koalabear.Vector
}

// newTable makes all-zero columns of 2^log rows.
func newTable(name string, log int) *table {
	c, _ := cairo.Core().Component(name)
	t := &table{c: c, log: log, main: make([]koalabear.Vector, len(c.Main))}
	all := make(koalabear.Vector, len(c.Main)<<log)
	for i := range t.main {
		t.main[i] = all[i<<log : (i+1)<<log : (i+1)<<log]
	}
	return t
}

func (t *table) rows() int { return 1 << t.log }

// column finds a column's place by its name. The names are those of this module's own descriptions, so a missing one is a
// mistake that the first test finds.
func (t *table) column(name string) int {
	for i, n := range t.c.Main {
		if n == name {
			return i
		}
	}
	panic(fmt.Sprintf("component %s has no column %s", t.c.Name, name))
}

// group finds the place of name_0; name_1 and so on follow it.
func (t *table) group(name string) int { return t.column(name + "_0") }

const (
	blockLog  = 5
	blockRows = 1 << blockLog
)

// block gathers some rows of a table before they go to its columns. Columns are a power of two apart, so writing them
// row by row would put every cell of a row into the same few lines of the cache.
type block struct {
	t     *table
	cells []Element // by column, blockRows each
	first int       // row of the table
	row   int       // row of the block
}

func newBlock(t *table, first int) *block {
	return &block{t: t, cells: make([]Element, len(t.main)*blockRows), first: first}
}

// set writes a cell of the current row; cells that are not set are 0.
func (b *block) set(column int, v Element) { b.cells[column<<blockLog|b.row] = v }

// next goes on to the next row.
func (b *block) next() {
	if b.row++; b.row == blockRows {
		b.flush()
	}
}

// flush writes the rows so far to the table.
func (b *block) flush() {
	for i, col := range b.t.main {
		copy(col[b.first:], b.cells[i<<blockLog:i<<blockLog+b.row])
	}
	clear(b.cells)
	b.first, b.row = b.first+b.row, 0
}

// logHeight is the log2 of the rows of a table that has to hold n.
func logHeight(n int) int { return max(air.MinLogHeight, bits.Len(uint(max(n, 1)-1))) }

// chunk is a range of rows that one worker fills.
type chunk struct{ from, to int }

// minChunk keeps workers from being started for less work than starting them costs.
const minChunk = 1 << 9

// chunks splits n rows for all cores.
func chunks(n int) []chunk {
	workers := max(1, min(runtime.GOMAXPROCS(0), n/minChunk))
	out := make([]chunk, 0, workers)
	for w := range workers {
		out = append(out, chunk{n * w / workers, n * (w + 1) / workers})
	}
	return out
}

// parallel runs f for every chunk and returns the error of the first chunk that has one.
func parallel(cs []chunk, f func(worker int, c chunk) error) error {
	errs := make([]error, len(cs))
	var wg sync.WaitGroup
	for w, c := range cs {
		wg.Go(func() { errs[w] = f(w, c) })
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// ranges counts the uses of the byte table.
type ranges struct{ pairs, words, xors []uint32 }

func newRanges() *ranges {
	n := 3 << cairo.ByteLogHeight
	all := make([]uint32, n)
	return &ranges{all[:n/3], all[n/3 : 2*n/3], all[2*n/3:]}
}

func (r *ranges) pair(hi, lo uint8) { r.pairs[int(hi)<<8|int(lo)]++ }
func (r *ranges) xor(hi, lo uint8)  { r.xors[int(hi)<<8|int(lo)]++ }

func (r *ranges) add(s *ranges) {
	for i := range r.pairs {
		r.pairs[i] += s.pairs[i]
		r.words[i] += s.words[i]
		r.xors[i] += s.xors[i]
	}
}
