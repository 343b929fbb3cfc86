package ipex_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/switchhook/switchhook/pkg/command"
	"github.com/switchhook/switchhook/pkg/command/commandtest"
	"github.com/switchhook/switchhook/pkg/fault"
	"github.com/switchhook/switchhook/pkg/vendors/ipex"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

const (
	apiPassword  = "pass-w0rd/of+api&x"
	accessToken  = "eyJhbGciOi.access/+token.1"
	refreshToken = "eyJhbGciOi.refresh/+token.1"
)

func commandYAML(address, login string) string {
	return "{vendor: ipex, webhook: {username: u, password: correct-horse}, api: {url: '" + address + "', auth_url: '" + login +
		"/', username: karel, password: '" + apiPassword + "'}}"
}

func TestCommands(t *testing.T) {
	commandtest.Run(t, commandtest.Dialect{
		Name:    "ipex",
		Create:  ipex.NewCommander,
		YAML:    commandYAML,
		Secrets: []string{apiPassword, accessToken, refreshToken},
		Done:    command.Done{CallID: "1412256225.1941", ChannelID: "SIP/20-00000012"},
		Login: func(w http.ResponseWriter, r *http.Request) {
			want := "client_id=api&grant_type=password&password=pass-w0rd%2Fof%2Bapi%26x&username=karel"
			if body, _ := io.ReadAll(r.Body); r.Method != http.MethodPost || r.URL.Path != "/token" || string(body) != want {
				http.Error(w, `{"error":"invalid_grant"}`, http.StatusBadRequest)
				return
			}
			_, _ = io.WriteString(w, `{"access_token":"`+accessToken+`","expires_in":3000,"refresh_token":"`+refreshToken+
				`","refresh_expires_in":7200,"token_type":"Bearer","session_state":"x"}`)
		},
		Yes: func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") != "Bearer "+accessToken {
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			_, _ = io.WriteString(w, `{"callId":"1412256225.1941","channelId":"SIP/20-00000012"}`)
		},
	})
}

// The documents promise text in answers to a hang-up and a transfer, and say nothing of it.
func TestCommandAnswers(t *testing.T) {
	for name, test := range map[string]struct {
		c    command.Command
		body string
		done command.Done
		lost bool
		says string
	}{
		"number":        {c: commandtest.Originate("21"), body: `{"callId":1412256225.1940,"channelId":null}`, done: command.Done{CallID: "1412256225.1940"}},
		"no call":       {c: commandtest.Originate("21"), body: `{"message":"hello"}`, lost: true},
		"empty":         {c: commandtest.Originate("21"), body: ``, lost: true},
		"error":         {c: commandtest.Originate("21"), body: `{"error":"no line"}`, says: "no line"},
		"hang-up":       {c: commandtest.Hangup(), body: `"ok"`},
		"hang-up empty": {c: commandtest.Hangup(), body: ``},
		"transfer":      {c: commandtest.Transfer(pbxv1.Transfer_ATTENDED, "21"), body: `done`},
	} {
		t.Run(name, func(t *testing.T) {
			x := commander(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, test.body) }, logIn)
			done, err := x.Execute(t.Context(), test.c)
			_, lost := errors.AsType[*command.Lost](err)
			if test.done != done || test.lost != lost || (err == nil) != (test.says == "" && !lost) {
				t.Errorf("want %+v, lost %v, have %+v and %v", test.done, test.lost, done, err)
			}
			if err != nil && !strings.Contains(err.Error(), test.says) {
				t.Errorf("want %q, have %v", test.says, err)
			}
		})
	}
}

// TestLoginFails has token servers that do not give a token: whatever happens, nothing was commanded.
func TestLoginFails(t *testing.T) {
	echo := func(status int) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			said, _ := json.Marshal(map[string]string{"error": "invalid_grant", "error_description": "wrong: " + apiPassword + " " + string(body)})
			w.WriteHeader(status)
			_, _ = w.Write(said)
		}
	}
	for name, test := range map[string]struct {
		login http.HandlerFunc
		want  fault.Kind
	}{
		"wrong password":  {echo(http.StatusBadRequest), fault.Denied},
		"unauthorised":    {echo(http.StatusUnauthorized), fault.Denied},
		"not found":       {echo(http.StatusNotFound), fault.Internal},
		"redirect":        {echo(http.StatusFound), fault.Internal},
		"overload":        {echo(http.StatusTooManyRequests), fault.Unavailable},
		"failure":         {echo(http.StatusInternalServerError), fault.Unavailable},
		"dropped":         {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, fault.Unavailable},
		"HTML":            {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") }, fault.Internal},
		"no token":        {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"access_token":""}`) }, fault.Internal},
		"token of 2 line": {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"access_token":"a\r\nb"}`) }, fault.Internal},
	} {
		t.Run(name, func(t *testing.T) {
			x := commander(t, func(http.ResponseWriter, *http.Request) { t.Error("want no command to be sent") }, test.login)
			_, err := x.Execute(t.Context(), commandtest.Originate("21"))
			if _, lost := errors.AsType[*command.Lost](err); lost || !fault.Is(err, test.want) {
				t.Errorf("want %s, have %s: %v", test.want, fault.Of(err), err)
			}
			if said := err.Error(); command.Conceal(said, apiPassword) != said {
				t.Errorf("want no secret, have %s", said)
			}
		})
	}
	t.Run("down", func(t *testing.T) {
		x, err := ipex.NewCommander(commandtest.Exchange(t, commandYAML("http://127.0.0.1:1", "http://127.0.0.1:1")), command.NewClient())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := x.Execute(t.Context(), commandtest.Originate("21")); !fault.Is(err, fault.Unavailable) {
			t.Errorf("want unavailable, have %v", err)
		}
	})
}

func TestNewCommander(t *testing.T) {
	const hook = "{vendor: ipex, webhook: {username: u, password: correct-horse}"
	x, err := ipex.NewCommander(commandtest.Exchange(t, hook+"}"), nil)
	if x != nil || err != nil {
		t.Errorf("want no commander without api, have %v and %v", x, err)
	}
	_, err = ipex.NewCommander(commandtest.Exchange(t, hook+", api: {url: 'https://pbx.example', auth_url: 'x'}}"), nil)
	for _, want := range []string{"api.auth_url: want an address", "api.username: is missing", "api.password: is missing"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %s, have %v", want, err)
		}
	}
}

func logIn(w http.ResponseWriter, _ *http.Request) {
	fmt.Fprint(w, `{"access_token":"a","expires_in":3000}`)
}

func commander(t *testing.T, calls, login http.HandlerFunc) command.Exchange {
	t.Helper()
	api, auth := httptest.NewServer(calls), httptest.NewServer(login)
	t.Cleanup(api.Close)
	t.Cleanup(auth.Close)
	x, err := ipex.NewCommander(commandtest.Exchange(t, commandYAML(api.URL, auth.URL)), command.NewClient())
	if err != nil {
		t.Fatal(err)
	}
	return x
}
