package api

import (
	"net/http"
	"slices"
	"time"

	"github.com/switchhook/switchhook/pkg/fault"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
	"github.com/switchhook/switchhook/services/web-gateway/api/throttle"
	"github.com/switchhook/switchhook/services/web-gateway/tokens"
)

// cookie is the name of the one that holds a session.
const cookie = "switchhook_session"

// longestLogin is how long a tenant's name, a login and a password may be together, in bytes.
const longestLogin = 1024

// tokenRequest asks for a token.
type tokenRequest struct {
	Tenant        string         `json:"tenant"`
	IdentityType  string         `json:"identityType"`
	IdentityValue string         `json:"identityValue"`
	Rights        []tokens.Right `json:"rights,omitempty"`
}

// token is a new one.
type token struct {
	Token     string         `json:"token"`
	ExpiresAt time.Time      `json:"expiresAt"`
	Rights    []tokens.Right `json:"rights"`
}

// loginRequest says who wants to log in.
type loginRequest struct {
	Tenant   string `json:"tenant"`
	Login    string `json:"login"`
	Password string `json:"password"`
}

// login is what a page of somebody who is logged in needs.
type login struct {
	token
	Tenant   string   `json:"tenant"`
	Identity identity `json:"identity"`
}

type identity struct {
	Type  string `json:"type"`
	Value string `json:"value"`
}

// self is who a token stands for.
type self struct {
	Tenant   string         `json:"tenant"`
	Identity identity       `json:"identity"`
	Name     string         `json:"name,omitempty"`
	Login    string         `json:"login,omitempty"`
	Email    string         `json:"email,omitempty"`
	Lines    []string       `json:"lines"`
	Rights   []tokens.Right `json:"rights"`
}

func (a *api) mintToken() operation {
	return operation{
		method: http.MethodPost, path: "/api/v1/tokens", name: "mintToken",
		summary:    "Gives the tenant's own server a token for one of its pages. Without rights it has calls and commands.",
		credential: apiKey, body: tokenRequest{}, answer: token{}, refusals: []int{http.StatusNotFound},
		serve: func(r *request) (any, error) {
			asked, err := read[tokenRequest](r)
			if err != nil {
				return nil, err
			}
			key, _ := bearer(r.Request)
			r.tenant = a.Settings().Tenant(asked.Tenant)
			if _, known := r.tenant.APIKey(key); !known {
				return nil, notKnown("The API key is missing, or is none of the tenant's.")
			}
			who := tokens.Identity{Tenant: asked.Tenant, Type: asked.IdentityType, Value: asked.IdentityValue}
			if _, err := a.find(r.tenant, who); err != nil {
				return nil, err
			}
			rights, err := wanted(asked.Rights)
			if err != nil {
				return nil, err
			}
			return a.mint(r, tokens.Access, who, rights, r.tenant.TokenTTL)
		},
	}
}

func wanted(rights []tokens.Right) ([]tokens.Right, error) {
	for _, right := range rights {
		if !right.Known() {
			return nil, fault.New(fault.Invalid, "unknown right %q, want some of %v", right, tokens.AllRights())
		}
	}
	if len(rights) == 0 {
		return tokens.DefaultRights(), nil
	}
	return slices.Compact(slices.Sorted(slices.Values(rights))), nil
}

// find returns who an identity stands for.
func (a *api) find(t *tokens.Tenant, who tokens.Identity) (tokens.Person, error) {
	if !a.Agents.Loaded() {
		return tokens.Person{}, notLoaded("agents")
	}
	return tokens.Find(who, t.Agents.People, func(yield func(*pbxv1.AgentStatus) bool) {
		for _, row := range rowsOf(a.Agents, t.Name) {
			if !yield(row.Value) {
				return
			}
		}
	})
}

func notLoaded(what string) error {
	return fault.New(fault.Unavailable, "the %s are not known yet", what)
}

func (a *api) mint(
	r *request, use tokens.Use, who tokens.Identity, rights []tokens.Right, ttl time.Duration,
) (token, error) {
	signed, claims, err := a.Keys.Mint(r.now, use, who, rights, ttl)
	if err != nil {
		return token{}, err
	}
	return token{signed, claims.Expires.UTC(), claims.Rights}, nil
}

func (a *api) logIn() operation {
	return operation{
		method: http.MethodPost, path: "/api/v1/login", name: "logIn", ours: true,
		summary: "Logs in to the gateway's own page: gives an access token, and a cookie that gives more of them.",
		body:    loginRequest{}, answer: login{}, refusals: []int{http.StatusUnauthorized, http.StatusTooManyRequests},
		serve: func(r *request) (any, error) {
			asked, err := read[loginRequest](r)
			if err != nil {
				return nil, err
			}
			if len(asked.Tenant)+len(asked.Login)+len(asked.Password) > longestLogin {
				return nil, fault.New(fault.Invalid, "nobody has so long a login")
			}
			who, rights, err := a.checkPassword(r, asked)
			if err != nil {
				return nil, err
			}
			signed, err := a.mint(r, tokens.Session, who, rights, r.tenant.SessionTTL)
			if err != nil {
				return nil, err
			}
			page, err := a.pageToken(r, who, rights, signed.ExpiresAt)
			if err == nil {
				setCookie(r, signed.Token, signed.ExpiresAt)
			}
			return page, err
		},
	}
}

