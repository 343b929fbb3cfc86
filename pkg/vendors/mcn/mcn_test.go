package mcn_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/switchhook/switchhook/pkg/config"
	"github.com/switchhook/switchhook/pkg/ingress"
	"github.com/switchhook/switchhook/pkg/vendors/mcn"
	"github.com/switchhook/switchhook/pkg/vendors/vendortest"
	"github.com/switchhook/switchhook/pkg/webhook"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

func TestVendor(t *testing.T) { vendortest.Run(t, vendortest.Load(t, mcn.New)) }

func FuzzRead(f *testing.F) { vendortest.Fuzz(f, vendortest.Load(f, mcn.New)) }

const classic = `{"event_type":"onInCallingStart","abon":"108","did":"0222202999","secret":"SecretToken",` +
	`"account_id":10123}`

func ExampleNew() {
	v, err := load(`
      - vendor: mcn
        webhook: {account_id: 10123, secret: SecretToken}`)
	if err != nil {
		fmt.Println(err)
		return
	}
	request := webhook.Request{Method: http.MethodPost, Path: "/", Body: []byte(classic)}
	exchange, err := v.Authenticate(request)
	if err != nil {
		fmt.Println(err)
		return
	}
	reading, err := exchange.Read(request)
	if err != nil {
		fmt.Println(err)
		return
	}
	call := reading.Events[0].GetCall()
	fmt.Println(exchange.Origin(), call.GetKind(), call.GetExtension(), call.GetFrom().GetE164())
	// Output: mcn/acme/mcn RINGING 108 +421222202999
}

// load builds the dialect of a tenant with these exchanges.
func load(exchanges string) (*mcn.Vendor, error) {
	c, err := config.Parse([]byte("tenants:\n  - name: acme\n    region: SK\n    exchanges:" + exchanges))
	if err != nil {
		return nil, err
	}
	return mcn.New(c.Tenants[0].Exchanges)
}

func TestSettings(t *testing.T) {
	tests := map[string]struct {
		exchanges string
		want      []string // each in the error; none: no error
	}{
		"complete": {`
      - vendor: mcn
        webhook: {account_id: 10123, secret: SecretToken, allow_from: [85.94.49.0/25]}
        api: {url: https://api.example, token: t, vpbx_id: 42}`, nil},
		"same secret": {`
      - {vendor: mcn, name: a, webhook: {account_id: 1, secret: SecretToken}}
      - {vendor: mcn, name: b, webhook: {account_id: 2, secret: SecretToken}}`, nil},
		"same account": {`
      - {vendor: mcn, name: a, webhook: {account_id: 1, secret: SecretToken}}
      - {vendor: mcn, name: b, webhook: {account_id: 1, secret: OtherToken}}`, nil},
		"same both": {
			`
      - {vendor: mcn, name: a, webhook: {account_id: 1, secret: SecretToken}}
      - {vendor: mcn, name: b, webhook: {account_id: "1", secret: SecretToken}}`,
			[]string{"line 6", "mcn/acme/a"},
		},
		"nothing": {`
      - vendor: mcn`, []string{"webhook", "is missing"}},
		"missing": {`
      - {vendor: mcn, webhook: {}}`, []string{"webhook.account_id: is missing", "webhook.secret: is missing"}},
		"empty": {
			`
      - {vendor: mcn, webhook: {account_id: "", secret: ""}}`,
			[]string{"webhook.account_id: is empty", "webhook.secret: is empty"},
		},
		"null secret": {`
      - {vendor: mcn, webhook: {account_id: 1, secret: }}`, []string{"webhook.secret"}},
		"unknown key": {`
      - {vendor: mcn, webhook: {account_id: 1, secret: SecretToken, allow: []}}`, []string{"allow_from"}},
		"no network": {`
      - {vendor: mcn, webhook: {account_id: 1, secret: SecretToken, allow_from: [85.94.49.0]}}`, []string{"allow_from"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := load(test.exchanges)
			if want, have := len(test.want) > 0, err != nil; want != have {
				t.Fatalf("want an error %v, have %v", want, err)
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("want %q in the error, have %v", want, err)
				}
			}
			if err != nil && strings.Contains(err.Error(), "SecretToken") {
				t.Errorf("want no secret in the error, have %v", err)
			}
		})
	}
}

// store takes everything.
type store struct {
	events []*pbxv1.Event
}

func (s *store) Publish(_ context.Context, events ...*pbxv1.Event) error {
	s.events = append(s.events, events...)
	return nil
}

func (*store) Quarantine(context.Context, *pbxv1.Quarantined) error { return nil }

// receive sends requests through one ingress and returns the id that each was answered with, and the events.
func receive(t *testing.T, requests ...*http.Request) ([]string, []*pbxv1.Event) {
	t.Helper()
	s := &store{}
	h := ingress.New(vendortest.Load(t, mcn.New), ingress.Options{Store: s, Metrics: prometheus.NewRegistry()})
	var ids []string
	for _, r := range requests {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		var answer struct {
			ID string `json:"id"`
		}
		if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || w.Code != http.StatusOK || answer.ID == "" {
			t.Fatalf("want 200 and an id, have %d %s (%v)", w.Code, w.Body, err)
		}
		ids = append(ids, answer.ID)
	}
	return ids, s.events
}

