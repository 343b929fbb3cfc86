package event_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/switchhook/switchhook/pkg/event"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

func ExampleSubject() {
	ev := &pbxv1.Event{Payload: &pbxv1.Event_Call{Call: &pbxv1.Call{Kind: pbxv1.Call_RINGING}}}
	event.Origin{Vendor: "ipex", Tenant: "acme", Exchange: "prague"}.Stamp(ev)
	subject, err := event.Subject(ev)
	fmt.Println(subject, err)

	ev.Tenant = "acme.>"
	_, err = event.Subject(ev)
	fmt.Println(err)
	// Output:
	// pbx.events.ipex.acme.call.ringing <nil>
	// event "": "acme.>" is not a subject token
}

// newCall returns an event whose subject is pbx.events.ipex.acme.call.new.
func newCall() *pbxv1.Event {
	return &pbxv1.Event{
		Id: "1", Vendor: "ipex", Tenant: "acme",
		Payload: &pbxv1.Event_Call{Call: &pbxv1.Call{Kind: pbxv1.Call_NEW}},
	}
}

// everyEvent returns an event of ipex and acme for each payload of the proto and each of its kinds but the unspecified.
func everyEvent() []*pbxv1.Event {
	var events []*pbxv1.Event
	payloads := new(pbxv1.Event).ProtoReflect().Descriptor().Oneofs().ByName("payload").Fields()
	for i := range payloads.Len() {
		kind := payloads.Get(i).Message().Fields().ByName("kind")
		kinds := kind.Enum().Values()
		for k := range kinds.Len() {
			if kinds.Get(k).Number() == 0 {
				continue
			}
			ev := newCall()
			payload := ev.ProtoReflect().NewField(payloads.Get(i))
			payload.Message().Set(kind, protoreflect.ValueOfEnum(kinds.Get(k).Number()))
			ev.ProtoReflect().Set(payloads.Get(i), payload)
			events = append(events, ev)
		}
	}
	return events
}

// The list is that of the design: a kind that is added to the proto is missing here, and so is its place there.
func TestSubjectOfEveryKind(t *testing.T) {
	want := []string{
		"pbx.events.ipex.acme.agent.login",
		"pbx.events.ipex.acme.agent.logout",
		"pbx.events.ipex.acme.agent.paused",
		"pbx.events.ipex.acme.agent.state_changed",
		"pbx.events.ipex.acme.agent.unpaused",
		"pbx.events.ipex.acme.call.answered",
		"pbx.events.ipex.acme.call.ended",
		"pbx.events.ipex.acme.call.new",
		"pbx.events.ipex.acme.call.rated",
		"pbx.events.ipex.acme.call.recorded",
		"pbx.events.ipex.acme.call.ringing",
		"pbx.events.ipex.acme.call.transfer_cancelled",
		"pbx.events.ipex.acme.call.transferred",
		"pbx.events.ipex.acme.command.failed",
		"pbx.events.ipex.acme.command.succeeded",
		"pbx.events.ipex.acme.contact.resolved",
		"pbx.events.ipex.acme.contact.unknown",
		"pbx.events.ipex.acme.missed_call.acknowledged",
		"pbx.events.ipex.acme.missed_call.opened",
		"pbx.events.ipex.acme.missed_call.resolved",
	}
	var have []string
	for _, ev := range everyEvent() {
		subject, err := event.Subject(ev)
		if err != nil {
			t.Errorf("want a subject for %v, have %v", ev, err)
		}
		have = append(have, subject)
		if vendor, tenant := event.ParseSubject(subject); vendor != "ipex" || tenant != "acme" {
			t.Errorf("want ipex and acme back from %s, have %q and %q", subject, vendor, tenant)
		}
	}
	slices.Sort(have)
	if !slices.Equal(want, have) {
		t.Errorf("want:\n%s\nhave:\n%s", strings.Join(want, "\n"), strings.Join(have, "\n"))
	}
}

