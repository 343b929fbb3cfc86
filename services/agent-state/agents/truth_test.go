package agents_test

import (
	"maps"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
	"github.com/switchhook/switchhook/services/pbxsim/flow"
	"github.com/switchhook/switchhook/services/pbxsim/traffic"
)

// The truth is found second by second: a clock walks over all moments of the calls and all shifts, and whoever is in a state
// at a second gets one second of it.

// doing is what an agent is known to do; the zero value is nothing at all.
type doing struct {
	state  pbxv1.AgentState
	reason string
}

type spent struct {
	seconds, times int
}

// person is an agent under the clock.
type person struct {
	queue   string
	word    doing
	onPhone string // "", rings, talks
	wrap    int    // seconds left
	last    doing
	day     string
	count   *spent // of the last state and day
	days    map[string]map[doing]*spent
}

// observe walks over the seconds, and returns the people by login.
func observe(sim *simulation, from, until time.Time, zone *time.Location) map[string]*person {
	people := map[string]*person{}
	for _, a := range sim.people {
		people[a.Login] = &person{queue: a.Queue, days: map[string]map[doing]*spent{}}
	}
	all := slices.Collect(maps.Values(people))
	happens := map[int64][]func(){}
	on := func(t time.Time, f func()) { happens[t.Unix()] = append(happens[t.Unix()], f) }
	for _, c := range sim.calls {
		for _, s := range c.Shifts {
			on(s.At, func() { people[s.Agent.Login].shift(s) })
		}
		for _, m := range c.Moments {
			on(c.Start.Add(m.At), func() { moment(people, c.Call, m) })
		}
	}
	day, name := from.Add(-time.Hour), ""
	for now := from; now.Before(until); now = now.Add(time.Second) {
		if now.Truncate(15 * time.Minute).After(day) {
			day, name = now.Truncate(15*time.Minute), now.In(zone).Format("2006-01-02")
		}
		for _, f := range happens[now.Unix()] {
			f()
		}
		for _, p := range all {
			p.second(name)
		}
	}
	return people
}

func (p *person) shift(s flow.Shift) {
	switch s.Kind {
	case flow.LoggedOut:
		p.word = doing{state: pbxv1.AgentState_LOGGED_OUT}
	case flow.Paused:
		p.word = doing{pbxv1.AgentState_PAUSED, s.Reason}
	default:
		p.word = doing{state: pbxv1.AgentState_AVAILABLE}
	}
}

// moment knows what IPEX does not tell: that a phone stops ringing before a queue tries it again.
func moment(people map[string]*person, c *flow.Call, m flow.Moment) {
	var p *person
	if m.Agent != nil {
		p = people[m.Agent.Login]
	}
	switch {
	case m.Kind == flow.Entered && p != nil:
		p.onPhone = "talks"
	case m.Kind == flow.Rang && c.Direction != flow.Outgoing:
		p.onPhone = "rings"
	case m.Kind == flow.PickedUp:
		p.onPhone = "talks"
	case m.Kind == flow.Left && c.Scenario == flow.QueueRetried && m.Cause == flow.NoAnswer:
	case m.Kind == flow.Left || m.Kind == flow.HandedOver:
		if p.onPhone == "talks" && c.Queue != "" {
			p.wrap = map[string]int{"Sales": 90}[c.Queue]
			if c.Queue != "Sales" {
				p.wrap = 30
			}
		}
		p.onPhone = ""
	case m.Kind == flow.Ended:
		for _, a := range []*flow.Agent{c.From, c.To} {
			if a != nil {
				people[a.Login].onPhone = ""
			}
		}
	}
}

// second lets the person spend one second.
func (p *person) second(day string) {
	away := p.word.state == pbxv1.AgentState_PAUSED || p.word.state == pbxv1.AgentState_LOGGED_OUT
	if away || p.onPhone != "" {
		p.wrap = 0
	}
	now := p.word
	switch {
	case p.onPhone == "talks":
		now = doing{state: pbxv1.AgentState_ON_CALL}
	case p.onPhone == "rings":
		now = doing{state: pbxv1.AgentState_RINGING}
	case p.wrap > 0:
		now = doing{state: pbxv1.AgentState_WRAP_UP}
		p.wrap--
	}
	if now == (doing{}) {
		return
	}
	if now != p.last || day != p.day {
		if p.days[day] == nil {
			p.days[day] = map[doing]*spent{}
		}
		if p.days[day][now] == nil {
			p.days[day][now] = &spent{}
		}
		p.count = p.days[day][now]
		if now != p.last {
			p.count.times++
		}
	}
	p.count.seconds++
	p.last, p.day = now, day
}

