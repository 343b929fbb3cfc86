package ingress_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/switchhook/switchhook/pkg/ingress"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// nowhere takes everything at once.
type nowhere struct{}

func (nowhere) Publish(context.Context, ...*pbxv1.Event) error       { return nil }
func (nowhere) Quarantine(context.Context, *pbxv1.Quarantined) error { return nil }
func (nowhere) LookupContact(context.Context, *pbxv1.ContactLookupRequest) (*pbxv1.Contact, error) {
	return nil, nil
}

// The way of a webhook through the ingress, without the bus: what traces cost when nobody asked for them, and when somebody did.
func BenchmarkWebhook(b *testing.B) {
	for name, tracer := range map[string]trace.Tracer{
		"not traced": nil,
		"traced":     sdktrace.NewTracerProvider().Tracer("test"),
	} {
		b.Run(name, func(b *testing.B) {
			h := ingress.New(lineVendor{secret}, ingress.Options{
				Store: nowhere{}, Directory: nowhere{}, Metrics: prometheus.NewRegistry(), Tracer: tracer,
			})
			b.ReportAllocs()
			for b.Loop() {
				r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader("20"))
				r.Header.Set("Authorization", secret)
				h.ServeHTTP(httptest.NewRecorder(), r)
			}
		})
	}
}
