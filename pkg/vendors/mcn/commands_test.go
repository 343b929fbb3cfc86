package mcn_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/switchhook/switchhook/pkg/command"
	"github.com/switchhook/switchhook/pkg/command/commandtest"
	"github.com/switchhook/switchhook/pkg/fault"
	"github.com/switchhook/switchhook/pkg/vendors/mcn"
)

const apiToken = "t0ken-of/mcn+2026&x"

func commandYAML(address, _ string) string {
	return "{vendor: mcn, webhook: {account_id: 10123, secret: SecretToken}, api: {url: '" + address + "/v2/rest/', token: '" + apiToken + "', vpbx_id: 42}}"
}

func TestCommands(t *testing.T) {
	commandtest.Run(t, commandtest.Dialect{
		Name:    "mcn",
		Create:  mcn.NewCommander,
		YAML:    commandYAML,
		Secrets: []string{apiToken},
		Yes: func(w http.ResponseWriter, r *http.Request) {
			if want := "/v2/rest/account/10123/vpbx/42/outbound_call"; r.Method != http.MethodPost || r.URL.Path != want ||
				r.Header.Get("Authorization") != "Bearer "+apiToken || r.Header.Get("Accept") != "application/json" {
				http.Error(w, "want "+want, http.StatusNotFound)
				return
			}
			_, _ = io.WriteString(w, `{"status":"success"}`)
		},
	})
}

func TestCommandAnswers(t *testing.T) {
	for body, want := range map[string]struct {
		done, lost bool
		says       string
	}{
		`{"status":"success"}`:                                     {done: true},
		`{"status":"success","message":"queued","errors":[]}`:      {done: true},
		`{"errors":{"description":"Абонент не найден"}}`:           {says: "Абонент не найден"},
		`{"errors":[{"code":5}]}`:                                  {says: "code"},
		`{"status":"error"}`:                                       {},
		`{"status":"error","message":"busy"}`:                      {says: "busy"},
		`{"status":"success","errors":{"description":"no money"}}`: {says: "no money"},
		`{}`:                      {lost: true},
		``:                        {lost: true},
		`[]`:                      {lost: true},
		`success`:                 {lost: true},
		`{"status":"success"`:     {lost: true},
		`{"result":"success"}`:    {lost: true},
		`{"errors":{"descripti`:   {lost: true},
		`<html>success</html>`:    {lost: true},
		`{"status":{"ok":"yes"}}`: {lost: true},
	} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) }))
		x, err := mcn.NewCommander(commandtest.Exchange(t, commandYAML(s.URL, "")), command.NewClient())
		if err != nil {
			t.Fatal(err)
		}
		_, err = x.Execute(t.Context(), commandtest.Originate("21"))
		s.Close()
		_, lost := errors.AsType[*command.Lost](err)
		if want.done != (err == nil) || want.lost != lost {
			t.Errorf("%s: want done %v, lost %v, have %v", body, want.done, want.lost, err)
		}
		if err != nil && (!fault.Is(err, fault.Internal) || !strings.Contains(err.Error(), want.says)) {
			t.Errorf("%s: want internal: %q, have %v", body, want.says, err)
		}
	}
}

func TestNewCommander(t *testing.T) {
	const hook = "{vendor: mcn, webhook: {account_id: 10123, secret: SecretToken}"
	x, err := mcn.NewCommander(commandtest.Exchange(t, hook+"}"), nil)
	if x != nil || err != nil {
		t.Errorf("want no commander without api, have %v and %v", x, err)
	}
	_, err = mcn.NewCommander(commandtest.Exchange(t, hook+", api: {vpbx_id: 42}}"), nil)
	const want = "line 5: tenants[0].exchanges[0].api.url: is missing\nline 5: tenants[0].exchanges[0].api.token: is missing"
	if err == nil || err.Error() != want {
		t.Errorf("want\n%s\nhave\n%v", want, err)
	}
}
