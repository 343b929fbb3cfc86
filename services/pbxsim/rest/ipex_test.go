package rest_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/switchhook/switchhook/services/pbxsim/ledger"
	"github.com/switchhook/switchhook/services/pbxsim/rest"
)

const login = "grant_type=password&client_id=api&username=me&password=secret-ipex&scope=openid+profile"

func tokenRequest(form string) request {
	return request{method: http.MethodPost, path: "/auth/token", kind: asForm, body: form}
}

// login returns an access token of the first IPEX exchange.
func (w *world) login() string {
	w.t.Helper()
	return w.want(http.StatusOK, tokenRequest(login))["access_token"].(string)
}

// caller sends commands to it, for the phone 20.
type caller struct {
	*world
	token string
}

func startIPEX(t *testing.T, speed float64, o rest.Options) *caller {
	w := start(t, speed, o)
	return &caller{w, w.login()}
}

func (c *caller) request(method, path, body string) request {
	r := request{method: method, path: path, token: c.token, body: body}
	if body != "" {
		r.kind = asJSON
	}
	return r
}

func (c *caller) originate(to string) map[string]any {
	c.t.Helper()
	body := fmt.Sprintf(`{"to":%q,"fromUser":{"identityType":"line","identityValue":"20"}}`, to)
	return c.want(http.StatusOK, c.request(http.MethodPost, "/calls", body))
}

// current returns the phones in calls and what they do, as "101 talking".
func (c *caller) current() string {
	c.t.Helper()
	_, body := c.send(c.request(http.MethodGet, "/calls/current", ""))
	var list []struct{ Line, State string }
	if err := json.Unmarshal([]byte(body), &list); err != nil {
		c.t.Fatal(err)
	}
	var all []string
	for _, l := range list {
		all = append(all, l.Line+" "+l.State)
	}
	return strings.Join(all, ", ")
}

func (c *caller) await(state string) {
	c.t.Helper()
	c.eventually(state, func() bool { return c.current() == state })
}

func TestTokens(t *testing.T) {
	t.Parallel()
	w := start(t, 0, rest.Options{Lifetime: 50 * time.Minute})
	have := w.want(http.StatusOK, tokenRequest(login))
	if have["expires_in"] != 3000.0 || have["refresh_expires_in"] != 7200.0 || have["token_type"] != "Bearer" {
		t.Errorf("want the vendor's lifetimes, have %v", have)
	}
	refresh := fmt.Sprint("grant_type=refresh_token&client_id=api&refresh_token=", have["refresh_token"])
	again := w.want(http.StatusOK, tokenRequest(refresh))
	if again["access_token"] == have["access_token"] {
		t.Error("want another token, have the same")
	}
	w.want(http.StatusOK, request{method: http.MethodGet, path: "/calls/current", token: again["access_token"].(string)})
}

func TestTokensRefused(t *testing.T) {
	t.Parallel()
	w := start(t, 0, rest.Options{})
	cases := map[string]struct {
		r    request
		want int
	}{
		"wrong password": {tokenRequest(strings.Replace(login, "ipex", "xvb", 1)), http.StatusUnauthorized},
		"other's user":   {tokenRequest(strings.Replace(login, "=me", "=they", 1)), http.StatusUnauthorized},
		"no client":      {tokenRequest(strings.Replace(login, "=api", "=me", 1)), http.StatusUnauthorized},
		"no such grant":  {tokenRequest(strings.Replace(login, "=password&", "=code&", 1)), http.StatusBadRequest},
		"wrong refresh": {
			tokenRequest("grant_type=refresh_token&client_id=api&refresh_token=x"), http.StatusUnauthorized,
		},
		"JSON": {request{http.MethodPost, "/auth/token", "", asJSON, login}, http.StatusBadRequest},
		"GET":  {request{method: http.MethodGet, path: "/auth/token?" + login}, http.StatusMethodNotAllowed},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if have, body := w.send(c.r); have != c.want {
				t.Errorf("want %d, have %d %s", c.want, have, body)
			}
		})
	}
}

func TestTokensExpire(t *testing.T) {
	t.Parallel()
	c := startIPEX(t, 0, rest.Options{Lifetime: time.Second})
	current := c.request(http.MethodGet, "/calls/current", "")
	c.want(http.StatusOK, current)
	c.eventually("401", func() bool { status, _ := c.send(current); return status == http.StatusUnauthorized })
	c.want(http.StatusUnauthorized, c.request(http.MethodPost, "/calls", `{}`))
}

