package flow_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/switchhook/switchhook/services/pbxsim/flow"
)

var people = flow.People("acme", 1)

// clicked returns calls of every fate, to the outside and to a colleague.
func clicked(seed uint64) []*flow.Call {
	outside, _ := flow.ReadNumber("777888990", "CZ")
	var all []*flow.Call
	for _, fate := range []flow.Fate{flow.PicksUp, flow.RingsOut, flow.IsBusy, flow.CallerAbsent} {
		line := flow.OwnNumber("CZ", 1)
		all = append(all,
			flow.Click{Caller: people[0], Outside: outside, Line: line, Fate: fate}.Call(seed, 5, morning),
			flow.Click{Caller: people[0], Colleague: people[1], Line: line, Fate: fate}.Call(seed, 6, morning))
	}
	return all
}

func TestClickedOutcomes(t *testing.T) {
	want := []flow.Outcome{
		flow.OutcomeAnswered, flow.OutcomeAnswered, flow.OutcomeUnansweredOutgoing, flow.OutcomeRangOut,
		flow.OutcomeBusyOutgoing, flow.OutcomeBusy, flow.OutcomeUnansweredOutgoing, flow.OutcomeRangOut,
	}
	for i, c := range clicked(1) {
		if c.Outcome != want[i] || c.Scenario != flow.Clicked || c.Missed {
			t.Errorf("call %d: want %s, have %+v", i, want[i], c)
		}
		if absent := i >= 6; absent != (c.Ring == 0 && c.Wait >= 20*time.Second) {
			t.Errorf("call %d: want a ring only after the caller picked up, have wait %v, ring %v", i, c.Wait, c.Ring)
		}
	}
}

// turns returns what can become of a call at a time: by name, and in every way that applies.
func turns(c *flow.Call, at time.Duration) map[string]*flow.Call {
	all := map[string]*flow.Call{"hung up": c.HangUp(at, nil)}
	for a := range c.Phones(at) {
		all["hung up by "+a.Extension] = c.HangUp(at, a)
		all["taken back by "+a.Extension] = c.TakeBack(at, a)
		for _, fate := range []flow.Fate{flow.PicksUp, flow.RingsOut, flow.IsBusy, flow.CallerAbsent} {
			for _, to := range people {
				all[fmt.Sprint("given by ", a.Extension, " to ", to.Extension, fate)] = c.Transfer(at, a, to, false, fate)
				all[fmt.Sprint("offered by ", a.Extension, " to ", to.Extension, fate)] = c.Transfer(at, a, to, true, fate)
			}
		}
	}
	for name, next := range all {
		if next == nil {
			delete(all, name)
		}
	}
	return all
}

// TestTurns turns calls at many times, and those that come of it once more.
func TestTurns(t *testing.T) {
	count := 0
	for seed := range uint64(3) {
		for _, c := range clicked(seed) {
			checkTurned(t, "as asked", c)
			for at := time.Duration(0); at <= c.Duration()+time.Second; at += 3 * time.Second {
				for name, next := range turns(c, at) {
					checkTurn(t, name, c, next, at)
					for again, last := range turns(next, at+9*time.Second) {
						checkTurn(t, name+", then "+again, next, last, at+9*time.Second)
						count++
					}
					if t.Failed() {
						t.Fatalf("seed %d, %v", seed, at)
					}
				}
			}
		}
	}
	if count < 5_000 {
		t.Errorf("want many calls that turn twice, have %d", count)
	}
}

// checkTurn demands that what has happened stays.
func checkTurn(t *testing.T, name string, before, after *flow.Call, at time.Duration) {
	t.Helper()
	var past []flow.Moment
	for _, m := range before.Moments {
		if m.At <= at {
			past = append(past, m)
		}
	}
	if len(after.Moments) <= len(past) || !slices.Equal(after.Moments[:len(past)], past) {
		t.Errorf("%s: want it to begin with %v, have %v", name, past, after.Moments)
	}
	checkTurned(t, name, after)
}

// checkTurned checks that a call makes sense, and that the truth is that of its moments.
func checkTurned(t *testing.T, name string, c *flow.Call) {
	t.Helper()
	last, ended := time.Duration(0), time.Duration(-1)
	for _, m := range c.Moments {
		if m.At < last || m.At%time.Second != 0 {
			t.Errorf("%s: want whole seconds, never back, have %v after %v", name, m.At, last)
		}
		last = m.At
		if (ended >= 0) != (m.Kind == flow.Recorded) {
			t.Errorf("%s: want nothing but the record after the end, have %v", name, m)
		}
		if m.Kind == flow.Ended {
			ended = m.At
		}
	}
	if ended != c.Duration() {
		t.Errorf("%s: want a duration of %v, have %v", name, ended, c.Duration())
	}
	talked := false
	for _, l := range c.Legs() {
		talked = talked || l.Answered()
		for _, s := range l.Spans {
			if s.To < s.From || s.To > ended {
				t.Errorf("%s: %s was there %v of %v", name, l.Agent.Extension, l.Spans, ended)
			}
		}
		rang := l.Agent == c.From || slices.Contains(c.Rang, l.Agent.Extension)
		if !rang || c.TransferredTo == l.Agent.Extension && !l.Answered() {
			t.Errorf("%s: %s: have rang %v, transferred to %s, %v", name, l.Agent.Extension, c.Rang, c.TransferredTo, l.Spans)
		}
	}
	if talked != (c.Outcome == flow.OutcomeAnswered) {
		t.Errorf("%s: want answered %v, have %s", name, talked, c.Outcome)
	}
}

