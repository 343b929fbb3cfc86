package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/coder/websocket"
)

// tooSlow closes the socket of a client that does not keep up.
const tooSlow = websocket.StatusCode(4429)

// outcome is what became of the slow pages.
type outcome struct{ refused, lost, kept, caughtUp, snapshots int }

// note returns where the pages are.
func (*outcome) note(pages []*page) (at [][2]int) {
	for _, p := range pages {
		p.mu.Lock()
		at = append(at, [2]int{len(p.closes), p.snapshots})
		p.mu.Unlock()
	}
	return at
}

// add adds what became of pages since then.
func (o *outcome) add(pages []*page, before [][2]int) {
	for i, p := range pages {
		p.mu.Lock()
		closes, snapshot := p.closes[before[i][0]:], p.snapshots > before[i][1]
		switch {
		case len(closes) == 0:
			o.kept++
		case closes[0] == tooSlow:
			o.refused++
		default:
			o.lost++
		}
		switch {
		case len(closes) == 0:
		case snapshot:
			o.snapshots++
		default:
			o.caughtUp++
		}
		p.mu.Unlock()
	}
}

// String implements fmt.Stringer.
func (o *outcome) String() string {
	return fmt.Sprintf("%d closed with 4429, %d pushed out without a code, %d stayed; all came back: %d by frames, %d by a snapshot",
		o.refused, o.lost, o.kept, o.caughtUp, o.snapshots)
}

// storm kills the gateway while phones ring, starts it again, and measures how long its pages are away.
func (o *office) storm(ctx context.Context) error {
	before := 0
	for _, p := range slices.Concat(o.pages, o.slows) {
		before += p.countSnapshots()
	}
	first := make(chan int, 1)
	var ringing error
	go func() {
		var n int
		n, ringing = o.exchange.ring(ctx, o.calls, o.people, o.rate, roundLength)
		first <- n
	}()
	if err := pause(ctx, 4*time.Second); err != nil {
		return err
	}
	killed := time.Now()
	o.kill(o.process)
	if err := o.serve(ctx); err != nil {
		return err
	}
	ready := time.Since(killed)
	all := slices.Concat(o.pages, o.slows)
	if err := o.await(ctx, "pages that are back", all, func(p *page) bool { return p.back.After(killed) }); err != nil {
		return err
	}
	n := <-first
	if ringing != nil {
		return ringing
	}
	r, err := settle(ctx, o.calls, n, 1)
	if err != nil {
		return err
	}
	var back []time.Duration
	snapshots := -before
	for _, p := range all {
		back = append(back, p.isBack().Sub(killed))
		snapshots += p.countSnapshots()
	}
	slices.Sort(back)
	busy, err := cpuTime(o.process)
	if err != nil {
		return err
	}
	fmt.Printf("\ngateway killed and started: ready after %.2f s; of %d pages half were back after %.2f s, 99 %% after %.2f s, all after %.2f s\n",
		ready.Seconds(), len(back), percentile(back, 50).Seconds(), percentile(back, 99).Seconds(), percentile(back, 100).Seconds())
	fmt.Printf("of %d frames meanwhile %d missed, %d twice; %d pages got a snapshot instead; processor time until then %.1f s\n",
		len(r.answered)+r.missed, r.missed, r.doubly, snapshots, busy.Seconds())
	return nil
}
