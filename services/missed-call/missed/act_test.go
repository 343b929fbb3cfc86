package missed_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/switchhook/switchhook/pkg/fault"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
	"github.com/switchhook/switchhook/services/missed-call/missed"
)

// TestAct demands of each action that the event it makes shows the entry as it then is, and needs no other event.
func TestAct(t *testing.T) {
	tests := map[string]struct {
		do   func(*story)
		want string // the entry afterwards
		note string
		more []string // events that follow by 10 000 s
	}{
		"claimed": {
			func(s *story) { s.act(100, missed.Claim, "petr", "") },
			"ACKNOWLEDGED petr 1000", "", lines("1000 ACKNOWLEDGED 1 RANG_OUT"),
		},
		"claimed with a note": {
			func(s *story) { s.act(100, missed.Claim, "petr", "in a minute") },
			"ACKNOWLEDGED petr 1000", "in a minute", lines("1000 ACKNOWLEDGED 1 RANG_OUT"),
		},
		"renewed": {
			func(s *story) { s.act(100, missed.Claim, "petr", "one").act(700, missed.Claim, "petr", "") },
			"ACKNOWLEDGED petr 1600", "one", lines("1600 ACKNOWLEDGED 1 RANG_OUT"),
		},
		"released": {
			func(s *story) { s.act(100, missed.Claim, "petr", "").act(200, missed.Release, "petr", "no") }, "OPENED", "no", nil,
		},
		"claimed after another released": {
			func(s *story) {
				s.act(100, missed.Claim, "petr", "").act(200, missed.Release, "petr", "").act(300, missed.Claim, "jana", "")
			},
			"ACKNOWLEDGED jana 1200", "", lines("1200 ACKNOWLEDGED 1 RANG_OUT"),
		},
		"claimed after another's claim ended": {
			func(s *story) { s.act(100, missed.Claim, "petr", "").act(1001, missed.Claim, "jana", "") },
			"ACKNOWLEDGED jana 1901", "", lines("1000 ACKNOWLEDGED 1 RANG_OUT", "1901 ACKNOWLEDGED 1 RANG_OUT"),
		},
		"called back in vain": {
			func(s *story) { s.act(100, missed.Claim, "petr", "").play(fails(400, "o")...) },
			"ACKNOWLEDGED petr 1315", "", lines("1315 ACKNOWLEDGED 1 RANG_OUT"),
		},
		"called back in vain, too late": {
			func(s *story) { s.act(100, missed.Claim, "petr", "").play(fails(1100, "o")...) },
			"OPENED", "", lines("1000 ACKNOWLEDGED 1 RANG_OUT"),
		},
		"called back in vain before": {
			func(s *story) { s.play(fails(50, "o")...).act(100, missed.Claim, "petr", "") },
			"ACKNOWLEDGED petr 1000", "", lines("1000 ACKNOWLEDGED 1 RANG_OUT"),
		},
		"two attempts closed": {
			func(s *story) { s.play(misses(60, "b", eva)...).act(150, missed.Resolve, "petr", "") }, "RESOLVED by petr", "",
			lines("100 OPENED 2 RANG_OUT"),
		},
		"resolved":            {func(s *story) { s.act(100, missed.Resolve, "petr", "sent a mail") }, "RESOLVED by petr", "sent a mail", nil},
		"resolved by another": {func(s *story) { s.act(100, missed.Claim, "petr", "").act(200, missed.Resolve, "jana", "") }, "RESOLVED petr by jana", "", nil},
		"given back and resolved": {
			func(s *story) {
				s.act(100, missed.Claim, "petr", "a").act(200, missed.Release, "petr", "b").act(300, missed.Resolve, "jana", "c")
			}, "RESOLVED by jana", "c", nil,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := tell(t).play(misses(0, "a", eva)...).play(tick(50))
			s.out = nil
			test.do(s)
			if have := describe(s.all()[0]); have != test.want {
				t.Errorf("want %s, have %s", test.want, have)
			}
			s.play(tick(10_000))
			wantScript(t, test.more, s.out)
			if have := s.all()[0].GetNote(); have != test.note {
				t.Errorf("want the note %q, have %q", test.note, have)
			}
		})
	}
}

