package rpc

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"reflect"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/seed06907907/fatty/lockspace"
	"github.com/seed06907907/fatty/node/api"
)

// fake answers holder, wait, submit and events; every other call panics, which the server must survive.
type fake struct {
	Backend
	hold   chan struct{} // lock.get blocks until it is closed
	inside chan struct{} // and says here that it is in
	events chan api.Event
}

func (f *fake) Holder(_ context.Context, p api.HolderParams) (*api.Holder, error) {
	if p.Lock != "/demo/lcg" {
		return nil, api.Errorf(api.CodeNotFound, "no lock at %s", p.Lock)
	}
	return &api.Holder{Lock: p.Lock, Machine: "bafyreia", Program: "bafyreib", Holder: "12D3KooW", Addresses: []string{"/ip4/127.0.0.1/tcp/1"}, T: 1000, State: "5", LeaseEnd: api.FromNano(1e18), Sequence: 7}, nil
}

func (f *fake) Get(ctx context.Context, _ api.PathParams) (*api.Contents, error) {
	f.inside <- struct{}{}
	select {
	case <-f.hold:
		return &api.Contents{}, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (f *fake) Wait(ctx context.Context, p api.WaitParams) (*api.Receipt, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func (f *fake) Submit(_ context.Context, p api.SubmitParams) (*api.Submitted, error) {
	return &api.Submitted{ID: fmt.Sprint(len(p.Transaction), len(p.Attachments))}, nil
}

func (f *fake) LogLevel(context.Context, api.LogLevelParams) (*api.Done, error) {
	return &api.Done{OK: true}, nil
}
func (f *fake) NextEvent() uint64 { return 10 }

func (f *fake) Events(ctx context.Context, path string, from uint64, _ int) ([]api.Event, uint64, error) {
	if from < 5 {
		return nil, 0, api.Errorf(api.CodeGone, "events before 5 are gone")
	}
	select {
	case e := <-f.events:
		return []api.Event{e}, e.Number + 1, nil
	case <-ctx.Done():
		return nil, 0, ctx.Err()
	}
}

func options() Options {
	return Options{Token: "secret", MaxInFlight: 4, MaxBatch: 3, MaxWatchers: 2, IdleTimeout: time.Minute, BodyTimeout: time.Minute,
		CallTimeout: time.Minute, WriteTimeout: time.Minute, Origins: []string{"https://good"}, Registerer: nil}
}

func start(t testing.TB, opt Options) (*fake, *httptest.Server) {
	t.Helper()
	f := &fake{hold: make(chan struct{}), inside: make(chan struct{}, 8), events: make(chan api.Event, 8)}
	s := New(f, opt)
	h := httptest.NewServer(s.Handler())
	t.Cleanup(func() { h.Close(); s.Close() })
	return f, h
}

func post(t testing.TB, url, body string, header ...string) (int, string) {
	t.Helper()
	req, err := http.NewRequest("POST", url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, _ := io.ReadAll(res.Body)
	return res.StatusCode, string(b)
}

// go-jsonrpc knows exactly the methods of the list.
func TestMethodsAreRegistered(t *testing.T) {
	s := New(&fake{}, options())
	defer s.Close()
	var got, want []string
	for ns, v := range s.services() {
		typ := reflect.TypeOf(v)
		for i := range typ.NumMethod() {
			n := typ.Method(i).Name
			got = append(got, ns+"."+strings.ToLower(n[:1])+n[1:])
		}
	}
	for _, m := range api.Methods {
		want = append(want, m.Name)
	}
	sort.Strings(got)
	sort.Strings(want)
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("registered %v\nlisted     %v", got, want)
	}
}

func TestCalls(t *testing.T) {
	_, h := start(t, options())
	for _, c := range []struct{ body, want string }{
		{`{"jsonrpc":"2.0","id":1,"method":"lock.holder","params":{"lock":"/demo/lcg"}}`, `"t":1000`},
		{`{"jsonrpc":"2.0","id":"x","method":"lock.holder","params":["/demo/lcg"]}`, `"id":"x"`},
		{`{"jsonrpc":"2.0","id":1,"method":"lock.holder","params":["/no"]}`, `"code":1001`},
		{`{"jsonrpc":"2.0","id":1,"method":"lock.holder","params":{"lok":1}}`, `"code":-32602`},
		{`{"jsonrpc":"2.0","id":1,"method":"lock.what"}`, `"code":-32601`},
		{`{"jsonrpc":"2.0","id":1,"method":"node.status"}`, `"code":-32603`}, // panics inside
		{`{"jsonrpc":"2.0","id":1,"method":"tx.wait","params":["a",0.05]}`, `"code":1008`},
		{`{"jsonrpc":"2.0","id":1,"method":"tx.wait","params":["a",1e9]}`, `"code":-32602`},
		{`{"jsonrpc":"2.0","id":1,"method":"lock.watch","params":["/"]}`, `"code":1011`},
		{`{"jsonrpc":"2.0","id":1,"method":"admin.logLevel","params":["info"]}`, `"code":1007`},
		{`[{"jsonrpc":"2.0","id":1,"method":"lock.holder","params":["/demo/lcg"]},{"jsonrpc":"2.0","id":2,"method":"x"}]`, `"code":-32601`},
		{`nonsense`, `"code":-32700`},
		{`{"jsonrpc":"2.0"`, `"code":-32700`},
		{``, `"code":-32600`},
		{`[]`, `"code":-32600`},
		{`[1,2]`, `"code":-32700`},
		{`{"id":{"a":1},"method":"lock.holder"}`, `"code":-32700`},
	} {
		status, got := post(t, h.URL, c.body)
		if status != 200 || !strings.Contains(got, c.want) || !json.Valid([]byte(got)) {
			t.Errorf("%s\n gave %d %s\n want %s", c.body, status, got, c.want)
		}
	}
	if status, got := post(t, h.URL, `{"jsonrpc":"2.0","method":"lock.holder","params":["/demo/lcg"]}`); status != 204 || got != "" {
		t.Errorf("a notification: %d %s", status, got)
	}
	if _, got := post(t, h.URL, `{"id":1,"method":"admin.logLevel","params":["info"]}`, "Authorization", "Bearer secret"); !strings.Contains(got, `"ok":true`) {
		t.Errorf("with the token: %s", got)
	}
	if _, got := post(t, h.URL, `{"id":1,"method":"admin.logLevel","params":["info"]}`, "Authorization", "Bearer secreT"); !strings.Contains(got, `1007`) {
		t.Errorf("with a wrong token: %s", got)
	}
}

func TestBounds(t *testing.T) {
	f, h := start(t, options())
	proof := strings.Repeat("A", 2<<20)
	for name, c := range map[string]struct {
		body   string
		status int
		want   string
	}{
		"a large submit": {`{"method":"tx.submit","id":1,"params":{"transaction":"AAAA","attachments":["` + proof + `"]}}`, 200, `"id":"3 1"`},
		"a large read":   {`{"method":"lock.holder","id":1,"params":["` + proof + `"]}`, 413, "1006"},
		"method inside":  {`{"params":{"method":"tx.submit","x":"` + proof + `"}}`, 413, "1006"},
		"method last":    {`{"params":["` + proof + `"],"method":"tx.submit"}`, 413, "1006"},
		"a large batch":  {`[{"method":"tx.submit","id":1,"params":["` + proof + `"]}]`, 413, "1006"},
		"a huge submit":  {`{"method":"tx.submit","id":1,"params":["` + strings.Repeat("A", maxLargeBody) + `"]}`, 413, fmt.Sprintf("a proof has %d bytes at most", lockspace.MaxProof)},
		"nested":         {strings.Repeat("[", 1000), 413, "1006"},
		"nested objects": {strings.Repeat(`{"a":`, 17) + strings.Repeat("}", 17), 413, "1006"},
		"many":           {`[1,2,3,4]`, 503, "1006"},
	} {
		status, got := post(t, h.URL, c.body)
		if status != c.status || !strings.Contains(got, c.want) {
			t.Errorf("%s: %d %.200s", name, status, got)
		}
	}
	// Four blocked calls fill the node; the fifth is told so; afterwards there is room again.
	done := make(chan string, 4)
	for range 4 {
		go func() {
			res, err := http.Post(h.URL, "", strings.NewReader(`{"id":1,"method":"lock.get","params":["/"]}`))
			if err != nil {
				done <- err.Error()
				return
			}
			res.Body.Close()
			done <- ""
		}()
	}
	for range 4 {
		<-f.inside
	}
	if _, got := post(t, h.URL, `{"id":1,"method":"lock.holder","params":["/demo/lcg"]}`); !strings.Contains(got, "1005") {
		t.Error(got)
	}
	close(f.hold)
	for range 4 {
		if e := <-done; e != "" {
			t.Error(e)
		}
	}
	if _, got := post(t, h.URL, `{"id":1,"method":"lock.holder","params":["/demo/lcg"]}`); !strings.Contains(got, "1000") {
		t.Error(got)
	}
}

func TestHTTPEdges(t *testing.T) {
	_, h := start(t, options())
	if status, _ := post(t, h.URL, `{"id":1,"method":"lock.holder","params":["/demo/lcg"]}`, "Origin", "https://bad"); status != 403 {
		t.Errorf("a foreign origin: %d", status)
	}
	if status, _ := post(t, h.URL, `{"id":1,"method":"lock.holder","params":["/demo/lcg"]}`, "Origin", "https://good"); status != 200 {
		t.Errorf("the named origin: %d", status)
	}
	if status, _ := post(t, h.URL+"/other", `{}`); status != 404 {
		t.Errorf("another path: %d", status)
	}
	res, err := http.Get(h.URL + "/openrpc.json")
	if err != nil {
		t.Fatal(err)
	}
	b, _ := io.ReadAll(res.Body)
	res.Body.Close()
	if !bytes.Equal(b, api.Document) {
		t.Error("another document")
	}
	if res, _ = http.Get(h.URL); res.StatusCode != 405 {
		t.Errorf("GET: %d", res.StatusCode)
	}
}

// A body that trickles in is cut off by the body time-out.
func TestSlowBody(t *testing.T) {
	opt := options()
	opt.BodyTimeout = 50 * time.Millisecond
	s := New(&fake{}, opt)
	defer s.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go s.Serve(l)
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprintf(c, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{")
	b, _ := io.ReadAll(c) // ends because the server closes
	if !bytes.Contains(b, []byte("did not arrive")) {
		t.Errorf("got %q", b)
	}
}

// A long wait outlives the body time-out.
func TestWaitOutlivesBodyTimeout(t *testing.T) {
	opt := options()
	opt.BodyTimeout = 20 * time.Millisecond
	f := &fake{hold: make(chan struct{})}
	s := New(f, opt)
	defer s.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go s.Serve(l)
	_, got := post(t, "http://"+l.Addr().String(), `{"id":1,"method":"tx.wait","params":["a",0.3]}`)
	if !strings.Contains(got, "no receipt after 0.3 s") {
		t.Error(got)
	}
}

func TestWatch(t *testing.T) {
	f, h := start(t, options())
	url := "ws" + strings.TrimPrefix(h.URL, "http")
	dial := func() *websocket.Conn {
		c, _, err := websocket.DefaultDialer.Dial(url, nil)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	c := dial()
	read := func() api.Response {
		var r api.Response
		if err := c.ReadJSON(&r); err != nil {
			t.Fatal(err)
		}
		return r
	}
	f.events <- api.Event{Number: 11, Kind: "acquired", Path: "/demo/lcg"}
	if err := c.WriteMessage(websocket.TextMessage, []byte(`{"id":5,"method":"lock.watch","params":{"path":"/demo"}}`)); err != nil {
		t.Fatal(err)
	}
	if r := read(); r.ID != 5 || !strings.Contains(string(r.Result), `"subscription":1`) { // the answer comes first
		t.Fatalf("%+v", r)
	}
	if r := read(); r.Method != api.NotificationEvent || !strings.Contains(string(r.Params), `"number":11`) {
		t.Fatalf("%+v", r)
	}
	// Other calls go on over the same socket.
	_ = c.WriteMessage(websocket.TextMessage, []byte(`{"id":6,"method":"lock.holder","params":["/demo/lcg"]}`))
	if r := read(); r.ID != 6 || r.Error != nil {
		t.Fatalf("%+v", r)
	}
	// A number that is gone ends the watch with a sentence.
	_ = c.WriteMessage(websocket.TextMessage, []byte(`{"id":7,"method":"lock.watch","params":{"path":"/demo","from":1}}`))
	if r := read(); r.ID != 7 {
		t.Fatalf("%+v", r)
	}
	if r := read(); !strings.Contains(string(r.Params), "are gone") {
		t.Fatalf("%+v", r)
	}
	d := dial()
	defer d.Close()
	if _, res, err := websocket.DefaultDialer.Dial(url, nil); err == nil || res.StatusCode != 503 {
		t.Error("a third socket where two are allowed")
	}
	// A message over the bound ends the socket.
	_ = d.WriteMessage(websocket.TextMessage, bytes.Repeat([]byte(" "), maxBody+1))
	if _, _, err := d.ReadMessage(); err == nil {
		t.Error("a huge message went through")
	}
	// A nested one is refused and the socket lives.
	_ = c.WriteMessage(websocket.TextMessage, bytes.Repeat([]byte("["), 100))
	if r := read(); r.Error == nil || r.Error.Code != api.CodeTooLarge {
		t.Fatalf("%+v", r)
	}
	for i := range maxSubscriptions {
		_ = c.WriteMessage(websocket.TextMessage, []byte(`{"id":8,"method":"lock.watch","params":{"path":"/demo"}}`))
		if r := read(); r.Error != nil && i < maxSubscriptions-2 {
			t.Fatalf("%d: %+v", i, r)
		} else if r.Error == nil && i == maxSubscriptions-1 {
			t.Fatal("more watches than allowed")
		}
	}
}

func TestHealth(t *testing.T) {
	var reason error = fmt.Errorf("no quorum")
	h := httptest.NewServer(Health(func() error { return reason }, prometheus.NewRegistry()))
	defer h.Close()
	get := func(p string) int {
		res, err := http.Get(h.URL + p)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		return res.StatusCode
	}
	if a, b, c := get("/health/live"), get("/health/ready"), get("/metrics"); a != 200 || b != 503 || c != 200 {
		t.Error(a, b, c)
	}
	reason = nil
	if get("/health/ready") != 200 {
		t.Error("not ready")
	}
}

func FuzzInspect(f *testing.F) {
	f.Add([]byte(`{"method":"tx.submit"}`))
	f.Add([]byte(`[{"a":"\\\""},2]`))
	f.Add([]byte(`{"method`))
	f.Fuzz(func(t *testing.T, b []byte) {
		sh, err := inspect(b)
		if err != nil {
			return
		}
		var list []json.RawMessage
		if sh.batch && json.Unmarshal(b, &list) == nil && len(list) > sh.requests {
			t.Errorf("%d calls, counted %d", len(list), sh.requests)
		}
	})
}

func FuzzRequest(f *testing.F) {
	f.Add([]byte(`{"id":1,"method":"lock.holder","params":["/demo/lcg"]}`))
	f.Add([]byte(`[{"id":null,"method":"tx.submit","params":{"transaction":"AA=="}}]`))
	opt := options()
	opt.CallTimeout = time.Millisecond
	s := New(&fake{}, opt)
	f.Fuzz(func(t *testing.T, b []byte) {
		if bytes.Contains(b, []byte("tx.wait")) {
			return // waits its time by design
		}
		sh, err := inspect(b)
		if err != nil {
			return
		}
		_, _ = s.answer(t.Context(), &request{}, b, sh)
	})
}

func BenchmarkHolder(b *testing.B) {
	opt := options()
	opt.MaxInFlight = 256
	_, h := start(b, opt)
	body := `{"jsonrpc":"2.0","id":1,"method":"lock.holder","params":{"lock":"/demo/lcg"}}`
	tr := &http.Transport{MaxIdleConnsPerHost: 64}
	c := &http.Client{Transport: tr}
	b.SetParallelism(8)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			res, err := c.Post(h.URL, "application/json", strings.NewReader(body))
			if err != nil {
				b.Error(err)
				return
			}
			_, _ = io.Copy(io.Discard, res.Body)
			res.Body.Close()
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "calls/s")
}

// Who may call what: the token opens admin calls, from this host unless the operator says otherwise, and reads where
// they are closed.
func TestRights(t *testing.T) {
	open, closed, remote := options(), options(), options()
	closed.ReadToken, remote.RemoteAdmin = true, true
	for _, c := range []struct {
		opt          Options
		token, local bool
		name         string
		want         bool
	}{
		{open, false, true, "lock.holder", true},
		{open, false, true, "admin.readOnly", false},
		{open, true, true, "admin.readOnly", true},
		{open, true, false, "admin.readOnly", false},
		{open, false, false, "admin.readOnly", false},
		{remote, true, false, "admin.readOnly", true},
		{remote, false, false, "admin.readOnly", false},
		{closed, false, true, "lock.holder", false},
		{closed, true, false, "lock.holder", true},
	} {
		s := New(&fake{}, c.opt)
		err := s.allowed(&request{token: c.token, local: c.local}, c.name)
		if (err == nil) != c.want || (err != nil && api.CodeOf(err) != api.CodeToken) {
			t.Errorf("%+v: %v", c, err)
		}
		s.Close()
	}
	// Without a token of its own a server takes none.
	opt := options()
	opt.Token = ""
	_, h := start(t, opt)
	if _, got := post(t, h.URL, `{"id":1,"method":"admin.logLevel","params":["info"]}`, "Authorization", "Bearer "); !strings.Contains(got, "1007") {
		t.Error(got)
	}
}
