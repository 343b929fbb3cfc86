package agents

import (
	"slices"
	"time"

	"github.com/switchhook/switchhook/pkg/call"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// span is the time from one moment until before another.
type span struct{ from, to time.Time }

func (s span) has(t time.Time) bool { return !t.Before(s.from) && t.Before(s.to) }

// segment is a stretch of an agent's time in one state.
type segment struct {
	span
	activity
	entered time.Time // when the state began, which may be before the segment
}

// edge is a moment at which something begins (by is 1) or ends (by is -1), or the exchange's word changes.
type edge struct {
	at   time.Time
	kind pbxv1.AgentState // ON_CALL, RINGING or WRAP_UP; else it is the word
	by   int
	word activity
}

// timeline returns what an agent did, without gaps, from where it is settled, or else from the first that is known, up to a
// moment. It depends on the facts alone, not on the order in which they became known.
func (a *agent) timeline(until time.Time) []segment {
	edges := a.edges(until)
	from := a.settled
	if from.IsZero() {
		if len(edges) == 0 {
			return nil
		}
		from = edges[0].at
	}
	var on [pbxv1.AgentState_UNKNOWN + 1]int
	word := a.word.changes[0].activity
	var line []segment
	for i := 0; ; {
		for ; i < len(edges) && !edges[i].at.After(from); i++ {
			if e := edges[i]; e.by == 0 {
				word = e.word
			} else {
				on[e.kind] += e.by
			}
		}
		to := until
		if i < len(edges) {
			to = edges[i].at
		}
		if !from.Before(until) {
			return line
		}
		line = a.extend(line, segment{span{from, to}, choose(on, word), from})
		from = to
	}
}

// choose is the order of the states.
func choose(on [pbxv1.AgentState_UNKNOWN + 1]int, word activity) activity {
	for _, s := range []pbxv1.AgentState{
		pbxv1.AgentState_ON_CALL, pbxv1.AgentState_RINGING, pbxv1.AgentState_WRAP_UP,
	} {
		if on[s] > 0 {
			return activity{state: s}
		}
	}
	return word
}

// extend adds a segment, or makes the last one longer.
func (a *agent) extend(line []segment, s segment) []segment {
	switch n := len(line); {
	case n > 0 && line[n-1].activity == s.activity:
		line[n-1].to = s.to
		return line
	case n == 0 && !a.settled.IsZero() && a.entered.activity == s.activity:
		s.entered = a.entered.entered
	}
	return append(line, s)
}

// edges returns all that changes before a moment, in order.
func (a *agent) edges(until time.Time) []edge {
	edges := make([]edge, 0, 4*len(a.records)+len(a.word.changes))
	add := func(kind pbxv1.AgentState, from, to time.Time) {
		if to.IsZero() || to.After(until) {
			to = until
		}
		if from.Before(to) {
			edges = append(edges, edge{at: from, kind: kind, by: 1}, edge{at: to, kind: kind, by: -1})
		}
	}
	starts := a.starts()
	a.legs(func(c *call.Call, leg *call.Leg) {
		for _, s := range leg.Spans {
			add(stateOf(c, leg, s.Kind), s.From, s.To)
		}
		if from, to := a.tenant.wrapUpOf(c, leg); from.Before(until) && to.After(a.settled) {
			add(pbxv1.AgentState_WRAP_UP, from, a.shorten(from, to, starts))
		}
	})
	for _, c := range a.word.changes[1:] {
		if c.at.Before(until) {
			edges = append(edges, edge{at: c.at, word: c.activity})
		}
	}
	slices.SortStableFunc(edges, func(x, y edge) int { return x.at.Compare(y.at) })
	return edges
}

// since returns when the state that an agent is in began, by the facts, which late events may have changed since it was told.
func (a *agent) since(now time.Time) time.Time {
	line := a.timeline(now.Add(1))
	if n := len(line); n > 0 && line[n-1].activity == a.now.activity {
		return line[n-1].entered
	}
	return a.now.since
}

// settle counts the agent's time up to a moment in the days, and lets go of what only mattered before.
func (a *agent) settle(until time.Time) {
	for _, r := range a.records {
		if first := r.began(a); !r.settled && !first.IsZero() {
			until = earlier(until, first)
		}
	}
	line := a.timeline(until)
	if len(line) == 0 || !until.After(a.settled) {
		return
	}
	for _, s := range line {
		a.tenant.count(a, s)
	}
	a.settled, a.entered = until, line[len(line)-1]
	// What cuts a wrap-up short is needed for as long as the wrap-up might last.
	needed := until.Add(-a.tenant.longest)
	a.records = slices.DeleteFunc(a.records, func(r *record) bool {
		return r.settled && !r.call.Open() && !r.over(a).After(needed)
	})
	a.word.settle(needed)
}
