// Package call follows calls: events in, calls out. It has no I/O and no clock: time is an argument.
//
// Events come in any order and some come more than once, so what is known of a call depends on the set of its events and on
// nothing else: every order and every repetition of them ends in the same state. Exchanges that do not name their calls are
// followed too: calls in a row that share a key are told apart, and the phones that one caller reaches at once are one call.
package call

import (
	"time"

	"github.com/switchhook/switchhook/pkg/event"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// Call is what is known of a call. It is a snapshot, never changed after it was returned.
type Call struct {
	ID                            string // unique over vendors and tenants, also where two calls in a row share a key; stays the same
	Vendor, Tenant, Exchange, Key string
	VendorID                      string // the vendor's id; may be empty
	Direction                     pbxv1.Call_Direction
	From, To                      *pbxv1.Party
	Queue                         string
	Legs                          []Leg // in the order of their first moment
	Transfers                     []Transfer
	Began, Answered, Ended        time.Time // zero when it has not happened, or nobody told when
	Outcome                       Outcome   // Open while it goes on
	Cause                         pbxv1.Call_Cause
	Reason                        string
	Wait, Ring, Talk              time.Duration // to the first ring (or answer, or end); from it to the answer or end; from the answer to the end
	Record                        bool          // the exchange's own record of it came
	Expired                       bool          // nothing was heard of it for too long
	Void                          bool          // it turned out to be part of another call: forget it
}

// Open reports whether the call goes on.
func (c *Call) Open() bool { return c.Outcome == Open }

// Outside returns the outside party with a number; nil for internal calls, those who listen in, and withheld numbers.
func (c *Call) Outside() *pbxv1.Party {
	switch c.Direction {
	case pbxv1.Call_INTERNAL_INCOMING, pbxv1.Call_INTERNAL_OUTGOING, pbxv1.Call_BARGE:
		return nil
	}
	outside := event.Outside(&pbxv1.Call{Direction: c.Direction, From: c.From, To: c.To})
	if outside.GetE164() == "" {
		return nil
	}
	return outside
}

// Leg is the part of a call at one extension.
type Leg struct {
	Extension string      // never empty
	User      *pbxv1.User // may be nil
	Direction pbxv1.Call_Direction
	Spans     []Span // in order, not overlapping
	Answered  bool   // this leg picked up (known by an event or by the exchange's word at the end)
	Cause     pbxv1.Call_Cause
	Reason    string
}

// Span is what a phone did, and when.
type Span struct {
	Kind     SpanKind
	From, To time.Time // To is zero while it lasts
}

// SpanKind is what a phone does.
type SpanKind int

// The kinds of span.
const (
	// Dialing makes the call, and nobody answered yet.
	Dialing SpanKind = iota + 1
	// Ringing rings.
	Ringing
	// Talking talks.
	Talking
)

// String returns the kind in lower case.
func (k SpanKind) String() string {
	switch k {
	case Dialing:
		return "dialing"
	case Ringing:
		return "ringing"
	case Talking:
		return "talking"
	default:
		return "unknown"
	}
}

// Transfer is a consultation that ended with a colleague taking over, or was cancelled.
type Transfer struct {
	At        time.Time
	From, To  string // extensions; may be empty
	Cancelled bool
}

// Outcome is what became of a call.
type Outcome int

// The outcomes.
const (
	// Open means that the call goes on.
	Open Outcome = iota
	// Answered means that somebody picked up; for an outgoing call, the other side.
	Answered
	// RangOut means that nobody picked up until the exchange gave up.
	RangOut
	// Abandoned means that the caller gave up before anybody picked up.
	Abandoned
	// Busy means that the called side was busy.
	Busy
	// Rejected means that the called side refused.
	Rejected
	// Failed means that it could not be connected.
	Failed
	// Unknown means that the call is over, and nobody said how it went.
	Unknown
)

// String returns the outcome as in the ledger of pbxsim: in lower case, with underscores.
func (o Outcome) String() string {
	names := [...]string{"open", "answered", "rang_out", "abandoned", "busy", "rejected", "failed", "unknown"}
	if o < 0 || int(o) >= len(names) {
		return "unknown"
	}
	return names[o]
}
