package sim_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/switchhook/switchhook/pkg/config"
	"github.com/switchhook/switchhook/services/pbxsim/dialect"
	"github.com/switchhook/switchhook/services/pbxsim/ledger"
	"github.com/switchhook/switchhook/services/pbxsim/sim"
)

const everything = `
tenants:
  - name: acme
    region: CZ
    exchanges:
      - {vendor: ipex, webhook: {username: webhook, password: secret-ipex}}
      - {vendor: mcn, webhook: {account_id: 10123, secret: secret-mcn}}
      - {vendor: xvb, webhook: {access_code: secret-xvb}}
  - name: globex
    region: RU
    exchanges:
      - {vendor: xvb, webhook: {crm_token: secret-family, path_secret: secret-path}}
`

var secrets = []string{"secret-", "c2VjcmV0"} // the second is how Basic begins to write the first

// options returns a run of so many calls that needs only a target.
func options(t testing.TB, target string, calls int64) sim.Options {
	t.Helper()
	c, err := config.Parse([]byte(everything))
	if err != nil {
		t.Fatal(err)
	}
	o := sim.Options{
		Seed: 1, Start: time.Date(2026, 1, 5, 8, 0, 0, 0, time.UTC), Teams: 4, Calls: calls, Connections: 8,
		Timeout: 5 * time.Second, Targets: map[string]*url.URL{},
	}
	for _, tenant := range c.Tenants {
		for _, configured := range tenant.Exchanges {
			e, err := dialect.New(configured)
			if err != nil {
				t.Fatal(err)
			}
			o.Exchanges = append(o.Exchanges, e)
			if o.Targets[e.Vendor], err = url.Parse(target + "/" + e.Vendor); err != nil {
				t.Fatal(err)
			}
		}
	}
	return o
}

// run returns the ledger of a run.
func run(ctx context.Context, t *testing.T, o sim.Options) ([]ledger.Entry, error) {
	t.Helper()
	var b bytes.Buffer
	w := ledger.NewWriter(&b)
	err := sim.Run(ctx, o, w, &sim.Stats{})
	for _, secret := range secrets {
		if strings.Contains(b.String(), secret) {
			t.Errorf("want no credential in the ledger, have %q", secret)
		}
	}
	return read(t, &b), err
}

func read(t *testing.T, in io.Reader) []ledger.Entry {
	t.Helper()
	var all []ledger.Entry
	for e, err := range ledger.Read(in) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, e)
	}
	return all
}

// of returns the entries of one type.
func of[T ledger.Entry](entries []ledger.Entry) []T {
	var some []T
	for _, e := range entries {
		if e, ok := e.(T); ok {
			some = append(some, e)
		}
	}
	return some
}

// ingress answers everything with an id of its own, and keeps what it got.
type ingress struct {
	*httptest.Server
	mu       sync.Mutex
	requests []string
}

func newIngress(t testing.TB) *ingress {
	i := &ingress{}
	i.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		i.mu.Lock()
		defer i.mu.Unlock()
		i.requests = append(i.requests, fmt.Sprintf("%s %s %s %s %s %s %s", r.Header.Get("Date"), r.Method, r.URL, r.Header.Get("Authorization"),
			r.Header.Get("X-Xvb-Ac"), r.Header.Get("X-Crm-Token"), body))
		fmt.Fprintf(w, `{"id":"e%d"}`, len(i.requests))
	}))
	t.Cleanup(i.Close)
	return i
}

// taken returns the requests so far, sorted.
func (i *ingress) taken() []string {
	i.mu.Lock()
	defer i.mu.Unlock()
	return slices.Sorted(slices.Values(i.requests))
}

func TestSameRequestsWhateverTheConnections(t *testing.T) {
	var want []string
	for _, connections := range []int{1, 7, 16} {
		i := newIngress(t)
		o := options(t, i.URL, 200)
		o.Connections = connections
		o.Chaos = sim.Chaos{Duplicate: 0.1, Reorder: 0.1, Delay: 0.1, Malformed: 0.1}
		if _, err := run(t.Context(), t, o); err != nil {
			t.Fatal(err)
		}
		have := i.taken()
		if want == nil {
			want = have
		}
		if !slices.Equal(have, want) {
			t.Errorf("%d connections: want the %d requests of one connection, have %d others", connections, len(want), len(have))
		}
	}
	if len(want) < 800 {
		t.Errorf("want some requests a call, have %d of 200 calls", len(want))
	}
}

