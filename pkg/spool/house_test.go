package spool_test

import (
	"context"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/oklog/run"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/switchhook/switchhook/pkg/bus"
	"github.com/switchhook/switchhook/pkg/bustest"
	"github.com/switchhook/switchhook/pkg/event"
	"github.com/switchhook/switchhook/pkg/fault"
	"github.com/switchhook/switchhook/pkg/logtest"
	"github.com/switchhook/switchhook/pkg/spool"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

func newEvent() *pbxv1.Event {
	return &pbxv1.Event{
		Id: event.NewID(), Vendor: "ipex", Tenant: "acme", Exchange: "prague",
		Time: timestamppb.Now(), ReceivedAt: timestamppb.Now(),
		Payload: &pbxv1.Event_Call{Call: &pbxv1.Call{Kind: pbxv1.Call_RINGING, Key: "1.1", Extension: "20"}},
	}
}

func newQuarantined() *pbxv1.Quarantined {
	return &pbxv1.Quarantined{Id: event.NewID(), Vendor: "ipex", Tenant: "acme", Service: "ingress", Error: "unknown"}
}

// lossy is a bus that loses acknowledgements: what is stored, it says, may not be.
type lossy struct {
	*bus.Bus
	publish, send atomic.Bool
}

func (l *lossy) lost(err error, lose *atomic.Bool) error {
	if err == nil && lose.Load() {
		return fault.New(fault.Unavailable, "the acknowledgement is lost")
	}
	return err
}

func (l *lossy) Publish(ctx context.Context, events ...*pbxv1.Event) error {
	return l.lost(l.Bus.Publish(ctx, events...), &l.publish)
}

func (l *lossy) Quarantine(ctx context.Context, q *pbxv1.Quarantined) error {
	return l.lost(l.Bus.Quarantine(ctx, q), &l.publish)
}

func (l *lossy) Send(ctx context.Context, m proto.Message) func() error {
	wait := l.Bus.Send(ctx, m)
	return func() error { return l.lost(wait(), &l.send) }
}

// house is a spool in front of a server.
type house struct {
	t       *testing.T
	server  *bustest.Server
	bus     *lossy
	folder  string
	options spool.Options
	spool   *spool.Spool
	metrics *prometheus.Registry
	log     *logtest.Log
	stop    func()
}

func newHouse(t *testing.T, change func(*spool.Options)) *house {
	t.Helper()
	h := &house{t: t, server: bustest.Start(t), folder: t.TempDir(), log: &logtest.Log{}, stop: func() {}}
	h.bus = &lossy{Bus: h.server.Bus()}
	h.options = spool.Options{
		Folder: h.folder, Bus: h.bus, Last: 10 * time.Second, Log: slog.New(slog.NewTextHandler(h.log, nil)),
	}
	if change != nil {
		change(&h.options)
	}
	h.open()
	t.Cleanup(func() {
		h.stop()
		h.spool.Close()
	})
	return h
}

// open opens the spool, without the drainer.
func (h *house) open() {
	h.t.Helper()
	h.metrics = prometheus.NewRegistry()
	h.options.Metrics = h.metrics
	var err error
	if h.spool, err = spool.Open(h.options); err != nil {
		h.t.Fatal(err)
	}
}

// drain starts the drainer.
func (h *house) drain() {
	h.stop = bustest.Run(h.t, func(g *run.Group) { g.Add(h.spool.Drain()) })
}

// restart ends the process, as far as the spool can tell, and starts another.
func (h *house) restart() {
	h.stop()
	h.spool.Close()
	h.open()
}

func (h *house) publish(events ...*pbxv1.Event) error {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), 5*time.Second)
	defer cancel()
	return h.spool.Publish(ctx, events...)
}

func (h *house) mustPublish(events ...*pbxv1.Event) {
	h.t.Helper()
	if err := h.publish(events...); err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) metric(name string) float64 {
	h.t.Helper()
	families, err := h.metrics.Gather()
	if err != nil {
		h.t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "switchhook_spool_"+name {
			return f.GetMetric()[0].GetGauge().GetValue() + f.GetMetric()[0].GetCounter().GetValue()
		}
	}
	h.t.Fatalf("want metric %s, have none", name)
	return 0
}

func (h *house) wantMetrics(want map[string]float64) {
	h.t.Helper()
	for name, want := range want {
		if have := h.metric(name); want != have {
			h.t.Errorf("%s: want %v, have %v", name, want, have)
		}
	}
}

func (h *house) awaitEmpty() {
	h.t.Helper()
	bustest.Eventually(h.t, "an empty spool", func() bool { return h.metric("records") == 0 })
}

// wantOnce demands that the stream holds just these events, once each.
func (h *house) wantOnce(want ...*pbxv1.Event) {
	h.t.Helper()
	counts := map[string]int{}
	for s, err := range h.server.Connect().Events(h.t.Context(), bus.Filter{}) {
		if err != nil {
			h.t.Fatal(err)
		}
		counts[s.Message.GetId()]++
	}
	for _, ev := range want {
		if counts[ev.GetId()] != 1 {
			h.t.Errorf("%s: want it stored once, have it %d times", ev.GetId(), counts[ev.GetId()])
		}
	}
	if len(counts) != len(want) {
		h.t.Errorf("want %d events, have %d", len(want), len(counts))
	}
}

// window sets how long JetStream remembers ids.
func (h *house) window(d time.Duration) {
	h.t.Helper()
	_, js := h.server.Raw()
	for _, name := range []string{bus.EventStream, bus.QuarantineStream} {
		stream, err := js.Stream(h.t.Context(), name)
		if err != nil {
			h.t.Fatal(err)
		}
		c := stream.CachedInfo().Config
		c.Duplicates = d
		if _, err := js.UpdateStream(h.t.Context(), c); err != nil {
			h.t.Fatal(err)
		}
	}
}

// forget makes JetStream forget the ids that it knows, and remember new ones for two minutes.
func (h *house) forget() {
	h.t.Helper()
	_, js := h.server.Raw()
	send := func() uint64 {
		ack, err := js.Publish(h.t.Context(), "pbx.quarantine.ipex.probe.ingress", nil, jetstream.WithMsgID("probe"))
		if err != nil {
			h.t.Fatal(err)
		}
		return ack.Sequence
	}
	// What was stored before it is forgotten before it.
	first, window := send(), 100*time.Millisecond
	bustest.Eventually(h.t, "ids forgotten", func() bool {
		window += time.Millisecond // a change makes the server look what it may forget
		h.window(window)
		return send() != first
	})
	h.window(2 * time.Minute)
}
