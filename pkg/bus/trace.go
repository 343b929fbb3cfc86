package bus

import (
	"context"
	"crypto/rand"

	"github.com/nats-io/nats.go"
	"go.opentelemetry.io/otel/attribute"
	otelcodes "go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// Continue begins a span of who consumes a message, in the trace of whoever published it, by the message's headers. It ends
// with the span's End. What is published in the returned context belongs to the same trace, whether or not traces are recorded.
func (b *Bus) Continue(ctx context.Context, headers map[string][]string, name string) (context.Context, trace.Span) {
	ctx = remote(ctx, headers)
	if b.tracer == nil {
		return ctx, trace.SpanFromContext(context.Background())
	}
	return b.tracer.Start(ctx, name, trace.WithSpanKind(trace.SpanKindConsumer))
}

// remote returns a context in the trace of a message.
func remote(ctx context.Context, headers map[string][]string) context.Context {
	carrier := propagation.MapCarrier{} // not a HeaderCarrier: NATS tells header names apart by case
	for _, name := range []string{"traceparent", "tracestate"} {
		if values := headers[name]; len(values) > 0 {
			carrier[name] = values[0]
		}
	}
	return propagation.TraceContext{}.Extract(ctx, carrier)
}

// produce begins a span of who publishes; done ends it with what came of that.
func (b *Bus) produce(ctx context.Context, stream string) (_ context.Context, done func(error)) {
	if b.tracer == nil {
		return ctx, untraced
	}
	return b.begin(ctx, "publish "+stream, stream, trace.SpanKindProducer)
}

// inquire is produce for a question, or a command, whose answer is waited for.
func (b *Bus) inquire(ctx context.Context, subject string) (_ context.Context, done func(error)) {
	if b.tracer == nil {
		return ctx, untraced
	}
	return b.begin(ctx, "ask", subject, trace.SpanKindClient)
}

func (b *Bus) begin(ctx context.Context, name, destination string, kind trace.SpanKind) (_ context.Context, done func(error)) {
	ctx, span := b.tracer.Start(ctx, name, trace.WithSpanKind(kind),
		trace.WithAttributes(attribute.String("messaging.system", "nats"), attribute.String("messaging.destination.name", destination)))
	return ctx, func(err error) {
		if err != nil {
			span.SetStatus(otelcodes.Error, "no acknowledgement or answer")
		}
		span.End()
	}
}

func untraced(error) {}

// inject writes the W3C trace context: that of the context's own span; if there is none, a new span of the trace that the
// context was continued from or, without one, of a new trace, so every message can be followed.
func inject(ctx context.Context, header nats.Header) {
	span := trace.SpanContextFromContext(ctx)
	if !span.IsValid() || span.IsRemote() {
		traceID := span.TraceID()
		if !span.IsValid() {
			_, _ = rand.Read(traceID[:]) // never fails, see its documentation
		}
		var spanID trace.SpanID
		_, _ = rand.Read(spanID[:])
		ctx = trace.ContextWithSpanContext(ctx, span.WithTraceID(traceID).WithSpanID(spanID))
	}
	carrier := propagation.MapCarrier{} // as in remote
	propagation.TraceContext{}.Inject(ctx, carrier)
	for name, value := range carrier {
		header[name] = []string{value}
	}
}
