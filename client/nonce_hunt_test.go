package client

import (
	"context"
	"encoding/json"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed06907907/fatty/lockspace"
	"github.com/seed06907907/fatty/node/api"
)

// TestNonceLostInTheLedger has another client of the same key use the nonce after a node took the transaction and before
// the ledger executed it: the receipt says so, the transaction did nothing, and Do must try again with a newer nonce. A
// node that says so for ever is given up.
func TestNonceLostInTheLedger(t *testing.T) {
	var nonce, submits atomic.Uint64
	lost := uint64(1) // submissions whose nonce another was faster to use
	node := serve(t, func(method string, params json.RawMessage) any {
		switch method {
		case "ledger.head":
			return api.Head{Chain: "c", Sequence: 1, Time: api.FromNano(time.Now().UnixNano())}
		case "account.list":
			var p api.AccountParams
			_ = json.Unmarshal(params, &p)
			return api.Accounts{Accounts: []api.Account{{Key: p.Key, Nonce: nonce.Add(1)}}}
		case "tx.submit":
			submits.Add(1)
			return api.Submitted{}
		case "tx.wait":
			var p api.WaitParams
			_ = json.Unmarshal(params, &p)
			if submits.Load() <= lost {
				return api.Receipt{ID: p.ID, Code: string(lockspace.CodeNonce), Message: "nonce was used already"}
			}
			return api.Receipt{ID: p.ID, OK: true, Sequence: 4}
		}
		return api.Errorf(api.CodeMethod, "no method %s", method)
	})
	r, err := newClient(t, node).Do(context.Background(), &lockspace.Mkdir{Path: "/x"})
	if err != nil || !r.OK || submits.Load() != 2 {
		t.Fatalf("%+v, %v after %d submissions", r, err, submits.Load())
	}
	lost = 1 << 40
	if _, err := newClient(t, node).Do(context.Background(), &lockspace.Mkdir{Path: "/x"}); err == nil || !strings.Contains(err.Error(), "nonces in a row") {
		t.Fatalf("got %v", err)
	}
}
