package bus_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/switchhook/switchhook/pkg/bus"
	"github.com/switchhook/switchhook/pkg/bustest"
	"github.com/switchhook/switchhook/pkg/event"
	"github.com/switchhook/switchhook/pkg/fault"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

func numbered(tenant string, number int) *pbxv1.Event {
	now := timestamppb.Now()
	return &pbxv1.Event{
		Id: event.NewID(), Time: now, ReceivedAt: now, Vendor: "xvb", Tenant: tenant,
		Payload: &pbxv1.Event_Call{Call: &pbxv1.Call{Kind: pbxv1.Call_NEW, Key: fmt.Sprint(number)}},
	}
}

// diary remembers what a follower saw.
type diary struct {
	mu       sync.Mutex
	keys     []string
	caughtUp int
}

func (d *diary) saw() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.keys)
}

func (d *diary) following() bus.Following {
	return bus.Following{
		Name: "test",
		Handle: func(s bus.Stored[*pbxv1.Event]) {
			d.mu.Lock()
			defer d.mu.Unlock()
			d.keys = append(d.keys, s.Message.GetCall().GetKey())
		},
		CaughtUp: func() {
			d.mu.Lock()
			defer d.mu.Unlock()
			d.caughtUp = len(d.keys)
		},
	}
}

func TestFollower(t *testing.T) {
	server := bustest.Start(t)
	b := server.Bus()
	publish := func(from, to int) {
		t.Helper()
		for i := from; i < to; i++ {
			if err := b.Publish(t.Context(), numbered("acme", i)); err != nil {
				t.Fatal(err)
			}
		}
	}
	publish(0, 10)
	nc, _ := server.Raw()
	if err := nc.Publish("pbx.events.xvb.acme.call.new", []byte{0xff}); err != nil { // no event
		t.Fatal(err)
	}
	var d diary
	execute, interrupt := server.Connect().Follow(d.following())
	background(t, execute, interrupt)
	bustest.Eventually(t, "10 events", func() bool { return len(d.saw()) == 10 })
	publish(10, 20)
	bustest.Eventually(t, "20 events", func() bool { return len(d.saw()) == 20 })

	server.Stop()
	server.Restart()
	bustest.Eventually(t, "a publish after the restart", func() bool {
		return b.Publish(t.Context(), numbered("acme", 20)) == nil
	})
	publish(21, 30)
	bustest.Eventually(t, "30 events", func() bool { return len(d.saw()) >= 30 })
	for i, key := range d.saw() {
		if key != fmt.Sprint(i) {
			t.Fatalf("want every event once and in order, have %v", d.saw())
		}
	}
	if d.caughtUp != 10 {
		t.Errorf("want to have caught up after 10 events, have %d", d.caughtUp)
	}
}

func TestFollowerBeforeThereIsAStream(t *testing.T) {
	server := bustest.Start(t)
	var d diary
	execute, interrupt := server.Connect().Follow(d.following())
	background(t, execute, interrupt)
	b := server.Bus()
	if err := b.Publish(t.Context(), numbered("acme", 0)); err != nil {
		t.Fatal(err)
	}
	bustest.Eventually(t, "the event", func() bool { return len(d.saw()) == 1 })
}

func TestFollowerOfSome(t *testing.T) {
	server := bustest.Start(t)
	b := server.Bus()
	if err := b.Publish(t.Context(), numbered("old", 0)); err != nil {
		t.Fatal(err)
	}
	since := time.Now()
	for i, tenant := range []string{"acme", "globex", "initech"} {
		if err := b.Publish(t.Context(), numbered(tenant, i+1)); err != nil {
			t.Fatal(err)
		}
	}
	var d diary
	f := d.following()
	f.Since = since
	f.Subjects = []string{"pbx.events.*.old.>", "pbx.events.*.acme.>", "pbx.events.*.initech.>"}
	execute, interrupt := b.Follow(f)
	background(t, execute, interrupt)
	bustest.Eventually(t, "two events", func() bool { return len(d.saw()) == 2 })
	if want := []string{"1", "3"}; !slices.Equal(want, d.saw()) {
		t.Errorf("want %v, have %v", want, d.saw())
	}
}

func TestPublishAfter(t *testing.T) {
	b := bustest.Start(t).Bus()
	subject := "pbx.events.*.acme.call.new"
	last := func(want uint64) {
		t.Helper()
		if have, err := b.Last(t.Context(), subject); err != nil || have != want {
			t.Errorf("want the last at %d, have %d, %v", want, have, err)
		}
	}
	last(0)
	first := numbered("acme", 1)
	one, err := b.PublishAfter(t.Context(), first, bus.After{Subject: subject})
	if err != nil {
		t.Fatal(err)
	}
	last(one)
	if _, err := b.PublishAfter(t.Context(), numbered("acme", 2), bus.After{Subject: subject}); !fault.Is(err, fault.Conflict) {
		t.Errorf("want a conflict behind what is no longer last, have %v", err)
	}
	again, err := b.PublishAfter(t.Context(), first, bus.After{Subject: subject, Sequence: one})
	if err != nil || again != one {
		t.Errorf("want what is stored already passed over, sequence %d, have %d, %v", one, again, err)
	}
	if err := b.Publish(t.Context(), numbered("globex", 3)); err != nil {
		t.Fatal(err)
	}
	last(one)
	two, err := b.PublishAfter(t.Context(), numbered("acme", 4), bus.After{Subject: subject, Sequence: one})
	if err != nil || two != one+2 {
		t.Errorf("want it stored, since only others came between, have %d, %v", two, err)
	}
	if _, err := b.PublishAfter(t.Context(), numbered("acme", 5), bus.After{Sequence: one}); !fault.Is(err, fault.Conflict) {
		t.Errorf("want a conflict, since others came between, have %v", err)
	}
	if _, err := b.PublishAfter(t.Context(), numbered("acme", 5), bus.After{Sequence: two}); err != nil {
		t.Errorf("want it stored behind the last, have %v", err)
	}
}
