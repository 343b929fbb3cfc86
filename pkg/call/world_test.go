package call_test

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/switchhook/switchhook/pkg/call"
	"github.com/switchhook/switchhook/pkg/event"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
	"github.com/switchhook/switchhook/services/pbxsim/flow"
	"github.com/switchhook/switchhook/services/pbxsim/traffic"
)

var morning = time.Date(2026, 1, 5, 8, 0, 0, 0, time.UTC)

const configuration = `
tenants:
  - name: acme
    region: CZ
    timezone: Europe/Prague
    exchanges:
      - {vendor: ipex, webhook: {username: webhook, password: hook-password}}
      - {vendor: mcn, webhook: {account_id: 10123, secret: SecretToken}}
      - {vendor: xvb, webhook: {access_code: "10019"}}
      - {vendor: xvb, name: family, webhook: {crm_token: family-token}}
`

// variant is how an exchange speaks.
type variant struct{ *traffic.Speaker }

// isAlike reports whether another variant becomes the same events but for how they are written.
func (v variant) isAlike() bool {
	return slices.Contains([]string{
		"ipex-numbers", "ipex-nulls", "mcn-composed-get", "xvb-both",
		"xvb-family-json", "xvb-family-payload", "xvb-family-key", "xvb-family-bearer",
	}, v.Variant)
}

// variants returns all dialects that pbxsim speaks.
func variants(t testing.TB) (all []variant) {
	t.Helper()
	for _, s := range traffic.Speakers(t, configuration, traffic.Options{Teams: 1}) {
		all = append(all, variant{s})
	}
	return all
}

// variantNamed returns one of them.
func variantNamed(t testing.TB, name string) variant {
	t.Helper()
	for _, v := range variants(t) {
		if v.Variant == name {
			return v
		}
	}
	t.Fatalf("want a variant %s, have none", name)
	return variant{}
}

// call makes up a call of a scenario, the same for the same number.
func (v variant) call(s flow.Scenario, number int64) *flow.Call {
	site := v.Site
	site.Scenarios = []flow.Scenario{s}
	return flow.NewTeam(1, site, 3, 1).Next(number, morning).Call
}

// events returns what comes of what the exchange sends about a call. What the vendor gives no time is received when it happens.
func (v variant) events(t testing.TB, c *flow.Call) []*pbxv1.Event {
	t.Helper()
	return v.Tell(t, flow.Episode{Call: c}).Events
}

// follow applies events, each at the time of its receipt or, if that would go back, of the one before, and returns the calls
// that are known in the end, in the order in which they began. It demands what holds for all.
func follow(t testing.TB, events []*pbxv1.Event) []*call.Call {
	t.Helper()
	tracker, now := call.NewTracker(call.Options{}), time.Time{}
	shown := map[string]*call.Call{}
	for _, ev := range events {
		if at := ev.GetReceivedAt().AsTime(); at.After(now) {
			now = at
		}
		for _, c := range tracker.Apply(ev, now) {
			checkForm(t, c)
			shown[c.ID] = c
			if c.Void {
				delete(shown, c.ID)
			}
		}
	}
	var calls []*call.Call
	for c := range tracker.Calls() {
		calls = append(calls, c)
		if shown[c.ID] != c {
			t.Fatalf("want what was returned last, have\n%s\nwant\n%s", describe(c), describe(shown[c.ID]))
		}
	}
	if len(calls) != len(shown) {
		t.Fatalf("want the %d calls that were returned and are not void, have %d", len(shown), len(calls))
	}
	slices.SortFunc(calls, func(a, b *call.Call) int {
		if c := a.Began.Compare(b.Began); c != 0 {
			return c
		}
		return strings.Compare(describe(a), describe(b))
	})
	return calls
}

// followOne is follow for what is one call.
func followOne(t testing.TB, events []*pbxv1.Event) *call.Call {
	t.Helper()
	calls := follow(t, events)
	if len(calls) != 1 {
		t.Fatalf("want one call, have %d:\n%s", len(calls), describeAll(calls))
	}
	return calls[0]
}

// checkForm demands what holds for every snapshot.
func checkForm(t testing.TB, c *call.Call) {
	t.Helper()
	if c.ID == "" || c.Key == "" || c.Began.IsZero() || c.Wait < 0 || c.Ring < 0 || c.Talk < 0 {
		t.Fatalf("want an id, a key, a beginning and no negative duration, have\n%s", describe(c))
	}
	if c.Open() != c.Ended.IsZero() || c.Open() && c.Talk != 0 {
		t.Fatalf("want an end if and only if it is over, have\n%s", describe(c))
	}
	extensions := map[string]bool{}
	for _, l := range c.Legs {
		if l.Extension == "" || extensions[l.Extension] {
			t.Fatalf("want one leg an extension, have\n%s", describe(c))
		}
		extensions[l.Extension] = true
		for i, s := range l.Spans {
			last := i == len(l.Spans)-1
			switch {
			case s.Kind < call.Dialing || s.Kind > call.Talking || s.From.IsZero(),
				!s.To.IsZero() && s.To.Before(s.From),
				s.To.IsZero() && (!last || !c.Open()),
				i > 0 && s.From.Before(l.Spans[i-1].To):
				t.Fatalf("want spans in order that end when the call does, have\n%s", describe(c))
			}
		}
	}
}

