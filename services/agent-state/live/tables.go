package live

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/switchhook/switchhook/pkg/bus"
	"github.com/switchhook/switchhook/pkg/fault"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

const (
	// daysEvery is how often the figures of a day are written while they change.
	daysEvery = 10 * time.Second
	// daysKept is how long they are kept.
	daysKept = 90 * 24 * time.Hour
	// callsKept is how long the bucket remembers that a call is over.
	callsKept = 24 * time.Hour
	// compareEvery is how often all rows are compared with what the core knows: a bucket may have been lost, and calls may
	// have ended while nobody looked.
	compareEvery = 3 * time.Second
	// writers is how many rows are written at once.
	writers = 64
)

// tables are the buckets that anybody can watch: the agents and calls of now, and the figures of the days.
type tables struct {
	keeper *Keeper
	agents *bus.Table[*pbxv1.AgentStatus]
	calls  *bus.Table[*pbxv1.CallStatus]
	days   *bus.Table[*pbxv1.DayStatistics]
	// What is to be written, and from when on. Used by one goroutine alone.
	dueAgents, dueCalls, dueDays map[string]time.Time
	compared                     time.Time
}

func newTables(k *Keeper) tables {
	options := func(bucket, description string, ttl time.Duration) bus.TableOptions {
		return bus.TableOptions{Bucket: bucket, Description: description, TTL: ttl, Replicas: k.Replicas}
	}
	return tables{
		keeper: k,
		agents: bus.NewTable(k.Bus, options("pbx_agents", "What each agent does now", 0),
			func() *pbxv1.AgentStatus { return new(pbxv1.AgentStatus) }),
		calls: bus.NewTable(k.Bus, options("pbx_calls", "The calls that go on now", callsKept),
			func() *pbxv1.CallStatus { return new(pbxv1.CallStatus) }),
		days: bus.NewTable(k.Bus, options("pbx_statistics", "The figures of each day", daysKept),
			func() *pbxv1.DayStatistics { return new(pbxv1.DayStatistics) }),
		dueAgents: map[string]time.Time{}, dueCalls: map[string]time.Time{}, dueDays: map[string]time.Time{},
	}
}

func (t *tables) actors() []Actor {
	var all []Actor
	add := func(execute func() error, interrupt func(error)) { all = append(all, Actor{execute, interrupt}) }
	add(t.agents.Maintain())
	add(t.calls.Maintain())
	add(t.days.Maintain())
	return all
}

func (t *tables) loaded() bool { return t.agents.Loaded() && t.calls.Loaded() && t.days.Loaded() }

// write brings the buckets up to what the core knows. The active replica does so at once, the others when it does not; a
// row that somebody else wrote meanwhile is compared again.
func (t *tables) write(ctx context.Context) {
	k := t.keeper
	k.mu.Lock()
	live, now := k.live, k.Now()
	if live {
		t.collect(now)
	}
	k.mu.Unlock()
	if !live || !t.loaded() {
		return
	}
	writeDue(ctx, t, t.agents, t.dueAgents, now, k.machine.Agent)
	writeDue(ctx, t, t.calls, t.dueCalls, now, k.machine.Call)
	writeDue(ctx, t, t.days, t.dueDays, now, func(key string) *pbxv1.DayStatistics { return t.day(key, now) })
}

// day returns the figures to write. Figures differ from moment to moment, so a standby leaves those alone that somebody
// else keeps up to date. The keeper is locked.
func (t *tables) day(key string, now time.Time) *pbxv1.DayStatistics {
	row := t.days.Get(key)
	if !t.keeper.chain(tenantOf(key)).active && now.Sub(row.At) < 3*daysEvery {
		return row.Value
	}
	return t.keeper.day(key, now)
}

// collect notes what the core touched since the last time. The keeper is locked.
func (t *tables) collect(now time.Time) {
	k := t.keeper
	agents, calls, days := k.machine.Touched()
	if now.Sub(t.compared) >= compareEvery {
		t.compared = now
		agents, calls = t.all()
	}
	note := func(due map[string]time.Time, keys []string, active, standby time.Duration) {
		for _, key := range keys {
			if _, noted := due[key]; noted {
				continue
			}
			due[key] = now.Add(standby)
			if k.chain(tenantOf(key)).active {
				due[key] = now.Add(active)
			}
		}
	}
	note(t.dueAgents, agents, 0, patience)
	note(t.dueCalls, calls, 0, patience)
	note(t.dueDays, days, daysEvery, 3*daysEvery)
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

// writeDue writes the rows whose time has come. A value that is nil deletes its row.
func writeDue[T interface {
	comparable
	proto.Message
}](
	ctx context.Context, t *tables, table *bus.Table[T], due map[string]time.Time, now time.Time, value func(string) T,
) {
	keys := slices.DeleteFunc(slices.Collect(maps.Keys(due)), func(key string) bool { return now.Before(due[key]) })
	var mu sync.Mutex
	var writing sync.WaitGroup
	places := make(chan struct{}, writers)
	for _, key := range keys {
		t.keeper.mu.Lock()
		want := value(key)
		t.keeper.mu.Unlock()
		places <- struct{}{}
		writing.Go(func() {
			defer func() { <-places }()
			err := writeRow(ctx, table, key, want)
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				delete(due, key)
				return
			}
			due[key] = now.Add(retry)
			if !fault.Is(err, fault.Conflict) {
				t.keeper.Log.Debug("row not written, trying again", "err", err)
			}
		})
	}
	writing.Wait()
}

// writeRow makes a row what it should be, unless it is.
func writeRow[T interface {
	comparable
	proto.Message
}](ctx context.Context, table *bus.Table[T], key string, want T,
) error {
	ctx, cancel := context.WithTimeout(ctx, publishLimit)
	defer cancel()
	var none T
	row := table.Get(key)
	there := row.Revision > 0 && !row.Deleted
	switch {
	case want == none && !there:
		return nil
	case want == none:
		return table.Delete(ctx, key, row.Revision)
	case there && proto.Equal(row.Value, want):
		return nil
	}
	_, err := table.Put(ctx, key, want, row.Revision)
	return err
}
