package bus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/switchhook/switchhook/pkg/event"
	"github.com/switchhook/switchhook/pkg/fault"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// Handler reacts to one event, which it may see again and out of order. nil means done. A fault.Invalid error means that it
// never will be: the event goes to the quarantine. Any other error asks for the event again, later each time.
type Handler interface {
	Handle(ctx context.Context, ev *pbxv1.Event) error
}

const (
	ackWait = 30 * time.Second        // after which an event goes to another replica
	longest = 30 * time.Second        // between two tries of one event
	restart = 500 * time.Millisecond  // before a consumer that broke is opened again
	handled = ackWait - 5*time.Second // the handler's time limit
)

// Consume returns an actor that hands the events of a filter, one after another, to h. Replicas with the same name share the
// work and its progress, which outlives them. It never gives up: what breaks is opened again.
func (b *Bus) Consume(name, filter string, h Handler) (execute func() error, interrupt func(error)) {
	ctx, cancel := context.WithCancel(context.Background())
	return func() error {
			for {
				err := b.consume(ctx, name, filter, h)
				if ctx.Err() != nil {
					return nil
				}
				b.log.Warn("consumer broke, opening it again", "consumer", name, "err", err)
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

func (b *Bus) consume(ctx context.Context, name, filter string, h Handler) error {
	consumer, err := b.js.CreateOrUpdateConsumer(ctx, EventStream, jetstream.ConsumerConfig{
		Durable:       name,
		FilterSubject: filter,
		DeliverPolicy: jetstream.DeliverAllPolicy,
		AckPolicy:     jetstream.AckExplicitPolicy,
		AckWait:       ackWait,
		MaxDeliver:    -1,
		MaxAckPending: 1000,
	})
	if err != nil {
		return unavailable("open consumer "+name, err)
	}
	messages, err := consumer.Messages(jetstream.PullMaxMessages(100))
	if err != nil {
		return unavailable("open consumer "+name, err)
	}
	defer messages.Stop()
	for {
		msg, err := messages.Next(jetstream.NextContext(ctx))
		if err != nil {
			return unavailable("consume "+name, err)
		}
		b.settle(msg, name, b.handle(ctx, msg, h))
	}
}

// handle lets a handler that has begun finish, although the context ends meanwhile.
func (b *Bus) handle(ctx context.Context, msg jetstream.Msg, h Handler) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), handled)
	defer cancel()
	ctx, span := b.Continue(ctx, msg.Headers(), "handle an event")
	defer span.End()
	var ev pbxv1.Event
	if err := proto.Unmarshal(msg.Data(), &ev); err != nil {
		return fault.New(fault.Invalid, "decode: %w", err)
	}
	return h.Handle(ctx, &ev)
}

// settle tells the server what became of a message. What it does not hear, it sends again.
func (b *Bus) settle(msg jetstream.Msg, name string, outcome error) {
	var err error
	switch {
	case outcome == nil:
		err = msg.Ack()
	case fault.Is(outcome, fault.Invalid):
		b.log.Error("event quarantined", "consumer", name, "subject", msg.Subject(), "err", outcome)
		err = b.quarantineMessage(msg, name, outcome)
		// What stands on a subject of nobody's cannot be quarantined either; it stays in the stream, and in the log.
		if err == nil || fault.Is(err, fault.Invalid) {
			err = msg.Term()
		}
	default:
		delay := backoff(msg)
		b.log.Warn("event not handled, trying again", "consumer", name, "subject", msg.Subject(), "in", delay, "err", outcome)
		err = msg.NakWithDelay(delay)
	}
	if err != nil && !errors.Is(err, nats.ErrConnectionClosed) {
		b.log.Warn("event not settled, it comes again", "consumer", name, "subject", msg.Subject(), "err", err)
	}
}

func backoff(msg jetstream.Msg) time.Duration {
	meta, err := msg.Metadata()
	if err != nil {
		return longest
	}
	return min(longest, time.Duration(meta.NumDelivered*meta.NumDelivered)*100*time.Millisecond)
}

func (b *Bus) quarantineMessage(msg jetstream.Msg, name string, cause error) error {
	meta, err := msg.Metadata()
	if err != nil {
		return fmt.Errorf("quarantine a message on %s: %w", msg.Subject(), err)
	}
	vendor, tenant := event.ParseSubject(msg.Subject())
	var headers []*pbxv1.Header
	for key, values := range msg.Headers() {
		for _, value := range values {
			headers = append(headers, &pbxv1.Header{Name: key, Value: value})
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), batchTimeout)
	defer cancel()
	q := &pbxv1.Quarantined{
		Id:         event.DerivedID(event.Origin{Vendor: vendor, Tenant: tenant}, name, fmt.Sprint(meta.Sequence.Stream)),
		ReceivedAt: timestamppb.New(meta.Timestamp),
		Vendor:     vendor,
		Tenant:     tenant,
		Service:    name,
		Error:      cause.Error(),
		Content: &pbxv1.Quarantined_Message{Message: &pbxv1.StreamMessage{
			Subject: msg.Subject(), Sequence: meta.Sequence.Stream, Headers: headers, Data: msg.Data(),
		}},
	}
	if err := b.Quarantine(ctx, q); err != nil {
		return err
	}
	b.metrics.quarantined.Add(q, "not_handled")
	return nil
}
