package tokens

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"

	"github.com/switchhook/switchhook/pkg/event"
	"github.com/switchhook/switchhook/pkg/fault"
)

const (
	issuer   = "switchhook"
	audience = "switchhook-page"
	// longest is the length of a token, in bytes, above which it is none of ours.
	longest = 4096
)

// content is a token's, as it is written.
type content struct {
	jwt.RegisteredClaims
	Use           Use     `json:"use"`
	Tenant        string  `json:"tenant"`
	IdentityType  string  `json:"identity_type"`
	IdentityValue string  `json:"identity_value"`
	Rights        []Right `json:"rights"`
}

// Mint returns a new token. It is fault.Unavailable while there is no key.
func (k *Keyring) Mint(now time.Time, use Use, i Identity, rights []Right, ttl time.Duration) (string, Claims, error) {
	key, err := k.signer(now)
	if err != nil {
		return "", Claims{}, err
	}
	// A token tells whole seconds.
	c := Claims{Identity: i, Rights: rights, Expires: now.Add(ttl).Truncate(time.Second), ID: uuid.NewString()}
	token := jwt.NewWithClaims(jwt.SigningMethodEdDSA, content{
		RegisteredClaims: jwt.RegisteredClaims{
			Issuer: issuer, Audience: jwt.ClaimStrings{audience}, ID: c.ID,
			IssuedAt: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(c.Expires),
		},
		Use: use, Tenant: i.Tenant, IdentityType: i.Type, IdentityValue: i.Value, Rights: rights,
	})
	token.Header["kid"] = key.GetId()
	signed, err := token.SignedString(ed25519.NewKeyFromSeed(key.GetSeed()))
	if err != nil {
		return "", Claims{}, fmt.Errorf("sign a token of %s: %w", i.Tenant, err)
	}
	return signed, c, nil
}

// Verify returns what a token says. It is fault.Denied for one that is not ours, has expired, is for another use or of a session
// that ended; and fault.Unavailable while the keys are not known. No error holds the token or a part of it.
func (k *Keyring) Verify(now time.Time, use Use, token string) (Claims, error) {
	if !k.keys.Loaded() || !k.ended.Loaded() {
		return Claims{}, fault.New(fault.Unavailable, "verify a token: the keys are not known yet")
	}
	refuse := func(why string) (Claims, error) { return Claims{}, fault.New(fault.Denied, "token refused: %s", why) }
	if len(token) > longest {
		return refuse("it is none of ours")
	}
	var have content
	parser := jwt.NewParser(
		jwt.WithValidMethods([]string{jwt.SigningMethodEdDSA.Alg()}), jwt.WithIssuer(issuer), jwt.WithAudience(audience),
		jwt.WithExpirationRequired(), jwt.WithIssuedAt(), jwt.WithLeeway(skew), jwt.WithStrictDecoding(),
		jwt.WithTimeFunc(func() time.Time { return now }),
	)
	_, err := parser.ParseWithClaims(token, &have, func(t *jwt.Token) (any, error) { return k.public(now, t) })
	switch {
	case errors.Is(err, jwt.ErrTokenExpired):
		return refuse("it has expired")
	case err != nil: // what the library says may quote the token
		return refuse("it is none of ours")
	case have.Use != use:
		return refuse("it is for another use")
	case !have.sound():
		return refuse("it does not say whose it is")
	case k.ended.Get(have.ID).Value != nil:
		return refuse("its session has ended")
	}
	return Claims{
		Identity: Identity{have.Tenant, have.IdentityType, have.IdentityValue}, Rights: have.Rights,
		Expires: have.ExpiresAt.Time, ID: have.ID,
	}, nil
}

// public returns the key that a token names.
func (k *Keyring) public(now time.Time, t *jwt.Token) (any, error) {
	id, _ := t.Header["kid"].(string)
	key := k.keys.Get(id).Value
	if !usable(key, now) {
		return nil, jwt.ErrTokenUnverifiable
	}
	return ed25519.NewKeyFromSeed(key.GetSeed()).Public(), nil
}

func (c content) sound() bool {
	return event.IsToken(c.Tenant) && slices.Contains(Types(), c.IdentityType) && c.IdentityValue != "" && c.ID != "" &&
		!slices.ContainsFunc(c.Rights, func(r Right) bool { return !r.Known() })
}
