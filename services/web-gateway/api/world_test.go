package api_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/oklog/run"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/crypto/bcrypt"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/switchhook/switchhook/pkg/bus"
	"github.com/switchhook/switchhook/pkg/bustest"
	"github.com/switchhook/switchhook/pkg/config"
	"github.com/switchhook/switchhook/pkg/event"
	"github.com/switchhook/switchhook/pkg/fault"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
	"github.com/switchhook/switchhook/services/web-gateway/api"
	"github.com/switchhook/switchhook/services/web-gateway/tokens"
)

const (
	oldKey, newKey, globexKey = "acme-key-2025", "acme-key-2026", "globex-key"
	password                  = "correct horse"
	crm, globexCRM            = "https://crm.acme.example", "https://crm.globex.example"
)

// world is a gateway's API on a real NATS server, with two tenants that look alike, and the services that it asks.
type world struct {
	t        *testing.T
	bus      *bus.Bus
	agents   *bus.Table[*pbxv1.AgentStatus]
	calls    *bus.Table[*pbxv1.CallStatus]
	missed   *bus.Table[*pbxv1.MissedCall]
	keys     *tokens.Keyring
	stream   *api.Stream
	settings atomic.Pointer[tokens.Settings]
	began    time.Time
	ahead    atomic.Int64 // by how much the clock, which stands, was put forward
	server   *httptest.Server
	done     chan struct{}
	log      *record

	mu    sync.Mutex
	asked []proto.Message // what the other services were asked
	day   int32           // what the figures say
}

// record keeps what is logged.
type record struct {
	mu sync.Mutex
	bytes.Buffer
}

func (r *record) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.Buffer.Write(p)
}

func (r *record) text() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.String()
}

func newWorld(t *testing.T) *world {
	t.Helper()
	t.Parallel()
	b := bustest.Start(t).Bus()
	w := &world{
		t: t, bus: b, agents: b.Agents(bustest.Replicas), calls: b.Calls(bustest.Replicas),
		missed: b.MissedCalls(bustest.Replicas), stream: api.NewStream(100), done: make(chan struct{}), log: &record{}, day: 7,
		began: time.Now(),
		keys:  tokens.NewKeyring(tokens.KeyringOptions{Bus: b, Replicas: bustest.Replicas}),
	}
	w.configure("karel", "boss")
	bustest.Run(t, func(g *run.Group) {
		g.Add(w.agents.Maintain())
		g.Add(w.calls.Maintain())
		g.Add(w.missed.Maintain())
		g.Add(b.Serve("others", "What the API asks.",
			bus.Answer(event.QueryAgentStatistics, w.statistics), bus.Answer(event.QueryMissedCallAct, w.act)))
		w.keys.Join(g)
	})
	bustest.Eventually(t, "the tables loaded", func() bool {
		return w.agents.Loaded() && w.calls.Loaded() && w.missed.Loaded() && w.keys.Ready() == nil
	})
	handler := api.New(api.Options{
		Keys: w.keys, Settings: w.settings.Load, Agents: w.agents, Calls: w.calls, MissedCalls: w.missed, Asker: b,
		Events: w.stream, Quarantine: b, Log: slog.New(slog.NewTextHandler(w.log, nil)), Metrics: prometheus.NewRegistry(),
		Now: w.now, Done: w.done,
	})
	w.server = httptest.NewServer(handler)
	t.Cleanup(w.server.Close)
	w.populate()
	return w
}

var passwordHash = sync.OnceValue(func() string {
	hash, err := bcrypt.GenerateFromPassword([]byte(password), 10)
	if err != nil {
		panic(err)
	}
	return string(hash)
})

func digest(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:])
}

