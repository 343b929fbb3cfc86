package sim_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/switchhook/switchhook/services/pbxsim/ledger"
	"github.com/switchhook/switchhook/services/pbxsim/sim"
)

// TestBadServer has connections dropped before and after the request is taken, and 503s.
func TestBadServer(t *testing.T) {
	var n atomic.Int64
	taken := map[string]int{}
	var mu sync.Mutex
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		mu.Lock()
		taken[r.URL.Path]++
		mu.Unlock()
		switch n.Add(1) % 10 {
		case 3:
			panic(http.ErrAbortHandler)
		case 6:
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusServiceUnavailable)
		default:
			fmt.Fprintf(w, `{"id":"e%d"}`, n.Load())
		}
	}))
	defer server.Close()
	o := options(t, server.URL, 100)
	o.Connections = 16
	entries, err := run(t.Context(), t, o)
	if err != nil {
		t.Fatal(err)
	}
	variants := map[int64]string{}
	for _, c := range of[*ledger.Call](entries) {
		variants[c.Call] = c.Variant
	}
	unanswered, refused, again := 0, 0, 0
	for _, s := range of[*ledger.Sent](entries) {
		switch {
		case s.Status == 0 && s.Error != "":
			unanswered++
		case s.Status == 503 && s.Error == "" && s.IDs == nil:
			refused++
		case s.Status != 200:
			t.Errorf("have %+v", s)
		}
		if s.Attempt > 1 {
			again++
			if !strings.HasPrefix(variants[s.Call], "composed") || s.Attempt > 4 {
				t.Errorf("want only the composed to try again, have attempt %d of %s", s.Attempt, variants[s.Call])
			}
		}
	}
	if unanswered == 0 || refused == 0 || again == 0 {
		t.Errorf("want all kinds of failure, have %d unanswered, %d refused, %d again", unanswered, refused, again)
	}
	server.Close() // and all that it still did
	for _, path := range []string{"/ipex/", "/mcn/", "/xvb/crm-api", "/xvb/crm-api/secret-path"} {
		if taken[path] == 0 {
			t.Errorf("want requests at %s, have them at %v", path, taken)
		}
	}
}

// TestGivesUp checks how often, and how long, an exchange tries.
func TestGivesUp(t *testing.T) {
	done := make(chan struct{})
	handlers := map[string]http.HandlerFunc{
		"503":   func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) },
		"hangs": func(http.ResponseWriter, *http.Request) { <-done },
	}
	for name, handler := range handlers {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(handler)
			defer server.Close()
			if name == "hangs" {
				defer close(done)
			}
			o := options(t, server.URL, 16)
			o.Connections, o.Timeout = 16, 20*time.Millisecond
			entries, err := run(t.Context(), t, o)
			if err != nil {
				t.Fatal(err)
			}
			most := 0
			for _, s := range of[*ledger.Sent](entries) {
				most = max(most, s.Attempt)
				if !s.Lost() || s.AnsweredAt.Sub(s.SentAt) > 2*time.Second {
					t.Errorf("want it given up soon, have %+v", s)
				}
			}
			if most != 4 {
				t.Errorf("want at most 4 attempts, have %d", most)
			}
		})
	}
}

// TestStop ends a run without an end.
func TestStop(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var n atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if n.Add(1) == 500 {
			cancel()
		}
		fmt.Fprintf(w, `{"id":"e%d"}`, n.Load())
	}))
	defer server.Close()
	entries, err := run(ctx, t, options(t, server.URL, 0))
	if err != nil {
		t.Fatal(err)
	}
	sent, cut := of[*ledger.Sent](entries), 0
	for _, s := range sent {
		if s.Status != 200 {
			t.Errorf("want each request under way finished, have %+v", s)
		}
	}
	begun := map[int64]bool{}
	for _, s := range sent {
		begun[s.Call] = true
	}
	for _, c := range of[*ledger.Call](entries) {
		delete(begun, c.Call)
		if c.Cut {
			cut++
		}
	}
	if len(begun) > 0 || cut == 0 || int64(len(sent)) != n.Load() {
		t.Errorf("want the truth of all calls, some of them cut; without truth: %v, cut: %d, sent %d of %d",
			begun, cut, len(sent), n.Load())
	}
	if _, ok := entries[len(entries)-1].(*ledger.Done); !ok {
		t.Errorf("want the figures last, have %+v", entries[len(entries)-1])
	}
}

func TestNobodyListens(t *testing.T) {
	server := httptest.NewServer(nil)
	server.Close()
	_, err := run(t.Context(), t, options(t, server.URL, 0))
	if err == nil || !strings.Contains(err.Error(), "nobody listens") || !strings.Contains(err.Error(), server.URL) {
		t.Errorf("want an error that says where nobody listens, have %v", err)
	}
}

func TestServerThatGoesAway(t *testing.T) {
	var n atomic.Int64
	var server *httptest.Server
	server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if n.Add(1) == 50 {
			go server.Close()
		}
		fmt.Fprint(w, `{"id":"e"}`)
	}))
	o := options(t, server.URL, 24)
	o.Connections = 16
	entries, err := run(t.Context(), t, o)
	if err != nil {
		t.Fatal(err)
	}
	if calls := of[*ledger.Call](entries); len(calls) != 24 {
		t.Errorf("want the truth of all 24 calls, have %d", len(calls))
	}
	lost := 0
	for _, s := range of[*ledger.Sent](entries) {
		if s.Lost() {
			lost++
		}
	}
	if lost == 0 {
		t.Error("want lost requests, have none")
	}
}

func TestWait(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	target := &url.URL{Scheme: "http", Host: listener.Addr().String()}
	if err := sim.Wait(t.Context(), map[string]*url.URL{"ipex": target}); err != nil {
		t.Errorf("want no error where somebody listens, have %v", err)
	}
	listener.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := sim.Wait(ctx, map[string]*url.URL{"ipex": target}); err == nil || !strings.Contains(err.Error(), target.Host) {
		t.Errorf("want an error that says where nobody listens, have %v", err)
	}
}

func TestLedgerThatCannotBeWritten(t *testing.T) {
	i := newIngress(t)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	err := sim.Run(ctx, options(t, i.URL, 0), ledger.NewWriter(full{}), &sim.Stats{})
	if err == nil || ctx.Err() != nil {
		t.Errorf("want the run to end with an error, have %v", err)
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, fmt.Errorf("disk full") }
