package tokens_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/switchhook/switchhook/pkg/bus"
	"github.com/switchhook/switchhook/pkg/bustest"
	"github.com/switchhook/switchhook/pkg/fault"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
	"github.com/switchhook/switchhook/services/web-gateway/tokens"
)

var karel = tokens.Identity{Tenant: "acme", Type: tokens.Login, Value: "karel"}

// clock is a time that a test sets.
type clock struct{ now atomic.Pointer[time.Time] }

func (c *clock) set(now time.Time) { c.now.Store(&now) }
func (c *clock) get() time.Time    { return *c.now.Load() }

var noon = time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)

// newKeyring runs a replica's keyring.
func newKeyring(t *testing.T, b *bus.Bus, c *clock) *tokens.Keyring {
	t.Helper()
	k := tokens.NewKeyring(tokens.KeyringOptions{Bus: b, Replicas: bustest.Replicas, Now: c.get})
	bustest.Run(t, k.Join)
	bustest.Eventually(t, "keys", func() bool { return k.Ready() == nil })
	return k
}

// stored are the keys in the bucket.
func stored(t *testing.T, b *bus.Bus) *bus.Table[*pbxv1.SigningKey] {
	t.Helper()
	table := b.SigningKeys(bustest.Replicas)
	execute, interrupt := table.Maintain()
	done := make(chan error, 1)
	go func() { done <- execute() }()
	t.Cleanup(func() { interrupt(nil); <-done })
	bustest.Eventually(t, "the bucket of keys", table.Loaded)
	return table
}

func mint(t *testing.T, k *tokens.Keyring, now time.Time, use tokens.Use, ttl time.Duration) (string, tokens.Claims) {
	t.Helper()
	token, claims, err := k.Mint(now, use, karel, tokens.DefaultRights(), ttl)
	if err != nil {
		t.Fatal(err)
	}
	return token, claims
}

func TestReplicasBelieveEachOther(t *testing.T) {
	server := bustest.Start(t)
	var c clock
	c.set(noon)
	one, other := newKeyring(t, server.Connect(), &c), newKeyring(t, server.Connect(), &c)
	token, minted := mint(t, one, noon, tokens.Access, time.Minute)
	have, err := other.Verify(noon, tokens.Access, token)
	if err != nil {
		t.Fatal(err)
	}
	if have.Identity != karel || !slices.Equal(have.Rights, tokens.DefaultRights()) || have.ID != minted.ID ||
		!have.Expires.Equal(noon.Add(time.Minute)) || !minted.Expires.Equal(have.Expires) {
		t.Errorf("want %+v, have %+v", minted, have)
	}
	if rows := stored(t, server.Connect()).Rows(); len(rows) != 1 {
		t.Errorf("want one key of both replicas, have %d", len(rows))
	}
}