func TestSubjectWithoutKnownKind(t *testing.T) {
	tests := map[string]*pbxv1.Event{
		"nil":                   nil,
		"no payload":            {Id: "1", Vendor: "ipex", Tenant: "acme"},
		"nil call":              {Id: "1", Vendor: "ipex", Tenant: "acme", Payload: &pbxv1.Event_Call{}},
		"unspecified":           {Id: "1", Payload: &pbxv1.Event_Agent{Agent: &pbxv1.Agent{}}},
		"of a later version":    {Id: "1", Payload: &pbxv1.Event_Command{Command: &pbxv1.Command{Kind: 3}}},
		"negative":              {Id: "1", Payload: &pbxv1.Event_Contact{Contact: &pbxv1.Contact{Kind: -1}}},
		"as large as can be":    {Id: "1", Payload: &pbxv1.Event_MissedCall{MissedCall: &pbxv1.MissedCall{Kind: 1<<31 - 1}}},
		"before a hostile name": {Id: "1", Tenant: ">", Payload: &pbxv1.Event_Call{Call: &pbxv1.Call{Kind: 99}}},
	}
	for name, ev := range tests {
		t.Run(name, func(t *testing.T) {
			want := fmt.Sprintf("event %q: no payload with a known kind", ev.GetId())
			if subject, err := event.Subject(ev); subject != "" || err == nil || err.Error() != want {
				t.Errorf("want no subject and %q, have %q and %v", want, subject, err)
			}
		})
	}
}

func goodTokens() map[string]string {
	return map[string]string{
		"one letter":         "a",
		"one digit":          "7",
		"digits only":        "10123",
		"hyphen inside":      "acme-cz",
		"hyphens inside":     "xn--acme--cz",
		"as long as can be":  strings.Repeat("a", 63),
		"first and last":     "az09",
		"long, with hyphens": "a" + strings.Repeat("-", 61) + "z",
	}
}

func badTokens() map[string]string {
	return map[string]string{
		"empty":              "",
		"dot":                ".",
		"two tokens":         "acme.call",
		"another tree":       "acme.call.new.pbx",
		"one wildcard":       "*",
		"wildcard":           ">",
		"wildcard inside":    "ac*me",
		"wildcard behind":    "acme.>",
		"space":              "ac me",
		"space before":       " acme",
		"space behind":       "acme ",
		"line break":         "acme\n",
		"header":             "acme\r\nNats-Msg-Id: 1",
		"tab":                "ac\tme",
		"zero byte":          "acme\x00",
		"capital":            "Acme",
		"last capital":       "acmE",
		"underscore":         "ac_me",
		"dollar":             "$SYS",
		"slash":              "ac/me",
		"before digits":      "ac/0",
		"behind digits":      "ac:9",
		"before letters":     "ac`a",
		"behind letters":     "ac{z",
		"hyphen":             "-",
		"hyphen first":       "-acme",
		"hyphen last":        "acme-",
		"too long":           strings.Repeat("a", 64),
		"accent":             "žluť",
		"full width":         "ａｃｍｅ",
		"no-break space":     "ac\u00a0me",
		"not UTF-8":          "ac\xffme",
		"soft hyphen inside": "ac\u00adme",
	}
}

func TestIsToken(t *testing.T) {
	for name, token := range goodTokens() {
		if !event.IsToken(token) {
			t.Errorf("%s: want %q a token, have it refused", name, token)
		}
	}
	for name, token := range badTokens() {
		if event.IsToken(token) {
			t.Errorf("%s: want %q refused, have it a token", name, token)
		}
	}
}

func TestHostileTokens(t *testing.T) {
	for name, token := range badTokens() {
		t.Run(name, func(t *testing.T) {
			for place, ev := range map[string]*pbxv1.Event{
				"vendor": {Id: "1", Vendor: token, Tenant: "acme", Payload: newCall().GetPayload()},
				"tenant": {Id: "1", Vendor: "ipex", Tenant: token, Payload: newCall().GetPayload()},
			} {
				want := fmt.Sprintf(`event "1": %q is not a subject token`, token)
				if subject, err := event.Subject(ev); subject != "" || err == nil || err.Error() != want {
					t.Errorf("%s: want no subject and %q, have %q and %v", place, want, subject, err)
				}
			}
			for place, q := range map[string]*pbxv1.Quarantined{
				"vendor":  {Id: "1", Vendor: token, Tenant: "acme", Service: "ingress"},
				"tenant":  {Id: "1", Vendor: "ipex", Tenant: token, Service: "ingress"},
				"service": {Id: "1", Vendor: "ipex", Tenant: "acme", Service: token},
			} {
				want := fmt.Sprintf(`quarantine "1": %q is not a subject token`, token)
				if subject, err := event.QuarantineSubject(q); subject != "" || err == nil || err.Error() != want {
					t.Errorf("quarantine, %s: want no subject and %q, have %q and %v", place, want, subject, err)
				}
			}
		})
	}
}

