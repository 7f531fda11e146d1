package vm

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
	"slices"
)

// hints0Arrays is the hints of the modules memcpy, memset, copy_indices, find_element, set, usort and segments, and of
// poseidon_hash_many.
var hints0Arrays = []hint0{
	{
		digest: "0badce6177a373599dbcbfca365468a7c99e08bd470d7a02e12431032bcfe350",
		module: "starkware.cairo.common.memcpy", name: "leave a scope, here and in other modules", run: hintExitScope,
	},
	{
		digest: "f4c4324c6496f933fdc9aa90fd123e3e31c48b580ee4a246887be24e7eb2a0b0",
		module: "starkware.cairo.common.memcpy", name: "memcpy, copy_indices: start to count", run: hintCount("len"),
	},
	{
		digest: "54119a4d7efd2859aeffcf72472a3fd00ffbe46e247e46cf5cd5846d064c7157",
		module: "starkware.cairo.common.memcpy", name: "memcpy, copy_indices: is there more", run: hintCountDown("continue_copying"),
	},
	{
		digest: "8a17b888f3d3b250c64fbd98da9213d99ed0a08945b249a2b362490eac963446",
		module: "starkware.cairo.common.memset", name: "memset: start to count", run: hintCount("n"),
	},
	{
		digest: "528592f9712cd0dfb94ce889e31e618c2ec9c8d066ae6e937f7a42499396f969",
		module: "starkware.cairo.common.memset", name: "memset: is there more", run: hintCountDown("continue_loop"),
	},
	{
		digest: "910eef18b68b5424c77d4cb3083fbce69568a4f4f5cb8c353dc969521bd42c13",
		module: "starkware.cairo.common.find_element", name: "find_element", run: hintFindElement,
	},
	{
		digest: "0cfd0a4f0f88355a8e07c5adb328caeef259b4b97e58cafa6f1df4b29f7762e6",
		module: "starkware.cairo.common.find_element", name: "search_sorted_lower", run: hintSearchSortedLower,
	},
	{
		digest: "3c88d21985b52981bb53ab7fc34168da30ca3b66e85f502ace46acfefa2b30a5",
		module: "starkware.cairo.common.find_element", name: "search_sorted_optimistic", run: hintSearchSortedOptimistic,
	},
	{
		digest: "d9ea4ea7ba7ef4e36d6881eafd78b950346e4e55796682d85744144a67ce17eb",
		module: "starkware.cairo.common.set", name: "set_add: is it there", run: hintSetAdd,
	},
	{
		digest: "f9049c7cdfbe8d2d945ead6e482e70b6c7d44c39bf0dc86f651f337dee176606",
		module: "starkware.cairo.common.usort", name: "usort: a scope", run: hintUsortScope,
	},
	{
		digest: "85e7ca4f294b22b706d45fc481bcc51275c52533b12f7d6fdecdd28a85454dca",
		module: "starkware.cairo.common.usort", name: "usort: sort and count", run: hintUsort,
	},
	{
		digest: "13813762e65825633b5c454855ec5579065ba8036b00d8f411aed3f1cba1d0a7",
		module: "starkware.cairo.common.usort", name: "verify_usort: the positions of a value", run: hintUsortValue,
	},
	{
		digest: "2553c3026821bfeba8f4fd652a4195b82b4c03cd07cdedbc32a965e4b71ae0dc",
		module: "starkware.cairo.common.usort", name: "verify_multiplicity: the next position", run: hintUsortNext,
	},
	{
		digest: "b00be9b4594d05c5d80bc8ffef891218147b74d6a30e664ce6323d3a0b9240b6",
		module: "starkware.cairo.common.usort", name: "verify_multiplicity: no position is left", run: hintUsortEnd,
	},
	{
		digest: "9750d10dfaaa9aab83d6bfae7de0d2838279b8de72bc1614853ca8a3e32ae6ff",
		module: "starkware.cairo.common.segments", name: "relocate_segment", run: hintRelocateSegment,
	},
	{
		digest: "867134561c029b2ee7ac4f972a98ff4792d69c436d385c81d3b46e935f9b4218",
		module: "starkware.cairo.common.segments", name: "a new segment in an expression", run: hintAlloc,
	},
	{
		digest: "db2892e925d78121e1bb4f0a5f26bce1cab9827fe134b227f5beb19351d163a9",
		module: "starkware.cairo.common.segments", name: "a new temporary segment in an expression", run: hintAllocTemporary,
	},
	{
		digest: "93f5f9cfbb83d8779346a71bde250cb7f415af5c6abea81c661780e2324d81e1",
		module: "starkware.cairo.common.builtin_poseidon.poseidon", name: "poseidon_hash_many: are ten felts left",
		run: hintElementsLeft(10),
	},
	{
		digest: "2d423efe815900ba4d76e6fd8cf7df792705831fdd7a2211763a4074ecc34a5f",
		module: "starkware.cairo.common.builtin_poseidon.poseidon", name: "poseidon_hash_many: are two felts left",
		run: hintElementsLeft(2),
	},
}

