package webhook_test

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/switchhook/switchhook/pkg/webhook"
)

func ExampleSecrets_Conceal() {
	secrets := webhook.Secrets{"correct-horse", "10019"}
	fmt.Println(secrets.Conceal(`unknown key "correct-horse" of account 10019`))
	// Output: unknown key "(secret)" of account 10019
}

func TestCredential(t *testing.T) {
	credentials := map[string]webhook.Credential{
		"zero":                 {},
		"no part":              webhook.NewCredential(),
		"empty part":           webhook.NewCredential(""),
		"two empty parts":      webhook.NewCredential("", ""),
		"ab c":                 webhook.NewCredential("ab", "c"),
		"a bc":                 webhook.NewCredential("a", "bc"),
		"abc":                  webhook.NewCredential("abc"),
		"c ab":                 webhook.NewCredential("c", "ab"),
		"abc and nothing":      webhook.NewCredential("abc", ""),
		"nothing and abc":      webhook.NewCredential("", "abc"),
		"in capitals":          webhook.NewCredential("AB", "C"),
		"with white space":     webhook.NewCredential("ab", "c "),
		"a length in the part": webhook.NewCredential("ab\x00\x00\x00\x00\x00\x00\x00\x01c"),
		"a zero byte":          webhook.NewCredential("ab\x00c"),
		"a colon":              webhook.NewCredential("ab:c"),
	}
	for name, have := range credentials {
		for other, credential := range credentials {
			if want := name == other; want != have.Equal(credential) {
				t.Errorf("want %q and %q equal: %v, have %v", name, other, want, !want)
			}
		}
	}
	if !webhook.NewCredential("ab", "c").Equal(credentials["ab c"]) {
		t.Error("want the same parts equal, have them told apart")
	}
}

func TestAllowed(t *testing.T) {
	tests := map[string]struct {
		prefixes []string
		addr     string
		want     bool
	}{
		"no prefixes":                {nil, "203.0.113.9", true},
		"no prefixes, no address":    {nil, "", true},
		"no address":                 {[]string{"0.0.0.0/0", "::/0"}, "", false},
		"inside":                     {[]string{"85.94.49.0/25"}, "85.94.49.127", true},
		"just outside":               {[]string{"85.94.49.0/25"}, "85.94.49.128", false},
		"in the second":              {[]string{"85.94.49.0/25", "85.94.32.0/24"}, "85.94.32.1", true},
		"in none":                    {[]string{"85.94.49.0/25", "85.94.32.0/24"}, "85.94.33.1", false},
		"one host":                   {[]string{"203.0.113.9/32"}, "203.0.113.9", true},
		"written with host bits":     {[]string{"10.1.2.3/8"}, "10.200.0.1", true},
		"IPv6":                       {[]string{"2001:db8::/32"}, "2001:db8::1", true},
		"IPv6 outside":               {[]string{"2001:db8::/32"}, "2001:db9::1", false},
		"IPv4 in IPv6":               {[]string{"85.94.49.0/25"}, "::ffff:85.94.49.1", true},
		"IPv4 in IPv6, just outside": {[]string{"85.94.49.0/25"}, "::ffff:85.94.49.128", false},
		"IPv4 is no IPv6":            {[]string{"::/0"}, "85.94.49.1", false},
		"IPv4 in IPv6 is no IPv6":    {[]string{"::/0"}, "::ffff:85.94.49.1", false},
		"IPv6 is no IPv4":            {[]string{"0.0.0.0/0"}, "2001:db8::1", false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var prefixes []netip.Prefix
			for _, prefix := range test.prefixes {
				prefixes = append(prefixes, netip.MustParsePrefix(prefix))
			}
			var addr netip.Addr
			if test.addr != "" {
				addr = netip.MustParseAddr(test.addr)
			}
			if have := webhook.Allowed(prefixes, addr); test.want != have {
				t.Errorf("want %v, have %v", test.want, have)
			}
		})
	}
}

func TestConceal(t *testing.T) {
	tests := map[string]struct {
		secrets    webhook.Secrets
		text, want string
	}{
		"no secrets":            {nil, "correct-horse", "correct-horse"},
		"no text":               {webhook.Secrets{"correct-horse"}, "", ""},
		"nothing secret":        {webhook.Secrets{"correct-horse"}, "correct horse", "correct horse"},
		"alone":                 {webhook.Secrets{"correct-horse"}, "correct-horse", "(secret)"},
		"inside a word":         {webhook.Secrets{"correct-horse"}, "xcorrect-horsey", "x(secret)y"},
		"twice":                 {webhook.Secrets{"correct-horse"}, "correct-horse,correct-horse", "(secret),(secret)"},
		"in capitals":           {webhook.Secrets{"correct-horse"}, "CORRECT-HORSE", "CORRECT-HORSE"},
		"empty":                 {webhook.Secrets{""}, "abc", "abc"},
		"too short":             {webhook.Secrets{"1234567"}, "1234567", "1234567"},
		"just long enough":      {webhook.Secrets{"12345678"}, "12345678", "(secret)"},
		"length in bytes":       {webhook.Secrets{"čččč"}, "čččč", "(secret)"},
		"several":               {webhook.Secrets{"correct-horse", "battery-staple"}, "battery-staple correct-horse", "(secret) (secret)"},
		"short beside long":     {webhook.Secrets{"10019", "correct-horse"}, "10019 correct-horse", "10019 (secret)"},
		"the same twice":        {webhook.Secrets{"correct-horse", "correct-horse"}, "correct-horse", "(secret)"},
		"part of a later one":   {webhook.Secrets{"correct-horse", "my-correct-horse-battery"}, "/my-correct-horse-battery/correct-horse", "/(secret)/(secret)"},
		"part of a former one":  {webhook.Secrets{"my-correct-horse-battery", "correct-horse"}, "/my-correct-horse-battery/correct-horse", "/(secret)/(secret)"},
		"beginning of another":  {webhook.Secrets{"correct-horse", "correct-horse-battery"}, "correct-horse-battery", "(secret)"},
		"looks like the answer": {webhook.Secrets{"(secret)"}, "(secret)", "(secret)"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if have := test.secrets.Conceal(test.text); test.want != have {
				t.Errorf("want %s, have %s", test.want, have)
			}
		})
	}
}

// Concealing sorts a copy: an exchange's secrets are read by many at once.
func TestConcealLeavesTheSecrets(t *testing.T) {
	secrets := webhook.Secrets{"correct-horse", "correct-horse-battery"}
	secrets.Conceal("correct-horse")
	if secrets[0] != "correct-horse" || secrets[1] != "correct-horse-battery" {
		t.Errorf("want the secrets in their order, have %q", []string(secrets))
	}
}
