package ipex_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/switchhook/switchhook/pkg/ingress"
	"github.com/switchhook/switchhook/pkg/vendors/ipex"
	"github.com/switchhook/switchhook/pkg/vendors/vendortest"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// forgetful stores nothing.
type forgetful struct{}

func (forgetful) Publish(context.Context, ...*pbxv1.Event) error       { return nil }
func (forgetful) Quarantine(context.Context, *pbxv1.Quarantined) error { return nil }
func (forgetful) LookupContact(context.Context, *pbxv1.ContactLookupRequest) (*pbxv1.Contact, error) {
	return nil, nil
}

// BenchmarkWebhook is all that a request costs but for HTTP itself and the bus.
func BenchmarkWebhook(b *testing.B) {
	h := ingress.New(vendortest.Load(b, ipex.New), ingress.Options{
		Store: forgetful{}, Directory: forgetful{}, Metrics: prometheus.NewRegistry(), Log: slog.New(slog.DiscardHandler),
	})
	body := []byte(`{"EventName":"Ringing","From":"777888999","To":"222333444","Line":"444","Email":"petr.novak@jehofirma.cz",` +
		`"Login":"petr.novak","UniqueId":"1412256225.1941","Queue":"NOC","Direction":"incoming"}`)
	b.ReportAllocs()
	for b.Loop() {
		r := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(body))
		r.SetBasicAuth("webhook", "correct-horse-battery")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != http.StatusOK {
			b.Fatal(w.Code)
		}
	}
}
