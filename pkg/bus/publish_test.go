package bus_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/switchhook/switchhook/pkg/bus"
	"github.com/switchhook/switchhook/pkg/bustest"
	"github.com/switchhook/switchhook/pkg/event"
	"github.com/switchhook/switchhook/pkg/fault"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

func newEvent(id string) *pbxv1.Event {
	return &pbxv1.Event{
		Id: id, Vendor: "ipex", Tenant: "acme", Exchange: "prague", VendorEvent: "Ringing",
		Time:       timestamppb.New(time.Unix(1767323045, 0)),
		ReceivedAt: timestamppb.New(time.Unix(1767323045, 0)),
		Payload:    &pbxv1.Event_Call{Call: &pbxv1.Call{Kind: pbxv1.Call_RINGING, Key: "1 ü.1", Extension: "20"}},
	}
}

func within(t *testing.T, limit time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	return ctx
}

// stored returns what the event stream holds.
func stored(t *testing.T, b *bus.Bus) (all []bus.Stored[*pbxv1.Event]) {
	t.Helper()
	for s, err := range b.Events(within(t, 10*time.Second), bus.Filter{}) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
	return all
}

// ids counts how often each id is stored.
func ids(t *testing.T, b *bus.Bus) map[string]int {
	t.Helper()
	counts := make(map[string]int)
	for _, s := range stored(t, b) {
		counts[s.Message.GetId()]++
	}
	return counts
}

func TestPublish(t *testing.T) {
	b := bustest.Start(t).Bus()
	ev := newEvent(event.NewID())
	if err := b.Publish(within(t, 5*time.Second), ev); err != nil {
		t.Fatal(err)
	}
	all := stored(t, b)
	if len(all) != 1 {
		t.Fatalf("want 1 event, have %d", len(all))
	}
	have := all[0]
	if want := "pbx.events.ipex.acme.call.ringing"; want != have.Subject {
		t.Errorf("want subject %q, have %q", want, have.Subject)
	}
	if !proto.Equal(ev, have.Message) {
		t.Errorf("want %v, have %v", ev, have.Message)
	}
	headers := map[string]string{
		"Nats-Msg-Id": ev.GetId(), "Content-Type": "application/protobuf", "ce-id": ev.GetId(), "ce-specversion": "1.0",
		"ce-source": "/ipex/acme/prague", "ce-type": "pbx.v1.call.ringing", "ce-time": "2026-01-02T03:04:05Z",
		"ce-subject": "1%20%C3%BC.1",
	}
	for name, want := range headers {
		if have := nats.Header(have.Headers).Get(name); want != have {
			t.Errorf("header %s: want %q, have %q", name, want, have)
		}
	}
	if have := nats.Header(have.Headers).Get("traceparent"); len(have) != len("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01") {
		t.Errorf("want a W3C trace context, have %q", have)
	}
}

// publishTogether publishes each of the events as often as told, all at once.
func publishTogether(t *testing.T, b *bus.Bus, times map[string]int) {
	t.Helper()
	var group sync.WaitGroup
	for id, n := range times {
		for range n {
			group.Go(func() {
				if err := b.Publish(within(t, 10*time.Second), newEvent(id)); err != nil {
					t.Error(err)
				}
			})
		}
	}
	group.Wait()
	have := ids(t, b)
	if len(have) != len(times) {
		t.Errorf("want %d events, have %d", len(times), len(have))
	}
	for id, n := range have {
		if n != 1 {
			t.Errorf("%s: want it once, have it %d times", id, n)
		}
	}
}

// Many callers at once share commits.
func TestPublishTogether(t *testing.T) {
	b := bustest.Start(t).Bus()
	once := make(map[string]int)
	for i := range 2000 {
		once[fmt.Sprintf("event-%d", i)] = 1
	}
	publishTogether(t, b, once)
	together := 0
	for _, s := range stored(t, b) {
		if nats.Header(s.Headers).Get("Nats-Batch-Id") != "" {
			together++
		}
	}
	if together == 0 {
		t.Error("want some events stored in batches, have none")
	}
}

// An event that is stored already spoils the batch that it is in, and none of the batch's other events.
func TestPublishTogetherRepeated(t *testing.T) {
	b := bustest.Start(t).Bus()
	times := make(map[string]int)
	for i := range 1000 {
		times[fmt.Sprintf("event-%d", i)] = 1 + i%50/49
	}
	publishTogether(t, b, times)
}

