package bus

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"google.golang.org/protobuf/proto"

	"github.com/switchhook/switchhook/pkg/event"
	"github.com/switchhook/switchhook/pkg/fault"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// Stored is a message of a stream.
type Stored[T any] struct {
	Subject  string
	Sequence uint64
	At       time.Time // when JetStream stored it
	Headers  map[string][]string
	Message  T
}

// Filter says which messages of a stream to read.
type Filter struct {
	Subject string    // a subject with wildcards; empty: all
	Since   time.Time // when it was stored; zero: from the beginning
	Follow  bool      // wait for what comes next, and for a stream that is not there yet; else stop at the end
}

// Events reads the event stream in order, without a trace on the server. It ends with the context, or at the end of the
// stream, or at a first error; a message that is no event is an error, fault.Invalid, behind which reading goes on.
func (b *Bus) Events(ctx context.Context, f Filter) iter.Seq2[Stored[*pbxv1.Event], error] {
	return read(ctx, b, EventStream, event.Root+".>", f, func() *pbxv1.Event { return new(pbxv1.Event) })
}

// Quarantined reads the quarantine as Events reads the event stream.
func (b *Bus) Quarantined(ctx context.Context, f Filter) iter.Seq2[Stored[*pbxv1.Quarantined], error] {
	return read(ctx, b, QuarantineStream, event.QuarantineRoot+".>", f, func() *pbxv1.Quarantined {
		return new(pbxv1.Quarantined)
	})
}

// DeleteQuarantined removes one message from the quarantine, after its redrive. It is fault.NotFound when it is not there.
func (b *Bus) DeleteQuarantined(ctx context.Context, sequence uint64) error {
	doing := fmt.Sprintf("delete message %d of %s", sequence, QuarantineStream)
	stream, err := b.js.Stream(ctx, QuarantineStream)
	if err != nil {
		return unavailable(doing, err)
	}
	// Deleting what is not there is an error that nats.go does not tell from others.
	if _, err := stream.GetMsg(ctx, sequence); errors.Is(err, jetstream.ErrMsgNotFound) {
		return fault.New(fault.NotFound, "%s: %w", doing, err)
	}
	if err := stream.DeleteMsg(ctx, sequence); err != nil {
		return unavailable(doing, err)
	}
	return nil
}

func read[T proto.Message](
	ctx context.Context, b *Bus, stream, all string, f Filter, empty func() T,
) iter.Seq2[Stored[T], error] {
	return func(yield func(Stored[T], error) bool) {
		r, err := b.open(ctx, stream, all, f)
		for f.Follow && fault.Is(err, fault.NotFound) { // whoever makes the stream is about to
			select {
			case <-ctx.Done():
				return
			case <-time.After(restart):
			}
			r, err = b.open(ctx, stream, all, f)
		}
		if err != nil {
			yield(Stored[T]{}, err)
			return
		}
		defer r.close(ctx, b, stream)
		for f.Follow || r.pending > 0 {
			msg, err := r.next(ctx, f.Follow)
			switch {
			case ctx.Err() != nil:
				return
			case err != nil:
				yield(Stored[T]{}, unavailable("read stream "+stream, err))
				return
			case msg == nil:
				continue
			}
			stored, left, err := decode(msg, empty())
			if !yield(stored, err) {
				return
			}
			r.pending = left
		}
	}
}

// reader reads a stream.
type reader struct {
	consumer jetstream.Consumer
	messages jetstream.MessagesContext
	pending  uint64 // how many messages are still to come of those that are there
}

// close takes its consumer off the server, which would keep it for five minutes, and has a thousand of them at most.
func (r *reader) close(ctx context.Context, b *Bus, stream string) {
	r.messages.Stop()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	_ = b.js.DeleteConsumer(ctx, stream, r.consumer.CachedInfo().Name) // It goes by itself, if later.
}

const (
	// patience is how long a message may take before it is asked whether it will come.
	patience = 2 * time.Second
	// heartbeat is how often the server tells that it has not forgotten the reader. Without two of them nats.go begins anew, but only
	// within one wait for a message: they have to fit into patience.
	heartbeat = 500 * time.Millisecond
)

// next returns the next message. Not following, it returns nil when there was none for a while, and what is pending then:
// it may have been deleted.
func (r *reader) next(ctx context.Context, follow bool) (jetstream.Msg, error) {
	if follow {
		return r.messages.Next(jetstream.NextContext(ctx))
	}
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	msg, err := r.messages.Next(jetstream.NextContext(limited))
	if limited.Err() == nil || msg != nil {
		return msg, err
	}
	info, err := r.consumer.Info(ctx)
	if err != nil {
		return nil, err
	}
	r.pending = info.NumPending
	return nil, nil
}

// open begins to read a stream.
func (b *Bus) open(ctx context.Context, stream, all string, f Filter) (*reader, error) {
	doing := "read stream " + stream
	c := jetstream.OrderedConsumerConfig{FilterSubjects: []string{all}, DeliverPolicy: jetstream.DeliverAllPolicy}
	if f.Subject != "" {
		c.FilterSubjects = []string{f.Subject}
	}
	if !f.Since.IsZero() {
		c.DeliverPolicy, c.OptStartTime = jetstream.DeliverByStartTimePolicy, &f.Since
	}
	consumer, err := b.js.OrderedConsumer(ctx, stream, c)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil, fault.New(fault.NotFound, "%s: there is none on this server yet", doing)
	}
	if err != nil {
		return nil, unavailable(doing, noJetStream(err))
	}
	info, err := consumer.Info(ctx)
	if err != nil {
		return nil, unavailable(doing, err)
	}
	messages, err := consumer.Messages(jetstream.PullExpiry(10*time.Second), jetstream.PullHeartbeat(heartbeat))
	if err != nil {
		return nil, unavailable(doing, err)
	}
	return &reader{consumer, messages, info.NumPending}, nil
}

func decode[T proto.Message](msg jetstream.Msg, into T) (stored Stored[T], pending uint64, err error) {
	meta, err := msg.Metadata()
	if err != nil {
		return stored, 0, fault.New(fault.Invalid, "read a message on %s: %w", msg.Subject(), err)
	}
	stored = Stored[T]{
		Subject: msg.Subject(), Sequence: meta.Sequence.Stream, At: meta.Timestamp,
		Headers: msg.Headers(), Message: into,
	}
	if err := proto.Unmarshal(msg.Data(), into); err != nil {
		err = fault.New(fault.Invalid, "decode message %d on %s: %w", stored.Sequence, stored.Subject, err)
		return stored, meta.NumPending, err
	}
	return stored, meta.NumPending, nil
}
