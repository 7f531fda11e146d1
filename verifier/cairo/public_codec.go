package cairo

import (
	"encoding/binary"
	"fmt"

	"github.com/seed06907907/fatty/verifier/air"
	"github.com/seed06907907/fatty/verifier/field"
)

// Encoded public data, all integers of 4 bytes big-endian:
//
//	first ap | last ap | frame id | return id
//	for each builtin of the program: start | stop | start id | stop id
//	number of output cells | for each: id | value of 32 bytes
const (
	encodedHead    = 4 * 4
	encodedSegment = 4 * 4
	encodedCell    = 4 + 32
)

// Encode writes the public data.
func (d *PublicData) Encode() []byte {
	out := make([]byte, 0, encodedHead+encodedSegment*len(d.Segments)+4+encodedCell*len(d.Output))
	num := func(vs ...uint32) {
		for _, v := range vs {
			out = binary.BigEndian.AppendUint32(out, v)
		}
	}
	num(d.InitialAP, d.FinalAP, d.FrameID, d.ReturnID)
	for _, s := range d.Segments {
		num(s.Start, s.Stop, s.StartID, s.StopID)
	}
	num(uint32(len(d.Output)))
	for _, c := range d.Output {
		num(c.ID)
		out = append(out, c.Value[:]...)
	}
	return out
}

// DecodePublicData reads what Encode wrote, for a program with these builtins, and returns how many bytes it took. What
// follows is left to the caller. Ids of p or more and values of P or more have no place in a proof; Check has the rest.
func DecodePublicData(data []byte, builtins Builtins) (*PublicData, int, error) {
	if err := builtins.Covered(); err != nil {
		return nil, 0, err
	}
	short := fmt.Errorf("public data end early: %w", ErrPublicData)
	n := builtins.Count()
	if len(data) < encodedHead+encodedSegment*n+4 {
		return nil, 0, short
	}
	at := 0
	num := func() uint32 {
		v := binary.BigEndian.Uint32(data[at:])
		at += 4
		return v
	}
	d := &PublicData{Builtins: builtins, InitialAP: num(), FinalAP: num(), FrameID: num(), ReturnID: num()}
	d.Segments = make([]Segment, n)
	for i := range d.Segments {
		d.Segments[i] = Segment{Start: num(), Stop: num(), StartID: num(), StopID: num()}
	}
	count := num()
	if count > MaxOutput {
		return nil, 0, fmt.Errorf("output of %d felts, at most %d: %w", count, MaxOutput, ErrPublicData)
	}
	if len(data)-at < encodedCell*int(count) {
		return nil, 0, short
	}
	d.Output = make([]OutputCell, count)
	for i := range d.Output {
		d.Output[i].ID = num()
		at += copy(d.Output[i].Value[:], data[at:at+32])
		if !Canonical(d.Output[i].Value) {
			return nil, 0, fmt.Errorf("output %d is not below P: %w", i, ErrPublicData)
		}
	}
	for _, id := range d.ids() {
		if id >= fieldModulus {
			return nil, 0, fmt.Errorf("id %d is not below p: %w", id, ErrPublicData)
		}
	}
	return d, at, nil
}

// ids lists every id.
func (d *PublicData) ids() []uint32 {
	out := []uint32{d.FrameID, d.ReturnID}
	for _, s := range d.Segments {
		out = append(out, s.StartID, s.StopID)
	}
	for _, c := range d.Output {
		out = append(out, c.ID)
	}
	return out
}

// Words returns what the transcript absorbs of the public data, as Claim.Words has it.
func (d *PublicData) Words() []air.Element {
	out := make([]air.Element, 0, 6+4*Slots+17*len(d.Output))
	d.Claim().Words(field.Arithmetic{}, func(words ...field.Ext) {
		for _, w := range words {
			out = append(out, w.B0.A0)
		}
	})
	return out
}
