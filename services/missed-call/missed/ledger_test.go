package missed_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/switchhook/switchhook/pkg/fault"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
	"github.com/switchhook/switchhook/services/missed-call/missed"
)

func TestLedger(t *testing.T) {
	first := "40 OPENED 1 RANG_OUT"
	answered := func(seconds int, key, number string) []*pbxv1.Event {
		return events(rings(seconds, key, number, "101"), answers(seconds+5, key, number), hangsUp(seconds+9, key, number, pbxv1.Call_NORMAL))
	}
	// untimed is an outgoing call that its exchange calls answered only at its end.
	untimed := func(began, over int, key, number string) []*pbxv1.Event {
		end := ended(leg(over, pbxv1.Call_ENDED, key, number, out, "107"), pbxv1.Call_NORMAL)
		end.GetCall().Answered = proto.Bool(true)
		return of("xvb", leg(began, pbxv1.Call_NEW, key, number, out, "107"), end)
	}
	tests := map[string]struct {
		settings missed.Settings
		events   []*pbxv1.Event
		want     []string
		entries  int
		callback int32 // failed ones, of the first entry
	}{
		"called again": {
			events: flat(misses(0, "a", eva), misses(100, "b", eva)), want: lines(first, "140 OPENED 2 RANG_OUT"), entries: 1,
		},
		"called at another vendor": {
			events: flat(misses(0, "a", eva), of("xvb", queued(misses(100, "a", eva)...)...)),
			want:   lines(first, "140 OPENED 2 RANG_OUT"), entries: 1,
		},
		"somebody else called": {
			events: flat(misses(0, "a", eva), misses(100, "b", adam)), want: lines(first, "140 OPENED 1 RANG_OUT"), entries: 2,
		},
		"withheld calls are apart": {
			events: flat(misses(0, "a", ""), misses(100, "b", "")), want: lines(first, "140 OPENED 1 RANG_OUT"), entries: 2,
		},
		"called back": {
			events: flat(misses(0, "a", eva), dials(100, "o", eva)),
			want:   lines(first, "110 RESOLVED 1 RANG_OUT CALLED_BACK by agent107"), entries: 1,
		},
		"called back at another vendor": {
			events: flat(misses(0, "a", eva), of("mcn", dials(100, "o", eva)...)),
			want:   lines(first, "110 RESOLVED 1 RANG_OUT CALLED_BACK by agent107"), entries: 1,
		},
		"called back another": {events: flat(misses(0, "a", eva), dials(100, "o", adam)), want: lines(first), entries: 1},
		"called back before the verdict": {
			events: flat(misses(0, "a", eva), dials(22, "o", eva)),
			want:   lines(first, "40 RESOLVED 1 RANG_OUT CALLED_BACK by agent107"), entries: 1,
		},
		"dialled back before the verdict": {
			events: flat(misses(0, "a", eva), dials(38, "o", eva)),
			want:   lines(first, "48 RESOLVED 1 RANG_OUT CALLED_BACK by agent107"), entries: 1,
		},
		"answered at the moment of the end": {
			events: flat(misses(0, "a", eva)[:2], dials(10, "o", eva)[:2], misses(0, "a", eva)[2:]),
			want:   lines(first, "40 RESOLVED 1 RANG_OUT CALLED_BACK by agent107"), entries: 1,
		},
		"talked to before it was missed": {
			events: flat(dials(-100, "o", eva), misses(0, "a", eva)), want: lines(first), entries: 1,
		},
		"talked to all the while": {
			events: flat(dials(-9, "o", eva)[:2], misses(0, "a", eva)), want: lines(first), entries: 1,
		},
		"nobody told when it was answered": {
			events: flat(misses(0, "a", eva), untimed(100, 160, "o", eva)),
			want:   lines(first, "160 RESOLVED 1 RANG_OUT CALLED_BACK by agent107"), entries: 1,
		},
		"nobody told whether it was answered before another attempt": {
			events: flat(misses(0, "a", eva), untimed(100, 200, "o", eva)[:1], misses(120, "b", eva), untimed(100, 200, "o", eva)[1:]),
			want: lines(
				first, "160 OPENED 2 RANG_OUT", "200 RESOLVED 1 RANG_OUT CALLED_BACK by agent107", "200 OPENED 1 RANG_OUT",
			), entries: 2,
		},
		"got through": {
			events: flat(misses(0, "a", eva), answered(100, "b", eva)),
			want:   lines(first, "105 RESOLVED 1 RANG_OUT GOT_THROUGH by agent101"), entries: 1,
		},
		"somebody else got through": {events: flat(misses(0, "a", eva), answered(100, "b", adam)), want: lines(first), entries: 1},
		"withheld never gets through": {
			events: flat(misses(0, "a", ""), answered(100, "b", "")), want: lines(first), entries: 1,
		},
		"missed again afterwards": {
			events: flat(misses(0, "a", eva), dials(100, "o", eva), misses(200, "b", eva)),
			want:   lines(first, "110 RESOLVED 1 RANG_OUT CALLED_BACK by agent107", "240 OPENED 1 RANG_OUT"), entries: 2,
		},
		"missed at two vendors at once": {
			events: flat(misses(0, "a", eva), of("xvb", misses(0, "b", eva)...)), want: lines(first, "40 OPENED 2 RANG_OUT"), entries: 1,
		},
		"two verdicts on both sides of a call back": {
			events: flat(misses(0, "a", eva), of("mcn", misses(15, "b", eva)...), dials(31, "o", eva)),
			want: lines(
				first, "41 RESOLVED 1 RANG_OUT CALLED_BACK by agent107",
				"65 OPENED 2 RANG_OUT", "65 RESOLVED 2 RANG_OUT CALLED_BACK by agent107",
			), entries: 1,
		},
		"tried in vain": {
			events:  flat(misses(0, "a", eva), fails(100, "o"), fails(200, "p")),
			want:    lines(first),
			entries: 1, callback: 2,
		},
		"tried in vain, then reached": {
			events: flat(misses(0, "a", eva), fails(100, "o"), dials(200, "p", eva), fails(300, "q")),
			want:   lines(first, "210 RESOLVED 1 RANG_OUT CALLED_BACK by agent107"), entries: 1, callback: 1,
		},
		"tried before it was missed": {events: flat(fails(-100, "o"), misses(0, "a", eva)), want: lines(first), entries: 1},
		"nobody told how a call back went": {
			events: flat(misses(0, "a", eva), fails(100, "o")[:1], events(ended(fails(100, "o")[1], pbxv1.Call_NORMAL))),
			want:   lines(first), entries: 1,
		},
		"one of two attempts turns out answered": {
			events:  flat(misses(0, "a", eva), misses(100, "b", eva), events(tick(150), answers(5, "a", eva))),
			want:    lines(first, "140 OPENED 2 RANG_OUT"),
			entries: 1,
		},
		"the later of two attempts turns out answered": {
			events: flat(misses(0, "a", eva), misses(100, "b", eva), events(tick(150), answers(125, "b", eva))),
			want:   lines(first, "140 OPENED 2 RANG_OUT", "150 RESOLVED 1 RANG_OUT GOT_THROUGH by agent101"), entries: 1,
		},
		"given up": {
			settings: missed.Settings{Expiry: 3 * time.Hour}, events: flat(misses(0, "a", eva), events(tick(10_819), tick(10_820))),
			want: lines(first, "10820 RESOLVED 1 RANG_OUT EXPIRED"), entries: 1,
		},
		"still open when the next one is missed": {
			settings: missed.Settings{Expiry: 3 * time.Hour}, events: flat(misses(0, "a", eva), misses(10_000, "b", eva)),
			want: lines(first, "10040 OPENED 2 RANG_OUT"), entries: 1,
		},
		"given up later, since somebody tried": {
			settings: missed.Settings{Expiry: 3 * time.Hour},
			events:   flat(misses(0, "a", eva), fails(5000, "o"), events(tick(15_814), tick(15_815))),
			want:     lines(first, "15815 RESOLVED 1 RANG_OUT EXPIRED"), entries: 1, callback: 1,
		},
		"missed after it was given up": {
			settings: missed.Settings{Expiry: 3 * time.Hour}, events: flat(misses(0, "a", eva), misses(11_000, "b", eva)),
			want: lines(first, "10820 RESOLVED 1 RANG_OUT EXPIRED", "11040 OPENED 1 RANG_OUT"), entries: 2,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			test.settings.Tenant = "acme"
			s := tell(t, test.settings)
			s.clock = at(-1000)
			s.play(test.events...)
			s.hear(s.clock.Add(time.Minute), tick(0))
			wantScript(t, test.want, s.out)
			all := s.all()
			if len(all) != test.entries {
				t.Fatalf("want %d entries, have %v", test.entries, all)
			}
			if have := all[0].GetFailedCallbacks(); have != test.callback {
				t.Errorf("want %d failed calls back, have %d", test.callback, have)
			}
		})
	}
}