// configure configures the tenants; who is named may log in at acme.
func (w *world) configure(people ...string) {
	w.t.Helper()
	var logins []string
	for _, login := range people {
		logins = append(logins, fmt.Sprintf("{login: %s, password: %q, rights: [calls, commands, wallboard, events]}",
			login, passwordHash()))
	}
	c, err := config.Parse(fmt.Appendf(nil, `
tenants:
  - name: acme
    region: CZ
    exchanges: [{vendor: xvb}]
    agents:
      people: [{name: Karel Novák, login: karel, email: karel@acme.example, extensions: ["20"]}, {name: Door, extensions: ["90"]}]
    web:
      api_keys: [{name: old, sha256: %s}, {name: new, sha256: %s}]
      origins: [%q]
      people: [%s]
  - name: globex
    region: CZ
    exchanges: [{vendor: xvb}]
    web:
      api_keys: [{name: only, sha256: %s}]
      origins: [%q]
`, digest(oldKey), digest(newKey), crm, strings.Join(logins, ", "), digest(globexKey), globexCRM))
	if err != nil {
		w.t.Fatal(err)
	}
	s, err := tokens.Read(c)
	if err != nil {
		w.t.Fatal(err)
	}
	w.settings.Store(s)
}

func (w *world) now() time.Time { return w.began.Add(time.Duration(w.ahead.Load())) }

func (w *world) pass(d time.Duration) { w.ahead.Add(int64(d)) }

// populate gives both tenants rows of the same ids, so that what leaks is seen by its name alone.
func (w *world) populate() {
	w.t.Helper()
	for _, tenant := range []string{"acme", "globex"} {
		put(w, w.agents, tenant+".jana", agent(tenant, "jana", pbxv1.AgentState_AVAILABLE))
		put(w, w.calls, tenant+".c1", &pbxv1.CallStatus{
			Tenant: tenant, Id: "c1", Vendor: "xvb", StartedAt: timestamppb.Now(), Ringing: []string{"20"},
			Call: &pbxv1.Call{Kind: pbxv1.Call_RINGING, Key: tenant + "-key", Queue: tenant + "-queue"},
		})
		put(w, w.missed, tenant+".m1", missedCall(tenant, "m1"))
		resolved := missedCall(tenant, "m0")
		resolved.ResolvedAt = timestamppb.Now()
		put(w, w.missed, tenant+".m0", resolved)
	}
}

func agent(tenant, login string, state pbxv1.AgentState) *pbxv1.AgentStatus {
	return &pbxv1.AgentStatus{
		Tenant: tenant, Id: login, Name: tenant + "-" + login, User: &pbxv1.User{Login: login}, Extensions: []string{"30"},
		State: state, Since: timestamppb.Now(),
	}
}

func missedCall(tenant, id string) *pbxv1.MissedCall {
	return &pbxv1.MissedCall{
		Kind: pbxv1.MissedCall_OPENED, Id: id, CallKeys: []string{tenant + "-key"}, Queue: tenant + "-queue",
		From: &pbxv1.Party{Number: "777123456", E164: "+420777123456"}, OpenedAt: timestamppb.Now(), Attempts: 1,
	}
}

// put writes a row, whatever it was.
func put[T interface {
	comparable
	proto.Message
}](w *world, table *bus.Table[T], key string, value T) {
	w.t.Helper()
	if _, err := table.Put(w.t.Context(), key, value, table.Get(key).Revision); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) noteAsked(question proto.Message) int32 {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked = append(w.asked, proto.Clone(question))
	return w.day
}

func (w *world) lastAsked() proto.Message {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.asked[len(w.asked)-1]
}

func (w *world) statistics(_ context.Context, q *pbxv1.AgentStatisticsRequest) (*pbxv1.AgentStatisticsResponse, error) {
	figure := w.noteAsked(q)
	if q.GetDay() == "2020-01-31" {
		return nil, fault.New(fault.NotFound, "nothing is known of that day")
	}
	return &pbxv1.AgentStatisticsResponse{Statistics: &pbxv1.DayStatistics{
		Tenant: q.GetTenant(), Day: "2026-01-31", Queues: []*pbxv1.QueueDay{{Queue: q.GetTenant() + "-queue", AnsweredWithin: figure}},
		Agents: []*pbxv1.AgentDay{{Id: "jana", Outgoing: 1, States: []*pbxv1.StateTime{{State: pbxv1.AgentState_PAUSED, Times: 1}}}},
	}}, nil
}