func TestQuarantineSubject(t *testing.T) {
	for _, service := range []string{"ingress", "agent-state"} {
		have, err := event.QuarantineSubject(&pbxv1.Quarantined{Vendor: "mcn", Tenant: "globex", Service: service})
		if want := "pbx.quarantine.mcn.globex." + service; want != have || err != nil {
			t.Errorf("want %s, have %q, %v", want, have, err)
		}
	}
}

// label is a DNS label in lower case.
var label = regexp.MustCompile(`\A[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\z`)

// Whatever a vendor or a tenant is named: it is a DNS label, has a subject of its own, and is read back from that; or it is
// none, and gets to no subject at all.
func FuzzIsToken(f *testing.F) {
	for _, token := range goodTokens() {
		f.Add(token, "acme")
		f.Add("ipex", token)
	}
	for _, token := range badTokens() {
		f.Add(token, "acme")
		f.Add("ipex", token)
	}
	f.Fuzz(func(t *testing.T, vendor, tenant string) {
		for _, token := range []string{vendor, tenant} {
			if want, have := label.MatchString(token), event.IsToken(token); want != have {
				t.Errorf("want %v for %q, have %v", want, token, have)
			}
		}
		good := label.MatchString(vendor) && label.MatchString(tenant)
		ev := newCall()
		ev.Vendor, ev.Tenant = vendor, tenant
		subject, err := event.Subject(ev)
		if good != (err == nil) || good != (subject == "pbx.events."+vendor+"."+tenant+".call.new") {
			t.Errorf("want a subject: %v, have %q, %v", good, subject, err)
		}
		if v, tn := event.ParseSubject(subject); good != (v == vendor && tn == tenant && v != "") {
			t.Errorf("want %q and %q back from %q, have %q and %q", vendor, tenant, subject, v, tn)
		}
		kept, err := event.QuarantineSubject(&pbxv1.Quarantined{Vendor: vendor, Tenant: tenant, Service: "ingress"})
		if good != (err == nil) || good != (kept == "pbx.quarantine."+vendor+"."+tenant+".ingress") {
			t.Errorf("want a quarantine subject: %v, have %q, %v", good, kept, err)
		}
	})
}

func TestParseSubject(t *testing.T) {
	tests := map[string]struct{ subject, vendor, tenant string }{
		"an event":        {"pbx.events.xvb.globex.missed_call.opened", "xvb", "globex"},
		"empty":           {"", "", ""},
		"the root":        {"pbx.events", "", ""},
		"a token short":   {"pbx.events.xvb.globex.call", "", ""},
		"a token more":    {"pbx.events.xvb.globex.call.new.now", "", ""},
		"a quarantine":    {"pbx.quarantine.xvb.globex.ingress.now", "", ""},
		"another root":    {"abc.events.xvb.globex.call.new", "", ""},
		"a root's prefix": {"pbx.eventsx.xvb.globex.call.new", "", ""},
		"inside another":  {"x.pbx.events.xvb.globex.call", "", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if vendor, tenant := event.ParseSubject(test.subject); vendor != test.vendor || tenant != test.tenant {
				t.Errorf("want %q and %q, have %q and %q", test.vendor, test.tenant, vendor, tenant)
			}
		})
	}
}

func TestOrigin(t *testing.T) {
	o := event.Origin{Vendor: "ipex", Tenant: "acme", Exchange: "prague"}
	if want, have := "ipex/acme/prague", o.String(); want != have {
		t.Errorf("want %s, have %s", want, have)
	}
	ev := &pbxv1.Event{Vendor: "xvb", Tenant: "globex"}
	o.Stamp(ev)
	if have := (event.Origin{Vendor: ev.GetVendor(), Tenant: ev.GetTenant(), Exchange: ev.GetExchange()}); o != have {
		t.Errorf("want %v, have %v", o, have)
	}
}

