package frames_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/switchhook/switchhook/pkg/event"
	"github.com/switchhook/switchhook/services/pbxsim/flow"
	"github.com/switchhook/switchhook/services/pbxsim/traffic"
	"github.com/switchhook/switchhook/services/web-gateway/frames"
)

// page is a client: what it was told, and what it makes of it.
type page struct {
	viewer frames.Viewer
	told   []string
	state  map[string]string // what goes on, by call and line
	last   uint64
	had    int
}

func (p *page) hear(tb testing.TB, f *frames.Frame) {
	tb.Helper()
	if f.Tenant != p.viewer.Tenant || !slices.Contains(p.viewer.Lines, f.Line) {
		tb.Fatalf("%v: want none of others, have %s", p.viewer, f.JSON())
	}
	p.told = append(p.told, string(f.JSON()))
	if f.Seq != p.last {
		p.last, p.had = f.Seq, 0
	}
	p.had++
	p.put(read(tb, f.JSON()))
}

func (p *page) put(h heard) {
	key := h.UniqueID + " " + h.Line
	switch h.Event {
	case "Ringing", "Answered":
		p.state[key] = h.Event + h.Time + contactName(h)
	case "Hangup":
		delete(p.state, key)
	case "Contact":
		if before := p.state[key]; before != "" {
			before, _, _ = strings.Cut(before, "/")
			p.state[key] = before + contactName(h)
		}
	}
}

func contactName(h heard) string {
	if h.Contact == nil {
		return "/"
	}
	return "/" + h.Contact.Name
}

func (p *page) take(tb testing.TB, s *frames.Snapshot) {
	tb.Helper()
	p.state, p.last, p.had = map[string]string{}, s.Seq, 0
	for _, h := range read(tb, frames.Encode(s)).Calls {
		p.put(h)
	}
}

// TestTraffic has two replicas, one of which began later and is behind, and pages that lose their connection at any frame and
// come back to any replica: they are told what pages are told that never left.
func TestTraffic(t *testing.T) {
	calls := simulate(t, 1, 3200)
	t.Run("truth", func(t *testing.T) { checkTruth(t, calls) })
	for seed := range uint64(3) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 1))
			e := &experiment{T: t, rng: rng, all: stream(calls, rng, seed > 0)}
			for _, p := range pages(calls, rng) {
				e.roaming = append(e.roaming, &roamer{page: newPage(p.viewer), steady: p})
			}
			e.run()
		})
	}
}

// experiment is the traffic, the replicas, of which the first is never behind, and the pages.
type experiment struct {
	*testing.T
	rng      *rand.Rand
	all      []traffic.Stored
	replicas [2]*frames.Core
	next     [2]int   // event
	told     []string // by the first, of each event
	roaming  []*roamer
}

// after returns the first event that is later than another.
func (e *experiment) after(n int, wait time.Duration) int {
	return slices.IndexFunc(e.all, func(s traffic.Stored) bool { return s.At.After(e.all[n].At.Add(wait)) })
}

func (e *experiment) run() {
	began := e.after(0, 10*time.Minute)     // when the second replica did
	knows := e.after(began, 90*time.Minute) // from when on it knows what the first does
	if knows < 0 || knows > len(e.all)/2 {
		e.Fatal("want longer traffic")
	}
	e.replicas, e.next = [2]*frames.Core{frames.New(), frames.New()}, [2]int{0, began}
	for n := range e.all {
		e.advance(0)
		for e.next[1] <= n && (e.rng.IntN(3) > 0 || e.next[1] < n-20) {
			if told := e.advance(1); e.next[1] > knows && told != e.told[e.next[1]-1] {
				e.Fatalf("event %d: want %s, have %s", e.next[1], e.told[e.next[1]-1], told)
			}
		}
		for _, r := range e.roaming {
			switch {
			case n == knows:
				r.start(e.T, e.replicas[0])
			case r.away() && e.rng.IntN(60) == 0:
				r.comeBack(e.T, e.rng.IntN(2), e.replicas)
			}
		}
	}
	resumed := 0
	for _, r := range e.roaming {
		if r.at == 1 || !r.on {
			r.comeBack(e.T, 0, e.replicas)
		}
		r.check(e.T)
		resumed += r.resumed
	}
	if resumed == 0 {
		e.Error("want frames given again, have none")
	}
	e.end()
}

