// Package fault classifies errors by what whoever met them should do next. An error is classified once, where its
// cause is known, and translated once, at the edge: to an HTTP status, or to what becomes of a message.
package fault

import (
	"errors"
	"fmt"
)

// Kind says what should be done about an error. The zero value is Internal.
type Kind int

// The kinds of error.
const (
	// Internal is everything that nobody classified: a person should look.
	Internal Kind = iota
	// Invalid means that the input is wrong; the same input will be wrong again.
	Invalid
	// Denied means that the credentials are missing or wrong.
	Denied
	// NotFound means that what was asked for does not exist.
	NotFound
	// Unavailable means that something else does not answer now; the same may succeed later.
	Unavailable
	// Conflict means that somebody else was faster: what was to be changed is no longer what it was.
	Conflict
)

// String returns the kind in lower case.
func (k Kind) String() string {
	switch k {
	case Invalid:
		return "invalid"
	case Denied:
		return "denied"
	case NotFound:
		return "not found"
	case Conflict:
		return "conflict"
	case Unavailable:
		return "unavailable"
	default:
		return "internal"
	}
}

type classified struct {
	kind Kind
	err  error
}

func (c *classified) Error() string { return c.err.Error() }
func (c *classified) Unwrap() error { return c.err }

// New returns an error of a kind, formatted as by fmt.Errorf, %w included.
func New(kind Kind, format string, args ...any) error {
	return &classified{kind: kind, err: fmt.Errorf(format, args...)}
}

// Of returns the kind of an error: the outermost classification in its chain, or Internal.
func Of(err error) Kind {
	if c, ok := errors.AsType[*classified](err); ok {
		return c.kind
	}
	return Internal
}

// Is reports whether err is an error of that kind. It is false for a nil error.
func Is(err error, kind Kind) bool {
	return err != nil && Of(err) == kind
}
