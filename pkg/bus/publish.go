package bus

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
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
	waits := make([]func() error, 0, len(events))
	for _, ev := range events {
		msg, err := eventMsg(ctx, ev)
		if err != nil {
			return err
		}
		waits = append(waits, b.commit.start(ctx, msg))
	}
	for _, wait := range waits {
		if err := b.health.published(wait()); err != nil {
			return unavailable("publish", err)
		}
	}
	return nil
}

// Quarantine stores what could not be understood or processed, as Publish does.
func (b *Bus) Quarantine(ctx context.Context, q *pbxv1.Quarantined) error {
	subject, err := event.QuarantineSubject(q)
	if err != nil {
		return fault.New(fault.Invalid, "publish: %w", err)
	}
	data, err := proto.Marshal(q)
	if err != nil {
		return fault.New(fault.Invalid, "publish quarantine %q: %w", q.GetId(), err)
	}
	msg := nats.NewMsg(subject)
	msg.Data = data
	msg.Header[jetstream.MsgIDHeader] = []string{q.GetId()}
	msg.Header["Content-Type"] = []string{event.ContentType}
	inject(ctx, msg.Header)
	if err := b.health.published(publishOne(ctx, b.js, msg)); err != nil {
		return unavailable("publish to the quarantine", err)
	}
	return nil
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

// inject writes the W3C trace context: a new span of the trace that the context is in or, without one, of a new trace, so
// every message can be followed.
func inject(ctx context.Context, header nats.Header) {
	span := trace.SpanContextFromContext(ctx)
	traceID := span.TraceID()
	if !span.IsValid() {
		_, _ = rand.Read(traceID[:]) // never fails, see its documentation
	}
	var spanID trace.SpanID
	_, _ = rand.Read(spanID[:])
	span = span.WithTraceID(traceID).WithSpanID(spanID)
	carrier := propagation.MapCarrier{} // not a HeaderCarrier: NATS tells header names apart by case
	propagation.TraceContext{}.Inject(trace.ContextWithSpanContext(ctx, span), carrier)
	for name, value := range carrier {
		header[name] = []string{value}
	}
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
