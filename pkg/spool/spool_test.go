package spool_test

import (
	"context"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel/propagation"

	"github.com/switchhook/switchhook/pkg/bus"
	"github.com/switchhook/switchhook/pkg/bustest"
	"github.com/switchhook/switchhook/pkg/fault"
	"github.com/switchhook/switchhook/pkg/spool"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// While JetStream is there the disk has nothing to do.
func TestStraight(t *testing.T) {
	h := newHouse(t, nil)
	h.drain()
	ev := newEvent()
	h.mustPublish(ev)
	h.wantOnce(ev)
	h.wantMetrics(map[string]float64{"records": 0, "bytes": 0, "oldest_seconds": 0, "written_total": 0, "drained_total": 0})
}

// While JetStream is away what comes is taken, quickly, and is in the streams soon after it is back, in the traces of its
// requests.
func TestAway(t *testing.T) {
	h := newHouse(t, nil)
	h.drain()
	h.server.Stop()
	const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	var want []*pbxv1.Event
	for range 600 {
		want = append(want, newEvent())
	}
	began := time.Now()
	var group sync.WaitGroup
	for _, ev := range want {
		group.Go(func() {
			if err := h.publish(ev); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	several := []*pbxv1.Event{newEvent(), newEvent()}
	h.mustPublish(several...)
	want = append(want, several...)
	ctx := propagation.TraceContext{}.Extract(t.Context(), propagation.MapCarrier{"traceparent": traceparent})
	q := newQuarantined()
	if err := h.spool.Quarantine(ctx, q); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took > 4*time.Second {
		t.Errorf("want answers at once, have them after %v", took)
	}
	h.wantMetrics(map[string]float64{"records": 603, "written_total": 603, "drained_total": 0, "refused_total": 0})
	if h.metric("oldest_seconds") <= 0 || h.metric("bytes") <= 0 {
		t.Error("want an age and a size of what waits")
	}
	h.server.Restart()
	h.awaitEmpty()
	h.wantOnce(want...)
	h.wantMetrics(map[string]float64{"bytes": 0, "oldest_seconds": 0, "drained_total": 603})
	for s, err := range h.bus.Quarantined(t.Context(), bus.Filter{}) {
		if err != nil || s.Message.GetId() != q.GetId() {
			t.Errorf("want the quarantined request, have %v %v", s.Message, err)
		}
		if have := strings.Join(s.Headers["traceparent"], ""); !strings.Contains(have, "0af7651916cd43dd8448eb211c80319c") {
			t.Errorf("want it in the trace of its request, have %q", have)
		}
	}
	ev := newEvent()
	h.mustPublish(ev)
	h.wantOnce(append(want, ev)...)
	h.wantMetrics(map[string]float64{"written_total": 603})
}

// What was stored though its acknowledgement was lost is not stored again, also when JetStream has forgotten its id: whoever
// sent it, this process or one before, the ingress or the drainer.
func TestForgotten(t *testing.T) {
	tests := map[string]func(h *house){
		"sent by the ingress": func(h *house) {
			h.forget()
			h.window(time.Second) // so that what was written is old enough soon
			bustest.Eventually(h.t, "some time to pass", func() bool { return h.metric("oldest_seconds") > 0.7 })
			h.drain()
		},
		"sent by an ingress that is gone": func(h *house) {
			h.forget()
			h.restart()
			h.drain()
		},
		"sent by a drainer that is gone": func(h *house) {
			h.bus.send.Store(true)
			h.drain()
			bustest.Eventually(h.t, "an attempt", func() bool { return strings.Contains(h.log.String(), "not stored") })
			h.restart()
			h.bus.send.Store(false)
			h.forget()
			h.drain()
		},
	}
	for name, drain := range tests {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, func(o *spool.Options) { o.Last = time.Nanosecond })
			h.bus.publish.Store(true)
			stored, q := []*pbxv1.Event{newEvent(), newEvent()}, newQuarantined()
			h.mustPublish(stored...) // and told that perhaps it is not
			if err := h.spool.Quarantine(t.Context(), q); err != nil {
				t.Fatal(err)
			}
			h.bus.publish.Store(false)
			more := newEvent()
			h.mustPublish(more) // behind: to the disk at once
			h.wantMetrics(map[string]float64{"records": 4})
			drain(h)
			h.awaitEmpty()
			h.wantOnce(append(stored, more)...)
			count := 0
			for s, err := range h.bus.Quarantined(t.Context(), bus.Filter{}) {
				if err == nil && s.Message.GetId() == q.GetId() {
					count++
				}
			}
			if count != 1 {
				t.Errorf("want the quarantined request once, have it %d times", count)
			}
		})
	}
}

// The disk is full, and JetStream away: nothing is accepted. As soon as either takes it, it is.
func TestFull(t *testing.T) {
	h := newHouse(t, func(o *spool.Options) { o.MaxBytes, o.Patience = 16<<10, 20*time.Millisecond })
	h.drain()
	accepted := []*pbxv1.Event{newEvent()}
	h.mustPublish(accepted...)
	if err := h.spool.Ready(); err != nil {
		t.Errorf("want it ready with JetStream, have %v", err)
	}
	h.server.Stop()
	var err error
	for len(accepted) < 1000 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		ev := newEvent()
		err = h.spool.Publish(ctx, ev)
		cancel()
		if err != nil {
			break
		}
		accepted = append(accepted, ev)
	}
	if !fault.Is(err, fault.Unavailable) {
		t.Errorf("want it unavailable, have %v", err)
	}
	if err == nil || !strings.Contains(err.Error(), "full") || len(accepted) < 10 {
		t.Fatalf("want a full spool, have %v after %d events", err, len(accepted))
	}
	h.wantMetrics(map[string]float64{"refused_total": 1, "records": float64(len(accepted) - 1)})
	bustest.Eventually(t, "a full spool not ready", func() bool { return h.spool.Ready() != nil })
	h.server.Restart()
	ev := newEvent()
	h.mustPublish(ev)
	h.awaitEmpty()
	h.wantOnce(append(accepted, ev)...)
}

