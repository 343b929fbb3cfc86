// Package sim sends made-up calls to ingresses, as exchanges do: the requests of one call one after the other, many calls
// at once. It writes down what it sent and what is true.
package sim

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/switchhook/switchhook/services/pbxsim/dialect"
	"github.com/switchhook/switchhook/services/pbxsim/flow"
	"github.com/switchhook/switchhook/services/pbxsim/ledger"
)

// maxAttempts is how often an exchange that tries again does so in all.
const maxAttempts = 4

// Options say what to simulate. What is sent depends on Seed, Start, Teams, Chaos, Clock and Exchanges
// alone.
type Options struct {
	Seed      uint64
	Start     time.Time // of the first calls, on the exchanges' clocks; zero: when they are sent
	Teams     int       // of each exchange, at least 1; each has one call at a time
	Chaos     Chaos
	Clock     bool                // all teams' requests one after the other, in the order of the exchanges' clocks
	Exchanges []*dialect.Exchange // at least one

	Calls       int64   // in all; 0: until stopped
	Rate        float64 // calls begun a second; 0: as fast as it goes; not with Clock
	Speed       float64 // 1: calls take as long as they do, 60: a minute a second, 0: no time at all
	Connections int     // calls at once; at most one a team; 1 with Clock
	Timeout     time.Duration
	Targets     map[string]*url.URL // by vendor
	Flags       map[string]string   // for the ledger
}

// line is a team with the way in which its exchange speaks.
type line struct {
	exchange *dialect.Exchange
	dialect  dialect.Dialect
	team     *flow.Team
	target   *url.URL
}

// lines builds the teams. Exchanges take turns, so that the first calls are of all; places count within a tenant, so
// that no extension is at two of its exchanges.
func (o Options) lines() []*line {
	var lines []*line
	places := map[string]int{}
	for i := range o.Teams * len(o.Exchanges) {
		e := o.Exchanges[i%len(o.Exchanges)]
		variants := e.Variants()
		d := variants[(uint64(i/len(o.Exchanges))+o.Seed)%uint64(len(variants))]
		_, shifts := d.(dialect.ShiftDialect)
		site := flow.Site{Tenant: e.Tenant, Region: e.Region, Scenarios: d.Scenarios(), Agents: shifts}
		team := flow.NewTeam(o.Seed, site, i, places[e.Tenant])
		places[e.Tenant]++
		lines = append(lines, &line{e, d, team, o.Targets[e.Vendor]})
	}
	return lines
}

// runner sends.
type runner struct {
	Options
	lines    []*line
	sender   *sender
	pace     pace
	ledger   *ledger.Writer
	stats    *Stats
	answered atomic.Bool // somebody ever was
	stop     context.CancelCauseFunc
}

// Run sends until all calls are made or the context ends, and then finishes the requests under way. The ledger is flushed
// every second and at the end. Run fails when the ledger cannot be written, or nobody listens where it sends to first.
func Run(ctx context.Context, o Options, w *ledger.Writer, stats *Stats) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	r := &runner{
		Options: o, lines: o.lines(), sender: newSender(o.Connections, o.Timeout), ledger: w, stats: stats, stop: stop,
	}
	defer r.sender.transport.CloseIdleConnections()
	if o.Rate > 0 {
		r.pace.interval = time.Duration(float64(time.Second) / o.Rate)
	}
	began := time.Now().UTC()
	w.Write(&ledger.Run{Version: ledger.Version, Seed: o.Seed, StartedAt: began, Flags: o.Flags})
	var workers, flusher sync.WaitGroup
	if o.Clock {
		workers.Go(func() { r.clock(ctx) })
	} else {
		for first := range o.Connections {
			workers.Go(func() { r.work(ctx, first) })
		}
	}
	sent, done := context.WithCancel(context.Background())
	flusher.Go(func() { r.flush(sent) })
	workers.Wait()
	done()
	flusher.Wait()
	w.Write(stats.Done(time.Since(began)))
	fatal, _ := errors.AsType[*unreachable](context.Cause(ctx))
	if err := w.Flush(); err != nil || fatal == nil {
		return err
	}
	return fatal
}

// flush keeps the ledger up to date, and ends the run when it cannot.
func (r *runner) flush(ctx context.Context) {
	for sleep(ctx, time.Second) {
		if err := r.ledger.Flush(); err != nil {
			r.stop(err)
			return
		}
	}
}

// unreachable ends a run.
type unreachable struct {
	target *url.URL
	err    error
}

func (u *unreachable) Error() string {
	return fmt.Sprintf("%s: nobody listens there: %v", u.target, u.err)
}

// work makes the calls of every team whose turn it is: each worker has teams of its own, so that a team's calls follow one
// another. Calls are numbered as if all teams took turns.
func (r *runner) work(ctx context.Context, first int) {
	for round := int64(0); ; round++ {
		for i := first; i < len(r.lines); i += r.Connections {
			number := round*int64(len(r.lines)) + int64(i) + 1
			if r.Calls > 0 && number > r.Calls {
				return
			}
			if !r.pace.wait(ctx) {
				return
			}
			r.call(ctx, r.lines[i], number)
		}
	}
}

// call sends one call with what the agents do before it.
func (r *runner) call(ctx context.Context, l *line, number int64) {
	now := r.Start
	if now.IsZero() {
		now = time.Now().UTC().Truncate(time.Second)
	}
	c := r.course(l, number, now)
	r.stats.calls.Add(1)
	for began := time.Now(); !c.over(); r.sendNext(ctx, c) {
		if !r.due(ctx, began, c.at().Sub(c.began)) {
			c.truth.Cut = true
			break
		}
	}
	r.ledger.Write(c.truth)
}

// due waits until so much of the call's own time has passed.
func (r *runner) due(ctx context.Context, began time.Time, at time.Duration) bool {
	if r.Speed == 0 {
		return ctx.Err() == nil
	}
	return sleep(ctx, time.Until(began.Add(time.Duration(float64(at)/r.Speed))))
}

// deliver sends one request, and again where the exchange does so. A request under way is never given up, since its
// answer counts.
func (r *runner) deliver(ctx context.Context, l *line, call int64, s step, agent string) {
	for attempt := 1; ; attempt++ {
		a := r.sender.send(l.target, s.Message)
		r.stats.Count(a.status, a.answeredAt.Sub(a.sent))
		r.ledger.Write(l.sent(call, s, agent, attempt, a))
		switch {
		case a.status != 0:
			r.answered.Store(true)
		case nobodyListens(a.err) && !r.answered.Load():
			r.stop(&unreachable{l.target, a.err})
		}
		if a.status != 0 && a.status < 500 {
			return
		}
		// A server that is down is not asked as fast as one that answers.
		if !sleep(ctx, 50*time.Millisecond<<attempt) || !s.Retry || attempt == maxAttempts {
			return
		}
	}
}

// pace spreads the beginnings of calls. A call that comes late delays those after it: there is no catching up.
type pace struct {
	interval time.Duration
	mu       sync.Mutex
	next     time.Time
}

func (p *pace) wait(ctx context.Context) bool {
	if p.interval == 0 {
		return ctx.Err() == nil
	}
	p.mu.Lock()
	at := p.next
	if now := time.Now(); now.After(at) {
		at = now
	}
	p.next = at.Add(p.interval)
	p.mu.Unlock()
	return sleep(ctx, time.Until(at))
}
