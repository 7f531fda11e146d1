package vm

import "fmt"

// hints0Machine is the hints of fatty's machine convention, with the allocator, which every machine uses.
var hints0Machine = []hint0{
	{
		digest: "ca7cb71338b04e2357dfc3ebf313ccf8359fdca03e2c212130eca0541eed4d4c",
		module: "machine", name: "input vector into a new segment", run: hintInput,
	},
	{
		digest: "e647c7d5b4fca55b8329357a8c9a1c2e962e78f6254ce801868f3a24fecd47ec",
		module: "machine", name: "hand the opening of the state on", run: hintOpening,
	},
	{
		digest: "f300fb1884fb8c535a9234f5780d76d47ba25f8a1bf9d5886232333e1d6bb31f",
		module: "starkware.cairo.common.alloc", name: "alloc: a new segment", run: hintAlloc,
	},
}

func hintInput(c *hintContext) error {
	base, err := c.newSegment()
	if err != nil {
		return err
	}
	if err := c.setRange(base, c.input()); err != nil {
		return err
	}
	return c.setID("input", addressValue(base))
}

// MaxOpening bounds the opening that a machine hands on.
const MaxOpening = 1 << 20

func hintOpening(c *hintContext) error {
	base, err := c.relocatable("state")
	if err != nil {
		return err
	}
	n, err := c.uint64("state_len")
	if err != nil {
		return err
	}
	if n > MaxOpening {
		return fmt.Errorf("the opening has %d felts; at most %d can be handed on", n, MaxOpening)
	}
	opening, err := c.getRange(base, n)
	if err != nil {
		return err
	}
	for _, v := range opening {
		if !v.isFelt() {
			return fmt.Errorf("the opening: %w", errNotFelt)
		}
	}
	if opening == nil {
		opening = []value{} // an empty opening is handed on too
	}
	c.setOpening(opening)
	return nil
}

func hintAlloc(c *hintContext) error {
	base, err := c.newSegment()
	if err != nil {
		return err
	}
	return c.setNext(addressValue(base))
}
