package e2e_test

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/switchhook/switchhook/pkg/bus"
	"github.com/switchhook/switchhook/pkg/bustest"
	"github.com/switchhook/switchhook/pkg/event"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
	"github.com/switchhook/switchhook/test/process"
)

// callers are people who call in vain, each once, and what is told of them.
type callers struct {
	t      *testing.T
	server *bustest.Server
	bus    *bus.Bus
	book   book
	people int
}

func newCallers(t *testing.T) *callers {
	t.Helper()
	server := bustest.Start(t)
	return &callers{t: t, server: server, bus: server.Bus()}
}

// missedCall returns the arguments of a missed-call with that configuration.
func (c *callers) missedCall(yaml string) []string {
	c.t.Helper()
	path := filepath.Join(c.t.TempDir(), "alerts.yaml")
	process.WriteFile(c.t, path, yaml)
	a := process.FreeAddresses(c.t, 2)
	return []string{"--config", path, "--nats", c.server.URL(), "--listen", a[0], "--admin-listen", a[1], "--log-level", "error"}
}

// call lets somebody call in vain who has not called before.
func (c *callers) call(tenant, queue string) (number string) {
	c.t.Helper()
	number = fmt.Sprintf("777%06d", c.people)
	c.people++
	c.publish(tenant, queue, number, pbxv1.Call_INCOMING, false)
	return number
}

// callBack has somebody of the tenant talk to a caller.
func (c *callers) callBack(tenant, number string) {
	c.t.Helper()
	c.publish(tenant, "", number, pbxv1.Call_OUTGOING, true)
}

// publish publishes a call that ends: answered, or not.
func (c *callers) publish(tenant, queue, number string, direction pbxv1.Call_Direction, answered bool) {
	c.t.Helper()
	id := event.NewID()
	var events []*pbxv1.Event
	for _, kind := range []pbxv1.Call_Kind{pbxv1.Call_RINGING, pbxv1.Call_ANSWERED, pbxv1.Call_ENDED} {
		call := &pbxv1.Call{Kind: kind, Id: id, Key: id, Direction: direction, Extension: "20", Queue: queue}
		outside, inside := event.Party(number, "CZ"), &pbxv1.Party{Number: "20"}
		if call.From, call.To = outside, inside; direction == pbxv1.Call_OUTGOING {
			call.From, call.To = inside, outside
		}
		if kind == pbxv1.Call_ENDED && !answered {
			call.Cause = pbxv1.Call_NO_ANSWER
		}
		now := timestamppb.Now()
		if kind != pbxv1.Call_ANSWERED || answered {
			events = append(events, &pbxv1.Event{
				Id: event.NewID(), Time: now, ReceivedAt: now, Vendor: "ipex", Tenant: tenant, Exchange: "ipex",
				Payload: &pbxv1.Event_Call{Call: call},
			})
		}
	}
	if err := c.bus.Publish(c.t.Context(), events...); err != nil {
		c.t.Fatal(err)
	}
}

// entry is an entry of the ledger, as the stream tells it.
type entry struct {
	tenant, queue, number string
	opened, resolved      int
	at                    time.Time // when it was opened first
}

func (c *callers) entries() map[string]*entry {
	c.t.Helper()
	all := make(map[string]*entry)
	for s, err := range c.bus.Events(c.t.Context(), bus.Filter{Subject: "pbx.events.*.*.missed_call.*"}) {
		if err != nil {
			c.t.Fatal(err)
		}
		mc := s.Message.GetMissedCall()
		e := all[mc.GetId()]
		if e == nil {
			e = &entry{tenant: s.Message.GetTenant(), queue: mc.GetQueue(), number: mc.GetFrom().GetNumber(), at: s.At}
			all[mc.GetId()] = e
		}
		if mc.GetKind() == pbxv1.MissedCall_RESOLVED {
			e.resolved++
		} else {
			e.opened++
		}
	}
	return all
}
