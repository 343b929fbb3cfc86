package api_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/switchhook/switchhook/services/web-gateway/tokens"
)

func TestMintToken(t *testing.T) {
	w := newWorld(t)
	for name, c := range map[string]struct {
		key, body string
		status    int
		rights    []tokens.Right
	}{
		"old key":     {oldKey, `{"tenant":"acme","identityType":"login","identityValue":"karel"}`, 200, tokens.DefaultRights()},
		"new key":     {newKey, `{"tenant":"acme","identityType":"line","identityValue":"30"}`, 200, tokens.DefaultRights()},
		"with rights": {newKey, `{"tenant":"acme","identityType":"login","identityValue":"jana","rights":["wallboard"]}`, 200, []tokens.Right{"wallboard"}},

		"wrong key":           {"hunter2", `{"tenant":"acme","identityType":"login","identityValue":"karel"}`, 401, nil},
		"no key":              {"", `{"tenant":"acme","identityType":"login","identityValue":"karel"}`, 401, nil},
		"another tenant's":    {globexKey, `{"tenant":"acme","identityType":"login","identityValue":"karel"}`, 401, nil},
		"for another tenant":  {newKey, `{"tenant":"globex","identityType":"login","identityValue":"jana"}`, 401, nil},
		"unknown tenant":      {newKey, `{"tenant":"initech","identityType":"login","identityValue":"jana"}`, 401, nil},
		"no tenant":           {newKey, `{"identityType":"login","identityValue":"jana"}`, 401, nil},
		"identity of no one":  {newKey, `{"tenant":"acme","identityType":"login","identityValue":"olga"}`, 404, nil},
		"who is at globex":    {globexKey, `{"tenant":"globex","identityType":"login","identityValue":"karel"}`, 404, nil},
		"unknown type":        {newKey, `{"tenant":"acme","identityType":"root","identityValue":"karel"}`, 400, nil},
		"unknown right":       {newKey, `{"tenant":"acme","identityType":"login","identityValue":"karel","rights":["root"]}`, 400, nil},
		"unknown key in body": {newKey, `{"tenant":"acme","identityType":"login","identityValue":"karel","admin":true}`, 400, nil},
		"no JSON":             {newKey, `tenant=acme`, 400, nil},
		"half a body":         {newKey, `{"tenant":`, 400, nil},
		"two bodies":          {newKey, `{"tenant":"acme"}{}`, 400, nil},
		"too long":            {newKey, `{"tenant":"` + strings.Repeat("a", 17<<10) + `"}`, 413, nil},
	} {
		t.Run(name, func(t *testing.T) {
			have := w.send(http.MethodPost, "/api/v1/tokens", c.body, "Authorization", "Bearer "+c.key)
			if have.status != c.status {
				t.Fatalf("want %d, have %d %s", c.status, have.status, have.body)
			}
			if c.status != http.StatusOK {
				if kind := have.header.Get("Content-Type"); kind != "application/problem+json" {
					t.Errorf("want a problem, have %s", kind)
				}
				return
			}
			var minted struct {
				Token     string
				ExpiresAt time.Time
				Rights    []tokens.Right
			}
			have.json(t, &minted)
			claims, err := w.keys.Verify(w.now(), tokens.Access, minted.Token)
			if err != nil || !slices.Equal(claims.Rights, c.rights) || !slices.Equal(minted.Rights, c.rights) ||
				!claims.Expires.Equal(minted.ExpiresAt) || claims.Tenant != "acme" {
				t.Errorf("want the rights %v of acme, have %+v, %v", c.rights, claims, err)
			}
		})
	}
	have := w.send(http.MethodPost, "/api/v1/tokens", `{}`, "Content-Type", "text/plain", "Authorization", "Bearer "+newKey)
	if have.status != http.StatusUnsupportedMediaType {
		t.Errorf("want other types than JSON refused, have %d", have.status)
	}
	for _, secret := range []string{oldKey, newKey, globexKey, "hunter2", "eyJ"} {
		if strings.Contains(w.log.text(), secret) {
			t.Errorf("want no credential in the log, have %s", w.log.text())
		}
	}
}

