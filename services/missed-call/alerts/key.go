package alerts

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/switchhook/switchhook/pkg/fault"
)

// Receiver is who is told: a channel, or a role.
type Receiver struct {
	Name string
	// Whom is, for a responsible, their e-mail address or else their extension, for a queue its name, and else empty.
	Whom string
}

// Key names one telling: whom, of which entry, at which step. No two tellings share one, whatever the routes are.
type Key struct {
	Tenant, Entry string
	// Step is after how much time the step is ("0s" is the first, "5m0s" of an escalation), "repeat-1" and so on, or "resolved".
	Step     string
	Receiver Receiver
}

const (
	stepResolved = "resolved"
	stepRepeat   = "repeat-"
)

func stepAfter(d time.Duration) string { return d.String() }
func stepAgain(n int) string           { return stepRepeat + strconv.Itoa(n) }

// String returns the key for a bucket: 4 or 5 tokens of letters, digits, "-", "_" and "=", with dots between them.
func (k Key) String() string {
	tokens := []string{escape(k.Tenant), escape(k.Entry), escape(k.Step), escape(k.Receiver.Name)}
	if k.Receiver.Whom != "" {
		tokens = append(tokens, escape(k.Receiver.Whom))
	}
	return strings.Join(tokens, ".")
}

// ParseKey reads what String returned; anything else is fault.Invalid.
func ParseKey(s string) (Key, error) {
	tokens := strings.Split(s, ".")
	if len(tokens) != 4 && len(tokens) != 5 {
		return Key{}, fault.New(fault.Invalid, "alert key %q: want 4 or 5 tokens, have %d", s, len(tokens))
	}
	plain := make([]string, 5)
	for i, token := range tokens {
		var err error
		if plain[i], err = unescape(token); err != nil {
			return Key{}, fault.New(fault.Invalid, "alert key %q: %w", s, err)
		}
	}
	return Key{plain[0], plain[1], plain[2], Receiver{plain[3], plain[4]}}, nil
}

func escape(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "=%02X", c)
		}
	}
	return b.String()
}

func unescape(token string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(token); i++ {
		if token[i] != '=' {
			b.WriteByte(token[i])
			continue
		}
		if i+3 > len(token) {
			return "", fmt.Errorf("token %q ends early", token)
		}
		c, err := strconv.ParseUint(token[i+1:i+3], 16, 8)
		if err != nil {
			return "", fmt.Errorf("token %q: %w", token, err)
		}
		b.WriteByte(byte(c))
		i += 2
	}
	if s := b.String(); s != "" && escape(s) == token {
		return s, nil
	}
	return "", fmt.Errorf("token %q is not how it is written", token)
}
