package vendors_test

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/switchhook/switchhook/pkg/config"
	"github.com/switchhook/switchhook/pkg/event"
	"github.com/switchhook/switchhook/pkg/vendors"
)

func ExampleNew() {
	c, err := config.Parse([]byte(`
tenants:
  - name: acme
    region: CZ
    exchanges:
      - vendor: xvb
        webhook: {access_code: "10019"}
      - vendor: nobody
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = vendors.New(c)
	fmt.Println(err)
	// Output: line 8: tenants[0].exchanges[1].vendor: "nobody" is no vendor that can be connected: want one of ipex, mcn, xvb
}

func TestNames(t *testing.T) {
	for range 20 { // the list is a map, whose order varies
		if want, have := []string{"ipex", "mcn", "xvb"}, vendors.Names(); !slices.Equal(want, have) {
			t.Fatalf("want %q, have %q", want, have)
		}
	}
}

const good = `tenants:
  - name: acme
    region: CZ
    exchanges:
      - vendor: ipex
        name: prague
        webhook: {username: webhook, password: correct-horse-battery}
      - vendor: xvb
        webhook: {access_code: "10019"}
      - vendor: ipex
        name: brno
        webhook: {username: webhook, password: battery-staple}
  - name: globex
    region: SK
    exchanges:
      - vendor: ipex
        webhook: {username: globex, password: correct-horse-battery}
`

func TestNew(t *testing.T) {
	c, err := config.Parse([]byte(good))
	if err != nil {
		t.Fatal(err)
	}
	set, err := vendors.New(c)
	if err != nil {
		t.Fatal(err)
	}
	if want, have := vendors.Names(), slices.Sorted(maps.Keys(set)); !slices.Equal(want, have) {
		t.Fatalf("want every vendor, used or not: %q, have %q", want, have)
	}
	want := map[string][]event.Origin{
		"ipex": {
			{Vendor: "ipex", Tenant: "acme", Exchange: "prague"},
			{Vendor: "ipex", Tenant: "acme", Exchange: "brno"},
			{Vendor: "ipex", Tenant: "globex", Exchange: "ipex"},
		},
		"mcn": nil,
		"xvb": {{Vendor: "xvb", Tenant: "acme", Exchange: "xvb"}},
	}
	for name, vendor := range set {
		if have := vendor.Profile().Name; name != have {
			t.Errorf("want the vendor %s under its name, have %s", name, have)
		}
		var have []event.Origin
		for _, exchange := range vendor.Exchanges() {
			have = append(have, exchange.Origin())
		}
		if !slices.Equal(want[name], have) {
			t.Errorf("want the exchanges %v, in the order of the file, have %v", want[name], have)
		}
	}
}

// Every vendor has something to say, and so has the list of vendors and the file itself. All of it comes at once, by line, as
// when a program starts.
func TestProblems(t *testing.T) {
	const file = `tenants:
  - name: acme
    region: CZ
    exchanges:
      - {vendor: xvb, webhook: {}}
      - vendor: nobody
        webhook: {secret: hunter2222}
      - vendor: ipex
        webhook: {username: webhook, password: "", passwort: hunter2222}
      - vendor: mcn
        webhook: {account_id: 10123}
  - name: globex
    region: Slovakia
    exchanges:
      - vendor: somebody
      - vendor: mcn
        webhook: {account_id: 10123, secret: hunter2222}
      - vendor: mcn
        name: second
        webhook: {account_id: 10123, secret: hunter2222}
`
	path := filepath.Join(t.TempDir(), "switchhook.yaml")
	if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	set, err := config.Load(path, vendors.New)
	if set != nil {
		t.Errorf("want no vendors of a wrong file, have %v", set)
	}
	problems, ok := errors.AsType[*config.FileError](err)
	if !ok {
		t.Fatalf("want a *config.FileError, have %v", err)
	}
	const acme, globex = "tenants[0].exchanges", "tenants[1].exchanges"
	const want = "5: " + acme + "[0].webhook: want either access_code or crm_token\n" +
		"6: " + acme + `[1].vendor: "nobody" is no vendor that can be connected: want one of ipex, mcn, xvb` + "\n" +
		"9: " + acme + "[2].webhook.password: is empty\n" +
		"9: " + acme + "[2].webhook: unknown key passwort, did you mean password?\n" +
		"11: " + acme + "[3].webhook.secret: is missing\n" +
		"13: tenants[1].region: want a region whose numbers are known, in two capital letters such as CZ, have \"Slovakia\"\n" +
		"15: " + globex + `[0].vendor: "somebody" is no vendor that can be connected: want one of ipex, mcn, xvb` + "\n" +
		"20: " + globex + "[2].webhook: has the account_id and secret of mcn/globex/mcn: requests could not be told apart"
	if have := strings.ReplaceAll(problems.Error(), path+":", ""); want != have {
		t.Errorf("want:\n%s\nhave:\n%s", want, have)
	}
}
