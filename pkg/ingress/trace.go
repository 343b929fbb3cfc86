package ingress

import (
	"context"
	"net/http"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/switchhook/switchhook/pkg/event"
	"github.com/switchhook/switchhook/pkg/webhook"
)

// begin begins the span of an authenticated request: strangers are not traced, whatever their traceparent asks for. The span is nil
// when nobody makes any.
func (h *Handler) begin(ctx context.Context, from event.Origin, r webhook.Request) (context.Context, trace.Span) {
	if h.options.Tracer == nil {
		return ctx, nil
	}
	return h.options.Tracer.Start(ctx, "webhook "+from.Vendor, trace.WithSpanKind(trace.SpanKindServer),
		trace.WithTimestamp(r.ReceivedAt), trace.WithAttributes(
			attribute.String("http.request.method", r.Method), attribute.String("switchhook.vendor", from.Vendor),
			attribute.String("switchhook.tenant", from.Tenant), attribute.String("switchhook.exchange", from.Exchange)))
}

func finish(span trace.Span, a answer) {
	if span == nil {
		return
	}
	span.SetAttributes(attribute.Int("http.response.status_code", a.status()), attribute.String("switchhook.outcome", a.outcome.String()),
		attribute.StringSlice("switchhook.events", a.ids))
	if a.status() >= http.StatusInternalServerError {
		span.SetStatus(codes.Error, a.outcome.String())
	}
	span.End()
}
