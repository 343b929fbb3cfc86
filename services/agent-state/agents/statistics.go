package agents

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// Day returns the figures of a day, as 2026-01-31: what is final, and what else is known by now. What goes on counts up to
// now. It is nil for a day that nothing is known of, any more or yet.
//
// A call counts on the day, and in the hour, in which it began, once it is over. A state that lasts over midnight counts as
// entered on the first day. Time before the first fact of a day is not counted for agents whose exchange does not tell of
// logins, and so are in the state UNKNOWN.
func (m *Machine) Day(tenant, name string, now time.Time) *pbxv1.DayStatistics {
	t := m.tenants[tenant]
	if t == nil {
		return nil
	}
	noon, err := time.ParseInLocation(time.DateOnly, name, t.location)
	if err != nil {
		return nil
	}
	y, month, date := noon.Date()
	d := newDay(t.dayOf(time.Date(y, month, date, 12, 0, 0, 0, t.location)))
	if known := t.days[name]; known != nil {
		d = known.clone()
	}
	if d.from.Before(t.oldest()) || !d.from.Before(now) {
		return nil
	}
	until := earlier(now, d.to)
	for _, a := range t.agents {
		for _, s := range a.timeline(until) {
			d.count(a, s)
		}
	}
	for r := range t.calls {
		if !r.settled && !r.call.Began.IsZero() && (span{d.from, d.to}).has(r.call.Began) {
			d.add(r)
		}
	}
	return d.message(t, name, until)
}

func (d *day) message(t *tenant, name string, until time.Time) *pbxv1.DayStatistics {
	s := &pbxv1.DayStatistics{
		Tenant: t.name, Day: name, Timezone: t.location.String(),
		BeginsAt: timestamppb.New(d.from), EndsAt: timestamppb.New(d.to), CountedUntil: timestamppb.New(until),
	}
	for _, id := range slices.Sorted(maps.Keys(d.agents)) {
		if of := d.agents[id]; !of.empty() {
			s.Agents = append(s.Agents, of.message(t, id))
		}
	}
	for _, queue := range slices.Sorted(maps.Keys(d.queues)) {
		q := d.queues[queue]
		s.Queues = append(s.Queues, &pbxv1.QueueDay{
			Queue: queue, Calls: q.message(), ServiceLevel: durationpb.New(t.serviceLevel(queue)), AnsweredWithin: q.within,
		})
	}
	if len(s.Agents) == 0 && len(s.Queues) == 0 {
		return nil
	}
	for i := range d.hours {
		s.Hours = append(s.Hours, d.hours[i].message())
	}
	return s
}

func (d *agentDay) message(t *tenant, id string) *pbxv1.AgentDay {
	s := &pbxv1.AgentDay{
		Id: id, Calls: d.calls.message(), Outgoing: d.outgoing, OutgoingAnswered: d.reached,
		OutgoingTalk: d.outgoingTalk.message(),
	}
	if a := t.agents[id]; a != nil {
		s.User, s.Name, s.Extensions = a.user(), a.name, slices.Clone(a.extensions)
	}
	for what, time := range d.states {
		s.States = append(s.States, &pbxv1.StateTime{
			State: what.state, PauseReason: what.reason, Time: durationpb.New(time.time), Times: time.times,
		})
	}
	slices.SortFunc(s.States, func(x, y *pbxv1.StateTime) int {
		return cmp.Or(cmp.Compare(x.State, y.State), cmp.Compare(x.PauseReason, y.PauseReason))
	})
	return s
}
