package alerts_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/switchhook/switchhook/pkg/fault"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
	"github.com/switchhook/switchhook/services/missed-call/alerts"
)

func TestMatch(t *testing.T) {
	t.Parallel()
	const entry = "queue=support vendor=mcn to=+420222333444 from=555123 reason=ABANDONED_QUEUE "
	for name, test := range map[string]struct {
		match, entry string
		want         bool
	}{
		"everything":       {"{}", "", true},
		"vendor":           {"{vendors: [ipex, mcn]}", entry, true},
		"another vendor":   {"{vendors: [ipex, xvb]}", entry, false},
		"queue":            {"{queues: [sales, support]}", entry, true},
		"another queue":    {"{queues: [sales]}", entry, false},
		"no queue":         {"{queues: [sales]}", "", false},
		"dialled":          {`{dialled: ["+420222"]}`, entry, true},
		"another number":   {`{dialled: ["+420223", "222"]}`, entry, false},
		"from":             {`{from: ["+421", "555"]}`, entry, true},
		"from another":     {`{from: ["+421"]}`, entry, false},
		"reason":           {"{reasons: [busy, abandoned_queue]}", entry, true},
		"another reason":   {"{reasons: [busy]}", entry, false},
		"unknown":          {"{caller: unknown}", entry, true},
		"not known":        {"{caller: known}", entry, false},
		"known":            {"{caller: known}", entry + "responsible=dana@acme.example", true},
		"not unknown":      {"{caller: unknown}", entry + "responsible=dana@acme.example", false},
		"all has to apply": {"{vendors: [mcn], queues: [sales]}", entry, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, "{receivers: [mail], match: "+test.match+"}", "")
			w.play("2026-07-01 09:00:00 open a " + test.entry + "\n10:00:00 wait")
			if have := len(w.told) == 1; have != test.want {
				t.Errorf("want %v, have %v", test.want, w.told)
			}
		})
	}
}

func TestWords(t *testing.T) {
	t.Parallel()
	for name, read := range map[string]func(string) error{
		"reason":        func(s string) error { return new(alerts.Reason).UnmarshalText([]byte(s)) },
		"caller":        func(s string) error { return new(alerts.Caller).UnmarshalText([]byte(s)) },
		"grouping":      func(s string) error { return new(alerts.Grouping).UnmarshalText([]byte(s)) },
		"outside_hours": func(s string) error { return new(alerts.OutsideHours).UnmarshalText([]byte(s)) },
	} {
		for _, word := range []string{"", "BUSY", "reason_unspecified", "others"} {
			if err := read(word); err == nil || !strings.Contains(err.Error(), "want one of ") {
				t.Errorf("%s %q: want what is wanted, have %v", name, word, err)
			}
		}
	}
}

func FuzzKey(f *testing.F) {
	f.Add("acme", "0197-a", "5m0s", "responsible", "dana@acme.example")
	f.Add("acme", "a.b", "1.5s", "=.*>", "")
	f.Fuzz(func(t *testing.T, tenant, entry, step, receiver, whom string) {
		want := alerts.Key{Tenant: tenant, Entry: entry, Step: step, Receiver: alerts.Receiver{Name: receiver, Whom: whom}}
		have, err := alerts.ParseKey(want.String())
		if empty := tenant == "" || entry == "" || step == "" || receiver == ""; empty != (err != nil) || !empty && have != want {
			t.Errorf("want %q, have %q, %v", want, have, err)
		}
		if strings.Trim(want.String(), "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=.") != "" {
			t.Errorf("%q is no key of a bucket", want)
		}
	})
}

func TestParseKey(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "a.b.c", "a.b.c.d.e.f", "a..c.d", "a.b.c.d.", "a.b.c.=4", "a.b.c.=XY", "a.b.c.=61", "a.b.c.=2e", "a.b.c.d e"} {
		if k, err := alerts.ParseKey(text); !fault.Is(err, fault.Invalid) {
			t.Errorf("%q: want fault.Invalid, have %q, %v", text, k, err)
		}
	}
}

var nine = time.Date(2026, 7, 1, 7, 0, 0, 0, time.UTC) // in Prague

// due returns what is due, as text.
func due(m *alerts.Machine, at time.Time) []string {
	all := []string{}
	for _, n := range m.Due(at) {
		all = append(all, strings.TrimSpace(fmt.Sprintf("%s %s %d %s", n.Name, n.Step, len(n.Entries), map[bool]string{true: "dead"}[n.Dead])))
	}
	return all
}

