package deliver_test

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/switchhook/switchhook/pkg/bus"
	"github.com/switchhook/switchhook/pkg/bustest"
	"github.com/switchhook/switchhook/pkg/config"
	"github.com/switchhook/switchhook/pkg/event"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
	"github.com/switchhook/switchhook/services/missed-call/deliver"
	"github.com/switchhook/switchhook/services/missed-call/settings"
)

// secret signs the messages of webhooks.
const secret = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="

// world is a bus, a clock that may be put forward, and replicas that hear the same events.
type world struct {
	t      *testing.T
	server *bustest.Server
	bus    *bus.Bus

	ahead atomic.Int64 // a duration

	mu       sync.Mutex
	stored   []stored
	replicas []*replica
}

type stored struct {
	at time.Time
	ev *pbxv1.Event
}

type replica struct {
	*deliver.Deliverer
	bus     *bus.Bus
	stop    func()
	metrics *prometheus.Registry
}

func newWorld(t *testing.T) *world {
	t.Helper()
	server := bustest.Start(t)
	return &world{t: t, server: server, bus: server.Bus()}
}

func (w *world) now() time.Time { return time.Now().Add(time.Duration(w.ahead.Load())) }

// forward puts the clock forward.
func (w *world) forward(d time.Duration) { w.ahead.Add(int64(d)) }

// set sets the clock, which goes on from there.
func (w *world) set(at time.Time) { w.forward(at.Sub(w.now())) }

// options are those of a replica, for a test to change.
func (w *world) options() deliver.Options {
	return deliver.Options{
		Bus: w.server.Connect(), Log: slog.New(slog.DiscardHandler), Replicas: bustest.Replicas, Now: w.now,
		Metrics: prometheus.NewRegistry(), Lease: 3 * time.Second, Patience: 100 * time.Millisecond,
	}
}

// start starts a replica that has caught up with all events.
func (w *world) start(yaml string, change ...func(*deliver.Options)) *replica {
	w.t.Helper()
	o := w.options()
	for _, c := range change {
		c(&o)
	}
	d, err := deliver.New(o, read(w.t, yaml))
	if err != nil {
		w.t.Fatal(err)
	}
	r := &replica{Deliverer: d, bus: o.Bus, metrics: o.Metrics.(*prometheus.Registry)}
	r.stop = bustest.Run(w.t, d.Join)
	bustest.Eventually(w.t, "the buckets read", d.Loaded)
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.stored {
		d.Apply(s.at, proto.CloneOf(s.ev))
	}
	d.CaughtUp()
	w.replicas = append(w.replicas, r)
	return r
}

// standby is an option of a replica that is not the active one.
func standby(o *deliver.Options) { o.Active = func(string) bool { return false } }

// tell has all replicas hear of an entry.
func (w *world) tell(entry *pbxv1.MissedCall) {
	s := stored{w.now(), &pbxv1.Event{Id: event.NewID(), Tenant: "acme", Vendor: "ipex", Payload: &pbxv1.Event_MissedCall{MissedCall: entry}}}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stored = append(w.stored, s)
	for _, r := range w.replicas {
		r.Apply(s.at, proto.CloneOf(s.ev))
	}
}

// open returns an entry that was opened now.
func (w *world) open(id string) *pbxv1.MissedCall {
	return &pbxv1.MissedCall{
		Kind: pbxv1.MissedCall_OPENED, Id: id, CallKeys: []string{id}, Attempts: 1, Vendor: "ipex", Exchange: "ipex",
		From: &pbxv1.Party{Number: "777888999", E164: "+420777888999"}, Reason: pbxv1.MissedCall_RANG_OUT,
		OpenedAt: timestamppb.New(w.now()), MissedAt: timestamppb.New(w.now()),
	}
}

func (w *world) resolved(entry *pbxv1.MissedCall, how pbxv1.MissedCall_Resolution) *pbxv1.MissedCall {
	entry = proto.CloneOf(entry)
	entry.Kind, entry.Resolution, entry.ResolvedAt = pbxv1.MissedCall_RESOLVED, how, timestamppb.New(w.now())
	return entry
}

// counted returns what the metrics say.
func (r *replica) counted(t *testing.T, channel, outcome string) float64 {
	t.Helper()
	families, err := r.metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, l.GetValue())
			}
			if f.GetName() == "switchhook_missed_call_alerts_total" && slices.Equal(labels, []string{channel, outcome, "acme"}) {
				return m.GetCounter().GetValue()
			}
		}
	}
	return 0
}

