package e2e_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/oklog/run"

	"github.com/switchhook/switchhook/pkg/bus"
	"github.com/switchhook/switchhook/pkg/bustest"
	"github.com/switchhook/switchhook/pkg/cli"
	"github.com/switchhook/switchhook/pkg/service"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
	"github.com/switchhook/switchhook/services/missed-call/alerts"
	missedcall "github.com/switchhook/switchhook/services/missed-call/live"
	"github.com/switchhook/switchhook/services/missed-call/settings"
	"github.com/switchhook/switchhook/test/process"
)

// hasty is a missed-call that takes over after a lease of seconds, so that this can be waited for. It is the test's own program,
// by another name.
const (
	hasty      = "missed-call-hasty"
	hastyLease = 6 * time.Second
)

func mainOfHasty() {
	part := service.Part{Name: missedcall.Name, Check: settings.Check, Start: func(env service.Env) (http.Handler, error) {
		s, err := missedcall.New(missedcall.Options{
			Bus: env.Bus, Log: env.Log, Metrics: env.Metrics, Config: env.Settings.Get().Config,
			Replicas: bustest.Replicas, Lease: hastyLease,
		})
		if err != nil {
			return nil, err
		}
		env.AddReady(s.Ready)
		s.Join(env.Group)
		return nil, nil
	}}
	cli.Main(service.Command(part, "Finds missed calls, and takes over quickly."))
}

// killed is what there is: two queues of a tenant with channels of their own, and another tenant.
const killed = `tenants:
  - name: acme
    region: CZ
    timezone: Europe/Prague
    exchanges: [{vendor: ipex, webhook: {username: webhook, password: alerts-acme}}]
    channels:
      - MAIL
      - HOOK
      - CHAT
      - NOC
    missed_calls:
      settle: {ipex: 0s}
      link: https://phone.example.com/#missed/{id}
      alerts: {routes: [{match: {queues: [NOC]}, receivers: [noc, hook], group_wait: 0s}, {receivers: [mail, hook, chat], group_wait: 0s}]}
  - name: globex
    region: CZ
    timezone: Europe/London
    exchanges: [{vendor: ipex, webhook: {username: globex, password: alerts-globex}}]
    channels: [GLOBEX]
    missed_calls:
      settle: {ipex: 0s}
      alerts: {routes: [{receivers: [globex], group_wait: 0s}]}
`

const signed = `, secret: whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=`

// boxes are where the callers of a queue belong.
func boxes(tenant, queue string) []string {
	switch {
	case tenant == "globex":
		return []string{"globex"}
	case queue == "NOC":
		return []string{"noc", "hook"}
	default:
		return []string{"a@acme.example", "b@acme.example", "hook", "chat"}
	}
}

// sender is a process of missed-call with receivers of its own, so that it is known who sent what.
type sender struct {
	number  int
	program *process.Process
	dead    bool
}

// phase is when a process is killed.
type phase int

const (
	untaken   phase = iota // before the message is taken
	taken                  // after that, and before it is answered
	answered               // up to 20 ms after the answer
	allPhases              // how many there are
)

// killing is a test that kills processes.
type killing struct {
	*callers
	program string // that is killed
	random  *rand.Rand
	sprung  chan *sender

	mu      sync.Mutex
	started int                  // processes
	trap    func(*sender) manner // nil where none is set
	after   int                  // so many more messages are let through
	lost    map[string]bool      // taken, and never answered

	called map[string]bool // entries that were called back
}

// start starts another process.
func (k *killing) start() {
	k.t.Helper()
	k.mu.Lock()
	defer k.mu.Unlock()
	k.started++
	s := &sender{number: k.started}
	r := receive(k.t, &k.book, func(m *arrival) manner { return k.treat(s, m) })
	args := k.missedCall(strings.NewReplacer(
		"MAIL", r.channel("email", "mail", ", to: [a@acme.example, b@acme.example]"),
		"HOOK", r.channel("webhook", "hook", signed), "CHAT", r.channel("slack", "chat", ""),
		"NOC\n", r.channel("mattermost", "noc", "")+"\n", "GLOBEX", r.channel("webhook", "globex", signed),
	).Replace(killed))
	s.program = process.Start(k.t, k.program, args...)
}

