package bus

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// Following says what to follow, and who does.
type Following struct {
	// Name is who follows, for the log.
	Name string
	// Subjects are what to follow; empty means all events.
	Subjects []string
	// Since is from when on, by when it was stored; zero means from the beginning.
	Since time.Time
	// Handle gets one event after another, in the order of the stream.
	Handle func(Stored[*pbxv1.Event])
	// CaughtUp is called once, when all that was there at the start has been handled. It may be nil.
	CaughtUp func()
}

// Follow returns an actor that hands every event to a follower, in order, and leaves no trace on the server: each replica
// sees all. It never gives up; after a break it goes on where it was. What is no event is logged and left out.
func (b *Bus) Follow(f Following) (execute func() error, interrupt func(error)) {
	ctx, cancel := context.WithCancel(context.Background())
	return func() error {
			l := &follower{bus: b, Following: f, began: time.Now()}
			b.observed.follower(l)
			for complaint := ""; ; {
				err := l.follow(ctx)
				if ctx.Err() != nil {
					return nil
				}
				// A stream that is not there yet is made by somebody in a moment.
				if !errors.Is(err, jetstream.ErrStreamNotFound) && !isAway(err) && err.Error() != complaint {
					complaint = err.Error()
					b.log.Warn("following broke, opening it again", "follower", f.Name, "behind", l.last, "err", err)
				}
				select {
				case <-ctx.Done():
					return nil
				case <-time.After(restart):
				}
			}
		}, func(error) {
			cancel()
		}
}

// follower remembers how far it has come.
type follower struct {
	Following
	bus      *Bus
	began    time.Time
	last     uint64 // sequence of the last event
	handled  int
	caughtUp bool

	mu       sync.Mutex // guards what follows, which is read for metrics
	consumer jetstream.Consumer
	taken    uint64 // the consumer's own count of the last event
}

func (l *follower) follow(ctx context.Context) error {
	stream, err := l.bus.js.Stream(ctx, EventStream)
	if err != nil {
		return unavailable("follow stream "+EventStream, err)
	}
	if end := stream.CachedInfo().State.LastSeq; end < l.last {
		// Only a stream that was deleted and made again is shorter than it was.
		l.bus.log.Error("the stream begins anew", "follower", l.Name, "behind", l.last, "last", end)
		l.last = 0
	}
	consumer, err := stream.OrderedConsumer(ctx, l.position())
	if err != nil {
		return unavailable("follow stream "+EventStream, err)
	}
	info, err := consumer.Info(ctx)
	if err != nil {
		return unavailable("follow stream "+EventStream, err)
	}
	l.begin(consumer)
	if info.NumPending == 0 {
		l.catchUp()
	}
	// A short heartbeat, to notice soon that the server has forgotten the consumer.
	messages, err := consumer.Messages(
		jetstream.PullMaxMessages(2000), jetstream.PullExpiry(10*time.Second), jetstream.PullHeartbeat(time.Second))
	if err != nil {
		return unavailable("follow stream "+EventStream, err)
	}
	defer messages.Stop()
	for {
		msg, err := messages.Next(jetstream.NextContext(ctx))
		if err != nil {
			return unavailable("follow stream "+EventStream, err)
		}
		l.handle(msg)
	}
}

func (l *follower) position() jetstream.OrderedConsumerConfig {
	c := jetstream.OrderedConsumerConfig{FilterSubjects: l.Subjects, DeliverPolicy: jetstream.DeliverAllPolicy}
	switch {
	case l.last > 0:
		c.DeliverPolicy, c.OptStartSeq = jetstream.DeliverByStartSequencePolicy, l.last+1
	case !l.Since.IsZero():
		c.DeliverPolicy, c.OptStartTime = jetstream.DeliverByStartTimePolicy, &l.Since
	}
	return c
}

func (l *follower) handle(msg jetstream.Msg) {
	stored, left, err := decode(msg, new(pbxv1.Event))
	defer l.took(msg)
	if err != nil {
		l.bus.log.Error("event left out", "follower", l.Name, "subject", msg.Subject(), "err", err)
	} else {
		l.Handle(stored)
	}
	if stored.Sequence > 0 {
		l.last = stored.Sequence
	}
	l.handled++
	if left == 0 {
		l.catchUp()
	}
}

// begin notes the consumer that the follower reads from now on.
func (l *follower) begin(c jetstream.Consumer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.consumer, l.taken = c, 0
}

func (l *follower) took(msg jetstream.Msg) {
	meta, err := msg.Metadata()
	if err != nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.taken = meta.Sequence.Consumer
}

func (l *follower) catchUp() {
	if l.caughtUp {
		return
	}
	l.caughtUp = true
	took := time.Since(l.began).Round(time.Millisecond)
	l.bus.log.Info("caught up with the stream", "follower", l.Name, "events", l.handled, "took", took.String())
	if l.CaughtUp != nil {
		l.CaughtUp()
	}
}
