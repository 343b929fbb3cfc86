package agents_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// spentBy writes the time in each state down as "STATE reason seconds times".
func spentBy(day *pbxv1.DayStatistics, id string) []string {
	lines := []string{}
	for _, a := range day.GetAgents() {
		if a.GetId() != id {
			continue
		}
		for _, s := range a.GetStates() {
			what := strings.TrimSpace(s.GetState().String() + " " + s.GetPauseReason())
			lines = append(lines, fmt.Sprintf("%s %d %d", what, seconds(s.GetTime().AsDuration()), s.GetTimes()))
		}
	}
	return lines
}

func TestTimes(t *testing.T) {
	tests := map[string]struct {
		events []*pbxv1.Event
		now    int
		want   []string
	}{
		"what goes on counts up to now": {
			[]*pbxv1.Event{login(0, "petr", "107", "NOC"), rings(10, "c", "petr", "107", "NOC")},
			25,
			[]string{"AVAILABLE 10 1", "RINGING 15 1"},
		},
		"each reason of a pause": {
			[]*pbxv1.Event{
				login(0, "petr", "107", "NOC"), pause(10, "NOC", "WC"), pause(20, "NOC", "Oběd"),
				unpause(50, "NOC"), pause(60, "NOC", "WC"),
			},
			65,
			[]string{"AVAILABLE 20 2", "PAUSED Oběd 30 1", "PAUSED WC 15 2"},
		},
		"a wrap-up that goes on": {
			[]*pbxv1.Event{
				login(0, "petr", "107", "NOC"), answers(5, "c", "petr", "107", "NOC"), ends(10, "c", "petr", "107", "NOC"),
			},
			30,
			[]string{"AVAILABLE 5 1", "ON_CALL 5 1", "WRAP_UP 20 1"},
		},
		"unknown before the first fact is not counted, after it is": {
			[]*pbxv1.Event{rings(10, "c", "", "petr", ""), ends(15, "c", "", "petr", "")},
			60,
			[]string{"RINGING 5 1", "UNKNOWN 45 1"},
		},
		"a pause that was told late": {
			[]*pbxv1.Event{login(0, "petr", "107", "NOC"), unpause(30, "NOC"), pause(10, "NOC", "WC")},
			60,
			[]string{"AVAILABLE 40 2", "PAUSED WC 20 1"},
		},
		"an answer that was told after the end": {
			[]*pbxv1.Event{
				login(0, "petr", "107", "NOC"), rings(10, "c", "petr", "107", "NOC"), ends(50, "c", "petr", "107", "NOC"),
				answers(20, "c", "petr", "107", "NOC"),
			},
			60,
			[]string{"AVAILABLE 10 1", "RINGING 10 1", "ON_CALL 30 1", "WRAP_UP 10 1"},
		},
		"no wrap-up after a call that nobody heard of for too long": {
			[]*pbxv1.Event{answers(0, "c", "", "petr", "NOC"), answers(10, "c", "", "108", "NOC"), tick(14_500)},
			14_500,
			[]string{"ON_CALL 10 1", "UNKNOWN 14490 1"},
		},
		"the end of a leg that was told very late, while the call went on": {
			[]*pbxv1.Event{
				login(0, "petr", "107", "NOC"), answers(20, "c", "petr", "107", ""), answers(20, "c", "eva", "108", ""),
				tick(3700), tick(7300), tick(10_900), ends(50, "c", "petr", "107", ""),
			},
			11_000,
			[]string{"AVAILABLE 10970 2", "ON_CALL 30 1"},
		},
		"over midnight": {
			[]*pbxv1.Event{login(0, "petr", "107", "NOC"), pause(41400, "NOC", "WC"), unpause(45000, "NOC")},
			50000,
			[]string{"AVAILABLE 41400 1", "PAUSED WC 1800 1"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := tell(acme()).play(test.events...)
			if have := spentBy(s.Day("acme", "2026-01-05", at(test.now)), "petr"); !slices.Equal(test.want, have) {
				t.Errorf("\nwant %q\nhave %q", test.want, have)
			}
		})
	}
}

