package service

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/switchhook/switchhook/pkg/cli"
)

// tracing returns who makes spans, as OpenTelemetry's environment variables say, and what sends the last of them at the end.
// Without an endpoint there is nobody, and nothing is recorded.
func tracing(ctx context.Context, name string) (_ trace.Tracer, stop func(context.Context) error, _ error) {
	if !traced() {
		return nil, func(context.Context) error { return nil }, nil
	}
	exporter, err := otlptracehttp.New(ctx) // it connects when there is something to send
	if err != nil {
		return nil, nil, fmt.Errorf("send traces: %w", err)
	}
	// The environment, which is read last, may name the service otherwise.
	about, err := resource.New(ctx, resource.WithAttributes(
		attribute.String("service.name", name), attribute.String("service.version", cli.Version)), resource.WithFromEnv())
	if err != nil {
		return nil, nil, fmt.Errorf("describe this service for traces: %w", err)
	}
	provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter), sdktrace.WithResource(about))
	return provider.Tracer("github.com/switchhook/switchhook"), provider.Shutdown, nil
}

// lastSpans is how long the last spans may take to be sent.
const lastSpans = 3 * time.Second

func endTracing(log *slog.Logger, stop func(context.Context) error) {
	ctx, cancel := context.WithTimeout(context.Background(), lastSpans)
	defer cancel()
	if err := stop(ctx); err != nil {
		log.Warn("the last spans were not sent", "err", err)
	}
}

func traced() bool {
	if strings.EqualFold(os.Getenv("OTEL_SDK_DISABLED"), "true") || os.Getenv("OTEL_TRACES_EXPORTER") == "none" {
		return false
	}
	return os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT") != "" || os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") != ""
}
