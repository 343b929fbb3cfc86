package missed_test

import (
	"testing"
	"time"

	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
	"github.com/switchhook/switchhook/services/missed-call/missed"
)

// directed makes the events of a call go another way.
func directed(direction pbxv1.Call_Direction, events ...*pbxv1.Event) []*pbxv1.Event {
	for _, ev := range events {
		ev.GetCall().Direction = direction
	}
	return events
}

func TestVerdict(t *testing.T) {
	const noAnswer, cancelled, elsewhere = pbxv1.Call_NO_ANSWER, pbxv1.Call_CANCELLED, pbxv1.Call_ANSWERED_ELSEWHERE
	closed := func(_, queue string, _ time.Time) bool { return queue == "NOC" }
	short := events(entered(0, "a", eva), hangsUp(4, "a", eva, cancelled))
	tests := map[string]struct {
		settings missed.Settings
		events   []*pbxv1.Event
		until    int // when the stream is looked at last; 3 h unless it says otherwise
		want     []string
	}{
		"rang out": {events: misses(0, "a", eva), want: lines("40 OPENED 1 RANG_OUT")},
		"abandoned while ringing": {
			events: events(entered(0, "a", eva), rings(1, "a", eva, "101"), hangsUp(9, "a", eva, cancelled)),
			want:   lines("29 OPENED 1 ABANDONED_RINGING"),
		},
		"abandoned in a queue": {
			events: queued(entered(0, "a", eva), hangsUp(100, "a", eva, cancelled)),
			want:   lines("120 OPENED 1 ABANDONED_QUEUE"),
		},
		"a queue gave up before any phone rang": {
			events: queued(entered(0, "a", eva), hangsUp(100, "a", eva, noAnswer)),
			want:   lines("120 OPENED 1 ABANDONED_QUEUE"),
		},
		"rang out in a queue": {
			events: queued(misses(0, "a", eva)...), want: lines("40 OPENED 1 RANG_OUT"),
		},
		"busy": {
			events: events(entered(0, "a", eva), hangsUp(1, "a", eva, pbxv1.Call_BUSY)), want: lines("21 OPENED 1 BUSY"),
		},
		"refused": {
			events: events(entered(0, "a", eva), rings(1, "a", eva, "101"), hangsUp(9, "a", eva, pbxv1.Call_REJECTED)),
			want:   lines("29 OPENED 1 BUSY"),
		},
		"gave up before it reached anything": {
			events: events(entered(0, "a", eva), hangsUp(9, "a", eva, cancelled)), want: lines("29 OPENED 1 NEVER_REACHED"),
		},
		"could not be connected": {
			events: events(entered(0, "a", eva), hangsUp(9, "a", eva, pbxv1.Call_FAILED)), want: lines("29 OPENED 1 NEVER_REACHED"),
		},
		"could not be connected, though a phone rang": {
			events: events(entered(0, "a", eva), rings(1, "a", eva, "101"), hangsUp(9, "a", eva, pbxv1.Call_FAILED)),
			want:   lines("29 OPENED 1 RANG_OUT"),
		},
		"over without a word": {
			events: events(entered(0, "a", eva), hangsUp(9, "a", eva, pbxv1.Call_NORMAL)), want: lines("29 OPENED 1 NEVER_REACHED"),
		},
		"over without a word, after a phone rang": {
			events: events(rings(1, "a", eva, "101"), hangsUp(9, "a", eva, pbxv1.Call_CAUSE_UNSPECIFIED)),
			want:   lines("29 OPENED 1 RANG_OUT"),
		},
		"outside hours": {
			settings: missed.Settings{Open: closed}, events: misses(0, "a", eva), want: lines("40 OPENED 1 OUTSIDE_HOURS"),
		},
		"busy outside hours": {
			settings: missed.Settings{Open: closed},
			events:   events(entered(0, "a", eva), hangsUp(1, "a", eva, pbxv1.Call_BUSY)), want: lines("21 OPENED 1 OUTSIDE_HOURS"),
		},
		"a queue that is open when the rest is not": {
			settings: missed.Settings{Open: closed}, events: queued(misses(0, "a", eva)...),
			want: lines("40 OPENED 1 RANG_OUT"),
		},
		"hours are those when it came": {
			settings: missed.Settings{Open: func(_, _ string, t time.Time) bool { return !t.After(noon) }},
			events:   misses(0, "a", eva), want: lines("40 OPENED 1 RANG_OUT"),
		},
		"answered": {events: events(rings(0, "a", eva, "101"), answers(5, "a", eva), hangsUp(9, "a", eva, pbxv1.Call_NORMAL))},
		"answered by one of several": {events: queued(entered(0, "a", eva), rings(1, "a", eva, "101"), rings(1, "a", eva, "102"), answers(5, "a", eva),
			stops(5, "102", elsewhere), stops(60, "101", pbxv1.Call_NORMAL),
		)},
		"only those who lost told": {events: events(
			rings(1, "a", eva, "102"), stops(5, "102", elsewhere),
		)},
		"one of several phones was cancelled, the other answered": {events: events(
			rings(1, "a", eva, "101"), rings(1, "a", eva, "102"), stops(5, "102", cancelled),
			answers(6, "a", eva), stops(60, "101", pbxv1.Call_NORMAL),
		)},
		"the answer was overtaken": {events: events(
			rings(0, "a", eva, "101"), hangsUp(9, "a", eva, noAnswer), answers(5, "a", eva),
		)},
		"the end was a pause of the queue": {events: events(
			rings(0, "a", eva, "101"), stops(20, "101", noAnswer), rings(35, "a", eva, "101"), answers(50, "a", eva),
		)},
		"the window begins anew": {
			events: events(
				rings(0, "a", eva, "101"), stops(20, "101", noAnswer),
				rings(35, "a", eva, "101"), stops(50, "101", noAnswer),
			),
			want: lines("70 OPENED 1 RANG_OUT"),
		},
		"the window begins anew with a phone that rang longer": {
			events: events(
				rings(0, "a", eva, "101"), stops(20, "101", pbxv1.Call_NO_ANSWER), stops(30, "102", pbxv1.Call_NO_ANSWER),
			),
			want: lines("50 OPENED 1 RANG_OUT"),
		},
		"the record says in time that it was answered": {
			events: events(rings(0, "a", eva, "101"), hangsUp(9, "a", eva, cancelled), record(pbxv1.Call_NORMAL, true)),
		},
		"a vendor's own window": {
			settings: missed.Settings{Settle: map[string]time.Duration{"xvb": 5 * time.Second}},
			events:   of("xvb", misses(0, "a", eva)...), want: lines("25 OPENED 1 RANG_OUT"),
		},
		"a window of hours": {
			settings: missed.Settings{Settle: map[string]time.Duration{"ipex": 2 * time.Hour}},
			events:   flat(misses(0, "a", eva), events(tick(3000), tick(4000), tick(6000))), want: lines("7220 OPENED 1 RANG_OUT"),
		},
		"a window of no length": {
			settings: missed.Settings{Settle: map[string]time.Duration{"ipex": 0}},
			events:   misses(0, "a", eva), want: lines("20 OPENED 1 RANG_OUT"),
		},
		"the window of MCN":      {events: of("mcn", misses(0, "a", eva)...), want: lines("50 OPENED 1 RANG_OUT")},
		"internal":               {events: directed(pbxv1.Call_INTERNAL_INCOMING, misses(0, "a", eva)...)},
		"somebody listens in":    {events: directed(pbxv1.Call_BARGE, misses(0, "a", eva)...)},
		"nobody told which way":  {events: directed(pbxv1.Call_DIRECTION_UNSPECIFIED, misses(0, "a", eva)...)},
		"outgoing":               {events: fails(0, "a")},
		"from an extension":      {events: from("105", misses(0, "a", "")...)},
		"withheld":               {events: misses(0, "a", ""), want: lines("40 OPENED 1 RANG_OUT")},
		"no number at all":       {events: from("", misses(0, "a", "")...), want: lines("40 OPENED 1 RANG_OUT")},
		"what is no number":      {events: from("+1234", misses(0, "a", "")...), want: lines("40 OPENED 1 RANG_OUT")},
		"short":                  {events: short, want: lines("24 OPENED 1 NEVER_REACHED")},
		"too short to count":     {settings: missed.Settings{IgnoreBelow: 5 * time.Second}, events: short},
		"just not too short":     {settings: missed.Settings{IgnoreBelow: 4 * time.Second}, events: short, want: lines("24 OPENED 1 NEVER_REACHED")},
		"before the window ends": {events: misses(0, "a", eva), until: 39},
		"never ended": {
			events: events(rings(0, "a", eva, "101"), tick(3600), tick(3620)),
			want:   lines("3620 OPENED 1 RANG_OUT"),
		},
		"never ended, and answered": {events: events(rings(0, "a", eva, "101"), answers(5, "a", eva), tick(20_000), tick(20_100))},
		"never ended, which does not count": {
			settings: missed.Settings{IgnoreUnended: true}, events: events(rings(0, "a", eva, "101"), tick(3600), tick(3620)),
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			test.settings.Tenant = "acme"
			s := tell(t, test.settings).play(test.events...)
			if test.until == 0 {
				test.until = 30_000
			}
			s.play(tick(test.until))
			wantScript(t, test.want, s.out)
		})
	}
}

