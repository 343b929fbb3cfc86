package missed_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
	"github.com/switchhook/switchhook/services/missed-call/missed"
	"github.com/switchhook/switchhook/services/pbxsim/traffic"
)

// TestDue demands that time alone brings the same events as the next event of any kind, and that reading them back changes
// nothing more.
func TestDue(t *testing.T) {
	settings := missed.Settings{Tenant: "acme", Expiry: 3 * time.Hour}
	begin := func() *story {
		s := tell(t, settings).play(flat(misses(0, "a", eva), misses(5, "b", adam), dials(26, "o", adam))...)
		s.act(100, missed.Claim, "petr", "")
		return s
	}
	want := begin()
	want.play(tick(20_000))
	if have := len(want.out); have != 5 {
		t.Fatalf("want two openings, a resolution, and the ends of a claim and an entry, have %q", script(want.out))
	}
	have := begin()
	for seconds := 101; seconds < 20_000; seconds++ {
		due := have.Due(at(seconds))
		if due == nil {
			continue
		}
		if again := have.Due(at(seconds)); !proto.Equal(due, again) {
			t.Fatalf("want the same again, since nothing has changed, have %v", again)
		}
		if !due.GetReceivedAt().AsTime().Equal(at(seconds)) {
			t.Errorf("want it received now, have %v", due)
		}
		if derived := have.hear(at(seconds), proto.CloneOf(due)); len(derived) == 0 || derived[0].GetId() != due.GetId() {
			t.Fatalf("want Apply to begin with %v, have %v", due, derived)
		}
	}
	compareEvents(t, want.out, have.out)
}

// TestDueBehind finds what is due behind what changed settings have put off.
func TestDueBehind(t *testing.T) {
	for seed := range uint64(8) {
		order := rand.New(rand.NewPCG(seed, 3)).Perm(8)
		s := tell(t, missed.Settings{Tenant: "acme", Expiry: 3 * time.Hour})
		s.play(flat(misses(0, "a", eva), misses(1, "b", adam), misses(2, "c", ""))...)
		for i := range 8 {
			s.play(misses(100, fmt.Sprint(i), fmt.Sprint("+42060311122", i))...)
		}
		s.play(tick(200))
		var claims []*pbxv1.Event
		for i, e := range s.all()[3:] {
			action := missed.Action{Kind: missed.Claim, Tenant: "acme", ID: e.GetId(), User: user("petr")}
			claims = append(claims, must(s.Act(at(9940-order[i]), action))) // until 10 833 at the earliest
		}
		s.play(claims...)
		s.Configure([]missed.Settings{{Tenant: "acme", Expiry: 5 * time.Hour}})
		due := s.Due(at(10_900))
		derived := s.hear(at(10_900), tick(10_900))
		if len(derived) != 8 || due == nil || due.GetId() != derived[0].GetId() || !due.GetReceivedAt().AsTime().Equal(at(10_900)) {
			t.Errorf("want the first of 8 claims that end, have %v of %q", due, script(derived))
		}
	}
}

// TestDueTogether lets Due show what Apply then begins with, although it brings more.
func TestDueTogether(t *testing.T) {
	s := tell(t).play(flat(misses(0, "a", eva), dials(22, "o", eva)[:2])...)
	if have := s.Due(at(39)); have != nil {
		t.Errorf("want nothing before the window ends, have %v", have)
	}
	due := s.Due(at(40))
	if have := s.hear(at(30), due); len(have) != 2 || have[0].GetId() != due.GetId() {
		t.Errorf("want the opening and the resolution, have %q", script(have))
	}
	if have := s.Due(at(100)); have != nil {
		t.Errorf("want no more, have %v", have)
	}
}

// compareEvents demands the same events but for the time of publishing.
func compareEvents(t *testing.T, want, have []*pbxv1.Event) {
	t.Helper()
	if len(want) != len(have) {
		t.Fatalf("\nwant %q\nhave %q", script(want), script(have))
	}
	for i := range want {
		w, h := proto.CloneOf(want[i]), proto.CloneOf(have[i])
		w.ReceivedAt, h.ReceivedAt = nil, nil
		if !proto.Equal(w, h) {
			t.Errorf("event %d:\nwant %v\nhave %v", i, w, h)
		}
	}
}

