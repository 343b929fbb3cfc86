package vendortest

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/switchhook/switchhook/pkg/event"
	"github.com/switchhook/switchhook/pkg/ingress"
	"github.com/switchhook/switchhook/pkg/webhook"
)

type readCloser struct{ io.Reader }

func (readCloser) Close() error { return nil }

// readRequest reads a request line, headers, an empty line and, to the end of the file but for its last line's end, a body.
// The lines of the head end as an editor ends them, or with CRLF as on the wire.
func readRequest(t testing.TB, file string) *http.Request {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	head, body, _ := strings.Cut(string(data), "\n\n")
	if wire, rest, ok := strings.Cut(string(data), "\r\n\r\n"); ok && len(wire) < len(head) {
		head, body = strings.ReplaceAll(wire, "\r\n", "\n"), rest
	}
	lines := strings.Split(strings.TrimSuffix(head, "\n"), "\n")
	method, rest, _ := strings.Cut(lines[0], " ")
	target, _, _ := strings.Cut(rest, " ")
	r := httptest.NewRequestWithContext(context.Background(), method, target, strings.NewReader(strings.TrimSuffix(body, "\n")))
	for _, line := range lines[1:] {
		name, value, ok := strings.Cut(line, ":")
		if !ok {
			t.Fatalf("%s: want a header, have %q", file, line)
		}
		r.Header.Add(name, strings.TrimSpace(value))
	}
	return r
}

func testMethod(t *testing.T, v webhook.Vendor) {
	for _, method := range []string{http.MethodPut, http.MethodDelete, http.MethodHead, http.MethodGet} {
		if slices.Contains(v.Profile().Methods, method) {
			continue
		}
		have := send(v, httptest.NewRequestWithContext(t.Context(), method, "/", nil))
		if want := http.StatusMethodNotAllowed; want != have.Status {
			t.Errorf("%s: want %d, have %d", method, want, have.Status)
		}
		if want := strings.Join(v.Profile().Methods, ", "); want != have.Header["Allow"] {
			t.Errorf("%s: want Allow %q, have %q", method, want, have.Header["Allow"])
		}
	}
}

func testTooLarge(t *testing.T, v webhook.Vendor) {
	for size, want := range map[int]bool{65 << 10: true, ingress.MaxBody + 1: true, ingress.MaxBody: false} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", bytes.NewReader(make([]byte, size)))
		if have := send(v, r).Status == http.StatusRequestEntityTooLarge; want != have {
			t.Errorf("body of %d bytes: want refused %v, have %v", size, want, have)
		}
	}
}

// testUnavailable demands that no request gets a 2xx for what is not stored.
func testUnavailable(t *testing.T, v webhook.Vendor, files []string) {
	for _, file := range files {
		stored := send(v, readRequest(t, file))
		if len(stored.events) == 0 && stored.Quarantined == "" {
			continue
		}
		s := &store{refuse: true}
		w := httptest.NewRecorder()
		ingress.New(v, ingress.Options{
			Store: s, Directory: s, Metrics: prometheus.NewRegistry(), Trusted: trusted,
		}).ServeHTTP(w, readRequest(t, file))
		if want := http.StatusServiceUnavailable; want != w.Code || w.Header().Get("Retry-After") == "" {
			t.Errorf("%s: want %d with Retry-After, have %d and %v", file, want, w.Code, w.Header())
		}
	}
}

func testExchanges(t *testing.T, v webhook.Vendor) {
	var origins []event.Origin
	for _, exchange := range v.Exchanges() {
		origin := exchange.Origin()
		if origin.Vendor != v.Profile().Name || !event.IsToken(origin.Tenant) || !event.IsToken(origin.Exchange) {
			t.Errorf("want an origin of %s in subject tokens, have %v", v.Profile().Name, origin)
		}
		if slices.Contains(origins, origin) {
			t.Errorf("want each exchange once, have %v again", origin)
		}
		origins = append(origins, origin)
		if len(exchange.Secrets()) == 0 {
			t.Errorf("%v: want its secrets, have none", origin)
		}
	}
}