func events(all ...*pbxv1.Event) []*pbxv1.Event { return all }

func lines(all ...string) []string { return all }

// from changes what the exchange reports as the caller's number.
func from(number string, all ...*pbxv1.Event) []*pbxv1.Event {
	for _, ev := range all {
		ev.GetCall().From = &pbxv1.Party{Number: number}
	}
	return all
}

// TestWithdrawn lets what proves an answer come after the verdict.
func TestWithdrawn(t *testing.T) {
	opened := "40 OPENED 1 RANG_OUT"
	tests := map[string]struct {
		late *pbxv1.Event
		want []string
	}{
		"a record":         {record(pbxv1.Call_NORMAL, true), lines(opened, "300 RESOLVED 1 RANG_OUT WITHDRAWN")},
		"an answer":        {answers(15, "a", eva), lines(opened, "300 RESOLVED 1 RANG_OUT WITHDRAWN by agent101")},
		"another loser":    {stops(15, "102", pbxv1.Call_ANSWERED_ELSEWHERE), lines(opened, "300 RESOLVED 1 RANG_OUT WITHDRAWN")},
		"a plain record":   {record(pbxv1.Call_NO_ANSWER, false), lines(opened)},
		"the end again":    {hangsUp(20, "a", eva, pbxv1.Call_NO_ANSWER), lines(opened)},
		"another's leg":    {answers(15, "b", adam), lines(opened)},
		"hours later":      {nil, lines(opened, "9000 RESOLVED 1 RANG_OUT WITHDRAWN")},
		"a second thought": {nil, lines(opened)},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := tell(t).play(misses(0, "a", eva)...)
			s.play(tick(60))
			switch {
			case test.late != nil:
				s.hear(at(300), test.late)
			case name == "hours later":
				s.hear(at(9000), record(pbxv1.Call_NORMAL, true))
			default: // by then less is known of the call than before
				s.hear(at(9000), record(pbxv1.Call_BUSY, false))
			}
			s.play(tick(10_000))
			wantScript(t, test.want, s.out)
			if have := s.all()[0].GetReason(); have != pbxv1.MissedCall_RANG_OUT {
				t.Errorf("want the reason as it was, have %v", have)
			}
		})
	}
}