// Whatever is not a good access token is refused, and no error tells any of it.
func TestRefused(t *testing.T) {
	server := bustest.Start(t)
	var c clock
	c.set(noon)
	k := newKeyring(t, server.Connect(), &c)
	const id = "2026-01-31"
	seed := stored(t, server.Connect()).Get(id).Value.GetSeed()
	ours := ed25519.NewKeyFromSeed(seed)
	_, stranger, _ := ed25519.GenerateKey(rand.Reader)
	public := ours.Public().(ed25519.PublicKey)
	spki, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}

	claims := func(change ...any) jwt.MapClaims {
		m := jwt.MapClaims{
			"iss": "switchhook", "aud": "switchhook-page", "use": "access", "tenant": "acme", "identity_type": "login",
			"identity_value": "karel", "rights": []string{"calls"}, "iat": noon.Unix(), "exp": noon.Add(time.Minute).Unix(),
			"jti": "6f1c2f4e-0000-4000-8000-000000000000",
		}
		for i := 0; i < len(change); i += 2 {
			if change[i+1] == nil {
				delete(m, change[i].(string))
			} else {
				m[change[i].(string)] = change[i+1]
			}
		}
		return m
	}
	sign := func(method jwt.SigningMethod, kid any, key any, m jwt.MapClaims) string {
		token := jwt.NewWithClaims(method, m)
		if kid != nil {
			token.Header["kid"] = kid
		}
		signed, err := token.SignedString(key)
		if err != nil {
			t.Fatal(err)
		}
		return signed
	}
	eddsa := func(change ...any) string { return sign(jwt.SigningMethodEdDSA, id, ours, claims(change...)) }
	good := eddsa()
	if _, err := k.Verify(noon, tokens.Access, good); err != nil {
		t.Fatalf("want what the others are made of to be good, have %v", err)
	}
	parts := strings.Split(good, ".")
	session, _ := mint(t, k, noon, tokens.Session, time.Hour)

	for name, token := range map[string]string{
		"empty":                     "",
		"no token":                  "hunter2",
		"signed by another key":     sign(jwt.SigningMethodEdDSA, id, stranger, claims()),
		"alg none":                  sign(jwt.SigningMethodNone, id, jwt.UnsafeAllowNoneSignatureType, claims()),
		"HS256 with the public key": sign(jwt.SigningMethodHS256, id, []byte(public), claims()),
		"HS256 with it as SPKI":     sign(jwt.SigningMethodHS256, id, spki, claims()),
		"HS256 with an empty key":   sign(jwt.SigningMethodHS256, id, []byte{}, claims()),
		"no kid":                    sign(jwt.SigningMethodEdDSA, nil, ours, claims()),
		"unknown kid":               sign(jwt.SigningMethodEdDSA, "2025-01-01", ours, claims()),
		"kid that is no text":       sign(jwt.SigningMethodEdDSA, 7, ours, claims()),
		"kid of a path":             sign(jwt.SigningMethodEdDSA, "../../dev/null", stranger, claims()),
		"no signature":              parts[0] + "." + parts[1] + ".",
		"signature of another":      parts[0] + "." + parts[1] + "." + strings.Split(eddsa("tenant", "globex"), ".")[2],
		"claims of another":         parts[0] + "." + strings.Split(eddsa("tenant", "globex"), ".")[1] + "." + parts[2],
		"padded":                    good + "==",
		"too long":                  eddsa("more", strings.Repeat("x", 5000)),
		"expired":                   eddsa("exp", noon.Add(-time.Minute).Unix()),
		"never expires":             eddsa("exp", nil),
		"issued in the future":      eddsa("iat", noon.Add(time.Minute).Unix()),
		"not yet good":              eddsa("nbf", noon.Add(time.Minute).Unix()),
		"other issuer":              eddsa("iss", "somebody"),
		"no issuer":                 eddsa("iss", nil),
		"other audience":            eddsa("aud", "crm"),
		"no audience":               eddsa("aud", nil),
		"no use":                    eddsa("use", nil),
		"session used as access":    session,
		"no tenant":                 eddsa("tenant", nil),
		"every tenant":              eddsa("tenant", "*"),
		"tenant that is two tokens": eddsa("tenant", "acme.globex"),
		"unknown type of identity":  eddsa("identity_type", "root"),
		"no identity":               eddsa("identity_value", ""),
		"unknown right":             eddsa("rights", []string{"everything"}),
		"rights that are no list":   eddsa("rights", "calls"),
		"no id":                     eddsa("jti", nil),
		"key in the header":         withJWK(t, stranger, id, claims()),
		"signature by RSA's name":   base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"RS256","kid":"`+id+`"}`)) + "." + parts[1] + "." + parts[2],
		"header that is no header":  base64.RawURLEncoding.EncodeToString([]byte(`[]`)) + "." + parts[1] + "." + parts[2],
		"four parts":                good + ".x",
	} {
		t.Run(name, func(t *testing.T) {
			have, err := k.Verify(noon, tokens.Access, token)
			if !fault.Is(err, fault.Denied) {
				t.Fatalf("want it denied, have %v with %+v", err, have)
			}
			for _, part := range append(strings.Split(token, "."), token) {
				if len(part) > 3 && strings.Contains(err.Error(), part) {
					t.Errorf("want an error that tells nothing of the token, have %v", err)
				}
			}
		})
	}
	if _, err := k.Verify(noon, tokens.Session, good); !fault.Is(err, fault.Denied) {
		t.Errorf("want an access token to be no session, have %v", err)
	}
}

// withJWK names its own key in the header, as some libraries would believe.
func withJWK(t *testing.T, key ed25519.PrivateKey, kid string, m jwt.MapClaims) string {
	t.Helper()
	return withHeader(t, key, kid, m, "jwk", map[string]string{
		"kty": "OKP", "crv": "Ed25519", "x": base64.RawURLEncoding.EncodeToString(key.Public().(ed25519.PublicKey)),
	})
}

func withHeader(t *testing.T, key ed25519.PrivateKey, kid string, m jwt.MapClaims, name string, value any) string {
	t.Helper()
	token := jwt.NewWithClaims(jwt.SigningMethodEdDSA, m)
	token.Header["kid"], token.Header[name] = kid, value
	signed, err := token.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

func TestSkew(t *testing.T) {
	var c clock
	c.set(noon)
	k := newKeyring(t, bustest.Start(t).Connect(), &c)
	token, _ := mint(t, k, noon, tokens.Access, time.Minute)
	for after, want := range map[time.Duration]bool{
		-29 * time.Second: true, -31 * time.Second: false, 89 * time.Second: true, 91 * time.Second: false,
	} {
		if _, err := k.Verify(noon.Add(after), tokens.Access, token); (err == nil) != want {
			t.Errorf("%v: want believed %v, have %v", after, want, err)
		}
	}
}

// Each day another key signs. What older ones signed is believed until the longest session has ended; a key that was deleted is
// not believed any more.
func TestRotation(t *testing.T) {
	server := bustest.Start(t)
	var c clock
	c.set(noon)
	k := newKeyring(t, server.Connect(), &c)
	keys := stored(t, server.Connect())
	first, _ := mint(t, k, noon, tokens.Session, tokens.LongestSession)

	c.set(noon.Add(11*time.Hour + time.Minute)) // the key of tomorrow is there a while before it signs
	bustest.Eventually(t, "tomorrow's key", func() bool { return keys.Get("2026-02-01").Value != nil })
	early, _ := mint(t, k, c.get(), tokens.Session, time.Minute)
	tomorrow := noon.Add(13 * time.Hour)
	c.set(tomorrow)
	late, _ := mint(t, k, tomorrow, tokens.Session, time.Minute)
	if have := []string{kid(t, first), kid(t, early), kid(t, late)}; !slices.Equal(have, []string{"2026-01-31", "2026-01-31", "2026-02-01"}) {
		t.Errorf("want the key of the day to sign, have %v", have)
	}
	if _, err := k.Verify(noon.Add(tokens.LongestSession), tokens.Session, first); err != nil {
		t.Errorf("want the old key's longest session believed to its end, have %v", err)
	}
	forever := signedBy(t, keys.Get("2026-01-31").Value)
	if _, err := k.Verify(noon.Add(tokens.LongestSession), tokens.Session, forever); err != nil {
		t.Fatalf("want a token of the old key believed, have %v", err)
	}
	if _, err := k.Verify(noon.Add(9*24*time.Hour), tokens.Session, forever); !fault.Is(err, fault.Denied) {
		t.Errorf("want a key not to verify for ever, have %v", err)
	}

	row := keys.Get("2026-02-01")
	if err := keys.Delete(t.Context(), "2026-02-01", row.Revision); err != nil {
		t.Fatal(err)
	}
	bustest.Eventually(t, "what a deleted key signed refused", func() bool {
		_, err := k.Verify(tomorrow, tokens.Session, late)
		return fault.Is(err, fault.Denied)
	})
	bustest.Eventually(t, "another key", func() bool {
		have := keys.Get("2026-02-01")
		return have.Revision > row.Revision && !have.Deleted && !slices.Equal(have.Value.GetSeed(), row.Value.GetSeed())
	})
	again, _ := mint(t, k, tomorrow, tokens.Session, time.Minute)
	bustest.Eventually(t, "its tokens believed", func() bool {
		_, err := k.Verify(tomorrow, tokens.Session, again)
		return err == nil
	})
	if n := len(slices.Collect(maps.Keys(keys.Rows()))); n != 2 {
		t.Errorf("want two keys, have %d", n)
	}
}

func kid(t *testing.T, token string) string {
	t.Helper()
	parsed, _, err := jwt.NewParser().ParseUnverified(token, jwt.MapClaims{})
	if err != nil {
		t.Fatal(err)
	}
	return parsed.Header["kid"].(string)
}

// signedBy returns a session that does not expire for a year.
func signedBy(t *testing.T, key *pbxv1.SigningKey) string {
	t.Helper()
	token := jwt.NewWithClaims(jwt.SigningMethodEdDSA, jwt.MapClaims{
		"iss": "switchhook", "aud": "switchhook-page", "use": "session", "tenant": "acme", "identity_type": "login",
		"identity_value": "karel", "iat": noon.Unix(), "exp": noon.AddDate(1, 0, 0).Unix(), "jti": "x",
	})
	token.Header["kid"] = key.GetId()
	signed, err := token.SignedString(ed25519.NewKeyFromSeed(key.GetSeed()))
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

// A session that ended is refused at every replica, and only that one.
func TestEnd(t *testing.T) {
	server := bustest.Start(t)
	var c clock
	c.set(noon)
	one, other := newKeyring(t, server.Connect(), &c), newKeyring(t, server.Connect(), &c)
	ended, claims := mint(t, one, noon, tokens.Session, time.Hour)
	goes, _ := mint(t, one, noon, tokens.Session, time.Hour)
	for range 2 {
		if err := one.End(t.Context(), claims); err != nil {
			t.Fatal(err)
		}
	}
	for name, k := range map[string]*tokens.Keyring{"one": one, "other": other} {
		bustest.Eventually(t, "the ended session refused at "+name, func() bool {
			_, err := k.Verify(noon, tokens.Session, ended)
			return fault.Is(err, fault.Denied)
		})
		if _, err := k.Verify(noon, tokens.Session, goes); err != nil {
			t.Errorf("%s: want another session to go on, have %v", name, err)
		}
	}
}

func TestWithoutKeys(t *testing.T) {
	k := tokens.NewKeyring(tokens.KeyringOptions{Bus: bustest.Start(t).Connect(), Replicas: bustest.Replicas})
	if err := k.Ready(); !fault.Is(err, fault.Unavailable) {
		t.Errorf("want it not ready, have %v", err)
	}
	if _, _, err := k.Mint(noon, tokens.Access, karel, nil, time.Minute); !fault.Is(err, fault.Unavailable) {
		t.Errorf("want nothing minted, have %v", err)
	}
	if _, err := k.Verify(noon, tokens.Access, "x"); !fault.Is(err, fault.Unavailable) {
		t.Errorf("want nothing verified, have %v", err)
	}
}
