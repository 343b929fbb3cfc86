package webhook

import (
	"cmp"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"net/netip"
	"slices"
	"strings"
)

// Credential is a digest of what an exchange authenticates with. Digests are all of one length, so comparing them takes
// the same time whatever was presented.
type Credential [sha256.Size]byte

// NewCredential digests the parts of a credential, such as a user name and a password. ("ab", "c") is not ("a", "bc").
func NewCredential(parts ...string) Credential {
	h := sha256.New()
	for _, part := range parts {
		_ = binary.Write(h, binary.BigEndian, uint64(len(part))) // a hash never fails
		h.Write([]byte(part))
	}
	return Credential(h.Sum(nil))
}

// Equal compares in constant time.
func (c Credential) Equal(other Credential) bool {
	return subtle.ConstantTimeCompare(c[:], other[:]) == 1
}

// Allowed reports whether a source address is in one of the prefixes. No prefixes allow everybody.
func Allowed(prefixes []netip.Prefix, addr netip.Addr) bool {
	for _, p := range prefixes {
		if p.Contains(addr.Unmap()) {
			return true
		}
	}
	return len(prefixes) == 0
}

// Secrets are what must not reach events, errors or logs.
type Secrets []string

// shortest is the length, in bytes, from which a secret is concealed. A shorter one, such as an account number, may well
// be part of an honest value.
const shortest = 8

// Conceal replaces each secret in a text by "(secret)". The longest goes first, since one may be part of another.
func (s Secrets) Conceal(text string) string {
	s = slices.Clone(s)
	slices.SortFunc(s, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
	for _, secret := range s {
		if len(secret) >= shortest {
			text = strings.ReplaceAll(text, secret, "(secret)")
		}
	}
	return text
}
