package agents_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/switchhook/switchhook/pkg/config"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// as gives an event another person.
func as(ev *pbxv1.Event, login, email string) *pbxv1.Event {
	user := &pbxv1.User{Login: login, Email: email}
	if ev.GetCall() != nil {
		ev.GetCall().User = user
	} else {
		ev.GetAgent().User = user
	}
	return ev
}

// of gives an event another vendor.
func of(ev *pbxv1.Event, vendor string) *pbxv1.Event {
	ev.Vendor, ev.Exchange = vendor, vendor
	return ev
}

// roster writes the agents down as "id: login, e-mail, extensions".
func roster(s *story) []string {
	lines := []string{}
	for _, a := range s.Agents(&pbxv1.AgentListRequest{Tenant: "acme"}).GetAgents() {
		lines = append(lines, fmt.Sprintf("%s: %s, %s, %s",
			a.GetId(), a.GetUser().GetLogin(), a.GetUser().GetEmail(), strings.Join(a.GetExtensions(), " ")))
	}
	return lines
}

func TestIdentity(t *testing.T) {
	petr := config.Person{Name: "Petr Novák", Login: "petr.novak", Email: "petr@acme.example", Extensions: []string{"107", "207"}}
	tests := map[string]struct {
		people    []config.Person
		events    []*pbxv1.Event
		want      []string
		conflicts []string
	}{
		"login, e-mail and extension of one event": {
			events: []*pbxv1.Event{as(login(0, "", "107", "NOC"), "Petr.Novak", "petr@acme.example")},
			want:   []string{"petr_novak: Petr.Novak, petr@acme.example, 107"},
		},
		"case does not count": {
			events: []*pbxv1.Event{
				as(login(0, "", "107", "NOC"), "petr", "Petr@acme.example"), as(login(1, "", "107", "NOC"), "PETR", ""),
				as(login(2, "", "107", "NOC"), "", "petr@ACME.example"),
			},
			want: []string{"petr: petr, Petr@acme.example, 107"},
		},
		"a phone alone": {
			events: []*pbxv1.Event{of(rings(0, "c", "", "107", ""), "mcn")},
			want:   []string{"107: , , 107"},
		},
		"a phone turns out to be a person's": {
			events: []*pbxv1.Event{of(rings(0, "c", "", "107", ""), "mcn"), login(5, "petr", "107", "NOC")},
			want:   []string{"petr: petr, , 107"},
		},
		"a person whose phone another vendor calls": {
			events: []*pbxv1.Event{login(0, "petr", "107", "NOC"), of(rings(5, "c", "", "107", ""), "mcn")},
			want:   []string{"petr: petr, , 107"},
		},
		"an e-mail address before the login": {
			events: []*pbxv1.Event{
				as(login(0, "", "107", "NOC"), "", "petr@acme.example"),
				as(login(1, "", "107", "NOC"), "petr", "petr@acme.example"),
			},
			want: []string{"petr=40acme_example: petr, petr@acme.example, 107"},
		},
		"a login and an e-mail address that turn out to be one": {
			events: []*pbxv1.Event{
				as(login(0, "", "107", "NOC"), "", "petr@acme.example"), as(login(1, "", "108", "NOC"), "petr", ""),
				as(rings(2, "c", "", "108", ""), "petr", "petr@acme.example"),
			},
			want: []string{"petr: petr, petr@acme.example, 107 108"},
		},
		"one e-mail address with two logins": {
			events: []*pbxv1.Event{
				as(login(0, "", "107", "NOC"), "petr", "office@acme.example"),
				as(login(1, "", "108", "NOC"), "eva", "office@acme.example"),
				as(login(2, "", "108", "NOC"), "eva", "office@acme.example"),
			},
			want:      []string{"eva: eva, , 108", "petr: petr, office@acme.example, 107"},
			conflicts: []string{"e-mail address office@acme.example: came with the login eva, but is that of the login petr"},
		},
		"at the phone of somebody who is logged in": {
			events: []*pbxv1.Event{login(0, "petr", "107", "NOC"), login(1, "eva", "107", "NOC")},
			want:   []string{"eva: eva, , ", "petr: petr, , 107"},
			conflicts: []string{
				"extension 107: came with the login eva, while the login petr is logged in there",
			},
		},
		"at the phone of somebody who has left": {
			events: []*pbxv1.Event{
				login(0, "petr", "107", "NOC"), logout(1, "107", "NOC"), login(2, "eva", "107", "NOC"),
			},
			want: []string{"eva: eva, , 107", "petr: petr, , "},
		},
		"at the phone of somebody who has left, told late": {
			events: []*pbxv1.Event{
				login(0, "petr", "107", "NOC"), logout(5, "107", "NOC"), rings(3, "c", "eva", "107", ""),
			},
			want: []string{"eva: eva, , ", "petr: petr, , 107"},
		},
		"at another phone": {
			events: []*pbxv1.Event{login(0, "petr", "107", "NOC"), login(1, "petr", "109", "NOC")},
			want:   []string{"petr: petr, , 109"},
		},
		"at another phone, told late": {
			events: []*pbxv1.Event{login(10, "petr", "109", "NOC"), login(5, "petr", "107", "NOC")},
			want:   []string{"petr: petr, , 109"},
		},
		"a login told after a call at another phone": {
			events: []*pbxv1.Event{rings(8, "c", "petr", "109", ""), login(5, "petr", "107", "NOC")},
			want:   []string{"petr: petr, , 107 109"},
		},
		"at another phone than the configured": {
			people: []config.Person{petr},
			events: []*pbxv1.Event{login(0, "petr.novak", "107", "NOC"), login(5, "petr.novak", "109", "NOC")},
			want:   []string{"petr_novak: petr.novak, petr@acme.example, 107 109 207"},
		},
		"at a phone of each vendor": {
			events: []*pbxv1.Event{login(0, "petr", "107", "NOC"), of(login(1, "petr", "909", "NOC"), "later")},
			want:   []string{"petr: petr, , 107 909"},
		},
		"a call at another phone": {
			events: []*pbxv1.Event{login(0, "petr", "107", "NOC"), rings(1, "c", "petr", "109", "")},
			want:   []string{"petr: petr, , 107 109"},
		},
		"a login that looks like an extension": {
			events: []*pbxv1.Event{of(rings(0, "c", "", "107", ""), "mcn"), login(1, "107", "108", "NOC")},
			want:   []string{"107: , , 107", "107=login: 107, , 108"},
		},
		"configured people are there from the start": {
			people: []config.Person{petr},
			want:   []string{"petr_novak: petr.novak, petr@acme.example, 107 207"},
		},
		"configured names join": {
			people: []config.Person{petr},
			events: []*pbxv1.Event{
				of(rings(0, "c", "", "207", ""), "xvb"), as(login(1, "", "", "NOC"), "", "petr@acme.example"),
			},
			want: []string{"petr_novak: petr.novak, petr@acme.example, 107 207"},
		},
		"a configured login at another address": {
			people:    []config.Person{petr},
			events:    []*pbxv1.Event{as(login(0, "", "107", "NOC"), "petr.novak", "other@acme.example")},
			want:      []string{"petr_novak: petr.novak, petr@acme.example, 107 207"},
			conflicts: []string{"login petr.novak: came with the e-mail address other@acme.example, but is configured with petr@acme.example"},
		},
		"a configured address with another login": {
			people:    []config.Person{petr},
			events:    []*pbxv1.Event{as(login(0, "", "", "NOC"), "eva", "petr@acme.example")},
			want:      []string{"eva: eva, , ", "petr_novak: petr.novak, petr@acme.example, 107 207"},
			conflicts: []string{"e-mail address petr@acme.example: came with the login eva, but is that of the login petr.novak"},
		},
		"somebody else at a configured phone": {
			people:    []config.Person{petr},
			events:    []*pbxv1.Event{login(0, "eva", "107", "NOC")},
			want:      []string{"eva: eva, , ", "petr_novak: petr.novak, petr@acme.example, 107 207"},
			conflicts: []string{"extension 107: came with the login eva, but is configured for the login petr.novak"},
		},
		"a configured person without login learns theirs": {
			people: []config.Person{{Email: "petr@acme.example"}},
			events: []*pbxv1.Event{as(login(0, "", "107", "NOC"), "petr", "petr@acme.example")},
			want:   []string{"petr=40acme_example: petr, petr@acme.example, 107"},
		},
		"a configured address of another than who has the login": {
			people: []config.Person{{Email: "petr@acme.example"}},
			events: []*pbxv1.Event{
				login(0, "eva", "107", "NOC"), as(login(1, "", "107", "NOC"), "eva", "petr@acme.example"),
			},
			want:      []string{"petr=40acme_example: , petr@acme.example, ", "eva: eva, , 107"},
			conflicts: []string{"e-mail address petr@acme.example: came with the login eva, but is configured for somebody else"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := tell(acme(test.people...)).play(test.events...)
			if have := roster(s); !slices.Equal(test.want, have) {
				t.Errorf("\nwant %q\nhave %q", test.want, have)
			}
			have := s.Agents(&pbxv1.AgentListRequest{Tenant: "acme"}).GetConflicts()
			if !slices.Equal(test.conflicts, have) {
				t.Errorf("conflicts\nwant %q\nhave %q", test.conflicts, have)
			}
			chained(t, s.out)
		})
	}
}

