package alerts_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/switchhook/switchhook/pkg/config"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
	"github.com/switchhook/switchhook/services/missed-call/alerts"
	"github.com/switchhook/switchhook/services/missed-call/hours"
)

// office hours, with Christmas.
const office = `{week: ["mon-fri 08:00-17:00"], holidays: [12-24..12-26]}`

var errDown = errors.New("connection refused")

// read reads settings as a configuration gives them.
func read(t testing.TB, routes, business string) (alerts.Settings, *hours.Hours) {
	t.Helper()
	if business == "" {
		business = "{}"
	}
	c, err := config.Parse([]byte("tenants: [{name: acme, region: CZ, exchanges: [{vendor: ipex, alerts: {routes: [" + routes +
		"]}, hours: " + business + "}]}]"))
	if err != nil {
		t.Fatal(err)
	}
	given := struct {
		Alerts alerts.Settings `yaml:"alerts"`
		Hours  hours.Settings  `yaml:"hours"`
	}{Alerts: alerts.DefaultSettings()}
	if err := c.Tenants[0].Exchanges[0].Decode(&given); err != nil {
		t.Fatal(err)
	}
	given.Alerts.Check([]string{"mail", "slack", "sms"}, func(ok bool, path, message string) {
		if !ok {
			t.Fatalf("%s: %s", path, message)
		}
	})
	return given.Alerts, hours.New(given.Hours, prague(t))
}

