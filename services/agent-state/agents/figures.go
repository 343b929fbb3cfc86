package agents

import (
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/switchhook/switchhook/pkg/call"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// durations sum up durations.
type durations struct {
	count          int32
	total, longest time.Duration
}

func (d *durations) add(v time.Duration) { d.join(durations{1, v, v}) }

func (d *durations) join(other durations) {
	d.count += other.count
	d.total += other.total
	d.longest = max(d.longest, other.longest)
}

func (d durations) message() *pbxv1.DurationFigures {
	return &pbxv1.DurationFigures{
		Count: d.count, Total: durationpb.New(d.total), Longest: durationpb.New(d.longest),
	}
}

// figures count calls.
type figures struct {
	answered, elsewhere, missed, abandoned int32
	ring, talk, wait                       durations
}

func (f *figures) join(other figures) {
	f.answered += other.answered
	f.elsewhere += other.elsewhere
	f.missed += other.missed
	f.abandoned += other.abandoned
	f.ring.join(other.ring)
	f.talk.join(other.talk)
	f.wait.join(other.wait)
}

func (f *figures) message() *pbxv1.CallFigures {
	return &pbxv1.CallFigures{
		Offered:  f.answered + f.elsewhere + f.missed + f.abandoned,
		Answered: f.answered, AnsweredElsewhere: f.elsewhere, Missed: f.missed, Abandoned: f.abandoned,
		Ring: f.ring.message(), Talk: f.talk.message(), Wait: f.wait.message(),
	}
}

// outcome counts what became of a call; mine is whether who is counted for answered it. A call that is over without anybody
// having said how was not answered, so it is missed.
func (f *figures) outcome(c *call.Call, mine bool) {
	switch {
	case mine:
		f.answered++
	case c.Outcome == call.Answered:
		f.elsewhere++
	case c.Outcome == call.Abandoned:
		f.abandoned++
	default:
		f.missed++
	}
	if answerKnown(c) {
		f.wait.add(c.Wait + c.Ring)
	}
}

// answerKnown reports whether it is known how long the caller waited: some exchanges prove an answer without telling when it
// was.
func answerKnown(c *call.Call) bool { return c.Outcome != call.Answered || !c.Answered.IsZero() }

// whole counts a call as such.
func (f *figures) whole(c *call.Call) {
	f.outcome(c, c.Outcome == call.Answered)
	if rang(c) && answerKnown(c) {
		f.ring.add(c.Ring)
	}
	if c.Outcome == call.Answered && (c.Talk > 0 || !c.Answered.IsZero()) {
		f.talk.add(c.Talk)
	}
}

// rang reports whether any phone rang that was called.
func rang(c *call.Call) bool {
	if c.Ring > 0 {
		return true
	}
	for i := range c.Legs {
		if p := partOf(c, &c.Legs[i]); p.rang {
			return true
		}
	}
	return false
}

// queueDay is the sums of one queue.
type queueDay struct {
	figures
	within int32
}

// agentDay is the sums of one agent.
type agentDay struct {
	states            map[activity]*stateTime
	calls             figures
	outgoing, reached int32
	outgoingTalk      durations
}

type stateTime struct {
	time  time.Duration
	times int32
}

func (d *agentDay) state(a activity) *stateTime {
	s := d.states[a]
	if s == nil {
		s = &stateTime{}
		d.states[a] = s
	}
	return s
}

func (d *agentDay) join(other *agentDay) {
	for a, s := range other.states {
		into := d.state(a)
		into.time += s.time
		into.times += s.times
	}
	d.calls.join(other.calls)
	d.outgoing += other.outgoing
	d.reached += other.reached
	d.outgoingTalk.join(other.outgoingTalk)
}

// empty reports whether there is nothing to say of the agent.
func (d *agentDay) empty() bool {
	return len(d.states) == 0 && d.calls == figures{} && d.outgoing == 0
}

// part is what somebody did in a call, with all of their phones.
type part struct {
	made, rang, answered, talked bool
	ring, talk                   time.Duration
}

// partOf returns what one leg did. Listening in to a call of others is no part in it.
func partOf(c *call.Call, leg *call.Leg) part {
	direction := directionOf(c, leg)
	if direction == pbxv1.Call_BARGE {
		return part{}
	}
	p := part{answered: leg.Answered}
	for _, s := range leg.Spans {
		length := max(0, s.To.Sub(s.From))
		switch s.Kind {
		case call.Dialing:
			p.made = true
		case call.Ringing:
			p.rang = true
			p.ring += length
		case call.Talking:
			p.talked = true
			p.talk += length
		}
	}
	outgoing := direction == pbxv1.Call_OUTGOING || direction == pbxv1.Call_INTERNAL_OUTGOING
	p.made = p.made || outgoing && !p.rang
	return p
}

func (p *part) join(other part) {
	p.made, p.rang = p.made || other.made, p.rang || other.rang
	p.answered, p.talked = p.answered || other.answered, p.talked || other.talked
	p.ring += other.ring
	p.talk += other.talk
}

// add counts a call, which is over.
func (d *day) add(r *record) {
	c := r.call
	if c.Open() || c.Void {
		return
	}
	if c.Direction == pbxv1.Call_INCOMING {
		q := d.queue(c.Queue)
		q.whole(c)
		if within := r.tenant.serviceLevel(c.Queue); !c.Answered.IsZero() && c.Answered.Sub(c.Began) <= within {
			q.within++
		}
		if hour := int(c.Began.Sub(d.from) / time.Hour); hour >= 0 && hour < len(d.hours) {
			d.hours[hour].whole(c)
		}
	}
	parts := map[*agent]*part{}
	for i, o := range r.owners {
		if parts[o.agent] == nil {
			parts[o.agent] = &part{}
		}
		parts[o.agent].join(partOf(c, &c.Legs[i]))
	}
	for a, p := range parts {
		if p.made || p.rang || p.answered {
			d.agent(a.id).add(c, p)
		}
	}
}

// add counts the agent's part in a call.
func (d *agentDay) add(c *call.Call, p *part) {
	if p.made {
		d.outgoing++
		if c.Outcome == call.Answered {
			d.reached++
			if p.talked {
				d.outgoingTalk.add(p.talk)
			}
		}
		return
	}
	mine := p.answered && c.Outcome == call.Answered
	d.calls.outcome(c, mine)
	if p.rang {
		d.calls.ring.add(p.ring)
	}
	if mine && p.talked {
		d.calls.talk.add(p.talk)
	}
}