// TestNextDay follows a pause, a call and a phone over midnight.
func TestNextDay(t *testing.T) {
	const midnight = 43200
	s := tell(acme()).play(
		login(0, "petr", "107", "NOC"), pause(midnight-600, "NOC", "WC"),
		rings(midnight-100, "e", "", "111", ""), ends(midnight-95, "e", "", "111", ""),
		answers(midnight-60, "c", "", "108", "NOC"),
	)
	s.Touched()
	s.play(tick(midnight + 300))
	if _, _, days := s.Touched(); !slices.Equal(days, []string{"acme.2026-01-05", "acme.2026-01-06"}) {
		t.Errorf("want both days touched at midnight, have %q", days)
	}
	s.play(ends(midnight+600, "c", "", "108", "NOC"))
	if _, _, days := s.Touched(); !slices.Equal(days, []string{"acme.2026-01-05", "acme.2026-01-06"}) {
		t.Errorf("want both days touched by a call of both, have %q", days)
	}
	s.hear(at(midnight+700), rings(midnight-10, "d", "", "109", "Sales"))
	if _, _, days := s.Touched(); !slices.Equal(days, []string{"acme.2026-01-05", "acme.2026-01-06"}) {
		t.Errorf("want both days touched by a late call, have %q", days)
	}
	s.hear(at(midnight+700), ends(midnight-5, "d", "", "109", "Sales"))
	s.hear(at(midnight+700), login(midnight-20, "eva", "110", "NOC"))
	if _, _, days := s.Touched(); !slices.Equal(days, []string{"acme.2026-01-05", "acme.2026-01-06"}) {
		t.Errorf("want both days touched by a late login, have %q", days)
	}
	s.play(rings(midnight+800, "f", "", "111", ""), ends(midnight+810, "f", "", "111", ""))
	first, second := s.Day("acme", "2026-01-05", at(midnight+1000)), s.Day("acme", "2026-01-06", at(midnight+1000))
	tests := []struct {
		day  *pbxv1.DayStatistics
		id   string
		want []string
	}{
		{first, "petr", []string{fmt.Sprintf("AVAILABLE %d 1", midnight-600), "PAUSED WC 600 1"}},
		{second, "petr", []string{"PAUSED WC 1000 0"}},
		{first, "111", []string{"RINGING 5 1", "UNKNOWN 95 1"}},
		{second, "111", []string{"RINGING 10 1", "UNKNOWN 190 1"}},
		{first, "108", []string{"ON_CALL 60 1"}},
		{second, "108", []string{"ON_CALL 600 0", "WRAP_UP 30 1", "UNKNOWN 370 1"}},
	}
	for _, test := range tests {
		if have := spentBy(test.day, test.id); !slices.Equal(test.want, have) {
			t.Errorf("%s on %s: want %q, have %q", test.id, test.day.GetDay(), test.want, have)
		}
	}
	if want, have := at(midnight), first.GetCountedUntil().AsTime(); !want.Equal(have) {
		t.Errorf("want the first day counted until %v, have %v", want, have)
	}
	if len(first.GetQueues()) != 3 || len(second.GetQueues()) != 1 {
		t.Errorf("want each call on the day it began, have %v and %v", first.GetQueues(), second.GetQueues())
	}
	if want, have := int32(1), first.GetHours()[23].GetAnswered(); want != have {
		t.Errorf("want %d answered in the last hour, have %d", want, have)
	}
}

