package derive_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/switchhook/switchhook/pkg/bus"
	"github.com/switchhook/switchhook/pkg/bustest"
	"github.com/switchhook/switchhook/pkg/derive"
	"github.com/switchhook/switchhook/pkg/fault"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// pause lets nobody hear anything who hears now, until resume.
func pause(t *testing.T, server *bustest.Server) (resume func()) {
	t.Helper()
	_, js := server.Raw()
	stream, err := js.Stream(t.Context(), bus.EventStream)
	if err != nil {
		t.Fatal(err)
	}
	var paused []string
	for name := range stream.ConsumerNames(t.Context()).Name() { // those of this test's readers are gone, or do no harm
		_, err = stream.PauseConsumer(t.Context(), name, time.Now().Add(time.Minute))
		if err != nil && !errors.Is(err, jetstream.ErrConsumerNotFound) {
			t.Fatal(err)
		}
		paused = append(paused, name)
	}
	return func() {
		for _, name := range paused {
			_, _ = stream.ResumeConsumer(t.Context(), name)
		}
	}
}

// A replica that wakes up and has not heard that another published what it has waiting does not publish it again, though
// JetStream has forgotten its id.
func TestDeafReplica(t *testing.T) {
	t.Parallel()
	server := bustest.Start(t)
	b := server.Bus()
	remember(t, server, 100*time.Millisecond)
	var slow clock
	slow.stop()
	deaf := start(t, server.Connect(), func(o *derive.Options, _ *core) { o.Now = slow.now })
	call(t, b, "acme", "first", pbxv1.Call_NEW, time.Now())
	bustest.Eventually(t, "the event read", func() bool { return ask(deaf, applied) == 1 })
	resume := pause(t, server)
	other := start(t, server.Connect(), nil)
	eventually(t, b, "first")
	forgotten := time.Now().Add(500 * time.Millisecond)
	bustest.Eventually(t, "its id forgotten", func() bool { return time.Now().After(forgotten) })

	slow.run()
	bustest.Eventually(t, "the deaf replica to try", func() bool { return deaf.metric(t, "conflicts_total") > 0 })
	if have := published(t, b, "acme"); have != "first" || deaf.Active("acme") {
		t.Errorf("want nothing published by who hears nothing, have %s", have)
	}
	resume()
	bustest.Eventually(t, "nothing waiting", func() bool { return deaf.has("first") && deaf.metric(t, "changes_waiting") == 0 })
	if deaf.Active("acme") || !other.Active("acme") {
		t.Error("want the other replica active, which published it")
	}
}

// A replica that does not hear that the call was answered does not publish that it rang for too long.
func TestDeafToTime(t *testing.T) {
	t.Parallel()
	server := bustest.Start(t)
	b := server.Bus()
	r := start(t, server.Connect(), nil)
	call(t, b, "acme", "first", pbxv1.Call_NEW, time.Now())
	bustest.Eventually(t, "the replica active", func() bool { return r.Active("acme") && r.has("first") })
	call(t, b, "acme", "second", pbxv1.Call_RINGING, time.Now().Add(time.Second))
	bustest.Eventually(t, "it ringing", func() bool { return ask(r, applied) == 3 })
	resume := pause(t, server)
	call(t, b, "acme", "second", pbxv1.Call_ANSWERED, time.Now())
	bustest.Eventually(t, "the replica to try", func() bool { return r.metric(t, "conflicts_total") > 0 })
	resume()
	bustest.Eventually(t, "it answered", func() bool { return ask(r, applied) == 4 })
	call(t, b, "acme", "third", pbxv1.Call_NEW, time.Now())
	eventually(t, b, "first third")
}

// What time brought, and is acknowledged, is neither published again nor overlooked by people before it is read back.
func TestDeafToItself(t *testing.T) {
	t.Parallel()
	server := bustest.Start(t)
	b := server.Bus()
	remember(t, server, 100*time.Millisecond)
	r := start(t, server.Connect(), nil)
	call(t, b, "acme", "first", pbxv1.Call_NEW, time.Now())
	bustest.Eventually(t, "the replica active", func() bool { return r.Active("acme") && r.has("first") })
	call(t, b, "acme", "second", pbxv1.Call_RINGING, time.Now().Add(time.Second))
	bustest.Eventually(t, "it ringing", func() bool { return ask(r, applied) == 3 })
	resume := pause(t, server)
	eventually(t, b, "first second")
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	made := false
	err := r.Publish(ctx, "acme", func() (*pbxv1.Event, error) { made = true; return r.core.counts(), nil })
	if !fault.Is(err, fault.Unavailable) || made {
		t.Errorf("want people to wait until it is read back, have %v, made %v", err, made)
	}
	if have := r.metric(t, "conflicts_total"); have != 0 {
		t.Errorf("want it published once, have %v conflicts", have)
	}
	resume()
	bustest.Eventually(t, "it read back", func() bool { return r.has("second") })
}