const karelLogsIn = `{"tenant":"acme","login":"karel","password":"` + password + `"}`

// login logs Karel in.
func (w *world) login() (page pageToken, cookie *http.Cookie) {
	w.t.Helper()
	have := w.send(http.MethodPost, "/api/v1/login", karelLogsIn)
	if have.status != http.StatusOK {
		w.t.Fatalf("want Karel logged in, have %d %s", have.status, have.body)
	}
	have.json(w.t, &page)
	return page, cookieOf(w.t, have)
}

type pageToken struct {
	Token     string
	ExpiresAt time.Time
	Tenant    string
	Identity  struct{ Type, Value string }
	Rights    []tokens.Right
}

func cookieOf(t *testing.T, a answer) *http.Cookie {
	t.Helper()
	cookies := (&http.Response{Header: a.header}).Cookies()
	if len(cookies) != 1 {
		t.Fatalf("want one cookie, have %v", cookies)
	}
	return cookies[0]
}

func TestSession(t *testing.T) {
	w := newWorld(t)
	page, cookie := w.login()
	if page.Tenant != "acme" || page.Identity.Value != "karel" || page.Identity.Type != "login" || len(page.Rights) != 4 {
		t.Errorf("want Karel of acme with all rights, have %+v", page)
	}
	if cookie.Name != "switchhook_session" || !cookie.HttpOnly || cookie.SameSite != http.SameSiteStrictMode ||
		cookie.Path != "/api" || cookie.Secure || cookie.Domain != "" {
		t.Errorf("want a strict HttpOnly cookie for /api, not secure on plain loopback, have %+v", cookie)
	}
	if me := w.get("/api/v1/me", page.Token); me.status != http.StatusOK {
		t.Errorf("want the access token good, have %d %s", me.status, me.body)
	}

	renewed := w.send(http.MethodPost, "/api/v1/session", "", "Cookie", cookie.Name+"="+cookie.Value)
	var again pageToken
	renewed.json(t, &again)
	if renewed.status != http.StatusOK || again.Token == page.Token || again.Identity != page.Identity {
		t.Errorf("want another access token, have %d %+v", renewed.status, again)
	}

	out := w.send(http.MethodDelete, "/api/v1/session", "", "Cookie", cookie.Name+"="+cookie.Value)
	if gone := cookieOf(t, out); out.status != http.StatusNoContent || gone.Value != "" || gone.Expires.After(time.Now()) {
		t.Errorf("want the cookie taken away, have %d %+v", out.status, gone)
	}
	replayed := w.send(http.MethodPost, "/api/v1/session", "", "Cookie", cookie.Name+"="+cookie.Value)
	if replayed.status != http.StatusUnauthorized {
		t.Errorf("want the cookie worth nothing after the logout, have %d %s", replayed.status, replayed.body)
	}
}

