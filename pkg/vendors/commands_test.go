package vendors_test

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/switchhook/switchhook/pkg/config"
	"github.com/switchhook/switchhook/pkg/event"
	"github.com/switchhook/switchhook/pkg/fault"
	"github.com/switchhook/switchhook/pkg/vendors"
)

const commanded = `tenants:
  - name: acme
    region: CZ
    exchanges:
      - vendor: ipex
        webhook: {username: webhook, password: correct-horse-battery}
        api: {url: "https://ipbxapi.voipex.io", auth_url: "https://auth.voipex.io", username: karel, password: hunter2}
      - vendor: xvb
        webhook: {access_code: "10019"}
      - vendor: nobody
  - name: globex
    region: SK
    exchanges:
      - vendor: mcn
        name: nitra
        webhook: {account_id: 10123, secret: SecretToken}
        api: {url: "https://api.mcntele.com/v2/rest", token: hunter2, vpbx_id: 42}
`

func TestCommanders(t *testing.T) {
	c, err := config.Parse([]byte(commanded))
	if err != nil {
		t.Fatal(err)
	}
	have, err := vendors.Commanders(c)
	if err != nil {
		t.Fatal(err)
	}
	want := []event.Origin{
		{Vendor: "ipex", Tenant: "acme", Exchange: "ipex"},
		{Vendor: "mcn", Tenant: "globex", Exchange: "nitra"},
	}
	if len(have) != len(want) {
		t.Errorf("want those with an api, %v, have %v", want, slices.Collect(maps.Keys(have)))
	}
	for _, origin := range want {
		x := have[origin]
		if x == nil || x.Origin() != origin {
			t.Errorf("want %v under its origin, have %v", origin, x)
			continue
		}
		if want, have := vendors.Capabilities()[origin.Vendor], x.Capabilities(); !slices.Equal(want, have) {
			t.Errorf("%v: want the capabilities of the vendor, %v, have %v", origin, want, have)
		}
	}
}

func TestCommandersProblems(t *testing.T) {
	text := strings.NewReplacer("https://ipbx", "ipbx", ", vpbx_id: 42", "").Replace(commanded)
	c, err := config.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	_, err = vendors.Commanders(c)
	for _, want := range []string{
		"line 7: tenants[0].exchanges[0].api.url: want an address", "line 17: tenants[1].exchanges[0].api.vpbx_id: is missing",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %s, have %v", want, err)
		}
	}
	if err != nil && strings.Contains(err.Error(), "hunter2") {
		t.Errorf("want no secret, have %v", err)
	}
}

func TestCapabilities(t *testing.T) {
	if want, have := vendors.Names(), slices.Sorted(maps.Keys(vendors.Capabilities())); !slices.Equal(want, have) {
		t.Errorf("want the capabilities of %v, have those of %v", want, have)
	}
}

const texting = `tenants:
  - name: acme
    region: CZ
    exchanges:
      - vendor: ipex
        name: prague
        webhook: {username: prague, password: p}
        api: {url: "ADDRESS", auth_url: "ADDRESS/auth", username: karel, password: hunter2}
      - vendor: ipex
        name: brno
        webhook: {username: brno, password: p}
      - vendor: xvb
        webhook: {access_code: "10019"}
        api: {url: "ADDRESS", token: hunter2}
  - name: globex
    region: CZ
    exchanges:
      - vendor: ipex
        name: prague
        webhook: {username: globex, password: p}
        api: {url: "ADDRESS", auth_url: "ADDRESS/auth", username: petra, password: hunter2}
`

func TestTokens(t *testing.T) {
	issued := map[string]int{}
	login := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/auth/token" {
			t.Errorf("want the token server asked and nothing else, have %s", r.URL.Path)
		}
		username := r.PostFormValue("username")
		issued[username]++
		fmt.Fprintf(w, `{"access_token":"%s-%d","expires_in":3000}`, username, issued[username])
	}))
	t.Cleanup(login.Close)
	c, err := config.Parse([]byte(strings.ReplaceAll(texting, "ADDRESS", login.URL)))
	if err != nil {
		t.Fatal(err)
	}
	tokens, err := vendors.Tokens(c)
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct{ tenant, refused, want string }{
		{"acme", "", "karel-1"},
		{"globex", "", "petra-1"},
		{"acme", "", "karel-1"},
		{"acme", "karel-1", "karel-2"},
		{"acme", "karel-1", "karel-2"},
		{"globex", "karel-1", "petra-1"},
	} {
		if have, err := tokens(t.Context(), step.tenant, "prague", step.refused); step.want != have || err != nil {
			t.Errorf("%v: want %s, have %s and %v", step, step.want, have, err)
		}
	}
	for _, step := range []struct{ tenant, exchange, want string }{
		{"acme", "brno", "the exchange brno of acme has no api section"},
		{"acme", "xvb", `acme has no exchange "xvb" of ipex`},
		{"acme", "", `acme has no exchange "" of ipex`},
		{"nobody", "prague", `nobody has no exchange "prague" of ipex`},
	} {
		have, err := tokens(t.Context(), step.tenant, step.exchange, "")
		if have != "" || !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), step.want) {
			t.Errorf("%v: want it invalid, have %q and %v", step, have, err)
		}
	}
}

func TestTokensProblems(t *testing.T) {
	c, err := config.Parse([]byte(strings.ReplaceAll(texting, "ADDRESS", "pbx.example")))
	if err != nil {
		t.Fatal(err)
	}
	_, err = vendors.Tokens(c)
	if want := "tenants[0].exchanges[0].api.auth_url: want an address"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("want %s, have %v", want, err)
	}
}
