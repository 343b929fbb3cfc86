package e2e_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/switchhook/switchhook/pkg/bus"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
	"github.com/switchhook/switchhook/test/process"
)

// hostile is a receiver that fails at first.
type hostile struct {
	channel string // its type
	manner  manner
}

// hostiles are the receivers by their boxes.
func hostiles() map[string]hostile {
	return map[string]hostile{
		"good@acme.example":    {"email", take},
		"hangs@acme.example":   {"email", hang},
		"drops@acme.example":   {"email", lose},
		"refuses@acme.example": {"email", breakOff},
		"good":                 {"webhook", take},
		"hangs":                {"webhook", hang},
		"drops":                {"webhook", lose},
		"broken":               {"slack", breakOff},
		"busy":                 {"webhook", putOff},
		"gone":                 {"webhook", refuse},
		"dead":                 {"mattermost", breakOff},
	}
}

// siege is a test with such receivers.
type siege struct {
	*callers
	fails map[string]int // how often they fail; -1 is always

	mu       sync.Mutex
	attempts map[string][]time.Time
}

func (s *siege) treat(m *arrival) manner {
	s.mu.Lock()
	defer s.mu.Unlock()
	tried := len(s.attempts[m.box])
	s.attempts[m.box] = append(s.attempts[m.box], time.Now())
	if limit := s.fails[m.box]; limit < 0 || tried < limit {
		return hostiles()[m.box].manner
	}
	return take
}

// yaml is a tenant with a channel for each receiver.
func (s *siege) yaml(r *receivers) string {
	var channels []string
	for box, h := range hostiles() {
		more := ", timeout: 6s"
		switch h.channel {
		case "email":
			more += ", to: [" + box + "]"
		case "webhook":
			more += signed
		}
		channels = append(channels, "\n      - "+r.channel(h.channel, strings.ReplaceAll(box, "@acme.example", "-mail"), more))
	}
	return `tenants:
  - name: acme
    region: CZ
    exchanges: [{vendor: ipex, webhook: {username: webhook, password: alerts-acme}}]
    channels:` + strings.Join(channels, "") + `
    missed_calls:
      settle: {ipex: 0s}
      link: https://phone.example.com/#missed/{id}
      alerts: {give_up: 1m, routes: [{receivers: [` + strings.Join(s.names(), ", ") + `], group_wait: 0s}]}
`
}

func (s *siege) names() (all []string) {
	for box := range hostiles() {
		all = append(all, strings.ReplaceAll(box, "@acme.example", "-mail"))
	}
	return all
}

// Receivers hang, drop connections, refuse and fail for a while: all comes in the end, and at once to those who do not. What never
// works is in the quarantine.
func TestHostileReceivers(t *testing.T) {
	s := &siege{callers: newCallers(t), fails: map[string]int{}, attempts: map[string][]time.Time{}}
	times, limit := 1, 40*time.Second
	if *long {
		times, limit = 2, 3*time.Minute
	}
	for box := range hostiles() {
		s.fails[box] = times
	}
	s.fails["gone"] = -1
	if *long {
		s.fails["dead"] = -1
	}
	process.Start(t, "missed-call", s.missedCall(s.yaml(receive(t, &s.book, s.treat)))...)
	tick := time.NewTicker(100 * time.Millisecond)
	for range 30 {
		s.call("acme", "Sales")
		<-tick.C
	}
	tick.Reset(500 * time.Millisecond)
	deadline := time.Now().Add(limit)
	for missing := s.missing(); len(missing) > 0; missing = s.missing() {
		if time.Now().After(deadline) {
			t.Fatalf("want all told, have %d left: %v", len(missing), missing)
		}
		<-tick.C
	}
	s.verify(times)
	s.verifyQuarantine()
}

// missing returns what has not come yet, and what is not in the quarantine yet.
func (s *siege) missing() (all []string) {
	s.t.Helper()
	there := s.book.names()
	for _, q := range s.quarantined() {
		for _, mc := range q.GetAlert().GetMissedCalls() {
			there[arrival{box: q.GetAlert().GetReceiver(), kind: "opened", entry: mc.GetId()}.name()] = true
		}
	}
	entries := s.entries()
	if len(entries) < s.people {
		all = append(all, fmt.Sprintf("%d of %d callers", s.people-len(entries), s.people))
	}
	for id := range entries {
		for box := range hostiles() {
			if name := (arrival{box: box, kind: "opened", entry: id}).name(); !there[name] {
				all = append(all, name)
			}
		}
	}
	return all
}

func (s *siege) quarantined() (all []*pbxv1.Quarantined) {
	s.t.Helper()
	for stored, err := range s.bus.Quarantined(s.t.Context(), bus.Filter{}) {
		if err != nil {
			s.t.Fatal(err)
		}
		all = append(all, stored.Message)
	}
	return all
}

// verify looks at how long it took and what came twice.
func (s *siege) verify(times int) {
	s.t.Helper()
	entries := s.entries()
	for box, list := range byBox(s.book.read()) {
		var longest time.Duration
		ids := make(map[string]string)
		again := 0
		for _, m := range list {
			if id, known := ids[m.entry]; known {
				again++
				if id != m.id {
					s.t.Errorf("want it repeated with the id %s, have %+v", id, m)
				}
			}
			ids[m.entry] = m.id
			longest = max(longest, m.at.Sub(entries[m.entry].at))
		}
		s.t.Logf("%-20s %d messages, %d tried, the slowest took %v", box, len(list), len(s.attempts[box]), longest)
		want := 0
		if hostiles()[box].manner == lose {
			want = times
		}
		if again != want {
			s.t.Errorf("%s: want %d repetitions, have %d", box, want, again)
		}
		if hostiles()[box].manner == take && longest > 4*time.Second {
			s.t.Errorf("%s: want nobody wait for others, have waited for %v", box, longest)
		}
	}
	if busy := s.attempts["busy"]; busy[1].Sub(busy[0]) < patience {
		s.t.Errorf("want it left alone for %v, have it tried after %v", patience, busy[1].Sub(busy[0]))
	}
}

// verifyQuarantine looks at what people see of it.
func (s *siege) verifyQuarantine() {
	s.t.Helper()
	have := make(map[string]int)
	for _, q := range s.quarantined() {
		have[q.GetAlert().GetReceiver()]++
	}
	want := make(map[string]int)
	for box, n := range s.fails {
		if n < 0 {
			want[box] = s.people
		}
	}
	if !maps.Equal(want, have) {
		s.t.Errorf("want %v in the quarantine, have %v", want, have)
	}
	ls := process.Start(s.t, "pbxctl", "quarantine", "ls", "--nats", s.server.URL())
	ls.Wait(time.Minute)
	id, _, _ := strings.Cut(ls.Output()[strings.Index(ls.Output(), "\n")+1:], " ")
	show := process.Start(s.t, "pbxctl", "quarantine", "show", id, "--nats", s.server.URL())
	show.Wait(time.Minute)
	if n := strings.Count(ls.Output(), "channel gone: POST"); n != s.people {
		s.t.Errorf("want %d lines about it, have\n%s", s.people, ls.Tail())
	}
	if text := show.Output(); !slices.Contains(strings.Split(text, "\n"), "receiver  gone") || !strings.Contains(text, "+420777") {
		s.t.Errorf("want the receiver and the number, have\n%s", text)
	}
}
