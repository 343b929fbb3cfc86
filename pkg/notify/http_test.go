package notify_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/switchhook/switchhook/pkg/fault"
	"github.com/switchhook/switchhook/pkg/notify"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// receiver is a service that takes messages. It answers as told, and keeps what it got.
type receiver struct {
	*httptest.Server
	answer http.HandlerFunc // set before use

	mu   sync.Mutex
	got  []request
	over chan struct{} // closed at the end of the test
}

type request struct {
	*http.Request
	body string
}

func receive(t *testing.T, answer http.HandlerFunc) *receiver {
	t.Helper()
	r := &receiver{answer: answer, over: make(chan struct{})}
	r.Server = httptest.NewServer(r)
	t.Cleanup(func() { close(r.over); r.Close() })
	return r
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	body, _ := io.ReadAll(q.Body)
	r.mu.Lock()
	r.got = append(r.got, request{q, string(body)})
	r.mu.Unlock()
	r.answer(w, q)
}

func (r *receiver) requests() []request {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.got)
}

func (r *receiver) hang(http.ResponseWriter, *http.Request) { <-r.over }

func answer(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// credential is what every credential is made of.
const credential = "hunter2hunter2hunter2hunter2hunter2hunt"

// service is a type of channel by HTTP, with an answer of success.
type service struct {
	yaml string // with ADDRESS
	ok   http.HandlerFunc
}

func services() map[string]service {
	key := "whsec_" + base64.StdEncoding.EncodeToString([]byte(credential))
	return map[string]service{
		"slack":      {"- type: slack\n  url: ADDRESS/services/" + credential + "\n", answer(200, "ok")},
		"mattermost": {"- type: mattermost\n  url: ADDRESS/hooks/" + credential + "\n", answer(200, "ok")},
		"teams":      {"- type: teams\n  url: ADDRESS/workflows/x?sig=" + credential + "\n", answer(202, "")},
		"telegram":   {"- type: telegram\n  url: ADDRESS\n  token: 123:" + credential + "\n  chat: \"-100\"\n", answer(200, `{"ok":true,"result":{"message_id":1}}`)},
		"webhook":    {"- type: webhook\n  url: ADDRESS/" + credential + "\n  secret: " + key + "\n", answer(204, "")},
		"sms":        {"- type: sms\n  url: ADDRESS/SMS\n  from: \"222333444\"\n  to: \"777888999\"\n", answer(200, "{}")},
	}
}

func tokens(context.Context, string, string, string) (string, error) { return credential, nil }

func (s service) open(t *testing.T, address, more string) notify.Channel {
	t.Helper()
	return open(t, strings.ReplaceAll(s.yaml, "ADDRESS", address)+more, tokens)
}

func TestArrives(t *testing.T) {
	for name, s := range services() {
		t.Run(name, func(t *testing.T) {
			r := receive(t, s.ok)
			if err := s.open(t, r.URL, "").Send(t.Context(), message(t, notify.Opened)); err != nil {
				t.Fatal(err)
			}
			if have := len(r.requests()); have != 1 || r.requests()[0].Method != http.MethodPost {
				t.Errorf("want one POST, have %d requests", have)
			}
		})
	}
}

// TestTLS has a receiver with a certificate of its own authority, and one whom nobody vouches for.
func TestTLS(t *testing.T) {
	for name, s := range services() {
		t.Run(name, func(t *testing.T) {
			config, caFile := certificate(t)
			r := &receiver{answer: s.ok}
			r.Server = httptest.NewUnstartedServer(r)
			r.TLS = config
			r.Config.ErrorLog = log.New(io.Discard, "", 0)
			r.StartTLS()
			t.Cleanup(r.Close)
			if err := s.open(t, r.URL, "  ca_file: "+caFile+"\n").Send(t.Context(), message(t, notify.Opened)); err != nil {
				t.Errorf("want it to arrive, have %v", err)
			}
			err := s.open(t, r.URL, "").Send(t.Context(), message(t, notify.Opened))
			wantKind(t, fault.Unavailable, err)
			if err != nil && !strings.Contains(err.Error(), "certificate") {
				t.Errorf("want to know of the certificate, have %v", err)
			}
			if have := len(r.requests()); have != 1 {
				t.Errorf("want nothing told to a stranger, have %d requests", have)
			}
		})
	}
}

// TestFailures has everything go wrong that can, with a service that says back all it was told, and looks for the credential
// in what is said about it.
func TestFailures(t *testing.T) {
	echo := func(w http.ResponseWriter, q *http.Request, status int) {
		said := fmt.Sprintln(q.URL, q.Header, credential)
		w.Header().Set("X-Said", url.QueryEscape(said))
		w.WriteHeader(status)
		_, _ = io.WriteString(w, said)
	}
	type failure struct {
		answer http.HandlerFunc
		want   fault.Kind
	}
	failures := map[string]failure{
		"broken off": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, fault.Unavailable},
		"no HTTP": {func(w http.ResponseWriter, q *http.Request) {
			connection, _, err := http.NewResponseController(w).Hijack()
			if err == nil {
				_, _ = fmt.Fprintln(connection, credential, q.URL)
				connection.Close()
			}
		}, fault.Unavailable},
		"redirect": {func(w http.ResponseWriter, q *http.Request) {
			w.Header().Set("Location", "/elsewhere"+q.URL.Path)
			echo(w, q, http.StatusTemporaryRedirect)
		}, fault.Invalid},
	}
	for status, want := range map[int]fault.Kind{
		400: fault.Invalid, 401: fault.Denied, 403: fault.Denied, 404: fault.Invalid, 408: fault.Unavailable, 410: fault.Invalid,
		413: fault.Invalid, 429: fault.Unavailable, 500: fault.Unavailable, 503: fault.Unavailable,
	} {
		failures[strconv.Itoa(status)] = failure{func(w http.ResponseWriter, q *http.Request) { echo(w, q, status) }, want}
	}
	for name, s := range services() {
		for what, failure := range failures {
			t.Run(name+"/"+what, func(t *testing.T) {
				t.Parallel()
				r := receive(t, failure.answer)
				err := s.open(t, r.URL, "").Send(t.Context(), message(t, notify.Opened))
				wantKind(t, failure.want, err)
				wantSecret(t, err)
				want := 1
				if name == "sms" && failure.want == fault.Denied {
					want = 2 // Once more with a new token.
				}
				if have := len(r.requests()); want != have {
					t.Errorf("want %d requests, have %d", want, have)
				}
			})
		}
		t.Run(name+"/hangs", func(t *testing.T) {
			t.Parallel()
			r := receive(t, nil)
			r.answer = r.hang
			err := s.open(t, r.URL, "  timeout: 100ms\n").Send(t.Context(), message(t, notify.Opened))
			wantKind(t, fault.Unavailable, err)
			wantSecret(t, err)
			err = s.open(t, r.URL, "").Send(within(t, 100*time.Millisecond), message(t, notify.Opened))
			wantKind(t, fault.Unavailable, err)
			if err == nil || !strings.Contains(err.Error(), context.DeadlineExceeded.Error()) {
				t.Errorf("want %v, have %v", context.DeadlineExceeded, err)
			}
		})
		t.Run(name+"/nobody there", func(t *testing.T) {
			err := s.open(t, "http://127.0.0.1:1", "").Send(t.Context(), message(t, notify.Opened))
			wantKind(t, fault.Unavailable, err)
			wantSecret(t, err)
		})
	}
}

