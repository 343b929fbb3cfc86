package derive_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/switchhook/switchhook/pkg/bus"
	"github.com/switchhook/switchhook/pkg/bustest"
	"github.com/switchhook/switchhook/pkg/derive"
	"github.com/switchhook/switchhook/pkg/fault"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// Two replicas publish what both derive once, in order, and know it.
func TestPublishedOnce(t *testing.T) {
	t.Parallel()
	server := bustest.Start(t)
	b := server.Bus()
	pair := []*replica{start(t, server.Connect(), salted("a")), start(t, server.Connect(), salted("b"))}
	var want []string
	for i := range 30 {
		want = append(want, fmt.Sprint("call", i))
		for _, tenant := range []string{"acme", "globex"} {
			call(t, b, tenant, want[i], pbxv1.Call_NEW, time.Now())
		}
	}
	for _, tenant := range []string{"acme", "globex"} {
		all := strings.Join(want, " ")
		bustest.Eventually(t, "all told of at "+tenant, func() bool { return len(published(t, b, tenant)) >= len(all) })
		if have := published(t, b, tenant); have != all {
			t.Errorf("%s: want %s, have %s", tenant, all, have)
		}
	}
	for _, r := range pair {
		bustest.Eventually(t, "all read", func() bool { return ask(r, applied) == 120 })
		bustest.Eventually(t, "nothing waiting", func() bool { return r.metric(t, "changes_waiting") == 0 })
		if have := r.metric(t, "events_total"); have != 120 {
			t.Errorf("want 120 events read, have %v", have)
		}
	}
	if have := pair[0].metric(t, "changes_total") + pair[1].metric(t, "changes_total"); have != 60 {
		t.Errorf("want 60 published by both together, have %v", have)
	}
}

// When the active replica stops, the other one takes over after a while.
func TestTakeover(t *testing.T) {
	t.Parallel()
	server := bustest.Start(t)
	b := server.Bus()
	pair := []*replica{start(t, server.Connect(), salted("a")), start(t, server.Connect(), salted("b"))}
	call(t, b, "acme", "first", pbxv1.Call_NEW, time.Now())
	eventually(t, b, "first")
	busy := func() int {
		for i, r := range pair {
			if r.Active("acme") && !pair[1-i].Active("acme") && r.has("first") && pair[1-i].has("first") {
				return i
			}
		}
		return -1
	}
	bustest.Eventually(t, "one replica active", func() bool { return busy() >= 0 })
	active, standby := pair[busy()], pair[1-busy()]

	told := "first"
	for _, key := range []string{"second", "third", "fourth"} {
		told += " " + key
		call(t, b, "acme", key, pbxv1.Call_NEW, time.Now())
		eventually(t, b, told)
	}
	bustest.Eventually(t, "all published by the active replica", func() bool { return active.metric(t, "changes_total") == 4 })
	if have := standby.metric(t, "conflicts_total"); have > 1 { // they may have begun at once
		t.Errorf("want the standby to leave the publishing to the active replica, have it try %v times", have)
	}

	active.stop()
	call(t, b, "acme", "fifth", pbxv1.Call_NEW, time.Now())
	eventually(t, b, told+" fifth")
	bustest.Eventually(t, "the standby active", func() bool { return standby.Active("acme") })
}

// Nobody was there while things happened: what is published afterwards is the same, and nothing is published twice.
func TestRestart(t *testing.T) {
	t.Parallel()
	server := bustest.Start(t)
	b := server.Bus()
	first := start(t, server.Connect(), salted("a"))
	call(t, b, "acme", "first", pbxv1.Call_NEW, time.Now())
	eventually(t, b, "first")
	first.stop()
	call(t, b, "acme", "second", pbxv1.Call_NEW, time.Now())
	call(t, b, "acme", "third", pbxv1.Call_NEW, time.Now())
	r := start(t, server.Connect(), salted("b"))
	eventually(t, b, "first second third")
	bustest.Eventually(t, "nothing waiting", func() bool { return r.metric(t, "changes_waiting") == 0 && r.has("third") })
}

// remember sets for how long JetStream knows the ids of events.
func remember(t *testing.T, server *bustest.Server, window time.Duration) {
	t.Helper()
	_, js := server.Raw()
	stream, err := js.Stream(t.Context(), bus.EventStream)
	if err != nil {
		t.Fatal(err)
	}
	c := stream.CachedInfo().Config
	c.Duplicates = window
	if _, err := js.UpdateStream(t.Context(), c); err != nil {
		t.Fatal(err)
	}
}