// TestAbsorbed lets a phone that rings turn out to be a person's.
func TestAbsorbed(t *testing.T) {
	s := tell(acme()).play(
		of(rings(0, "c", "", "107", "NOC"), "mcn"), of(answers(5, "c", "", "107", "NOC"), "mcn"), login(15, "petr", "107", "NOC"),
	)
	want := []string{"0 107 RINGING", "5 107 ON_CALL", "15 107 UNKNOWN", "15 petr ON_CALL"}
	if have := script(s.out); !slices.Equal(want, have) {
		t.Errorf("\nwant %q\nhave %q", want, have)
	}
	chained(t, s.out)
	if have := s.Agent("acme.107"); have != nil {
		t.Errorf("want no such agent any more, have %v", have)
	}
	if touched, _, _ := s.Touched(); !slices.Equal(touched, []string{"acme.107", "acme.petr"}) {
		t.Errorf("want both touched, have %q", touched)
	}
	if have := s.Find("acme", "107"); have.GetId() != "petr" || !have.GetSince().AsTime().Equal(at(5)) {
		t.Errorf("want petr, who talks since the phone did, have %v", have)
	}
	day := s.Day("acme", "2026-01-05", at(20))
	if len(day.GetAgents()) != 1 || day.GetAgents()[0].GetId() != "petr" {
		t.Fatalf("want the day of petr alone, have %v", day.GetAgents())
	}
	for _, state := range day.GetAgents()[0].GetStates() {
		want := map[pbxv1.AgentState]time.Duration{
			pbxv1.AgentState_RINGING: 5 * time.Second, pbxv1.AgentState_ON_CALL: 15 * time.Second,
		}
		if want, have := want[state.GetState()], state.GetTime().AsDuration(); want != have {
			t.Errorf("want %v of %v, have %v", want, state.GetState(), have)
		}
	}
}

