package directories_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/switchhook/switchhook/pkg/fault"
	"github.com/switchhook/switchhook/pkg/logtest"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

func TestHTTPMatch(t *testing.T) {
	d := open(t, at(plainYAML, serve(t, plainCRM)))
	want := &pbxv1.ContactMatch{
		Name: "Jan Novák", Organisation: "Globex", ResponsibleExtension: "101", ResponsibleEmail: "owner@acme.example",
		Url: "https://crm.example/contact/1", MatchedNumber: "+420 777 888 999", MatchedForm: "international_spaced",
	}
	if have := find(t, d, "777888999"); len(have) != 2 || !proto.Equal(want, have[0]) {
		t.Errorf("want %v first of two, have %v", want, have)
	}
}

// TestHTTPAnswers has a CRM give one answer for good.
func TestHTTPAnswers(t *testing.T) {
	long := `{"items": [{"first": "` + strings.Repeat("x", 1<<20) + `"}]}`
	tests := map[string]struct {
		status   int
		body     string
		want     string // names, or the error
		kind     fault.Kind
		requests int32
	}{
		"one, not a list":         {200, `{"items": {"first": "Jan"}}`, "Jan", 0, 1},
		"none":                    {200, `{"items": []}`, "", 0, 1},
		"null":                    {200, `{"items": null}`, "", 0, 1},
		"204":                     {204, "", "", 0, 1},
		"configured as not found": {410, "gone", "", 0, 1},
		"without a name":          {200, `{"items": [{"company": "Globex"}, {"phones": "777888999"}, {}]}`, "Globex, 777888999, +420777888999", 0, 1},
		"a name of another type":  {200, `{"items": [{"first": {"a": 1}, "last": 7}]}`, "7", 0, 1},
		"strangers": {
			200, `{"items": [{"first": "A", "phones": ["222333444"]}, {"first": "B", "phones": ["222333444", "777888999"]}, {"first": "C", "phones": "vip"}]}`,
			"B", 0, 1,
		},
		"more than the limit": {200, `{"items": [{"first": "A"}, {"first": "B"}, {"first": "C"}, {"first": "D"}]}`, "A, B, C", 0, 1},
		"no JSON":             {200, "<html>", "read the answer: it is no JSON", fault.Internal, 1},
		"cut short":           {200, `{"items": [`, "read the answer: it is no JSON", fault.Internal, 1},
		"empty":               {200, "", "read the answer: it is no JSON", fault.Internal, 1},
		"elsewhere":           {200, `{"data": []}`, `read the answer: want a list or an object at "items"`, fault.Internal, 1},
		"a list of text":      {200, `{"items": ["Jan"]}`, `read the answer: want objects in the list at "items"`, fault.Internal, 1},
		"an error inside":     {200, `{"oops": "hunter2", "items": []}`, `the answer has an error at "oops"`, fault.Unavailable, 1},
		"too long":            {200, long, "GET HOST: the answer has more than 1 MiB", fault.Internal, 1},
		"400":                 {400, "hunter2", "GET HOST: status 400", fault.Internal, 1},
		"401":                 {401, "hunter2", "GET HOST: status 401", fault.Denied, 1},
		"403":                 {403, "", "GET HOST: status 403", fault.Denied, 1},
		"404":                 {404, "", "GET HOST: status 404", fault.Internal, 1},
		"429":                 {429, "", "GET HOST: status 429", fault.Unavailable, 3},
		"500":                 {500, "", "GET HOST: status 500", fault.Unavailable, 3},
		"503":                 {503, "", "GET HOST: status 503", fault.Unavailable, 3},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var requests atomic.Int32
			s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				requests.Add(1)
				w.WriteHeader(test.status)
				_, _ = io.WriteString(w, test.body)
			})
			d := open(t, at(plainYAML+"  error: oops\n  not_found: 410\n  limit: 3", s))
			matches, err := d.Find(within(t, 10*time.Second), forms("777888999"))
			want, have := test.want, names(matches)
			if err != nil {
				want = "directory http: " + strings.ReplaceAll(test.want, "HOST", strings.TrimPrefix(s.URL, "http://"))
				have = err.Error()
			}
			if want != have || err != nil && fault.Of(err) != test.kind {
				t.Errorf("want %q (%v), have %q (%v)", want, test.kind, have, fault.Of(err))
			}
			if have := requests.Load(); test.requests != have {
				t.Errorf("want %d requests, have %d", test.requests, have)
			}
		})
	}
}