// What time alone brings is published once, and brings the time along.
func TestTimeAlone(t *testing.T) {
	t.Parallel()
	server := bustest.Start(t)
	b := server.Bus()
	pair := []*replica{start(t, server.Connect(), salted("a")), start(t, server.Connect(), salted("b"))}
	rang := time.Now()
	call(t, b, "acme", "first", pbxv1.Call_RINGING, rang)
	call(t, b, "acme", "second", pbxv1.Call_RINGING, rang)
	eventually(t, b, "first second")
	for _, r := range pair {
		bustest.Eventually(t, "it read back", func() bool { return r.has("second") })
		if have := ask(r, func(c *core) time.Time { return c.clock }); have.Before(rang.Add(ringsFor)) {
			t.Errorf("want the clock of the stream at %v or later, have %v", rang.Add(ringsFor), have)
		}
	}
}

// Who was told already, when this replica comes to derive it, is not told again.
func TestDerivedLate(t *testing.T) {
	t.Parallel()
	server := bustest.Start(t)
	b := server.Bus()
	r := start(t, server.Connect(), nil)
	now := time.Now()
	first := &pbxv1.Event{Vendor: "ipex", Tenant: "acme", Time: timestamppb.New(now)}
	publish(t, b, (&core{}).tell(first, "first", now))
	call(t, b, "acme", "first", pbxv1.Call_NEW, now)
	bustest.Eventually(t, "it derived", func() bool { return ask(r, applied) == 2 })
	if err := r.count(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, b, "first counter1")
}

// Whoever published last is active.
func TestActive(t *testing.T) {
	t.Parallel()
	server := bustest.Start(t)
	server.Bus()
	a, b := start(t, server.Connect(), nil), start(t, server.Connect(), nil)
	for range 2 {
		if err := a.count(t.Context()); err != nil {
			t.Fatal(err)
		}
		bustest.Eventually(t, "the first alone active", func() bool { return a.Active("acme") && !b.Active("acme") })
		if err := b.count(t.Context()); err != nil {
			t.Fatal(err)
		}
		bustest.Eventually(t, "the second alone active", func() bool { return b.Active("acme") && !a.Active("acme") })
	}
	if a.Active("globex") {
		t.Error("want nobody active for a tenant of whom nothing was told")
	}
}

// The clock of the stream is when events were stored; whoever published an own event may have seen more time pass.
func TestClock(t *testing.T) {
	t.Parallel()
	server := bustest.Start(t)
	b := server.Bus()
	r := start(t, server.Connect(), nil)
	soon := time.Now().Add(time.Hour).Truncate(time.Second)
	call(t, b, "acme", "first", pbxv1.Call_ENDED, soon)
	bustest.Eventually(t, "a call's event", func() bool { return ask(r, applied) == 1 })
	clock := func() time.Time { return ask(r, func(c *core) time.Time { return c.clock }) }
	if have := clock(); have.After(time.Now()) {
		t.Errorf("want the clock when it was stored, have %v", have)
	}
	publish(t, b, told("1", "ipex", "acme", "somebody", soon))
	bustest.Eventually(t, "an own event", func() bool { return ask(r, applied) == 2 })
	call(t, b, "acme", "first", pbxv1.Call_ENDED, time.Now())
	bustest.Eventually(t, "another call's event", func() bool { return ask(r, applied) == 3 })
	if have := clock(); !have.Equal(soon) {
		t.Errorf("want the clock at %v, have %v", soon, have)
	}
}

