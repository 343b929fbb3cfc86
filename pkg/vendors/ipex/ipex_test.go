package ipex_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/switchhook/switchhook/pkg/config"
	"github.com/switchhook/switchhook/pkg/fault"
	"github.com/switchhook/switchhook/pkg/vendors/ipex"
	"github.com/switchhook/switchhook/pkg/vendors/vendortest"
	"github.com/switchhook/switchhook/pkg/webhook"
)

func TestVendor(t *testing.T) { vendortest.Run(t, vendortest.Load(t, ipex.New)) }

func FuzzRead(f *testing.F) { vendortest.Fuzz(f, vendortest.Load(f, ipex.New)) }

const ringing = `{"EventName":"Ringing","From":"777888999","Line":"20","UniqueId":"1.1"}`

func post(path, authorization, body string, at time.Time) webhook.Request {
	return webhook.Request{
		Method: http.MethodPost, Path: path, Body: []byte(body), ReceivedAt: at,
		Header: http.Header{"Authorization": {authorization}},
	}
}

// issueToken asks for a token as the exchange acme/prague does.
func issueToken(t *testing.T, v webhook.Vendor) string {
	t.Helper()
	r := post("/token", "", `{"login":"webhook","password":"correct-horse-battery"}`, vendortest.Now)
	ex, err := v.Authenticate(r)
	if err != nil {
		t.Fatal(err)
	}
	reading, err := ex.Read(r)
	if err != nil {
		t.Fatal(err)
	}
	var answer struct {
		AccessToken string `json:"access_token"`
		TokenType   string `json:"token_type"`
		ExpiresIn   int    `json:"expires_in"`
	}
	if err := json.Unmarshal(reading.Reply.Body, &answer); err != nil {
		t.Fatal(err)
	}
	if answer.TokenType != "Bearer" || answer.ExpiresIn != 3600 {
		t.Errorf("want a Bearer token for 3600 s, have %q for %d s", answer.TokenType, answer.ExpiresIn)
	}
	return answer.AccessToken
}

func TestBearer(t *testing.T) {
	v := vendortest.Load(t, ipex.New)
	token := issueToken(t, v)
	head, rest, _ := strings.Cut(token, ".")
	claims, signature, _ := strings.Cut(rest, ".")
	tests := map[string]struct {
		authorization string
		after         time.Duration
		want          bool
	}{
		"good":                {"Bearer " + token, time.Minute, true},
		"scheme in capitals":  {"BEARER " + token, time.Minute, true},
		"just before the end": {"Bearer " + token, time.Hour - time.Second, true},
		"expired":             {"Bearer " + token, time.Hour + time.Second, false},
		"signature changed":   {"Bearer " + head + "." + claims + "." + strings.ToUpper(signature), time.Minute, false},
		"no signature":        {"Bearer " + head + "." + claims + ".", time.Minute, false},
		// {"alg":"none"}
		"algorithm none": {"Bearer eyJhbGciOiJub25lIn0." + claims + ".", time.Minute, false},
		"empty":          {"Bearer ", time.Minute, false},
		"no scheme":      {token, time.Minute, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			ex, err := v.Authenticate(post("/", test.authorization, ringing, vendortest.Now.Add(test.after)))
			if have := err == nil; test.want != have {
				t.Fatalf("want accepted %v, have %v (%v)", test.want, have, err)
			}
			if err != nil && !fault.Is(err, fault.Denied) {
				t.Errorf("want denied, have %v", fault.Of(err))
			}
			if err == nil && ex.Origin().String() != "ipex/acme/prague" {
				t.Errorf("want the exchange that the token was issued to, have %v", ex.Origin())
			}
		})
	}
}

// A token must not get another token, else it would never end.
func TestTokenDoesNotRenewItself(t *testing.T) {
	v := vendortest.Load(t, ipex.New)
	_, err := v.Authenticate(post("/token", "Bearer "+issueToken(t, v), "", vendortest.Now))
	if !fault.Is(err, fault.Denied) {
		t.Errorf("want denied, have %v", err)
	}
}

func TestNewProblems(t *testing.T) {
	tests := map[string]struct{ exchange, want string }{
		"password missing": {"webhook: {username: a}", "webhook.password: is missing"},
		"password empty":   {`webhook: {username: a, password: ""}`, "webhook.password: is empty"},
		"username empty":   {`webhook: {username: "", password: b}`, "webhook.username: is empty"},
		"no webhook":       {"fields: {From: Caller}", "webhook: is missing"},
		"unknown key":      {"webhook: {username: a, passwort: b}", "password"},
		"field unknown":    {"webhook: {username: a, password: b}\n        fields: {Form: Caller}", `"Form" is no key`},
		"login of another": {"webhook: {username: webhook, password: correct-horse-battery}", "could not be told apart"},
	}
	const file = `tenants:
  - name: acme
    region: CZ
    exchanges:
      - vendor: ipex
        webhook: {username: webhook, password: correct-horse-battery}
      - vendor: ipex
        name: second
        `
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c, err := config.Parse([]byte(file + test.exchange))
			if err != nil {
				t.Fatal(err)
			}
			_, err = ipex.New(c.Tenants[0].Exchanges)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("want %q, have %v", test.want, err)
			}
			if err != nil && strings.Contains(err.Error(), "correct-horse") {
				t.Errorf("want no password, have %v", err)
			}
		})
	}
}