// TestHTTPRecovers has a CRM fail once or twice.
func TestHTTPRecovers(t *testing.T) {
	reset := func(w http.ResponseWriter) {
		c, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			_ = c.(*net.TCPConn).SetLinger(0)
			_ = c.Close()
		}
	}
	status := func(code int, retryAfter string) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) {
			if retryAfter != "" {
				w.Header().Set("Retry-After", retryAfter)
			}
			w.WriteHeader(code)
		}
	}
	tests := map[string]struct {
		failure func(http.ResponseWriter)
		times   int32
		atLeast time.Duration
	}{
		"500, then fine":                     {status(500, ""), 1, 100 * time.Millisecond},
		"503 twice, then fine":               {status(503, ""), 2, 300 * time.Millisecond},
		"429 without Retry-After":            {status(429, ""), 1, 100 * time.Millisecond},
		"429 with seconds":                   {status(429, "1"), 1, time.Second},
		"429 with a time":                    {status(429, time.Now().Add(2*time.Second).UTC().Format(http.TimeFormat)), 1, 100 * time.Millisecond},
		"429 with a nonsensical Retry-After": {status(429, "soon"), 1, 100 * time.Millisecond},
		"reset":                              {reset, 2, 300 * time.Millisecond},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var requests atomic.Int32
			s := serve(t, func(w http.ResponseWriter, r *http.Request) {
				if requests.Add(1) <= test.times {
					test.failure(w)
					return
				}
				plainCRM(w, r)
			})
			began := time.Now()
			if want, have := "Peter Kováč", names(find(t, open(t, at(plainYAML, s)), "+421905123456")); want != have {
				t.Errorf("want %s, have %s", want, have)
			}
			if took := time.Since(began); took < test.atLeast {
				t.Errorf("want at least %v, have %v", test.atLeast, took)
			}
		})
	}
}

func TestHTTPRetryAfterBeyondDeadline(t *testing.T) {
	var requests atomic.Int32
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		requests.Add(1)
		w.Header().Set("Retry-After", "60")
		w.WriteHeader(http.StatusTooManyRequests)
	})
	began := time.Now()
	_, err := open(t, at(plainYAML, s)).Find(within(t, 30*time.Second), forms("777888999"))
	if !fault.Is(err, fault.Unavailable) || requests.Load() != 1 || time.Since(began) > 10*time.Second {
		t.Errorf("want unavailable at once after one request, have %v after %d and %v", err, requests.Load(), time.Since(began))
	}
}

func TestHTTPDown(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(plainCRM))
	s.Close()
	_, err := open(t, at(plainYAML, s)).Find(within(t, 10*time.Second), forms("777888999"))
	if !fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("want unavailable, connection refused; have %v", err)
	}
}

func TestHTTPTimeout(t *testing.T) {
	d := open(t, at(plainYAML+"  timeout: 50ms\n  retries: 0", serve(t, hang)))
	_, err := d.Find(within(t, 30*time.Second), forms("777888999"))
	if !fault.Is(err, fault.Unavailable) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("want unavailable for the timeout, have %v", err)
	}
}

func TestHTTPCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	})
	_, err := open(t, at(plainYAML, s)).Find(ctx, forms("777888999"))
	if !fault.Is(err, fault.Unavailable) || !errors.Is(err, context.Canceled) {
		t.Errorf("want unavailable for the cancellation, have %v", err)
	}
}