// A token is good for one thing.
func TestReplayed(t *testing.T) {
	w := newWorld(t)
	page, cookie := w.login()
	for name, c := range map[string]struct {
		method, path string
		headers      []string
	}{
		"session as access token":    {http.MethodGet, "/api/v1/me", []string{"Authorization", "Bearer " + cookie.Value}},
		"access token as session":    {http.MethodPost, "/api/v1/session", []string{"Cookie", "switchhook_session=" + page.Token}},
		"access token as API key":    {http.MethodPost, "/api/v1/tokens", []string{"Authorization", "Bearer " + page.Token}},
		"API key as access token":    {http.MethodGet, "/api/v1/me", []string{"Authorization", "Bearer " + newKey}},
		"session where a token goes": {http.MethodGet, "/api/v1/me", []string{"Cookie", "switchhook_session=" + cookie.Value}},
		"token where a session goes": {http.MethodPost, "/api/v1/session", []string{"Authorization", "Bearer " + page.Token}},
		"token in the query":         {http.MethodGet, "/api/v1/me?token=" + page.Token + "&access_token=" + page.Token, nil},
		"token as a password":        {http.MethodGet, "/api/v1/me", []string{"Authorization", "Basic " + page.Token}},
	} {
		t.Run(name, func(t *testing.T) {
			body := ""
			if c.path == "/api/v1/tokens" {
				body = `{"tenant":"acme","identityType":"login","identityValue":"karel"}`
			}
			if have := w.send(c.method, c.path, body, c.headers...); have.status != http.StatusUnauthorized {
				t.Errorf("want 401, have %d %s", have.status, have.body)
			}
		})
	}
	w.pass(2 * time.Hour)
	if have := w.get("/api/v1/me", page.Token); have.status != http.StatusUnauthorized {
		t.Errorf("want an expired token refused, have %d", have.status)
	}
	w.pass(11 * time.Hour)
	if have := w.send(http.MethodPost, "/api/v1/session", "", "Cookie", "switchhook_session="+cookie.Value); have.status != http.StatusUnauthorized {
		t.Errorf("want an expired session refused, have %d", have.status)
	}
}

// What somebody may do is what is configured now.
func TestRightsTaken(t *testing.T) {
	w := newWorld(t)
	_, cookie := w.login()
	w.configure("boss")
	have := w.send(http.MethodPost, "/api/v1/session", "", "Cookie", cookie.Name+"="+cookie.Value)
	if have.status != http.StatusUnauthorized {
		t.Errorf("want who may not log in any more refused, have %d %s", have.status, have.body)
	}
}

func TestSecureCookie(t *testing.T) {
	w := newWorld(t)
	for host, want := range map[string]bool{
		"gateway.example": true, "localhost:8080": false, "[::1]": false, "127.0.0.1.evil.example": true,
	} {
		have := w.send(http.MethodPost, "/api/v1/login", karelLogsIn, "Host", host)
		if c := cookieOf(t, have); c.Secure != want {
			t.Errorf("%s: want secure %v, have %+v", host, want, c)
		}
	}
}

// Who guesses waits longer and longer, whatever the address; who knows the password gets in once the wait is over.
func TestThrottle(t *testing.T) {
	w := newWorld(t)
	wrong := `{"tenant":"acme","login":"KAREL","password":"wrong"}`
	for i := range 5 {
		if have := w.send(http.MethodPost, "/api/v1/login", wrong); have.status != http.StatusUnauthorized {
			t.Fatalf("attempt %d: want 401, have %d", i, have.status)
		}
	}
	for _, body := range []string{wrong, karelLogsIn} {
		have := w.send(http.MethodPost, "/api/v1/login", body)
		if have.status != http.StatusTooManyRequests || have.header.Get("Retry-After") != "1" {
			t.Errorf("want 429 for a second, have %d with %s", have.status, have.header.Get("Retry-After"))
		}
	}
	if have := w.send(http.MethodPost, "/api/v1/login", strings.ReplaceAll(karelLogsIn, "karel", "boss")); have.status != http.StatusOK {
		t.Errorf("want somebody else let in, have %d", have.status)
	}
	w.pass(time.Second)
	if have := w.send(http.MethodPost, "/api/v1/login", wrong); have.status != http.StatusUnauthorized {
		t.Errorf("want another try, have %d", have.status)
	}
	if have := w.send(http.MethodPost, "/api/v1/login", wrong); have.header.Get("Retry-After") != "2" {
		t.Errorf("want a longer wait, have %d with %s", have.status, have.header.Get("Retry-After"))
	}
	w.pass(2 * time.Second)
	w.login()
	w.login() // it begins anew
	if strings.Contains(w.log.text(), password) || strings.Contains(w.log.text(), "wrong") {
		t.Errorf("want no password in the log, have %s", w.log.text())
	}
}

