package spans_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/switchhook/switchhook/pkg/spans"
)

func ExampleBegin() {
	recorder := tracetest.NewSpanRecorder()
	tracer := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder)).Tracer("example")

	ctx, parent := tracer.Start(context.Background(), "resolve a contact")
	_, done := spans.Begin(ctx, "ask a directory", "switchhook.directory", "crm")
	done(nil)
	parent.End()

	child := recorder.Ended()[0]
	fmt.Println(child.Name(), child.Attributes()[0].Value.AsString(), child.Parent().SpanID() == parent.SpanContext().SpanID())
	// Output: ask a directory crm true
}

func TestWhatIsNotTracedCostsNothing(t *testing.T) {
	ctx := t.Context()
	same, done := spans.Begin(ctx, "ask a directory")
	if done(errors.New("broken")); same != ctx {
		t.Error("want the context as it was, have another")
	}
}

func TestErrorsAreNotQuoted(t *testing.T) {
	recorder := tracetest.NewSpanRecorder()
	ctx, _ := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder)).Tracer("test").Start(t.Context(), "parent")
	_, done := spans.Begin(ctx, "ask a directory")
	done(errors.New("the token is s3cret"))
	status := recorder.Ended()[0].Status()
	if status.Code != codes.Error || status.Description != "it failed; the log says why" {
		t.Errorf("want an error that quotes nothing, have %v", status)
	}
}