// TestWhole demands every field of an entry, in the events as in the ledger.
func TestWhole(t *testing.T) {
	s := tell(t).play(misses(0, "a", eva)...)
	second := of("xvb", queued(entered(100, "b", eva), hangsUp(133, "b", eva, pbxv1.Call_CANCELLED))...)
	for _, ev := range second {
		ev.GetCall().To = &pbxv1.Party{Number: "222333555", E164: "+420222333555"}
	}
	match := &pbxv1.ContactMatch{Name: "Eva Malá", ResponsibleExtension: "107"}
	s.play(flat(second, fails(160, "o"), events(known(180, "b", eva, match)), dials(200, "p", eva))...)
	want := &pbxv1.MissedCall{
		Kind: pbxv1.MissedCall_RESOLVED, Id: s.out[0].GetMissedCall().GetId(), CallKeys: []string{"a", "b"},
		From: &pbxv1.Party{Number: "777888999", E164: eva}, To: second[0].GetCall().GetTo(), Queue: "NOC",
		MissedAt: timestamppb.New(at(133)), Wait: durationpb.New(33 * time.Second), Attempts: 2, AttemptsToday: 2,
		Reason: pbxv1.MissedCall_ABANDONED_QUEUE, Contact: match, OpenedAt: timestamppb.New(at(40)), FailedCallbacks: 1,
		Resolution: pbxv1.MissedCall_CALLED_BACK, ResolvedBy: user("agent107"), ResolvedAt: timestamppb.New(at(210)),
		Vendor: "xvb", Exchange: "xvb",
	}
	last := s.out[len(s.out)-1]
	if have := last.GetMissedCall(); !proto.Equal(want, have) {
		t.Errorf("event\nwant %v\nhave %v", want, have)
	}
	if have := s.Entry("acme." + want.GetId()); !proto.Equal(want, have) {
		t.Errorf("entry\nwant %v\nhave %v", want, have)
	}
	if last.GetVendor() != "xvb" || last.GetExchange() != "xvb" || last.GetTenant() != "acme" {
		t.Errorf("want an event at the last vendor, have %v", last)
	}
	if !last.GetTime().AsTime().Equal(at(210)) || !last.GetReceivedAt().AsTime().Equal(at(210)) {
		t.Errorf("want it when it became known, have %v", last)
	}
}

