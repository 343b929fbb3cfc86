package live

import (
	"context"
	"strings"
	"time"

	"github.com/switchhook/switchhook/pkg/bus"
	"github.com/switchhook/switchhook/pkg/event"
	"github.com/switchhook/switchhook/pkg/fault"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// serve answers questions, from what this replica knows.
func (k *Keeper) serve() (execute func() error, interrupt func(error)) {
	return k.Bus.Serve(Name, "Knows what agents do, which calls go on, and the figures of each day.",
		bus.Answer(event.QueryAgentList, func(_ context.Context, q *pbxv1.AgentListRequest) (*pbxv1.AgentListResponse, error) {
			return ask(k, q.GetTenant(), func() *pbxv1.AgentListResponse { return k.machine.Agents(q) })
		}),
		bus.Answer(event.QueryAgentGet, k.get),
		bus.Answer(event.QueryCallList, func(_ context.Context, q *pbxv1.CallListRequest) (*pbxv1.CallListResponse, error) {
			return ask(k, q.GetTenant(), func() *pbxv1.CallListResponse { return k.machine.Calls(q) })
		}),
		bus.Answer(event.QueryAgentStatistics, k.statistics),
	)
}

// ask asks the core about a tenant, which must exist.
func ask[T any](k *Keeper, tenant string, question func() T) (answer T, err error) {
	if err := k.Ready(); err != nil {
		return answer, err
	}
	k.replica.Do(func() {
		if k.tenants[tenant] == nil {
			err = fault.New(fault.NotFound, "there is no tenant %q", tenant)
			return
		}
		answer = question()
	})
	return answer, err
}

func (k *Keeper) get(_ context.Context, q *pbxv1.AgentGetRequest) (*pbxv1.AgentGetResponse, error) {
	agent, err := ask(k, q.GetTenant(), func() *pbxv1.AgentStatus { return k.machine.Find(q.GetTenant(), q.GetAgent()) })
	if err == nil && agent == nil {
		err = fault.New(fault.NotFound, "nobody at %s is called %q", q.GetTenant(), q.GetAgent())
	}
	return &pbxv1.AgentGetResponse{Agent: agent}, err
}

func (k *Keeper) statistics(
	_ context.Context, q *pbxv1.AgentStatisticsRequest,
) (*pbxv1.AgentStatisticsResponse, error) {
	day := q.GetDay()
	if _, err := time.Parse(time.DateOnly, day); day != "" && err != nil {
		return nil, fault.New(fault.Invalid, "day %q: want one such as 2026-01-31", day)
	}
	figures, err := ask(k, q.GetTenant(), func() *pbxv1.DayStatistics {
		if day == "" {
			day = k.today(q.GetTenant())
		}
		return k.day(q.GetTenant()+"."+day, k.Now())
	})
	if err == nil && figures == nil {
		err = fault.New(fault.NotFound, "nothing is known of %s at %s: the figures are kept for 90 days", day, q.GetTenant())
	}
	return &pbxv1.AgentStatisticsResponse{Statistics: figures}, err
}

// day returns the figures of a day. Those of a past day whose events the stream has partly forgotten are what was written
// while it had them. The core is locked.
func (k *Keeper) day(key string, now time.Time) *pbxv1.DayStatistics {
	tenant, day, _ := strings.Cut(key, ".")
	figures := k.machine.Day(tenant, day, now)
	written := k.days.Get(key).Value
	partly := k.lost && figures.GetBeginsAt().AsTime().Before(k.first) && !figures.GetEndsAt().AsTime().After(now)
	if figures == nil || partly && written != nil {
		return written
	}
	return figures
}

// today returns the day that it is at a tenant. The core is locked.
func (k *Keeper) today(tenant string) string {
	return k.Now().In(k.tenants[tenant].Location).Format(time.DateOnly)
}

func tenantOf(key string) string {
	tenant, _, _ := strings.Cut(key, ".")
	return tenant
}
