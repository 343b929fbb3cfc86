// Package dialect puts made-up calls into the words of the vendors: which requests an exchange sends at which moment,
// and what must come of each. It follows the vendors' documents, and shares nothing with the code that reads such
// requests, so that a mistake there shows. It is pure.
//
// Exchanges of one vendor differ: in version, in what was switched on, in what the customer composed. Such a difference
// is a variant. Each variant has a name, and cannot express every scenario.
package dialect

import (
	"bytes"
	"cmp"
	"net/http"
	"slices"
	"time"

	"github.com/switchhook/switchhook/pkg/config"
	"github.com/switchhook/switchhook/pkg/fault"
	"github.com/switchhook/switchhook/services/pbxsim/flow"
)

// Message is a request of an exchange, and what must come of it.
type Message struct {
	At          time.Time // when it happens at the exchange
	VendorEvent string    // in the vendor's words, such as Ringing
	Request     Request

	Status int    // 200 unless the request is broken
	Event  string // entity and kind, as in call.ringing; empty when it carries no event
	Key    string // the call's, where the vendor names the call
	Named  bool   // the request names its event: sent again, it is the same one
	Retry  bool   // the exchange sends it again when it gets no answer, or an error of the server
}

// Request is an HTTP request without its target. It must not be changed.
type Request struct {
	Method string
	Path   string // below the target; begins with "/"
	Query  string
	Header http.Header
	Body   []byte
}

// Break is a way in which a request can be broken.
type Break string

// The ways.
const (
	Truncated    Break = "truncated"     // the body ends in the middle
	UnknownEvent Break = "unknown_event" // an event that is in no document
	WrongShape   Break = "wrong_shape"   // well-formed, but not what it should be
	Stranger     Break = "stranger"      // wrong credentials
	WrongMethod  Break = "wrong_method"  // PUT
	Oversized    Break = "oversized"     // more than 64 KiB
)

// Breaks returns all ways.
func Breaks() []Break {
	return []Break{Truncated, UnknownEvent, WrongShape, Stranger, WrongMethod, Oversized}
}

// Dialect is how one variant of an exchange speaks. It is safe for concurrent use.
type Dialect interface {
	// Variant is its name.
	Variant() string
	// Scenarios returns what it can express.
	Scenarios() []flow.Scenario
	// Call returns what it sends about a call, in order.
	Call(*flow.Call) []Message
	// Broken returns a request like those that the exchange sends, but broken, with the status that must come of it.
	Broken(Break, time.Time) Message
}

// ShiftDialect is a dialect that also tells what agents do between calls.
type ShiftDialect interface {
	Dialect
	Shift(flow.Shift) Message
}

// Exchange is a configured exchange, with its credentials.
type Exchange struct {
	Tenant, Vendor, Name string
	Region               string
	Location             *time.Location
	variants             []Dialect
}

// New reads the vendor's settings of an exchange.
func New(c *config.Exchange) (*Exchange, error) {
	e := &Exchange{
		Tenant: c.Tenant.Name, Vendor: c.Vendor, Name: c.Name,
		Region: c.Tenant.Region, Location: cmp.Or(c.Tenant.Location, time.UTC),
	}
	var err error
	switch c.Vendor {
	case "ipex":
		e.variants, err = ipexVariants(e, c)
	case "mcn":
		e.variants, err = mcnVariants(e, c)
	case "xvb":
		e.variants, err = xvbVariants(e, c)
	default:
		err = fault.New(fault.Invalid, "vendor %q: not one that pbxsim can play", c.Vendor)
	}
	return e, err
}

// Variants returns how the exchange may speak.
func (e *Exchange) Variants() []Dialect { return e.variants }

// bare writes a number without a plus where that can be understood.
func (e *Exchange) bare(n flow.Number) string { return n.Bare(e.Region) }

// outside is the outside party in that form, which may have withheld its number.
func (e *Exchange) outside(c *flow.Call) string {
	if c.Withheld() {
		return "anonymous"
	}
	return e.bare(c.Outside)
}

// scenarios returns all but those.
func scenarios(but ...flow.Scenario) []flow.Scenario {
	return slices.DeleteFunc(flow.Scenarios(), func(s flow.Scenario) bool { return slices.Contains(but, s) })
}

// message puts together what all vendors' messages share.
func message(c *flow.Call, m flow.Moment, event, kind string) Message {
	return Message{At: c.Start.Add(m.At), VendorEvent: event, Event: kind, Status: http.StatusOK}
}

// broken is a request that carries nothing but trouble.
func broken(at time.Time, event string, status int, r Request) Message {
	return Message{At: at, VendorEvent: event, Status: status, Request: r}
}

// huge is more than an ingress reads.
func huge() []byte { return bytes.Repeat([]byte(" "), 65<<10) }

// CallID returns what the exchange calls a call where it is asked, also if its events do not say so.
func (e *Exchange) CallID(c *flow.Call) string {
	switch e.Vendor {
	case "ipex":
		return ipexID(c, 0)
	case "mcn":
		return mcnID(c)
	default:
		return xvbID(c, 0)
	}
}

// CanTell reports whether a dialect has words for a call of that direction.
func CanTell(d Dialect, direction flow.Direction) bool {
	return direction != flow.Internal || slices.Contains(d.Scenarios(), flow.InternalAnswered)
}