// TestResolvedAt shows when somebody talked, as far as that is known, and who came first.
func TestResolvedAt(t *testing.T) {
	untimed := dials(100, "o", eva)[:1]
	end := ended(leg(160, pbxv1.Call_ENDED, "o", eva, out, "107"), pbxv1.Call_NORMAL)
	end.GetCall().Answered = proto.Bool(true)
	second := answers(130, "o", eva)
	second.GetCall().Extension, second.GetCall().User = "102", user("agent102")
	tests := map[string]struct {
		events []*pbxv1.Event
		want   int
		by     string
	}{
		"told":                 {dials(100, "o", eva), 110, "agent107"},
		"told only at the end": {append(untimed, end), 160, "agent107"},
		"handed over":          {events(rings(100, "o", eva, "102"), second, rings(110, "o", eva, "101"), answers(120, "o", eva)), 120, "agent101"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			e := tell(t).play(misses(0, "a", eva)...).play(test.events...).all()[0]
			if at := e.GetResolvedAt().AsTime(); !at.Equal(noon.Add(time.Duration(test.want)*time.Second)) || e.GetResolvedBy().GetLogin() != test.by {
				t.Errorf("want it resolved at %d by %s, have %v", test.want, test.by, e)
			}
		})
	}
}

// known is a directory's answer about a call.
func known(seconds int, key, number string, match *pbxv1.ContactMatch) *pbxv1.Event {
	return &pbxv1.Event{
		Id: "contact of " + key, Time: timestamppb.New(at(seconds)), Vendor: "ipex", Tenant: "acme",
		Payload: &pbxv1.Event_Contact{Contact: &pbxv1.Contact{
			Kind: pbxv1.Contact_RESOLVED, CallKey: key, Party: &pbxv1.Party{E164: number}, Match: match,
		}},
	}
}