// A process that never met JetStream is not ready, whatever its disk can take; one that did stays ready.
func TestReady(t *testing.T) {
	h := newHouse(t, nil)
	h.server.Stop()
	h.restart()
	if h.spool.Ready() == nil {
		t.Error("want a process that never met JetStream not ready")
	}
	h.drain()
	ev := newEvent()
	h.mustPublish(ev)
	h.server.Restart()
	h.awaitEmpty()
	bustest.Eventually(t, "a process that is ready", func() bool { return h.spool.Ready() == nil })
	h.server.Stop()
	bustest.Eventually(t, "a bus that is not ready", func() bool { return h.bus.Ready() != nil })
	if err := h.spool.Ready(); err != nil {
		t.Errorf("want it ready while the disk takes events, have %v", err)
	}
}

// Interrupted, the drainer goes on while something waits, but not for ever; what is left is the next process's.
func TestInterrupted(t *testing.T) {
	h := newHouse(t, func(o *spool.Options) { o.Last = 300 * time.Millisecond })
	h.drain()
	h.server.Stop()
	first, second := newEvent(), newEvent()
	h.mustPublish(first)
	h.restart() // ends without having drained
	if !strings.Contains(h.log.String(), "the next process in this folder goes on") {
		t.Errorf("want a word on what is left, have %s", h.log)
	}
	h.wantMetrics(map[string]float64{"records": 1})
	h.mustPublish(second)
	h.server.Restart()
	bustest.Eventually(t, "a connection", h.bus.Connected)
	h.spool.Close()
	h.options.Last = 10 * time.Second
	h.open()
	h.drain()
	h.stop() // drains all
	h.wantMetrics(map[string]float64{"records": 0, "drained_total": 2})
	h.wantOnce(first, second)
}

// What JetStream could never take is refused at once, and does not wait for ever.
func TestInvalid(t *testing.T) {
	h := newHouse(t, nil)
	h.server.Stop()
	ev, q := newEvent(), newQuarantined()
	ev.Tenant, q.Tenant = "no tenant", "no tenant"
	for name, err := range map[string]error{"event": h.publish(ev), "quarantined": h.spool.Quarantine(t.Context(), q)} {
		if !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: want it invalid, have %v", name, err)
		}
	}
	h.wantMetrics(map[string]float64{"records": 0, "refused_total": 0})
}

// A message that the server refuses for good is set aside, and holds up no other.
func TestRefusedForGood(t *testing.T) {
	h := newHouse(t, nil)
	h.server.Stop()
	large, small := newEvent(), newEvent()
	large.Attributes = map[string]string{"large": strings.Repeat("x", 2<<20)} // a server takes 1 MiB
	h.mustPublish(large, small)
	h.server.Restart()
	h.drain()
	h.awaitEmpty()
	h.wantOnce(small)
	if have, err := filepath.Glob(filepath.Join(h.folder, "events", "*.refused-*")); err != nil || len(have) != 1 {
		t.Errorf("want it in a file of its own, have %v %v", have, err)
	}
	h.wantMetrics(map[string]float64{"drained_total": 1})
	if !strings.Contains(h.log.String(), large.GetId()) {
		t.Errorf("want its id in the log, have %s", h.log)
	}
}

// A folder is one process's.
func TestLocked(t *testing.T) {
	h := newHouse(t, nil)
	o := h.options
	o.Metrics = nil
	if _, err := spool.Open(o); err == nil || !strings.Contains(err.Error(), "another process") {
		t.Errorf("want a second one refused, have %v", err)
	}
}