func TestLoginRefused(t *testing.T) {
	w := newWorld(t)
	seen := map[string]bool{}
	for name, c := range map[string]struct {
		body   string
		status int
	}{
		"wrong password": {`{"tenant":"acme","login":"karel","password":"x"}`, 401},
		"nobody":         {`{"tenant":"acme","login":"olga","password":"` + password + `"}`, 401},
		"other tenant":   {`{"tenant":"globex","login":"karel","password":"` + password + `"}`, 401},
		"no tenant":      {`{"tenant":"initech","login":"karel","password":"` + password + `"}`, 401},
		"endless":        {`{"tenant":"acme","login":"karel","password":"` + strings.Repeat("x", 2000) + `"}`, 400},
	} {
		have := w.send(http.MethodPost, "/api/v1/login", c.body)
		if have.status != c.status || have.header.Get("Set-Cookie") != "" {
			t.Errorf("%s: want %d and no cookie, have %d, %v", name, c.status, have.status, have.header)
		}
		if c.status == http.StatusUnauthorized {
			seen[string(have.body)] = true
		}
	}
	if len(seen) != 1 {
		t.Errorf("want all told the same, have %v", seen)
	}
}

func TestMe(t *testing.T) {
	w := newWorld(t)
	for name, c := range map[string]struct {
		who  tokens.Identity
		want string
	}{
		"configured":  {tokens.Identity{Tenant: "acme", Type: "email", Value: "karel@acme.example"}, `{"tenant":"acme","identity":{"type":"email","value":"karel@acme.example"},"name":"Karel Novák","login":"karel","email":"karel@acme.example","lines":["20"],"rights":["calls"]}`},
		"learned":     {tokens.Identity{Tenant: "globex", Type: "login", Value: "jana"}, `{"tenant":"globex","identity":{"type":"login","value":"jana"},"name":"globex-jana","login":"jana","lines":["30"],"rights":["calls"]}`},
		"no agent":    {tokens.Identity{Tenant: "acme", Type: "login", Value: "boss"}, `{"tenant":"acme","identity":{"type":"login","value":"boss"},"lines":[],"rights":["calls"]}`},
		"not of ours": {tokens.Identity{Tenant: "globex", Type: "login", Value: "karel"}, `{"tenant":"globex","identity":{"type":"login","value":"karel"},"lines":[],"rights":["calls"]}`},
	} {
		have := w.get("/api/v1/me", w.tokenOf(c.who, tokens.Calls))
		if text := strings.TrimSpace(string(have.body)); text != c.want {
			t.Errorf("%s: want %s, have %s", name, c.want, text)
		}
	}
}

