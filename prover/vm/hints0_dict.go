package vm

import (
	"errors"
	"fmt"
	"maps"
	"math/big"
	"slices"
)

// hints0Dict is the hints of the modules dict, default_dict and squash_dict.
var hints0Dict = []hint0{
	{
		digest: "99232c7981f51354ee1effcc77fe7f7beb71351759628b8f733f9578f638684f",
		module: "starkware.cairo.common.dict", name: "dict_new", run: hintDictNew,
	},
	{
		digest: "0a4516aebd841113473103e1557f5c5bc125b098e38bc225b885bbadc357455f",
		module: "starkware.cairo.common.dict", name: "dict_read", run: hintDictRead,
	},
	{
		digest: "e5d3f73c7081b7b3953580b7fe3ef5798930a10d5db1f95fc17359397e976a5d",
		module: "starkware.cairo.common.dict", name: "dict_write", run: hintDictWrite,
	},
	{
		digest: "68dcb9888fe3d7fd198c2ad0d0bfb4e82424346031ad1da26f5685c61354858a",
		module: "starkware.cairo.common.dict", name: "dict_update", run: hintDictUpdate,
	},
	{
		digest: "59fc4cefb73c42a9a5bb969b8adda9d21566de664f2098664efae5724b871b8c",
		module: "starkware.cairo.common.dict", name: "dict_squash: copy the contents", run: hintDictSquashStart,
	},
	{
		digest: "878d223f31f604da7c302c48e049d54062d10f2232924160b76e1bcb1c433fe4",
		module: "starkware.cairo.common.dict", name: "dict_squash: move the end", run: hintDictSquashEnd,
	},
	{
		digest: "071c4514416ebcb27b7d69a1f32669b841ebc231e65dbc2171586dde889ebf71",
		module: "starkware.cairo.common.default_dict", name: "default_dict_new", run: hintDefaultDictNew,
	},
	{
		digest: "9c56f4b01ee5c8a3c91dc6af056d7ee7bf88be14ac151ae716eb2975cdd85073",
		module: "starkware.cairo.common.squash_dict", name: "squash_dict: a scope", run: hintEnterScope,
	},
	{
		digest: "25b6fcb1d4f726f7661a49d6ef9bb5343dc474fbbf3e11f2176ab8c8bd36fdef",
		module: "starkware.cairo.common.squash_dict", name: "squash_dict: sort the accesses", run: hintSquashStart,
	},
	{
		digest: "1af33eba8062487f45ffa0426658b716fc2eb3e2f5dc57e478c101aa119ccaa8",
		module: "starkware.cairo.common.squash_dict", name: "squash_dict_inner: a key's first access", run: hintSquashFirst,
	},
	{
		digest: "ee4f1fc4c22addaf234b84ce12e6908b5312f5dcbcd9d5d46353ceaa36859b1f",
		module: "starkware.cairo.common.squash_dict", name: "squash_dict_inner: is it the only one", run: hintSquashSkip,
	},
	{
		digest: "72b624babc575b6333ac1a90faf30463480c0208394db27338abd5eb54412d53",
		module: "starkware.cairo.common.squash_dict", name: "squash_dict_inner: the next access", run: hintSquashNext,
	},
	{
		digest: "22837f7c5758b9e09093f05a42d971ef5c9975bddcd4004c7b9af53434fcd5d1",
		module: "starkware.cairo.common.squash_dict", name: "squash_dict_inner: is there another", run: hintSquashContinue,
	},
	{
		digest: "46a3a9fc6daf7d96d55a6ee1e73a88adbc292ec97440bb307e362a7d908325cf",
		module: "starkware.cairo.common.squash_dict", name: "squash_dict_inner: no access is left", run: hintSquashKeyEnd,
	},
	{
		digest: "e14e77a87cc680d9bd628829d39210f2af6bfd1b82a2493927c9ec4b448bd5c9",
		module: "starkware.cairo.common.squash_dict", name: "squash_dict_inner: all were counted", run: hintSquashCounted,
	},
	{
		digest: "1dc9d2e7b734406077e547eaf4a334ae6097ed9433c70144becd00c79673b781",
		module: "starkware.cairo.common.squash_dict", name: "squash_dict_inner: no key is left", run: hintSquashEnd,
	},
	{
		digest: "ce005d285ea4b7074f0bf98bdb074cf7dd3478c2192cd2082c0401bff3d0fd02",
		module: "starkware.cairo.common.squash_dict", name: "squash_dict_inner: the next key", run: hintSquashKey,
	},
}

var errEmptyAccess = errors.New("the program's struct DictAccess is empty")

// dictManager knows the contents of every dictionary, by the segment of its accesses. It is the scope variable
// __dict_manager of the outermost scope, handed on to the scopes that need it.
type dictManager struct {
	trackers map[int32]*dictTracker
}

// dictTracker is what the host knows of one dictionary.
type dictTracker struct {
	data map[value]value
	// absent is what a key without a value has; unknown: such a key is an error.
	absent value
	// end is where the next access is written.
	end address
}

