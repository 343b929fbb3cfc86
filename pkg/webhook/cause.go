package webhook

import (
	"errors"

	"github.com/switchhook/switchhook/pkg/fault"
)

// Cause is why a request cannot be understood, in a word: a label of metrics.
type Cause string

// The causes.
const (
	Malformed    Cause = "malformed"     // neither JSON nor a form, whichever the vendor sends
	NoEvent      Cause = "no_event"      // it does not say what happened
	UnknownEvent Cause = "unknown_event" // it names something that the vendor's documents do not
	NoSubject    Cause = "no_subject"    // it does not say to which call or agent
	BadField     Cause = "bad_field"     // a field holds what it cannot
	OtherCause   Cause = "other"
)

type caused struct {
	error
	cause Cause
}

func (c *caused) Unwrap() error { return c.error }

// NotUnderstood returns an error that is fault.Invalid, formatted as by fmt.Errorf, with a cause.
func NotUnderstood(cause Cause, format string, args ...any) error {
	return &caused{fault.New(fault.Invalid, format, args...), cause}
}

// CauseOf returns the cause of an error: the outermost one in its chain, or OtherCause.
func CauseOf(err error) Cause {
	if c, ok := errors.AsType[*caused](err); ok {
		return c.cause
	}
	return OtherCause
}
