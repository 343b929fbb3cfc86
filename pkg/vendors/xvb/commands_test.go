package xvb_test

import (
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/switchhook/switchhook/pkg/command"
	"github.com/switchhook/switchhook/pkg/command/commandtest"
	"github.com/switchhook/switchhook/pkg/fault"
	"github.com/switchhook/switchhook/pkg/vendors/xvb"
)

const apiToken = "t0ken-of/xvb+2026&x"

func commandYAML(credential string) func(address, login string) string {
	return func(address, _ string) string {
		return "{vendor: xvb, webhook: {" + credential + "}, api: {url: '" + address + "/crm-api', token: '" + apiToken + "'}}"
	}
}

func TestCommands(t *testing.T) {
	for name, dialect := range map[string]struct{ credential, from, to string }{
		"xvb":    {"access_code: '10019'", "from", "to"},
		"family": {"crm_token: 'crm-token-2026'", "user", "phone"},
	} {
		commandtest.Run(t, commandtest.Dialect{
			Name:    name,
			Create:  xvb.NewCommander,
			YAML:    commandYAML(dialect.credential),
			Secrets: []string{apiToken},
			Done:    command.Done{CallID: "DVzqd2I5zmRev0_vLvxVew"},
			Yes: func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				form, err := url.ParseQuery(string(body))
				keys := slices.Sorted(maps.Keys(form))
				want := slices.Sorted(slices.Values([]string{"cmd", "token", dialect.from, dialect.to}))
				if err != nil || r.Method != http.MethodPost || r.URL.Path != "/crm-api" || form.Get("cmd") != "makeCall" || form.Get("token") != apiToken ||
					!slices.Equal(want, keys) || r.Header.Get("Content-Type") != "application/x-www-form-urlencoded" {
					http.Error(w, "want a makeCall", http.StatusBadRequest)
					return
				}
				_, _ = io.WriteString(w, "DVzqd2I5zmRev0_vLvxVew\n")
			},
		})
	}
}

func TestCommandAnswers(t *testing.T) {
	for body, want := range map[string]struct {
		call string
		lost bool
		says string
	}{
		"DVzqd2I5zmRev0_vLvxVew":           {call: "DVzqd2I5zmRev0_vLvxVew"},
		`"gZAoszZQZI_A6HDwYnKxPg"`:         {call: "gZAoszZQZI_A6HDwYnKxPg"},
		"1520008586":                       {call: "1520008586"},
		`{"callid":"abc-1"}`:               {call: "abc-1"},
		`{"CallID":123456789012345678901}`: {call: "123456789012345678901"},
		`{"callid":"abc-1","error":null}`:  {call: "abc-1"},
		`{"result":"true"}`:                {},
		`{}`:                               {},
		``:                                 {},
		"OK":                               {},
		`{"error":"Invalid parameters: [phone]"}`: {says: "Invalid parameters: [phone]"},
		`{"error":{"code":7}}`:                    {says: "7"},
		`{"success":false,"message":"занят"}`:     {says: "занят"},
		`{"status":"error"}`:                      {says: "refused"},
		`{"callid":"abc-1"`:                       {lost: true},
		`"abc`:                                    {lost: true},
		"<html>abc</html>":                        {lost: true},
		"please log in":                           {lost: true},
		strings.Repeat("a", 200):                  {lost: true},
	} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) }))
		x, err := xvb.NewCommander(commandtest.Exchange(t, commandYAML("access_code: '10019'")(s.URL, "")), command.NewClient())
		if err != nil {
			t.Fatal(err)
		}
		done, err := x.Execute(t.Context(), commandtest.Originate("21"))
		s.Close()
		_, lost := errors.AsType[*command.Lost](err)
		if want.lost != lost || (want.says != "") != fault.Is(err, fault.Internal) && !lost {
			t.Errorf("%s: want %+v, have %v", body, want, err)
		}
		if want.call != done.CallID || err != nil && !strings.Contains(err.Error(), want.says) {
			t.Errorf("%s: want %+v, have %+v and %v", body, want, done, err)
		}
	}
}

func TestNewCommander(t *testing.T) {
	const hook = "{vendor: xvb, webhook: {access_code: '10019'}"
	x, err := xvb.NewCommander(commandtest.Exchange(t, hook+"}"), nil)
	if x != nil || err != nil {
		t.Errorf("want no commander without api, have %v and %v", x, err)
	}
	_, err = xvb.NewCommander(commandtest.Exchange(t, hook+", api: {url: 'https://pbx.example'}}"), nil)
	if want := "line 5: tenants[0].exchanges[0].api.token: is missing"; err == nil || err.Error() != want {
		t.Errorf("want %s, have %v", want, err)
	}
}