func wantDue(t *testing.T, m *alerts.Machine, at time.Time, want ...string) {
	t.Helper()
	if have := due(m, at); strings.Join(have, ", ") != strings.Join(want, ", ") {
		t.Errorf("at %v: want %q, have %q", at.Sub(nine), want, have)
	}
}

// opened has entries that were opened a second after each other.
func opened(t *testing.T, routes string, ids ...string) *world {
	w := newWorld(t, routes, "")
	for i, id := range ids {
		w.now = nine.Add(time.Duration(i) * time.Second)
		w.m.Apply(w.now, w.event("open", id, 0, nil))
	}
	return w
}

func TestDueUntilSent(t *testing.T) {
	t.Parallel()
	w := opened(t, plain, "a")
	m := w.m
	wantDue(t, m, nine.Add(9*time.Second))
	if want, have := nine.Add(10*time.Second), m.Next(); !have.Equal(want) {
		t.Errorf("next: want %v, have %v", want, have)
	}
	wantDue(t, m, nine.Add(10*time.Second), "mail 0s 1")
	wantDue(t, m, nine.Add(time.Hour), "mail 0s 1")
	m.Apply(nine, w.event("open", "a", 0, nil))
	keys := m.Due(nine)[0].Keys // Time does not go back.
	m.Sent(nine.Add(time.Hour), keys...)
	m.Began(nine.Add(time.Hour), keys...)
	wantDue(t, m, nine.Add(2*time.Hour))
	if have := m.Next(); !have.IsZero() {
		t.Errorf("next: want none, have %v", have)
	}
}

// A receiver that fails is tried with one telling at a time, by turns, until it is reached.
func TestProbe(t *testing.T) {
	t.Parallel()
	m := opened(t, plain, "a", "b", "c").m
	later := func(d time.Duration) time.Time { return nine.Add(time.Minute + d) }
	wantDue(t, m, later(0), "mail 0s 1", "mail 0s 1", "mail 0s 1")
	all := m.Due(later(0))
	first, second, third := all[0].Keys, all[1].Keys, all[2].Keys
	m.Failed(later(0), errDown, first...)
	wantDue(t, m, later(9*time.Second))
	if want, have := later(10*time.Second), m.Next(); !have.Equal(want) {
		t.Errorf("next: want %v, have %v", want, have)
	}
	if have := m.Due(later(10 * time.Second)); len(have) != 1 || have[0].Key != second[0] {
		t.Errorf("want the one that was not tried, have %v", have)
	}
	m.Failed(later(10*time.Second), errDown, second...)
	wantDue(t, m, later(29*time.Second))
	m.Failed(later(30*time.Second), errDown, third...)
	if have := m.Due(later(70 * time.Second)); len(have) != 1 || have[0].Key != first[0] {
		t.Errorf("want the one that was tried least lately, have %v", have)
	}
	m.Failed(later(70*time.Second), errDown, first...)
	if have := m.Due(later(150 * time.Second)); len(have) != 1 || have[0].Key != second[0] {
		t.Errorf("want the one that was tried least lately, have %v", have)
	}
	m.Sent(later(150*time.Second), second...)
	wantDue(t, m, later(150*time.Second), "mail 0s 1", "mail 0s 1")
}

// What a receiver will never take holds up nothing else for it.
func TestInvalid(t *testing.T) {
	t.Parallel()
	m := opened(t, plain, "a", "b").m
	at := nine.Add(time.Minute)
	keys := m.Due(at)[0].Keys
	refused := fault.New(fault.Invalid, "mail: no such mailbox")
	m.Failed(at, refused, keys...)
	wantDue(t, m, at, "mail 0s 1 dead", "mail 0s 1")
	if have := m.Due(at)[0].Err; !errors.Is(have, refused) {
		t.Errorf("want %v, have %v", refused, have)
	}
	m.Dropped(at, keys...)
	wantDue(t, m, at, "mail 0s 1")
}

