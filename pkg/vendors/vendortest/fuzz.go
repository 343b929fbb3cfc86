package vendortest

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"

	"github.com/switchhook/switchhook/pkg/event"
	"github.com/switchhook/switchhook/pkg/fault"
	"github.com/switchhook/switchhook/pkg/ingress"
	"github.com/switchhook/switchhook/pkg/webhook"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// trusted is where httptest's requests come from.
var trusted = ingress.Proxies{netip.MustParsePrefix("192.0.2.0/24")}

// Fuzz sends what the fuzzer makes of the requests in testdata through the ingress and, as if authentication had succeeded,
// through every exchange. Whatever it is: events and an error never come together; an error is fault.Denied or
// fault.Invalid; no secret is in an event, an error, an answer or the log; subjects are well formed; and what is accepted
// survives protobuf.
func Fuzz(f *testing.F, v webhook.Vendor) {
	files, err := filepath.Glob("testdata/*.http")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		r := readRequest(f, file)
		body, err := io.ReadAll(r.Body)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(r.URL.Path, r.URL.RawQuery, r.Header.Get("Content-Type"), r.Header.Get("Authorization"), body)
	}
	f.Fuzz(func(t *testing.T, path, query, contentType, authorization string, body []byte) {
		r := webhook.Request{
			Method: http.MethodPost, Path: "/" + path, Query: query, Body: body, ReceivedAt: Now,
			Header: http.Header{"Content-Type": {contentType}, "Authorization": {authorization}},
		}
		asked := v.Exchanges() // whose secrets nobody may see
		ex, err := v.Authenticate(r)
		if err != nil {
			checkError(t, asked, err, fault.Denied, fault.Invalid)
			if ex != nil {
				t.Errorf("want no exchange with the error %v, have %v", err, ex.Origin())
			}
		} else {
			asked = []webhook.Exchange{ex} // to whom another's secret is a text like any other
		}
		send(v, asHTTP(r)).checkLeaks(t, asked)
		for _, ex := range v.Exchanges() {
			checkRead(t, ex, r)
		}
	})
}

// asHTTP builds a request from parts that need not stand on the wire, such as a path with spaces.
func asHTTP(r webhook.Request) *http.Request {
	return &http.Request{
		Method: r.Method, URL: &url.URL{Path: r.Path, RawQuery: r.Query}, Header: r.Header,
		Body: readCloser{bytes.NewReader(r.Body)}, RemoteAddr: "192.0.2.1:1234",
	}
}

func checkRead(t *testing.T, ex webhook.Exchange, r webhook.Request) {
	t.Helper()
	reading, err := ex.Read(r)
	if err != nil {
		checkError(t, []webhook.Exchange{ex}, err, fault.Invalid)
		if len(reading.Events) > 0 || reading.Question != nil || reading.Reply != nil || reading.UnknownFields != nil {
			t.Errorf("want nothing with the error %v, have %+v", err, reading)
		}
		return
	}
	ingress.Complete(reading.Events, ex.Origin(), r.ReceivedAt, event.NewID)
	for _, ev := range reading.Events {
		checkEvent(t, ev)
		checkSecrets(t, ex, "event", ev.String())
	}
}

func checkError(t *testing.T, exchanges []webhook.Exchange, err error, kinds ...fault.Kind) {
	t.Helper()
	known := false
	for _, kind := range kinds {
		known = known || fault.Is(err, kind)
	}
	if !known {
		t.Errorf("want an error of kind %v, have %v: %v", kinds, fault.Of(err), err)
	}
	for _, ex := range exchanges {
		checkSecrets(t, ex, "error", err.Error())
	}
}

// checkSecrets demands that a text holds none of an exchange's secrets that are long enough to be no honest value.
func checkSecrets(t *testing.T, ex webhook.Exchange, what, text string) {
	t.Helper()
	for _, secret := range ex.Secrets() {
		if (webhook.Secrets{secret}).Conceal(secret) != secret && strings.Contains(text, secret) {
			t.Errorf("want no secret in the %s, have %s", what, text)
		}
	}
}

func checkEvent(t *testing.T, ev *pbxv1.Event) {
	t.Helper()
	subject, err := event.Subject(ev)
	if err != nil {
		t.Fatalf("want a subject, have %v", err)
	}
	tokens := strings.Split(subject, ".")
	if len(tokens) != 6 || strings.ContainsAny(subject, "*> \t\r\n") {
		t.Errorf("want six tokens, have %q", subject)
	}
	if call := ev.GetCall(); call != nil && call.GetKey() == "" {
		t.Errorf("want a key for the call, have %v", call)
	}
	if err := ev.GetTime().CheckValid(); err != nil {
		t.Errorf("want a time, have %v", err)
	}
	for name, value := range event.Headers(ev) {
		for _, c := range []byte(value) {
			if c <= ' ' || c > '~' {
				t.Errorf("want header %s in printable ASCII, have %q", name, value)
			}
		}
	}
	checkRoundTrip(t, ev)
}

func checkRoundTrip(t *testing.T, ev *pbxv1.Event) {
	t.Helper()
	data, err := proto.Marshal(ev)
	if err != nil {
		t.Fatalf("want it marshalled, have %v (valid UTF-8: %v)", err, utf8.ValidString(fmt.Sprint(ev)))
	}
	back := new(pbxv1.Event)
	if err := proto.Unmarshal(data, back); err != nil || !proto.Equal(ev, back) {
		t.Errorf("want %v after a round trip, have %v (%v)", ev, back, err)
	}
}
