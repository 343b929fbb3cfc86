package rest_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/switchhook/switchhook/services/pbxsim/ledger"
	"github.com/switchhook/switchhook/services/pbxsim/rest"
)

func outbound(token, body string) request {
	return request{http.MethodPost, "/v2/rest/account/10123/vpbx/42/outbound_call", token, asJSON, body}
}

// TestMCN: asked twice, it rings twice.
func TestMCN(t *testing.T) {
	t.Parallel()
	w := start(t, 3000, rest.Options{Answer: rest.ByNumber, Seed: 5})
	for range 2 {
		have := w.want(http.StatusOK, outbound("secret-mcn", `{"from":"20","to":"420777888990","timeout_to":30}`))
		if have["status"] != "success" {
			t.Errorf("want success, have %v", have)
		}
	}
	for _, truth := range w.truths(2) {
		if want, have := "onOutCallingStart onOutCallingAnswered onOutCallingEnd", w.told(truth.Call); have != want ||
			truth.Caller != "20" || truth.Callee != "+420777888990" || truth.Vendor != "mcn" {
			t.Errorf("want a call from 20 and %s, have %+v and %s", want, truth, have)
		}
	}
}

func TestRefusedByMCN(t *testing.T) {
	t.Parallel()
	w := start(t, 0, rest.Options{})
	elsewhere := outbound("secret-mcn", `{"from":"20","to":"420777888990"}`)
	elsewhere.path = strings.Replace(elsewhere.path, "42", "43", 1)
	form := outbound("secret-mcn", "from=20&to=420777888990")
	form.kind = asForm
	got := outbound("secret-mcn", "")
	got.method = http.MethodGet
	cases := map[string]struct {
		r    request
		want int
	}{
		"token":   {outbound("secret-xvb", `{"from":"20","to":"420777888990"}`), http.StatusUnauthorized},
		"none":    {outbound("", `{"from":"20","to":"420777888990"}`), http.StatusUnauthorized},
		"plus":    {outbound("secret-mcn", `{"from":"20","to":"+420777888990"}`), http.StatusOK},
		"from":    {outbound("secret-mcn", `{"from":"eva.mala","to":"420777888990"}`), http.StatusOK},
		"to":      {outbound("secret-mcn", `{"from":"20"}`), http.StatusOK},
		"timeout": {outbound("secret-mcn", `{"from":"20","to":"420777888990","timeout_from":"soon"}`), http.StatusOK},
		"vpbx":    {elsewhere, http.StatusOK},
		"form":    {form, http.StatusOK},
		"method":  {got, http.StatusMethodNotAllowed},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			status, body := w.send(c.r)
			if status != c.want || !strings.HasPrefix(body, `{"errors":{"description":"`) {
				t.Errorf("want %d and errors, have %d %s", c.want, status, body)
			}
		})
	}
	for _, line := range of[*ledger.Command](w) {
		if line.Call != 0 {
			t.Errorf("want no call, have %+v", line)
		}
	}
}

func makeCall(body string) request {
	return request{http.MethodPost, "/crm-api", "", asForm, "cmd=makeCall&" + body}
}

// TestXVB has the three forms of answer, which the variant chooses, and it the seed.
func TestXVB(t *testing.T) {
	t.Parallel()
	const own, family = "token=secret-xvb&from=20&to=420777888990", "token=secret-family&user=petr.novak&phone=79201119613"
	query := request{method: http.MethodGet, path: "/crm-api?cmd=makeCall&" + own}
	cases := map[string]struct {
		seed   uint64
		r      request
		answer string // %s: the call's id
		told   string
	}{
		"id":            {3, makeCall(own), "%s", "OUTGOING COMPLETED"},
		"object":        {4, makeCall(own), `{"callid":"%s"}`, "OUTGOING COMPLETED"},
		"neither":       {5, makeCall(own), "", "OUTGOING COMPLETED"},
		"query":         {3, query, "%s", "OUTGOING COMPLETED"},
		"family":        {5, makeCall(family), "%s", "OUTGOING ACCEPTED COMPLETED history"},
		"family object": {6, makeCall(family), `{"callid":"%s"}`, "OUTGOING ACCEPTED COMPLETED history"},
		"login@tenant": {
			5, makeCall(strings.Replace(family, "novak", "novak@globex", 1)), "%s", "OUTGOING ACCEPTED COMPLETED history",
		},
		"by extension": {
			5, makeCall(strings.Replace(family, "petr.novak", "100", 1)), "%s", "OUTGOING ACCEPTED COMPLETED history",
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := start(t, 3000, rest.Options{Answer: rest.ByNumber, Seed: c.seed})
			status, body := w.send(c.r)
			truth := w.truths(1)[0]
			if want := strings.Replace(c.answer, "%s", truth.Key, 1); status != http.StatusOK || body != want {
				t.Errorf("want %q, have %d %q", want, status, body)
			}
			if have := w.told(truth.Call); have != c.told || truth.Outcome != "answered" {
				t.Errorf("want %s, have %s of %+v", c.told, have, truth)
			}
		})
	}
}

func TestRefusedByXVB(t *testing.T) {
	t.Parallel()
	w := start(t, 0, rest.Options{})
	cases := map[string]struct {
		r    request
		want int
	}{
		"token":         {makeCall("token=secret-mcn&from=20&to=420777888990"), http.StatusUnauthorized},
		"none":          {makeCall("from=20&to=420777888990"), http.StatusUnauthorized},
		"from":          {makeCall("token=secret-xvb&from=eva&to=420777888990"), http.StatusBadRequest},
		"to":            {makeCall("token=secret-xvb&from=20&to="), http.StatusBadRequest},
		"family's":      {makeCall("token=secret-xvb&user=20&phone=420777888990"), http.StatusBadRequest},
		"user":          {makeCall("token=secret-family&user=nobody&phone=79201119613"), http.StatusBadRequest},
		"family by GET": {request{method: http.MethodGet, path: "/crm-api?cmd=makeCall&token=secret-family&user=100&phone=79201119613"}, http.StatusMethodNotAllowed},
		"cmd":           {request{http.MethodPost, "/crm-api", "", asForm, "cmd=hangup&token=secret-xvb"}, http.StatusBadRequest},
		"JSON":          {request{http.MethodPost, "/crm-api", "", asJSON, `{"cmd":"makeCall"}`}, http.StatusBadRequest},
		"path":          {request{http.MethodPost, "/crm", "", asForm, "cmd=makeCall"}, http.StatusNotFound},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if have, body := w.send(c.r); have != c.want {
				t.Errorf("want %d, have %d %s", c.want, have, body)
			}
		})
	}
	for _, line := range of[*ledger.Command](w) {
		if line.Call != 0 {
			t.Errorf("want no call, have %+v", line)
		}
	}
}

// TestUntold: XVB has no words for a call to a colleague, but makes it.
func TestUntold(t *testing.T) {
	t.Parallel()
	w := start(t, 3000, rest.Options{Answer: rest.ByNumber})
	w.want(http.StatusOK, makeCall("token=secret-xvb&from=20&to=101"))
	if truth := w.truths(1)[0]; truth.Direction != "internal" || truth.Requests != 0 || w.told(truth.Call) != "" {
		t.Errorf("want a call without requests, have %+v", truth)
	}
}
