package main

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"sync"
	"time"
)

// officeOptions are what -sockets measures.
type officeOptions struct {
	sockets, slow, rate, rounds int
	ingress, gateway, agents    string
}

const (
	roundLength = 18 * time.Second
	settleLimit = time.Minute // for what was posted to arrive
	slowLines   = 2           // that the slow pages share: each event goes to many at once
)

// office is a tenant with its pages, and the programs that serve them.
type office struct {
	officeOptions
	programs
	exchange     *exchange
	gatewayAddr  string
	gatewayAdmin string
	gatewayArgs  []string
	process      *exec.Cmd // the gateway
	people       []*person // each with a page
	crowd        []*person // at whose lines the slow pages are
	pages, slows []*page
	calls        *ledger // of people
	flood        *ledger // of the crowd
	rows         map[string][]round
}

// round is what was measured for a time.
type round struct {
	answered, due  []time.Duration // until frames came: since the webhook was answered, and since it was due; sorted
	cpu            float64         // processors that the gateway was busy on
	missed, doubly int
}

func (r round) p99() time.Duration { return percentile(r.answered, 99) }

func percentile(sorted []time.Duration, percent int) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(len(sorted)-1, len(sorted)*percent/100)]
}

func measureSockets(ctx context.Context, options officeOptions) error {
	if err := roomFor(options.sockets); err != nil {
		return err
	}
	options.slow -= options.slow % slowLines
	folder, err := os.MkdirTemp("", "switchhook-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	o := &office{
		officeOptions: options, calls: &ledger{prefix: "777"}, flood: &ledger{prefix: "666"}, rows: map[string][]round{},
	}
	defer o.stop()
	if err := o.begin(ctx, folder); err != nil {
		return err
	}
	for _, step := range []func(context.Context) error{o.hire, o.open, o.compare, o.storm} {
		if err := step(ctx); err != nil {
			return err
		}
		if load, err := os.ReadFile("/proc/loadavg"); err == nil { // other programs change the figures
			fmt.Printf("load of the machine: %s", load)
		}
	}
	return nil
}

// compare measures the same traffic with nothing else, with a flood at the lines of some pages that read it, and with a flood
// that they do not read.
func (o *office) compare(ctx context.Context) error {
	const quiet, read, unread = "nothing else", "flood, read", "flood, unread"
	var out outcome
	for range o.rounds {
		for _, step := range []struct {
			name        string
			flood, read bool
		}{{quiet, false, true}, {read, true, true}, {unread, true, false}} {
			r, err := o.round(ctx, step.flood, step.read, &out)
			if err != nil {
				return fmt.Errorf("%s: %w", step.name, err)
			}
			o.rows[step.name] = append(o.rows[step.name], r)
		}
	}
	fmt.Printf("\n%-16s %8s %9s %9s %9s %12s %9s %7s %7s %8s\n", "besides", "frames", "p50 ms", "p99 ms", "max ms", "whole p99 ms",
		"cpu", "missed", "twice", "of read")
	for _, name := range []string{quiet, read, unread} {
		r := middle(o.rows[name])
		missed, doubly := 0, 0
		for _, each := range o.rows[name] {
			missed, doubly = missed+each.missed, doubly+each.doubly
		}
		fmt.Printf("%-16s %8d %9.2f %9.2f %9.2f %12.2f %9.2f %7d %7d %8.2f\n", name, len(r.answered), ms(percentile(r.answered, 50)),
			ms(r.p99()), ms(percentile(r.answered, 100)), ms(percentile(r.due, 99)), r.cpu, missed, doubly,
			shareOf(o.rows[name], o.rows[read]))
	}
	fmt.Printf("\nslow pages: %s\n", &out)
	return nil
}

// shareOf returns the median share that p99s have of those measured beside them.
func shareOf(rounds, beside []round) float64 {
	var shares []float64
	for i := range rounds {
		shares = append(shares, float64(rounds[i].p99())/float64(max(1, beside[i].p99())))
	}
	slices.Sort(shares)
	return shares[len(shares)/2]
}

func middle(rounds []round) round {
	rounds = slices.Clone(rounds)
	slices.SortFunc(rounds, func(a, b round) int { return cmp.Compare(a.p99(), b.p99()) })
	return rounds[len(rounds)/2]
}

