package tokens_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/switchhook/switchhook/pkg/config"
	"github.com/switchhook/switchhook/pkg/fault"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
	"github.com/switchhook/switchhook/services/web-gateway/tokens"
)

func digest(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:])
}

func hash(t *testing.T, password string) string {
	t.Helper()
	h, err := bcrypt.GenerateFromPassword([]byte(password), 10)
	if err != nil {
		t.Fatal(err)
	}
	return string(h)
}

// parse returns the configuration of a tenant acme with a section web, and of globex without.
func parse(t *testing.T, web string) *config.Config {
	t.Helper()
	c, err := config.Parse([]byte(`
tenants:
  - name: acme
    region: CZ
    exchanges: [{vendor: xvb}]
    web:
` + web + `
  - name: globex
    region: CZ
    exchanges: [{vendor: xvb}]
`))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func settings(t *testing.T, web string) *tokens.Settings {
	t.Helper()
	s, err := tokens.Read(parse(t, web))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestDefaults(t *testing.T) {
	globex := settings(t, "      origins: []").Tenant("globex")
	if globex.TokenTTL != 10*time.Minute || globex.SessionTTL != 12*time.Hour {
		t.Errorf("want 10m and 12h, have %v and %v", globex.TokenTTL, globex.SessionTTL)
	}
}

// While a key is replaced both are good; at another tenant neither is.
func TestAPIKey(t *testing.T) {
	s := settings(t, fmt.Sprintf("      api_keys: [{name: old, sha256: %s}, {name: new, sha256: %s}]",
		digest("key-2025"), strings.ToUpper(digest("key-2026"))))
	for name, c := range map[string]struct {
		tenant, key, want string
	}{
		"old":             {"acme", "key-2025", "old"},
		"new":             {"acme", "key-2026", "new"},
		"wrong":           {"acme", "key-2024", ""},
		"empty":           {"acme", "", ""},
		"its digest":      {"acme", digest("key-2025"), ""},
		"other tenant's":  {"globex", "key-2025", ""},
		"unknown tenant":  {"initech", "key-2025", ""},
		"without a name":  {"", "key-2025", ""},
		"with more to it": {"acme", "key-2025 ", ""},
	} {
		t.Run(name, func(t *testing.T) {
			if have, ok := s.Tenant(c.tenant).APIKey(c.key); have != c.want || ok != (c.want != "") {
				t.Errorf("want %q, have %q, %v", c.want, have, ok)
			}
		})
	}
}

func TestLogIn(t *testing.T) {
	s := settings(t, fmt.Sprintf("      people: [{login: Karel, password: %q, rights: [wallboard]}, {login: jana, password: %q}]",
		hash(t, "hunter2"), hash(t, "")))
	for name, c := range map[string]struct {
		tenant, login, password string
		want                    bool
	}{
		"right":          {"acme", "Karel", "hunter2", true},
		"other case":     {"acme", "karel", "hunter2", true},
		"wrong password": {"acme", "Karel", "Hunter2", false},
		"no password":    {"acme", "Karel", "", false},
		"another's":      {"acme", "jana", "hunter2", false},
		"nobody":         {"acme", "petr", "hunter2", false},
		"no login":       {"acme", "", "", false},
		"other tenant":   {"globex", "Karel", "hunter2", false},
		"no tenant":      {"initech", "Karel", "hunter2", false},
	} {
		t.Run(name, func(t *testing.T) {
			who, rights, ok := s.Tenant(c.tenant).LogIn(c.login, c.password)
			if ok != c.want {
				t.Fatalf("want %v, have %v", c.want, ok)
			}
			if want := (tokens.Identity{Tenant: "acme", Type: tokens.Login, Value: "Karel"}); ok &&
				(who != want || !slices.Equal(rights, []tokens.Right{tokens.Wallboard})) {
				t.Errorf("want %+v with the right wallboard, have %+v with %v", want, who, rights)
			}
			if !ok && (who != tokens.Identity{} || rights != nil) {
				t.Errorf("want nothing, have %+v with %v", who, rights)
			}
		})
	}
	if rights, ok := s.Tenant("acme").Rights("JANA"); !ok || !slices.Equal(rights, tokens.DefaultRights()) {
		t.Errorf("want the default rights, have %v, %v", rights, ok)
	}
	if _, ok := s.Tenant("acme").Rights("petr"); ok {
		t.Error("want nobody, have somebody")
	}
}

// Nobody learns from the time it takes whether a login, or a tenant, exists.
func TestLogInTakesAsLong(t *testing.T) {
	s := settings(t, fmt.Sprintf("      people: [{login: karel, password: %q}]", hash(t, "hunter2")))
	fastest := func(tenant, login string) time.Duration {
		least := time.Hour
		for range 4 {
			began := time.Now()
			s.Tenant(tenant).LogIn(login, "wrong")
			least = min(least, time.Since(began))
		}
		return least
	}
	want := fastest("acme", "karel")
	for _, who := range [][2]string{{"acme", "petr"}, {"globex", "karel"}, {"initech", "karel"}} {
		if have := fastest(who[0], who[1]); have < want/2 || have > 2*want {
			t.Errorf("%v: want about %v as for a wrong password, have %v", who, want, have)
		}
	}
}

func TestProblems(t *testing.T) {
	good := `"$2a$10$` + strings.Repeat("a", 53) + `"`
	for name, c := range map[string]struct{ web, want string }{
		"three keys": {
			`api_keys: [{name: a, sha256: ` + digest("a") + `}, {name: b, sha256: ` + digest("b") + `}, {name: c, sha256: ` + digest("c") + `}]`,
			"web.api_keys: want at most 2",
		},
		"same key name":    {`api_keys: [{name: a, sha256: ` + digest("a") + `}, {name: a, sha256: ` + digest("b") + `}]`, "web.api_keys[1].name: a is already"},
		"key itself":       {`api_keys: [{name: a, sha256: hunter2}]`, "web.api_keys[0].sha256: want the SHA-256"},
		"key without name": {`api_keys: [{sha256: ` + digest("a") + `}]`, "web.api_keys[0].name: is missing"},
		"origin with path": {`origins: ["https://crm.example.com/"]`, "web.origins[0]: want an origin"},
		"any origin":       {`origins: ["*"]`, "web.origins[0]: want an origin"},
		"null origin":      {`origins: ["null"]`, "web.origins[0]: want an origin"},
		"upper case":       {`origins: ["https://CRM.example.com"]`, "web.origins[0]: want an origin"},
		"short token":      {`token_ttl: 59s`, "web.token_ttl: want 1m to 1h"},
		"long token":       {`token_ttl: 61m`, "web.token_ttl: want 1m to 1h"},
		"short session":    {`session_ttl: 1m`, "web.session_ttl: want 5m to 168h"},
		"long session":     {`session_ttl: 169h`, "web.session_ttl: want 5m to 168h"},
		"plain password":   {`people: [{login: karel, password: hunter2}]`, "web.people[0].password: want a bcrypt hash"},
		"cheap password":   {`people: [{login: karel, password: "$2a$04$` + strings.Repeat("a", 53) + `"}]`, "web.people[0].password: want a bcrypt hash"},
		"dear password":    {`people: [{login: karel, password: "$2a$20$` + strings.Repeat("a", 53) + `"}]`, "web.people[0].password: want a bcrypt hash"},
		"same login":       {`people: [{login: karel, password: ` + good + `}, {login: Karel, password: ` + good + `}]`, "web.people[1].login: Karel is already"},
		"unknown right":    {`people: [{login: karel, password: ` + good + `, rights: [root]}]`, `web.people[0].rights: unknown right "root"`},
		"unknown key":      {`orgins: []`, "did you mean origins?"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := tokens.Read(parse(t, "      "+c.web))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("want %q, have %v", c.want, err)
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("want no secret in it, have %v", err)
			}
		})
	}
}