// sums are figures in seconds.
type sums struct {
	Offered, Answered, Elsewhere, Missed, Abandoned  int
	Ring, RingMax, Talk, TalkMax, Wait, WaitMax      int
	Outgoing, Reached, Within, OutTalk, Rings, Talks int
}

func seconds(d time.Duration) int { return int(d / time.Second) }

func (s *sums) judge(c *flow.Call, mine bool) {
	s.Offered++
	switch {
	case mine:
		s.Answered++
	case c.Outcome == flow.OutcomeAnswered:
		s.Elsewhere++
	case c.Outcome == flow.OutcomeAbandonedQueue, c.Outcome == flow.OutcomeAbandonedRinging:
		s.Abandoned++
	default:
		s.Missed++
	}
	wait := seconds(c.Wait + c.Ring)
	s.Wait += wait
	s.WaitMax = max(s.WaitMax, wait)
}

func (s *sums) ring(v int) { s.Rings++; s.Ring += v; s.RingMax = max(s.RingMax, v) }
func (s *sums) talk(v int) { s.Talks++; s.Talk += v; s.TalkMax = max(s.TalkMax, v) }

// figuresOf counts the calls of a day, by agent, by queue, and by hour.
func figuresOf(sim *simulation, day string, begins time.Time, zone *time.Location) (agents, queues map[string]*sums, hours []*sums) {
	agents, queues, hours = map[string]*sums{}, map[string]*sums{}, make([]*sums, 25)
	of := func(m map[string]*sums, name string) *sums {
		if m[name] == nil {
			m[name] = &sums{}
		}
		return m[name]
	}
	for i := range hours {
		hours[i] = &sums{}
	}
	for _, c := range sim.calls {
		if c.Start.In(zone).Format("2006-01-02") != day {
			continue
		}
		if c.Direction == flow.Incoming {
			for _, s := range []*sums{of(queues, c.Queue), hours[seconds(c.Start.Sub(begins))/3600]} {
				s.judge(c.Call, c.Outcome == flow.OutcomeAnswered)
				if len(c.Rang) > 0 {
					s.ring(seconds(c.Ring))
				}
				if c.Outcome == flow.OutcomeAnswered {
					s.talk(seconds(c.Talk))
				}
				level := 20 * time.Second
				if c.Queue == "NOC" {
					level = 30 * time.Second
				}
				if c.Outcome == flow.OutcomeAnswered && c.Wait+c.Ring <= level {
					s.Within++
				}
			}
		}
		if c.From != nil {
			s := of(agents, c.From.Login)
			s.Outgoing++
			if c.Outcome == flow.OutcomeAnswered {
				s.Reached++
				s.OutTalk += seconds(c.Talk)
			}
		}
		for _, a := range sim.people {
			if slices.Contains(c.Rang, a.Extension) {
				partIn(of(agents, a.Login), c.Call, a)
			}
		}
	}
	return agents, queues, hours
}

// partIn counts what one phone did in a call.
func partIn(s *sums, c *flow.Call, a *flow.Agent) {
	rang, talked, ringing, talking := 0, 0, time.Duration(-1), time.Duration(-1)
	stop := func(at time.Duration) {
		if ringing >= 0 {
			rang += seconds(at - ringing)
		}
		if talking >= 0 {
			talked += seconds(at - talking)
		}
		ringing, talking = -1, -1
	}
	picked := false
	for _, m := range c.Moments {
		switch {
		case m.Kind == flow.Ended:
			stop(m.At)
		case m.Agent != a:
		case m.Kind == flow.Rang && ringing < 0:
			ringing = m.At
		case m.Kind == flow.PickedUp:
			stop(m.At)
			talking, picked = m.At, true
		case m.Kind == flow.Left && c.Scenario == flow.QueueRetried && m.Cause == flow.NoAnswer:
		case m.Kind == flow.Left:
			stop(m.At)
		}
	}
	s.judge(c, picked)
	s.ring(rang)
	if picked {
		s.talk(talked)
	}
}

func sumsOf(f *pbxv1.CallFigures) *sums {
	return &sums{
		Offered: int(f.GetOffered()), Answered: int(f.GetAnswered()), Elsewhere: int(f.GetAnsweredElsewhere()),
		Missed: int(f.GetMissed()), Abandoned: int(f.GetAbandoned()),
		Rings: int(f.GetRing().GetCount()), Talks: int(f.GetTalk().GetCount()),
		Ring: seconds(f.GetRing().GetTotal().AsDuration()), RingMax: seconds(f.GetRing().GetLongest().AsDuration()),
		Talk: seconds(f.GetTalk().GetTotal().AsDuration()), TalkMax: seconds(f.GetTalk().GetLongest().AsDuration()),
		Wait: seconds(f.GetWait().GetTotal().AsDuration()), WaitMax: seconds(f.GetWait().GetLongest().AsDuration()),
	}
}

