// Package ingress receives webhooks: it reads a request, lets the vendor's dialect say whose it is and what it carries,
// stores that, and answers only then. All that is peculiar to a vendor is behind webhook.Vendor.
package ingress

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/switchhook/switchhook/pkg/event"
	"github.com/switchhook/switchhook/pkg/fault"
	"github.com/switchhook/switchhook/pkg/webhook"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// MaxBody is the longest body that is read, in bytes.
const MaxBody = 64 << 10

const (
	storeLimit = 5 * time.Second // see Options
	// askLimit is how long a caller waits for us to say who they are. Exchanges give up after a second.
	askLimit = 400 * time.Millisecond
	// retryAfter is what an exchange is told when nothing can be stored, in seconds.
	retryAfter = "5"
)

// Store keeps what a request carried. It returns nil only for what is on disk.
type Store interface {
	// Publish stores all of the events. They have their ids, so publishing them again is safe.
	Publish(ctx context.Context, events ...*pbxv1.Event) error
	// Quarantine stores a request that cannot be understood.
	Quarantine(ctx context.Context, q *pbxv1.Quarantined) error
}

// Directory answers who a number belongs to, before the context's deadline.
type Directory interface {
	LookupContact(ctx context.Context, q *pbxv1.ContactLookupRequest) (*pbxv1.Contact, error)
}

// Options are what a Handler works with. Store, Directory and Metrics are needed.
type Options struct {
	Store     Store
	Directory Directory
	Metrics   prometheus.Registerer // one handler of a vendor registers with it
	Log       *slog.Logger
	Tracer    trace.Tracer // nil: no spans are made
	Trusted   Proxies      // the proxies whose X-Forwarded-For is believed
	// StoreLimit is how long an exchange waits for its answer while the store does not take what it sent. Zero means 5 s.
	StoreLimit time.Duration
	Now        func() time.Time // nil: time.Now
	NewID      func() string    // nil: event.NewID
}

// Handler receives the webhooks of one vendor, on any path.
type Handler struct {
	options Options
	metrics *metrics
	vendor  atomic.Pointer[webhook.Vendor]
}

// New returns a handler for a vendor's exchanges.
func New(v webhook.Vendor, o Options) *Handler {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.NewID == nil {
		o.NewID = event.NewID
	}
	if o.StoreLimit == 0 {
		o.StoreLimit = storeLimit
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	h := &Handler{options: o, metrics: newMetrics(o.Metrics, v.Profile().Name)}
	h.Use(v)
	return h
}

// Use takes up a changed configuration. Requests under way finish with the one that they began with.
func (h *Handler) Use(v webhook.Vendor) {
	h.metrics.expect(v.Exchanges())
	h.vendor.Store(&v)
}

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	began := h.options.Now()
	h.metrics.underWay.Inc()
	defer h.metrics.underWay.Dec()
	v := *h.vendor.Load()
	profile, remote := v.Profile(), h.options.Trusted.Client(r)
	a := answer{outcome: wrongMethod, err: fmt.Errorf("method %s", r.Method)}
	if slices.Contains(profile.Methods, r.Method) {
		a = h.receive(v, r, remote)
	}
	a.write(w, profile)
	h.metrics.observe(a, h.options.Now().Sub(began))
	if a.err != nil {
		h.options.Log.WarnContext(r.Context(), "webhook "+a.outcome.String(), "vendor", profile.Name,
			"tenant", a.origin.Tenant, "exchange", a.origin.Exchange, "status", a.status(), "remote", remote.String(), "err", a.err)
	}
}

// receive takes a request as far as it goes.
func (h *Handler) receive(v webhook.Vendor, r *http.Request, remote netip.Addr) answer {
	body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, MaxBody))
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return answer{outcome: tooLong, err: err}
	} else if err != nil {
		return answer{outcome: unreadable, err: err}
	}
	request := webhook.Request{
		Method:     r.Method,
		Path:       r.URL.Path,
		Query:      r.URL.RawQuery,
		Header:     r.Header,
		Body:       body,
		Remote:     remote,
		ReceivedAt: h.options.Now().UTC(),
	}
	exchange, err := v.Authenticate(request)
	switch {
	case fault.Is(err, fault.Invalid):
		return answer{outcome: unreadable, err: err}
	case err != nil:
		return answer{outcome: denied, err: err}
	}
	// An exchange that hangs up early does not take back what it reported.
	ctx := context.WithoutCancel(propagation.TraceContext{}.Extract(r.Context(), propagation.HeaderCarrier(r.Header)))
	ctx, span := h.begin(ctx, exchange.Origin(), request)
	a := h.keep(ctx, exchange, request)
	a.origin = exchange.Origin()
	finish(span, a)
	return a
}

// keep stores or answers what an authenticated request carries.
func (h *Handler) keep(ctx context.Context, ex webhook.Exchange, r webhook.Request) answer {
	reading, err := ex.Read(r)
	if err != nil {
		return h.quarantine(ctx, ex, r, err)
	}
	switch {
	case reading.Question != nil:
		reply := reading.Question.Reply(h.ask(ctx, ex, reading.Question.Number))
		return answer{outcome: answered, reply: &reply}
	case reading.Reply != nil:
		return answer{outcome: answered, reply: reading.Reply}
	case len(reading.Events) == 0:
		return answer{outcome: empty}
	}
	Complete(reading.Events, ex.Origin(), r.ReceivedAt, h.options.NewID)
	ctx, cancel := context.WithTimeout(ctx, h.options.StoreLimit)
	defer cancel()
	if err := h.options.Store.Publish(ctx, reading.Events...); err != nil {
		return answer{outcome: unavailable, err: err}
	}
	ids := make([]string, len(reading.Events))
	for i, ev := range reading.Events {
		ids[i] = ev.GetId()
	}
	return answer{outcome: stored, ids: ids, unknownFields: reading.UnknownFields}
}

func (h *Handler) quarantine(ctx context.Context, ex webhook.Exchange, r webhook.Request, cause error) answer {
	q := newQuarantined(h.options.NewID(), ex, r, cause)
	ctx, cancel := context.WithTimeout(ctx, h.options.StoreLimit)
	defer cancel()
	if err := h.options.Store.Quarantine(ctx, q); err != nil {
		return answer{outcome: unavailable, err: err}
	}
	h.metrics.quarantine(q, cause)
	return answer{outcome: inQuarantine, ids: []string{q.GetId()}, err: errors.New(q.GetError())}
}

// ask returns nil when nobody answers in time: the caller must not wait for our troubles.
func (h *Handler) ask(ctx context.Context, ex webhook.Exchange, number string) *pbxv1.Contact {
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	contact, err := h.options.Directory.LookupContact(ctx, &pbxv1.ContactLookupRequest{
		Tenant: ex.Origin().Tenant, Number: number, Timeout: durationpb.New(askLimit),
	})
	if err != nil {
		h.options.Log.DebugContext(ctx, "nobody says who calls", "tenant", ex.Origin().Tenant, "err", err)
	}
	return contact
}

// Complete gives events what the dialect left to the plumbing: their origin, the time of receipt, and, where the request
// does not name its event itself, an id and a time.
func Complete(events []*pbxv1.Event, origin event.Origin, receivedAt time.Time, newID func() string) {
	for _, ev := range events {
		origin.Stamp(ev)
		ev.ReceivedAt = timestamppb.New(receivedAt)
		if ev.GetTime() == nil {
			ev.Time = ev.GetReceivedAt()
		}
		if ev.GetId() == "" {
			ev.Id = newID()
		}
	}
}