// advance lets a replica read the next event, and tells the pages.
func (e *experiment) advance(i int) string {
	n := e.next[i]
	e.next[i]++
	var words strings.Builder
	for _, f := range e.replicas[i].Apply(uint64(n+1), e.all[n].At, e.all[n].Event) {
		fmt.Fprintf(&words, "%s %s\n", f.Tenant, f.JSON())
		for _, r := range e.roaming {
			if i == 0 && r.steady.viewer.Sees(f) {
				r.steady.hear(e, f)
			}
			r.follow(e.T, i, f, e.rng)
		}
	}
	if i == 0 {
		e.told = append(e.told, words.String())
	}
	return words.String()
}

// end lets every call end or expire, and demands that nothing goes on then.
func (e *experiment) end() {
	c, last := e.replicas[0], e.all[len(e.all)-1].At
	for hours := range 12 {
		for _, f := range c.Apply(c.Seq()+1, last.Add(time.Duration(hours)*time.Hour), logsIn(0, "nobody", "9999")) {
			for _, r := range e.roaming {
				if r.steady.viewer.Sees(f) {
					r.steady.hear(e, f)
				}
			}
		}
	}
	for _, r := range e.roaming {
		if len(r.steady.state) > 0 || len(c.Snapshot(r.viewer).Calls) > 0 {
			e.Errorf("%v: want nothing, have %v", r.viewer, r.steady.state)
		}
	}
}

// roamer is a page that loses its connection, and the same page that never does.
type roamer struct {
	*page
	steady  *page
	began   bool
	on      bool
	at      int // replica
	from    int // of what the steady one was told, since the last snapshot
	resumed int
}

func newPage(v frames.Viewer) *page { return &page{viewer: v, state: map[string]string{}} }

func (r *roamer) away() bool { return r.began && !r.on }

func (r *roamer) start(t *testing.T, c *frames.Core) {
	r.began, r.on, r.at = true, true, 0
	r.take(t, c.Snapshot(r.viewer))
	r.from = len(r.steady.told)
}

func (r *roamer) follow(t *testing.T, replica int, f *frames.Frame, rng *rand.Rand) {
	switch {
	case !r.on || r.at != replica || !r.viewer.Sees(f):
	case rng.IntN(10) == 0:
		r.on = false
	default:
		r.hear(t, f)
	}
}

// comeBack connects to a replica, unless that is behind: there the page would wait.
func (r *roamer) comeBack(t *testing.T, replica int, replicas [2]*frames.Core) {
	t.Helper()
	c := replicas[replica]
	if c.Seq() < r.last {
		return
	}
	r.on, r.at = true, replica
	if missed, ok := c.Missed(r.viewer, r.last, r.had); ok {
		r.resumed += len(missed)
		for _, f := range missed {
			r.hear(t, f)
		}
		return
	}
	s := c.Snapshot(r.viewer)
	r.take(t, s)
	r.told = nil
	r.from = slices.IndexFunc(r.steady.told, func(f string) bool { return read(t, []byte(f)).Seq > s.Seq })
	if r.from < 0 {
		r.from = len(r.steady.told)
	}
}

func (r *roamer) check(t *testing.T) {
	t.Helper()
	if want := r.steady.told[r.from:]; !slices.Equal(want, r.told) {
		t.Errorf("%v: want\n%s\nhave\n%s", r.viewer, strings.Join(want, "\n"), strings.Join(r.told, "\n"))
	}
	if !maps.Equal(r.steady.state, r.state) {
		t.Errorf("%v: want %v, have %v", r.viewer, r.steady.state, r.state)
	}
}

