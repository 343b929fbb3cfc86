package e2e_test

import (
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
	"github.com/switchhook/switchhook/services/pbxsim/ledger"
)

// counts are figures by name: the day, whose they are, and what they count. Those that are zero are not there.
type counts map[string]int64

func (c counts) add(name string, n int64) {
	if c[name] += n; c[name] == 0 {
		delete(c, name)
	}
}

// time adds a duration to those of a name.
func (c counts) time(name string, d time.Duration) {
	c.add(name+" count", 1)
	c.add(name+" seconds", int64(d/time.Second))
	c.add(name+" longest", max(0, int64(d/time.Second)-c[name+" longest"]))
}

// count counts what the ledger's truth comes to, in a tenant's time zone.
func (s *story) count(calls []*told, from, to time.Time, location *time.Location) counts {
	c := counts{}
	for _, call := range calls {
		day := call.start.In(location).Format(time.DateOnly)
		if !call.made {
			c.whole(day+" queue "+call.queue, call)
			c.whole(fmt.Sprintf("%s hour %02d", day, hourOf(call.start.In(location))), call)
			if !call.answered.IsZero() && call.answered.Sub(call.start) <= 15*time.Second {
				c.add(day+" queue "+call.queue+" answered within", 1)
			}
		}
		for _, leg := range call.legs {
			c.leg(day+" agent "+leg.Extension, call, leg)
		}
	}
	days := make([]string, int(to.Sub(from)/time.Second))
	for second := range days {
		days[second] = from.Add(time.Duration(second) * time.Second).In(location).Format(time.DateOnly)
	}
	for extension, life := range s.live(calls, from, to, 10) {
		c.life(extension, life, days)
	}
	return c
}

// hourOf counts the hours that have begun on a day before a moment, other than the clock on the wall does.
func hourOf(at time.Time) (hours int) {
	day := at.Format(time.DateOnly)
	for before := at.Add(-time.Hour); before.Format(time.DateOnly) == day; before = before.Add(-time.Hour) {
		hours++
	}
	return hours
}

// whole counts an incoming call as such.
func (c counts) whole(name string, call *told) {
	c.add(name+" offered", 1)
	c.add(name+" "+call.outcome, 1)
	until := call.Ended
	if call.outcome == "answered" {
		until = call.answered
	}
	if until.IsZero() {
		return // nobody told when it was answered
	}
	c.time(name+" wait", until.Sub(call.start))
	if !call.rang.IsZero() {
		c.time(name+" ring", until.Sub(call.rang))
	}
	if !call.answered.IsZero() {
		c.time(name+" talk", call.Ended.Sub(call.answered))
	}
}

// leg counts what an agent had to do with a call.
func (c counts) leg(name string, call *told, leg ledger.Leg) {
	if len(leg.Dialing) > 0 {
		c.add(name+" outgoing", 1)
		if leg.Answered {
			c.add(name+" outgoing answered", 1)
		}
		if len(leg.Talking) > 0 {
			c.time(name+" outgoing talk", length(leg.Talking))
		}
		return
	}
	outcome := call.outcome
	if outcome == "answered" && !leg.Answered {
		outcome = "elsewhere"
	}
	c.add(name+" offered", 1)
	c.add(name+" "+outcome, 1)
	switch {
	case call.outcome != "answered":
		c.time(name+" wait", call.Ended.Sub(call.start))
	case !call.answered.IsZero():
		c.time(name+" wait", call.answered.Sub(call.start))
	}
	if len(leg.Ringing) > 0 {
		c.time(name+" ring", length(leg.Ringing))
	}
	if len(leg.Talking) > 0 {
		c.time(name+" talk", length(leg.Talking))
	}
}

func length(spans []ledger.Span) (sum time.Duration) {
	for _, s := range spans {
		sum += s[1].Sub(s[0])
	}
	return sum
}

// life counts an agent's seconds by day. On each day, nothing is known of whoever has not been heard of yet.
func (c counts) life(extension string, life []activity, days []string) {
	heard := ""
	for second, now := range life {
		if now == unknown && heard != days[second] {
			continue
		}
		heard = days[second]
		name := days[second] + " agent " + extension + " " + string(now)
		c.add(name+" seconds", 1)
		if second == 0 || life[second-1] != now {
			c.add(name+" times", 1)
		}
	}
}

// countsOf puts the figures of a day into the same form.
func countsOf(d *pbxv1.DayStatistics) counts {
	c := counts{}
	for _, q := range d.GetQueues() {
		name := d.GetDay() + " queue " + q.GetQueue()
		c.figures(name, q.GetCalls())
		c.add(name+" answered within", int64(q.GetAnsweredWithin()))
	}
	for i, hour := range d.GetHours() {
		c.figures(fmt.Sprintf("%s hour %02d", d.GetDay(), i), hour)
	}
	for _, a := range d.GetAgents() {
		name := d.GetDay() + " agent " + strings.Join(a.GetExtensions(), " ")
		c.figures(name, a.GetCalls())
		c.add(name+" outgoing", int64(a.GetOutgoing()))
		c.add(name+" outgoing answered", int64(a.GetOutgoingAnswered()))
		c.durations(name+" outgoing talk", a.GetOutgoingTalk())
		for _, s := range a.GetStates() {
			state := strings.TrimSpace(name + " " + s.GetState().String() + " " + s.GetPauseReason())
			c.add(state+" seconds", secondsOf(s.GetTime()))
			c.add(state+" times", int64(s.GetTimes()))
		}
	}
	return c
}

func (c counts) figures(name string, f *pbxv1.CallFigures) {
	c.add(name+" offered", int64(f.GetOffered()))
	c.add(name+" answered", int64(f.GetAnswered()))
	c.add(name+" elsewhere", int64(f.GetAnsweredElsewhere()))
	c.add(name+" missed", int64(f.GetMissed()))
	c.add(name+" abandoned", int64(f.GetAbandoned()))
	c.durations(name+" ring", f.GetRing())
	c.durations(name+" talk", f.GetTalk())
	c.durations(name+" wait", f.GetWait())
}

func (c counts) durations(name string, d *pbxv1.DurationFigures) {
	c.add(name+" count", int64(d.GetCount()))
	c.add(name+" seconds", secondsOf(d.GetTotal()))
	c.add(name+" longest", secondsOf(d.GetLongest()))
}

// secondsOf shows parts of a second, which there should be none of, as a figure that cannot be right.
func secondsOf(d *durationpb.Duration) int64 {
	if d.GetNanos() != 0 {
		return -1
	}
	return d.GetSeconds()
}
