package xvb_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/switchhook/switchhook/pkg/config"
	"github.com/switchhook/switchhook/pkg/event"
	"github.com/switchhook/switchhook/pkg/fault"
	"github.com/switchhook/switchhook/pkg/ingress"
	"github.com/switchhook/switchhook/pkg/vendors/vendortest"
	"github.com/switchhook/switchhook/pkg/vendors/xvb"
	"github.com/switchhook/switchhook/pkg/webhook"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

func Example() {
	c, err := config.Parse([]byte(`
tenants:
  - name: acme
    region: RU
    exchanges:
      - vendor: xvb
        webhook: {access_code: "10019"}
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	v, err := xvb.New(c.Tenants[0].Exchanges)
	if err != nil {
		fmt.Println(err)
		return
	}
	r := webhook.Request{
		Method: http.MethodPost, Path: "/crm-api", Header: http.Header{"X-Xvb-Ac": {"10019"}},
		Body: []byte("cmd=event&callid=DVzqd2I5&type=in&event=ANSWERED&ext=100&phone=79201119613"),
	}
	exchange, err := v.Authenticate(r)
	if err != nil {
		fmt.Println(err)
		return
	}
	reading, err := exchange.Read(r)
	if err != nil {
		fmt.Println(err)
		return
	}
	call := reading.Events[0].GetCall()
	fmt.Println(exchange.Origin(), call.GetKind(), call.GetExtension(), call.GetFrom().GetE164())
	// Output: xvb/acme/xvb ANSWERED 100 +79201119613
}

func TestVendor(t *testing.T) { vendortest.Run(t, vendortest.Load(t, xvb.New)) }

func FuzzRead(f *testing.F) { vendortest.Fuzz(f, vendortest.Load(f, xvb.New)) }

// read returns what the exchange of that origin reads in a body.
func read(t *testing.T, origin, body string) webhook.Reading {
	t.Helper()
	for _, exchange := range vendortest.Load(t, xvb.New).Exchanges() {
		if exchange.Origin().String() != origin {
			continue
		}
		reading, err := exchange.Read(webhook.Request{Body: []byte(body), ReceivedAt: vendortest.Now})
		if err != nil {
			t.Fatal(err)
		}
		ingress.Complete(reading.Events, exchange.Origin(), vendortest.Now, event.NewID)
		return reading
	}
	t.Fatalf("want an exchange %s, have none", origin)
	return webhook.Reading{}
}

func TestSecondRequest(t *testing.T) {
	const vats = "xvb/globex/vats"
	const history = "cmd=history&type=in&callid=N2Zk&phone=79201119613&ext=100&status=Success&start=20211231T235959Z"
	const asJSON = `{"payload": {"cmd": "history", "type": "in", "callid": "N2Zk", "phone": 79201119613, "ext": 100,
		"status": "Success", "start": "20211231T235959Z"}}`
	tests := map[string]struct {
		first, second string
		wantSame      bool
	}{
		"event":           {"cmd=event&type=INCOMING&callid=N2Zk", "cmd=event&type=INCOMING&callid=N2Zk", false},
		"rating":          {"cmd=rating&callid=N2Zk&rating=5", "cmd=rating&callid=N2Zk&rating=5", false},
		"history":         {history, history, true},
		"history as JSON": {history, asJSON, true},
		// A duration that was counted late makes no other event.
		"history with more":             {history, history + "&duration=16&link=x", true},
		"history of another call":       {history, strings.Replace(history, "N2Zk", "N2Zl", 1), false},
		"history of another extension":  {history, strings.Replace(history, "100", "101", 1), false},
		"history of another time":       {history, strings.Replace(history, "59Z", "58Z", 1), false},
		"history of another type":       {history, strings.Replace(history, "type=in", "type=out", 1), false},
		"history of another number":     {history, strings.Replace(history, "9613", "9614", 1), false},
		"history of another status":     {history, strings.Replace(history, "Success", "Busy", 1), false},
		"history of another user":       {history, history + "&user=ivanov", false},
		"history without a time":        {"cmd=history&callid=N2Zk", "cmd=history&callid=N2Zk", false},
		"history of an unreadable time": {"cmd=history&callid=N2Zk&start=now", "cmd=history&callid=N2Zk&start=now", false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			first := read(t, vats, test.first).Events[0]
			second := read(t, vats, test.second).Events[0]
			if have := first.GetId() == second.GetId(); test.wantSame != have {
				t.Errorf("want the same id %v, have %s and %s", test.wantSame, first.GetId(), second.GetId())
			}
			if test.first == test.second {
				second.Id = first.GetId()
				if !proto.Equal(first, second) {
					t.Errorf("want all but the id the same, have\n%v\n%v", first, second)
				}
			}
		})
	}
	if a, b := read(t, vats, history).Events[0].GetId(), read(t, "xvb/globex/guarded", history).Events[0].GetId(); a == b {
		t.Errorf("want another id at another exchange, have %s twice", a)
	}
}

func TestReply(t *testing.T) {
	const nobody = `{"contact_name":"","responsible":""}`
	tests := map[string]struct {
		contact *pbxv1.Contact
		want    string
	}{
		"nobody answered": {nil, nobody},
		"nobody knows":    {&pbxv1.Contact{Kind: pbxv1.Contact_UNKNOWN}, nobody},
		"known": {
			&pbxv1.Contact{Match: &pbxv1.ContactMatch{Name: `ООО "Рога & <Копыта>"`, ResponsibleExtension: "100"}},
			`{"contact_name":"ООО \"Рога & <Копыта>\"","responsible":"100"}`,
		},
		"known, and somebody stands in for the employee": {
			&pbxv1.Contact{Match: &pbxv1.ContactMatch{Name: "Вася", ResponsibleExtension: "100", FallbackExtension: "200"}},
			`{"contact_name":"Вася","responsible":"200"}`,
		},
		"without an employee": {
			&pbxv1.Contact{Match: &pbxv1.ContactMatch{Name: "Вася", ResponsibleEmail: "a@b.example"}},
			`{"contact_name":"Вася","responsible":""}`,
		},
	}
	question := read(t, "xvb/acme/xvb", "cmd=contact&phone=79201119613").Question
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			have := question.Reply(test.contact)
			if test.want != strings.TrimSpace(string(have.Body)) {
				t.Errorf("want %s, have %s", test.want, have.Body)
			}
			if want := "application/json"; want != have.ContentType {
				t.Errorf("want %s, have %s", want, have.ContentType)
			}
		})
	}
}

func TestContactWithoutPhone(t *testing.T) {
	for _, body := range []string{"cmd=contact", "cmd=contact&phone=+", `{"cmd":"contact","phone":null}`} {
		reading := read(t, "xvb/acme/xvb", body)
		if reading.Question != nil || reading.Reply == nil {
			t.Errorf("%s: want an answer without a question, have %+v", body, reading)
		}
	}
}

func TestSettings(t *testing.T) {
	const twin = "tenants[0].exchanges[1].webhook: has the token of xvb/acme/a: " +
		"requests could not be told apart, unless each has a path_secret of its own"
	const either = "tenants[0].exchanges[0].webhook: want either access_code or crm_token"
	const segment = "tenants[0].exchanges[0].webhook.path_secret: want one segment of a path, of at least 8 characters"
	tests := map[string]struct {
		first, second string // the keys under webhook
		want          string // the problem; empty for none
	}{
		"either name":          {`access_code: 10019`, `crm_token: 10020`, ""},
		"both names":           {`access_code: 10019, crm_token: 10019`, `crm_token: 10020`, either},
		"neither":              {`path_secret: abcdefgh`, `crm_token: 10020`, either},
		"empty":                {`access_code: ""`, `crm_token: 10020`, either},
		"path secret short":    {`access_code: 10019, path_secret: abcdefg`, `crm_token: 10020`, segment},
		"path secret two deep": {`access_code: 10019, path_secret: abcd/efgh`, `crm_token: 10020`, segment},
		"twins":                {`access_code: 10019`, `access_code: 10019`, twin},
		"twins by both names":  {`access_code: 10019`, `crm_token: 10019`, twin},
		"twins, one by a path": {`access_code: 10019, path_secret: abcdefgh`, `access_code: 10019`, twin},
		"twins, other by one":  {`access_code: 10019`, `access_code: 10019, path_secret: abcdefgh`, twin},
		"twins by one path": {
			`access_code: 10019, path_secret: abcdefgh`, `access_code: 10019, path_secret: abcdefgh`, twin,
		},
		"each by a path": {
			`access_code: 10019, path_secret: abcdefgh`, `access_code: 10019, path_secret: abcdefgi`, "",
		},
		"one path, two codes": {
			`access_code: 10019, path_secret: abcdefgh`, `access_code: 10020, path_secret: abcdefgh`, "",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c, err := config.Parse(fmt.Appendf(nil, `tenants: [{name: acme, region: RU, exchanges: [
				{vendor: xvb, name: a, webhook: {%s}, api: {url: "https://pbx.example/crm-api", token: abc}},
				{vendor: xvb, name: b, webhook: {%s}}]}]`, test.first, test.second))
			if err != nil {
				t.Fatal(err)
			}
			_, err = xvb.New(c.Tenants[0].Exchanges)
			if have := messages(err); test.want != have {
				t.Errorf("want %q, have %q", test.want, have)
			}
		})
	}
}

// Quoting a value can spell a secret that is not in it.
func TestErrorHoldsNoSecret(t *testing.T) {
	const secret = "3f1a7c52"
	c, err := config.Parse(fmt.Appendf(nil,
		"tenants: [{name: acme, region: RU, exchanges: [{vendor: xvb, webhook: {crm_token: %s}}]}]", secret))
	if err != nil {
		t.Fatal(err)
	}
	v, err := xvb.New(c.Tenants[0].Exchanges)
	if err != nil {
		t.Fatal(err)
	}
	for _, body := range []string{"cmd=" + secret, "cmd=%13f1a7c52", "type=" + secret, "type=%13f1a7c52"} {
		_, err := v.Exchanges()[0].Read(webhook.Request{Body: []byte(body)})
		if !fault.Is(err, fault.Invalid) || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: want an invalid request and no secret, have %v", body, err)
		}
	}
}

// messages returns what is wrong without the lines, which are those of the test.
func messages(err error) string {
	if err == nil {
		return ""
	}
	_, message, _ := strings.Cut(err.Error(), ": ")
	return message
}

func TestTokenUnreadable(t *testing.T) {
	c, err := config.Parse([]byte(`
tenants:
  - name: acme
    region: RU
    exchanges:
      - vendor: xvb
        webhook: {access_code_file: missing}
`))
	if err != nil {
		t.Fatal(err)
	}
	_, err = xvb.New(c.Tenants[0].Exchanges)
	if err == nil || !strings.Contains(err.Error(), "access_code_file") || strings.Contains(err.Error(), "crm_token") {
		t.Errorf("want the file named that cannot be read, and nothing else, have %v", err)
	}
}

func TestEveryProblemAtOnce(t *testing.T) {
	c, err := config.Parse([]byte(`
tenants:
  - name: acme
    region: RU
    exchanges:
      - vendor: xvb
        webhook:
          path_secret: short
        api: {password: x}
`))
	if err != nil {
		t.Fatal(err)
	}
	_, err = xvb.New(c.Tenants[0].Exchanges)
	for _, want := range []string{"line 7: ", "line 8: ", "line 9: ", "access_code or crm_token", "path_secret", "password"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q among the problems, have %v", want, err)
		}
	}
}
