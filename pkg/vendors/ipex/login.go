package ipex

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/switchhook/switchhook/pkg/command"
	"github.com/switchhook/switchhook/pkg/config"
	"github.com/switchhook/switchhook/pkg/fault"
)

const (
	// margin is how long before its end a token is no longer used: a command takes a while to arrive.
	margin = 30 * time.Second
	// longestLife is longer than any token's; it keeps a hostile number from overflowing a duration.
	longestLife = 24 * time.Hour
)

// login obtains tokens. It is safe for concurrent use: however many commands wait for a token, one
// request for it is under way.
type login struct {
	address  string
	username string
	password config.Secret
	client   *http.Client

	mu      sync.Mutex
	current tokens
	renewal *renewal // under way; nil if none is
}

type tokens struct {
	access, refresh           config.Secret
	accessUntil, refreshUntil time.Time // the margin is off already
}

type renewal struct {
	done   chan struct{}
	access string
	err    error
}

func newLogin(api *API, client *http.Client) *login {
	return &login{
		address:  strings.TrimRight(api.AuthURL, "/") + "/token",
		username: api.Username,
		password: api.Password,
		client:   client,
	}
}

// Tokens returns a token that is still good and is not the one that the vendor has just refused, which is empty at first. However
// many ask, one request for a token is under way. The error is fault.Denied when the credentials are refused, fault.Unavailable
// when a token may be had later, and holds none. It is safe for concurrent use.
type Tokens func(ctx context.Context, refused string) (string, error)

// NewTokens returns what obtains tokens for an exchange, for other services of the vendor than commands: nil if its
// configuration has no `api` section. The error holds config.Problems. It connects to nothing yet.
func NewTokens(e *config.Exchange, client *http.Client) (Tokens, error) {
	api, err := readAPI(e)
	if api == nil || err != nil {
		return nil, err
	}
	return newLogin(api, client).token, nil
}

// token returns a token that is still good and is not the refused one, which may be empty. No error is a *command.Lost, since
// nothing was commanded yet.
func (l *login) token(ctx context.Context, refused string) (string, error) {
	l.mu.Lock()
	access := l.current.access.Reveal()
	if access != "" && access != refused && time.Now().Before(l.current.accessUntil) {
		l.mu.Unlock()
		return access, nil
	}
	r := l.renewal
	if r == nil {
		r = &renewal{done: make(chan struct{})}
		l.renewal = r
		// Others wait for it as well, so it does not end with the command that began it.
		go l.renew(context.WithoutCancel(ctx), r, l.current)
	}
	l.mu.Unlock()
	select {
	case <-r.done:
		return r.access, r.err
	case <-ctx.Done():
		return "", fault.New(fault.Unavailable, "nothing was sent: waiting for a token: %w", ctx.Err())
	}
}

// renew ends within the patience of two requests.
func (l *login) renew(ctx context.Context, r *renewal, old tokens) {
	fresh, err := l.obtain(ctx, old)
	l.mu.Lock()
	defer l.mu.Unlock()
	if err == nil {
		l.current = fresh
	}
	l.renewal = nil
	r.access, r.err = fresh.access.Reveal(), err
	close(r.done)
}

// obtain refreshes the tokens, or logs in when the refresh token is over or refused.
func (l *login) obtain(ctx context.Context, old tokens) (tokens, error) {
	if refresh := old.refresh.Reveal(); refresh != "" && time.Now().Before(old.refreshUntil) {
		fresh, err := l.request(ctx, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refresh}})
		if !fault.Is(err, fault.Denied) {
			return fresh, err
		}
	}
	return l.request(ctx, url.Values{
		"grant_type": {"password"}, "username": {l.username}, "password": {l.password.Reveal()},
	})
}

// request asks the token server. The error is fault.Denied when it refuses what was presented.
func (l *login) request(ctx context.Context, form url.Values) (tokens, error) {
	form.Set("client_id", "api")
	asked := time.Now()
	a, err := command.Send(ctx, l.client, command.Form(l.address, form))
	if lost, ok := errors.AsType[*command.Lost](err); ok {
		return tokens{}, fault.New(fault.Unavailable, "nothing was sent: obtaining a token: %s", lost.Reason)
	}
	if err != nil {
		return tokens{}, fmt.Errorf("obtaining a token: %w", err)
	}
	secrets := []string{form.Get("password"), form.Get("refresh_token")}
	switch words := command.Words(a.Body, secrets...); {
	case a.Status/100 == 2:
		return readTokens(a.Body, asked)
	case a.Status == http.StatusBadRequest, a.Status == http.StatusUnauthorized, a.Status == http.StatusForbidden:
		return tokens{}, fault.New(fault.Denied, "obtaining a token: status %d: %q", a.Status, words)
	case a.Status/100 == 5, a.Status == http.StatusTooManyRequests, a.Status == http.StatusRequestTimeout:
		return tokens{}, fault.New(fault.Unavailable, "nothing was sent: obtaining a token: status %d: %q", a.Status, words)
	default:
		return tokens{}, fault.New(fault.Internal, "obtaining a token: status %d: %q", a.Status, words)
	}
}

// readTokens reads the answer of the token server. An access token without a lifetime is used until it is refused, a refresh
// token likewise.
func readTokens(body []byte, asked time.Time) (tokens, error) {
	var answer struct {
		Access           string      `json:"access_token"`
		Refresh          string      `json:"refresh_token"`
		ExpiresIn        json.Number `json:"expires_in"`
		RefreshExpiresIn json.Number `json:"refresh_expires_in"`
	}
	if err := json.Unmarshal(body, &answer); err != nil || !canBeSent(answer.Access) {
		return tokens{}, fault.New(fault.Internal, "obtaining a token: the answer holds none")
	}
	return tokens{
		access:       config.NewSecret(answer.Access),
		refresh:      config.NewSecret(answer.Refresh),
		accessUntil:  asked.Add(usable(answer.ExpiresIn)),
		refreshUntil: asked.Add(usable(answer.RefreshExpiresIn)),
	}, nil
}

// canBeSent reports whether a token can be sent in a header.
func canBeSent(token string) bool {
	return token != "" && !strings.ContainsFunc(token, unicode.IsControl)
}

// usable returns how long something is used that lives so many seconds: all of it but the margin, or but a tenth of a short life.
func usable(seconds json.Number) time.Duration {
	number, err := seconds.Float64()
	if err != nil || number <= 0 || number > longestLife.Seconds() {
		return longestLife
	}
	life := time.Duration(number * float64(time.Second))
	return life - min(margin, life/10)
}

// secrets returns all that must not be told.
func (l *login) secrets() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return []string{l.password.Reveal(), l.current.access.Reveal(), l.current.refresh.Reveal()}
}
