package spool

import (
	"context"
	"fmt"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/switchhook/switchhook/pkg/fault"
	"github.com/switchhook/switchhook/pkg/spool/disk"
)

const (
	// retry is after which time JetStream is tried again.
	retry = 250 * time.Millisecond
	// together is how many messages are on their way at once.
	together = 512
	// ackLimit bounds the wait for the acknowledgements of those.
	ackLimit = 2 * time.Second
	// lookLimit bounds looking through a stream.
	lookLimit = time.Minute
	// clocks is how far ours and the servers' may be apart.
	clocks = 10 * time.Minute
)

// Drain returns an actor that publishes what waits, oldest first. Interrupted, it goes on until nothing waits, at most for
// Options.Last; interrupt it when nothing is stored any more, and end the bus behind it.
func (s *Spool) Drain() (execute func() error, interrupt func(error)) {
	ctx, cancel := context.WithCancel(context.Background())
	stopping, done := make(chan struct{}), make(chan struct{})
	return func() error {
			defer close(done)
			var lanes sync.WaitGroup
			for _, l := range []*lane{s.events, s.quarantine} {
				lanes.Go(func() { l.drain(ctx, stopping) })
			}
			lanes.Wait()
			if left := s.stats(); left.Records > 0 {
				s.options.Log.Warn("spool: not empty, the next process in this folder goes on", "records", left.Records)
			}
			return nil
		}, func(error) {
			close(stopping)
			select {
			case <-done:
			case <-time.After(s.options.Last):
			}
			cancel()
		}
}

// drain drains a lane until it is stopped and nothing waits, or the context ends.
func (l *lane) drain(ctx context.Context, stopping <-chan struct{}) {
	complaint := ""
	for {
		err := l.empties(ctx)
		if ctx.Err() != nil {
			return
		}
		complaint = l.complain(err, complaint)
		if err != nil {
			select {
			case <-time.After(retry):
			case <-ctx.Done():
			}
			continue
		}
		select {
		case <-l.queue.Appended():
		case <-stopping:
			if l.queue.Stats().Records == 0 {
				return
			}
		case <-ctx.Done():
		}
	}
}

// complain logs an error once for as long as it stays the same, and returns what it logged.
func (l *lane) complain(err error, last string) string {
	switch {
	case err == nil && last != "":
		l.options.Log.Info("spool: JetStream takes what waited", "stream", l.stream)
	case err != nil && err.Error() != last:
		l.options.Log.Warn("spool: events wait", "stream", l.stream, "records", l.queue.Stats().Records, "err", err)
	}
	if err == nil {
		return ""
	}
	return err.Error()
}

// empties publishes until nothing waits.
func (l *lane) empties(ctx context.Context) error {
	for {
		if l.batch == nil {
			oldest, err := l.queue.Oldest()
			if err != nil {
				return err
			}
			if oldest == nil {
				l.behind.Store(false)
				return nil
			}
			l.batch = &batch{Batch: oldest, left: oldest.Records, unknown: oldest.Since}
		}
		for len(l.batch.left) > 0 {
			if err := l.settle(ctx, l.batch); err != nil {
				return err
			}
		}
		l.queue.Remove(l.batch.Batch)
		l.batch = nil
	}
}

// batch is what is being drained.
type batch struct {
	*disk.Batch
	left []disk.Record
	// unknown is a time at which the stream had none of what is left. Whatever was sent since then and arrived, the stream
	// remembers by its id for the duplicate window. Zero: there is no such time.
	unknown time.Time
}

// settle publishes some of a batch. What was sent before may have been stored though nobody told us: when JetStream may have
// forgotten the id, it is looked for in the stream first.
//
// This takes a message that was sent to be stored within half of the duplicate window, or never.
func (l *lane) settle(ctx context.Context, b *batch) error {
	if !l.options.Bus.Connected() {
		return fault.New(fault.Unavailable, "not connected to NATS")
	}
	window, err := l.options.Bus.DuplicateWindow(ctx, l.stream)
	if err != nil {
		return err
	}
	if b.unknown.IsZero() || elapsed(b.unknown) > window/2 {
		limited, cancel := context.WithTimeout(ctx, min(lookLimit, window/2))
		defer cancel()
		if err := l.look(limited, b); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, min(ackLimit, window/2))
	defer cancel()
	return l.send(ctx, b)
}

// elapsed is how long ago a time was, by the clock that says longer: one does not count while a machine sleeps, the other can
// be set back.
func elapsed(since time.Time) time.Duration {
	return max(time.Since(since), time.Now().Round(0).Sub(since.Round(0)))
}

// look leaves out what the stream has.
func (l *lane) look(ctx context.Context, b *batch) error {
	began := time.Now()
	ids := make(map[string]bool, len(b.left))
	oldest := began
	for i := range b.left {
		ids[b.left[i].ID] = true
		if b.left[i].At.Before(oldest) {
			oldest = b.left[i].At
		}
	}
	known, err := l.options.Bus.Known(ctx, l.stream, oldest.Add(-clocks), ids)
	if err != nil {
		return err
	}
	left := make([]disk.Record, 0, len(b.left))
	for i := range b.left {
		if !known[b.left[i].ID] {
			left = append(left, b.left[i])
		}
	}
	l.progress(b, left, len(b.left)-len(left))
	b.unknown = began
	return nil
}

// send publishes the oldest of what is left, each a single time.
func (l *lane) send(ctx context.Context, b *batch) error {
	now := b.left[:min(together, len(b.left))]
	waits := make([]func() error, len(now))
	for i := range now {
		waits[i] = l.start(ctx, &now[i])
	}
	var left []disk.Record
	var errs []error
	stored := 0
	for i, wait := range waits {
		err := wait()
		switch {
		case err == nil:
			stored++
			l.behind.Store(false)
		case fault.Is(err, fault.Invalid):
			l.options.Log.Error("spool: JetStream will never take this, set aside", "stream", l.stream, "id", now[i].ID, "err", err)
			err = l.queue.SetAside(b.Batch, now[i])
		}
		if err != nil {
			left, errs = append(left, now[i]), append(errs, err)
		}
	}
	l.progress(b, append(left, b.left[len(now):]...), stored)
	if len(errs) > 0 {
		return fmt.Errorf("%d of %d not stored: %w", len(errs), len(now), errs[0])
	}
	return nil
}

func (l *lane) start(ctx context.Context, r *disk.Record) (wait func() error) {
	m := l.empty()
	if err := proto.Unmarshal(r.Data, m); err != nil {
		return func() error { return fault.New(fault.Invalid, "decode: %w", err) }
	}
	return l.options.Bus.Send(withTrace(ctx, r.Trace), m)
}

// progress notes what of a batch is left, and how many of the others the stream has.
func (l *lane) progress(b *batch, left []disk.Record, stored int) {
	l.metrics.drained.Add(float64(stored))
	b.left = left
	l.queue.Left(b.Batch, left)
}
