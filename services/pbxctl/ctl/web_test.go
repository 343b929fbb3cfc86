package ctl_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/switchhook/switchhook/pkg/cli"
	"github.com/switchhook/switchhook/pkg/config"
	"github.com/switchhook/switchhook/services/pbxctl/ctl"
	"github.com/switchhook/switchhook/services/web-gateway/tokens"
)

// acme returns what the gateway would make of a section web, at the tenant acme.
func acme(t *testing.T, section string) *tokens.Tenant {
	t.Helper()
	c, err := config.Parse([]byte("tenants:\n  - name: acme\n    region: CZ\n    exchanges: [{vendor: xvb}]\n    web:\n" + section))
	if err != nil {
		t.Fatalf("%v in\n%s", err, section)
	}
	s, err := tokens.Read(c)
	if err != nil {
		t.Fatalf("%v in\n%s", err, section)
	}
	return s.Tenant("acme")
}

// What is printed for the configuration belongs to the key that is printed for the application.
func TestWebKey(t *testing.T) {
	for name, c := range map[string]struct{ given, want string }{
		"today":    {"", "key-2026-03-10"},
		"a name":   {"crm-2026", "crm-2026"},
		"any name": {`Jana's "new" \ key: #1`, `Jana's "new" \ key: #1`},
	} {
		t.Run(name, func(t *testing.T) {
			args := []string{"web", "key"}
			if c.given != "" {
				args = append(args, "--name", c.given)
			}
			r := run(t, world(), args...)
			r.want(t, 0, "not shown again", "")
			key := regexp.MustCompile(`(?m)^  (shk_\S+)$`).FindStringSubmatch(r.stdout)
			entry := regexp.MustCompile(`(?m)^  - .*$`).FindString(r.stdout)
			if key == nil || len(key[1]) < 26 {
				t.Fatalf("want a key of 128 bits at least, have %s", r.stdout)
			}
			if have, ok := acme(t, "      api_keys:\n      "+entry+"\n").APIKey(key[1]); have != c.want || !ok {
				t.Errorf("want the key %q, have %q, %v", c.want, have, ok)
			}
			if strings.Count(r.stdout, key[1]) != 1 {
				t.Errorf("want the key once, have %s", r.stdout)
			}
		})
	}
	first, second := run(t, world(), "web", "key", "--json"), run(t, world(), "web", "key", "--json")
	var key struct{ Name, Key, SHA256 string }
	if err := json.Unmarshal([]byte(first.stdout), &key); err != nil || first.stdout == second.stdout {
		t.Fatalf("want JSON, and another key each time, have %s and %s, %v", first.stdout, second.stdout, err)
	}
	section := fmt.Sprintf("      api_keys: [{name: %q, sha256: %s}]\n", key.Name, key.SHA256)
	if _, ok := acme(t, section).APIKey(key.Key); !ok {
		t.Errorf("want the key known, have %s", first.stdout)
	}
}

// runWith runs pbxctl with something on standard input.
func runWith(t *testing.T, o ctl.Options, stdin string, args ...string) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd := ctl.New(o)
	cmd.SetArgs(args)
	cmd.SetIn(strings.NewReader(stdin))
	cmd.SetOut(&stdout)
	cmd.SetErr(&stderr)
	return result{cli.Run(t.Context(), cmd, &stderr), stdout.String(), stderr.String()}
}

// typing is a world with a terminal at which somebody types these lines, and then interrupts.
func typing(lines ...string) ctl.Options {
	o := world()
	o.Unseen = func(io.Reader) func(context.Context) ([]byte, error) {
		return func(context.Context) ([]byte, error) {
			if len(lines) == 0 {
				return nil, errors.New("interrupted")
			}
			line := lines[0]
			lines = lines[1:]
			return []byte(line), nil
		}
	}
	return o
}