// TestFigures says where each call counts.
func TestFigures(t *testing.T) {
	count := func(f *pbxv1.CallFigures) string {
		return fmt.Sprintf("%d: %d %d %d %d", f.GetOffered(), f.GetAnswered(), f.GetAnsweredElsewhere(), f.GetMissed(), f.GetAbandoned())
	}
	tests := map[string]struct {
		events             []*pbxv1.Event
		petr, queue        string
		within, made, told int32
	}{
		"answered": {
			[]*pbxv1.Event{rings(0, "c", "petr", "107", "NOC"), answers(20, "c", "petr", "107", "NOC"), ends(30, "c", "petr", "107", "NOC")},
			"1: 1 0 0 0", "1: 1 0 0 0", 1, 0, 0,
		},
		"answered, but not within the service level": {
			[]*pbxv1.Event{rings(0, "c", "petr", "107", "NOC"), answers(21, "c", "petr", "107", "NOC"), ends(30, "c", "petr", "107", "NOC")},
			"1: 1 0 0 0", "1: 1 0 0 0", 0, 0, 0,
		},
		"a call that goes on counts nowhere": {
			[]*pbxv1.Event{rings(0, "c", "petr", "107", "NOC"), answers(20, "c", "petr", "107", "NOC")},
			"0: 0 0 0 0", "", 0, 0, 0,
		},
		"answered elsewhere": {
			[]*pbxv1.Event{
				rings(0, "c", "petr", "107", "NOC"), rings(0, "c", "eva", "108", "NOC"), answers(5, "c", "eva", "108", "NOC"),
				because(ends(5, "c", "petr", "107", "NOC"), pbxv1.Call_ANSWERED_ELSEWHERE), ends(30, "c", "eva", "108", "NOC"),
			},
			"1: 0 1 0 0", "1: 1 0 0 0", 1, 0, 0,
		},
		"missed": {
			[]*pbxv1.Event{rings(0, "c", "petr", "107", "NOC"), because(ends(9, "c", "", "", "NOC"), pbxv1.Call_NO_ANSWER)},
			"1: 0 0 1 0", "1: 0 0 1 0", 0, 0, 0,
		},
		"abandoned": {
			[]*pbxv1.Event{rings(0, "c", "petr", "107", "NOC"), because(ends(9, "c", "", "", "NOC"), pbxv1.Call_CANCELLED)},
			"1: 0 0 0 1", "1: 0 0 0 1", 0, 0, 0,
		},
		"rings twice": {
			[]*pbxv1.Event{
				rings(0, "c", "petr", "107", "NOC"), because(ends(9, "c", "petr", "107", "NOC"), pbxv1.Call_NO_ANSWER),
				rings(11, "c", "petr", "107", "NOC"), because(ends(15, "c", "", "", "NOC"), pbxv1.Call_NO_ANSWER),
			},
			"1: 0 0 1 0", "1: 0 0 1 0", 0, 0, 0,
		},
		"an outgoing call": {
			[]*pbxv1.Event{
				directed(leg(0, pbxv1.Call_NEW, "c", "petr", "107", ""), pbxv1.Call_OUTGOING),
				directed(answers(5, "c", "petr", "107", ""), pbxv1.Call_OUTGOING),
				directed(ends(9, "c", "petr", "107", ""), pbxv1.Call_OUTGOING),
			},
			"0: 0 0 0 0", "", 0, 1, 1,
		},
		"an outgoing call that was handed over": {
			[]*pbxv1.Event{
				directed(leg(0, pbxv1.Call_NEW, "c", "eva", "108", ""), pbxv1.Call_OUTGOING),
				directed(answers(5, "c", "eva", "108", ""), pbxv1.Call_OUTGOING),
				directed(rings(7, "c", "petr", "107", ""), pbxv1.Call_OUTGOING),
				directed(answers(9, "c", "petr", "107", ""), pbxv1.Call_OUTGOING),
				ends(10, "c", "eva", "108", ""), ends(20, "c", "petr", "107", ""),
			},
			"1: 1 0 0 0", "", 0, 0, 0,
		},
		"an outgoing call to nobody": {
			[]*pbxv1.Event{
				directed(leg(0, pbxv1.Call_NEW, "c", "petr", "107", ""), pbxv1.Call_OUTGOING),
				because(directed(ends(9, "c", "petr", "107", ""), pbxv1.Call_OUTGOING), pbxv1.Call_NO_ANSWER),
			},
			"0: 0 0 0 0", "", 0, 1, 0,
		},
		"an internal call": {
			[]*pbxv1.Event{
				directed(rings(0, "c", "petr", "107", ""), pbxv1.Call_INTERNAL_INCOMING),
				because(directed(ends(9, "c", "petr", "107", ""), pbxv1.Call_INTERNAL_INCOMING), pbxv1.Call_NO_ANSWER),
			},
			"1: 0 0 1 0", "", 0, 0, 0,
		},
		"who listens in has no part": {
			[]*pbxv1.Event{
				rings(0, "c", "eva", "108", "NOC"), answers(5, "c", "eva", "108", "NOC"),
				directed(rings(5, "c", "petr", "107", "NOC"), pbxv1.Call_BARGE),
				directed(answers(6, "c", "petr", "107", "NOC"), pbxv1.Call_BARGE),
				directed(ends(8, "c", "petr", "107", "NOC"), pbxv1.Call_BARGE), ends(9, "c", "eva", "108", "NOC"),
			},
			"0: 0 0 0 0", "1: 1 0 0 0", 1, 0, 0,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := tell(acme()).play(test.events...)
			for _, when := range []time.Duration{0, 90 * time.Minute} { // provisional, and final
				if when > 0 && name != "a call that goes on counts nowhere" {
					s.play(tick(int(when / time.Second)))
				}
				day := s.Day("acme", "2026-01-05", at(60).Add(when))
				var petr, queue string
				var within, made, told int32
				for _, a := range day.GetAgents() {
					if a.GetId() == "petr" {
						petr, made, told = count(a.GetCalls()), a.GetOutgoing(), a.GetOutgoingAnswered()
					}
				}
				for _, q := range day.GetQueues() {
					queue, within = count(q.GetCalls()), q.GetAnsweredWithin()
				}
				if test.petr != petr || test.made != made || test.told != told {
					t.Errorf("agent: want %s, made %d, answered %d, have %s, %d, %d", test.petr, test.made, test.told, petr, made, told)
				}
				if test.queue != queue || test.within != within {
					t.Errorf("queue: want %s, within %d, have %s, %d", test.queue, test.within, queue, within)
				}
			}
		})
	}
}