// checkPassword returns who logs in. Whoever guesses has to wait.
func (a *api) checkPassword(r *request, asked loginRequest) (tokens.Identity, []tokens.Right, error) {
	try := throttle.NewAttempt(asked.Tenant, asked.Login, a.Trusted.Client(r.Request))
	if wait := a.throttle.Begin(r.now, try); wait > 0 {
		a.metrics.logins.WithLabelValues("throttled").Inc()
		return tokens.Identity{}, nil, refusal{
			status: http.StatusTooManyRequests, detail: "Too many attempts failed. Wait a moment.", retry: wait,
		}
	}
	select {
	case a.hashing <- struct{}{}:
		defer func() { <-a.hashing }()
	case <-r.Context().Done():
		return tokens.Identity{}, nil, fault.New(fault.Unavailable, "check a password: who asked has gone")
	}
	r.tenant = a.Settings().Tenant(asked.Tenant)
	who, rights, ok := r.tenant.LogIn(asked.Login, asked.Password)
	if !ok {
		a.metrics.logins.WithLabelValues("refused").Inc()
		a.Log.Warn("login refused", "remote_address", a.Trusted.Client(r.Request).String())
		return tokens.Identity{}, nil, notKnown("The tenant, the login or the password is wrong.")
	}
	a.throttle.Succeed(try)
	a.metrics.logins.WithLabelValues("accepted").Inc()
	return who, rights, nil
}

// pageToken mints an access token that does not outlive the session.
func (a *api) pageToken(r *request, who tokens.Identity, rights []tokens.Right, session time.Time) (login, error) {
	signed, err := a.mint(r, tokens.Access, who, rights, min(r.tenant.TokenTTL, session.Sub(r.now)))
	return login{signed, who.Tenant, identity{who.Type, who.Value}}, err
}

func setCookie(r *request, value string, expires time.Time) {
	http.SetCookie(r.w, &http.Cookie{
		Name: cookie, Value: value, Path: "/api", Expires: expires, HttpOnly: true, SameSite: http.SameSiteStrictMode,
		Secure: !isPlainLoopback(r.Request),
	})
}

// admitSession checks the cookie, and that its person may still log in; what they may do is what is configured now.
func (a *api) admitSession(r *request) error {
	c, err := r.Cookie(cookie)
	if err != nil {
		return notKnown("Nobody is logged in.")
	}
	if r.claims, err = a.Keys.Verify(r.now, tokens.Session, c.Value); err != nil {
		return deniedToken(err)
	}
	r.tenant = a.Settings().Tenant(r.claims.Tenant)
	rights, known := r.tenant.Rights(r.claims.Value)
	if !known || r.claims.Type != tokens.Login {
		return notKnown("Who is logged in may not log in any more.")
	}
	r.claims.Rights = rights
	return nil
}

func (a *api) renew() operation {
	return operation{
		method: http.MethodPost, path: "/api/v1/session", name: "renew", ours: true,
		summary:    "Gives who is logged in another access token.",
		credential: session, answer: login{},
		serve: func(r *request) (any, error) {
			return a.pageToken(r, r.claims.Identity, r.claims.Rights, r.claims.Expires)
		},
	}
}

func (a *api) logOut() operation {
	return operation{
		method: http.MethodDelete, path: "/api/v1/session", name: "logOut", ours: true,
		summary:    "Logs out. Access tokens that were given stay good until they expire.",
		credential: session,
		serve: func(r *request) (any, error) {
			if err := a.Keys.End(r.Context(), r.claims); err != nil {
				return nil, err
			}
			setCookie(r, "", time.Unix(0, 0))
			return nil, nil
		},
	}
}

func (a *api) me() operation {
	return operation{
		method: http.MethodGet, path: "/api/v1/me", name: "me", summary: "Says who the token stands for.",
		credential: access, answer: self{},
		serve: func(r *request) (any, error) {
			who, err := a.find(r.tenant, r.claims.Identity)
			if err != nil && !fault.Is(err, fault.NotFound) { // who supervises may have no phone, and be no agent
				return nil, err
			}
			return self{
				Tenant: r.claims.Tenant, Identity: identity{r.claims.Type, r.claims.Value},
				Name: who.Name, Login: who.Login, Email: who.Email,
				Lines: append([]string{}, who.Lines...), Rights: r.claims.Rights,
			}, nil
		},
	}
}