func hintExitScope(c *hintContext) error { return c.exitScope() }

// countdown is a loop counter of a scope. It is shared by pointer so that counting needs no new scope value.
type countdown struct{ left uint64 }

// counter of an ids.NAME. One that is too large for a counter cannot be counted down within any run's step bound
// either, so the counter stops at the largest.
func (c *hintContext) count(name string) (uint64, error) {
	v, err := c.number(name)
	if err != nil {
		return 0, err
	}
	if n, ok := v.small(); ok {
		return n, nil
	}
	return math.MaxUint64, nil
}

// hintCount opens a scope with a counter of a loop.
func hintCount(name string) func(*hintContext) error {
	return func(c *hintContext) error {
		n, err := c.count(name)
		if err != nil {
			return err
		}
		return c.enterScope(map[string]any{"n": &countdown{n}})
	}
}

// hintCountDown counts a loop's round and says whether there is another.
func hintCountDown(answer string) func(*hintContext) error {
	return func(c *hintContext) error {
		n, err := scopeVariable[*countdown](c, "n")
		if err != nil {
			return err
		}
		if n.left > 0 {
			n.left--
		}
		return c.setBool(answer, n.left > 0)
	}
}

// array is a list of equally long elements in memory, as the search functions get it.
type array struct {
	base address
	size uint64 // felts in an element, at least 1
	n    uint64 // elements
}

// searchArray reads the arguments of a search: ids.array_ptr, ids.elm_size. The number of elements comes apart, as
// find_element does without when it is told the index.
func (c *hintContext) searchArray() (array, error) {
	base, err := c.relocatable("array_ptr")
	if err != nil {
		return array{}, err
	}
	size, err := c.count("elm_size")
	if err != nil {
		return array{}, err
	}
	if size == 0 {
		return array{}, errors.New("elements of 0 felts cannot be searched")
	}
	return array{base: base, size: size}, nil
}

// searchLength reads ids.n_elms and holds it against the bound that a host can set.
func (c *hintContext) searchLength(bound string) (uint64, error) {
	n, err := c.count("n_elms")
	if err != nil {
		return 0, err
	}
	return n, c.checkBound(bound, n)
}

// checkBound holds a number of elements against a scope variable; without it, or with nil in it, there is no bound.
func (c *hintContext) checkBound(name string, n uint64) error {
	if v, ok := c.variable(name); !ok || v == nil {
		return nil
	}
	v, err := scopeVariable[value](c, name)
	if err != nil {
		return err
	}
	if !v.isFelt() {
		return fmt.Errorf("the scope variable %s: %w", name, errNotFelt)
	}
	if bound, ok := v.small(); ok && n > bound {
		return fmt.Errorf("%d elements are more than %s = %d allows", n, name, bound)
	}
	return nil
}

// elementKey reads the first felt of element i.
func (c *hintContext) elementKey(a array, i uint64) (value, error) {
	high, distance := bits.Mul64(a.size, i)
	if high != 0 || distance > maxOffset {
		return value{}, fmt.Errorf("element %d: %w", i, errAddressRange)
	}
	p, ok := a.base.addOffset(int64(distance))
	if !ok {
		return value{}, fmt.Errorf("element %d: %w", i, errAddressRange)
	}
	return c.get(p)
}