// replace starts another process in place of one that is killed. What that one sent may still be read.
func (k *killing) replace(s *sender) {
	k.t.Helper()
	s.program.Stop(syscall.SIGKILL)
	k.mu.Lock()
	s.dead = true
	k.mu.Unlock()
	k.start()
}

// treat takes all messages, but for the one that springs the trap.
func (k *killing) treat(s *sender, m *arrival) manner {
	k.mu.Lock()
	defer k.mu.Unlock()
	m.process = s.number
	if k.trap == nil || s.dead {
		return take
	}
	if k.after--; k.after >= 0 {
		return take
	}
	how := k.trap(s)
	k.trap = nil
	if how == lose {
		k.lost[m.name()] = true
	}
	return how
}

// arm has one of the next messages kill its sender.
func (k *killing) arm(when phase, after int) {
	delay := time.Duration(k.random.IntN(int(20 * time.Millisecond)))
	k.mu.Lock()
	defer k.mu.Unlock()
	k.after = after
	k.trap = func(s *sender) manner {
		program := s.program
		kill := func() {
			program.Stop(syscall.SIGKILL)
			k.sprung <- s
		}
		switch when {
		case untaken:
			kill()
			return hangUp
		case taken:
			kill()
			return lose
		default:
			time.AfterFunc(delay, kill)
			return take
		}
	}
}

// calls lets some people call in vain, and some of them be called back at once.
func (k *killing) calls(n int) {
	k.t.Helper()
	for range n {
		place := [][2]string{{"acme", "Sales"}, {"acme", "Sales"}, {"acme", "NOC"}, {"globex", ""}}[k.random.IntN(4)]
		number := k.call(place[0], place[1])
		if k.random.IntN(5) == 0 {
			k.callBack(place[0], number)
		}
	}
}

// callSomeBack calls some back of whom everybody has been told.
func (k *killing) callSomeBack() {
	k.t.Helper()
	heard, entries := k.book.names(), k.entries()
	for _, id := range slices.Sorted(maps.Keys(entries)) {
		e := entries[id]
		untold := func(box string) bool { return !heard[arrival{box: box, kind: "opened", entry: id}.name()] }
		if !slices.ContainsFunc(boxes(e.tenant, e.queue), untold) && e.resolved == 0 && !k.called[id] && k.random.IntN(4) == 0 {
			k.called[id] = true
			k.callBack(e.tenant, e.number)
		}
	}
}

// Whoever is to be told is told, however often and at whatever moment processes are killed, and twice only what a process that
// was killed told last.
func TestAlertsAreKeptThroughKills(t *testing.T) {
	program, lease, kills := hasty, hastyLease, 8
	if *long {
		program, lease, kills = "missed-call", 90*time.Second, 200
	}
	for name, processes := range map[string]int{"one process": 1, "two processes": 2} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			seed := rand.Uint64()
			t.Log("seed", seed)
			k := &killing{
				callers: newCallers(t), program: program, random: rand.New(rand.NewPCG(seed, 0)), sprung: make(chan *sender, 1),
				called: map[string]bool{}, lost: map[string]bool{},
			}
			for range processes {
				k.start()
			}
			began := time.Now()
			for i := range kills {
				n := 1 + k.random.IntN(4)
				k.calls(n)
				k.callSomeBack()
				k.arm(phase(i)%allPhases, k.random.IntN(n))
				select {
				case s := <-k.sprung:
					k.replace(s)
				case <-time.After(2 * lease):
					t.Fatal("want a message that springs the trap, have none")
				}
			}
			t.Logf("%d kills took %v", kills, time.Since(began))
			k.await(lease + 20*time.Second)
			k.verify(kills)
			t.Logf("all took %v", time.Since(began))
		})
	}
}

// await waits until there is nothing more to tell.
func (k *killing) await(limit time.Duration) {
	k.t.Helper()
	records := k.bus.Alerts(bustest.Replicas)
	bustest.Run(k.t, func(g *run.Group) { g.Add(records.Maintain()) })
	deadline := time.Now().Add(limit)
	for tick := time.NewTicker(500 * time.Millisecond); ; <-tick.C {
		missing := k.missing()
		if records.Loaded() && len(missing) == 0 && !k.pending(records.Rows()) {
			return
		}
		if time.Now().After(deadline) {
			k.t.Fatalf("want all told, have %d left: %v, %d records", len(missing), missing, len(records.Rows()))
		}
	}
}

