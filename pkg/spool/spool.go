// Package spool keeps what JetStream does not take now: on disk, until it does. An exchange is answered meanwhile.
//
// Each stream has a queue of its own, in a folder of its own, so that one which takes nothing does not hold up the other.
package spool

import (
	"context"
	"log/slog"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/propagation"
	"google.golang.org/protobuf/proto"

	"github.com/switchhook/switchhook/pkg/bus"
	"github.com/switchhook/switchhook/pkg/event"
	"github.com/switchhook/switchhook/pkg/fault"
	"github.com/switchhook/switchhook/pkg/spool/disk"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// Bus is what a spool needs of a bus.Bus.
type Bus interface {
	Publish(ctx context.Context, events ...*pbxv1.Event) error
	Quarantine(ctx context.Context, q *pbxv1.Quarantined) error
	Send(ctx context.Context, m proto.Message) (wait func() error)
	Known(ctx context.Context, stream string, since time.Time, ids map[string]bool) (map[string]bool, error)
	DuplicateWindow(ctx context.Context, stream string) (time.Duration, error)
	Connected() bool
	Ready() error
}

// DefaultMaxBytes is how much a spool holds unless told otherwise.
const DefaultMaxBytes = 256 << 20

// Options say where a spool is. Folder and Bus are needed.
type Options struct {
	Folder   string // made when missing; one process's at a time
	MaxBytes int64  // of all that waits; zero: DefaultMaxBytes
	Bus      Bus
	// Patience is how long JetStream may take to acknowledge before an event goes to the disk. Zero: 500 ms, since some
	// exchanges wait a second for their answer.
	Patience time.Duration
	// Last is how long the drainer goes on when it is interrupted and something still waits. Zero: 20 s.
	Last    time.Duration
	Metrics prometheus.Registerer // may be nil
	Log     *slog.Logger          // may be nil
}

// Spool is an ingress.Store. It is safe for concurrent use.
type Spool struct {
	options    Options
	budget     *disk.Budget
	metrics    metrics
	events     *lane
	quarantine *lane
	met        atomic.Bool // JetStream was there once
}

// Open opens a spool with what an earlier process left in it. Nothing leaves it before Drain runs.
func Open(o Options) (*Spool, error) {
	if o.MaxBytes == 0 {
		o.MaxBytes = DefaultMaxBytes
	}
	if o.Patience == 0 {
		o.Patience = 500 * time.Millisecond
	}
	if o.Last == 0 {
		o.Last = 20 * time.Second
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	s := &Spool{options: o, budget: &disk.Budget{Max: o.MaxBytes}, metrics: newMetrics()}
	var err error
	if s.events, err = s.lane(bus.EventStream, "events", func() proto.Message { return new(pbxv1.Event) }); err != nil {
		return nil, err
	}
	s.quarantine, err = s.lane(bus.QuarantineStream, "quarantine", func() proto.Message { return new(pbxv1.Quarantined) })
	if err != nil {
		s.events.queue.Close()
		return nil, err
	}
	if o.Metrics != nil {
		s.metrics.register(o.Metrics, o.MaxBytes, s.stats)
	}
	if found := s.stats(); found.Records > 0 {
		o.Log.Info("spool: events of an earlier process wait", "records", found.Records, "bytes", found.Bytes)
	}
	return s, nil
}

// Close closes the files. What waits stays on disk.
func (s *Spool) Close() {
	s.events.queue.Close()
	s.quarantine.queue.Close()
}

// Publish implements ingress.Store.
func (s *Spool) Publish(ctx context.Context, events ...*pbxv1.Event) error {
	for _, ev := range events {
		if _, err := event.Subject(ev); err != nil { // else it would wait for ever
			return fault.New(fault.Invalid, "publish: %w", err)
		}
	}
	messages := make([]identified, len(events))
	for i, ev := range events {
		messages[i] = ev
	}
	return s.events.store(ctx, messages, func(ctx context.Context) error { return s.options.Bus.Publish(ctx, events...) })
}

// Quarantine implements ingress.Store.
func (s *Spool) Quarantine(ctx context.Context, q *pbxv1.Quarantined) error {
	if _, err := event.QuarantineSubject(q); err != nil {
		return fault.New(fault.Invalid, "publish: %w", err)
	}
	return s.quarantine.store(ctx, []identified{q}, func(ctx context.Context) error { return s.options.Bus.Quarantine(ctx, q) })
}

// Ready returns nil when what comes now is stored: by JetStream or, where that is away, here. A process that has never met
// JetStream is not ready: it may be told the wrong address, and must not take the place of one that works.
func (s *Spool) Ready() error {
	err := s.options.Bus.Ready()
	switch {
	case err == nil:
		s.met.Store(true)
		return nil
	case s.met.Load() && !s.budget.Full():
		return nil
	}
	return err
}

func (s *Spool) stats() disk.Stats {
	all, more := s.events.queue.Stats(), s.quarantine.queue.Stats()
	all.Records += more.Records
	all.Bytes += more.Bytes
	if all.Oldest.IsZero() || !more.Oldest.IsZero() && more.Oldest.Before(all.Oldest) {
		all.Oldest = more.Oldest
	}
	return all
}

// lane is what goes to one stream.
type lane struct {
	*Spool
	stream string
	queue  *disk.Queue
	empty  func() proto.Message
	// behind means that JetStream did not take something, and has taken nothing since. What comes then goes to the disk at once,
	// and what the drainer sends is how we learn that JetStream is back.
	behind atomic.Bool
	batch  *batch // the drainer's
}

func (s *Spool) lane(stream, folder string, empty func() proto.Message) (*lane, error) {
	queue, err := disk.Open(filepath.Join(s.options.Folder, folder), s.budget, s.options.Log)
	return &lane{Spool: s, stream: stream, queue: queue, empty: empty}, err
}

// identified is a message with the id that JetStream knows it by.
type identified interface {
	proto.Message
	GetId() string
}

// store stores messages of one request: with JetStream if it takes them soon, else on disk, and if that is full with JetStream
// once more, for as long as the context lasts.
func (l *lane) store(ctx context.Context, messages []identified, publish func(context.Context) error) error {
	began := time.Now()
	if !l.behind.Load() && l.options.Bus.Connected() {
		trial, cancel := context.WithTimeout(ctx, l.options.Patience)
		err := publish(trial)
		cancel()
		if err == nil || fault.Is(err, fault.Invalid) {
			return err
		}
		l.options.Log.DebugContext(ctx, "JetStream does not take it, to the spool with it", "stream", l.stream, "err", err)
	}
	refused := l.append(ctx, began, messages)
	if refused == nil {
		return nil
	}
	if err := publish(ctx); err != nil {
		return fault.New(fault.Of(err), "%w; %w", refused, err)
	}
	return nil
}

func (l *lane) append(ctx context.Context, began time.Time, messages []identified) error {
	records := make([]disk.Record, len(messages))
	for i, m := range messages {
		data, err := proto.Marshal(m)
		if err != nil {
			return fault.New(fault.Invalid, "write %q to spool: %w", m.GetId(), err)
		}
		records[i] = disk.Record{ID: m.GetId(), At: began, Trace: traceOf(ctx), Data: data}
	}
	before := l.behind.Swap(true) // not afterwards: the drainer may be faster
	if err := l.queue.Append(ctx, records...); err != nil {
		if !before {
			l.behind.Store(false) // nothing may be there that the drainer could learn from
		}
		l.metrics.refused.Add(float64(len(records)))
		return err
	}
	l.metrics.written.Add(float64(len(records)))
	return nil
}

// traceparent is the header of the W3C trace context.
const traceparent = "traceparent"

func traceOf(ctx context.Context) string {
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, carrier)
	return carrier[traceparent]
}

func withTrace(ctx context.Context, trace string) context.Context {
	return propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{traceparent: trace})
}