// describe writes an entry down as "KIND who-claimed until by who-resolved".
func describe(e *pbxv1.MissedCall) string {
	words := lines(e.GetKind().String())
	if e.GetClaimedBy() != nil {
		words = append(words, e.GetClaimedBy().GetLogin())
	}
	if until := e.GetClaimedUntil(); until != nil {
		words = append(words, fmt.Sprint(int(until.AsTime().Sub(noon)/time.Second)))
	}
	if e.GetResolvedBy() != nil {
		words = append(words, "by", e.GetResolvedBy().GetLogin())
	}
	return strings.Join(words, " ")
}

// TestActEvent demands that the event of an action, once it is read back, is what the ledger says.
func TestActEvent(t *testing.T) {
	s := tell(t).play(flat(misses(0, "a", eva), fails(50, "o"), events(tick(90)))...)
	id := s.all()[0].GetId()
	seen := map[string]bool{}
	for i, kind := range []missed.ActionKind{missed.Claim, missed.Claim, missed.Release, missed.Claim, missed.Resolve} {
		ev, err := s.Act(at(100+i), missed.Action{Kind: kind, Tenant: "acme", ID: id, User: user("petr"), Note: "noted"})
		if err != nil {
			t.Fatal(err)
		}
		again, _ := s.Act(at(100+i), missed.Action{Kind: kind, Tenant: "acme", ID: id, User: user("petr"), Note: "noted"})
		if !proto.Equal(ev, again) {
			t.Errorf("%s: want the same again, as nothing has changed, have %v", kind, again)
		}
		other, _ := s.Act(at(100+i), missed.Action{Kind: kind, Tenant: "acme", ID: id, User: user("petr"), Note: "otherwise"})
		for _, ev := range events(ev, other) {
			if seen[ev.GetId()] {
				t.Errorf("%s: want an id of its own", kind)
			}
			seen[ev.GetId()] = true
		}
		if early := must(s.Act(noon, missed.Action{Kind: kind, Tenant: "acme", ID: id, User: user("petr")})); early.GetTime().AsTime().Before(at(90)) {
			t.Errorf("%s: want nothing before the stream's time, have %v", kind, early)
		}
		if ev.GetVendor() != "ipex" || ev.GetTenant() != "acme" || !ev.GetTime().AsTime().Equal(at(100+i)) {
			t.Errorf("%s: want an event at the entry's vendor, now, have %v", kind, ev)
		}
		s.Touched()
		if more := s.hear(at(100+i), ev); len(more) > 0 {
			t.Errorf("%s: want nothing to add, have %q", kind, script(more))
		}
		if touched := s.Touched(); !slices.Equal(touched, lines("acme."+id)) {
			t.Errorf("%s: want the entry touched, have %q", kind, touched)
		}
		want := proto.CloneOf(ev.GetMissedCall())
		if kind == missed.Release {
			want.Kind = pbxv1.MissedCall_OPENED
		}
		if have := s.Entry("acme." + id); !proto.Equal(want, have) {
			t.Errorf("%s:\nwant %v\nhave %v", kind, want, have)
		}
		if more := s.hear(at(100+i), proto.CloneOf(ev)); len(more) > 0 || len(s.Touched()) > 0 {
			t.Errorf("%s: want nothing new by the same event, have %q", kind, script(more))
		}
	}
}

