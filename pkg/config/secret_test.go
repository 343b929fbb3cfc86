package config_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"github.com/switchhook/switchhook/pkg/config"
)

// TestSecretDoesNotLeak shows a secret in each way that a program shows things.
func TestSecretDoesNotLeak(t *testing.T) {
	const value = "hunter2"
	secret := config.NewSecret(value)
	type holder struct {
		Exported   config.Secret
		unexported config.Secret
		Nested     struct{ unexported config.Secret }
		Pointer    *config.Secret
		List       []config.Secret
		Map        map[string]config.Secret
	}
	held := holder{
		Exported: secret, unexported: secret, Pointer: &secret,
		List: []config.Secret{secret}, Map: map[string]config.Secret{"a": secret},
	}
	held.Nested.unexported = secret

	var shown bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%T", "%p", "%08.3f", "%!"} {
		for _, v := range []any{secret, &secret, held, &held, []any{held}, map[string]any{"a": held}} {
			fmt.Fprintf(&shown, verb+"\n", v)
		}
	}
	for _, handler := range []slog.Handler{slog.NewTextHandler(&shown, nil), slog.NewJSONHandler(&shown, nil)} {
		log := slog.New(handler).With("secret", secret)
		log.Info("shown", "pointer", &secret, "held", held, slog.Group("group", "secret", secret))
	}
	if have := secret.LogValue().String(); have != "(secret)" {
		t.Errorf("want (secret) in logs, have %s", have)
	}
	for name, marshal := range map[string]func(any) ([]byte, error){
		"json": json.Marshal,
		"yaml": func(v any) ([]byte, error) { return yaml.Dump(v) },
		"xml":  func(any) ([]byte, error) { return xml.Marshal(secret) },
	} {
		data, err := marshal(held)
		if err != nil {
			t.Errorf("want %s, have %v", name, err)
		}
		if !bytes.Contains(data, []byte("(secret)")) {
			t.Errorf("want (secret) in %s, have %s", name, data)
		}
		shown.Write(data)
	}
	fmt.Fprintln(&shown, secret.String(), fmt.Errorf("wrong: %v", secret))
	for _, leak := range []string{value, fmt.Sprintf("%x", value), fmt.Sprintf("%X", value), fmt.Sprint([]byte(value))} { //nolint:staticcheck // the bytes as numbers
		if strings.Contains(shown.String(), leak) {
			t.Errorf("want no secret shown, have %q in %s", leak, &shown)
		}
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		if have := fmt.Sprintf(verb, secret); have != "(secret)" {
			t.Errorf("want (secret) for %s, have %s", verb, have)
		}
	}
}

// TestConfigDoesNotLeak formats a configuration with secrets in the file, in a comment too.
func TestConfigDoesNotLeak(t *testing.T) {
	c, err := config.Parse([]byte(`# hunter2
tenants: [{name: acme, region: CZ, exchanges: [{vendor: xvb, webhook: {secret: hunter2}}]}] # hunter2
# hunter2
`))
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []any{c, *c, c.Tenants[0], *c.Tenants[0], c.Tenants[0].Exchanges[0], *c.Tenants[0].Exchanges[0]} {
		if have := fmt.Sprintf("%v %+v %#v", v, v, v); strings.Contains(have, "hunter2") {
			t.Errorf("want no secret in %T, have %s", v, have)
		}
	}
}

func TestSecretIsZero(t *testing.T) {
	tests := map[string]struct {
		secret config.Secret
		want   bool
	}{
		"zero":  {config.Secret{}, true},
		"empty": {config.NewSecret(""), true},
		"given": {config.NewSecret("0"), false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if have := test.secret.IsZero(); test.want != have || test.want != (test.secret.Reveal() == "") {
				t.Errorf("want %v, have %v", test.want, have)
			}
		})
	}
}

func TestSecretFile(t *testing.T) {
	folder, elsewhere := t.TempDir(), t.TempDir()
	tests := map[string]struct{ path, content, want string }{
		"beside the file":       {"password", "one", "one"},
		"absolute":              {filepath.Join(elsewhere, "password"), "two", "two"},
		"a newline":             {"newline", "three\n", "three"},
		"a newline of Windows":  {"windows", "four\r\n", "four"},
		"white space":           {"white", " five six \n", " five six "},
		"newlines in it":        {"lines", "seven\neight\n", "seven\neight"},
		"variables stay":        {"variables", "${TOKEN}\n", "${TOKEN}"},
		"of a number as a name": {"42", "nine", "nine"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			path := test.path
			if !filepath.IsAbs(path) {
				path = filepath.Join(folder, path)
			}
			write(t, path, test.content)
			file := filepath.Join(folder, "config.yaml")
			write(t, file, fileOf("acme", "password_file: "+test.path))
			all, err := config.Load(file, decodeAll)
			if have := all["xvb/acme/xvb"].Webhook.Password.Reveal(); err != nil || test.want != have {
				t.Errorf("want %q, have %q, %v", test.want, have, err)
			}
		})
	}
}

func write(t testing.TB, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}
