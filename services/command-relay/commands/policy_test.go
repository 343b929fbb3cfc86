package commands_test

import (
	"slices"
	"testing"
	"time"

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
