package rest

import (
	"crypto/rand"
	"maps"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// tokens is IPEX's token server. It is safe for concurrent use.
type tokens struct {
	exchanges []*Exchange
	lifetime  time.Duration

	mu      sync.Mutex
	access  map[string]grant
	refresh map[string]grant
}

// grant is what a token stands for, and until when.
type grant struct {
	login   string // the username with which it was got
	base    string // of the token server
	expires time.Time
}

func newTokens(lifetime time.Duration, exchanges []*Exchange) *tokens {
	return &tokens{exchanges: exchanges, lifetime: lifetime, access: map[string]grant{}, refresh: map[string]grant{}}
}

// issue answers a request for a token of the server at that path.
func (t *tokens) issue(r *http.Request, base string, body []byte) reply {
	form, err := url.ParseQuery(string(body))
	switch {
	case r.Method != http.MethodPost:
		return refuse(http.StatusMethodNotAllowed, "invalid_request")
	case err != nil || !isForm(r):
		return refuse(http.StatusBadRequest, "invalid_request")
	case form.Get("client_id") != "api":
		return refuse(http.StatusUnauthorized, "invalid_client")
	}
	switch form.Get("grant_type") {
	case "password":
		if t.known(base, form.Get("username"), form.Get("password")) {
			return t.grant(base, form.Get("username"))
		}
	case "refresh_token":
		if g, ok := t.find(t.refresh, form.Get("refresh_token")); ok && g.base == base {
			return t.grant(base, g.login)
		}
	default:
		return refuse(http.StatusBadRequest, "unsupported_grant_type")
	}
	return refuse(http.StatusUnauthorized, "invalid_grant")
}

func (t *tokens) known(base, user, password string) bool {
	return first(t.exchanges, func(e *Exchange) bool {
		return e.authBase == base && e.user == user && e.password == password
	}) != nil
}

// grant makes a pair of tokens. The longer life of the second is in the vendor's proportion.
func (t *tokens) grant(base, login string) reply {
	access, refresh, now, longer := rand.Text(), rand.Text(), time.Now(), t.lifetime*7200/3000
	t.mu.Lock()
	defer t.mu.Unlock()
	expired := func(_ string, g grant) bool { return now.After(g.expires) }
	maps.DeleteFunc(t.access, expired)
	maps.DeleteFunc(t.refresh, expired)
	t.access[access] = grant{login, base, now.Add(t.lifetime)}
	t.refresh[refresh] = grant{login, base, now.Add(longer)}
	return answer(http.StatusOK, map[string]any{
		"access_token": access, "expires_in": int(t.lifetime / time.Second),
		"refresh_token": refresh, "refresh_expires_in": int(longer / time.Second),
		"token_type": "Bearer", "scope": "openid profile",
	})
}

func (t *tokens) find(among map[string]grant, token string) (grant, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	g, ok := among[token]
	return g, ok && time.Now().Before(g.expires)
}

// exchange returns that of an access token, among some; nil for a token that is wrong or has expired.
func (t *tokens) exchange(at []*Exchange, token string) *Exchange {
	g, ok := t.find(t.access, token)
	if !ok {
		return nil
	}
	return first(at, func(e *Exchange) bool { return e.authBase == g.base && e.user == g.login })
}