func TestContact(t *testing.T) {
	old, better := &pbxv1.ContactMatch{Name: "Eva"}, &pbxv1.ContactMatch{Name: "Eva Malá"}
	unknown := func(ev *pbxv1.Event, instead string) *pbxv1.Event {
		ev.Id += " unknown"
		c := ev.GetContact()
		c.Kind, c.Match, c.Supersedes = pbxv1.Contact_UNKNOWN, nil, instead
		return ev
	}
	stranger := known(5, "a", eva, old)
	stranger.Tenant = "globex"
	tests := map[string]struct {
		early, late []*pbxv1.Event // before and after the verdict
		want        string
	}{
		"none":                       {nil, nil, ""},
		"two at once":                {events(known(5, "a", eva, old), known(5, "b", eva, better)), nil, "Eva Malá"},
		"two at once, the other way": {events(known(5, "b", eva, better), known(5, "a", eva, old)), nil, "Eva Malá"},
		"while it rings":             {events(known(5, "a", eva, old)), nil, "Eva"},
		"after the verdict":          {nil, events(known(50, "a", eva, old)), "Eva"},
		"a better one":               {events(known(5, "a", eva, old)), events(known(50, "a", eva, better)), "Eva Malá"},
		"an older one":               {events(known(15, "a", eva, better)), events(known(5, "a", eva, old)), "Eva Malá"},
		"of an earlier call":         {events(known(-5, "z", eva, old)), nil, "Eva"},
		"of another number":          {events(known(5, "b", adam, old)), nil, ""},
		"of another tenant":          {events(stranger), nil, ""},
		"unknown":                    {events(unknown(known(5, "a", eva, old), "")), nil, ""},
		"unknown, a directory down":  {events(known(5, "a", eva, old)), events(unknown(known(50, "b", eva, old), "")), "Eva"},
		"unknown instead":            {events(known(5, "a", eva, old)), events(unknown(known(50, "b", eva, old), "contact of a")), ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := tell(t)
			s.clock = at(-10)
			s.play(flat(misses(0, "a", eva), test.early, events(tick(45)))...)
			s.Touched()
			s.play(test.late...)
			wantScript(t, lines("40 OPENED 1 RANG_OUT"), s.out)
			entry := s.all()[0]
			if have := entry.GetContact().GetName(); have != test.want {
				t.Errorf("want %q, have %q", test.want, have)
			}
			changed := entry.GetContact().GetName() != s.out[0].GetMissedCall().GetContact().GetName()
			if touched := s.Touched(); (len(touched) > 0) != changed {
				t.Errorf("want the entry touched: %v, have %q", changed, touched)
			}
		})
	}
}

// TestToday counts attempts by days in the tenant's time zone: midnight there is at 23:00 in UTC.
func TestToday(t *testing.T) {
	prague, err := time.LoadLocation("Europe/Prague")
	if err != nil {
		t.Fatal(err)
	}
	hour := 3600
	s := tell(t, missed.Settings{Tenant: "acme", Location: prague})
	s.play(flat(
		misses(0, "a", eva), misses(hour, "b", eva), dials(2*hour, "o", eva), misses(3*hour, "c", eva), misses(4*hour, "d", adam),
		misses(11*hour-30, "e", eva), misses(11*hour, "f", eva), events(tick(12*hour)),
	)...)
	want := []int32{1, 2, 2, 3, 1, 4, 1}
	var have []int32
	for _, ev := range s.out {
		have = append(have, ev.GetMissedCall().GetAttemptsToday())
	}
	if !slices.Equal(want, have) {
		t.Errorf("want %v, have %v", want, have)
	}
}