// TestDurations adds up how long phones rang in one call, and leaves out what nobody told.
func TestDurations(t *testing.T) {
	total := func(f *pbxv1.DurationFigures) string {
		return fmt.Sprintf("%d: %d, %d", f.GetCount(), seconds(f.GetTotal().AsDuration()), seconds(f.GetLongest().AsDuration()))
	}
	proven := ends(30, "d", "", "", "NOC")
	answered := true
	proven.GetCall().Answered = &answered
	s := tell(acme()).play(
		rings(0, "c", "petr", "107", "NOC"), because(ends(9, "c", "petr", "107", "NOC"), pbxv1.Call_NO_ANSWER),
		rings(11, "c", "petr", "107", "NOC"), because(ends(15, "c", "", "", "NOC"), pbxv1.Call_NO_ANSWER),
		leg(20, pbxv1.Call_NEW, "d", "", "", "NOC"), proven,
		rings(40, "e", "petr", "107", "NOC"), because(ends(45, "e", "", "", "NOC"), pbxv1.Call_NO_ANSWER),
	)
	day := s.Day("acme", "2026-01-05", at(60))
	petr, noc := day.GetAgents()[0].GetCalls(), day.GetQueues()[0].GetCalls()
	for what, have := range map[string][2]string{
		"the agent's ring":              {"2: 18, 13", total(petr.GetRing())},
		"the wait of the agent's calls": {"2: 20, 15", total(petr.GetWait())},
		"the queue's ring":              {"2: 20, 15", total(noc.GetRing())},
		"the queue's wait":              {"2: 20, 15", total(noc.GetWait())},
		"the queue's talk":              {"0: 0, 0", total(noc.GetTalk())},
	} {
		if have[0] != have[1] {
			t.Errorf("%s: want %s, have %s", what, have[0], have[1])
		}
	}
}
