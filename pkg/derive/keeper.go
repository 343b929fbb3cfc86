// Package derive keeps the replicas of a service in step that derives events from the stream, such as agent-state. The
// service's core says what follows from the events; a Keeper brings it every event, publishes what it derives, and keeps
// buckets as it says.
//
// Every replica follows the whole stream and knows the same; one of them at a time publishes and writes for a tenant, and any
// other takes over when it falls silent. No election decides who that is. What the core derives waits until it is read back
// from the stream: the active replica, which is the one that published last, publishes it at once, the others only when nobody
// has for a while. Publishing is fenced by the sequence of the tenant's last own event, so a replica that was paused, and does
// not know what came meanwhile, cannot publish at all.
//
// So a tenant's own events stand in the stream once each, in the order in which any replica derives them. That replicas run
// with different settings for a while, as during an upgrade, does not hold them up: what one of them derives and nobody else
// does, it publishes when nobody has.
package derive

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/oklog/run"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/switchhook/switchhook/pkg/bus"
	"github.com/switchhook/switchhook/pkg/fault"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

const (
	// patience is how long a replica waits for another to publish or write what both know.
	patience = time.Second
	// retry is the pause before what did not work is tried again.
	retry = 200 * time.Millisecond
	// publishLimit is how long the acknowledgement of one event, or of one row, may take.
	publishLimit = 2 * time.Second
	// tick is how often it is looked what time alone has brought, and what is still to be published.
	tick = 100 * time.Millisecond
	// writeEvery is how often the buckets are written while something changes.
	writeEvery = 250 * time.Millisecond
	// compareEvery is how often all rows are compared with what the core knows: a bucket may have been lost.
	compareEvery = 3 * time.Second
	// forgottenAfter is from which age on nobody is told of what nobody was told of at its time.
	forgottenAfter = time.Hour
)

// Core says what follows from the events of the stream. It has no clock: replicas that read the same come to the same.
type Core interface {
	// Apply takes the next event of the stream, the service's own among them: its sequence, and the stream's clock at it,
	// which never goes back. It returns what is to be published, in order.
	Apply(sequence uint64, at time.Time, ev *pbxv1.Event) []*pbxv1.Event
	// Due returns the first event that time alone has brought by now, and that Apply would return with the next event; nil
	// for none. It changes nothing: read back from the stream, the event brings the time along.
	Due(now time.Time) *pbxv1.Event
}

// Options are what a Keeper works with. The functions, all but Loaded, are called with the core locked, so they must not call
// methods of the keeper, Active excepted.
type Options struct {
	Bus     *bus.Bus
	Log     *slog.Logger
	Metrics prometheus.Registerer // nil for none

	Name    string // of the service, such as agent-state
	Derives string // what it derives, in the plural, for metrics and the log: transitions
	Own     string // the end of its events' subjects, behind the tenant: agent.state_changed, or missed_call.*
	Core    Core

	// Same reports whether a derived event is one that was read, even under another id; nil: never.
	Same func(derived, read *pbxv1.Event) bool
	// About names whom or what an own event tells of within its tenant. A derived event that is read settles those that were
	// derived before it about the same, as it tells what is newer. nil: it settles itself alone.
	About func(*pbxv1.Event) string

	// Restore is called once, before the first Apply, when all rows are loaded: for what is known from before the stream's
	// first event, which was at that time; now, if the stream is empty. It is cut when it once had events before. May be nil.
	Restore func(first time.Time, cut bool)
	// Trace is called with each event that comes, before Apply, and with its headers, which say to which trace it belongs. May be nil.
	Trace func(ev *pbxv1.Event, headers map[string][]string)
	// CaughtUp is called once, when all that was stored at the start has been applied. May be nil.
	CaughtUp func()
	// Note is called before rows are written, to note those that have changed since, or all there are. May be nil.
	Note func(all bool)
	// Loaded reports whether following may begin, if it must wait for more than the keeper's rows. May be nil.
	Loaded func() bool

	// Clock says what time the stream is at an event; by default, when it was stored.
	Clock func(bus.Stored[*pbxv1.Event]) time.Time
	Now   func() time.Time // by default time.Now
}

