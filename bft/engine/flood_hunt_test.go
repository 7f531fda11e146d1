package engine

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"testing"

	"github.com/seed06907907/fatty/bft"
	"github.com/seed06907907/fatty/internal/wire"
)

// silentPeer is a transport on which one validator takes requests and never answers.
type silentPeer struct {
	memoryTransport
	who     bft.ValidatorID
	release chan struct{}
}

func (s silentPeer) Request(ctx context.Context, to bft.ValidatorID, req []byte, limit int) ([]byte, error) {
	if to == s.who {
		<-s.release
		return nil, errUnreachable
	}
	return s.memoryTransport.Request(ctx, to, req, limit)
}

// TestLaneOfBogusAttachments has one validator send block after block that name attachments which only it has and never
// hands out. The other lanes must go on meanwhile.
func TestLaneOfBogusAttachments(t *testing.T) {
	c := newCell(t, 4)
	com, err := bft.NewCommittee("test", c.validators, bft.Ed25519{})
	if err != nil {
		t.Fatal(err)
	}
	liar := c.keys[3]
	release := make(chan struct{})
	c.tune = func(_ int, cfg *Config) {
		cfg.Transport = silentPeer{cfg.Transport.(memoryTransport), liar.ID(), release}
	}
	for i := range 3 {
		c.start(i)
	}
	t.Cleanup(func() { close(release) }) // before the engines are waited for
	for n := range uint32(600) {
		id := sha256.Sum256(binary.BigEndian.AppendUint32(nil, n))
		txs := [][]byte{binary.BigEndian.AppendUint32(append([]byte{'@'}, id[:]...), 100)}
		payload, err := wire.Marshal(txs)
		if err != nil {
			t.Fatal(err)
		}
		h := bft.BlockHeader{Chain: "test", Worker: uint16(com.Index(liar.ID())), Height: bft.Height(n + 1), Payload: sha256.Sum256(payload), Size: uint32(len(payload)), Count: 1}
		if n > 0 {
			h.Prev = bft.Digest{1}
		}
		body, err := wire.Marshal(h)
		if err != nil {
			t.Fatal(err)
		}
		f, err := bft.Frame(&bft.Block{SignedHeader: bft.SignedHeader{Header: h, Sig: liar.Sign(wire.DomainBlock, body)}, Transactions: txs})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := com.Validate(f); err != nil {
			t.Fatal(err)
		}
		for i := range 3 {
			c.engines[i].Deliver("liar", "", f)
		}
	}
	c.commit(1, []byte("an honest transaction"), 0, 1, 2)
}

// TestLargeVoteLogIsNotBegunAnewEachTime: what must stay may be more than the length at which a log is begun anew.
func TestLargeVoteLogIsNotBegunAnewEachTime(t *testing.T) {
	for _, size := range []int64{0, 1000, rotateBytes - 1, rotateBytes, 10 * rotateBytes} {
		if next := nextRotation(size); next < rotateBytes || next < 2*size {
			t.Errorf("a log that begins with %d bytes is begun anew at %d", size, next)
		}
	}
}