// pages are some with one line, some with several, of both tenants.
func pages(calls []*traffic.Call, rng *rand.Rand) (all []*page) {
	lines := map[string][]string{}
	for _, c := range calls {
		for _, ev := range c.Events {
			if e := ev.GetCall().GetExtension(); e != "" && !slices.Contains(lines[c.Tenant], e) {
				lines[c.Tenant] = append(lines[c.Tenant], e)
			}
		}
	}
	for _, tenant := range slices.Sorted(maps.Keys(lines)) {
		for i, line := range lines[tenant] {
			if rng.IntN(4) > 0 {
				continue
			}
			v := frames.Viewer{Tenant: tenant, Lines: []string{line}, Calls: true, Sender: frames.Sender(tenant, "line", line)}
			if other := lines[tenant][rng.IntN(len(lines[tenant]))]; i%3 == 0 && other != line {
				v.Lines = append(v.Lines, other)
			}
			if next := lines[tenant][(i+1)%len(lines[tenant])]; i%3 == 1 && next != line {
				v.Lines = append(v.Lines, next)
			}
			all = append(all, newPage(v))
		}
	}
	return all
}

// checkTruth demands of exchanges that tell everything what is true of the calls.
func checkTruth(t *testing.T, calls []*traffic.Call) {
	t.Helper()
	w := newWorld(t)
	byLine := map[string][]heard{}
	for _, s := range stream(calls, rand.New(rand.NewPCG(1, 1)), false) {
		w.hear(s.Event)
	}
	for _, f := range w.all {
		h := read(t, f.JSON())
		byLine[f.Tenant+h.UniqueID+h.Line] = append(byLine[f.Tenant+h.UniqueID+h.Line], h)
	}
	checked := 0
	for _, c := range calls {
		if c.Direction != flow.Incoming || c.Variant != "ipex-documents" || len(c.Rang) == 0 {
			continue
		}
		checked++
		origin := event.Origin{Vendor: "ipex", Tenant: c.Tenant, Exchange: "ipex"}
		id := event.DerivedID(origin, "call", c.Events[0].GetCall().GetKey())
		for _, line := range c.Rang {
			want := wantOf(c, line)
			var have []string
			for _, h := range byLine[c.Tenant+id+line] {
				if h.Event == "Contact" {
					continue
				}
				word := h.Event
				if h.ClosedBy != nil {
					word += " by " + h.ClosedBy.Line
				}
				have = append(have, word)
			}
			if !slices.Equal(want, have) {
				t.Errorf("%s at %s: want %q, have %q", c.Scenario, line, want, have)
			}
		}
	}
	if checked < 20 {
		t.Errorf("want more calls, have %d", checked)
	}
}

func wantOf(c *traffic.Call, line string) []string {
	switch {
	case c.Scenario == flow.QueueRetried:
		return []string{"Ringing", "Ringing", "Answered", "Hangup"}
	case line == c.AnsweredBy, line == c.TransferredTo:
		return []string{"Ringing", "Answered", "Hangup"}
	case c.Scenario == flow.QueueAnswered:
		return []string{"Ringing", "Hangup by " + c.AnsweredBy}
	}
	return []string{"Ringing", "Hangup"}
}

func BenchmarkApply(b *testing.B) {
	all := stream(simulate(b, 1, 10_000), rand.New(rand.NewPCG(1, 1)), false)
	c, n := frames.New(), 0
	told := 0
	b.ReportAllocs()
	for b.Loop() {
		if n == len(all) {
			c, n = frames.New(), 0
		}
		for _, f := range c.Apply(uint64(n+1), all[n].At, all[n].Event) {
			f.JSON()
			told++
		}
		n++
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
	b.ReportMetric(float64(told)/float64(b.N), "frames/event")
}
