package bus_test

import (
	"fmt"
	"maps"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/switchhook/switchhook/pkg/bus"
	"github.com/switchhook/switchhook/pkg/bustest"
	"github.com/switchhook/switchhook/pkg/event"
	"github.com/switchhook/switchhook/pkg/fault"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// Messages of both streams are sent side by side, and each gets an acknowledgement of its own.
func TestSend(t *testing.T) {
	b := bustest.Start(t).Bus()
	ctx := within(t, 10*time.Second)
	want := map[string]int{}
	var waits []func() error
	for range 300 {
		id := event.NewID()
		want[id] = 1
		waits = append(waits, b.Send(ctx, newEvent(id)))
	}
	for range 3 {
		q := &pbxv1.Quarantined{Id: event.NewID(), Vendor: "ipex", Tenant: "acme", Service: "ingress"}
		waits = append(waits, b.Send(ctx, q), b.Send(ctx, q)) // the second is passed over
	}
	for _, wait := range waits {
		if err := wait(); err != nil {
			t.Error(err)
		}
	}
	if have := ids(t, b); !maps.Equal(want, have) {
		t.Errorf("want %d events once each, have %v", len(want), have)
	}
	quarantined := 0
	for range b.Quarantined(ctx, bus.Filter{}) {
		quarantined++
	}
	if quarantined != 3 {
		t.Errorf("want 3 quarantined, have %d", quarantined)
	}
}

func TestSendFails(t *testing.T) {
	server := bustest.Start(t)
	b := server.Bus()
	nobody := newEvent(event.NewID())
	nobody.Tenant = "no tenant"
	for name, m := range map[string]proto.Message{"subject": nobody, "kind": &pbxv1.Call{}, "nil": nil} {
		if err := b.Send(within(t, time.Second), m)(); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: want it invalid, have %v", name, err)
		}
	}
	server.Stop()
	bustest.Eventually(t, "a bus without a server", func() bool { return !b.Connected() })
	for name, m := range map[string]proto.Message{
		"event":       newEvent(event.NewID()),
		"quarantined": &pbxv1.Quarantined{Id: event.NewID(), Vendor: "ipex", Tenant: "acme", Service: "ingress"},
	} {
		if err := b.Send(within(t, 200*time.Millisecond), m)(); !fault.Is(err, fault.Unavailable) {
			t.Errorf("%s: want it unavailable, have %v", name, err)
		}
	}
}

func TestKnown(t *testing.T) {
	b := bustest.Start(t).Bus()
	ctx := within(t, 30*time.Second)
	ask := func(stream string, since time.Time, want ...string) {
		t.Helper()
		ids := map[string]bool{"never stored": true}
		for i := range 5 {
			ids[fmt.Sprint("id-", i)] = true
		}
		have, err := b.Known(ctx, stream, since, ids)
		if err != nil {
			t.Fatal(err)
		}
		wanted := map[string]bool{}
		for _, id := range want {
			wanted[id] = true
		}
		if !maps.Equal(wanted, have) {
			t.Errorf("%s since %v: want %v, have %v", stream, since, wanted, have)
		}
	}
	ask(bus.EventStream, time.Time{})
	before := time.Now()
	for i := range 3 {
		if err := b.Publish(ctx, newEvent(fmt.Sprint("id-", i)), newEvent(fmt.Sprint("other-", i))); err != nil {
			t.Fatal(err)
		}
	}
	all := stored(t, b)
	ask(bus.EventStream, before.Add(-time.Minute), "id-0", "id-1", "id-2")
	ask(bus.EventStream, all[2].At, "id-1", "id-2")
	ask(bus.EventStream, all[len(all)-1].At.Add(time.Nanosecond))
	ask(bus.EventStream, time.Now().Add(time.Hour))

	// The last ones of the quarantine are often deleted.
	for i := range 4 {
		q := &pbxv1.Quarantined{Id: fmt.Sprint("id-", i), Vendor: "ipex", Tenant: "acme", Service: "ingress"}
		if err := b.Quarantine(ctx, q); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{"id-0", "id-1", "id-2", "id-3"}
	for sequence := len(want); sequence > 0; sequence-- {
		ask(bus.QuarantineStream, before.Add(-time.Minute), want[:sequence]...)
		if err := b.DeleteQuarantined(ctx, uint64(sequence)); err != nil {
			t.Fatal(err)
		}
	}
	ask(bus.QuarantineStream, before.Add(-time.Minute))
}

func TestDuplicateWindow(t *testing.T) {
	server := bustest.Start(t)
	have, err := server.Bus().DuplicateWindow(t.Context(), bus.EventStream)
	if want := bustest.Streams.DuplicateWindow; want != have || err != nil {
		t.Errorf("want %v, have %v %v", want, have, err)
	}
	if _, err := server.Connect().DuplicateWindow(t.Context(), "NONE"); !fault.Is(err, fault.Unavailable) {
		t.Errorf("want it unavailable where there is no stream, have %v", err)
	}
}