// One that fails while others get through waits longer and longer by itself, until it is given up.
func TestPoison(t *testing.T) {
	t.Parallel()
	m := opened(t, plain, "a", "b").m
	at := nine.Add(time.Minute)
	poison, other := m.Due(at)[0].Keys, m.Due(at)[1].Keys
	m.Failed(at, errDown, poison...)
	m.Failed(at, errDown, poison...)
	m.Sent(at, other...)
	wantDue(t, m, at.Add(19*time.Second))
	if want, have := at.Add(20*time.Second), m.Next(); !have.Equal(want) {
		t.Errorf("next: want %v, have %v", want, have)
	}
	wantDue(t, m, at.Add(20*time.Second), "mail 0s 1")
	m.Failed(at.Add(24*time.Hour), errDown, poison...)
	m.Sent(at.Add(24*time.Hour), other...)
	wantDue(t, m, at.Add(24*time.Hour), "mail 0s 1 dead")
}

// After a day without a process, what is late is tried before it is given up.
func TestLate(t *testing.T) {
	t.Parallel()
	m := opened(t, plain, "a").m
	at := nine.Add(25 * time.Hour)
	m.Failed(at, errDown, m.Due(at)[0].Keys...)
	wantDue(t, m, at.Add(10*time.Second), "mail 0s 1")
}

// What could not be tried itself, while its receiver was down for so long, is given up too.
func TestGivenUpUntried(t *testing.T) {
	t.Parallel()
	w := opened(t, `{receivers: [mail], group_by: tenant, group_wait: 0s}`, "a")
	w.m.Failed(nine, errDown, w.m.Due(nine)[0].Keys...)
	w.now = nine.Add(time.Minute)
	w.m.Apply(w.now, w.event("open", "b", 0, nil))
	wantDue(t, w.m, nine.Add(24*time.Hour-1), "mail 0s 2")
	wantDue(t, w.m, nine.Add(24*time.Hour), "mail 0s 1 dead", "mail 0s 1")
	wantDue(t, w.m, nine.Add(24*time.Hour+time.Minute), "mail 0s 2 dead")
}

type busy struct{ time.Duration }

func (busy) Error() string               { return "429" }
func (b busy) RetryAfter() time.Duration { return b.Duration }

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	m := opened(t, plain, "a").m
	at := nine.Add(time.Minute)
	m.Failed(at, fmt.Errorf("slack: %w", busy{5 * time.Minute}), m.Due(at)[0].Keys...)
	wantDue(t, m, at.Add(299*time.Second))
	wantDue(t, m, at.Add(300*time.Second), "mail 0s 1")
}

// Who may have been told when the process died is told of the end.
func TestBegan(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		then func(w *world, keys []alerts.Key)
		want []string
	}{
		"nobody knows": {func(*world, []alerts.Key) {}, []string{"mail resolved 1"}},
		"it failed":    {func(w *world, keys []alerts.Key) { w.m.Failed(nine, errDown, keys...) }, nil},
		"given up":     {func(w *world, keys []alerts.Key) { w.m.Dropped(nine, keys...) }, nil},
		"it was sent":  {func(w *world, keys []alerts.Key) { w.m.Sent(nine, keys...) }, []string{"mail resolved 1"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := opened(t, plain, "a")
			keys := w.m.Due(nine.Add(time.Minute))[0].Keys
			w.m.Began(nine, keys...)
			wantDue(t, w.m, nine.Add(time.Minute), "mail 0s 1")
			test.then(w, keys)
			w.m.Apply(nine.Add(time.Hour), w.event("resolve", "a", 0, nil))
			wantDue(t, w.m, nine.Add(time.Hour), test.want...)
		})
	}
}

// A repetition that may not have been told is due still, and not the one after it.
func TestBeganRepeat(t *testing.T) {
	t.Parallel()
	w := opened(t, `{receivers: [mail], repeat: 1h}`, "a")
	w.m.Sent(nine, w.m.Due(nine.Add(time.Minute))[0].Keys...)
	w.m.Began(nine.Add(time.Hour), w.m.Due(nine.Add(time.Hour))[0].Keys...)
	wantDue(t, w.m, nine.Add(10*time.Hour), "mail repeat-1 1")
}

// A notification that was on its way when the entry was resolved.
func TestSentLate(t *testing.T) {
	t.Parallel()
	w := opened(t, plain, "a")
	keys := w.m.Due(nine.Add(time.Minute))[0].Keys
	w.m.Apply(nine.Add(time.Hour), w.event("resolve", "a", 0, nil))
	wantDue(t, w.m, nine.Add(time.Hour))
	w.m.Sent(nine.Add(time.Hour), keys...)
	wantDue(t, w.m, nine.Add(time.Hour), "mail resolved 1")
}