// round rings the phones for a time.
func (o *office) round(ctx context.Context, flood, read bool, out *outcome) (round, error) {
	resume := func() {}
	if !read {
		resume = pauseAll(o.slows)
	}
	before := out.note(o.slows)
	busy, err := cpuTime(o.process)
	if err != nil {
		return round{}, err
	}
	begun := time.Now()
	var flooding sync.WaitGroup
	var flooded error
	firstOfFlood := 0
	if flood {
		flooding.Go(func() {
			firstOfFlood, flooded = o.exchange.ring(ctx, o.flood, o.crowd, o.rate, roundLength)
		})
	}
	first, err := o.exchange.ring(ctx, o.calls, o.people, o.rate, roundLength)
	flooding.Wait()
	if err = cmp.Or(err, flooded); err != nil {
		return round{}, err
	}
	took := time.Since(begun)
	after, err := cpuTime(o.process)
	if err != nil {
		return round{}, err
	}
	resume()
	if !read {
		if err := o.recover(ctx); err != nil {
			return round{}, err
		}
		out.add(o.slows, before)
	}
	r, err := settle(ctx, o.calls, first, 1)
	if err != nil {
		return r, err
	}
	if flood && read { // then these pages, too, are told everything
		all, err := settle(ctx, o.flood, firstOfFlood, o.slow/slowLines)
		if err != nil {
			return r, err
		}
		r.missed, r.doubly = r.missed+all.missed, r.doubly+all.doubly
	}
	r.cpu = (after - busy).Seconds() / took.Seconds()
	return r, nil
}

// settle waits until the frames of all calls from one on have come to so many pages each, and returns when they did.
func settle(ctx context.Context, l *ledger, first, pages int) (round, error) {
	limit := time.Now().Add(settleLimit)
	var r round
	for {
		r = round{}
		for _, e := range l.since(first) {
			switch {
			case e.times < pages:
				r.missed++
				continue
			case e.times > pages:
				r.doubly++
			}
			r.answered = append(r.answered, max(0, e.arrived.Sub(e.answered)))
			r.due = append(r.due, e.arrived.Sub(e.due))
		}
		if r.missed == 0 || time.Now().After(limit) {
			break
		}
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return r, err
		}
	}
	slices.Sort(r.answered)
	slices.Sort(r.due)
	return r, nil
}

// recover lets a phone ring at each line of the slow pages, and waits until all of them know that, and of nothing else.
func (o *office) recover(ctx context.Context) error {
	first := o.flood.grow(len(o.crowd))
	for i, at := range o.crowd {
		if err := o.exchange.post(ctx, "Ringing", o.flood.number(first+i), fmt.Sprintf("mark.%d", first+i), at); err != nil {
			return err
		}
	}
	err := o.await(ctx, "slow pages that know what goes on", o.slows, func(p *page) bool {
		return len(p.open) == 1 && p.open[o.flood.number(first+slices.Index(o.crowd, p.person))]
	})
	if err != nil {
		return err
	}
	for i, at := range o.crowd {
		if err := o.exchange.post(ctx, "Hangup", o.flood.number(first+i), fmt.Sprintf("mark.%d", first+i), at); err != nil {
			return err
		}
	}
	return o.await(ctx, "slow pages that know that it is over", o.slows, func(p *page) bool { return len(p.open) == 0 })
}

// await waits until a condition holds for all pages. It is called with the page's lock held.
func (o *office) await(ctx context.Context, what string, pages []*page, condition func(*page) bool) error {
	limit := time.Now().Add(settleLimit)
	for {
		held := 0
		for _, p := range pages {
			p.mu.Lock()
			if condition(p) {
				held++
			}
			p.mu.Unlock()
		}
		if held == len(pages) {
			return nil
		}
		if time.Now().After(limit) {
			return fmt.Errorf("want %d %s, have %d after %s", len(pages), what, held, settleLimit)
		}
		if err := pause(ctx, 20*time.Millisecond); err != nil {
			return err
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func pauseAll(pages []*page) (resume func()) {
	var all []func()
	for _, p := range pages {
		all = append(all, p.pause())
	}
	return func() {
		for _, resume := range all {
			resume()
		}
	}
}

// ready waits until a program says that it is ready.
func ready(ctx context.Context, admin string) error {
	limit := time.Now().Add(settleLimit)
	for {
		response, err := http.Get("http://" + admin + "/readyz")
		if err == nil {
			_ = response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return nil
			}
			err = fmt.Errorf("readyz answers %s", response.Status)
		}
		if time.Now().After(limit) {
			return err
		}
		if err := pause(ctx, 10*time.Millisecond); err != nil {
			return err
		}
	}
}
