package alerts_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/switchhook/switchhook/pkg/fault"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
	"github.com/switchhook/switchhook/services/missed-call/alerts"
	"github.com/switchhook/switchhook/services/missed-call/hours"
)

// soupRoutes has each kind of route.
var soupRoutes = []string{
	`{match: {queues: [sales]}, receivers: [sms], outside_hours: send, escalation: [{after: 7m, to: [responsible, supervisor]}], continue: true}`,
	`{match: {queues: [sales, support]}, receivers: [slack, queue], group_by: queue, group_wait: 1m, repeat: 3h}`,
	`{receivers: [mail], group_by: tenant, escalation: [{after: 20m, to: [mail, queue]}, {after: 2h, to: [sms]}]}`,
}

// soup is a random life of a tenant, with a process that dies at random and forgets all but what is kept.
type soup struct {
	*world
	r        *rand.Rand
	events   []stored
	silences []alerts.Silence
	kept     map[alerts.Key]time.Time // settled, and kept for the next process
	dead     map[alerts.Key]bool
}

type stored struct {
	at time.Time
	ev *pbxv1.Event
}

func (s *soup) restart() {
	settings, h := read(s.t, strings.Join(soupRoutes, ", "), office)
	s.m = alerts.New()
	s.configure(settings, h)
}

// configure gives a machine all that is kept, in any order of what has none.
func (s *soup) configure(settings alerts.Settings, h *hours.Hours) {
	parts := []func(){
		func() { s.m.Configure("acme", settings, h) },
		func() {
			for _, silence := range s.silences {
				s.m.Silence(silence)
			}
		},
		func() {
			for k, at := range s.kept {
				if s.dead[k] {
					s.m.Dropped(at, k)
				} else {
					s.m.Sent(at, k)
				}
			}
		},
		func() {
			for _, e := range s.events {
				s.m.Apply(e.at, e.ev)
				if s.r.IntN(10) == 0 {
					s.m.Apply(e.at, e.ev)
				}
			}
		},
	}
	s.r.Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
	for _, part := range parts {
		part()
	}
}

// step does something at random.
func (s *soup) step() {
	id := fmt.Sprint("e", s.r.IntN(12))
	closed := s.calls[id].GetKind() == pbxv1.MissedCall_RESOLVED
	switch n := s.r.IntN(20); {
	case closed:
	case n < 6 || s.calls[id] == nil:
		s.store("open", id, 0, map[string]string{
			"queue":       []string{"", "sales", "support"}[s.r.IntN(3)],
			"responsible": []string{"", "dana", "petr"}[s.r.IntN(3)],
		})
	case n < 9:
		s.store("claim", id, time.Duration(s.r.IntN(300))*time.Minute, nil)
	case n < 11:
		s.store("release", id, 0, nil)
	case n < 13:
		s.store([]string{"resolve", "withdraw"}[s.r.IntN(2)], id, 0, nil)
	case n < 14:
		silence := alerts.Silence{
			Tenant: "acme", ID: fmt.Sprint(s.r.IntN(3)), Match: alerts.Match{Queues: []string{"support"}},
			From: s.now.Add(time.Duration(s.r.IntN(60)) * time.Minute), Until: s.now.Add(time.Duration(s.r.IntN(600)) * time.Minute),
		}
		s.silences = append(s.silences, silence)
		s.m.Silence(silence)
	case n < 16:
		s.down[[]string{"mail", "slack", "sms", "queue"}[s.r.IntN(4)]] = errDown
	case n < 19:
		clear(s.down)
	default:
		s.restart()
	}
}

func (s *soup) store(verb, id string, length time.Duration, values map[string]string) {
	e := stored{s.now, s.event(verb, id, length, values)}
	s.events = append(s.events, e)
	s.m.Apply(e.at, e.ev)
}

// deliver sends what is due until nothing is left, and dies now and then between sending and keeping that.
func (s *soup) deliver() {
	s.t.Helper()
	for range 1000 {
		progress := false
		for _, n := range s.m.Due(s.now) {
			s.judge(n)
			err := s.down[n.Name]
			switch {
			case n.Dead:
				s.keep(n.Keys, true)
				s.m.Dropped(s.now, n.Keys...)
			case err != nil:
				s.m.Failed(s.now, err, n.Keys...)
				continue
			case s.r.IntN(30) == 0: // It was sent, and nobody knows.
				s.keep(n.Keys[:s.r.IntN(len(n.Keys))], false)
				s.restart()
			case s.r.IntN(60) == 0:
				s.m.Failed(s.now, fault.New(fault.Invalid, "no such mailbox"), n.Keys...)
			default:
				s.keep(n.Keys, false)
				s.m.Sent(s.now, n.Keys...)
			}
			progress = true
			break // What is due may be other things now.
		}
		if !progress {
			return
		}
	}
	s.t.Fatal("it sends without end")
}

func (s *soup) keep(keys []alerts.Key, dead bool) {
	for _, k := range keys {
		s.kept[k] = s.now
		s.dead[k] = dead
	}
}

// judge says what is wrong with sending this now.
func (s *soup) judge(n alerts.Notification) {
	s.t.Helper()
	entries := make(map[string]bool)
	for _, e := range n.Entries {
		if entries[e.GetId()] {
			s.t.Fatalf("%v: %s is listed twice", n.Key, e.GetId())
		}
		entries[e.GetId()] = true
	}
	for _, k := range n.Keys {
		e := s.calls[k.Entry]
		if _, settled := s.kept[k]; settled {
			s.t.Fatalf("%v is settled", k)
		}
		resolved := e.GetKind() == pbxv1.MissedCall_RESOLVED
		if resolved != (k.Step == "resolved") || !entries[k.Entry] || k.Receiver != n.Receiver {
			s.t.Fatalf("%v of %v", k, e)
		}
		claimed := e.GetClaimedBy() != nil && (e.GetClaimedUntil() == nil || e.GetClaimedUntil().AsTime().After(s.now))
		if !resolved && (claimed || s.silenced(e)) {
			s.t.Fatalf("%v at %v: it is claimed or silenced", k, s.now)
		}
	}
}