// records returns what the bucket says, by key.
func (w *world) records() map[string]*pbxv1.AlertRecord {
	w.t.Helper()
	_, js := w.server.Raw()
	kv, err := js.KeyValue(w.t.Context(), "pbx_alerts")
	if err != nil {
		w.t.Fatal(err)
	}
	keys, err := kv.ListKeys(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	all := make(map[string]*pbxv1.AlertRecord)
	for key := range keys.Keys() {
		entry, err := kv.Get(w.t.Context(), key)
		if err != nil {
			w.t.Fatal(err)
		}
		all[key] = new(pbxv1.AlertRecord)
		if err := proto.Unmarshal(entry.Value(), all[key]); err != nil {
			w.t.Fatal(err)
		}
	}
	return all
}

// count returns how many records are in a state.
func (w *world) count(state pbxv1.AlertRecord_State) (n int) {
	for _, rec := range w.records() {
		if rec.GetState() == state {
			n++
		}
	}
	return n
}

// put writes a record, as a replica that is no more may have.
func (w *world) put(key string, rec *pbxv1.AlertRecord) {
	w.t.Helper()
	_, js := w.server.Raw()
	kv, err := js.KeyValue(w.t.Context(), "pbx_alerts")
	if err != nil {
		w.t.Fatal(err)
	}
	data, err := proto.Marshal(rec)
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := kv.Put(w.t.Context(), key, data); err != nil {
		w.t.Fatal(err)
	}
}

// quarantined returns what is in the quarantine.
func (w *world) quarantined() (all []*pbxv1.Quarantined) {
	w.t.Helper()
	for s, err := range w.bus.Quarantined(w.t.Context(), bus.Filter{}) {
		if err != nil {
			w.t.Fatal(err)
		}
		all = append(all, s.Message)
	}
	return all
}

// read reads the settings of a tenant: its channels, and what stands under missed_calls.
func read(t testing.TB, yaml string) []settings.Tenant {
	t.Helper()
	c, err := config.Parse([]byte(`tenants:
  - name: acme
    region: CZ
    timezone: Europe/Prague
    agents: {people: [{login: karel, email: karel@acme.example, extensions: ["20"]}, {login: eva, extensions: ["21"]}]}
    exchanges: [{vendor: ipex}]
    channels:
` + yaml))
	if err != nil {
		t.Fatal(err)
	}
	tenants, err := settings.Read(c)
	if err != nil {
		t.Fatal(err)
	}
	return tenants
}

// routed is a configuration of webhooks, by name, and of what stands under missed_calls.
func routed(missed string, inboxes map[string]*inbox) string {
	text := ""
	for name, in := range inboxes {
		text += fmt.Sprintf("      - {type: webhook, name: %s, url: %s, secret: %s}\n", name, in.URL, secret)
	}
	return text + "    missed_calls: " + missed + "\n"
}

// inbox is a program that gets messages by webhook.
type inbox struct {
	*httptest.Server

	mu       sync.Mutex
	answer   func(m message, n int) int // status; n counts from 1; nil is 200
	header   map[string]string
	messages []message
}

type message struct {
	id, kind string
	entries  []string
	text     string
	at       time.Time
}

func newInbox(t *testing.T, answer func(message, int) int) *inbox {
	in := &inbox{answer: answer}
	in.Server = httptest.NewServer(in)
	t.Cleanup(in.Close)
	return in
}

func (in *inbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	var posted struct {
		Type string
		Data struct {
			Text    string
			Entries []json.RawMessage
		}
	}
	if err := json.Unmarshal(body, &posted); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	m := message{
		id: r.Header.Get("Webhook-Id"), kind: strings.TrimPrefix(posted.Type, "missed_call."), text: posted.Data.Text, at: time.Now(),
	}
	for _, data := range posted.Data.Entries {
		entry := new(pbxv1.MissedCall)
		if err := protojson.Unmarshal(data, entry); err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		m.entries = append(m.entries, entry.GetId())
	}
	in.mu.Lock()
	in.messages = append(in.messages, m)
	n, answer := len(in.messages), in.answer
	for name, value := range in.header {
		w.Header().Set(name, value)
	}
	in.mu.Unlock()
	if answer != nil {
		w.WriteHeader(answer(m, n))
	}
}

// received returns what came, in order, as kinds and entries.
func (in *inbox) received() []string {
	in.mu.Lock()
	defer in.mu.Unlock()
	var all []string
	for _, m := range in.messages {
		all = append(all, m.kind+" "+strings.Join(m.entries, ","))
	}
	return all
}

func (in *inbox) ids() []string {
	in.mu.Lock()
	defer in.mu.Unlock()
	var all []string
	for _, m := range in.messages {
		all = append(all, m.id)
	}
	return all
}

// want waits until just these came.
func (in *inbox) want(t *testing.T, want ...string) {
	t.Helper()
	deadline := time.Now().Add(15 * time.Second)
	for tick := time.NewTicker(5 * time.Millisecond); ; <-tick.C {
		have := in.received()
		if slices.Equal(want, have) {
			return
		}
		if time.Now().After(deadline) || len(have) > len(want) {
			t.Fatalf("want %q, have %q", want, have)
		}
	}
}