// A page of another origin may use a token, if its tenant allows that, and nothing that goes by the cookie.
func TestCrossOrigin(t *testing.T) {
	w := newWorld(t)
	acme := "Bearer " + w.token("acme", "karel")
	_, cookie := w.login()
	session := cookie.Name + "=" + cookie.Value
	for name, c := range map[string]struct {
		method, path, body string
		headers            []string
		status             int
		allowed            string
	}{
		"no browser":           {"GET", "/api/v1/me", "", []string{"Authorization", acme}, 200, ""},
		"own page":             {"GET", "/api/v1/me", "", []string{"Authorization", acme, "Origin", "http://gw.example", "Host", "gw.example"}, 200, ""},
		"configured":           {"GET", "/api/v1/me", "", []string{"Authorization", acme, "Origin", crm}, 200, crm},
		"refusal is readable":  {"GET", "/api/v1/me", "", []string{"Authorization", "Bearer x", "Origin", crm}, 401, crm},
		"other tenant's":       {"GET", "/api/v1/me", "", []string{"Authorization", acme, "Origin", globexCRM}, 403, ""},
		"stranger":             {"GET", "/api/v1/me", "", []string{"Authorization", acme, "Origin", "https://evil.example"}, 403, ""},
		"null":                 {"GET", "/api/v1/me", "", []string{"Authorization", acme, "Origin", "null"}, 403, ""},
		"looks alike":          {"GET", "/api/v1/me", "", []string{"Authorization", acme, "Origin", crm + ".evil.example"}, 403, ""},
		"stream":               {"GET", "/api/v1/board", "", []string{"Authorization", acme, "Origin", globexCRM}, 403, ""},
		"preflight":            {"OPTIONS", "/api/v1/missed-calls/m1/claim", "", []string{"Origin", crm, "Access-Control-Request-Method", "POST"}, 204, crm},
		"preflight, stranger":  {"OPTIONS", "/api/v1/me", "", []string{"Origin", "https://evil.example", "Access-Control-Request-Method", "GET"}, 403, ""},
		"preflight of tokens":  {"OPTIONS", "/api/v1/tokens", "", []string{"Origin", crm, "Access-Control-Request-Method", "POST"}, 405, ""},
		"preflight of login":   {"OPTIONS", "/api/v1/login", "", []string{"Origin", crm, "Access-Control-Request-Method", "POST"}, 405, ""},
		"preflight of session": {"OPTIONS", "/api/v1/session", "", []string{"Origin", crm, "Access-Control-Request-Method", "POST"}, 405, ""},
		"login from elsewhere": {"POST", "/api/v1/login", karelLogsIn, []string{"Origin", crm}, 403, ""},
		"renewal elsewhere":    {"POST", "/api/v1/session", "", []string{"Cookie", session, "Origin", crm}, 403, ""},
		"renewal of same site": {"POST", "/api/v1/session", "", []string{"Cookie", session, "Sec-Fetch-Site", "same-site"}, 403, ""},
		"renewal of null":      {"POST", "/api/v1/session", "", []string{"Cookie", session, "Origin", "null"}, 403, ""},
		"logout elsewhere":     {"DELETE", "/api/v1/session", "", []string{"Cookie", session, "Origin", "https://evil.example"}, 403, ""},
		"own renewal":          {"POST", "/api/v1/session", "", []string{"Cookie", session, "Origin", "http://gw.example", "Host", "gw.example"}, 200, ""},
	} {
		t.Run(name, func(t *testing.T) {
			have := w.send(c.method, c.path, c.body, c.headers...)
			if allowed := have.header.Get("Access-Control-Allow-Origin"); have.status != c.status || allowed != c.allowed {
				t.Errorf("want %d for %q, have %d for %q: %s", c.status, c.allowed, have.status, allowed, have.body)
			}
			if have.header.Get("Access-Control-Allow-Credentials") != "" {
				t.Error("want no cookies from elsewhere, have them allowed")
			}
			if strings.HasPrefix(name, "preflight") && c.status == 204 && !strings.Contains(have.header.Get("Access-Control-Allow-Headers"), "Authorization") {
				t.Errorf("want the header Authorization allowed, have %v", have.header)
			}
		})
	}
}

func TestAnswersAreSecured(t *testing.T) {
	w := newWorld(t)
	for path, status := range map[string]int{"/api/v1/openapi.json": 200, "/api/v1/me": 401, "/api/v1/nothing": 404, "/": 404} {
		have := w.send(http.MethodGet, path, "")
		if have.status != status || have.header.Get("Cache-Control") != "no-store" ||
			have.header.Get("X-Content-Type-Options") != "nosniff" || have.header.Get("Content-Security-Policy") == "" {
			t.Errorf("%s: want %d, not stored and secured, have %d %v", path, status, have.status, have.header)
		}
		var problem struct{ Status int }
		if status != 200 && (json.Unmarshal(have.body, &problem) != nil || problem.Status != status) {
			t.Errorf("%s: want a problem, have %s", path, have.body)
		}
	}
	if have := w.send(http.MethodPut, "/api/v1/session", ""); have.status != 405 || !strings.Contains(have.header.Get("Allow"), "DELETE") {
		t.Errorf("want the methods told, have %d %v", have.status, have.header)
	}
}