// What nobody was told of at its time, nobody is told of days later.
func TestForgotten(t *testing.T) {
	t.Parallel()
	now := time.Now()
	old := now.Add(-2 * time.Hour)
	type happened struct {
		key  string // in capitals when it was told
		when time.Time
	}
	about := func(*pbxv1.Event) string { return "everything" }
	tests := map[string]struct {
		stream []happened
		about  func(*pbxv1.Event) string
		want   string
	}{
		"the service is new":             {[]happened{{"a", old}, {"b", now}}, nil, "b"},
		"the service was down":           {[]happened{{"a", old}, {"A", old}, {"b", old}, {"c", now}}, nil, "a b c"},
		"others were told of, at night":  {[]happened{{"a", old}, {"b", old}, {"B", old}, {"c", now}}, nil, "b c"},
		"others were told of, just now":  {[]happened{{"a", now}, {"b", now}, {"B", now}, {"c", now}}, nil, "b a c"},
		"it is settled by what is newer": {[]happened{{"a", now}, {"b", now}, {"B", now}, {"c", now}}, about, "b c"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := bustest.Start(t)
			b := server.Bus()
			for _, h := range test.stream {
				if key := strings.ToLower(h.key); key == h.key {
					call(t, b, "acme", key, pbxv1.Call_NEW, h.when)
				} else {
					publish(t, b, told(key, "ipex", "acme", key, h.when))
				}
			}
			start(t, server.Connect(), func(o *derive.Options, _ *core) {
				o.Same, o.About = sameCall, test.about
				o.Clock = func(s bus.Stored[*pbxv1.Event]) time.Time { return s.Message.GetTime().AsTime() }
			})
			bustest.Eventually(t, "all told of", func() bool { return len(published(t, b, "acme")) >= len(test.want) })
			call(t, b, "acme", "last", pbxv1.Call_NEW, now)
			eventually(t, b, test.want+" last")
		})
	}
}

// The tenant was told of nothing for so long that the stream has forgotten the last event: the chain goes on.
func TestForgottenFence(t *testing.T) {
	t.Parallel()
	server := bustest.Start(t)
	b := server.Bus()
	r := start(t, server.Connect(), nil)
	purge := func() {
		_, js := server.Raw()
		stream, err := js.Stream(t.Context(), bus.EventStream)
		if err != nil {
			t.Fatal(err)
		}
		if err := stream.Purge(t.Context(), jetstream.WithPurgeSubject("pbx.events.*.acme.agent.>")); err != nil {
			t.Fatal(err)
		}
	}
	call(t, b, "acme", "first", pbxv1.Call_NEW, time.Now())
	bustest.Eventually(t, "it read back", func() bool { return r.has("first") })
	purge()
	call(t, b, "acme", "second", pbxv1.Call_NEW, time.Now())
	eventually(t, b, "second")
	bustest.Eventually(t, "it read back", func() bool { return r.has("second") })
	purge()
	if err := r.count(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, b, "counter1")
}

// The stream was deleted and made anew: what the replica hears of it, it tells of.
func TestNewStream(t *testing.T) {
	t.Parallel()
	server := bustest.Start(t)
	b := server.Bus()
	r := start(t, server.Connect(), nil)
	call(t, b, "acme", "first", pbxv1.Call_NEW, time.Now())
	bustest.Eventually(t, "it read back", func() bool { return r.has("first") })
	_, js := server.Raw()
	if err := js.DeleteStream(t.Context(), bus.EventStream); err != nil {
		t.Fatal(err)
	}
	if err := b.EnsureStreams(t.Context(), bustest.Streams); err != nil {
		t.Fatal(err)
	}
	for range 2 { // so that it is longer than the one before
		call(t, b, "acme", "other", pbxv1.Call_ENDED, time.Now())
	}
	call(t, b, "acme", "second", pbxv1.Call_NEW, time.Now())
	bustest.Eventually(t, "it read back", func() bool { return r.has("second") })
	eventually(t, b, "second")
}

// An event that can never be published does not hold up those behind it.
func TestInvalid(t *testing.T) {
	t.Parallel()
	server := bustest.Start(t)
	b := server.Bus()
	r := start(t, server.Connect(), nil)
	call(t, b, "acme", "broken", pbxv1.Call_NEW, time.Now())
	call(t, b, "acme", "second", pbxv1.Call_NEW, time.Now())
	eventually(t, b, "second")
	bustest.Eventually(t, "nothing waiting", func() bool { return r.metric(t, "changes_waiting") == 0 })
}

// Before it has read the stream, a replica says so.
func TestNotReady(t *testing.T) {
	t.Parallel()
	k := derive.New(derive.Options{Name: "switch-board", Derives: "changes"})
	if err := k.Ready(); !fault.Is(err, fault.Unavailable) {
		t.Errorf("want unavailable, have %v", err)
	}
	if err := k.Publish(t.Context(), "acme", nil); !fault.Is(err, fault.Unavailable) {
		t.Errorf("want nothing published, have %v", err)
	}
}