// TestOneAfterTheOther checks that what belongs together is sent in order, each after the answer to the one before, and
// that the ledger has all of it.
func TestOneAfterTheOther(t *testing.T) {
	i := newIngress(t)
	entries, err := run(t.Context(), t, options(t, i.URL, 300))
	if err != nil {
		t.Fatal(err)
	}
	last := map[int64]*ledger.Sent{}
	for _, s := range of[*ledger.Sent](entries) {
		before := last[s.Call]
		if before == nil && s.Seq != 0 || before != nil && s.Seq != before.Seq+1 {
			t.Errorf("call %d: request %d follows %+v", s.Call, s.Seq, before)
		}
		if before != nil && s.SentAt.Before(before.AnsweredAt) {
			t.Errorf("call %d: request %d is sent before the one before is answered", s.Call, s.Seq)
		}
		if s.Status != 200 || len(s.IDs) != 1 {
			t.Errorf("call %d, request %d: have status %d, ids %v", s.Call, s.Seq, s.Status, s.IDs)
		}
		last[s.Call] = s
	}
	calls := of[*ledger.Call](entries)
	numbers := map[int64]bool{}
	for _, c := range calls {
		numbers[c.Call] = true
		if c.Requests != last[c.Call].Seq+1 || c.Cut {
			t.Errorf("call %d: want %d requests, have %d, cut %v", c.Call, last[c.Call].Seq+1, c.Requests, c.Cut)
		}
	}
	if len(calls) != 300 || !numbers[1] || !numbers[300] {
		t.Errorf("want calls 1 to 300, have %d", len(calls))
	}
	if len(of[*ledger.Agent](entries)) == 0 {
		t.Error("want agents in the ledger, have none")
	}
	done, requests := of[*ledger.Done](entries), int64(len(i.taken()))
	if len(done) != 1 || done[0].Calls != 300 || done[0].Requests != requests || done[0].Statuses["200"] != requests {
		t.Errorf("have %+v for %d requests", done, requests)
	}
	if runs := of[*ledger.Run](entries); len(runs) != 1 || runs[0] != entries[0] {
		t.Errorf("want the run first, have %v", entries[0])
	}
}

func TestChaosIsInTheLedger(t *testing.T) {
	i := newIngress(t)
	o := options(t, i.URL, 500)
	o.Chaos = sim.Chaos{Duplicate: 0.05, Reorder: 0.05, Delay: 0.05, Malformed: 0.05}
	entries, err := run(t.Context(), t, o)
	if err != nil {
		t.Fatal(err)
	}
	have := map[string]int{}
	sent := of[*ledger.Sent](entries)
	for _, s := range sent {
		kind, _, _ := strings.Cut(s.Chaos, "/")
		have[kind]++
		if kind == "malformed" != (s.Want != 200) {
			t.Errorf("call %d, request %d: chaos %q wants %d", s.Call, s.Seq, s.Chaos, s.Want)
		}
	}
	for _, kind := range []string{"duplicate", "reorder", "delay", "malformed"} {
		if have[kind] < len(sent)/50 || have[kind] > len(sent)/6 {
			t.Errorf("%s: want about 5 to 10 of 100, have %d of %d", kind, have[kind], len(sent))
		}
	}
}