// Keeper brings a core the events of the stream, publishes what it derives, and keeps buckets as it says. It is safe for
// concurrent use.
type Keeper struct {
	o       Options
	metrics metrics
	rows    []keptRows

	mu       sync.Mutex // guards the core, too
	moved    *sync.Cond // an event was read, or a publisher has finished
	began    bool       // the core was told what was before the stream
	last     uint64     // sequence of the last event read
	clock    time.Time  // of the stream
	live     bool       // all that was stored at the start has been read
	compared time.Time  // when all rows were

	chains     sync.Map      // *chain by tenant
	wake       chan struct{} // of capacity 1: there may be something to publish
	publishing sync.WaitGroup
}

// New returns a keeper that does nothing before its actors run.
func New(o Options) *Keeper {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Clock == nil {
		o.Clock = func(s bus.Stored[*pbxv1.Event]) time.Time { return s.At }
	}
	k := &Keeper{o: o, metrics: newMetrics(&o), wake: make(chan struct{}, 1)}
	k.moved = sync.NewCond(&k.mu)
	return k
}

// Do does something with the core locked, such as asking or configuring it.
func (k *Keeper) Do(something func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	something()
}

// Active reports whether this replica is the one that publishes for a tenant: it published the tenant's last own event, for
// all it knows. There may be none, as after a start, or two, who published the same at once; both can only do the same. It may
// be asked with the core locked, too.
func (k *Keeper) Active(tenant string) bool { return k.chain(tenant).active.Load() }

// Ready returns nil once all that was stored at the start has been read; fault.Unavailable before.
func (k *Keeper) Ready() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.ready()
}

func (k *Keeper) ready() error {
	if !k.live {
		return fault.New(fault.Unavailable, "%s is still reading the stream, at event %d", k.o.Name, k.last)
	}
	return nil
}

// Join adds the actors that a keeper consists of to a group. Its rows must have been made before.
func (k *Keeper) Join(g *run.Group) {
	for _, r := range k.rows {
		g.Add(r.Maintain())
	}
	g.Add(k.follow())
	announce, stop := every(tick, k.announce, k.wake)
	g.Add(func() error { defer k.publishing.Wait(); return announce() }, stop)
	g.Add(every(tick, k.pass, nil))
	g.Add(every(writeEvery, k.write, nil))
}

// chain returns the chain of a tenant.
func (k *Keeper) chain(tenant string) *chain {
	c, ok := k.chains.Load(tenant)
	if !ok {
		c, _ = k.chains.LoadOrStore(tenant, &chain{tenant: tenant})
	}
	return c.(*chain)
}

// all calls a function for each tenant's chain.
func (k *Keeper) all(do func(*chain)) {
	k.chains.Range(func(_, c any) bool {
		do(c.(*chain))
		return true
	})
}

// await waits until a condition holds. The keeper is locked, but not while it waits.
func (k *Keeper) await(ctx context.Context, what string, condition func() bool) error {
	stop := context.AfterFunc(ctx, func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.moved.Broadcast()
	})
	defer stop()
	for !condition() {
		if ctx.Err() != nil {
			return fault.New(fault.Unavailable, "%s waited for %s: %w", k.o.Name, what, ctx.Err())
		}
		k.moved.Wait()
	}
	return nil
}

// every returns an actor that does something each interval, and when it is woken.
func every(
	interval time.Duration, do func(context.Context), wake <-chan struct{},
) (execute func() error, interrupt func(error)) {
	ctx, cancel := context.WithCancel(context.Background())
	return func() error {
			ticker := time.NewTicker(interval)
			defer ticker.Stop()
			for {
				select {
				case <-ctx.Done():
					return nil
				case <-wake:
				case <-ticker.C:
				}
				do(ctx)
			}
		}, func(error) {
			cancel()
		}
}
