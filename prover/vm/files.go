package vm

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
)

// WriteTrace writes the trace as the reference runners do: ap, fp, pc of each step, each 64 bits, little-endian.
func (r *Result) WriteTrace(w io.Writer) error {
	b := bufio.NewWriterSize(w, 1<<16)
	var row [24]byte
	for _, t := range r.Trace {
		binary.LittleEndian.PutUint64(row[0:], uint64(t.AP))
		binary.LittleEndian.PutUint64(row[8:], uint64(t.FP))
		binary.LittleEndian.PutUint64(row[16:], uint64(t.PC))
		if _, err := b.Write(row[:]); err != nil {
			return fmt.Errorf("vm: write the trace: %w", err)
		}
	}
	if err := b.Flush(); err != nil {
		return fmt.Errorf("vm: write the trace: %w", err)
	}
	return nil
}

// WriteMemory writes the memory as the reference runners do: each cell that has a value by address, the address in 64
// bits and the value in 32 bytes, little-endian.
func (r *Result) WriteMemory(w io.Writer) error {
	b := bufio.NewWriterSize(w, 1<<16)
	var row [40]byte
	for addr := range uint32(r.Memory.Len()) {
		l, ok := r.Memory.Limbs(addr)
		if !ok {
			continue
		}
		binary.LittleEndian.PutUint64(row[0:], uint64(addr))
		for i, limb := range l {
			binary.LittleEndian.PutUint64(row[8+8*i:], limb)
		}
		if _, err := b.Write(row[:]); err != nil {
			return fmt.Errorf("vm: write the memory: %w", err)
		}
	}
	if err := b.Flush(); err != nil {
		return fmt.Errorf("vm: write the memory: %w", err)
	}
	return nil
}

// The reference runners' AIR public input.
type (
	publicInput struct {
		Layout   string                   `json:"layout"`
		RCMin    uint16                   `json:"rc_min"`
		RCMax    uint16                   `json:"rc_max"`
		Steps    uint64                   `json:"n_steps"`
		Segments map[string]publicSegment `json:"memory_segments"`
		Memory   []publicCell             `json:"public_memory"`
		Dynamic  *struct{}                `json:"dynamic_params"`
	}
	publicSegment struct {
		Begin uint32 `json:"begin_addr"`
		Stop  uint32 `json:"stop_ptr"`
	}
	publicCell struct {
		Address uint32 `json:"address"`
		Value   string `json:"value"`
		Page    int    `json:"page"`
	}
)

// WritePublicInput writes the AIR public input as the reference runners do. There the program's and the execution's
// segments are given by the first and the last pc and ap. The run has to be one in proof mode.
func (r *Result) WritePublicInput(w io.Writer) error {
	if !r.Config.ProofMode || len(r.Trace) == 0 {
		return fmt.Errorf("vm: only a run in proof mode has a public input")
	}
	first, last := r.Trace[0], r.Trace[len(r.Trace)-1]
	p := publicInput{
		Layout: r.Config.Layout, RCMin: r.RangeCheckMin, RCMax: r.RangeCheckMax, Steps: r.Steps,
		Segments: make(map[string]publicSegment, len(r.Segments)),
	}
	for _, s := range r.Segments {
		p.Segments[s.Name] = publicSegment{Begin: s.Begin, Stop: s.Stop}
	}
	p.Segments["program"] = publicSegment{Begin: first.PC, Stop: last.PC}
	p.Segments["execution"] = publicSegment{Begin: first.AP, Stop: last.AP}
	for _, c := range r.PublicMemory {
		p.Memory = append(p.Memory, publicCell{Address: c.Address, Value: "0x" + c.Value.Text(16), Page: c.Page})
	}
	if err := json.NewEncoder(w).Encode(p); err != nil {
		return fmt.Errorf("vm: write the public input: %w", err)
	}
	return nil
}