// TestTruth compares whole days with what was simulated: in winter, and over both nights in which clocks change.
func TestTruth(t *testing.T) {
	zone := prague(t)
	tests := map[string]struct {
		start  time.Time
		length time.Duration
		days   []string
		hours  []int
	}{
		"winter": {noon, 6 * time.Hour, []string{"2026-01-05"}, []int{24}},
		"spring": {
			time.Date(2026, 3, 28, 22, 0, 0, 0, time.UTC), 25 * time.Hour,
			[]string{"2026-03-28", "2026-03-29", "2026-03-30"},
			[]int{24, 23, 24},
		},
		"autumn": {
			time.Date(2026, 10, 24, 21, 0, 0, 0, time.UTC), 27 * time.Hour,
			[]string{"2026-10-24", "2026-10-25", "2026-10-26"},
			[]int{24, 25, 24},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			sim := simulate(t, ipexAlone, 3, 1, test.start, test.length)
			until := test.start.Add(test.length)
			s := sim.follow(traffic.Stream(sim.calls))
			s.hear(until, &pbxv1.Event{Id: "end", Time: timestamppb.New(until)})
			people := observe(sim, test.start, until, zone)
			for i, day := range test.days {
				have := s.Day("acme", day, until)
				begins := have.GetBeginsAt().AsTime()
				if hours := have.GetEndsAt().AsTime().Sub(begins).Hours(); int(hours) != test.hours[i] || len(have.GetHours()) != test.hours[i] {
					t.Errorf("%s: want %d hours, have %v and %d figures", day, test.hours[i], hours, len(have.GetHours()))
				}
				checkTimes(t, day, people, have)
				agents, queues, hours := figuresOf(sim, day, begins, zone)
				checkAgents(t, day, agents, have)
				checkQueues(t, day, queues, have)
				for h, f := range have.GetHours() {
					want := *hours[h]
					want.Within = 0
					if have := sumsOf(f); want != *have {
						t.Errorf("%s, hour %d:\nwant %+v\nhave %+v", day, h, want, *have)
					}
				}
			}
		})
	}
}

func checkTimes(t *testing.T, day string, people map[string]*person, have *pbxv1.DayStatistics) {
	t.Helper()
	found := map[string]map[doing]spent{}
	for _, a := range have.GetAgents() {
		times := map[doing]spent{}
		for _, s := range a.GetStates() {
			times[doing{s.GetState(), s.GetPauseReason()}] = spent{seconds(s.GetTime().AsDuration()), int(s.GetTimes())}
		}
		found[a.GetUser().GetLogin()] = times
	}
	counted := 0
	for login, p := range people {
		want := map[doing]spent{}
		for d, s := range p.days[day] {
			want[d] = *s
			counted += s.seconds
		}
		if !maps.Equal(want, found[login]) {
			t.Errorf("%s: %s\nwant %v\nhave %v", day, login, want, found[login])
		}
	}
	if counted == 0 {
		t.Errorf("%s: want some time counted", day)
	}
}

func checkAgents(t *testing.T, day string, want map[string]*sums, have *pbxv1.DayStatistics) {
	t.Helper()
	for _, a := range have.GetAgents() {
		login := a.GetUser().GetLogin()
		found := sumsOf(a.GetCalls())
		found.Outgoing, found.Reached = int(a.GetOutgoing()), int(a.GetOutgoingAnswered())
		found.OutTalk = seconds(a.GetOutgoingTalk().GetTotal().AsDuration())
		w := want[login]
		delete(want, login)
		if w == nil {
			w = &sums{}
		}
		if *w != *found {
			t.Errorf("%s: %s\nwant %+v\nhave %+v", day, login, *w, *found)
		}
	}
	for login := range want {
		t.Errorf("%s: want figures of %s", day, login)
	}
}

func checkQueues(t *testing.T, day string, want map[string]*sums, have *pbxv1.DayStatistics) {
	t.Helper()
	if len(want) != len(have.GetQueues()) {
		t.Errorf("%s: want %d queues, have %d", day, len(want), len(have.GetQueues()))
	}
	for _, q := range have.GetQueues() {
		found := sumsOf(q.GetCalls())
		found.Within = int(q.GetAnsweredWithin())
		if w := want[q.GetQueue()]; w == nil || *w != *found {
			t.Errorf("%s: queue %q\nwant %+v\nhave %+v", day, q.GetQueue(), w, *found)
		}
	}
}
