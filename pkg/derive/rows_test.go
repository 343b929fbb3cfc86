package derive_test

import (
	"maps"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/oklog/run"

	"github.com/switchhook/switchhook/pkg/bus"
	"github.com/switchhook/switchhook/pkg/bustest"
	"github.com/switchhook/switchhook/pkg/derive"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// counted is a replica that keeps how much was counted in a bucket.
type counted struct {
	*replica
	rows *derive.Rows[*pbxv1.AgentStatus]

	restored string    // what the bucket held before the stream
	first    time.Time // of the stream
	cut      bool
}

// startCounted starts one. The rows must be made between New and Join.
func startCounted(t *testing.T, server *bustest.Server) *counted {
	t.Helper()
	c := &counted{replica: &replica{core: &core{}}}
	c.Keeper = derive.New(derive.Options{
		Bus: server.Connect(), Log: discard(), Name: "switch-board", Derives: "changes", Own: "agent.*", Core: c.core,
		Restore: func(first time.Time, cut bool) {
			c.first, c.cut, c.restored = first, cut, c.rows.Get("acme.counter").Value.GetPauseReason()
			c.core.counted, _ = strconv.Atoi(c.restored)
		},
		Note: func(all bool) {
			c.rows.Note("acme.counter")
			if all {
				c.rows.Note(slices.Collect(maps.Keys(c.rows.Rows()))...)
			}
		},
	})
	c.rows = derive.NewRows(c.Keeper, server.Connect().Agents(bustest.Replicas), 0, func(key string) *pbxv1.AgentStatus {
		if key != "acme.counter" || c.core.counted == 0 {
			return nil
		}
		return &pbxv1.AgentStatus{Tenant: "acme", Id: "counter", PauseReason: strconv.Itoa(c.core.counted)}
	})
	c.stop = bustest.Run(t, c.Join)
	bustest.Eventually(t, "the replica ready", func() bool { return c.Ready() == nil })
	return c
}

// watch returns the bucket, as anybody sees it.
func watch(t *testing.T, server *bustest.Server) *bus.Table[*pbxv1.AgentStatus] {
	t.Helper()
	table := server.Connect().Agents(bustest.Replicas)
	bustest.Run(t, func(g *run.Group) { g.Add(table.Maintain()) })
	bustest.Eventually(t, "the bucket", table.Loaded)
	return table
}

func TestRows(t *testing.T) {
	t.Parallel()
	server := bustest.Start(t)
	server.Bus()
	table := watch(t, server)
	is := func(want string) func() bool {
		return func() bool { return table.Get("acme.counter").Value.GetPauseReason() == want }
	}
	active, standby := startCounted(t, server), startCounted(t, server)
	for _, want := range []string{"1", "2"} {
		if err := active.count(t.Context()); err != nil {
			t.Fatal(err)
		}
		bustest.Eventually(t, want+" in the bucket", is(want))
	}
	if have := table.Get("acme.counter").Revision; have != 2 {
		t.Errorf("want each value written once, by the active replica, have revision %d", have)
	}

	// Somebody writes what the core does not say.
	row, err := table.Put(t.Context(), "acme.stray", &pbxv1.AgentStatus{}, 0)
	if err != nil {
		t.Fatal(err)
	}
	bustest.Eventually(t, "the stray row gone", func() bool {
		have := table.Get("acme.stray")
		return have.Deleted && have.Revision > row
	})

	// What the active replica cannot write any more, the standby does.
	if err := active.count(t.Context()); err != nil {
		t.Fatal(err)
	}
	active.stop()
	bustest.Eventually(t, "3 in the bucket", is("3"))
	if err := table.Delete(t.Context(), "acme.counter", table.Get("acme.counter").Revision); err != nil {
		t.Fatal(err)
	}
	bustest.Eventually(t, "3 again", is("3"))
	if standby.Active("acme") {
		t.Error("want the standby to have published nothing")
	}

	// Nobody is active: a new replica waits a while before it writes.
	standby.stop()
	if err := table.Delete(t.Context(), "acme.counter", table.Get("acme.counter").Revision); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	startCounted(t, server)
	bustest.Eventually(t, "3 once more", is("3"))
	if took := time.Since(began); took < time.Second {
		t.Errorf("want a standby to leave the writing to others for a second, have it write after %v", took)
	}
}

// What was counted before the stream begins is in the bucket.
func TestRestore(t *testing.T) {
	t.Parallel()
	server := bustest.Start(t)
	b := server.Bus()
	table := watch(t, server)
	first := startCounted(t, server)
	if first.restored != "" || first.cut || time.Since(first.first) > time.Minute {
		t.Errorf("want the stream empty now, have %q, %v, cut %v", first.restored, first.first, first.cut)
	}
	if err := first.count(t.Context()); err != nil {
		t.Fatal(err)
	}
	bustest.Eventually(t, "1 in the bucket", func() bool { return table.Get("acme.counter").Value.GetPauseReason() == "1" })
	first.stop()
	_, js := server.Raw()
	stream, err := js.Stream(t.Context(), bus.EventStream)
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Purge(t.Context()); err != nil {
		t.Fatal(err)
	}
	call(t, b, "acme", "first", pbxv1.Call_ENDED, time.Now())
	stored, err := stream.GetMsg(t.Context(), 2)
	if err != nil {
		t.Fatal(err)
	}
	second := startCounted(t, server)
	if second.restored != "1" || !second.cut || !second.first.Equal(stored.Time) {
		t.Errorf("want 1 from before %v, have %q, %v, cut %v", stored.Time, second.restored, second.first, second.cut)
	}
	if err := second.count(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, b, "counter2")
}

// Following begins when all is loaded that the service needs.
func TestLoaded(t *testing.T) {
	t.Parallel()
	server := bustest.Start(t)
	server.Bus()
	var asked atomic.Int32
	var loaded, caughtUp atomic.Bool
	k := derive.New(derive.Options{
		Bus: server.Connect(), Log: discard(), Name: "switch-board", Derives: "changes", Own: "agent.*", Core: &core{},
		Loaded:   func() bool { asked.Add(1); return loaded.Load() },
		CaughtUp: func() { caughtUp.Store(true) },
	})
	bustest.Run(t, k.Join)
	bustest.Eventually(t, "it asked again and again", func() bool { return asked.Load() > 3 })
	if k.Ready() == nil || caughtUp.Load() {
		t.Error("want nothing read before all is loaded")
	}
	loaded.Store(true)
	bustest.Eventually(t, "the replica ready", func() bool { return k.Ready() == nil })
	if !caughtUp.Load() {
		t.Error("want the service told that it caught up")
	}
}

// Following begins when the buckets are known: here, when what is in the place of one is gone.
func TestRowsLoaded(t *testing.T) {
	t.Parallel()
	server := bustest.Start(t)
	b := server.Bus()
	_, js := server.Raw()
	const inPlace = "KV_pbx_agents"
	_, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: inPlace, Subjects: []string{"$KV.pbx_agents.>"}})
	if err != nil {
		t.Fatal(err)
	}
	var asked atomic.Int32
	k := derive.New(derive.Options{
		Bus: b, Log: discard(), Name: "switch-board", Derives: "changes", Own: "agent.*", Core: &core{},
		Loaded: func() bool { return asked.Add(1) > 0 },
	})
	derive.NewRows(k, b.Agents(bustest.Replicas), 0, func(string) *pbxv1.AgentStatus { return nil })
	bustest.Run(t, k.Join)
	bustest.Eventually(t, "it asked again and again", func() bool { return asked.Load() > 3 })
	if k.Ready() == nil {
		t.Error("want nothing read before the bucket is known")
	}
	if err := js.DeleteStream(t.Context(), inPlace); err != nil {
		t.Fatal(err)
	}
	bustest.Eventually(t, "the replica ready", func() bool { return k.Ready() == nil })
}
