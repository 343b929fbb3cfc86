package bus

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"google.golang.org/protobuf/proto"

	"github.com/switchhook/switchhook/pkg/event"
	"github.com/switchhook/switchhook/pkg/fault"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// Publish stores events, and returns nil when JetStream has acknowledged every one of them. The first failure is
// retried, under the same ids, until the context's deadline, so the context needs one. After an error, fault.Unavailable
// or fault.Invalid, an event may be stored or not; publishing it again under its id is safe.
//
// Concurrent calls share one commit of the server's disk.
func (b *Bus) Publish(ctx context.Context, events ...*pbxv1.Event) error {
	began := time.Now()
	waits := make([]func() error, 0, len(events))
	for _, ev := range events {
		ctx, done := b.produce(ctx, EventStream)
		msg, err := eventMsg(ctx, ev)
		if err != nil {
			done(err)
			return err
		}
		wait := b.commit.start(ctx, msg)
		waits = append(waits, func() error {
			err := wait()
			done(err)
			return err
		})
	}
	for _, wait := range waits {
		err := wait()
		b.metrics.published(EventStream, began, err)
		if b.health.published(err) != nil {
			return unavailable("publish", err)
		}
	}
	return nil
}

// Quarantine stores what could not be understood or processed, as Publish does.
func (b *Bus) Quarantine(ctx context.Context, q *pbxv1.Quarantined) error {
	ctx, done := b.produce(ctx, QuarantineStream)
	msg, err := quarantineMsg(ctx, q)
	if err != nil {
		done(err)
		return err
	}
	err = b.store(ctx, QuarantineStream, msg)
	done(err)
	if err != nil {
		return unavailable("publish to the quarantine", err)
	}
	return nil
}

func quarantineMsg(ctx context.Context, q *pbxv1.Quarantined) (*nats.Msg, error) {
	subject, err := event.QuarantineSubject(q)
	if err != nil {
		return nil, fault.New(fault.Invalid, "publish: %w", err)
	}
	data, err := proto.Marshal(q)
	if err != nil {
		return nil, fault.New(fault.Invalid, "publish quarantine %q: %w", q.GetId(), err)
	}
	msg := nats.NewMsg(subject)
	msg.Data = data
	msg.Header[jetstream.MsgIDHeader] = []string{q.GetId()}
	msg.Header["Content-Type"] = []string{event.ContentType}
	inject(ctx, msg.Header)
	return msg, nil
}

// store publishes one message until it is acknowledged or the context ends.
func (b *Bus) store(ctx context.Context, stream string, msg *nats.Msg) error {
	began := time.Now()
	err := publishOne(ctx, b.js, msg)
	b.metrics.published(stream, began, err)
	return b.health.published(err)
}

func eventMsg(ctx context.Context, ev *pbxv1.Event) (*nats.Msg, error) {
	subject, err := event.Subject(ev)
	if err != nil {
		return nil, fault.New(fault.Invalid, "publish: %w", err)
	}
	data, err := proto.Marshal(ev)
	if err != nil {
		return nil, fault.New(fault.Invalid, "publish event %q: %w", ev.GetId(), err)
	}
	msg := nats.NewMsg(subject)
	msg.Data = data
	for name, value := range event.Headers(ev) {
		msg.Header[name] = []string{value}
	}
	inject(ctx, msg.Header)
	return msg, nil
}

// publishOne publishes one message until it is acknowledged or the context ends.
func publishOne(ctx context.Context, js jetstream.JetStream, msg *nats.Msg) error {
	const attempt, pause = 2 * time.Second, 50 * time.Millisecond
	for {
		trial, cancel := context.WithTimeout(ctx, attempt)
		_, err := js.PublishMsg(trial, msg, jetstream.WithRetryAttempts(0))
		cancel()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w (last attempt: %w)", ctx.Err(), err)
		case <-time.After(pause):
		}
	}
}