func TestWebPassword(t *testing.T) {
	for name, c := range map[string]struct {
		world  ctl.Options
		stdin  string
		rights string
		want   []tokens.Right
	}{
		"piped":         {world(), "correct horse\n", "", tokens.DefaultRights()},
		"by Windows":    {world(), "correct horse\r\n", "", tokens.DefaultRights()},
		"without end":   {world(), "correct horse", "wallboard", []tokens.Right{tokens.Wallboard}},
		"typed":         {typing("correct horse", "correct horse"), "", "events, calls,calls", []tokens.Right{tokens.Events, tokens.Calls}},
		"not the piped": {typing("correct horse", "correct horse"), "battery\n", "", tokens.DefaultRights()},
	} {
		t.Run(name, func(t *testing.T) {
			args := []string{"web", "password", "--login", `Karel "K"`}
			if c.rights != "" {
				args = append(args, "--rights", c.rights)
			}
			r := runWith(t, c.world, c.stdin, args...)
			if r.code != 0 || !strings.Contains(r.stdout, "$2a$10$") || strings.Contains(r.stdout+r.stderr, "horse") {
				t.Fatalf("want a hash of cost 10 and no password, have %+v", r)
			}
			who, rights, ok := acme(t, "      people:\n        "+r.stdout).LogIn(`Karel "K"`, "correct horse")
			if !ok || who.Value != `Karel "K"` || !slices.Equal(rights, c.want) {
				t.Errorf("want somebody with %v, have %+v with %v, %v", c.want, who, rights, ok)
			}
		})
	}
}

func TestWebPasswordRefused(t *testing.T) {
	for name, c := range map[string]struct {
		world ctl.Options
		stdin string
		want  string
	}{
		"nothing":         {world(), "", "the password is empty"},
		"an empty line":   {world(), "\n", "the password is empty"},
		"two lines":       {world(), "correct\nhorse\n", "more than one line"},
		"too long":        {world(), strings.Repeat("horse", 15) + "\n", "72"},
		"nothing typed":   {typing("", ""), "", "the password is empty"},
		"typed otherwise": {typing("correct", "horse"), "", "two different passwords"},
		"interrupted":     {typing("correct"), "", "interrupted"},
	} {
		t.Run(name, func(t *testing.T) {
			r := runWith(t, c.world, c.stdin, "web", "password", "--login", "karel")
			r.want(t, 1, "", c.want)
			if strings.Contains(r.stderr, "horse") || strings.Contains(r.stderr, "correct") {
				t.Errorf("want no password in it, have %s", r.stderr)
			}
		})
	}
}

// gateway is one that answers something, and keeps what it was asked.
type gateway struct {
	*httptest.Server
	method, path, kind, authorization, body string
}

func answering(t *testing.T, status int, answer string) *gateway {
	t.Helper()
	g := &gateway{}
	g.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		g.method, g.path, g.kind = r.Method, r.URL.Path, r.Header.Get("Content-Type")
		g.authorization, g.body = r.Header.Get("Authorization"), string(body)
		if status/100 == 3 {
			w.Header().Set("Location", "/elsewhere")
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, answer)
	}))
	t.Cleanup(g.Close)
	return g
}

const givenToken = `{"token": "header.claims.signature", "expiresAt": "2026-03-10T14:10:00Z", "rights": ["calls"]}`

func keyFile(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestWebToken(t *testing.T) {
	for name, c := range map[string]struct {
		args []string
		body string
		want string
	}{
		"login": {[]string{"--login", "karel"}, `"identityType":"login","identityValue":"karel"`, "header.claims.signature\n"},
		"line":  {[]string{"--line", "100"}, `"identityType":"line","identityValue":"100"`, "header.claims.signature\n"},
		"email with rights": {
			[]string{"--email", "karel@acme.example", "--rights", "wallboard,calls"},
			`"identityType":"email","identityValue":"karel@acme.example","rights":["wallboard","calls"]`, "header.claims.signature\n",
		},
		"JSON": {
			[]string{"--login", "karel", "--json"},
			`"identityType":"login","identityValue":"karel"`,
			`{"token":"header.claims.signature","expiresAt":"2026-03-10T14:10:00Z","rights":["calls"]}` + "\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := answering(t, http.StatusOK, givenToken)
			args := append([]string{"web", "token", "--tenant", "acme", "--url", g.URL + "/", "--key-file", keyFile(t, "secret-key\n")}, c.args...)
			r := run(t, world(), args...)
			if r.code != 0 || r.stdout != c.want || r.stderr != "" {
				t.Errorf("want %q, have %+v", c.want, r)
			}
			if asked := g.method + " " + g.path + " " + g.kind; asked != "POST /api/v1/tokens application/json" {
				t.Errorf("want a token asked for, have %s", asked)
			}
			if want := `{"tenant":"acme",` + c.body + `}`; g.body != want || g.authorization != "Bearer secret-key" {
				t.Errorf("want %s with the key, have %s with %s", want, g.body, g.authorization)
			}
		})
	}
}