func TestConfigure(t *testing.T) {
	t.Parallel()
	w := opened(t, plain, "a", "b")
	at := nine.Add(time.Minute)
	for _, n := range w.m.Due(at)[:1] {
		w.m.Sent(at, n.Keys...)
	}
	settings, h := read(t, `{receivers: [mail, slack], group_by: tenant}`, "")
	w.m.Configure("acme", settings, h)
	wantDue(t, w.m, at, "slack 0s 2", "mail 0s 1")
}

func TestRepeatedEvent(t *testing.T) {
	t.Parallel()
	w := newWorld(t, ladder, "")
	w.now = nine
	open, claim := w.event("open", "a", 0, nil), w.event("claim", "a", 0, nil)
	for _, ev := range []*pbxv1.Event{open, claim, open, {Tenant: "acme"}, nil} {
		w.m.Apply(nine, ev)
	}
	wantDue(t, w.m, nine.Add(time.Hour))
}

func TestThreads(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ routes, hours, want string }{
		"entry":  {plain, "", "entry.a"},
		"queue":  {`{receivers: [mail], group_by: queue}`, "", "queue.support"},
		"tenant": {`{receivers: [mail], group_by: tenant}`, "", "tenant"},
		"digest": {plain, `{week: ["mon-sun 22:00-23:00"]}`, "digest"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, test.routes, test.hours)
			for _, id := range []string{"a", "b"} {
				w.m.Apply(nine, w.event("open", id, 0, map[string]string{"queue": "support"}))
			}
			if have := w.m.Due(nine.Add(14 * time.Hour))[0].Thread; have != test.want {
				t.Errorf("want %v, have %v", test.want, have)
			}
		})
	}
}

func TestSilencesOfTenant(t *testing.T) {
	t.Parallel()
	m := alerts.New()
	for i, id := range []string{"c", "a", "b"} {
		m.Silence(alerts.Silence{Tenant: "acme", ID: id, Until: nine.Add(time.Duration(i) * time.Hour)})
	}
	m.Silence(alerts.Silence{Tenant: "globex", ID: "d", Until: nine.Add(time.Hour)})
	var have []string
	for _, s := range m.Silences("acme", nine) {
		have = append(have, s.ID)
	}
	if fmt.Sprint(have) != "[a b]" {
		t.Errorf("want [a b], have %v", have)
	}
}

// Old entries are forgotten, young and open ones are not: a repeated event tells nobody again.
func TestForgets(t *testing.T) {
	t.Parallel()
	w := opened(t, plain, "a", "b")
	for _, n := range w.m.Due(nine.Add(time.Minute)) {
		w.m.Sent(nine, n.Keys...)
	}
	w.m.Apply(nine.Add(time.Hour), w.event("resolve", "a", 0, nil))
	for _, n := range w.m.Due(nine.Add(time.Hour)) {
		w.m.Sent(nine.Add(time.Hour), n.Keys...)
	}
	again := func(id string) *pbxv1.Event {
		delete(w.calls, id)
		return w.event("open", id, 0, nil)
	}
	month := nine.Add(30 * 24 * time.Hour)
	wantDue(t, w.m, nine.Add(7*24*time.Hour))
	w.m.Apply(nine, again("a"))
	wantDue(t, w.m, month)
	wantDue(t, w.m, month.Add(2*time.Hour))
	month = month.Add(2 * time.Hour)
	w.m.Apply(month, again("a"))
	w.m.Apply(month, again("b"))
	wantDue(t, w.m, month.Add(time.Minute), "mail 0s 1")
}

// Failures that are told one after the other, as far as they are known, make a machine give up as if it had been there.
func TestFailures(t *testing.T) {
	last := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	for tries, want := range map[int]string{0: "0s", 1: "0s", 2: "10s 0s", 4: "1m10s 1m0s 40s 0s", 9: "36m10s"} {
		var have []string
		for _, at := range alerts.Failures(last, tries) {
			have = append(have, last.Sub(at).String())
		}
		if text := strings.Join(have, " "); !strings.HasPrefix(text, want) || len(have) != max(1, tries) {
			t.Errorf("%d tries: want %s, have %s", tries, want, text)
		}
	}
}
