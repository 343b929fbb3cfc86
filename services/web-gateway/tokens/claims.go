// Package tokens knows who may ask what of the gateway: it reads the section `web` of the configuration, checks API keys and
// passwords, and mints and verifies the tokens that pages hold.
//
// A token is a JWT, signed by Ed25519 with a key that every replica reads from the same bucket, so that any replica verifies
// what any other minted. An access token opens the socket and the REST API for some minutes. A session is kept in a cookie,
// and is good for nothing but new access tokens.
package tokens

import (
	"slices"
	"time"
)

// Right is something that a token allows.
type Right string

// The rights.
const (
	// Calls are the identity's own events.
	Calls Right = "calls"
	// Commands are commands on the identity's own extension.
	Commands Right = "commands"
	// Wallboard is to see all agents, calls, missed calls and figures of the tenant, and to act on missed calls.
	Wallboard Right = "wallboard"
	// Events are the live events of the tenant, and its quarantine.
	Events Right = "events"
)

// AllRights returns all that there are.
func AllRights() []Right { return []Right{Calls, Commands, Wallboard, Events} }

// DefaultRights returns those of who asks for none.
func DefaultRights() []Right { return []Right{Calls, Commands} }

// Known reports whether there is such a right.
func (r Right) Known() bool { return slices.Contains(AllRights(), r) }

// The types of an identity.
const (
	Login = "login"
	Line  = "line"
	Email = "email"
)

// Types returns the types of an identity.
func Types() []string { return []string{Login, Line, Email} }

// Identity says whose token it is: somebody at a tenant, by login, e-mail address or extension.
type Identity struct{ Tenant, Type, Value string }

// Use says what a token is good for.
type Use string

// The uses of a token. Neither passes for the other.
const (
	Access  Use = "access"
	Session Use = "session"
)

// Claims are what a token says.
type Claims struct {
	Identity
	Rights  []Right
	Expires time.Time
	ID      string // names the token
}

// May reports whether a token has a right.
func (c Claims) May(r Right) bool { return slices.Contains(c.Rights, r) }