// TestHTTPRedirect sends a client on; its credentials have to stay.
func TestHTTPRedirect(t *testing.T) {
	var strayed atomic.Int32
	elsewhere := serve(t, func(w http.ResponseWriter, r *http.Request) {
		strayed.Add(1)
		plainCRM(w, r)
	})
	tests := map[string]struct {
		to   func(s string) string
		want string
		kind fault.Kind
	}{
		"to elsewhere":       {func(string) string { return elsewhere.URL + "/contacts?phone=421905123456" }, "redirected to another host", fault.Internal},
		"to the same host":   {func(s string) string { return s + "/there?phone=421905123456" }, "", 0},
		"for ever":           {func(s string) string { return s + "/here" }, "redirected to another host", fault.Internal},
		"to another scheme":  {func(s string) string { return strings.Replace(s, "http:", "https:", 1) + "/there" }, "redirected", fault.Internal},
		"to what is no host": {func(string) string { return "http://%zz/hunter2" }, "the connection failed", fault.Unavailable},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var s *httptest.Server
			s = serve(t, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/there" {
					plainCRM(w, r)
					return
				}
				w.Header().Set("Location", test.to(s.URL))
				w.WriteHeader(http.StatusTemporaryRedirect)
			})
			d := open(t, at(plainYAML+"  headers: {X-Token: \"{token}\"}\n  secrets: {token: hunter2}", s))
			matches, err := d.Find(within(t, 10*time.Second), forms("+421905123456"))
			if test.want == "" && (err != nil || len(matches) != 1) {
				t.Errorf("want one match, have %v, %v", matches, err)
			}
			if test.want != "" && (!fault.Is(err, test.kind) || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "hunter2")) {
				t.Errorf("want %q (%v), have %v", test.want, test.kind, err)
			}
		})
	}
	if have := strayed.Load(); have != 0 {
		t.Errorf("want no request elsewhere, have %d", have)
	}
}

// TestHTTPForms asks for one form after the other until one is known.
func TestHTTPForms(t *testing.T) {
	var mu sync.Mutex
	var asked []string
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		asked = append(asked, r.URL.Query().Get("phone"))
		if asked[len(asked)-1] == "777888999" {
			reply(w, object{"items": []object{{"first": "Jan"}}})
			return
		}
		reply(w, object{"items": nil})
	})
	d := open(t, at(plainYAML+"  forms: [e164, groups, significant, national, digits]", s))
	matches := find(t, d, "777888999")
	// CZ has no trunk prefix: groups and significant are the same as national_spaced and national.
	if want, have := "[+420777888999 777888999]", fmt.Sprint(asked); want != have {
		t.Errorf("want %s, have %s", want, have)
	}
	if len(matches) != 1 || matches[0].GetMatchedForm() != "national" || matches[0].GetMatchedNumber() != "" {
		t.Errorf("want the form national and no number, have %v", matches)
	}
}

// TestHTTPLookup asks a second time for the employee, and not a third.
func TestHTTPLookup(t *testing.T) {
	var employees atomic.Int32
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/contacts":
			reply(w, object{"items": []object{
				{"first": "D", "owner": object{"id": 8}}, {"first": "A", "owner": object{"id": 7}}, {"first": "B", "owner": object{"id": 7}}, {"first": "C"},
			}})
		case r.URL.Path == "/users/7" && r.Header.Get("X-Token") == "hunter2":
			employees.Add(1)
			reply(w, object{"data": object{"mail": "e@acme.example", "ext": 101}})
		default:
			w.WriteHeader(http.StatusForbidden)
		}
	})
	var log logtest.Log
	d := openLogged(t, at(plainYAML+`
  headers: {X-Token: "{token}"}
  secrets: {token: hunter2}
  lookup:
    key: owner.id
    url: STUB/users/{key}
    fields: {responsible_email: "{data.mail}", responsible_extension: "{data.ext}"}
`, s), log.Logger())
	for range 2 {
		var have []string
		for _, m := range find(t, d, "777888999") {
			have = append(have, m.GetName()+" "+m.GetResponsibleExtension()+" "+m.GetResponsibleEmail())
		}
		if want, have := "D  |A 101 e@acme.example|B 101 e@acme.example|C  ", strings.Join(have, "|"); want != have {
			t.Errorf("want %s, have %s", want, have)
		}
	}
	if have := employees.Load(); have != 1 {
		t.Errorf("want one request for the employee, have %d", have)
	}
	if !strings.Contains(log.String(), "responsible employees not found out") || strings.Contains(log.String(), "hunter2") {
		t.Errorf("want a warning without secret, have %s", log.String())
	}
}