func hintFindElement(c *hintContext) error {
	a, err := c.searchArray()
	if err != nil {
		return err
	}
	key, err := c.value("key")
	if err != nil {
		return err
	}
	if _, told := c.variable("__find_element_index"); told {
		i, err := scopeVariable[value](c, "__find_element_index")
		if err != nil {
			return err
		}
		index, ok := i.small()
		if !ok {
			return fmt.Errorf("the scope variable __find_element_index, %v, is no index", i)
		}
		found, err := c.elementKey(a, index)
		if err != nil {
			return err
		}
		if found != key {
			return fmt.Errorf("find_element: element %v has the key %v, not %v", i, found, key)
		}
		// It is for one call only.
		c.deleteVariable("__find_element_index")
		return c.setID("index", i)
	}
	if a.n, err = c.searchLength("__find_element_max_size"); err != nil {
		return err
	}
	for i := range a.n {
		found, err := c.elementKey(a, i)
		if err != nil {
			return err
		}
		if found == key {
			return c.setID("index", uintValue(i))
		}
	}
	return fmt.Errorf("find_element: no element has the key %v", key)
}

// lowerBound finds the first element whose key is at least ids.key; the number of elements if there is none.
func (c *hintContext) lowerBound() (index uint64, exact bool, err error) {
	a, err := c.searchArray()
	if err != nil {
		return 0, false, err
	}
	if a.n, err = c.searchLength("__find_element_max_size"); err != nil {
		return 0, false, err
	}
	key, err := c.number("key")
	if err != nil {
		return 0, false, err
	}
	for i := range a.n {
		found, err := c.elementKey(a, i)
		if err != nil {
			return 0, false, err
		}
		if !found.isFelt() {
			return 0, false, fmt.Errorf("the key of element %d: %w", i, errNotFelt)
		}
		if !found.less(key) {
			return i, found == key, nil
		}
	}
	return a.n, false, nil
}

func hintSearchSortedLower(c *hintContext) error {
	index, _, err := c.lowerBound()
	if err != nil {
		return err
	}
	return c.setID("index", uintValue(index))
}

func hintSearchSortedOptimistic(c *hintContext) error {
	index, exact, err := c.lowerBound()
	if err != nil {
		return err
	}
	if err := c.setID("index", uintValue(index)); err != nil {
		return err
	}
	return c.setBool("exists", exact)
}

// hintSetAdd looks for an element among those of a set, all of whose felts it compares.
func hintSetAdd(c *hintContext) error {
	size, err := c.count("elm_size")
	if err != nil {
		return err
	}
	if size == 0 {
		return errors.New("set_add: elements have to have at least one felt")
	}
	start, err := c.relocatable("set_ptr")
	if err != nil {
		return err
	}
	end, err := c.relocatable("set_end_ptr")
	if err != nil {
		return err
	}
	if start.seg != end.seg || start.off > end.off {
		return fmt.Errorf("set_add: the set's end %v is not after its start %v", end, start)
	}
	at, err := c.relocatable("elm_ptr")
	if err != nil {
		return err
	}
	wanted, err := c.getRange(at, size)
	if err != nil {
		return err
	}
	for i := uint64(0); i < uint64(end.off-start.off); i += size {
		p, ok := start.addOffset(int64(i))
		if !ok {
			return errAddressRange
		}
		have, err := c.getRange(p, size)
		if err != nil {
			return err
		}
		if slices.Equal(have, wanted) {
			if err := c.setID("index", uintValue(i/size)); err != nil {
				return err
			}
			return c.setBool("is_elm_in_set", true)
		}
	}
	return c.setBool("is_elm_in_set", false)
}

// hintUsortScope opens a scope that keeps the host's bound on the length, if there is one.
func hintUsortScope(c *hintContext) error {
	bound, _ := c.variable("__usort_max_size")
	return c.enterScope(map[string]any{"__usort_max_size": bound})
}