func TestPublishSeveral(t *testing.T) {
	b := bustest.Start(t).Bus()
	if err := b.Publish(within(t, 5*time.Second), newEvent("a"), newEvent("b"), newEvent("c")); err != nil {
		t.Fatal(err)
	}
	if want, have := 3, len(stored(t, b)); want != have {
		t.Errorf("want %d events, have %d", want, have)
	}
}

func TestPublishInvalid(t *testing.T) {
	b := bustest.Start(t).Bus()
	hostile := newEvent("a")
	hostile.Tenant = "acme.call.*"
	for name, ev := range map[string]*pbxv1.Event{
		"no payload":     {Id: "a", Vendor: "ipex", Tenant: "acme"},
		"hostile tenant": hostile,
	} {
		if err := b.Publish(within(t, 5*time.Second), ev); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: want invalid, have %v", name, err)
		}
	}
}

// What JetStream did not acknowledge is an error, whatever the reason, and within the deadline.
func TestPublishNotAcknowledged(t *testing.T) {
	tests := map[string]func(*testing.T, *bustest.Server) *bus.Bus{
		"no stream": func(_ *testing.T, s *bustest.Server) *bus.Bus { return s.Connect() },
		"stream is full": func(t *testing.T, s *bustest.Server) *bus.Bus {
			b := s.Bus()
			_, js := s.Raw()
			limit(t, js, func(c *jetstream.StreamConfig) { c.MaxBytes, c.Discard = 1, jetstream.DiscardNew })
			return b
		},
		"nobody answers": func(t *testing.T, s *bustest.Server) *bus.Bus {
			b := s.Connect()
			nc, _ := s.Raw()
			if _, err := nc.Subscribe("pbx.>", func(*nats.Msg) {}); err != nil {
				t.Fatal(err)
			}
			if err := nc.Flush(); err != nil {
				t.Fatal(err)
			}
			return b
		},
		"server is gone": func(_ *testing.T, s *bustest.Server) *bus.Bus {
			b := s.Bus()
			s.Stop()
			return b
		},
		"bus is closed": func(_ *testing.T, s *bustest.Server) *bus.Bus {
			b, err := bus.Connect(bus.Options{URL: s.URL()})
			if err != nil {
				t.Fatal(err)
			}
			b.Close()
			return b
		},
	}
	for name, prepare := range tests {
		t.Run(name, func(t *testing.T) {
			b := prepare(t, bustest.Start(t))
			for what, publish := range map[string]func(context.Context) error{
				"event":      func(ctx context.Context) error { return b.Publish(ctx, newEvent("a"), newEvent("b")) },
				"quarantine": func(ctx context.Context) error { return b.Quarantine(ctx, newQuarantined("q")) },
			} {
				if name == "stream is full" && what == "quarantine" {
					continue // another stream
				}
				ctx := within(t, 200*time.Millisecond)
				if err := publish(ctx); !fault.Is(err, fault.Unavailable) {
					t.Errorf("%s: want unavailable, have %v", what, err)
				}
			}
			if b.Ready() == nil {
				t.Error("want a bus that is not ready, have one that is")
			}
		})
	}
}

func limit(t *testing.T, js jetstream.JetStream, set func(*jetstream.StreamConfig)) {
	t.Helper()
	stream, err := js.Stream(t.Context(), bus.EventStream)
	if err != nil {
		t.Fatal(err)
	}
	c := stream.CachedInfo().Config
	set(&c)
	if _, err := js.UpdateStream(t.Context(), c); err != nil {
		t.Fatal(err)
	}
}

// A publish that meets a restart of the server succeeds in the end, once.
func TestPublishThroughRestart(t *testing.T) {
	s := bustest.Start(t)
	b := s.Bus()
	s.Stop()
	outcome := make(chan error)
	go func() { outcome <- b.Publish(within(t, 10*time.Second), newEvent("a")) }()
	s.Restart()
	if err := <-outcome; err != nil {
		t.Fatal(err)
	}
	if want, have := 1, ids(t, b)["a"]; want != have {
		t.Errorf("want the event %d time, have it %d times", want, have)
	}
}

func TestPublishGivenUp(t *testing.T) {
	b := bustest.Start(t).Bus()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := b.Publish(ctx, newEvent("a")); !errors.Is(err, context.Canceled) {
		t.Errorf("want the context's error, have %v", err)
	}
}