func TestWebTokenRefused(t *testing.T) {
	for name, c := range map[string]struct {
		status       int
		answer, want string
	}{
		"wrong key":     {401, `{"status": 401, "detail": "The API key is missing."}`, "The API key is missing."},
		"without words": {503, `{}`, "503 Service Unavailable"},
		"a proxy":       {502, `<html>`, "502 Bad Gateway"},
		"moved":         {307, ``, "307 Temporary Redirect"},
		"another page":  {200, `<html>`, "is it web-gateway?"},
		"no token":      {200, `{}`, "is it web-gateway?"},
	} {
		t.Run(name, func(t *testing.T) {
			g := answering(t, c.status, c.answer)
			r := run(t, world(), "web", "token", "--tenant", "acme", "--login", "karel", "--url", g.URL, "--key-file", keyFile(t, "secret-key"))
			r.want(t, 1, "", c.want)
			if strings.Contains(r.stderr, "secret-key") || g.path != "/api/v1/tokens" {
				t.Errorf("want one question and no key told, have %s, %s", g.path, r.stderr)
			}
		})
	}
	g := answering(t, http.StatusOK, givenToken)
	g.Close()
	run(t, world(), "web", "token", "--tenant", "acme", "--login", "karel", "--url", g.URL, "--key-file", keyFile(t, "secret-key")).
		want(t, 1, "", "web-gateway does not answer at "+g.URL)
	for name, content := range map[string]string{"empty": "\n", "two": "one\ntwo\n"} {
		run(t, world(), "web", "token", "--tenant", "acme", "--login", "karel", "--key-file", keyFile(t, content)).
			want(t, 1, "", "want the key, and nothing else")
		if t.Failed() {
			t.Log(name)
		}
	}
}

func TestWebCommandLine(t *testing.T) {
	token := func(args ...string) []string {
		return append([]string{"web", "token", "--tenant", "acme", "--key-file", "key"}, args...)
	}
	for name, c := range map[string]struct {
		args   []string
		code   int
		stdout string
		stderr string
	}{
		"a group alone":         {[]string{"web"}, 0, "password", ""},
		"a key without a name":  {[]string{"web", "key", "--name", ""}, 2, "", "--name is empty"},
		"a password of nobody":  {[]string{"web", "password"}, 2, "", `required flag(s) "login" not set`},
		"an unknown right":      {[]string{"web", "password", "--login", "karel", "--rights", "root"}, 2, "", "want some of calls, commands, wallboard, events"},
		"a token of nobody":     {token(), 2, "", "want one of --login, --line and --email"},
		"a token of two":        {token("--login", "karel", "--line", "100"), 2, "", "want one of --login, --line and --email"},
		"a token of an empty":   {token("--login", ""), 2, "", "--login is empty"},
		"a token without a key": {[]string{"web", "token", "--tenant", "acme", "--login", "karel"}, 2, "", `required flag(s) "key-file" not set`},
		"a URL with a path":     {token("--login", "karel", "--url", "https://pbx.example/api"), 2, "", "--url: want one such as"},
		"a URL with a user":     {token("--login", "karel", "--url", "https://hunter2@pbx.example"), 2, "", "--url: want one such as"},
		"no URL":                {token("--login", "karel", "--url", "pbx.example"), 2, "", "--url: want one such as"},
		"no such file":          {token("--login", "karel"), 1, "", "read the API key: open key: no such file"},
	} {
		t.Run(name, func(t *testing.T) {
			r := run(t, world(), c.args...)
			r.want(t, c.code, c.stdout, c.stderr)
			if strings.Contains(r.stderr, "hunter2") {
				t.Errorf("want no credential in it, have %s", r.stderr)
			}
		})
	}
}
