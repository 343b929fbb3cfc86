package bus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"google.golang.org/protobuf/proto"

	"github.com/switchhook/switchhook/pkg/fault"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// Connected reports whether there is a connection to a server. Without one, whatever is published fails.
func (b *Bus) Connected() bool { return b.nc.IsConnected() }

// Send publishes an event, as Publish does, or what is quarantined, and does not wait, so that many can share a commit. The
// function that it returns waits for the acknowledgement, until the context ends; soon after that, nothing is sent any more.
// fault.Unavailable means that it may be stored or not, fault.Invalid that the server will never take it.
func (b *Bus) Send(ctx context.Context, m proto.Message) (wait func() error) {
	began := time.Now()
	ctx, done := b.produce(ctx, streamOf(m))
	stream, msg, err := msgOf(ctx, m)
	if err != nil {
		done(err)
		return func() error { return err }
	}
	acknowledged := b.start(ctx, stream, msg)
	return func() error {
		err := acknowledged()
		done(err)
		b.metrics.published(stream, began, err)
		if errors.Is(err, nats.ErrMaxPayload) || errors.Is(err, jetstream.ErrStreamMessageExceedsMaximum) {
			return fault.New(fault.Invalid, "publish: %w", err)
		}
		if b.health.published(err) != nil {
			return unavailable("publish", err)
		}
		return nil
	}
}

func streamOf(m proto.Message) string {
	if _, quarantined := m.(*pbxv1.Quarantined); quarantined {
		return QuarantineStream
	}
	return EventStream
}

func msgOf(ctx context.Context, m proto.Message) (stream string, msg *nats.Msg, err error) {
	switch m := m.(type) {
	case *pbxv1.Event:
		msg, err = eventMsg(ctx, m)
		return EventStream, msg, err
	case *pbxv1.Quarantined:
		msg, err = quarantineMsg(ctx, m)
		return QuarantineStream, msg, err
	}
	return "", nil, fault.New(fault.Invalid, "publish: nothing takes a %T", m)
}

// start begins to publish. Only the event stream takes batches.
func (b *Bus) start(ctx context.Context, stream string, msg *nats.Msg) (wait func() error) {
	if stream == EventStream {
		return b.commit.start(ctx, msg)
	}
	ack, err := b.js.PublishMsgAsync(msg, jetstream.WithRetryAttempts(0))
	if err != nil {
		return func() error { return err }
	}
	return func() error {
		select {
		case <-ack.Ok():
			return nil
		case err := <-ack.Err():
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// DuplicateWindow returns how long a stream remembers ids, as it is configured now.
func (b *Bus) DuplicateWindow(ctx context.Context, stream string) (time.Duration, error) {
	s, err := b.js.Stream(ctx, stream)
	if err != nil {
		return 0, unavailable("look at stream "+stream, err)
	}
	return s.CachedInfo().Config.Duplicates, nil
}

// stall is how long the next message of a stream may take while they are counted.
const stall = 5 * time.Second

// Known returns which ids a stream holds of those that are asked for, among the messages that were stored since a time, by the
// server's clock. All counts that the stream's leader had stored when it was called; a replica that is behind is waited for.
func (b *Bus) Known(ctx context.Context, stream string, since time.Time, ids map[string]bool) (map[string]bool, error) {
	found := make(map[string]bool)
	err := b.known(ctx, stream, since, func(id string) {
		if ids[id] {
			found[id] = true
		}
	})
	if err != nil {
		return nil, unavailable("look for ids in stream "+stream, err)
	}
	return found, nil
}

func (b *Bus) known(ctx context.Context, name string, since time.Time, tell func(id string)) error {
	stream, err := b.js.Stream(ctx, name)
	if err != nil {
		return err
	}
	info, err := stream.Info(ctx, jetstream.WithDeletedDetails(true))
	if err != nil {
		return err
	}
	end := lastThere(info.State)
	if end == 0 {
		return nil
	}
	last, err := stream.GetMsg(ctx, end)
	if err != nil {
		return fmt.Errorf("read message %d: %w", end, err)
	}
	if last.Time.Before(since) {
		return nil
	}
	consumer, err := stream.OrderedConsumer(ctx, jetstream.OrderedConsumerConfig{
		DeliverPolicy: jetstream.DeliverByStartTimePolicy, OptStartTime: &since, HeadersOnly: true,
	})
	if err != nil {
		return err
	}
	messages, err := consumer.Messages(jetstream.PullMaxMessages(2000))
	if err != nil {
		return err
	}
	r := &reader{consumer: consumer, messages: messages}
	defer r.close(ctx, b, name)
	for at := uint64(0); at < end; {
		if at, err = nextID(ctx, messages, tell); err != nil {
			return err
		}
	}
	return nil
}

func nextID(ctx context.Context, messages jetstream.MessagesContext, tell func(id string)) (sequence uint64, err error) {
	ctx, cancel := context.WithTimeout(ctx, stall)
	defer cancel()
	msg, err := messages.Next(jetstream.NextContext(ctx))
	if err != nil {
		return 0, err
	}
	meta, err := msg.Metadata()
	if err != nil {
		return 0, err
	}
	tell(msg.Headers().Get(jetstream.MsgIDHeader))
	return meta.Sequence.Stream, nil
}

// lastThere returns the sequence of the last message that was not deleted; 0 when there is none.
func lastThere(s jetstream.StreamState) uint64 {
	if s.Msgs == 0 {
		return 0
	}
	last := s.LastSeq
	for i := len(s.Deleted) - 1; i >= 0 && s.Deleted[i] == last; i-- {
		last--
	}
	return last
}