// TestReplay reads a stream with all that was derived from it, as a new replica does: it derives the same, and nothing more.
func TestReplay(t *testing.T) {
	var stream []traffic.Stored
	s := tell(t, missed.Settings{Tenant: "acme", Expiry: 3 * time.Hour})
	keep := func(events ...*pbxv1.Event) {
		for len(events) > 0 {
			ev := events[0]
			events = append(events[1:], s.hear(ev.GetTime().AsTime(), ev)...)
			stream = append(stream, traffic.Stored{At: s.clock, Event: ev})
		}
	}
	keep(flat(misses(0, "a", eva), fails(50, "o"), misses(100, "b", eva), misses(200, "c", ""), misses(250, "d", adam))...)
	id := s.all()[0].GetId()
	keep(must(s.Act(at(300), missed.Action{Kind: missed.Claim, Tenant: "acme", ID: id, User: user("petr"), Note: "soon"})))
	keep(flat(fails(400, "p"), events(answers(255, "d", adam), tick(1400)), dials(1500, "q", eva), events(tick(20_000)))...)
	replica := tell(t, missed.Settings{Tenant: "acme", Expiry: 3 * time.Hour})
	for _, e := range stream {
		replica.hear(e.At, e.Event)
	}
	compareEvents(t, s.out, replica.out)
	compareLedgers(t, s, replica, nil)
	if len(s.out) < 8 {
		t.Errorf("want a story, have %q", script(s.out))
	}
}

// TestRestored begins with what the bucket has from before the stream.
func TestRestored(t *testing.T) {
	earlier := tell(t).play(flat(
		misses(0, "a", eva), misses(100, "b", eva), fails(150, "o"), misses(200, "c", ""), misses(300, "d", adam), dials(400, "p", adam),
	)...)
	earlier.act(500, missed.Claim, "petr", "soon")
	restore := func() *story {
		s := tell(t)
		for _, e := range earlier.all() {
			s.Restore("acme."+e.GetId(), e)
		}
		return s
	}
	compareLedgers(t, earlier, restore(), nil)
	tests := map[string]struct {
		events []*pbxv1.Event
		want   []string
	}{
		"nothing":                   {events(tick(1000)), nil},
		"the claim ends":            {events(tick(2000)), lines("1400 ACKNOWLEDGED 2 RANG_OUT")},
		"what the stream still has": {flat(misses(100, "b", eva), fails(150, "o"), events(tick(1000))), nil},
		"the withheld call again":   {flat(misses(200, "c", ""), events(tick(1000))), nil},
		"another attempt":           {flat(misses(600, "e", eva), events(tick(1000))), lines("640 OPENED 3 RANG_OUT claimed by petr")},
		"missed after resolution":   {flat(misses(600, "e", adam), events(tick(1000))), lines("640 OPENED 1 RANG_OUT")},
		"called back":               {dials(600, "q", eva), lines("610 RESOLVED 2 RANG_OUT claimed by petr CALLED_BACK by agent107")},
		"given up": {
			events(tick(700_000)),
			lines("1400 ACKNOWLEDGED 2 RANG_OUT", "605020 RESOLVED 1 RANG_OUT EXPIRED", "605300 RESOLVED 2 RANG_OUT EXPIRED"),
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := restore()
			s.Touched()
			s.play(test.events...)
			wantScript(t, test.want, s.out)
			for _, e := range s.all() {
				if e.GetFrom().GetE164() == eva && (e.GetFailedCallbacks() != 1 || e.GetNote() != "soon" || e.GetCallKeys()[0] != "a") {
					t.Errorf("want what was remembered, have %v", e)
				}
			}
		})
	}
}

// TestRestoredAct lets people go on with an entry from before the stream, and the stream repeat what led there.
func TestRestoredAct(t *testing.T) {
	s := tell(t).play(misses(0, "a", eva)...).play(tick(50))
	action := missed.Action{Kind: missed.Claim, Tenant: "acme", ID: s.all()[0].GetId(), User: user("petr")}
	claim := must(s.Act(at(100), action))
	s.play(claim)
	action.Kind = missed.Release
	release := must(s.Act(at(110), action))
	s.play(release)
	action.Kind, action.User = missed.Claim, user("eva")
	other := must(s.Act(at(120), action))
	s.play(other)
	entry := s.all()[0]
	again := tell(t)
	again.Restore("acme."+entry.GetId(), entry)
	again.play(claim, release, other, tick(200))
	wantScript(t, nil, again.out)
	again.act(300, missed.Release, "eva", "").act(400, missed.Claim, "jana", "").act(500, missed.Resolve, "jana", "done")
	wantScript(t, nil, again.out)
	if have := describe(again.all()[0]); have != "RESOLVED jana by jana" {
		t.Errorf("want it resolved, have %s", have)
	}
}

