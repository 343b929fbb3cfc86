package ingress

import (
	"net/http"
	"net/netip"
	"time"

	"github.com/switchhook/switchhook/pkg/event"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// Request is a webhook that has been read whole, at most MaxBody bytes.
type Request struct {
	Method     string
	Path       string // as called, without the query; starts with "/"
	Query      string // as called, without "?"
	Header     http.Header
	Body       []byte
	Remote     netip.Addr // who sent it, behind trusted proxies; invalid when unknown
	ReceivedAt time.Time  // UTC
}

// Vendor is one vendor's dialect, with the exchanges that are configured for it. It is pure: no I/O, clock or
// randomness. It is safe for concurrent use.
type Vendor interface {
	// Name is the vendor's token in subjects.
	Name() string
	// Methods are the HTTP methods that the vendor's exchanges use.
	Methods() []string
	// Authenticate returns the exchange whose credentials the request carries. The error is fault.Denied when they are
	// missing or wrong, and fault.Invalid when they are in a body that cannot be read. It takes the same time for every
	// wrong credential.
	Authenticate(Request) (Exchange, error)
	// Exchanges returns all exchanges, in the order of the configuration.
	Exchanges() []Exchange
}

// Exchange reads the requests of one configured exchange.
type Exchange interface {
	Origin() event.Origin
	// Read says what an authenticated request carries. An error is always fault.Invalid and means that the request
	// cannot be understood: it comes with the zero Reading, and holds no credential.
	Read(Request) (Reading, error)
}

// Reading is what one request carries: events, or a question, or nothing of interest, in which case it is zero.
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
	// Reply puts the answer into the vendor's words. A nil contact, or one of kind UNKNOWN, is the empty answer.
	Reply func(*pbxv1.Contact) Reply
}

// Reply is an answer in the vendor's own format. Its status is 200.
type Reply struct {
	ContentType string
	Body        []byte
}