func (w *world) act(_ context.Context, q *pbxv1.MissedCallActRequest) (*pbxv1.MissedCallActResponse, error) {
	w.noteAsked(q)
	switch q.GetId() {
	case "m1":
		entry := missedCall(q.GetTenant(), "m1")
		entry.ClaimedBy, entry.Note = q.GetUser(), q.GetNote()
		return &pbxv1.MissedCallActResponse{MissedCall: entry}, nil
	case "taken":
		return nil, fault.New(fault.Conflict, "jana has claimed it")
	}
	return nil, fault.New(fault.NotFound, "there is no such entry")
}

// token returns an access token with rights; all, if none are given.
func (w *world) token(tenant, login string, rights ...tokens.Right) string {
	w.t.Helper()
	if len(rights) == 0 {
		rights = tokens.AllRights()
	}
	return w.tokenOf(tokens.Identity{Tenant: tenant, Type: tokens.Login, Value: login}, rights...)
}

func (w *world) tokenOf(who tokens.Identity, rights ...tokens.Right) string {
	w.t.Helper()
	signed, _, err := w.keys.Mint(w.now(), tokens.Access, who, rights, time.Minute)
	if err != nil {
		w.t.Fatal(err)
	}
	return signed
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func (a answer) json(t *testing.T, into any) {
	t.Helper()
	if err := json.Unmarshal(a.body, into); err != nil {
		t.Fatalf("want JSON, have %q: %v", a.body, err)
	}
}

// send sends a request. Headers are pairs of name and value; Host sets the host.
func (w *world) send(method, path, body string, headers ...string) answer {
	w.t.Helper()
	r := w.request(w.t.Context(), method, path, body, headers...)
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return answer{response.StatusCode, response.Header, data}
}

func (w *world) request(ctx context.Context, method, path, body string, headers ...string) *http.Request {
	w.t.Helper()
	r, err := http.NewRequestWithContext(ctx, method, w.server.URL+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			r.Host = headers[i+1]
		} else {
			r.Header.Set(headers[i], headers[i+1])
		}
	}
	return r
}

func (w *world) get(path, token string) answer {
	w.t.Helper()
	return w.send(http.MethodGet, path, "", "Authorization", "Bearer "+token)
}

// sse is one server-sent event; comments have the name ":".
type sse struct{ name, id, data string }

// listener reads a stream.
type listener struct {
	t      *testing.T
	events chan sse
	cancel context.CancelFunc
}

// listen opens a stream.
func (w *world) listen(path, token string, headers ...string) *listener {
	w.t.Helper()
	ctx, cancel := context.WithCancel(w.t.Context())
	w.t.Cleanup(cancel)
	r := w.request(ctx, http.MethodGet, path, "", append(headers, "Authorization", "Bearer "+token)...)
	response, err := http.DefaultClient.Do(r) //nolint:bodyclose // whoever reads the stream closes it
	if err != nil {
		w.t.Fatal(err)
	}
	if response.StatusCode != http.StatusOK || response.Header.Get("Content-Type") != "text/event-stream" {
		w.t.Fatalf("want a stream, have %s of %s", response.Status, response.Header.Get("Content-Type"))
	}
	l := &listener{w.t, make(chan sse, 1000), cancel}
	go l.read(response.Body)
	return l
}

// read reads a stream until it ends.
func (l *listener) read(body io.ReadCloser) {
	defer body.Close()
	defer close(l.events)
	var next sse
	for lines := bufio.NewScanner(body); lines.Scan(); {
		field, value, _ := strings.Cut(lines.Text(), ": ")
		switch field {
		case "":
			if next != (sse{}) && next.name != ":" {
				l.events <- next
			}
			next = sse{}
		case "event":
			next.name = value
		case "id":
			next.id = value
		case "data":
			next.data = value
		}
	}
}

// next returns the next event.
func (l *listener) next() sse {
	l.t.Helper()
	select {
	case e, open := <-l.events:
		if !open {
			l.t.Fatal("want an event, have the end of the stream")
		}
		return e
	case <-time.After(10 * time.Second):
		l.t.Fatal("want an event, have none in 10 s")
	}
	return sse{}
}

// ended waits for the end of the stream.
func (l *listener) ended() {
	l.t.Helper()
	for {
		select {
		case _, open := <-l.events:
			if !open {
				return
			}
		case <-time.After(10 * time.Second):
			l.t.Fatal("want the end of the stream, have it open")
		}
	}
}
