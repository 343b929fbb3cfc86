// Package webhook is the seam between the vendors' dialects and the plumbing that receives webhooks: a dialect tells
// whose request it is and what it says, and knows neither HTTP servers nor the bus.
package webhook

import (
	"net/http"
	"net/netip"
	"time"

	"github.com/switchhook/switchhook/pkg/event"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// Request is a webhook that has been read whole.
type Request struct {
	Method     string
	Path       string // as called, without the query; starts with "/"
	Query      string // as called, without "?"
	Header     http.Header
	Body       []byte
	Remote     netip.Addr // who sent it, behind trusted proxies; the zero Addr when unknown
	ReceivedAt time.Time  // UTC
}

// Vendor is one vendor's dialect, with the exchanges that are configured for it. It is pure: no I/O, clock or
// randomness. It is safe for concurrent use.
type Vendor interface {
	Profile() Profile
	// Authenticate returns the exchange whose credentials the request carries. The error is fault.Denied when they are
	// missing or wrong, and fault.Invalid when they are in a body that cannot be read; it never holds a credential.
	// Credentials are compared in constant time.
	Authenticate(Request) (Exchange, error)
	// Exchanges returns all exchanges, in the order of the configuration.
	Exchanges() []Exchange
}

// Profile is what the plumbing needs to know of a vendor.
type Profile struct {
	Name      string   // the vendor's token in subjects
	Methods   []string // the HTTP methods that its exchanges use
	Challenge string   // the WWW-Authenticate header of a refusal; may be empty
}

// Exchange reads the requests of one configured exchange.
type Exchange interface {
	Origin() event.Origin
	// Secrets are the exchange's credentials.
	Secrets() Secrets
	// Read says what an authenticated request carries. An error is always fault.Invalid and means that the request
	// cannot be understood: it comes with the zero Reading, and holds no credential.
	Read(Request) (Reading, error)
}

// List returns a vendor's own exchanges as Vendor.Exchanges does.
func List[E Exchange](exchanges []E) []Exchange {
	list := make([]Exchange, len(exchanges))
	for i, e := range exchanges {
		list[i] = e
	}
	return list
}

// Reading is what one request carries: events, a question, or, when it is zero, nothing of interest.
type Reading struct {
	// Events have everything but their origin and time of receipt. An id is set only where the request names the event
	// itself, a time only where it carries one.
	Events []*pbxv1.Event
	// UnknownFields are the names of those attributes that the vendor's documents do not know, sorted.
	UnknownFields []string
	// Question is set when the exchange waits for an answer.
	Question *Question
	// Reply is set when the vendor answers the request from what it says alone.
	Reply *Reply
}

// Question asks who a number belongs to, while the caller waits.
type Question struct {
	Number string
	// Reply puts the answer into the vendor's words. A nil contact, or one without a match, gives the empty answer.
	Reply func(*pbxv1.Contact) Reply
}

// Reply is an answer in the vendor's own format. Its HTTP status is 200.
type Reply struct {
	ContentType string
	Body        []byte
}
