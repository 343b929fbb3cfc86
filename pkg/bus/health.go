package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/switchhook/switchhook/pkg/config"
	"github.com/switchhook/switchhook/pkg/fault"
)

const (
	// probeEvery is how often JetStream is asked whether it is there.
	probeEvery = time.Second
	// lately is how long an acknowledgement counts: a probe or two may be lost.
	lately = 3 * probeEvery
)

// health remembers what JetStream said last.
type health struct {
	mu      sync.Mutex
	ack     time.Time // the last acknowledgement, of a publish or a probe
	refused error     // why the last publish failed; nil when the last one succeeded
	since   time.Time // when it failed
}

// published notes the outcome of a publish, and returns it.
func (h *health) published(err error) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err != nil {
		h.refused, h.since = err, time.Now()
		return err
	}
	h.refused, h.ack = nil, time.Now()
	return nil
}

func (h *health) probed() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ack = time.Now()
}

func (h *health) ready(now time.Time) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.ack.IsZero():
		return fault.New(fault.Unavailable, "JetStream has not acknowledged anything yet")
	case now.Sub(h.ack) > lately:
		return fault.New(fault.Unavailable, "JetStream acknowledged last %s ago", now.Sub(h.ack).Round(time.Second))
	case h.refused != nil && now.Sub(h.since) < lately:
		return fault.New(fault.Unavailable, "JetStream did not take the last event: %w", h.refused)
	}
	return nil
}

// Ready returns nil when JetStream acknowledged lately: a publish, or a probe of the event stream's leader while nothing is
// published. Without Maintain it knows of publishes only.
func (b *Bus) Ready() error { return b.health.ready(time.Now()) }

// Maintain returns an actor that keeps the streams as configured and probes JetStream for Ready. It configures them at its start,
// when the configuration changes, and when they are gone. Not after a break: meanwhile a process with a newer configuration may
// have done so.
func (b *Bus) Maintain(streams func() config.Streams) (execute func() error, interrupt func(error)) {
	ctx, cancel := context.WithCancel(context.Background())
	return func() error {
			ticker := time.NewTicker(probeEvery)
			defer ticker.Stop()
			var ensured config.Streams
			var complaint string
			for {
				err := b.maintain(ctx, streams(), &ensured)
				complaint = complain(b.log, err, complaint)
				select {
				case <-ctx.Done():
					return nil
				case <-ticker.C:
				}
			}
		}, func(error) {
			cancel()
		}
}

// maintain ensures the streams when they are not known to be as wanted, and probes. A stream that is gone is made again.
func (b *Bus) maintain(ctx context.Context, want config.Streams, ensured *config.Streams) error {
	if !b.nc.IsConnected() {
		return b.away()
	}
	ctx, cancel := context.WithTimeout(ctx, probeEvery)
	defer cancel()
	if *ensured != want {
		if err := b.EnsureStreams(ctx, want); err != nil {
			return err
		}
		*ensured = want
		b.log.Info("streams are ready", "replicas", want.Replicas, "events_max_age", want.EventsMaxAge.String())
	}
	if _, err := b.js.Stream(ctx, EventStream); err != nil {
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			*ensured = config.Streams{}
		}
		return unavailable(fmt.Sprintf("probe stream %s", EventStream), err)
	}
	b.health.probed()
	return nil
}

// complain logs an error once for as long as it stays the same, and returns what it logged.
func complain(log *slog.Logger, err error, last string) string {
	switch {
	case err == nil:
		return ""
	case isAway(err):
		return last
	}
	if err.Error() != last {
		log.Warn("JetStream is not ready, trying again", "err", err)
	}
	return err.Error()
}