func TestOriginateAtIPEX(t *testing.T) {
	t.Parallel()
	c := startIPEX(t, 3000, rest.Options{Answer: rest.ByNumber})
	for _, who := range []string{
		`"fromUser":{"identityType":"line","identityValue":"20"}`,
		`"fromUser":{"identityType":"login","identityValue":"eva.mala"}`,
		`"fromUser":{"identityType":"email","identityValue":"eva@acme.example","outgoingQueue":"NOC"}`,
		`"fromApplication":{"extenId":"20","outRouteId":"1"}`,
	} {
		have := c.want(http.StatusOK, c.request(http.MethodPost, "/calls", `{"to":"777888990","callerId":"222333444",`+who+`}`))
		if have["callId"] == "" || have["channelId"] == "" {
			t.Errorf("want ids, have %v", have)
		}
	}
	for _, truth := range c.truths(4) {
		if truth.Caller != "20" || truth.Callee != "+420777888990" || truth.Outcome != "answered" || truth.Scenario != "clicked" {
			t.Errorf("want a call from 20, have %+v", truth)
		}
		if want, have := "NewCall Ringing Ringing Answered Hangup CDR", c.told(truth.Call); have != want {
			t.Errorf("want %s, have %s", want, have)
		}
	}
	for i, line := range of[*ledger.Command](c.world) {
		truth := c.truths(4)[i]
		if line.Action != "originate" || line.Call != truth.Call || line.CallID != truth.Key || line.Status != 200 ||
			line.Tenant != "acme" || line.Asked["to"] != "777888990" || !strings.Contains(line.Answer, truth.Key) {
			t.Errorf("want the line of call %d, have %+v", truth.Call, line)
		}
	}
}

func TestFates(t *testing.T) {
	t.Parallel()
	c := startIPEX(t, 3000, rest.Options{Answer: rest.ByNumber})
	cases := []struct{ to, outcome, told string }{
		{"777888997", "unanswered_outgoing", "NewCall Ringing Hangup CDR"},
		{"777888998", "busy_outgoing", "NewCall Ringing Hangup CDR"},
		{"777888999", "unanswered_outgoing", "NewCall Ringing Ringing Hangup CDR"},
		{"101", "answered", "NewCall Ringing Ringing Answered Hangup CDR"},
		{"20", "busy", "NewCall Ringing Hangup CDR"}, // oneself
	}
	for _, test := range cases {
		c.originate(test.to)
	}
	for i, truth := range c.truths(len(cases)) {
		if have := c.told(truth.Call); truth.Outcome != cases[i].outcome || have != cases[i].told {
			t.Errorf("%s: want %s and %s, have %s and %s",
				cases[i].to, cases[i].outcome, cases[i].told, truth.Outcome, have)
		}
	}
}

func TestRefusedByIPEX(t *testing.T) {
	t.Parallel()
	c := startIPEX(t, 0, rest.Options{})
	const user = `"fromUser":{"identityType":"line","identityValue":"20"}`
	cases := map[string]struct {
		method, path, body string
		want               int
	}{
		"no number":       {http.MethodPost, "/calls", `{"to":"nobody",` + user + `}`, http.StatusBadRequest},
		"no user":         {http.MethodPost, "/calls", `{"to":"777888990"}`, http.StatusBadRequest},
		"unknown login":   {http.MethodPost, "/calls", `{"to":"777888990","fromUser":{"identityType":"login","identityValue":"x"}}`, http.StatusNotFound},
		"no JSON":         {http.MethodPost, "/calls", `to=1`, http.StatusBadRequest},
		"no such call":    {http.MethodDelete, "/calls?callId=1.1", "", http.StatusNotFound},
		"no such channel": {http.MethodDelete, "/calls?channelId=SIP/20-1", "", http.StatusNotFound},
		"idle user":       {http.MethodDelete, "/calls?userId=20", "", http.StatusNotFound},
		"nothing named":   {http.MethodDelete, "/calls", "", http.StatusBadRequest},
		"two named":       {http.MethodDelete, "/calls?userId=20&callId=1.1", "", http.StatusBadRequest},
		"idle transfer":   {http.MethodPut, "/calls/transfer", `{"to":"101","type":"blind","userId":"20"}`, http.StatusNotFound},
		"transfer how":    {http.MethodPut, "/calls/transfer", `{"to":"101","type":"warm","userId":"20"}`, http.StatusBadRequest},
		"transfer where":  {http.MethodPut, "/calls/transfer", `{"to":"777888990","type":"blind"}`, http.StatusBadRequest},
		"no consultation": {http.MethodDelete, "/calls/transfer", `{"userId":"20"}`, http.StatusNotFound},
		"method":          {http.MethodPatch, "/calls", `{}`, http.StatusMethodNotAllowed},
		"path":            {http.MethodGet, "/calls/missed", "", http.StatusNotFound},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			if have, body := c.send(c.request(test.method, test.path, test.body)); have != test.want {
				t.Errorf("want %d, have %d %s", test.want, have, body)
			}
		})
	}
	c.token = "wrong"
	c.want(http.StatusUnauthorized, c.request(http.MethodPost, "/calls", `{"to":"777888990",`+user+`}`))
	for _, line := range of[*ledger.Command](c.world) {
		if line.Call != 0 {
			t.Errorf("want no call, have %+v", line)
		}
	}
}