// TestAbsorbedLate joins what was said of a phone, recent or final, with what is said of the person.
func TestAbsorbedLate(t *testing.T) {
	for _, when := range []int{100, 20_000} {
		s := tell(acme()).play(
			word(0, pbxv1.Agent_PAUSED, "", "107", "Sales", "WC"), rings(10, "c", "", "107", ""), ends(15, "c", "", "107", ""),
		)
		for now := 600; now < when; now += 600 {
			s.play(tick(now))
		}
		s.play(login(when, "petr", "107", "NOC"))
		if have := s.Find("acme", "petr").GetQueues(); !slices.Equal(have, []string{"NOC", "Sales"}) {
			t.Errorf("after %d s: want both queues, have %q", when, have)
		}
		want := []string{
			"AVAILABLE 5 1", "RINGING 5 1", fmt.Sprintf("PAUSED WC %d 2", when-5),
		}
		if have := spentBy(s.Day("acme", "2026-01-05", at(when+5)), "petr"); !slices.Equal(want, have) {
			t.Errorf("after %d s: want %q, have %q", when, want, have)
		}
	}
}

// TestAbsorbedWrappingUp ends a wrap-up once.
func TestAbsorbedWrappingUp(t *testing.T) {
	s := tell(acme()).play(
		answers(0, "c", "", "107", "NOC"), ends(10, "c", "", "107", "NOC"), login(20, "petr", "107", "NOC"), tick(50),
	)
	want := []string{"0 107 ON_CALL", "10 107 WRAP_UP", "20 107 UNKNOWN", "20 petr WRAP_UP", "40 petr AVAILABLE"}
	if have := script(s.out); !slices.Equal(want, have) {
		t.Errorf("\nwant %q\nhave %q", want, have)
	}
}

func TestFind(t *testing.T) {
	s := tell(acme()).play(as(login(0, "", "107", "NOC"), "petr.novak", "petr@acme.example"))
	for name, want := range map[string]string{
		"petr_novak": "petr_novak", "Petr.Novak": "petr_novak", "PETR@acme.example": "petr_novak", "107": "petr_novak",
		"108": "", "": "", "petr": "",
	} {
		if have := s.Find("acme", name).GetId(); want != have {
			t.Errorf("%q: want %q, have %q", name, want, have)
		}
	}
	if have := s.Find("globex", "107"); have != nil {
		t.Errorf("want nobody of another tenant, have %v", have)
	}
}

// TestKeys demands keys that a bucket allows, and that tell names apart.
func TestKeys(t *testing.T) {
	s := tell(acme())
	names := []string{"petr.novak", "petr_novak", "petr=5Fnovak", "petr novak", "Jiří", "a/b", "a*b", "a>b", "x@y.example", "107"}
	for i, name := range names {
		s.play(login(i, name, "", "NOC"))
	}
	touched, _, _ := s.Touched()
	if len(names) != len(touched) {
		t.Errorf("want %d keys, have %q", len(names), touched)
	}
	for _, key := range touched {
		id, ok := strings.CutPrefix(key, "acme.")
		bad := strings.Trim(id, "-_=abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
		if !ok || bad != "" || id == "" {
			t.Errorf("want a key of the tenant and letters, digits, -, _ and =, have %q", key)
		}
	}
}