// get reads a key, and keeps the default that it may have read.
func (t *dictTracker) get(c *hintContext, key value) (value, error) {
	v, ok := t.data[key]
	if !ok {
		if !t.absent.known() {
			return value{}, fmt.Errorf("the dictionary has no key %v and no default", key)
		}
		if err := c.charge(1); err != nil {
			return value{}, err
		}
		v = t.absent
		t.data[key] = v
	}
	return v, nil
}

// manager of the current scope; if create, a new one where there is none.
func (c *hintContext) dictManager(create bool) (*dictManager, error) {
	if _, ok := c.variable("__dict_manager"); !ok && create {
		c.setVariable("__dict_manager", &dictManager{trackers: make(map[int32]*dictTracker)})
	}
	return scopeVariable[*dictManager](c, "__dict_manager")
}

// tracker of the dictionary that ids.NAME is the end of.
func (c *hintContext) dictTracker(name string) (*dictTracker, error) {
	m, err := c.dictManager(false)
	if err != nil {
		return nil, err
	}
	end, err := c.structAddress(name)
	if err != nil {
		return nil, err
	}
	t := m.trackers[end.seg]
	if t == nil {
		return nil, fmt.Errorf("ids.%s is %v, in no dictionary that was made by dict_new or default_dict_new", name, end)
	}
	if t.end != end {
		return nil, fmt.Errorf("ids.%s is %v, but the dictionary ends at %v", name, end, t.end)
	}
	return t, nil
}

// newDict makes a dictionary and writes its start to [ap].
func (c *hintContext) newDict(m *dictManager, data map[value]value, absent value) error {
	base, err := c.newSegment()
	if err != nil {
		return err
	}
	m.trackers[base.seg] = &dictTracker{data: data, absent: absent, end: base}
	return c.setNext(addressValue(base))
}

func hintDictNew(c *hintContext) error {
	m, err := c.dictManager(true)
	if err != nil {
		return err
	}
	data, err := scopeVariable[map[value]value](c, "initial_dict")
	if err != nil {
		return err
	}
	c.deleteVariable("initial_dict")
	return c.newDict(m, data, value{})
}

func hintDefaultDictNew(c *hintContext) error {
	m, err := c.dictManager(true)
	if err != nil {
		return err
	}
	absent, err := c.value("default_value")
	if err != nil {
		return err
	}
	return c.newDict(m, make(map[value]value), absent)
}

// advance moves the end past one access.
func (c *hintContext) advanceDict(t *dictTracker) error {
	size, err := c.structSize("DictAccess")
	if err != nil {
		return err
	}
	end, ok := t.end.addOffset(size)
	if !ok {
		return errAddressRange
	}
	t.end = end
	return nil
}

func hintDictRead(c *hintContext) error {
	t, err := c.dictTracker("dict_ptr")
	if err != nil {
		return err
	}
	key, err := c.value("key")
	if err != nil {
		return err
	}
	v, err := t.get(c, key)
	if err != nil {
		return err
	}
	if err := c.advanceDict(t); err != nil {
		return err
	}
	return c.setID("value", v)
}

func hintDictWrite(c *hintContext) error {
	t, err := c.dictTracker("dict_ptr")
	if err != nil {
		return err
	}
	key, err := c.value("key")
	if err != nil {
		return err
	}
	after, err := c.value("new_value")
	if err != nil {
		return err
	}
	before, err := t.get(c, key)
	if err != nil {
		return err
	}
	if err := c.advanceDict(t); err != nil {
		return err
	}
	t.data[key] = after
	return c.setID("dict_ptr.prev_value", before)
}

func hintDictUpdate(c *hintContext) error {
	t, err := c.dictTracker("dict_ptr")
	if err != nil {
		return err
	}
	key, err := c.value("key")
	if err != nil {
		return err
	}
	known, err := c.value("prev_value")
	if err != nil {
		return err
	}
	after, err := c.value("new_value")
	if err != nil {
		return err
	}
	before, err := t.get(c, key)
	if err != nil {
		return err
	}
	if before != known {
		return fmt.Errorf("dict_update: the value before is %v, not %v", before, known)
	}
	t.data[key] = after
	return c.advanceDict(t)
}

// hintDictSquashStart hands a copy of the contents to dict_new, without the default: the summary has what was accessed.
func hintDictSquashStart(c *hintContext) error {
	m, err := c.dictManager(false)
	if err != nil {
		return err
	}
	t, err := c.dictTracker("dict_accesses_end")
	if err != nil {
		return err
	}
	if err := c.charge(uint64(len(t.data))); err != nil {
		return err
	}
	return c.enterScope(map[string]any{"__dict_manager": m, "initial_dict": maps.Clone(t.data)})
}

func hintDictSquashEnd(c *hintContext) error {
	t, err := c.dictTracker("squashed_dict_start")
	if err != nil {
		return err
	}
	end, err := c.structAddress("squashed_dict_end")
	if err != nil {
		return err
	}
	t.end = end
	return nil
}

