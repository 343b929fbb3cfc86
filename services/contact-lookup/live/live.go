// Package live joins the core of contact-lookup to the bus. Every replica follows the calls of the last day and knows which
// of them want a contact; one publishes it. The event's id is made of the call, so that of two replicas that do the same
// JetStream stores one.
package live

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/oklog/run"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/switchhook/switchhook/pkg/bus"
	"github.com/switchhook/switchhook/pkg/call"
	"github.com/switchhook/switchhook/pkg/config"
	"github.com/switchhook/switchhook/pkg/directories"
	"github.com/switchhook/switchhook/pkg/event"
	"github.com/switchhook/switchhook/pkg/fault"
	"github.com/switchhook/switchhook/pkg/service"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
	"github.com/switchhook/switchhook/services/contact-lookup/contacts"
)

// Name is what the service is called.
const Name = "contact-lookup"

const (
	// lookback is from how long ago calls are followed at the start: those that are older have their contact, or want none.
	lookback = 24 * time.Hour
	// tooLate is from which age on a call gets no contact, if no call of the tenant has one: the service is new here.
	tooLate = time.Hour
	// patience is how long a replica waits for another to publish what both know is wanted.
	patience = time.Second
	// retry is the pause before what did not work is tried again; at most longest, growing.
	retry, longest = 200 * time.Millisecond, 30 * time.Second
	// atOnce is how many contacts are looked up at a time; more wait.
	atOnce = 512
	// housekeeping is how often calls are forgotten that are long over.
	housekeeping = time.Second
)

// Part returns the service.
func Part() service.Part {
	return service.Part{Name: Name, Check: directories.Check, Start: func(env service.Env) (http.Handler, error) {
		r, err := New(Options{
			Bus: env.Bus, Log: env.Log, Metrics: env.Metrics, Tenants: env.Settings.Get().Config.Tenants,
			Replicas: func() int { return env.Settings.Get().Config.Streams.Replicas },
		})
		if err != nil {
			return nil, err
		}
		env.Settings.OnChange(func(s *service.Settings) {
			if err := r.Configure(s.Config.Tenants); err != nil {
				env.Log.Error("directories not changed, the old ones stay", "err", err)
			}
		})
		env.AddReady(r.Ready)
		r.Join(env.Group)
		return nil, nil
	}}
}

// Options are what a Resolver works with. Metrics, Clock and Now may be nil.
type Options struct {
	Bus      *bus.Bus
	Log      *slog.Logger
	Metrics  prometheus.Registerer
	Replicas func() int // servers that keep a copy of what is written
	Tenants  []*config.Tenant
	// Clock says what time the stream is at an event; by default, when it was stored.
	Clock func(bus.Stored[*pbxv1.Event]) time.Time
	Now   func() time.Time
}

// Resolver publishes who calls, and answers who a number belongs to.
type Resolver struct {
	Options
	metrics metrics
	desk    *desk
	book    *contacts.Book
	answers *bus.Table[*pbxv1.CachedContact]
	agents  *bus.Table[*pbxv1.AgentStatus]
	places  chan struct{}
	ctx     context.Context // ends with the resolver
	end     context.CancelFunc
	jobs    sync.WaitGroup

	mu      sync.Mutex
	tracker *call.Tracker
	wanted  map[string]*job // by the id of the event to publish
	tenants map[string]*tenant
	clock   time.Time // of the stream
	read    uint64    // sequence of the last event read
	live    bool      // all that was stored at the start has been read
	over    bool      // nothing new is begun
}

// tenant is what a resolver knows of the contacts of one tenant's calls.
type tenant struct {
	publishing sync.Mutex
	last       uint64 // sequence of the last one in the stream
	standby    bool   // another replica published it
}

// New returns a resolver that does nothing before its actors run.
func New(o Options) (*Resolver, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Clock == nil {
		o.Clock = func(s bus.Stored[*pbxv1.Event]) time.Time { return s.At }
	}
	r := &Resolver{
		Options: o, places: make(chan struct{}, atOnce),
		tracker: call.NewTracker(call.Options{}), wanted: map[string]*job{}, tenants: map[string]*tenant{},
	}
	r.metrics = newMetrics(o.Metrics)
	r.desk = newDesk(o.Log, o.Now, r.metrics)
	r.ctx, r.end = context.WithCancel(context.Background())
	r.answers, r.agents = o.Bus.Contacts(o.Replicas), o.Bus.Agents(o.Replicas)
	r.book = contacts.NewBook(shared{r.answers}, r.desk.finder, contacts.Options{ID: event.NewID(), Now: o.Now, Status: r.status})
	return r, r.Configure(o.Tenants)
}

// Configure takes up a changed configuration.
func (r *Resolver) Configure(tenants []*config.Tenant) error { return r.desk.configure(tenants) }

// Ready returns nil once the calls of the last day have been read.
func (r *Resolver) Ready() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.live {
		return fault.New(fault.Unavailable, "contact-lookup is still reading the calls of the last day")
	}
	return nil
}

// Join adds the actors that a resolver consists of to a group.
func (r *Resolver) Join(g *run.Group) {
	g.Add(r.Bus.Follow(bus.Following{
		Name: Name, Since: r.Now().Add(-lookback), Handle: r.handle, CaughtUp: r.caughtUp,
		Subjects: []string{event.Root + ".*.*.call.*", event.Root + ".*.*.contact.*"},
	}))
	g.Add(r.serve())
	g.Add(r.answers.Maintain())
	g.Add(r.agents.Maintain())
	g.Add(r.keepHouse())
}

// keepHouse returns an actor that forgets what is long over and, interrupted, lets the lookups under way finish.
func (r *Resolver) keepHouse() (execute func() error, interrupt func(error)) {
	return func() error {
			ticker := time.NewTicker(housekeeping)
			defer ticker.Stop()
			for {
				select {
				case <-r.ctx.Done():
					r.mu.Lock()
					r.over = true
					r.mu.Unlock()
					r.jobs.Wait()
					r.desk.close()
					return nil
				case <-ticker.C:
					r.forget()
				}
			}
		}, func(error) {
			r.end()
		}
}

func (r *Resolver) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tracker.Advance(r.clock)
	for id, j := range r.wanted {
		if j.published && r.clock.Sub(j.at) > lookback {
			delete(r.wanted, id)
		}
	}
}

// serve answers questions.
func (r *Resolver) serve() (execute func() error, interrupt func(error)) {
	return r.Bus.Serve(Name, "Knows who a telephone number belongs to.",
		bus.Answer(event.QueryContactLookup, func(ctx context.Context, q *pbxv1.ContactLookupRequest) (*pbxv1.ContactLookupResponse, error) {
			began := r.Now()
			answer, err := r.book.Lookup(ctx, q)
			r.metrics.answered(err, r.Now().Sub(began))
			return answer, err
		}),
		bus.Answer(event.QueryContactInvalidate, func(ctx context.Context, q *pbxv1.ContactInvalidateRequest) (*pbxv1.ContactInvalidateResponse, error) {
			forgotten, err := r.book.Forget(ctx, q)
			return &pbxv1.ContactInvalidateResponse{Forgotten: int32(forgotten)}, err
		}),
	)
}

// status returns what an agent does now, by an extension or an e-mail address; nil if nobody knows.
func (r *Resolver) status(tenant, agent string) *pbxv1.AgentStatus {
	for _, row := range r.agents.Rows() {
		if row.Value.GetTenant() == tenant && isCalled(row.Value, agent) {
			return row.Value
		}
	}
	return nil
}
