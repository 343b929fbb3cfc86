package sim

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/switchhook/switchhook/services/pbxsim/dialect"
	"github.com/switchhook/switchhook/services/pbxsim/flow"
	"github.com/switchhook/switchhook/services/pbxsim/ledger"
)

// FirstLive is the number of the first call that somebody asks for: far from those of a run, so that no id is made twice
// where both send to the same ingresses.
const FirstLive = 5_000_001

// Live sends what exchanges tell of calls that somebody asks for while they go on. One clock is that of all exchanges: it
// goes Speed times as fast as in life, or as in life when calls take no time. It is safe for concurrent use.
type Live struct {
	runner
	ctx     context.Context
	began   time.Time // by the clock of the exchanges, and
	started time.Time // by that of pbxsim

	mu      sync.Mutex
	last    int64
	ongoing []*ongoing // in the order of their beginning
	closed  bool
	tasks   sync.WaitGroup
}

// ongoing is a call that is under way. What changes is guarded by the mutex of Live.
type ongoing struct {
	line     *line
	number   int64
	call     *flow.Call
	messages []dialect.Message
	next     int           // of them
	wake     chan struct{} // has something when the call has taken a turn
}

// NewLive is ready for calls until the context ends, or the ledger cannot be written. Of the options only Seed, Start,
// Speed, Connections, Timeout, Targets and Flags count.
func NewLive(ctx context.Context, o Options, w *ledger.Writer, stats *Stats) *Live {
	l := &Live{last: FirstLive - 1, began: o.Start, started: time.Now().UTC()}
	if l.began.IsZero() {
		l.began = l.started.Truncate(time.Second)
	}
	ctx, stop := context.WithCancelCause(ctx)
	l.ctx = ctx
	l.runner = runner{Options: o, sender: newSender(o.Connections, o.Timeout), ledger: w, stats: stats, stop: stop}
	l.answered.Store(true) // that nobody listens does not end it
	w.Write(&ledger.Run{Version: ledger.Version, Seed: o.Seed, StartedAt: l.started, Flags: o.Flags})
	l.tasks.Go(func() { l.flush(ctx) })
	return l
}

// Ended is closed when no more calls are taken.
func (l *Live) Ended() <-chan struct{} { return l.ctx.Done() }

// Close ends the calls where they are, waits for requests under way, and returns what was wrong with the ledger.
func (l *Live) Close() error {
	l.stop(nil)
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	l.tasks.Wait()
	l.sender.transport.CloseIdleConnections()
	l.ledger.Write(l.stats.Done(time.Since(l.started)))
	return l.ledger.Flush()
}

// Dial begins a call at an exchange. A seed chooses which of its variants the exchange speaks.
func (l *Live) Dial(e *dialect.Exchange, click flow.Click) *flow.Call {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last++
	l.stats.calls.Add(1)
	call := click.Call(l.Seed, l.last, l.now().Truncate(time.Second))
	o := &ongoing{
		line: &line{exchange: e, dialect: l.Speaks(e), target: l.Targets[e.Vendor]}, number: l.last,
		wake: make(chan struct{}, 1),
	}
	o.plan(call)
	if !l.closed {
		l.ongoing = append(l.ongoing, o)
		l.tasks.Go(func() { l.play(o) })
	}
	return call
}

// Speaks returns the variant of an exchange.
func (l *Live) Speaks(e *dialect.Exchange) dialect.Dialect {
	variants := e.Variants()
	return variants[l.Seed%uint64(len(variants))]
}

// Ongoing is a call that is not over.
type Ongoing struct {
	*flow.Call
	Age time.Duration // whole seconds of the exchange's clock
}

// Current returns the calls of an exchange, the latest first.
func (l *Live) Current(e *dialect.Exchange) []Ongoing {
	l.mu.Lock()
	defer l.mu.Unlock()
	var calls []Ongoing
	for _, o := range slices.Backward(l.ongoing) {
		if age := l.age(o); o.line.exchange == e && age < o.call.Duration() {
			calls = append(calls, Ongoing{o.call, age})
		}
	}
	return calls
}

// Turn lets a call go on in another way, if it still can: turn returns how, or nil. What was sent stays.
func (l *Live) Turn(number int64, turn func(Ongoing) *flow.Call) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, o := range l.ongoing {
		if o.number != number {
			continue
		}
		next := turn(Ongoing{o.call, l.age(o)})
		if next == nil {
			return false
		}
		o.plan(next)
		select {
		case o.wake <- struct{}{}:
		default:
		}
		return true
	}
	return false
}

func (o *ongoing) plan(c *flow.Call) {
	o.call = c
	if dialect.CanTell(o.line.dialect, c.Direction) {
		o.messages = o.line.dialect.Call(c)
	}
}

// age is how long a call has gone on. What was sent has happened, also where calls take no time.
func (l *Live) age(o *ongoing) time.Duration {
	age := l.now().Sub(o.call.Start).Truncate(time.Second)
	if o.next > 0 {
		age = max(age, o.messages[o.next-1].At.Sub(o.call.Start))
	}
	return age
}

// now is the time on the exchanges' clock.
func (l *Live) now() time.Time {
	passed := time.Since(l.started)
	if l.Speed > 0 {
		passed = time.Duration(float64(passed) * l.Speed)
	}
	return l.began.Add(passed)
}

// play sends what there is to tell of a call, each at its time.
func (l *Live) play(o *ongoing) {
	for {
		s, wait, over := l.take(o)
		switch {
		case over:
			return
		case wait > 0:
			o.rest(l.ctx, wait)
		default:
			l.deliver(l.ctx, o.line, o.number, s, "")
		}
	}
}

// take returns what is sent next of a call, unless it is not time yet. When there is nothing more, it writes the truth.
func (l *Live) take(o *ongoing) (s step, wait time.Duration, over bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if o.next == len(o.messages) || l.ctx.Err() != nil {
		l.ongoing = slices.DeleteFunc(l.ongoing, func(other *ongoing) bool { return other == o })
		truth := o.line.truth(o.call, o.messages)
		truth.Cut = o.next < len(o.messages)
		l.ledger.Write(truth)
		return s, 0, true
	}
	s = step{Message: o.messages[o.next], seq: o.next}
	if wait = l.until(s.At); wait <= 0 {
		o.next++
	}
	return s, wait, false
}

// until is how long it takes until a time of the exchanges' clock.
func (l *Live) until(at time.Time) time.Duration {
	if l.Speed == 0 {
		return 0
	}
	return time.Duration(float64(at.Sub(l.now())) / l.Speed)
}

// rest waits, but not when the call takes a turn.
func (o *ongoing) rest(ctx context.Context, wait time.Duration) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-o.wake:
	case <-ctx.Done():
	}
}
