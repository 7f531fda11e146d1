package node

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

type metrics struct {
	cuts, transactions prometheus.Counter
	proofs             *prometheus.CounterVec
	verify             prometheus.Histogram
}

func newMetrics(r *prometheus.Registry) *metrics {
	m := &metrics{
		cuts:         prometheus.NewCounter(prometheus.CounterOpts{Name: "fatty_cuts_total", Help: "Cuts executed since the start."}),
		transactions: prometheus.NewCounter(prometheus.CounterOpts{Name: "fatty_transactions_total", Help: "Transactions executed since the start."}),
		proofs:       prometheus.NewCounterVec(prometheus.CounterOpts{Name: "fatty_proofs_total", Help: "Proofs that decided a transaction."}, []string{"result"}),
		verify: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "fatty_proof_seconds", Help: "Time to check a proof.",
			Buckets: []float64{.005, .01, .02, .03, .06, .1, .2, .5, 1, 2}}),
	}
	r.MustRegister(m.cuts, m.transactions, m.proofs, m.verify,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// registerGauges adds what is read when it is asked for.
func (n *Node) registerGauges() {
	gauge := func(name, help string, f func() float64) {
		n.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, f))
	}
	gauge("fatty_sequence", "Newest executed sequence number.", func() float64 { return float64(n.store.Head().Sequence) })
	gauge("fatty_certified_sequence", "Newest sequence number with a state certificate.", func() float64 { return float64(n.certSeq.Load()) })
	gauge("fatty_view", "The view.", func() float64 { return float64(n.engine.Status().View) })
	gauge("fatty_lag", "Cuts that others decided and this node has not executed.", func() float64 { return float64(n.engine.Status().Lag) })
	gauge("fatty_pending", "Transactions that wait for a block.", func() float64 { return float64(n.engine.Status().Pending) })
	gauge("fatty_evidence", "Lies of validators proven since the start.", func() float64 { return float64(n.engine.Status().Evidence) })
	gauge("fatty_state_bytes", "Bytes of the state store on disk.", func() float64 { return float64(n.store.size()) })
	gauge("fatty_leases", "Locks with something that ends by itself.", func() float64 { return float64(n.app.State().Root().Timers) })
	gauge("fatty_clock_skew_seconds", "How far this clock is ahead of the ledger's.", func() float64 { return float64(n.skew.Load()) / 1e9 })
}