// The ids are those of other replicas, and of last year: they must never change. They were made by another program from what
// DerivedID hashes, such as 4:ipex4:acme6:prague2:ab1:c.
func TestDerivedIDNeverChanges(t *testing.T) {
	prague := event.Origin{Vendor: "ipex", Tenant: "acme", Exchange: "prague"}
	tests := map[string]struct {
		origin event.Origin
		names  []string
	}{
		"50a5516a-0127-5882-ae5c-d380b2c5a571": {prague, []string{"ab", "c"}},
		"bdd0c534-f25d-5ec8-942f-2e3794c101b8": {prague, []string{"a", "bc"}},
		"3c079445-9a8d-5527-8965-4d317815b8b5": {event.Origin{Vendor: "mcn", Tenant: "acme", Exchange: "mcn"}, nil},
	}
	for want, test := range tests {
		if have := event.DerivedID(test.origin, test.names...); want != have {
			t.Errorf("want %s for %v of %v, have %s", want, test.names, test.origin, have)
		}
	}
}

func TestDerivedIDTellsApart(t *testing.T) {
	prague := event.Origin{Vendor: "ipex", Tenant: "acme", Exchange: "prague"}
	tests := map[string]struct {
		origin event.Origin
		names  []string
	}{
		"no name":                     {prague, nil},
		"empty name":                  {prague, []string{""}},
		"two empty names":             {prague, []string{"", ""}},
		"ab c":                        {prague, []string{"ab", "c"}},
		"a bc":                        {prague, []string{"a", "bc"}},
		"abc":                         {prague, []string{"abc"}},
		"c ab":                        {prague, []string{"c", "ab"}},
		"ab c and nothing":            {prague, []string{"ab", "c", ""}},
		"a length inside a name":      {prague, []string{"ab1:c"}},
		"another vendor":              {event.Origin{Vendor: "mcn", Tenant: "acme", Exchange: "prague"}, []string{"ab", "c"}},
		"another tenant":              {event.Origin{Vendor: "ipex", Tenant: "globex", Exchange: "prague"}, []string{"ab", "c"}},
		"another exchange":            {event.Origin{Vendor: "ipex", Tenant: "acme", Exchange: "brno"}, []string{"ab", "c"}},
		"no exchange, but as a name":  {event.Origin{Vendor: "ipex", Tenant: "acme"}, []string{"prague", "ab", "c"}},
		"a name in the exchange":      {event.Origin{Vendor: "ipex", Tenant: "acme", Exchange: "pragueab"}, []string{"c"}},
		"tenant and exchange swapped": {event.Origin{Vendor: "ipex", Tenant: "prague", Exchange: "acme"}, []string{"ab", "c"}},
	}
	seen := make(map[string]string)
	for name, test := range tests {
		id := event.DerivedID(test.origin, test.names...)
		if first, taken := seen[id]; taken {
			t.Errorf("want ids of their own for %q and %q, have %s for both", first, name, id)
		}
		seen[id] = name
		if u, err := uuid.Parse(id); err != nil || u.Version() != 5 || u.Variant() != uuid.RFC4122 || u.String() != id {
			t.Errorf("%s: want a UUID of version 5, have %s, %v", name, id, err)
		}
		if again := event.DerivedID(test.origin, test.names...); id != again {
			t.Errorf("%s: want %s again, have %s", name, id, again)
		}
	}
}

func TestNewID(t *testing.T) {
	before, last := time.Now().UnixMilli(), ""
	for range 10_000 {
		id := event.NewID()
		if id <= last {
			t.Fatalf("want an id that sorts behind %s, have %s", last, id)
		}
		last = id
	}
	u, err := uuid.Parse(last)
	if err != nil || u.Version() != 7 || u.Variant() != uuid.RFC4122 || u.String() != last {
		t.Fatalf("want a UUID of version 7, have %s, %v", last, err)
	}
	seconds, nanos := u.Time().UnixTime()
	// The ids of one process are in order, so it may run ahead of the clock by some milliseconds.
	if have := time.Unix(seconds, nanos).UnixMilli(); have < before || have > time.Now().Add(time.Second).UnixMilli() {
		t.Errorf("want the time of its making, have %v", time.Unix(seconds, nanos))
	}
}