func wantSecret(t *testing.T, err error) {
	t.Helper()
	for _, said := range []string{fmt.Sprintf("%v", err), fmt.Sprintf("%+v", err), fmt.Sprintf("%#v", err)} {
		if strings.Contains(said, "hunter2") {
			t.Errorf("want no credential, have %s", said)
		}
	}
}

// TestLeaksInProblems has configurations that cannot be used, with a credential in each.
func TestLeaksInProblems(t *testing.T) {
	for _, yaml := range []string{
		"- type: slack\n  url: " + credential, "- type: teams\n  url: \"http://%zz/" + credential + "\"", "- type: mattermost\n  url: [" + credential + "]",
		"- type: telegram\n  token: " + credential + "\n  chat: x", "- type: webhook\n  url: https://x.example\n  secret: " + credential,
		"- type: email\n  host: x\n  from: x\n  to: [y]\n  password: " + credential,
	} {
		err := notify.Check(sources(t, yaml))
		if err == nil {
			t.Errorf("want something wrong with\n%s", yaml)
		}
		wantSecret(t, err)
	}
	for name, s := range services() {
		all, err := notify.New(sources(t, strings.ReplaceAll(s.yaml, "ADDRESS", "https://x.example")), tokens)
		if err != nil {
			t.Fatal(err)
		}
		if said := fmt.Sprintf("%v %+v", all, all[0].Channel); strings.Contains(said, "hunter2") {
			t.Errorf("%s: want no credential, have %s", name, said)
		}
	}
}

// TestNoSuccess has answers with a good status that are none of the service's, such as a login page's.
func TestNoSuccess(t *testing.T) {
	r := receive(t, answer(200, "<html>log in"))
	err := services()["telegram"].open(t, r.URL, "").Send(t.Context(), message(t, notify.Opened))
	wantKind(t, fault.Unavailable, err)
	wantSecret(t, err)
}