// usortState is what usort's hints hand on: where each value is, and how far its positions were visited.
type usortState struct {
	positions map[value][]uint64 // ascending
	current   []uint64           // positions of the value at hand that are still to come
	last      uint64             // one after the position before
}

func hintUsort(c *hintContext) error {
	input, err := c.relocatable("input")
	if err != nil {
		return err
	}
	n, err := c.count("input_len")
	if err != nil {
		return err
	}
	if err := c.checkBound("__usort_max_size", n); err != nil {
		return fmt.Errorf("usort: %w", err)
	}
	list, err := c.getRange(input, n)
	if err != nil {
		return err
	}
	if err := c.charge(uint64(len(list))); err != nil {
		return err
	}
	positions := make(map[value][]uint64)
	var sorted []value
	for i, v := range list {
		if !v.isFelt() {
			return fmt.Errorf("usort: element %d: %w", i, errNotFelt)
		}
		if positions[v] == nil {
			sorted = append(sorted, v)
		}
		positions[v] = append(positions[v], uint64(i))
	}
	slices.SortFunc(sorted, compareFelts)
	c.setVariable("usort", &usortState{positions: positions})

	multiplicities := make([]value, len(sorted))
	for i, v := range sorted {
		multiplicities[i] = uintValue(uint64(len(positions[v])))
	}
	if err := c.setID("output_len", uintValue(uint64(len(sorted)))); err != nil {
		return err
	}
	if err := c.setArray("output", sorted); err != nil {
		return err
	}
	return c.setArray("multiplicities", multiplicities)
}

// setArray writes a list into a new segment and its start into ids.NAME.
func (c *hintContext) setArray(name string, vs []value) error {
	base, err := c.newSegment()
	if err != nil {
		return err
	}
	if err := c.setRange(base, vs); err != nil {
		return err
	}
	return c.setID(name, addressValue(base))
}

// compareFelts orders field elements as integers in [0, P).
func compareFelts(x, y value) int {
	switch {
	case x.less(y):
		return -1
	case y.less(x):
		return 1
	}
	return 0
}

func hintUsortValue(c *hintContext) error {
	s, err := scopeVariable[*usortState](c, "usort")
	if err != nil {
		return err
	}
	v, err := c.value("value")
	if err != nil {
		return err
	}
	s.current, s.last = s.positions[v], 0
	return nil
}

func hintUsortNext(c *hintContext) error {
	s, err := scopeVariable[*usortState](c, "usort")
	if err != nil {
		return err
	}
	if len(s.current) == 0 {
		return errors.New("usort: a value has fewer positions than its multiplicity")
	}
	position := s.current[0]
	if err := c.setID("next_item_index", uintValue(position-s.last)); err != nil {
		return err
	}
	s.current, s.last = s.current[1:], position+1
	return nil
}

func hintUsortEnd(c *hintContext) error {
	s, err := scopeVariable[*usortState](c, "usort")
	if err != nil {
		return err
	}
	if len(s.current) != 0 {
		return fmt.Errorf("usort: %d positions of a value are left over", len(s.current))
	}
	return nil
}

func hintRelocateSegment(c *hintContext) error {
	src, err := c.relocatable("src_ptr")
	if err != nil {
		return err
	}
	dst, err := c.relocatable("dest_ptr")
	if err != nil {
		return err
	}
	return c.addRelocationRule(src, dst)
}

func hintAllocTemporary(c *hintContext) error {
	base, err := c.newTemporarySegment()
	if err != nil {
		return err
	}
	return c.setNext(addressValue(base))
}

// hintElementsLeft says whether at least n felts lie between ids.elements and ids.elements_end.
func hintElementsLeft(n int64) func(*hintContext) error {
	return func(c *hintContext) error {
		start, err := c.relocatable("elements")
		if err != nil {
			return err
		}
		end, err := c.relocatable("elements_end")
		if err != nil {
			return err
		}
		if start.seg != end.seg {
			return errAddressDifference
		}
		return c.setNext(boolValue(end.off-start.off >= n))
	}
}