// pending reports whether something may yet be told again: it was begun, and nobody has noted how it ended. What began before
// its entry was resolved stays so.
func (k *killing) pending(rows map[string]bus.Row[*pbxv1.AlertRecord]) bool {
	entries := k.entries()
	for key, row := range rows {
		parsed, err := alerts.ParseKey(key)
		if err != nil {
			k.t.Fatal(err)
		}
		over := entries[parsed.Entry].resolved > 0 && parsed.Step != "resolved"
		if row.Value.GetState() != pbxv1.AlertRecord_SENT && !over {
			return true
		}
	}
	return false
}

// missing returns what is yet to be told.
func (k *killing) missing() (all []string) {
	k.t.Helper()
	heard, entries := k.book.names(), k.entries()
	if len(entries) < k.people {
		all = append(all, fmt.Sprintf("%d of %d callers", k.people-len(entries), k.people))
	}
	for id, e := range entries {
		for _, box := range boxes(e.tenant, e.queue) {
			opened, resolved := arrival{box: box, kind: "opened", entry: id}.name(), arrival{box: box, kind: "resolved", entry: id}.name()
			switch {
			case heard[opened] && e.resolved > 0 && !heard[resolved]:
				all = append(all, resolved)
			case !heard[opened] && e.resolved == 0:
				all = append(all, opened)
			}
		}
	}
	return all
}

// verify looks at all that was told: to whom, and what was told again.
func (k *killing) verify(kills int) {
	k.t.Helper()
	entries, told := k.entries(), k.book.read()
	for id, e := range entries {
		if e.opened != 1 || e.resolved > 1 {
			k.t.Errorf("entry %s: want it opened once and resolved once at most, have %+v", id, *e)
		}
	}
	repeated, lost := 0, maps.Clone(k.lost)
	for box, list := range byBox(told) {
		again := k.verifyBox(entries, list, lost)
		if again > kills {
			k.t.Errorf("%s: want at most one repetition by kill, %d, have %d", box, kills, again)
		}
		repeated += again
	}
	if len(lost) > 0 {
		k.t.Errorf("want told again what nobody knows to have been taken, have not %v", lost)
	}
	k.t.Logf("%d entries, %d messages, %d of them repetitions after %d kills", len(entries), len(told), repeated, kills)
}

func byBox(all []arrival) map[string][]arrival {
	boxes := make(map[string][]arrival)
	for _, m := range all {
		boxes[m.box] = append(boxes[m.box], m)
	}
	return boxes
}

// verifyBox looks at what came to a box, and returns how much of it was told again. That may only be what a process told last:
// it noted that all before was told. What was told again, or need not be, is taken out of what was lost.
func (k *killing) verifyBox(entries map[string]*entry, list []arrival, lost map[string]bool) (again int) {
	k.t.Helper()
	first, last := make(map[string]arrival), make(map[int]string)
	for _, m := range list {
		last[m.process] = m.name()
	}
	before := make(map[string]arrival)
	for _, m := range list {
		e := entries[m.entry]
		if e == nil || !slices.Contains(boxes(e.tenant, e.queue), m.box) || m.kind != "opened" && m.kind != "resolved" {
			k.t.Errorf("want nothing but what is for it, have %+v about %+v", m, e)
		}
		if old, known := before[m.name()]; known {
			again++
			delete(lost, m.name())
			if old.id != m.id || old.thread != m.thread {
				k.t.Errorf("want it repeated as it was, %+v, have %+v", old, m)
			}
			if old.process == m.process || last[old.process] != old.name() {
				k.t.Errorf("want repeated only what a process told last, %s, have %s", last[old.process], old.name())
			}
		}
		before[m.name()] = m
		if m.kind == "opened" {
			first[m.entry] = m
		} else {
			delete(lost, first[m.entry].name())
		}
		if opened, known := first[m.entry]; m.thread != "" && known && m.thread != opened.id {
			k.t.Errorf("want it in a thread with %s, have %+v", opened.id, m)
		}
	}
	return again
}
