// Package spans makes spans of what belongs to something that is traced. Where nothing is, it does nothing.
package spans

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// Begin begins a span of a call to somebody else, below that of the context; done ends it with what came of the call. The attributes
// are pairs of name and value: names of what was configured, never numbers, names of people or credentials.
func Begin(ctx context.Context, name string, attributes ...string) (_ context.Context, done func(error)) {
	parent := trace.SpanFromContext(ctx)
	if !parent.IsRecording() {
		return ctx, func(error) {}
	}
	ctx, span := parent.TracerProvider().Tracer("github.com/switchhook/switchhook").
		Start(ctx, name, trace.WithSpanKind(trace.SpanKindClient))
	for i := 0; i+1 < len(attributes); i += 2 {
		span.SetAttributes(attribute.String(attributes[i], attributes[i+1]))
	}
	return ctx, func(err error) {
		if err != nil {
			// Not the text: it may quote what somebody else said.
			span.SetStatus(codes.Error, "it failed; the log says why")
		}
		span.End()
	}
}
