package rpc

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

type metrics struct {
	seconds *prometheus.HistogramVec
	calls   *prometheus.CounterVec
	busy    prometheus.Counter
}

func newMetrics(r prometheus.Registerer) *metrics {
	m := &metrics{
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "fatty_rpc_seconds", Help: "Time of a JSON-RPC call.",
			Buckets: []float64{.0001, .0005, .001, .005, .01, .05, .1, .5, 1, 5, 30}}, []string{"method"}),
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "fatty_rpc_calls_total", Help: "JSON-RPC calls by method and error code, 0 if well."}, []string{"method", "code"}),
		busy:  prometheus.NewCounter(prometheus.CounterOpts{Name: "fatty_rpc_busy_total", Help: "Requests refused because too many were worked on."}),
	}
	if r != nil {
		r.MustRegister(m.seconds, m.calls, m.busy)
	}
	return m
}

// call counts one call; the names are those of api.Methods, so the labels are bounded.
func (m *metrics) call(name string, code int, d time.Duration) {
	m.seconds.WithLabelValues(name).Observe(d.Seconds())
	m.calls.WithLabelValues(name, strconv.Itoa(code)).Inc()
}

// Health is the handler of the second port: /health/live says that the process answers, /health/ready asks ready, which
// returns the reason why not, /metrics is Prometheus's.
func Health(ready func() error, g prometheus.Gatherer) http.Handler {
	mux := http.NewServeMux()
	say := func(w http.ResponseWriter, status int, ok bool, reason string) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(struct {
			OK     bool   `json:"ok"`
			Reason string `json:"reason,omitempty"`
		}{ok, reason})
	}
	mux.HandleFunc("GET /health/live", func(w http.ResponseWriter, _ *http.Request) { say(w, http.StatusOK, true, "") })
	mux.HandleFunc("GET /health/ready", func(w http.ResponseWriter, _ *http.Request) {
		if err := ready(); err != nil {
			say(w, http.StatusServiceUnavailable, false, err.Error())
			return
		}
		say(w, http.StatusOK, true, "")
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(g, promhttp.HandlerOpts{MaxRequestsInFlight: 4, Timeout: headerTimeout}))
	return mux
}

// HealthServer serves the handler with the bounds that a health port needs.
func HealthServer(h http.Handler) *http.Server {
	return &http.Server{Handler: h, ReadHeaderTimeout: headerTimeout, ReadTimeout: headerTimeout, WriteTimeout: 2 * headerTimeout, MaxHeaderBytes: maxHeader}
}