func TestRetryAfter(t *testing.T) {
	later := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "17")
		w.WriteHeader(http.StatusTooManyRequests)
		_, _ = io.WriteString(w, `{"ok":false,"error_code":429,"description":"Too Many Requests","parameters":{"retry_after":23}}`)
	}
	for name, s := range services() {
		want := 17 * time.Second
		if name == "telegram" {
			want = 23 * time.Second
		}
		err := s.open(t, receive(t, later).URL, "").Send(t.Context(), message(t, notify.Opened))
		wantKind(t, fault.Unavailable, err)
		if have := notify.RetryAfter(err); want != have {
			t.Errorf("%s: want %v, have %v", name, want, have)
		}
	}
	if have := notify.RetryAfter(io.EOF); have != 0 {
		t.Errorf("want 0, have %v", have)
	}
}

// TestWebhook checks the signature as a receiver does.
func TestWebhook(t *testing.T) {
	m := message(t, notify.Digest)
	r := receive(t, answer(204, ""))
	const old = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	channel := services()["webhook"].open(t, r.URL, "  previous_secret: "+old+"\n")
	for range 2 {
		if err := channel.Send(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	first, second := r.requests()[0], r.requests()[1]
	if id := first.Header.Get("Webhook-Id"); id == "" || strings.Contains(id, ".") || id != second.Header.Get("Webhook-Id") {
		t.Errorf("want the same id for the same message, have %q and %q", id, second.Header.Get("Webhook-Id"))
	}
	at, err := strconv.ParseInt(first.Header.Get("Webhook-Timestamp"), 10, 64)
	if err != nil || time.Since(time.Unix(at, 0)).Abs() > time.Minute {
		t.Errorf("want the time of sending, have %d, %v", at, err)
	}
	oldKey, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(old, "whsec_"))
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, key := range [][]byte{[]byte(credential), oldKey} {
		mac := hmac.New(sha256.New, key)
		fmt.Fprintf(mac, "%s.%d.%s", first.Header.Get("Webhook-Id"), at, first.body)
		want = append(want, "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	}
	if want, have := strings.Join(want, " "), first.Header.Get("Webhook-Signature"); want != have {
		t.Errorf("want %s, have %s", want, have)
	}
	var have struct {
		Type      string
		Timestamp time.Time
		Data      struct {
			Tenant  string
			Text    string
			Entries []json.RawMessage
		}
	}
	decode(t, first.body, &have)
	if have.Type != "missed_call.digest" || !have.Timestamp.Equal(m.Time) || have.Data.Tenant != "acme" || have.Data.Text != m.Text {
		t.Errorf("want the message, have %+v", have)
	}
	for i, want := range m.Entries {
		var entry pbxv1.MissedCall
		if err := protojson.Unmarshal(have.Data.Entries[i], &entry); err != nil || !proto.Equal(want, &entry) {
			t.Errorf("want %v, have %v, %v", want, &entry, err)
		}
	}
}

func TestSMS(t *testing.T) {
	m := message(t, notify.Opened)
	refusing := receive(t, func(w http.ResponseWriter, q *http.Request) {
		if q.Header.Get("Authorization") != "Bearer new" {
			w.WriteHeader(http.StatusUnauthorized)
		}
	})
	var refusals []string
	channel := open(t, strings.ReplaceAll(services()["sms"].yaml, "ADDRESS", refusing.URL), func(_ context.Context, tenant, exchange, refused string) (string, error) {
		refusals = append(refusals, tenant+" "+exchange+" "+refused)
		return map[string]string{"": "old", "old": "new"}[refused], nil
	})
	if err := channel.Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	if want := []string{"acme prague ", "acme prague old"}; !slices.Equal(want, refusals) {
		t.Errorf("want %q, have %q", want, refusals)
	}
	var have map[string]string
	decode(t, refusing.requests()[1].body, &have)
	if have["from"] != "222333444" || have["to"] != "777888999" || have["text"] != m.Short || len(have) != 3 {
		t.Errorf("want the short text, have %v", have)
	}
}

func TestSMSWithoutToken(t *testing.T) {
	for _, want := range []fault.Kind{fault.Unavailable, fault.Denied} {
		channel := open(t, smsYAML, func(context.Context, string, string, string) (string, error) {
			return "", fault.New(want, "the token server is away")
		})
		wantKind(t, want, channel.Send(t.Context(), message(t, notify.Opened)))
	}
}

func decode(t *testing.T, body string, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(body), into); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
}