// TestAgentsComeFirst checks that chaos leaves agents where they are, and that their truth is written once.
func TestAgentsComeFirst(t *testing.T) {
	i := newIngress(t)
	o := options(t, i.URL, 100)
	o.Chaos = sim.Chaos{Duplicate: 1, Reorder: 0.5, Delay: 0.5}
	entries, err := run(t.Context(), t, o)
	if err != nil {
		t.Fatal(err)
	}
	called, requests := map[int64]bool{}, 0
	for _, s := range of[*ledger.Sent](entries) {
		if s.Agent == "" {
			called[s.Call] = true
			continue
		}
		requests++
		if called[s.Call] || s.Chaos == "reorder" || s.Chaos == "delay" {
			t.Errorf("call %d: want agents first and in order, have %+v", s.Call, s)
		}
	}
	if agents := len(of[*ledger.Agent](entries)); agents == 0 || requests != 2*agents {
		t.Errorf("want two requests for each thing that agents did, have %d for %d", requests, agents)
	}
}

// TestExtensions checks that no extension is at two exchanges of a tenant.
func TestExtensions(t *testing.T) {
	i := newIngress(t)
	entries, err := run(t.Context(), t, options(t, i.URL, 300))
	if err != nil {
		t.Fatal(err)
	}
	at := map[string]string{}
	for _, c := range of[*ledger.Call](entries) {
		for _, extension := range c.Rang {
			extension += " of " + c.Tenant
			if other, ok := at[extension]; ok && other != c.Exchange {
				t.Errorf("%s is at %s and at %s", extension, other, c.Exchange)
			}
			at[extension] = c.Exchange
		}
	}
	if len(at) < 20 {
		t.Errorf("want some extensions, have %v", at)
	}
}

// TestSpeed checks that time passes in a call as it should, in a sequence and no faster.
func TestSpeed(t *testing.T) {
	for name, clock := range map[string]bool{"call": false, "clock": true} {
		t.Run(name, func(t *testing.T) { checkSpeed(t, clock) })
	}
}

func checkSpeed(t *testing.T, clock bool) {
	t.Helper()
	i := newIngress(t)
	o := options(t, i.URL, 8)
	o.Speed, o.Clock = 2000, clock
	entries, err := run(t.Context(), t, o)
	if err != nil {
		t.Fatal(err)
	}
	first := map[int64]*ledger.Sent{}
	for _, s := range of[*ledger.Sent](entries) {
		if first[s.Call] == nil {
			first[s.Call] = s
		}
		least := time.Duration(float64(s.At.Sub(first[s.Call].At)) / o.Speed)
		// The first request itself may have been sent late.
		if took := s.SentAt.Sub(first[s.Call].SentAt) + 20*time.Millisecond; took < least {
			t.Errorf("call %d, request %d: want at least %v after the first, have %v", s.Call, s.Seq, least, took)
		}
	}
}

func TestRate(t *testing.T) {
	i := newIngress(t)
	o := options(t, i.URL, 21)
	o.Rate = 100
	began := time.Now()
	if _, err := run(t.Context(), t, o); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took < 200*time.Millisecond {
		t.Errorf("want 21 calls at 100 a second to take 200 ms, have %v", took)
	}
}

// TestClock checks that without a start, calls happen when they are sent.
func TestClock(t *testing.T) {
	i := newIngress(t)
	o := options(t, i.URL, 16)
	o.Start = time.Time{}
	began := time.Now().Add(-time.Second)
	entries, err := run(t.Context(), t, o)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range of[*ledger.Call](entries) {
		if c.Start.Before(began) || c.Start.After(began.Add(time.Minute)) {
			t.Errorf("call %d: want it to start now, have %v", c.Call, c.Start)
		}
	}
}

// BenchmarkRun is how fast the simulation can go: the server does nothing but answer.
func BenchmarkRun(b *testing.B) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_ = json.NewEncoder(w).Encode(map[string]string{"id": "0198c0de-0000-7000-8000-000000000000"})
	}))
	defer server.Close()
	o := options(b, server.URL, 20_000)
	o.Connections, o.Teams = 64, 64
	var requests int64
	for b.Loop() {
		stats := &sim.Stats{}
		if err := sim.Run(b.Context(), o, ledger.NewWriter(io.Discard), stats); err != nil {
			b.Fatal(err)
		}
		requests += stats.Requests()
	}
	b.ReportMetric(float64(requests)/b.Elapsed().Seconds(), "requests/s")
}