// TestHangUp ends calls in each way that they can be named.
func TestHangUp(t *testing.T) {
	t.Parallel()
	for _, by := range []string{"callId", "channelId", "userId"} {
		t.Run(by, func(t *testing.T) {
			t.Parallel()
			c := startIPEX(t, 60, rest.Options{Answer: rest.ByNumber})
			names := c.originate("777888990")
			names["userId"] = "eva.mala"
			c.await("20 talking")
			path := fmt.Sprint("/calls?", by, "=", names[by])
			c.want(http.StatusOK, c.request(http.MethodDelete, path, ""))
			c.want(http.StatusNotFound, c.request(http.MethodDelete, path, ""))
			truth := c.truths(1)[0]
			if truth.TalkSeconds > 240 || truth.Outcome != "answered" || truth.Cut {
				t.Errorf("want it to end early, have %+v", truth)
			}
			if want, have := "NewCall Ringing Ringing Answered Hangup CDR", c.told(truth.Call); have != want {
				t.Errorf("want %s, have %s", want, have)
			}
		})
	}
}

// TestOthersCalls: an exchange knows only its own.
func TestOthersCalls(t *testing.T) {
	t.Parallel()
	c := startIPEX(t, 1, rest.Options{Answer: rest.ByNumber})
	id := c.originate("777888990")["callId"]
	other := &caller{c.world, c.want(http.StatusOK, tokenRequest(
		"grant_type=password&client_id=api&username=they&password=secret-they"))["access_token"].(string)}
	if have := other.current(); have != "" {
		t.Errorf("want no calls, have %s", have)
	}
	other.want(http.StatusNotFound, other.request(http.MethodDelete, fmt.Sprint("/calls?callId=", id), ""))
}

// TestTransferred follows a call from 20 through a consultation that is taken back, and one that 20 ends by hanging up,
// to a blind transfer.
func TestTransferred(t *testing.T) {
	t.Parallel()
	c := startIPEX(t, 20, rest.Options{Answer: rest.ByNumber})
	id := c.originate("777888990")["callId"]
	c.await("20 talking")
	ask := c.request(http.MethodPut, "/calls/transfer", `{"to":"101","type":"attended","userId":"20","customData":{"a":"b"}}`)
	c.want(http.StatusOK, ask)
	c.want(http.StatusConflict, ask)
	c.await("20 talking, 101 talking")
	c.want(http.StatusOK, c.request(http.MethodDelete, "/calls/transfer", `{"userId":"20"}`))
	c.await("20 talking")
	c.want(http.StatusOK, c.request(http.MethodPut, "/calls/transfer", `{"to":"102","type":"attended"}`))
	c.await("20 talking, 102 talking")
	c.want(http.StatusOK, c.request(http.MethodDelete, "/calls?userId=20", ""))
	c.await("102 talking")
	c.want(http.StatusOK, c.request(http.MethodPut, "/calls/transfer", `{"to":"103","type":"blind"}`))
	c.await("103 talking")
	c.want(http.StatusOK, c.request(http.MethodDelete, fmt.Sprint("/calls?callId=", id), ""))
	truth := c.truths(1)[0]
	if strings.Join(truth.Rang, " ") != "101 102 103" || truth.TransferredTo != "103" {
		t.Errorf("want it to end at 103, have %+v", truth)
	}
	want := "NewCall Ringing Ringing Answered " +
		"Ringing Answered CancelAttendedTransfer Hangup " +
		"Ringing Answered AttendedTransfer Hangup " +
		"Ringing Hangup Answered Hangup CDR"
	if have := c.told(truth.Call); have != want {
		t.Errorf("want %s\nhave %s", want, have)
	}
	for _, line := range of[*ledger.Command](c.world) {
		if (line.Status == 200) != (line.Call == truth.Call) {
			t.Errorf("want the call exactly where something was done, have %+v", line)
		}
	}
}