// TestReopened lets a call go on after its end, and the verdict with it.
func TestReopened(t *testing.T) {
	s := tell(t).play(
		rings(0, "a", eva, "101"), stops(20, "101", pbxv1.Call_NO_ANSWER),
		rings(60, "a", eva, "101"), stops(80, "101", pbxv1.Call_NO_ANSWER), tick(200),
	)
	wantScript(t, lines("40 OPENED 1 RANG_OUT", "60 RESOLVED 1 RANG_OUT WITHDRAWN", "100 OPENED 1 RANG_OUT"), s.out)
	if all := s.all(); len(all) != 1 || all[0].GetId() != s.out[0].GetMissedCall().GetId() || !all[0].GetMissedAt().AsTime().Equal(at(80)) {
		t.Errorf("want the same entry again, have %v", all)
	}
	s.hear(at(300), answers(70, "a", eva))
	s.play(fails(400, "o")...)
	wantScript(t, lines("300 RESOLVED 1 RANG_OUT WITHDRAWN by agent101"), s.out[3:])
	if have := s.all()[0].GetResolvedAt().AsTime(); !have.Equal(at(300)) {
		t.Errorf("want it withdrawn when it was, have %v", have)
	}
}

// TestLateStream lets a call be stored long after it happened, as after an outage: the window counts from then.
func TestLateStream(t *testing.T) {
	s := tell(t)
	for i, ev := range misses(0, "a", eva) {
		s.hear(at(600+i), ev)
	}
	s.hear(at(610), record(pbxv1.Call_NORMAL, true))
	s.play(tick(1000))
	wantScript(t, nil, s.out)
	for i, ev := range misses(700, "b", eva) {
		s.hear(at(1100+i), ev)
	}
	s.play(tick(2000))
	wantScript(t, lines("1122 OPENED 1 RANG_OUT"), s.out)
	if have := s.all()[0].GetOpenedAt().AsTime(); !have.Equal(at(740)) {
		t.Errorf("want it opened when it would have been, have %v", have)
	}
}

// TestNumberKnownLate lets an exchange name the caller only after the verdict. What was told of a stranger is taken back.
func TestNumberKnownLate(t *testing.T) {
	s := tell(t).play(rings(1, "a", "", "101"), hangsUp(20, "a", "", pbxv1.Call_NO_ANSWER), tick(50))
	s.hear(at(60), entered(0, "a", eva))
	wantScript(t, lines("40 OPENED 1 RANG_OUT", "60 RESOLVED 1 RANG_OUT WITHDRAWN", "60 OPENED 1 RANG_OUT"), s.out)
	s.play(dials(100, "o", eva)...)
	wantScript(t, lines("110 RESOLVED 1 RANG_OUT CALLED_BACK by agent107"), s.out[3:])
	if first, last := s.out[0].GetMissedCall().GetId(), s.out[3].GetMissedCall().GetId(); first == last {
		t.Errorf("want an entry of its own, have %s again", first)
	}
}

// TestSettings takes the settings of the tenant that a call is of.
func TestSettings(t *testing.T) {
	s := tell(t, missed.Settings{Tenant: "acme"}, missed.Settings{Tenant: "globex", IgnoreBelow: time.Minute})
	for _, ev := range misses(0, "a", eva) {
		ev.Tenant = "globex"
		s.play(ev)
	}
	s.play(misses(0, "a", adam)...).play(tick(100))
	wantScript(t, lines("40 OPENED 1 RANG_OUT"), s.out)
	if have := s.out[0].GetTenant(); have != "acme" {
		t.Errorf("want it of acme, have %s", have)
	}
}