func post(t *testing.T, body string) *http.Request {
	t.Helper()
	return httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(body))
}

// The same person calls the same extension twice in a minute: nothing in the bodies differs, and both calls are real.
func TestIdenticalBodiesAreTwoEvents(t *testing.T) {
	tests := map[string]string{
		"without call_id": classic,
		"with call_id":    `{"event_type":"onInCallingStart","abon":"108","call_id":"12-1520008586.1","secret":"SecretToken"}`,
		"with a time":     `{"event_type":"onInCallingStart","call_id":"12-1520008586.1","timestamp":1765978000,"secret":"SecretToken"}`,
		"without a time":  `{"eventType":"VpbxInboundCallStart","callId":"1","did":"0222202999","secret":"SecretToken"}`,
		"without an id":   `{"eventType":"VpbxInboundCallStart","timestamp":1765978000,"did":"0222202999","secret":"SecretToken"}`,
		"template error":  `{"eventType":"VpbxInboundCallStart","callId":"1","timestamp":"{timestamp}","secret":"SecretToken"}`,
	}
	for name, body := range tests {
		t.Run(name, func(t *testing.T) {
			ids, events := receive(t, post(t, body), post(t, body))
			if ids[0] == ids[1] || len(events) != 2 {
				t.Errorf("want two events with ids of their own, have %v", ids)
			}
			if want, have := events[0].GetCall().GetKey(), events[1].GetCall().GetKey(); want != have {
				t.Errorf("want the key %s for both, have %s", want, have)
			}
		})
	}
}

const newStyle = `{"eventType":"VpbxInboundCallStart","callId":"1.1","linkedId":"1.2","uniqueId":"1.3",` +
	`"internalNumber":"108","callerNumber":"421222202999","calledNumber":"421233000111","did":"421233000222","timestamp":1765978000,` +
	`"dateReceivedAtUTC":"2025-12-17 13:26:40.1","secret":"SecretToken","account_id":10123}`

// A retry has the id of the first try, so that JetStream drops it; whatever differs in what names the event is another one.
func TestRetry(t *testing.T) {
	tests := map[string]struct {
		old, changed string
		want         bool // recognised
	}{
		"the same":       {"", "", true},
		"received later": {`13:26:40.1`, `13:26:55.9`, true},
		"field added":    {`"secret"`, `"attempt":2,"secret"`, true},
		"number as text": {`1765978000`, `"1765978000"`, true},
		"time":           {`1765978000`, `1765978001`, false},
		"name":           {`CallStart`, `CallEnd`, false},
		"callId":         {`"1.1"`, `"1.11"`, false},
		"linkedId":       {`"1.2"`, `"1.1"`, false},
		"uniqueId":       {`,"uniqueId":"1.3"`, ``, false},
		"internalNumber": {`"108"`, `"109"`, false},
		"callerNumber":   {`421222202999`, `421222202998`, false},
		"calledNumber":   {`421233000111`, `421233000112`, false},
		"did":            {`421233000222`, `421233000223`, false},
		"exchange":       {`"SecretToken","account_id":10123`, `"shared-secret-2026","account_id":20001`, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			changed := strings.Replace(newStyle, test.old, test.changed, 1)
			if test.old != "" && changed == newStyle {
				t.Fatalf("want %q in the body, have %s", test.old, newStyle)
			}
			ids, events := receive(t, post(t, newStyle), post(t, changed))
			if have := ids[0] == ids[1]; test.want != have {
				t.Errorf("want one id %v, have %v", test.want, ids)
			}
			if want, have := time.Unix(1765978000, 0), events[0].GetTime().AsTime(); !want.Equal(have) {
				t.Errorf("want the time %v, have %v", want, have)
			}
		})
	}
}

// Without a timestamp, the time that Kompaas received the event at names it.
func TestRetryByDate(t *testing.T) {
	body := strings.Replace(newStyle, `"timestamp":1765978000,`, "", 1)
	ids, _ := receive(t, post(t, body), post(t, body), post(t, strings.Replace(body, ":40.1", ":40.2", 1)))
	if ids[0] != ids[1] || ids[0] == ids[2] {
		t.Errorf("want one id for the first two only, have %v", ids)
	}
}

// The query says the same as a body.
func TestRetryByGet(t *testing.T) {
	get := httptest.NewRequestWithContext(t.Context(), http.MethodGet,
		"/?eventType=VpbxInboundCallStart&callId=1&timestamp=1765978000&secret=SecretToken", nil)
	body := `{"eventType":"VpbxInboundCallStart","callId":1,"timestamp":1765978000,"secret":"SecretToken"}`
	ids, _ := receive(t, get, post(t, body))
	if ids[0] != ids[1] {
		t.Errorf("want one id, have %v", ids)
	}
}

// The two events of a call by plain telephone service call did by two roles, and share its key nonetheless.
func TestInboundCallCorrelates(t *testing.T) {
	_, events := receive(t,
		post(t, `{"event_type":"InboundCallStart","did":"0222202999","secret":"SecretToken","account_id":10123}`),
		post(t, `{"event_type":"InboundCallEnd","did":"+421222202999","secret":"SecretToken","account_id":10123}`))
	if want, have := events[0].GetCall().GetKey(), events[1].GetCall().GetKey(); want != have {
		t.Errorf("want the key %s for both, have %s", want, have)
	}
}
