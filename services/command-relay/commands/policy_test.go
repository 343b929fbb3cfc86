package commands_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/switchhook/switchhook/pkg/config"
	"github.com/switchhook/switchhook/services/command-relay/commands"
)

func TestPolicyCheck(t *testing.T) {
	tests := map[string]struct {
		change func(*commands.Policy)
		want   []string
	}{
		"the default": {func(*commands.Policy) {}, nil},
		"everything": {func(p *commands.Policy) {
			p.Supervisors, p.Forbidden = []string{"boss", "eva@acme.example", "200"}, []string{"abroad", "premium", "+4490", "+7"}
			p.OwnExtensions = []string{"101", "103"}
			p.DoNotCall, p.PerUserMinute, p.PerTenantMinute, p.Expiry = []string{"+420777888999"}, 1, 10_000, time.Minute
		}, nil},
		"supervisors": {func(p *commands.Policy) { p.Supervisors = []string{"boss", "", " eva", "boss"} }, []string{
			`supervisors[1]: want a login, an e-mail address or an extension, have ""`,
			`supervisors[2]: want a login, an e-mail address or an extension, have " eva"`,
			`supervisors[3]: "boss" is already given at supervisors[0]`,
		}},
		"forbidden": {func(p *commands.Policy) { p.Forbidden = []string{"0090", "+420", "foreign", "+0", "+420 9"} }, []string{
			`forbidden[0]: want the beginning of a number in E.164 such as +4490, abroad or premium, have "0090"`,
			`forbidden[2]: want the beginning of a number in E.164 such as +4490, abroad or premium, have "foreign"`,
			`forbidden[3]: want the beginning of a number in E.164 such as +4490, abroad or premium, have "+0"`,
			`forbidden[4]: want the beginning of a number in E.164 such as +4490, abroad or premium, have "+420 9"`,
		}},
		"do not call": {func(p *commands.Policy) { p.DoNotCall = []string{"777888999", "+420777888999", "+420"} }, []string{
			`do_not_call[0]: want a number in E.164 such as +420777888999, have "777888999"`,
			`do_not_call[2]: want a number in E.164 such as +420777888999, have "+420"`,
		}},
		"own extensions": {func(p *commands.Policy) {
			p.OwnExtensions = []string{"112", "101", "0911", "sip:101", "+420777888999", ""}
		}, []string{
			`own_extensions[0]: want an extension such as 101, but none that reaches 112 or 911, have "112"`,
			`own_extensions[2]: want an extension such as 101, but none that reaches 112 or 911, have "0911"`,
			`own_extensions[3]: want an extension such as 101, but none that reaches 112 or 911, have "sip:101"`,
			`own_extensions[4]: want an extension such as 101, but none that reaches 112 or 911, have "+420777888999"`,
			`own_extensions[5]: want an extension such as 101, but none that reaches 112 or 911, have ""`,
		}},
		"too small": {func(p *commands.Policy) { *p = commands.Policy{} }, []string{
			"per_user_minute: want 1 to 10000, have 0", "per_tenant_minute: want 1 to 10000, have 0",
			"expiry: want 1s to 1m0s, have 0s",
		}},
		"too large": {func(p *commands.Policy) {
			p.PerUserMinute, p.PerTenantMinute, p.Expiry = 10_001, 10_001, 61*time.Second
		}, []string{
			"per_user_minute: want 1 to 10000, have 10001", "per_tenant_minute: want 1 to 10000, have 10001",
			"expiry: want 1s to 1m0s, have 1m1s",
		}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			p := commands.DefaultPolicy()
			test.change(&p)
			var have []string
			p.Check(func(path, message string) { have = append(have, path+": "+message) })
			if !slices.Equal(test.want, have) {
				t.Errorf("want %q\nhave %q", test.want, have)
			}
		})
	}
}

func TestPolicies(t *testing.T) {
	const text = `tenants:
  - name: acme
    region: CZ
    exchanges: [{vendor: ipex}]
    commands:
      forbidden: [premium, +4490]
      expiry: 5s
  - name: globex
    region: SK
    exchanges: [{vendor: mcn}]
`
	c, err := config.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	all, err := commands.Policies(c)
	acme, globex := all["acme"], all["globex"]
	if err != nil || !slices.Equal(acme.Forbidden, []string{"premium", "+4490"}) || acme.Expiry != 5*time.Second || acme.PerUserMinute != 20 {
		t.Errorf("want what acme forbids, 5s, and the default of 20 a minute; have %+v, %v", acme, err)
	}
	if len(all) != 2 || globex.Forbidden != nil || globex.Expiry != 15*time.Second {
		t.Errorf("want the default for globex, have %+v in %v", globex, all)
	}
}

func TestPoliciesSayEverythingThatIsWrong(t *testing.T) {
	const text = `tenants:
  - name: acme
    region: CZ
    exchanges: [{vendor: ipex}]
    commands:
      supervisor: [boss]
      do_not_call:
        - "+420777888999"
        - 777888999
  - name: globex
    region: SK
    exchanges: [{vendor: mcn}]
    commands: {expiry: 1h}
`
	path := filepath.Join(t.TempDir(), "switchhook.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := config.Load(path, commands.Policies)
	want := path + ":6: tenants[0].commands: unknown key supervisor, did you mean supervisors?\n" +
		path + `:9: tenants[0].commands.do_not_call[1]: want a number in E.164 such as +420777888999, have "777888999"` + "\n" +
		path + ":13: tenants[1].commands.expiry: want 1s to 1m0s, have 1h0m0s"
	if err == nil || err.Error() != want {
		t.Errorf("want\n%s\nhave\n%v", want, err)
	}
}