func hintEnterScope(c *hintContext) error { return c.enterScope(nil) }

// squashState is what the hints of squash_dict hand on.
type squashState struct {
	accesses map[value][]uint64 // by key, the indices of its accesses, ascending
	keys     []value            // still to come, descending
	key      value              // at hand
	left     []uint64           // accesses of the key that are still to come
	index    uint64             // the access at hand
}

func squashing(c *hintContext) (*squashState, error) {
	return scopeVariable[*squashState](c, "squash_dict")
}

// hintSquashStart sorts the accesses by key.
func hintSquashStart(c *hintContext) error {
	size, err := c.structSize("DictAccess")
	if err != nil {
		return err
	}
	list, err := c.structAddress("dict_accesses")
	if err != nil {
		return err
	}
	length, err := c.integer("ptr_diff")
	if err != nil {
		return err
	}
	if size <= 0 {
		return errEmptyAccess
	}
	if length.Mod(length, big.NewInt(size)).Sign() != 0 {
		return errors.New("squash_dict: the list ends within an access")
	}
	n, err := c.count("n_accesses")
	if err != nil {
		return err
	}
	if err := c.checkBound("__squash_dict_max_size", n); err != nil {
		return fmt.Errorf("squash_dict: %w", err)
	}
	s := &squashState{accesses: make(map[value][]uint64)}
	for i := range n {
		key, err := c.get(list)
		if err != nil {
			return err
		}
		if err := c.charge(1); err != nil {
			return err
		}
		if !key.isFelt() {
			return fmt.Errorf("squash_dict: the key of access %d: %w", i, errNotFelt)
		}
		if s.accesses[key] == nil {
			s.keys = append(s.keys, key)
		}
		s.accesses[key] = append(s.accesses[key], i)
		var ok bool
		if list, ok = list.addOffset(size); !ok {
			return errAddressRange
		}
	}
	if n == 0 {
		return errors.New("squash_dict: there is no access")
	}
	slices.SortFunc(s.keys, func(x, y value) int { return compareFelts(y, x) })
	c.setVariable("squash_dict", s)
	if err := c.setBool("big_keys", !s.keys[0].fits128()); err != nil {
		return err
	}
	s.nextKey()
	return c.setID("first_key", s.key)
}

// nextKey takes the smallest key that is left.
func (s *squashState) nextKey() {
	last := len(s.keys) - 1
	s.key, s.keys = s.keys[last], s.keys[:last]
}

func hintSquashFirst(c *hintContext) error {
	s, err := squashing(c)
	if err != nil {
		return err
	}
	at, err := c.relocatable("range_check_ptr")
	if err != nil {
		return err
	}
	s.left = s.accesses[s.key]
	if err := s.nextAccess(); err != nil {
		return err
	}
	return c.set(at, uintValue(s.index))
}

// nextAccess takes the first access that is left.
func (s *squashState) nextAccess() error {
	if len(s.left) == 0 {
		return fmt.Errorf("squash_dict: key %v has no more accesses", s.key)
	}
	s.index, s.left = s.left[0], s.left[1:]
	return nil
}

func hintSquashSkip(c *hintContext) error {
	s, err := squashing(c)
	if err != nil {
		return err
	}
	return c.setBool("should_skip_loop", len(s.left) == 0)
}

func hintSquashNext(c *hintContext) error {
	s, err := squashing(c)
	if err != nil {
		return err
	}
	before := s.index
	if err := s.nextAccess(); err != nil {
		return err
	}
	return c.setID("loop_temps.index_delta_minus1", uintValue(s.index-before-1))
}

func hintSquashContinue(c *hintContext) error {
	s, err := squashing(c)
	if err != nil {
		return err
	}
	return c.setBool("loop_temps.should_continue", len(s.left) != 0)
}

func hintSquashKeyEnd(c *hintContext) error {
	s, err := squashing(c)
	if err != nil {
		return err
	}
	if len(s.left) != 0 {
		return fmt.Errorf("squash_dict: %d accesses of key %v are left over", len(s.left), s.key)
	}
	return nil
}

func hintSquashCounted(c *hintContext) error {
	s, err := squashing(c)
	if err != nil {
		return err
	}
	used, err := c.count("n_used_accesses")
	if err != nil {
		return err
	}
	if want := uint64(len(s.accesses[s.key])); used != want {
		return fmt.Errorf("squash_dict: key %v has %d accesses, but %d were counted", s.key, want, used)
	}
	return nil
}

func hintSquashEnd(c *hintContext) error {
	s, err := squashing(c)
	if err != nil {
		return err
	}
	if len(s.keys) != 0 {
		return fmt.Errorf("squash_dict: %d keys are left over", len(s.keys))
	}
	return nil
}

func hintSquashKey(c *hintContext) error {
	s, err := squashing(c)
	if err != nil {
		return err
	}
	if len(s.keys) == 0 {
		return errors.New("squash_dict: accesses are left over, but no keys")
	}
	s.nextKey()
	return c.setID("next_key", s.key)
}
