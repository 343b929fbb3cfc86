package live

import (
	"github.com/oklog/run"

	"github.com/switchhook/switchhook/pkg/bus"
	"github.com/switchhook/switchhook/pkg/fault"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// tables are the buckets that pages see, in memory.
type tables struct {
	agents      *bus.Table[*pbxv1.AgentStatus]
	calls       *bus.Table[*pbxv1.CallStatus]
	missedCalls *bus.Table[*pbxv1.MissedCall]
}

func newTables(b *bus.Bus, replicas func() int) tables {
	return tables{b.Agents(replicas), b.Calls(replicas), b.MissedCalls(replicas)}
}

func (t *tables) join(g *run.Group) {
	g.Add(t.agents.Maintain())
	g.Add(t.calls.Maintain())
	g.Add(t.missedCalls.Maintain())
}

func (t *tables) ready() error {
	if !t.agents.Loaded() || !t.calls.Loaded() || !t.missedCalls.Loaded() {
		return fault.New(fault.Unavailable, "web-gateway is still reading the buckets")
	}
	return nil
}
