package ctl_test

import (
	"encoding/json"
	"strings"
	"testing"
)

// A dry run needs no server, and shows no secret.
func TestCallDryRun(t *testing.T) {
	t.Setenv("SWITCHHOOK_NATS", nowhere(t))
	for file, args := range map[string][]string{
		"plan-ipex-originate.txt": {"originate", "+420 777 123 456", "--vendor", "ipex", "--caller-id", "222333444"},
		"plan-ipex-hangup.txt":    {"hangup", "1412256225.1941", "--vendor", "ipex", "--exchange", "prague"},
		"plan-ipex-transfer.txt":  {"transfer", "201", "--mode", "blind", "--vendor", "ipex", "--as", "bob"},
		"plan-ipex-cancel.txt":    {"transfer", "--mode", "cancel", "--vendor", "ipex"},
		"plan-mcn-originate.txt":  {"originate", "777123456", "--vendor", "mcn"},
		"plan-xvb-originate.txt":  {"originate", "777123456", "--vendor", "xvb"},
	} {
		t.Run(file, func(t *testing.T) {
			args := call(args, "--tenant", "acme", "--extension", "200", "--dry-run", "--config", "testdata/commands.yaml")
			r := run(t, world(), args...)
			r.want(t, 0, "xxxxx", "")
			golden(t, file, r.stdout)
			asJSON := run(t, world(), append(args, "--json")...)
			var plan struct {
				Method, URL, Body string
				Header            map[string][]string
			}
			if err := json.Unmarshal([]byte(asJSON.stdout), &plan); err != nil {
				t.Errorf("want JSON, have %v: %s", err, asJSON.stdout)
			}
			if want := plan.Method + " " + plan.URL + "\n"; !strings.HasPrefix(r.stdout, want) || !strings.Contains(r.stdout, plan.Body) || len(plan.Header) == 0 {
				t.Errorf("want the same in JSON as %s, have %+v", r.stdout, plan)
			}
			if both := r.stdout + asJSON.stdout; strings.Contains(both, "hunter2") {
				t.Errorf("want no secret, have %s", both)
			}
		})
	}
}

// An extension may be named by --as as well.
func TestCallDryRunAsExtension(t *testing.T) {
	common := []string{"call", "originate", "777123456", "--tenant", "acme", "--vendor", "mcn", "--dry-run", "--config", "testdata/commands.yaml"}
	want := run(t, world(), append(common, "--extension", "200")...)
	have := run(t, world(), append(common, "--as", "200")...)
	if want.stdout == "" || want != have {
		t.Errorf("want %v, have %v", want, have)
	}
}

func TestCallDryRunRefused(t *testing.T) {
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"mcn cannot":        {[]string{"hangup", "--vendor", "mcn", "--tenant", "acme"}, "hangup is not supported by mcn"},
		"xvb cannot":        {[]string{"originate", "1", "--vendor", "xvb", "--tenant", "acme", "--caller-id", "2"}, "originate with a caller id is not supported by xvb"},
		"no number":         {[]string{"originate", "somebody", "--vendor", "ipex", "--tenant", "acme"}, `"somebody" is no number that can be called`},
		"no tenant":         {[]string{"hangup", "--vendor", "mcn", "--tenant", "initech"}, "testdata/commands.yaml: there is no tenant initech"},
		"no exchange":       {[]string{"hangup", "--vendor", "ipex", "--tenant", "globex"}, "globex has no exchange at ipex"},
		"another exchange":  {[]string{"hangup", "--vendor", "ipex", "--tenant", "acme", "--exchange", "brno"}, `acme has no exchange "brno" at ipex`},
		"several exchanges": {[]string{"hangup", "--vendor", "mcn", "--tenant", "globex"}, "globex has several exchanges at mcn: say with --exchange which of nitra, zilina"},
		"not for commands":  {[]string{"hangup", "--vendor", "mcn", "--tenant", "globex", "--exchange", "nitra"}, "the exchange nitra of globex has no api section"},
		"no file":           {[]string{"hangup", "--vendor", "mcn", "--tenant", "acme", "--config", "no.yaml"}, "no.yaml: no such file"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("SWITCHHOOK_CONFIG", "testdata/commands.yaml")
			run(t, world(), call(test.args, "--extension", "200", "--dry-run")...).want(t, 1, "", test.want)
		})
	}
}