// TestPages lists more than one answer carries, and goes on behind an entry that is no longer asked for.
func TestPages(t *testing.T) {
	s := tell(t)
	var want []string
	for i := range 4000 {
		key := fmt.Sprintf("%04d-%0200d", i, 0) // a long one, so that all are more than NATS carries
		want = append(want, key)
		s.play(misses(i, key, fmt.Sprintf("7770%05d", i))...)
	}
	s.play(tick(4100))
	var have []string
	for _, e := range s.all() {
		have = append(have, e.GetCallKeys()...)
	}
	if !slices.Equal(want, have) {
		t.Errorf("want all %d entries in order, have %d", len(want), len(have))
	}

	q := &pbxv1.MissedCallListRequest{Tenant: "acme", PageSize: 2}
	page, err := s.Entries(q)
	if err != nil {
		t.Fatal(err)
	}
	s.play(dials(4200, "back", "777000001")...).play(tick(4300))
	q.PageToken = page.GetNextPageToken()
	if page, err = s.Entries(q); err != nil || page.GetMissedCalls()[0].GetCallKeys()[0] != want[2] {
		t.Errorf("want to go on with %s, have %v, %v", want[2], page, err)
	}

	for _, token := range []string{"x", ".", "?.id", "12"} {
		if _, err := s.Entries(&pbxv1.MissedCallListRequest{Tenant: "acme", PageToken: token}); !fault.Is(err, fault.Invalid) {
			t.Errorf("page token %q: want it refused, have %v", token, err)
		}
	}
}

func TestEntries(t *testing.T) {
	s := tell(t).play(flat(
		misses(100, "b", adam), queued(misses(0, "a", eva)...), misses(200, "c", ""), dials(300, "o", adam),
	)...)
	s.play(tick(400))
	resolved := s.all()[1].GetId()
	tests := map[string]struct {
		query *pbxv1.MissedCallListRequest
		want  []string
	}{
		"one":         {&pbxv1.MissedCallListRequest{Tenant: "acme", Id: resolved}, lines("b")},
		"none":        {&pbxv1.MissedCallListRequest{Tenant: "acme", Id: "nothing"}, nil},
		"open":        {&pbxv1.MissedCallListRequest{Tenant: "acme"}, lines("a", "c")},
		"all":         {&pbxv1.MissedCallListRequest{Tenant: "acme", IncludeResolved: true}, lines("a", "b", "c")},
		"a queue":     {&pbxv1.MissedCallListRequest{Tenant: "acme", Queue: "NOC"}, lines("a")},
		"no queue":    {&pbxv1.MissedCallListRequest{Tenant: "acme", Queue: "Sales"}, nil},
		"stranger":    {&pbxv1.MissedCallListRequest{Tenant: "globex", IncludeResolved: true}, nil},
		"by one":      {&pbxv1.MissedCallListRequest{Tenant: "acme", IncludeResolved: true, PageSize: 1}, lines("a", "b", "c")},
		"by two":      {&pbxv1.MissedCallListRequest{Tenant: "acme", IncludeResolved: true, PageSize: 2}, lines("a", "b", "c")},
		"by three":    {&pbxv1.MissedCallListRequest{Tenant: "acme", IncludeResolved: true, PageSize: 3}, lines("a", "b", "c")},
		"open by one": {&pbxv1.MissedCallListRequest{Tenant: "acme", PageSize: 1}, lines("a", "c")},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var have []string
			for _, e := range s.list(test.query) {
				have = append(have, e.GetCallKeys()...)
			}
			if !slices.Equal(test.want, have) {
				t.Errorf("want %q, have %q", test.want, have)
			}
		})
	}
	for _, key := range []string{"", "acme", "acme.x", "globex." + s.all()[0].GetId()} {
		if have := s.Entry(key); have != nil {
			t.Errorf("key %q: want none, have %v", key, have)
		}
	}
}

// TestForgotten lets the ledger drop what was resolved long ago, and nothing else.
func TestForgotten(t *testing.T) {
	day := 24 * 3600
	s := tell(t, missed.Settings{Tenant: "acme", Expiry: 48 * time.Hour})
	s.play(flat(misses(0, "a", eva), dials(100, "o", eva), misses(day, "b", adam))...)
	s.play(tick(2*day - 1000))
	first := s.all()[0].GetId()
	s.Touched()
	s.play(tick(2*day + 1000))
	if all := s.all(); len(all) != 1 || all[0].GetCallKeys()[0] != "b" {
		t.Errorf("want the open entry only, have %v", all)
	}
	if touched := s.Touched(); !slices.Contains(touched, "acme."+first) || s.Entry("acme."+first) != nil {
		t.Errorf("want the other touched and gone, have %q", touched)
	}
	heard := len(s.out)
	s.hear(at(2*day+1100), record(pbxv1.Call_NO_ANSWER, false))
	s.play(tick(2*day + 1200))
	wantScript(t, nil, s.out[heard:])
}