// TestHTTPLookupHangs does not lose what was found for want of the employee.
func TestHTTPLookupHangs(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/contacts" {
			reply(w, object{"items": []object{{"first": "A", "id": 1}, {"first": "B", "id": 2}}})
			return
		}
		hang(w, r)
	})
	ctx := within(t, time.Second)
	matches, err := open(t, at(plainYAML+"  lookup: {key: id, url: \"STUB/users/{key}\"}", s)).Find(ctx, forms("777888999"))
	if want := "A, B"; err != nil || want != names(matches) || ctx.Err() != nil {
		t.Errorf("want %s in time, have %v, %v, %v", want, matches, err, ctx.Err())
	}
}

// TestHTTPRequest compares what is sent for each way to configure it.
func TestHTTPRequest(t *testing.T) {
	tests := map[string]struct{ yaml, want string }{
		"path and query": {
			"  url: STUB/{number}/x?n={number}&d={digits}&s={significant}&l={limit}&e={e164}",
			"GET /+420777888999/x?n=%2B420777888999&d=420777888999&s=777888999&l=10&e=%2B420777888999 Accept: application/json",
		},
		"a body": {
			"  url: STUB/x\n  body: '{\"n\": \"{number}\", \"t\": \"{token}\"}'\n  secrets: {token: 'a\"b'}",
			`POST /x Accept: application/json Content-Type: application/json {"n": "+420777888999", "t": "a\"b"}`,
		},
		"a form": {
			"  url: STUB/x\n  body: n={number}&t={token}\n  secrets: {token: 'a&b'}\n  headers: {content-type: application/x-www-form-urlencoded}",
			"POST /x Accept: application/json Content-Type: application/x-www-form-urlencoded n=%2B420777888999&t=a%26b",
		},
		"headers and basic authentication": {
			"  url: STUB/x\n  method: POST\n  basic: {username: u, password: p}\n  headers: {X-A: \"b {token}\", accept: text/json}\n  secrets: {token: c}",
			"POST /x Accept: text/json Authorization: Basic dTpw X-A: b c",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			requests := make(chan string, 1)
			s := serve(t, func(w http.ResponseWriter, r *http.Request) {
				requests <- describe(r)
				reply(w, []object{})
			})
			find(t, open(t, at("- type: http\n  fields: {name: \"{name}\"}\n"+test.yaml, s)), "777888999")
			if have := <-requests; test.want != have {
				t.Errorf("want %s\nhave %s", test.want, have)
			}
		})
	}
}

// describe writes a request in one line, with the headers that say something.
func describe(r *http.Request) string {
	parts := []string{r.Method, r.URL.RequestURI()}
	for _, name := range []string{"Accept", "Authorization", "Content-Type", "X-A", "X-Api-Token", "X-Instance-Name"} {
		if value := r.Header.Get(name); value != "" {
			parts = append(parts, name+": "+value)
		}
	}
	if body, err := io.ReadAll(r.Body); err != nil || len(body) > 0 {
		parts = append(parts, string(body))
	}
	return strings.Join(parts, " ")
}
