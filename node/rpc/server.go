package rpc

import (
	"bytes"
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/filecoin-project/go-jsonrpc"
	golog "github.com/ipfs/go-log/v2"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/seed06907907/fatty/lockspace"
	"github.com/seed06907907/fatty/node/api"
)

const (
	// headerTimeout is how long a request's header may take to arrive; no honest client needs a second.
	headerTimeout = 5 * time.Second
	// maxHeader bounds a request's header, the bearer token included.
	maxHeader = 16 << 10
	// maxConnections bounds open connections of all kinds; each idle one costs about 20 KiB.
	maxConnections = 4096
)

// Options are the bounds and rights of a Server; see home.RPCConfig for what each is for.
type Options struct {
	Token        string
	ReadToken    bool
	RemoteAdmin  bool
	Origins      []string
	MaxInFlight  int
	MaxBatch     int
	MaxWatchers  int
	IdleTimeout  time.Duration
	BodyTimeout  time.Duration
	CallTimeout  time.Duration
	WriteTimeout time.Duration
	Logger       *slog.Logger
	Registerer   prometheus.Registerer // nil: metrics are kept and not shown
}

// Server answers JSON-RPC. Make one with New.
type Server struct {
	backend Backend
	opt     Options
	rpc     *jsonrpc.RPCServer
	http    *http.Server
	calls   slots
	waiters slots
	sockets slots
	metrics *metrics
	ctx     context.Context // ends with Close
	cancel  context.CancelFunc
	group   sync.WaitGroup // sockets
}