func TestActRefused(t *testing.T) {
	s := tell(t).play(flat(misses(0, "a", eva), misses(0, "b", adam), dials(100, "o", adam), events(tick(200)))...)
	open, over := s.all()[0].GetId(), s.all()[1].GetId()
	if s.all()[0].GetResolvedAt() != nil {
		open, over = over, open
	}
	s.hear(at(300), must(s.Act(at(300), missed.Action{Kind: missed.Claim, Tenant: "acme", ID: open, User: user("petr")})))
	jana := user("jana")
	tests := map[string]struct {
		seconds int
		action  missed.Action
		kind    fault.Kind
		want    string
	}{
		"no kind":   {400, missed.Action{Tenant: "acme", ID: open, User: jana}, fault.Invalid, `"" is none of claim, release and resolve`},
		"no tenant": {400, missed.Action{Kind: missed.Claim, ID: open, User: jana}, fault.Invalid, "neither its tenant nor its id may be empty"},
		"no id":     {400, missed.Action{Kind: missed.Claim, Tenant: "acme", User: jana}, fault.Invalid, "neither its tenant nor its id may be empty"},
		"nobody":    {400, missed.Action{Kind: missed.Claim, Tenant: "acme", ID: open}, fault.Invalid, "nobody is named"},
		"a long note": {
			400,
			missed.Action{Kind: missed.Claim, Tenant: "acme", ID: open, User: jana, Note: strings.Repeat("a", 4097)},
			fault.Invalid, "the note has more than 4096 bytes",
		},
		"no such entry":  {400, missed.Action{Kind: missed.Claim, Tenant: "acme", ID: "x", User: jana}, fault.NotFound, "there is no such entry"},
		"another tenant": {400, missed.Action{Kind: missed.Claim, Tenant: "globex", ID: open, User: jana}, fault.NotFound, "there is no such entry"},
		"claimed":        {400, missed.Action{Kind: missed.Claim, Tenant: "acme", ID: open, User: jana}, fault.Conflict, "petr has claimed it until 2026-01-05T12:20:00Z"},
		"another's":      {400, missed.Action{Kind: missed.Release, Tenant: "acme", ID: open, User: jana}, fault.Conflict, "petr has claimed it until"},
		"not claimed":    {1200, missed.Action{Kind: missed.Release, Tenant: "acme", ID: open, User: user("petr")}, fault.Conflict, "nobody has claimed it"},
		"resolved":       {400, missed.Action{Kind: missed.Resolve, Tenant: "acme", ID: over, User: jana}, fault.Conflict, "it was resolved (called back) at 2026-01-05T12:01:50Z"},
		"given up":       {700_000, missed.Action{Kind: missed.Claim, Tenant: "acme", ID: open, User: jana}, fault.Conflict, "it was resolved (expired)"},
		"the end of the claim": {
			1200, missed.Action{Kind: missed.Claim, Tenant: "acme", ID: open, User: jana}, fault.Internal, "",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			ev, err := s.Act(at(test.seconds), test.action)
			if test.want == "" {
				if err != nil || ev.GetMissedCall().GetClaimedBy().GetLogin() != "jana" {
					t.Errorf("want it claimed, have %v, %v", ev, err)
				}
				return
			}
			if ev != nil || !fault.Is(err, test.kind) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("want an error of kind %v with %q, have %v", test.kind, test.want, err)
			}
		})
	}
}

func must(ev *pbxv1.Event, err error) *pbxv1.Event {
	if err != nil {
		panic(err)
	}
	return ev
}

// TestNotes keeps a note that somebody else did not know of.
func TestNotes(t *testing.T) {
	s := tell(t).play(misses(0, "a", eva)...).play(tick(50))
	action := missed.Action{Kind: missed.Claim, Tenant: "acme", ID: s.all()[0].GetId(), User: user("petr")}
	bare := must(s.Act(at(101), action))
	action.Note = "calls at noon"
	s.play(must(s.Act(at(100), action)), bare)
	if have := s.all()[0].GetNote(); have != "calls at noon" {
		t.Errorf("want the note, have %q", have)
	}
}

// TestClaimPutsOff gives up an entry later, since somebody claimed it.
func TestClaimPutsOff(t *testing.T) {
	s := tell(t, missed.Settings{Tenant: "acme", Expiry: 3 * time.Hour}).play(misses(0, "a", eva)...)
	s.act(5000, missed.Claim, "petr", "").play(tick(20_000))
	wantScript(t, lines("40 OPENED 1 RANG_OUT", "5900 ACKNOWLEDGED 1 RANG_OUT", "15800 RESOLVED 1 RANG_OUT EXPIRED"), s.out)
}

// TestSamePerson knows people by either name.
func TestSamePerson(t *testing.T) {
	tests := map[string]struct {
		holder, who *pbxv1.User
		same        bool
	}{
		"the same":            {user("petr"), user("petr"), true},
		"case":                {user("petr"), &pbxv1.User{Login: "Petr"}, true},
		"the address alone":   {user("petr"), &pbxv1.User{Email: "Petr@acme.example"}, true},
		"another login":       {user("petr"), &pbxv1.User{Login: "jana", Email: "petr@acme.example"}, false},
		"another address":     {&pbxv1.User{Email: "petr@acme.example"}, user("jana"), false},
		"nothing in common":   {&pbxv1.User{Login: "petr"}, &pbxv1.User{Email: "petr@acme.example"}, false},
		"neither has a login": {&pbxv1.User{Email: "a@acme.example"}, &pbxv1.User{Email: "a@acme.example"}, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := tell(t).play(misses(0, "a", eva)...).play(tick(50))
			claim := missed.Action{Kind: missed.Claim, Tenant: "acme", ID: s.all()[0].GetId(), User: test.holder}
			s.hear(at(60), must(s.Act(at(60), claim)))
			claim.User = test.who
			if _, err := s.Act(at(70), claim); (err == nil) != test.same {
				t.Errorf("want the same person: %v, have %v", test.same, err)
			}
		})
	}
}