// equal reports whether two calls are the same but for their ids.
func equal(a, b *call.Call) bool {
	x, y := *a, *b
	if !proto.Equal(x.From, y.From) || !proto.Equal(x.To, y.To) || len(x.Legs) != len(y.Legs) {
		return false
	}
	x.From, x.To, x.ID, y.From, y.To, y.ID = nil, nil, "", nil, nil, ""
	x.Legs, y.Legs = withoutUsers(x.Legs), withoutUsers(y.Legs)
	for i := range a.Legs {
		if !proto.Equal(a.Legs[i].User, b.Legs[i].User) {
			return false
		}
	}
	return reflect.DeepEqual(x, y)
}

func withoutUsers(legs []call.Leg) []call.Leg {
	legs = slices.Clone(legs)
	for i := range legs {
		legs[i].User = nil
		if len(legs[i].Spans) == 0 {
			legs[i].Spans = nil
		}
	}
	return legs
}

// demandEqual demands the same calls but for their ids.
func demandEqual(t testing.TB, want, have []*call.Call, events []*pbxv1.Event) {
	t.Helper()
	if slices.EqualFunc(want, have, equal) {
		return
	}
	t.Fatalf("want\n%s\nhave\n%s\nafter\n%s", describeAll(want), describeAll(have), describeEvents(events))
}

func describeAll(calls []*call.Call) string {
	var b strings.Builder
	for _, c := range calls {
		b.WriteString(describe(c))
	}
	return b.String()
}

func describe(c *call.Call) string {
	if c == nil {
		return "(none)"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s %v %q->%q queue %q %v began %s answered %s ended %s %v %q wait %v ring %v talk %v record %v expired %v "+
		"void %v\n", c.VendorID, c.Key, c.Direction, c.From.GetNumber(), c.To.GetNumber(), c.Queue, c.Outcome, clock(c.Began),
		clock(c.Answered), clock(c.Ended), c.Cause, c.Reason, c.Wait, c.Ring, c.Talk, c.Record, c.Expired, c.Void)
	for _, l := range c.Legs {
		fmt.Fprintf(&b, "  %s %v answered %v %v %q:%s\n", l.Extension, l.Direction, l.Answered, l.Cause, l.Reason, spans(l.Spans))
	}
	for _, t := range c.Transfers {
		fmt.Fprintf(&b, "  transfer %s->%s at %s cancelled %v\n", t.From, t.To, clock(t.At), t.Cancelled)
	}
	return b.String()
}

func spans(all []call.Span) string {
	var b strings.Builder
	for _, s := range all {
		fmt.Fprintf(&b, " %v %s-%s", s.Kind, clock(s.From), clock(s.To))
	}
	return b.String()
}

func clock(at time.Time) string {
	if at.IsZero() {
		return "?"
	}
	return at.Sub(morning).String()
}

func describeEvents(events []*pbxv1.Event) string {
	var b strings.Builder
	for _, ev := range events {
		c := ev.GetCall()
		fmt.Fprintf(&b, "  %s %v %s %v %v\n", clock(ev.GetTime().AsTime()), c.GetKind(), c.GetExtension(), c.GetDirection(), c.GetCause())
	}
	return b.String()
}

// moved returns events that happen, and are received, later.
func moved(events []*pbxv1.Event, by time.Duration) []*pbxv1.Event {
	events = slices.Clone(events)
	for i, ev := range events {
		ev = proto.CloneOf(ev)
		ev.Id = event.NewID()
		ev.Time = timestamppb.New(ev.GetTime().AsTime().Add(by))
		ev.ReceivedAt = timestamppb.New(ev.GetReceivedAt().AsTime().Add(by))
		events[i] = ev
	}
	return events
}

// shifted returns a call that happens at another time.
func shifted(c *call.Call, by time.Duration) *call.Call {
	s := *c
	move := func(at time.Time) time.Time {
		if at.IsZero() {
			return at
		}
		return at.Add(by)
	}
	s.Began, s.Answered, s.Ended = move(c.Began), move(c.Answered), move(c.Ended)
	s.Legs = slices.Clone(c.Legs)
	for i := range s.Legs {
		s.Legs[i].Spans = slices.Clone(s.Legs[i].Spans)
		for j, span := range s.Legs[i].Spans {
			s.Legs[i].Spans[j] = call.Span{Kind: span.Kind, From: move(span.From), To: move(span.To)}
		}
	}
	return &s
}