func (s *soup) silenced(e *pbxv1.MissedCall) bool {
	newest := make(map[string]alerts.Silence)
	for _, silence := range s.silences {
		newest[silence.ID] = silence
	}
	for _, silence := range newest {
		if e.GetQueue() == "support" && !silence.From.After(s.now) && silence.Until.After(s.now) {
			return true
		}
	}
	return false
}

// pass lets time pass, a rebuilt machine beside it: without anything that failed both plan the same.
func (s *soup) pass(until time.Time) {
	s.t.Helper()
	for s.now.Before(until) {
		s.deliver()
		if len(s.down) == 0 && s.r.IntN(10) == 0 {
			s.rebuilt()
		}
		next := s.m.Next()
		if next.IsZero() || next.After(until) {
			next = until
		}
		if !next.After(s.now) {
			s.t.Fatalf("next %v is not after %v", next, s.now)
		}
		s.now = next
	}
	s.deliver()
}

func (s *soup) rebuilt() {
	s.t.Helper()
	s.restart()
	want := fmt.Sprint(keys(s.m.Due(s.now)))
	next := s.m.Next()
	s.restart()
	if have := fmt.Sprint(keys(s.m.Due(s.now))); have != want || !s.m.Next().Equal(next) {
		s.t.Fatalf("rebuilt: want %v, next %v; have %v, next %v", want, next, have, s.m.Next())
	}
}

func keys(all []alerts.Notification) [][]alerts.Key {
	var list [][]alerts.Key
	for _, n := range all {
		list = append(list, n.Keys)
	}
	return list
}

func TestSoup(t *testing.T) {
	t.Parallel()
	for seed := range uint64(80) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			s := &soup{
				world: &world{t: t, calls: map[string]*pbxv1.MissedCall{}, down: map[string]error{}},
				r:     rand.New(rand.NewPCG(seed, 3)), kept: map[alerts.Key]time.Time{}, dead: map[alerts.Key]bool{},
			}
			s.restart()
			// Over Christmas in some, over a change of clocks in others.
			s.now = []time.Time{
				time.Date(2026, 12, 23, 12, 0, 0, 0, time.UTC), time.Date(2026, 10, 23, 12, 0, 0, 0, time.UTC),
				time.Date(2027, 3, 26, 12, 0, 0, 0, time.UTC), time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC),
			}[seed%4]
			for range 60 {
				s.step()
				s.pass(s.now.Add(time.Duration(s.r.ExpFloat64() * float64(2*time.Hour))))
			}
			s.finish()
		})
	}
}

// finish releases all and lets a week pass: then all that should have been told was.
func (s *soup) finish() {
	s.t.Helper()
	clear(s.down)
	for id, call := range s.calls {
		if call.GetKind() != pbxv1.MissedCall_RESOLVED {
			s.store("release", id, 0, nil)
		}
	}
	s.pass(s.now.Add(7 * 24 * time.Hour))
	for id, call := range s.calls {
		if call.GetKind() != pbxv1.MissedCall_RESOLVED {
			s.complete(id, call)
			continue
		}
		// Whoever was told of it, by all that is kept, knows how it ended; nobody else does.
		knows := make(map[alerts.Receiver]bool)
		for k := range s.kept {
			if k.Entry == id && k.Step != "resolved" && !s.dead[k] {
				knows[k.Receiver] = true
			}
		}
		for to := range knows {
			s.has(id, "resolved", to)
		}
		for k := range s.kept {
			if k.Entry == id && k.Step == "resolved" && !knows[k.Receiver] {
				s.t.Errorf("%v: it was not told that it is open", k)
			}
		}
	}
}

// complete demands what an open entry has to have been told by.
func (s *soup) complete(id string, call *pbxv1.MissedCall) {
	s.t.Helper()
	queue := alerts.Receiver{Name: alerts.Supervisor}
	if call.GetQueue() != "" {
		queue = alerts.Receiver{Name: alerts.Queue, Whom: call.GetQueue()}
	}
	responsible := queue
	if whom := call.GetContact().GetResponsibleEmail(); whom != "" {
		responsible = alerts.Receiver{Name: alerts.Responsible, Whom: whom}
	}
	if call.GetQueue() != "" {
		s.has(id, "0s", alerts.Receiver{Name: "slack"})
		s.has(id, "0s", queue)
		s.has(id, "repeat-1", alerts.Receiver{Name: "slack"})
		s.has(id, "repeat-8", queue)
	}
	if call.GetQueue() == "sales" {
		s.has(id, "0s", alerts.Receiver{Name: "sms"})
		s.has(id, "7m0s", responsible)
		s.has(id, "7m0s", alerts.Receiver{Name: alerts.Supervisor})
	}
	if call.GetQueue() == "" {
		s.has(id, "0s", alerts.Receiver{Name: "mail"})
		s.has(id, "20m0s", alerts.Receiver{Name: "mail"})
		s.has(id, "20m0s", queue)
		s.has(id, "2h0m0s", alerts.Receiver{Name: "sms"})
	}
}

func (s *soup) has(id, step string, to alerts.Receiver) {
	s.t.Helper()
	k := alerts.Key{Tenant: "acme", Entry: id, Step: step, Receiver: to}
	if _, settled := s.kept[k]; !settled {
		s.t.Errorf("%v is lost", k)
	}
}
