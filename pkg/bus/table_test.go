package bus_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/oklog/run"
	"google.golang.org/protobuf/proto"

	"github.com/switchhook/switchhook/pkg/bus"
	"github.com/switchhook/switchhook/pkg/bustest"
	"github.com/switchhook/switchhook/pkg/fault"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// background runs an actor until the test ends.
func background(t *testing.T, execute func() error, interrupt func(error)) {
	t.Helper()
	bustest.Run(t, func(g *run.Group) { g.Add(execute, interrupt) })
}

func newTable(t *testing.T, b *bus.Bus, ttl time.Duration) *bus.Table[*pbxv1.AgentStatus] {
	t.Helper()
	table := bus.NewTable(b, bus.TableOptions{
		Bucket: "pbx_test", TTL: ttl, Replicas: func() int { return 1 },
	}, func() *pbxv1.AgentStatus { return new(pbxv1.AgentStatus) })
	execute, interrupt := table.Maintain()
	background(t, execute, interrupt)
	return table
}

func TestTable(t *testing.T) {
	server := bustest.Start(t)
	b := server.Connect()
	one, other := newTable(t, b, 0), newTable(t, server.Connect(), 0)
	bustest.Eventually(t, "both tables loaded", func() bool { return one.Loaded() && other.Loaded() })
	if row := one.Get("acme.karel"); row.Revision != 0 || row.Value != nil {
		t.Errorf("want the zero row, have %+v", row)
	}

	status := &pbxv1.AgentStatus{Id: "karel", State: pbxv1.AgentState_AVAILABLE}
	revision, err := one.Put(t.Context(), "acme.karel", status, 0)
	if err != nil {
		t.Fatal(err)
	}
	if row := one.Get("acme.karel"); row.Revision != revision || !proto.Equal(row.Value, status) {
		t.Errorf("want to read at once what was written, have %+v", row)
	}
	if err := other.Reach(within(t, 5*time.Second), revision); err != nil {
		t.Error(err)
	}
	bustest.Eventually(t, "the row in the other table", func() bool { return other.Get("acme.karel").Revision == revision })
	if row := other.Get("acme.karel"); !proto.Equal(row.Value, status) {
		t.Errorf("want %v, have %v", status, row.Value)
	}

	if err := other.Reach(within(t, 10*time.Millisecond), revision+1); !fault.Is(err, fault.Unavailable) {
		t.Errorf("want no revision that is not there, have %v", err)
	}
	if _, err := other.Put(t.Context(), "acme.karel", status, revision-1); !fault.Is(err, fault.Conflict) {
		t.Errorf("want a conflict for an old revision, have %v", err)
	}
	if revision, err = other.Put(t.Context(), "acme.karel", status, revision); err != nil {
		t.Fatal(err)
	}
	if err := other.Delete(t.Context(), "acme.karel", 0); !fault.Is(err, fault.Conflict) {
		t.Errorf("want a conflict for deleting what is there as if it were not, have %v", err)
	}
	if err := other.Delete(t.Context(), "acme.karel", revision-1); !fault.Is(err, fault.Conflict) {
		t.Errorf("want a conflict for deleting an old revision, have %v", err)
	}
	bustest.Eventually(t, "the second write in the first table", func() bool { return one.Get("acme.karel").Revision == revision })
	changed := one.Changed()
	if err := other.Delete(t.Context(), "acme.karel", revision); err != nil {
		t.Fatal(err)
	}
	<-changed
	bustest.Eventually(t, "the deletion in the first table", func() bool { return one.Get("acme.karel").Deleted })
	if rows := one.Rows(); len(rows) != 0 {
		t.Errorf("want no rows, have %v", rows)
	}
	if _, err := one.Put(t.Context(), "acme.karel", status, one.Get("acme.karel").Revision); err != nil {
		t.Errorf("want to write again what was deleted, have %v", err)
	}
}