// TestRaces lets people act without knowing of one another: what the stream has first counts, and the other is corrected.
func TestRaces(t *testing.T) {
	do := func(s *story, seconds int, kind missed.ActionKind, who string) *pbxv1.Event {
		return must(s.Act(at(seconds), missed.Action{Kind: kind, Tenant: "acme", ID: s.all()[0].GetId(), User: user(who)}))
	}
	tests := map[string]struct {
		play func(*story)
		want []string
		end  string
	}{
		"two claims": {func(s *story) {
			first, second := do(s, 100, missed.Claim, "petr"), do(s, 100, missed.Claim, "jana")
			s.play(first, second)
		}, lines("100 ACKNOWLEDGED 1 RANG_OUT claimed by petr"), "ACKNOWLEDGED petr 1000"},
		"a claim of what was reached": {func(s *story) {
			claim := do(s, 100, missed.Claim, "petr")
			s.play(dials(90, "o", eva)...)
			s.play(claim)
		}, lines("100 RESOLVED 1 RANG_OUT CALLED_BACK by agent107", "120 RESOLVED 1 RANG_OUT CALLED_BACK by agent107"), "RESOLVED by agent107"},
		"a claim of what was closed": {func(s *story) {
			closing, claim := do(s, 100, missed.Resolve, "petr"), do(s, 100, missed.Claim, "jana")
			s.play(closing, claim)
		}, lines("100 RESOLVED 1 RANG_OUT CLOSED by petr"), "RESOLVED by petr"},
		"closed twice": {func(s *story) {
			first, second := do(s, 100, missed.Resolve, "petr"), do(s, 101, missed.Resolve, "jana")
			s.play(first, second)
		}, nil, "RESOLVED by petr"},
		"a late release": {func(s *story) {
			s.act(100, missed.Claim, "petr", "")
			late := do(s, 200, missed.Release, "petr")
			s.play(do(s, 201, missed.Release, "petr"))
			s.play(do(s, 202, missed.Claim, "jana"))
			s.hear(at(203), late)
		}, lines("203 ACKNOWLEDGED 1 RANG_OUT claimed by jana"), "ACKNOWLEDGED jana 1102"},
		"closed before the verdict on another attempt": {func(s *story) {
			s.play(misses(80, "b", eva)...)
			s.play(do(s, 110, missed.Resolve, "petr"), tick(130))
		}, lines("120 OPENED 1 RANG_OUT"), "RESOLVED by petr"},
		"missed after it was closed": {func(s *story) {
			s.play(do(s, 110, missed.Resolve, "petr"))
			s.play(misses(200, "b", eva)...).play(tick(300))
		}, lines("240 OPENED 1 RANG_OUT"), "RESOLVED by petr"},
		"a claim again, after it was released": {func(s *story) {
			claim := do(s, 100, missed.Claim, "petr")
			s.play(claim)
			s.play(do(s, 200, missed.Release, "petr"))
			s.hear(at(300), claim)
		}, nil, "OPENED"},
		"missed while it is claimed": {func(s *story) {
			s.act(100, missed.Claim, "petr", "")
			s.play(misses(200, "b", eva)...).play(tick(300))
		}, lines("240 OPENED 2 RANG_OUT claimed by petr"), "ACKNOWLEDGED petr 1000"},
		"reached while it is claimed": {func(s *story) {
			s.act(100, missed.Claim, "petr", "").play(dials(200, "o", eva)...)
		}, lines("210 RESOLVED 1 RANG_OUT claimed by petr CALLED_BACK by agent107"), "RESOLVED petr by agent107"},
		"withdrawn while it is claimed": {func(s *story) {
			s.act(100, missed.Claim, "petr", "").hear(at(200), answers(5, "a", eva))
		}, lines("200 RESOLVED 1 RANG_OUT claimed by petr WITHDRAWN by agent101"), "RESOLVED petr by agent101"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := tell(t).play(misses(0, "a", eva)...).play(tick(50))
			s.out = nil
			test.play(s)
			wantScript(t, test.want, s.out)
			if have := describe(s.all()[0]); have != test.end {
				t.Errorf("want %s, have %s", test.end, have)
			}
		})
	}
}