// TestUnknownEntry takes an entry from the stream, of whose calls nothing is left there.
func TestUnknownEntry(t *testing.T) {
	before := tell(t).play(flat(misses(0, "a", eva), misses(100, "b", eva), events(tick(200)))...)
	s := tell(t).play(before.out[1])
	wantScript(t, nil, s.out)
	compareLedgers(t, before, s, nil)
	s.play(dials(300, "o", eva)...)
	wantScript(t, lines("310 RESOLVED 2 RANG_OUT CALLED_BACK by agent107"), s.out)
	claim := must(before.Act(at(210), missed.Action{Kind: missed.Claim, Tenant: "acme", ID: before.all()[0].GetId(), User: user("petr")}))
	for _, ev := range events(claim, s.out[0]) {
		wantScript(t, nil, tell(t).play(ev).out)
	}
}

// TestConfigure lets what is decided stay when the settings change.
func TestConfigure(t *testing.T) {
	s := tell(t, missed.Settings{Tenant: "acme"}).play(flat(misses(0, "a", eva), misses(100, "b", adam))...)
	s.Configure([]missed.Settings{{
		Tenant: "acme", Settle: map[string]time.Duration{"ipex": time.Second},
		Open: func(string, string, time.Time) bool { return false },
	}})
	s.play(flat(fails(125, "o"), misses(200, "c", eva), events(tick(300)))...)
	wantScript(t, lines("40 OPENED 1 RANG_OUT", "140 OPENED 1 RANG_OUT", "221 OPENED 2 OUTSIDE_HOURS"), s.out)
	if have := s.all()[0].GetOpenedAt().AsTime(); !have.Equal(at(40)) {
		t.Errorf("want it opened when it was, have %v", have)
	}
}

// TestUnknownEntryPending takes an entry from the stream while the verdict on its call is still to come: another replica had
// shorter windows.
func TestUnknownEntryPending(t *testing.T) {
	hasty := tell(t, missed.Settings{Tenant: "acme", Settle: map[string]time.Duration{"ipex": time.Second}})
	hasty.play(misses(0, "a", eva)...).play(tick(21))
	s := tell(t).play(misses(0, "a", eva)...)
	s.play(hasty.out[0], tick(100))
	wantScript(t, nil, s.out)
	compareLedgers(t, hasty, s, nil)
}

// TestTwoEntries keeps apart what was known of a caller and what another replica knew.
func TestTwoEntries(t *testing.T) {
	before := tell(t).play(misses(50, "z", eva)...).play(tick(100))
	s := tell(t).play(misses(0, "a", eva)...).play(tick(50), before.out[0])
	s.hear(at(110), record(pbxv1.Call_NO_ANSWER, false))
	s.play(dials(200, "o", eva)...)
	wantScript(t, lines("40 OPENED 1 RANG_OUT", "210 RESOLVED 1 RANG_OUT CALLED_BACK by agent107"), s.out)
	if all := s.all(); len(all) != 2 || all[0].GetCallKeys()[0] != "a" || all[0].GetResolvedAt() != nil {
		t.Errorf("want both, have %v", all)
	}
}

// TestForeignEvents leaves alone what nobody did.
func TestForeignEvents(t *testing.T) {
	s := tell(t).play(misses(0, "a", eva)...).play(tick(50))
	want := s.all()[0]
	opened, nameless := proto.CloneOf(s.out[0]), proto.CloneOf(s.out[0])
	opened.Id, opened.GetMissedCall().Attempts = "another", 9
	nameless.Id, nameless.GetMissedCall().Id = "a third", ""
	s.out = nil
	s.play(opened, nameless, &pbxv1.Event{Payload: opened.GetPayload()}, &pbxv1.Event{})
	wantScript(t, nil, s.out)
	if have := s.list(&pbxv1.MissedCallListRequest{}); len(have) > 0 {
		t.Errorf("want nothing of no tenant, have %v", have)
	}
	if all := s.all(); len(all) != 1 || !proto.Equal(want, all[0]) {
		t.Errorf("want\n%v\nhave\n%v", want, all)
	}
}
