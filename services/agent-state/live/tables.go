package live

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/oklog/run"

	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

const (
	// compareEvery is how often all rows are compared with what the core knows: a bucket may have been lost, and calls may
	// have ended while nobody looked.
	compareEvery = 3 * time.Second
)

// tables are the buckets that anybody can watch: the agents and calls of now, and the figures of the days. But for loaded, one
// goroutine uses them.
type tables struct {
	keeper   *Keeper
	agents   *rows[*pbxv1.AgentStatus]
	calls    *rows[*pbxv1.CallStatus]
	days     *rows[*pbxv1.DayStatistics]
	compared time.Time
}

func newTables(k *Keeper) *tables {
	t := &tables{keeper: k}
	t.agents = newRows(k, k.Bus.Agents(k.Replicas), 0, k.machine.Agent)
	t.calls = newRows(k, k.Bus.Calls(k.Replicas), 0, k.machine.Call)
	t.days = newRows(k, k.Bus.Days(k.Replicas), k.DaysEvery, t.day)
	return t
}

func (t *tables) join(g *run.Group) {
	g.Add(t.agents.Maintain())
	g.Add(t.calls.Maintain())
	g.Add(t.days.Maintain())
}

func (t *tables) loaded() bool { return t.agents.Loaded() && t.calls.Loaded() && t.days.Loaded() }

// write brings the buckets up to what the core knows.
func (t *tables) write(ctx context.Context) {
	k := t.keeper
	k.mu.Lock()
	live, now := k.live, k.Now()
	if live {
		t.note(now)
	}
	k.mu.Unlock()
	if !live || !t.loaded() {
		return
	}
	t.agents.write(ctx, now)
	t.calls.write(ctx, now)
	t.days.write(ctx, now)
}

// note notes what the core touched since the last time. The keeper is locked.
func (t *tables) note(now time.Time) {
	agents, calls, days := t.keeper.machine.Touched()
	if now.Sub(t.compared) >= compareEvery {
		t.compared = now
		agents, calls = t.all()
	}
	t.agents.note(agents, now)
	t.calls.note(calls, now)
	t.days.note(days, now)
}

// all returns the keys of all agents and calls, in the buckets and in the core. The keeper is locked.
func (t *tables) all() (agents, calls []string) {
	agents, calls = slices.Collect(maps.Keys(t.agents.Rows())), slices.Collect(maps.Keys(t.calls.Rows()))
	for tenant := range t.keeper.tenants {
		for _, a := range t.keeper.machine.Agents(&pbxv1.AgentListRequest{Tenant: tenant}).GetAgents() {
			agents = append(agents, tenant+"."+a.GetId())
		}
		for _, c := range t.keeper.machine.Calls(&pbxv1.CallListRequest{Tenant: tenant}).GetCalls() {
			calls = append(calls, tenant+"."+c.GetId())
		}
	}
	return agents, calls
}

// day returns the figures to write. Figures differ from moment to moment, so a standby leaves those alone that somebody
// else keeps up to date. The keeper is locked.
func (t *tables) day(key string) *pbxv1.DayStatistics {
	k, row := t.keeper, t.days.Get(key)
	if now := k.Now(); k.chain(tenantOf(key)).active || now.Sub(row.At) > 3*k.DaysEvery {
		return k.day(key, now)
	}
	return row.Value
}