// New makes a server; Serve starts it.
func New(b Backend, opt Options) *Server {
	// go-jsonrpc logs every failed call by itself; what matters of them is in our own log and metrics.
	_ = golog.SetLogLevel("rpc", "fatal")
	if opt.Logger == nil {
		opt.Logger = slog.New(slog.DiscardHandler)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := &Server{backend: b, opt: opt, ctx: ctx, cancel: cancel, metrics: newMetrics(opt.Registerer),
		calls: newSlots(opt.MaxInFlight), waiters: newSlots(opt.MaxWatchers), sockets: newSlots(opt.MaxWatchers)}
	s.rpc = jsonrpc.NewServer(jsonrpc.WithMaxRequestSize(maxLargeBody),
		jsonrpc.WithServerMethodNameFormatter(jsonrpc.NewMethodNameFormatter(true, jsonrpc.LowerFirstCharCase)))
	for name, v := range s.services() {
		s.rpc.Register(name, v)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /openrpc.json", s.document)
	mux.HandleFunc("/", s.entry)
	s.http = &http.Server{
		Handler: s.origin(mux), ReadHeaderTimeout: headerTimeout, ReadTimeout: opt.BodyTimeout, WriteTimeout: opt.WriteTimeout,
		IdleTimeout: opt.IdleTimeout, MaxHeaderBytes: maxHeader, ErrorLog: slog.NewLogLogger(opt.Logger.Handler(), slog.LevelDebug),
	}
	return s
}

// Handler is the server's HTTP face, for tests and for embedding.
func (s *Server) Handler() http.Handler { return s.http.Handler }

// Serve answers on l until Close.
func (s *Server) Serve(l net.Listener) error {
	err := s.http.Serve(limit(l, maxConnections))
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// Close ends all connections and waits for the sockets' goroutines.
func (s *Server) Close() error {
	s.cancel()
	err := s.http.Close()
	s.group.Wait()
	return err
}

func (s *Server) document(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(api.Document)
}

// origin refuses browsers of origins that the operator did not name: a page of any site could otherwise talk to a node
// on the reader's own host.
func (s *Server) origin(next http.Handler) http.Handler {
	allowed := map[string]bool{}
	for _, o := range s.opt.Origins {
		allowed[o] = true
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if o := r.Header.Get("Origin"); o != "" {
			if !allowed[o] {
				http.Error(w, "origin not allowed: add it to rpc.origins", http.StatusForbidden)
				return
			}
			h := w.Header()
			h.Set("Access-Control-Allow-Origin", o)
			h.Add("Vary", "Origin")
			if r.Method == http.MethodOptions {
				h.Set("Access-Control-Allow-Methods", "POST, GET")
				h.Set("Access-Control-Allow-Headers", "Content-Type, Authorization")
				w.WriteHeader(http.StatusNoContent)
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

func (s *Server) entry(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/" {
		http.Error(w, "not found: JSON-RPC is at /, its document at /openrpc.json", http.StatusNotFound)
		return
	}
	if strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
		s.upgrade(w, r)
		return
	}
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", "POST")
		http.Error(w, "JSON-RPC takes POST, or a WebSocket", http.StatusMethodNotAllowed)
		return
	}
	body, sh, err := s.read(r.Body)
	if err != nil {
		s.refuse(w, http.StatusRequestEntityTooLarge, err)
		return
	}
	// The body is here. The read time-out has done its work; left in place it would end the context of a long tx.wait.
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
	out, err := s.answer(r.Context(), s.caller(r), body, sh)
	if err != nil {
		s.refuse(w, http.StatusServiceUnavailable, err)
		return
	}
	if len(out) == 0 {
		w.WriteHeader(http.StatusNoContent) // a notification
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(out)
}

// caller finds out who calls.
func (s *Server) caller(r *http.Request) *request {
	t, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	host, _, _ := net.SplitHostPort(r.RemoteAddr)
	ip := net.ParseIP(host)
	return &request{
		token: ok && s.opt.Token != "" && subtle.ConstantTimeCompare([]byte(t), []byte(s.opt.Token)) == 1,
		local: ip != nil && ip.IsLoopback(),
	}
}

// read takes a body within its bound: the larger one only if what came first names a method that may carry a proof.
func (s *Server) read(r io.Reader) ([]byte, shape, error) {
	var buf bytes.Buffer
	if _, err := buf.ReadFrom(io.LimitReader(r, maxBody+1)); err != nil {
		return nil, shape{}, api.Errorf(api.CodeRequest, "the body did not arrive: %v", err)
	}
	sh, err := inspect(buf.Bytes())
	if err != nil {
		return nil, sh, err
	}
	if buf.Len() <= maxBody {
		return buf.Bytes(), sh, nil
	}
	if sh.batch || !sh.large {
		return nil, sh, api.Errorf(api.CodeTooLarge, "the body is over %d bytes: only a call that carries a proof, with its method first, may be larger", maxBody)
	}
	if _, err := buf.ReadFrom(io.LimitReader(r, maxLargeBody-maxBody)); err != nil {
		return nil, sh, api.Errorf(api.CodeRequest, "the body did not arrive: %v", err)
	}
	if buf.Len() > maxLargeBody {
		return nil, sh, api.Errorf(api.CodeTooLarge, "the body is over %d bytes: a proof has %d bytes at most", maxLargeBody, lockspace.MaxProof)
	}
	sh, err = inspect(buf.Bytes())
	return buf.Bytes(), sh, err
}

// answer works a body off within the bounds of number and time.
func (s *Server) answer(ctx context.Context, req *request, body []byte, sh shape) ([]byte, error) {
	if sh.batch && sh.requests > s.opt.MaxBatch {
		return nil, api.Errorf(api.CodeTooLarge, "%d calls in one batch: at most %d", sh.requests, s.opt.MaxBatch)
	}
	if !s.calls.take() {
		s.metrics.busy.Inc()
		return nil, api.Errorf(api.CodeBusy, "the node works on %d calls already: try again, or another node", s.opt.MaxInFlight)
	}
	req.slot = &slot{from: s.calls}
	defer req.slot.release()
	limit := s.opt.CallTimeout
	if bytes.Contains(body, []byte("tx.wait")) {
		limit = maxWait + s.opt.CallTimeout
	}
	ctx, cancel := context.WithTimeout(context.WithValue(ctx, requestKey{}, req), limit)
	defer cancel()
	var out bytes.Buffer
	s.rpc.HandleRequest(ctx, bytes.NewReader(body), &out)
	return out.Bytes(), nil
}

// refuse answers a request that never became a call.
func (s *Server) refuse(w http.ResponseWriter, status int, err error) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Connection", "close")
	w.WriteHeader(status)
	_, _ = w.Write(refusal(err))
}

func refusal(err error) []byte {
	var e *api.Error
	if !errors.As(err, &e) {
		e = api.Errorf(api.CodeInternal, "%v", err)
	}
	b, _ := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": nil, "error": e})
	return b
}

// slots is a counted bound that never blocks.
type slots chan struct{}

func newSlots(n int) slots { return make(slots, max(n, 1)) }

func (s slots) take() bool {
	select {
	case s <- struct{}{}:
		return true
	default:
		return false
	}
}

func (s slots) give() { <-s }

// slot is one place that is given back once.
type slot struct {
	from slots
	once sync.Once
}

func (s *slot) release() {
	if s != nil {
		s.once.Do(s.from.give)
	}
}

// limit bounds the open connections of a listener; the next one waits in the system's own queue.
func limit(l net.Listener, n int) net.Listener {
	return &limited{Listener: l, free: make(chan struct{}, n), done: make(chan struct{})}
}

type limited struct {
	net.Listener
	free chan struct{}
	done chan struct{}
	once sync.Once
}

func (l *limited) Accept() (net.Conn, error) {
	select {
	case l.free <- struct{}{}:
	case <-l.done:
		return nil, net.ErrClosed
	}
	c, err := l.Listener.Accept()
	if err != nil {
		<-l.free
		return nil, err
	}
	return &limitedConn{Conn: c, l: l}, nil
}

func (l *limited) Close() error {
	l.once.Do(func() { close(l.done) })
	return l.Listener.Close()
}

type limitedConn struct {
	net.Conn
	l    *limited
	once sync.Once
}

func (c *limitedConn) Close() error {
	err := c.Conn.Close()
	c.once.Do(func() { <-c.l.free })
	return err
}