// talking returns a call to the outside while it is talked, and when.
func talking() (*flow.Call, time.Duration) {
	c := clicked(1)[0]
	return c, c.Wait + c.Ring + 5*time.Second
}

func TestHangUpEndsAtOnce(t *testing.T) {
	c, at := talking()
	if have := c.HangUp(at, people[0]); have.Duration() != at || have.Outcome != flow.OutcomeAnswered || have.Talk != 5*time.Second {
		t.Errorf("want it to end after %v, have %+v", at, have)
	}
	early := c.HangUp(c.Wait, nil)
	if early.Outcome != flow.OutcomeUnansweredOutgoing || early.Recording {
		t.Errorf("want a call that nobody answered, have %+v", early)
	}
	if have := c.HangUp(c.Duration(), nil); have != nil {
		t.Errorf("want no way to end what is over, have %+v", have)
	}
	if have := c.HangUp(at, people[1]); have != nil {
		t.Errorf("want no way to end it by a phone that is not in it, have %+v", have)
	}
}

func TestBlindTransfer(t *testing.T) {
	c, at := talking()
	next := c.Transfer(at, people[0], people[2], false, flow.PicksUp)
	if next.TransferredTo != "102" || len(next.Phones(at)) != 1 || next.Phones(at)[people[2]] != flow.Ringing {
		t.Errorf("want only 102 in the call, have %+v", next)
	}
	if have := next.Phones(next.Duration() - time.Second); len(have) != 1 || have[people[2]] != flow.Talking {
		t.Errorf("want only 102 to talk, have %v", have)
	}
	lost := c.Transfer(at, people[0], people[2], false, flow.RingsOut)
	if lost.TransferredTo != "" || lost.Phones(lost.Duration() - time.Second)[people[2]] != flow.Ringing {
		t.Errorf("want 102 to ring until the end, have %+v", lost)
	}
}

func TestConsultation(t *testing.T) {
	c, at := talking()
	asked := c.Transfer(at, people[0], people[2], true, flow.PicksUp)
	if asked.TransferredTo != "102" {
		t.Errorf("want 102 to take over by itself, have %+v", asked)
	}
	if again := asked.Transfer(at, people[0], people[3], true, flow.PicksUp); again != nil {
		t.Errorf("want one consultation at a time, have %+v", again)
	}
	back := asked.TakeBack(at+time.Second, people[0])
	if back.TransferredTo != "" || len(back.Phones(at+time.Second)) != 1 {
		t.Errorf("want 101 alone in the call, have %+v", back)
	}
	if have := asked.TakeBack(at+time.Second, people[2]); have != nil {
		t.Errorf("want only who asks to take it back, have %+v", have)
	}
	talks := at + 20*time.Second
	done := asked.HangUp(talks, people[0])
	i := slices.IndexFunc(done.Moments, func(m flow.Moment) bool { return m.Kind == flow.HandedOver })
	if i < 0 || done.Moments[i].At != talks || done.Duration() <= talks {
		t.Errorf("want a hand-over at %v, have %v", talks, done.Moments)
	}
	left := asked.HangUp(talks, people[2])
	if left.TransferredTo != "" || left.Duration() <= talks {
		t.Errorf("want 102 to leave and the call to go on, have %+v", left)
	}
}

func TestReadNumber(t *testing.T) {
	cases := map[string]struct{ dialled, region, want string }{
		"national":           {"777888990", "CZ", "+420777888990"},
		"plus":               {"+420777888990", "CZ", "+420777888990"},
		"two zeros":          {"00420777888990", "CZ", "+420777888990"},
		"without plus":       {"420777888990", "CZ", "+420777888990"},
		"abroad":             {"421905123456", "CZ", "+421905123456"},
		"trunk":              {"0905123456", "SK", "+421905123456"},
		"trunk of Russia":    {"89201119613", "RU", "+79201119613"},
		"Russian":            {"79201119613", "RU", "+79201119613"},
		"no plan for it":     {"+442079460000", "CZ", "+442079460000"},
		"an extension":       {"101", "CZ", ""},
		"letters":            {"77788x990", "CZ", ""},
		"nothing":            {"", "CZ", ""},
		"more than a number": {"1234567890123456", "CZ", ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			n, ok := flow.ReadNumber(c.dialled, c.region)
			if have := n.E164(); have != c.want || ok != (c.want != "") {
				t.Errorf("want %q, have %q, %v", c.want, have, ok)
			}
		})
	}
}

func TestFateOf(t *testing.T) {
	want := map[string]flow.Fate{
		"777888990": flow.PicksUp, "101": flow.PicksUp, "107": flow.CallerAbsent, "777888998": flow.IsBusy, "109": flow.RingsOut,
	}
	for called, fate := range want {
		if have := flow.FateOf(called); have != fate {
			t.Errorf("%s: want %v, have %v", called, fate, have)
		}
	}
}
