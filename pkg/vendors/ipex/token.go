package ipex

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/switchhook/switchhook/pkg/vendors/fields"
	"github.com/switchhook/switchhook/pkg/webhook"
)

// tokenLife is how long a token is good for; the exchange is told, and asks again.
const tokenLife = time.Hour

// isTokenRequest reports whether the exchange asks for a token rather than reports an event. From version 4.6 it is
// configured with a URL for that, of which we ask only that its path ends in /token.
func isTokenRequest(r webhook.Request) bool {
	return strings.HasSuffix(strings.TrimRight(r.Path, "/"), "/token")
}

// readLogin finds the login in the body of a token request. The body is what the customer typed on the exchange, JSON or
// a form, so it is read with the names that people give these fields.
func readLogin(body []byte) (username, password string, err error) {
	read := func(body []byte) (*fields.Fields, error) { return fields.Form(string(body)) }
	if bytes.HasPrefix(bytes.TrimSpace(body), []byte("{")) {
		read = fields.JSON
	}
	f, err := read(body)
	if err != nil {
		return "", "", err
	}
	return f.Peek("username", "login", "user", "client_id"), f.Peek("password", "pass", "client_secret"), nil
}

func bearer(h http.Header) string {
	scheme, token, _ := strings.Cut(h.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

// tokenReply issues a token. It is signed with a key made from the exchange's password, so every replica can check it, none
// stores it, and changing the password ends it.
func (e *exchange) tokenReply(now time.Time) (*webhook.Reply, error) {
	claims := jwt.RegisteredClaims{
		Subject:   e.origin.String(),
		IssuedAt:  jwt.NewNumericDate(now),
		ExpiresAt: jwt.NewNumericDate(now.Add(tokenLife)),
	}
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString(e.tokenKey())
	if err != nil {
		return nil, err
	}
	body, err := json.Marshal(map[string]any{
		"access_token": token,
		"token_type":   "Bearer",
		"expires_in":   int(tokenLife.Seconds()),
	})
	return &webhook.Reply{ContentType: "application/json", Body: body}, err
}

func (e *exchange) tokenKey() []byte {
	key := webhook.NewCredential("switchhook ipex token", e.settings.Webhook.Username, e.settings.Webhook.Password.Reveal())
	return key[:]
}

// byToken returns the exchange that a token was issued to, or nil.
func (v *Vendor) byToken(token string, now time.Time) *exchange {
	if token == "" {
		return nil
	}
	for _, e := range v.exchanges {
		_, err := jwt.ParseWithClaims(token, &jwt.RegisteredClaims{},
			func(*jwt.Token) (any, error) { return e.tokenKey(), nil },
			jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}),
			jwt.WithSubject(e.origin.String()),
			jwt.WithExpirationRequired(),
			jwt.WithTimeFunc(func() time.Time { return now }))
		if err == nil {
			return e
		}
	}
	return nil
}