func TestOrigins(t *testing.T) {
	s := settings(t, `      origins: ["https://crm.example.com", "http://localhost:3000"]`)
	if !s.AnyOrigin("https://crm.example.com") || !s.Tenant("acme").Allows("http://localhost:3000") {
		t.Error("want the configured origins allowed")
	}
	for _, origin := range []string{"https://crm.example.com:444", "http://crm.example.com", "https://crm.example.com.evil.example", "null", ""} {
		if s.AnyOrigin(origin) || s.Tenant("acme").Allows(origin) {
			t.Errorf("want %q not allowed", origin)
		}
	}
	if s.Tenant("globex").Allows("https://crm.example.com") || s.Tenant("initech").Allows("https://crm.example.com") {
		t.Error("want another tenant's origins not allowed")
	}
}

func TestFind(t *testing.T) {
	people := []config.Person{
		{Name: "Karel Novák", Login: "karel", Email: "karel@acme.example", Extensions: []string{"20"}},
		{Name: "Door", Extensions: []string{"90"}},
	}
	agents := []*pbxv1.AgentStatus{
		{Tenant: "acme", User: &pbxv1.User{Login: "karel@pbx"}, Extensions: []string{"21", "20"}},
		{Tenant: "acme", User: &pbxv1.User{Login: "jana", Email: "jana@acme.example"}, Extensions: []string{"30"}},
		{Tenant: "acme", User: &pbxv1.User{Login: "petr"}, Extensions: []string{"20"}}, // whom the configuration contradicts
		{Tenant: "globex", User: &pbxv1.User{Login: "karel"}, Extensions: []string{"66"}},
		{Tenant: "globex", User: &pbxv1.User{Login: "eve"}, Extensions: []string{"67"}},
	}
	for name, c := range map[string]struct {
		kind, value string
		want        string // name login email lines
		err         fault.Kind
	}{
		"login":               {kind: tokens.Login, value: "Karel", want: "Karel Novák karel karel@acme.example [20 21]"},
		"login with a domain": {kind: tokens.Login, value: "karel@elsewhere", want: "Karel Novák karel karel@acme.example [20 21]"},
		"email":               {kind: tokens.Email, value: "Jana@acme.example", want: " jana jana@acme.example [30]"},
		"line":                {kind: tokens.Line, value: "20", want: "Karel Novák karel karel@acme.example [20]"},
		"line of a door":      {kind: tokens.Line, value: "90", want: "Door   [90]"},
		"nobody":              {kind: tokens.Login, value: "olga", err: fault.NotFound},
		"nobody's line":       {kind: tokens.Line, value: "99", err: fault.NotFound},
		"another tenant's":    {kind: tokens.Login, value: "eve", err: fault.NotFound},
		"her line":            {kind: tokens.Line, value: "67", err: fault.NotFound},
		"login as an email":   {kind: tokens.Email, value: "karel", err: fault.NotFound},
		"unknown type":        {kind: "root", value: "karel", err: fault.Invalid},
		"no value":            {kind: tokens.Login, err: fault.Invalid},
	} {
		t.Run(name, func(t *testing.T) {
			have, err := tokens.Find(tokens.Identity{Tenant: "acme", Type: c.kind, Value: c.value}, people, slices.Values(agents))
			if c.want == "" {
				if !fault.Is(err, c.err) {
					t.Errorf("want %v, have %v with %+v", c.err, err, have)
				}
				return
			}
			if text := fmt.Sprint(have.Name, " ", have.Login, " ", have.Email, " ", have.Lines); err != nil || text != c.want {
				t.Errorf("want %q, have %q, %v", c.want, text, err)
			}
		})
	}
}
