package live

import (
	"maps"
	"slices"

	"github.com/switchhook/switchhook/pkg/derive"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// tables are the buckets that anybody can watch: the agents and calls of now, and the figures of the days.
type tables struct {
	agents *derive.Rows[*pbxv1.AgentStatus]
	calls  *derive.Rows[*pbxv1.CallStatus]
	days   *derive.Rows[*pbxv1.DayStatistics]
}

func newTables(k *Keeper) tables {
	return tables{
		agents: derive.NewRows(k.replica, k.Bus.Agents(k.Replicas), 0, k.machine.Agent),
		calls:  derive.NewRows(k.replica, k.Bus.Calls(k.Replicas), 0, k.machine.Call),
		days:   derive.NewRows(k.replica, k.Bus.Days(k.Replicas), k.DaysEvery, k.written),
	}
}

// note notes what the core touched since the last time, or all agents and calls: some calls may have ended while nobody looked.
func (k *Keeper) note(all bool) {
	agents, calls, days := k.machine.Touched()
	if all {
		agents, calls = k.all()
	}
	k.agents.Note(agents...)
	k.calls.Note(calls...)
	k.days.Note(days...)
}

// all returns the keys of all agents and calls, in the buckets and in the core.
func (k *Keeper) all() (agents, calls []string) {
	agents, calls = slices.Collect(maps.Keys(k.agents.Rows())), slices.Collect(maps.Keys(k.calls.Rows()))
	for tenant := range k.tenants {
		for _, a := range k.machine.Agents(&pbxv1.AgentListRequest{Tenant: tenant}).GetAgents() {
			agents = append(agents, tenant+"."+a.GetId())
		}
		for _, c := range k.machine.Calls(&pbxv1.CallListRequest{Tenant: tenant}).GetCalls() {
			calls = append(calls, tenant+"."+c.GetId())
		}
	}
	return agents, calls
}

// written returns the figures to write. Figures differ from moment to moment, so a standby leaves those alone that somebody
// else keeps up to date.
func (k *Keeper) written(key string) *pbxv1.DayStatistics {
	row := k.days.Get(key)
	if now := k.Now(); k.replica.Active(tenantOf(key)) || now.Sub(row.At) > 3*k.DaysEvery {
		return k.day(key, now)
	}
	return row.Value
}