// TestTableOneWinner has many writers change the same revision.
func TestTableOneWinner(t *testing.T) {
	server := bustest.Start(t)
	table := newTable(t, server.Connect(), 0)
	bustest.Eventually(t, "the table loaded", table.Loaded)
	var won atomic.Int32
	var writers sync.WaitGroup
	for i := range 20 {
		writers.Go(func() {
			_, err := table.Put(t.Context(), "key", &pbxv1.AgentStatus{Id: fmt.Sprint(i)}, 0)
			switch {
			case err == nil:
				won.Add(1)
			case !fault.Is(err, fault.Conflict):
				t.Errorf("want a conflict, have %v", err)
			}
		})
	}
	writers.Wait()
	if won.Load() != 1 {
		t.Errorf("want 1 winner, have %d", won.Load())
	}
}

func TestTableSurvives(t *testing.T) {
	server := bustest.Start(t)
	b := server.Connect()
	table := newTable(t, b, 0)
	bustest.Eventually(t, "the table loaded", table.Loaded)
	if _, err := table.Put(t.Context(), "key", &pbxv1.AgentStatus{Id: "kept"}, 0); err != nil {
		t.Fatal(err)
	}

	server.Stop()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := table.Put(ctx, "key", &pbxv1.AgentStatus{}, table.Get("key").Revision); !fault.Is(err, fault.Unavailable) {
		t.Errorf("want unavailable without a server, have %v", err)
	}
	server.Restart()
	bustest.Eventually(t, "a write after the restart", func() bool {
		_, err := table.Put(t.Context(), "key", &pbxv1.AgentStatus{Id: "new"}, table.Get("key").Revision)
		return err == nil
	})

	_, js := server.Raw()
	if err := js.DeleteKeyValue(t.Context(), "pbx_test"); err != nil {
		t.Fatal(err)
	}
	bustest.Eventually(t, "the bucket made anew, and empty", func() bool {
		return table.Loaded() && table.Get("key").Revision == 0
	})
	if _, err := table.Put(t.Context(), "key", &pbxv1.AgentStatus{Id: "again"}, 0); err != nil {
		t.Errorf("want to write into the new bucket, have %v", err)
	}
}

