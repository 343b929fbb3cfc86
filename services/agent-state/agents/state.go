package agents

import (
	"cmp"
	"container/heap"
	"slices"
	"strconv"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/switchhook/switchhook/pkg/call"
	"github.com/switchhook/switchhook/pkg/event"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// cause is why agents change their states: an event, or that time passed.
type cause struct {
	sequence uint64    // of the event; for time, of the one that set the time
	part     string    // tells what time brought from what the event did; empty for the event
	vendor   string    // of the event, or of the call that ended by time
	time     time.Time // when it happened
	at       time.Time // the stream's clock
}

// assess returns what an agent does at a moment, by what is known now. Of several calls the one counts that is furthest;
// then by direction, incoming first; then the one that began first.
func (a *agent) assess(now time.Time) (situation, wrapUp) {
	if best := a.busy(); best.call != nil {
		return situation{activity: activity{state: best.state}, direction: best.direction, call: best.call}, wrapUp{}
	}
	if wrap := a.wrapping(now); wrap.call != nil {
		return situation{activity: activity{state: pbxv1.AgentState_WRAP_UP}, call: wrap.call}, wrap
	}
	return situation{activity: a.word.last()}, wrapUp{}
}

// legs calls a function for each leg of the agent.
func (a *agent) legs(do func(*call.Call, *call.Leg)) {
	for _, r := range a.records {
		for i := range r.owners {
			if r.owners[i].agent == a {
				do(r.call, &r.call.Legs[i])
			}
		}
	}
}

// busy returns the call that an agent rings or talks for.
func (a *agent) busy() (best open) {
	a.legs(func(c *call.Call, leg *call.Leg) {
		if o, ok := openLeg(c, leg); ok && (best.call == nil || o.before(best)) {
			best = o
		}
	})
	return best
}

// wrapping returns the wrap-up that goes on; of several the one that lasts longest.
func (a *agent) wrapping(now time.Time) (longest wrapUp) {
	var starts []time.Time
	a.legs(func(c *call.Call, leg *call.Leg) {
		from, until := a.tenant.wrapUpOf(c, leg)
		if !until.After(now) || !until.After(longest.until) {
			return
		}
		if starts == nil {
			starts = a.starts()
		}
		if until = a.shorten(from, until, starts); until.After(now) && until.After(longest.until) {
			longest = wrapUp{until: until, call: c}
		}
	})
	return longest
}

// open is what an agent does in a call that goes on.
type open struct {
	state     pbxv1.AgentState
	direction pbxv1.Call_Direction
	from      time.Time
	call      *call.Call
}

func openLeg(c *call.Call, leg *call.Leg) (open, bool) {
	if !c.Open() || len(leg.Spans) == 0 {
		return open{}, false
	}
	last := leg.Spans[len(leg.Spans)-1]
	return open{stateOf(c, leg, last.Kind), directionOf(c, leg), last.From, c}, last.To.IsZero()
}

// before reports whether this is what the agent is seen to do.
func (o open) before(other open) bool {
	if o.state != other.state {
		return o.state == pbxv1.AgentState_ON_CALL
	}
	return cmp.Or(
		cmp.Compare(rank(o.direction), rank(other.direction)), o.from.Compare(other.from), cmp.Compare(o.call.ID, other.call.ID),
	) < 0
}

// rank puts directions in the order of the contract, and those that nobody told last.
func rank(d pbxv1.Call_Direction) int {
	if d == pbxv1.Call_DIRECTION_UNSPECIFIED {
		return len(pbxv1.Call_Direction_name)
	}
	return int(d)
}

// wrapUpOf returns the time after an answered leg of a queue's call, if nothing cuts it short; zero times for none.
func (t *tenant) wrapUpOf(c *call.Call, leg *call.Leg) (from, until time.Time) {
	length := t.wrapUp(c.Queue)
	if length == 0 || !leg.Answered || c.Expired || c.Void {
		return time.Time{}, time.Time{}
	}
	from = c.Ended
	if n := len(leg.Spans); n > 0 {
		from = leg.Spans[n-1].To
	}
	if from.IsZero() {
		return time.Time{}, time.Time{}
	}
	return from, from.Add(length)
}

// starts returns when the agent's phones began to do anything, in order. What has no length was only told too late.
func (a *agent) starts() []time.Time {
	starts := make([]time.Time, 0, 2*len(a.records))
	a.legs(func(_ *call.Call, leg *call.Leg) {
		for _, s := range leg.Spans {
			if !s.From.Equal(s.To) {
				starts = append(starts, s.From)
			}
		}
	})
	slices.SortFunc(starts, time.Time.Compare)
	return starts
}

// shorten cuts a wrap-up by the next call, and by a pause or a logout. One that begins in a pause has no length.
func (a *agent) shorten(from, until time.Time, starts []time.Time) time.Time {
	if next, _ := slices.BinarySearchFunc(starts, from, time.Time.Compare); next < len(starts) {
		until = earlier(until, starts[next])
	}
	if away := a.word.away(from); !away.IsZero() {
		until = earlier(until, away)
	}
	return until
}

// reassess brings an agent up to date, and notes the transition if there is one.
func (m *Machine) reassess(a *agent, why cause) {
	s, wrap := a.assess(m.clock)
	m.enter(a, s, wrap, why)
}

func (m *Machine) enter(a *agent, s situation, wrap wrapUp, why cause) {
	m.setTimer(a, wrap, why.sequence)
	m.touchAgent(a)
	if s.activity == a.now.activity {
		s.since = a.now.since
		a.now = s
		return
	}
	ev := a.transition(&s, why)
	a.now = s
	m.out = append(m.out, ev)
}

// transition returns the event that tells of a new situation, and sets since when it is so.
func (a *agent) transition(s *situation, why cause) *pbxv1.Event {
	s.since = later(earlier(why.time, why.at), a.now.since)
	change := &pbxv1.Agent{
		Kind: pbxv1.Agent_STATE_CHANGED, Id: a.id, User: a.user(), State: s.state, PreviousState: a.now.state,
		PauseReason: s.reason, Since: timestamppb.New(s.since), Direction: s.direction,
	}
	if len(a.extensions) > 0 {
		change.Extension = a.extensions[0]
	}
	if s.call != nil {
		change.Queue = s.call.Queue
		if s.state != pbxv1.AgentState_WRAP_UP {
			change.CallKey, change.Extension = s.call.Key, a.at(s.call, change.Extension)
		}
	}
	if !a.now.since.IsZero() {
		change.PreviousDuration = durationpb.New(s.since.Sub(a.now.since))
	}
	origin := event.Origin{Vendor: why.vendor, Tenant: a.tenant.name}
	return &pbxv1.Event{
		Id:   event.DerivedID(origin, "agent-state", a.id, strconv.FormatUint(why.sequence, 10), why.part),
		Time: change.Since, ReceivedAt: timestamppb.New(why.at), Vendor: why.vendor, Tenant: a.tenant.name,
		Payload: &pbxv1.Event_Agent{Agent: change},
	}
}

// at returns which of the agent's phones is in a call.
func (a *agent) at(c *call.Call, otherwise string) string {
	for _, r := range a.records {
		if r.call != c {
			continue
		}
		for i, o := range r.owners {
			if _, ok := openLeg(c, &c.Legs[i]); ok && o.agent == a {
				return o.extension
			}
		}
	}
	return otherwise
}

// setTimer notes when a wrap-up ends. The event that set this very time stays the cause.
func (m *Machine) setTimer(a *agent, wrap wrapUp, sequence uint64) {
	if wrap.until.Equal(a.wrap.until) {
		return
	}
	wrap.sequence = sequence
	m.timers.remove(a)
	a.wrap = wrap
	if wrap.call != nil {
		heap.Push(&m.timers, a)
	}
}

// timers are the agents whose wrap-up ends by time, the next one first.
type timers []*agent

func (t timers) Len() int { return len(t) }
func (t timers) Less(i, j int) bool {
	return cmp.Or(t[i].wrap.until.Compare(t[j].wrap.until), cmp.Compare(t[i].key, t[j].key)) < 0
}

func (t timers) Swap(i, j int) {
	t[i], t[j] = t[j], t[i]
	t[i].heap, t[j].heap = i, j
}

// Push implements heap.Interface.
func (t *timers) Push(x any) {
	a := x.(*agent)
	a.heap = len(*t)
	*t = append(*t, a)
}

// Pop implements heap.Interface.
func (t *timers) Pop() any {
	last := (*t)[len(*t)-1]
	*t = (*t)[:len(*t)-1]
	last.heap = -1
	return last
}

func (t *timers) remove(a *agent) {
	if a.heap >= 0 {
		heap.Remove(t, a.heap)
	}
	a.wrap = wrapUp{}
}