func prague(t testing.TB) *time.Location {
	t.Helper()
	l, err := time.LoadLocation("Europe/Prague")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// world is a clock, a machine, and channels that may be down.
type world struct {
	t     testing.TB
	m     *alerts.Machine
	now   time.Time
	calls map[string]*pbxv1.MissedCall
	down  map[string]error // by receiver
	told  []string
	count int
}

func newWorld(t testing.TB, routes, business string) *world {
	w := &world{t: t, m: alerts.New(), calls: map[string]*pbxv1.MissedCall{}, down: map[string]error{}}
	s, h := read(t, routes, business)
	w.m.Configure("acme", s, h)
	return w
}

// play does what a script says, a line each: "2026-07-01 16:00:00 verb name key=value…". Years and days that are the same as
// in the line before may be left out.
func (w *world) play(script string) {
	w.t.Helper()
	day := ""
	for line := range strings.Lines(script) {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		if strings.Count(words[0], "-") == 2 {
			day, words = words[0], words[1:]
		}
		at, err := time.ParseInLocation("2006-01-02 15:04:05", day+" "+words[0], prague(w.t))
		if err != nil {
			w.t.Fatal(err)
		}
		w.run(at)
		words = append(words, make([]string, max(0, 3-len(words)))...)
		values := map[string]string{}
		for _, word := range words[3:] {
			key, value, _ := strings.Cut(word, "=")
			values[key] = value
		}
		w.do(words[1], words[2], values)
		w.send()
	}
}

func (w *world) do(verb, id string, values map[string]string) {
	w.t.Helper()
	length, _ := time.ParseDuration(values["for"])
	switch verb {
	case "down":
		w.down[id] = errDown
	case "up":
		delete(w.down, id)
	case "silence":
		w.m.Silence(alerts.Silence{Tenant: "acme", ID: id, Match: alerts.Match{Queues: []string{values["queue"]}}, From: w.now, Until: w.now.Add(length)})
	case "wait":
	default:
		w.m.Apply(w.now, w.event(verb, id, length, values))
	}
}

// event makes the next event of an entry.
func (w *world) event(verb, id string, length time.Duration, values map[string]string) *pbxv1.Event {
	w.count++
	mc := w.calls[id]
	if mc == nil {
		mc = &pbxv1.MissedCall{Id: id, OpenedAt: timestamppb.New(w.now), Vendor: "ipex", From: &pbxv1.Party{E164: "+420777123456"}}
	}
	mc = &pbxv1.MissedCall{
		Id: id, OpenedAt: mc.GetOpenedAt(), Vendor: mc.GetVendor(), From: mc.GetFrom(), To: mc.GetTo(), Queue: mc.GetQueue(),
		Reason: mc.GetReason(), Contact: mc.GetContact(), Attempts: mc.GetAttempts(), ClaimedBy: mc.GetClaimedBy(), ClaimedUntil: mc.GetClaimedUntil(),
	}
	describe(mc, values)
	switch verb {
	case "open":
		mc.Kind, mc.Attempts = pbxv1.MissedCall_OPENED, mc.GetAttempts()+1
	case "claim":
		mc.Kind, mc.ClaimedBy, mc.ClaimedUntil = pbxv1.MissedCall_ACKNOWLEDGED, &pbxv1.User{Login: "jana"}, nil
		if length > 0 {
			mc.ClaimedUntil = timestamppb.New(w.now.Add(length))
		}
	case "release":
		mc.Kind, mc.ClaimedBy, mc.ClaimedUntil = pbxv1.MissedCall_ACKNOWLEDGED, nil, nil
	case "resolve":
		mc.Kind, mc.Resolution = pbxv1.MissedCall_RESOLVED, pbxv1.MissedCall_CALLED_BACK
	case "withdraw":
		mc.Kind, mc.Resolution = pbxv1.MissedCall_RESOLVED, pbxv1.MissedCall_WITHDRAWN
	default:
		w.t.Fatalf("unknown verb %s", verb)
	}
	w.calls[id] = mc
	return &pbxv1.Event{
		Id: fmt.Sprint("event-", w.count), Tenant: "acme", Vendor: mc.GetVendor(), Payload: &pbxv1.Event_MissedCall{MissedCall: mc},
	}
}

func describe(mc *pbxv1.MissedCall, values map[string]string) {
	for key, value := range values {
		switch key {
		case "queue":
			mc.Queue = value
		case "vendor":
			mc.Vendor = value
		case "to":
			mc.To = &pbxv1.Party{E164: value}
		case "from":
			mc.From = &pbxv1.Party{Number: value}
		case "reason":
			mc.Reason = pbxv1.MissedCall_Reason(pbxv1.MissedCall_Reason_value[value])
		case "responsible":
			mc.Contact = &pbxv1.ContactMatch{Name: "Dana", ResponsibleEmail: value}
		}
	}
}

// run lets time pass, and sends what becomes due.
func (w *world) run(until time.Time) {
	w.t.Helper()
	for range 10000 {
		next := w.m.Next()
		if next.IsZero() || next.After(until) {
			w.now = until
			w.send()
			return
		}
		if !next.After(w.now) {
			w.t.Fatalf("next %v is not after %v", next, w.now)
		}
		w.now = next
		w.send()
	}
	w.t.Fatal("it never ends")
}

func (w *world) send() {
	for {
		due := w.m.Due(w.now)
		sent := false
		for _, n := range due {
			err := w.down[n.Name]
			switch {
			case n.Dead:
				w.note("DEAD", n)
				w.m.Dropped(w.now, n.Keys...)
			case err != nil:
				w.m.Failed(w.now, err, n.Keys...)
			default:
				w.note("", n)
				w.m.Sent(w.now, n.Keys...)
			}
			sent = sent || err == nil
		}
		if !sent {
			return
		}
	}
}

func (w *world) note(mark string, n alerts.Notification) {
	var ids []string
	for _, e := range n.Entries {
		id := e.GetId()
		if e.GetKind() == pbxv1.MissedCall_RESOLVED {
			id += "!"
		}
		ids = append(ids, id)
	}
	words := []string{mark, w.now.In(prague(w.t)).Format("02 15:04:05"), n.Name, n.Whom, n.Step, strings.Join(ids, ",")}
	if n.Digest {
		words = append(words, "digest")
	}
	if n.Resolved != (n.Step == "resolved" && !slices.ContainsFunc(ids, func(id string) bool { return !strings.HasSuffix(id, "!") })) {
		w.t.Errorf("resolved: have %v of %v", n.Resolved, ids)
	}
	w.told = append(w.told, strings.Join(slices.DeleteFunc(words, func(s string) bool { return s == "" }), " "))
}
