package rest_test

import (
	"bytes"
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
	"github.com/switchhook/switchhook/services/pbxsim/flow"
	"github.com/switchhook/switchhook/services/pbxsim/ledger"
	"github.com/switchhook/switchhook/services/pbxsim/rest"
	"github.com/switchhook/switchhook/services/pbxsim/sim"
)

const everything = `
tenants:
  - name: acme
    region: CZ
    agents: {people: [{name: Eva Malá, login: eva.mala, email: eva@acme.example, extensions: ["20", "21"]}]}
    exchanges:
      - vendor: ipex
        webhook: {username: webhook, password: secret-hook}
        api: {url: "https://api.example", auth_url: "https://auth.example/auth", username: me, password: secret-ipex}
      - vendor: mcn
        webhook: {account_id: 10123, secret: secret-hook}
        api: {url: "https://api.example/v2/rest/", token: secret-mcn, vpbx_id: 42}
      - vendor: xvb
        webhook: {access_code: secret-hook}
        api: {url: "https://pbx.example/crm-api", token: secret-xvb}
  - name: globex
    region: RU
    exchanges:
      - vendor: xvb
        webhook: {crm_token: secret-hook}
        api: {url: "https://pbx.example/crm-api", token: secret-family}
      - vendor: ipex
        webhook: {username: other, password: secret-other}
        api: {url: "https://api.example", auth_url: "https://auth.example/auth", username: they, password: secret-they}
      - {vendor: mcn, webhook: {account_id: 1, secret: secret-deaf}}
`

// world is a server of commands with an ingress that takes its webhooks.
type world struct {
	t      *testing.T
	url    string
	live   *sim.Live
	writer *ledger.Writer
	lines  lines
}

// lines is a ledger in memory.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// start serves everything. Calls go so many times as fast as in life.
func start(t *testing.T, speed float64, o rest.Options) *world {
	t.Helper()
	w := &world{t: t}
	ingress := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(out, `{"id":"%d"}`, time.Now().UnixNano())
	}))
	t.Cleanup(ingress.Close)
	target, _ := url.Parse(ingress.URL)
	if o.Lifetime == 0 {
		o.Lifetime = time.Hour
	}
	if o.Seed == 0 {
		o.Seed = longTalk()
	}
	o.Teams = 2
	w.writer = ledger.NewWriter(&w.lines)
	w.live = sim.NewLive(t.Context(), sim.Options{
		Seed: o.Seed, Speed: speed, Connections: 8, Timeout: 5 * time.Second,
		Targets: map[string]*url.URL{"ipex": target, "mcn": target, "xvb": target},
	}, w.writer, &sim.Stats{})
	server := httptest.NewServer(rest.New(o, configured(t), w.live, w.writer))
	t.Cleanup(func() {
		server.Close()
		if err := w.live.Close(); err != nil {
			t.Error(err)
		}
		if have := w.lines.b.String(); strings.Contains(have, "secret-") {
			t.Errorf("want no credential in the ledger, have %s", have)
		}
	})
	w.url = server.URL
	return w
}

// longTalk is a seed with which the first call is a long one, if it is answered, and IPEX speaks as in TestFates.
func longTalk() uint64 {
	outside, _ := flow.ReadNumber("777888990", "CZ")
	for seed := uint64(1); ; seed += 4 {
		c := flow.Click{Caller: &flow.Agent{}, Outside: outside}.Call(seed, sim.FirstLive, time.Time{})
		if c.Talk > 280*time.Second {
			return seed
		}
	}
}

func configured(t *testing.T) []*rest.Exchange {
	t.Helper()
	c, err := config.Parse([]byte(everything))
	if err != nil {
		t.Fatal(err)
	}
	var all []*rest.Exchange
	for _, tenant := range c.Tenants {
		for _, configured := range tenant.Exchanges {
			e, err := dialect.New(configured)
			if err != nil {
				t.Fatal(err)
			}
			x, err := rest.NewExchange(e, configured, flow.OwnNumber(tenant.Region, len(all)))
			if err != nil {
				t.Fatal(err)
			}
			if x != nil {
				all = append(all, x)
			}
		}
	}
	return all
}

// of returns the entries of one type in the ledger so far.
func of[T ledger.Entry](w *world) []T {
	w.t.Helper()
	_ = w.writer.Flush()
	w.lines.mu.Lock()
	text := bytes.Clone(w.lines.b.Bytes())
	w.lines.mu.Unlock()
	var some []T
	for e, err := range ledger.Read(bytes.NewReader(text)) {
		if err != nil {
			w.t.Fatal(err)
		}
		if e, ok := e.(T); ok {
			some = append(some, e)
		}
	}
	return some
}

// eventually waits until something is so.
func (w *world) eventually(what string, is func() bool) {
	w.t.Helper()
	tick, deadline := time.NewTicker(5*time.Millisecond), time.Now().Add(20*time.Second)
	defer tick.Stop()
	for ; !is(); <-tick.C {
		if time.Now().After(deadline) {
			w.t.Fatalf("want %s, have waited for it in vain", what)
		}
	}
}

// truths waits for the truth of so many calls.
func (w *world) truths(n int) []*ledger.Call {
	w.t.Helper()
	w.eventually(fmt.Sprint(n, " calls that are over"), func() bool { return len(of[*ledger.Call](w)) >= n })
	calls := of[*ledger.Call](w)
	slices.SortFunc(calls, func(a, b *ledger.Call) int { return int(a.Call - b.Call) })
	return calls
}

// told returns the vendor's events of a call, in the order of sending.
func (w *world) told(call int64) string {
	w.t.Helper()
	var names []string
	for _, s := range of[*ledger.Sent](w) {
		if s.Call == call {
			names = append(names, s.VendorEvent)
		}
	}
	return strings.Join(names, " ")
}

// request is a command as a client sends it.
type request struct {
	method, path, token, kind, body string
}

const (
	asJSON = "application/json"
	asForm = "application/x-www-form-urlencoded"
)

// send returns the answer: status 0 when the connection was dropped.
func (w *world) send(r request) (status int, body string) {
	w.t.Helper()
	out, err := http.NewRequestWithContext(w.t.Context(), r.method, w.url+r.path, strings.NewReader(r.body))
	if err != nil {
		w.t.Fatal(err)
	}
	if r.token != "" {
		out.Header.Set("Authorization", "Bearer "+r.token)
	}
	if r.kind != "" {
		out.Header.Set("Content-Type", r.kind)
	}
	response, err := http.DefaultClient.Do(out)
	if err != nil {
		return 0, ""
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return response.StatusCode, string(answer)
}

// want sends a request that must be answered with a status, and returns the object of the answer.
func (w *world) want(status int, r request) map[string]any {
	w.t.Helper()
	have, body := w.send(r)
	if have != status {
		w.t.Fatalf("%s %s %s: want %d, have %d %s", r.method, r.path, r.body, status, have, body)
	}
	var object map[string]any
	_ = json.Unmarshal([]byte(body), &object)
	return object
}