// A watch that brings nothing any more is begun anew.
func TestTableDeaf(t *testing.T) {
	t.Parallel()
	server := bustest.Start(t)
	deaf, other := newTable(t, server.Connect(), 0), newTable(t, server.Connect(), 0)
	bustest.Eventually(t, "both tables loaded", func() bool { return deaf.Loaded() && other.Loaded() })
	revision, err := other.Put(t.Context(), "key", &pbxv1.AgentStatus{Id: "first"}, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := deaf.Reach(within(t, 5*time.Second), revision); err != nil {
		t.Fatal(err)
	}
	_, js := server.Raw()
	bucket, err := js.Stream(t.Context(), "KV_pbx_test")
	if err != nil {
		t.Fatal(err)
	}
	for name := range bucket.ConsumerNames(t.Context()).Name() {
		if _, err := bucket.PauseConsumer(t.Context(), name, time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
	}
	if revision, err = other.Put(t.Context(), "key", &pbxv1.AgentStatus{Id: "second"}, revision); err != nil {
		t.Fatal(err)
	}
	if _, err := deaf.Put(t.Context(), "key", &pbxv1.AgentStatus{}, deaf.Get("key").Revision); !fault.Is(err, fault.Conflict) {
		t.Errorf("want a conflict for what was not heard, have %v", err)
	}
	if err := deaf.Reach(within(t, 20*time.Second), revision); err != nil {
		t.Fatalf("want the watch begun anew, have %v", err)
	}
	bustest.Eventually(t, "the table loaded", deaf.Loaded)
	if _, err := deaf.Put(t.Context(), "key", &pbxv1.AgentStatus{Id: "third"}, deaf.Get("key").Revision); err != nil {
		t.Error(err)
	}
}

// A watch that has nothing to bring is not begun anew, though the last that was written is gone.
func TestTableQuiet(t *testing.T) {
	t.Parallel()
	server := bustest.Start(t)
	first := newTable(t, server.Connect(), 0)
	bustest.Eventually(t, "the table loaded", first.Loaded)
	if _, err := first.Put(t.Context(), "key", &pbxv1.AgentStatus{}, 0); err != nil {
		t.Fatal(err)
	}
	_, js := server.Raw()
	bucket, err := js.Stream(t.Context(), "KV_pbx_test")
	if err != nil {
		t.Fatal(err)
	}
	if err := bucket.Purge(t.Context()); err != nil {
		t.Fatal(err)
	}
	quiet := newTable(t, server.Connect(), 0)
	bustest.Eventually(t, "the other table loaded", quiet.Loaded)
	select {
	case <-quiet.Changed():
		t.Errorf("want nothing changed, have the table loaded: %v", quiet.Loaded())
	case <-time.After(8 * time.Second):
	}
}

func TestTableForgetsWithTheServer(t *testing.T) {
	server := bustest.Start(t)
	table := newTable(t, server.Connect(), 200*time.Millisecond)
	bustest.Eventually(t, "the table loaded", table.Loaded)
	if _, err := table.Put(t.Context(), "key", &pbxv1.AgentStatus{}, 0); err != nil {
		t.Fatal(err)
	}
	bustest.Eventually(t, "the row gone", func() bool { return table.Get("key").Revision == 0 })
	if _, err := table.Put(t.Context(), "key", &pbxv1.AgentStatus{}, 0); err != nil {
		t.Errorf("want to write it as if it never was, have %v", err)
	}
}

func TestServe(t *testing.T) {
	server := bustest.Start(t)
	b := server.Connect()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	var have pbxv1.AgentGetResponse
	ask := func(agent string) error {
		return b.Ask(ctx, "pbx.query.agent.get", &pbxv1.AgentGetRequest{Tenant: "acme", Agent: agent}, &have)
	}
	if err := ask("karel"); !fault.Is(err, fault.Unavailable) {
		t.Errorf("want unavailable while nobody answers, have %v", err)
	}
	execute, interrupt := server.Connect().Serve("agent-state", "Knows agents.", bus.Answer("pbx.query.agent.get",
		func(_ context.Context, q *pbxv1.AgentGetRequest) (*pbxv1.AgentGetResponse, error) {
			if q.GetAgent() == "everybody" {
				return &pbxv1.AgentGetResponse{Agent: &pbxv1.AgentStatus{Id: strings.Repeat("karel", 1<<20)}}, nil
			}
			if q.GetAgent() != "karel" {
				return nil, fault.New(fault.NotFound, "nobody is called %s", q.GetAgent())
			}
			return &pbxv1.AgentGetResponse{Agent: &pbxv1.AgentStatus{Id: "karel"}}, nil
		}))
	var group run.Group
	group.Add(execute, interrupt)
	stop := make(chan struct{})
	group.Add(func() error { <-stop; return nil }, func(error) {})
	done := make(chan error, 1)
	go func() { done <- group.Run() }()
	bustest.Eventually(t, "an answer", func() bool { return ask("karel") == nil })
	if have.GetAgent().GetId() != "karel" {
		t.Errorf("want karel, have %v", &have)
	}
	err := ask("nobody")
	if !fault.Is(err, fault.NotFound) {
		t.Errorf("want not found, have %v", err)
	}
	if want := "ask pbx.query.agent.get: nobody is called nobody"; err.Error() != want {
		t.Errorf("want %q, have %q", want, err)
	}
	if err := ask("everybody"); !fault.Is(err, fault.Invalid) || !strings.HasSuffix(err.Error(), "ask for less") {
		t.Errorf("want an answer that is too long refused, have %v", err)
	}
	nc, _ := server.Raw()
	reply, err := nc.RequestWithContext(ctx, "pbx.query.agent.get", []byte{0xff})
	if err != nil || reply.Header.Get("Nats-Service-Error-Code") != "400" {
		t.Errorf("want what is no question refused with 400, have %v, %v", reply, err)
	}
	close(stop)
	if err := <-done; err != nil {
		t.Error(err)
	}
	bustest.Eventually(t, "nobody to answer after the end", func() bool { return fault.Is(ask("karel"), fault.Unavailable) })
}
