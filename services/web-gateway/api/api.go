// Package api is what web-gateway answers over HTTP: tokens and logins, lists and figures, what people do about missed calls,
// and streams of server-sent events for wallboards and for whoever connects an exchange. It describes itself as OpenAPI.
//
// Whose data a request gets is said by its token alone: no path, query or body names a tenant but where a token is asked for.
package api

import (
	"context"
	"iter"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/protobuf/proto"

	"github.com/switchhook/switchhook/pkg/bus"
	"github.com/switchhook/switchhook/pkg/ingress"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
	"github.com/switchhook/switchhook/services/web-gateway/api/throttle"
	"github.com/switchhook/switchhook/services/web-gateway/tokens"
)

// Asker asks other services, as bus.Bus does.
type Asker interface {
	Ask(ctx context.Context, subject string, question, answer proto.Message) error
}

// Quarantine reads the quarantine, as bus.Bus does.
type Quarantine interface {
	Quarantined(context.Context, bus.Filter) iter.Seq2[bus.Stored[*pbxv1.Quarantined], error]
}

// Options are what the API works with. Log, Metrics, Now, Done and Trusted may be nil.
type Options struct {
	Keys        *tokens.Keyring
	Settings    func() *tokens.Settings // the current ones
	Agents      *bus.Table[*pbxv1.AgentStatus]
	Calls       *bus.Table[*pbxv1.CallStatus]
	MissedCalls *bus.Table[*pbxv1.MissedCall]
	Asker       Asker
	Events      *Stream
	Quarantine  Quarantine
	Trusted     ingress.Proxies // the proxies whose X-Forwarded-For is believed
	Log         *slog.Logger
	Metrics     prometheus.Registerer
	Now         func() time.Time
	// Done is closed when the process is about to end: the streams end then, which would go on for hours.
	Done <-chan struct{}
}

// api is the handler's state.
type api struct {
	Options
	metrics  metrics
	boards   *boards
	throttle *throttle.Throttle
	hashing  chan struct{} // places for comparing a password
	streams  *counters
}

const (
	// hashers is how many passwords are compared at once: each keeps a processor busy.
	hashers = 2
	// maxStreams is how many streams a tenant may hold open at once.
	maxStreams = 1000
)

// New returns a handler of everything below /api/. It does nothing while nobody asks.
func New(o Options) http.Handler {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	a := &api{
		Options: o, metrics: newMetrics(o.Metrics), throttle: throttle.New(), hashing: make(chan struct{}, hashers),
		streams: newCounters(),
	}
	a.boards = newBoards(a)
	mux := http.NewServeMux()
	for path, operations := range byPath(a.operations()) {
		mux.Handle(path, &resource{a, operations})
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		refuse(w, refusal{status: http.StatusNotFound, detail: "Nothing is here. /api/v1/openapi.json says what is where."})
	})
	return secured(mux)
}

// operations are all that can be done, in the order of the description.
func (a *api) operations() []operation {
	return []operation{
		a.mintToken(), a.logIn(), a.renew(), a.logOut(), a.me(),
		a.listAgents(), a.listCalls(), a.listMissedCalls(), a.statistics(),
		a.act("claim", "I will call back."), a.act("release", "I will not call back, after all."),
		a.act("resolve", "Nobody needs to call back any more."),
		a.board(), a.events(), a.quarantine(), a.describe(),
	}
}

func byPath(operations []operation) map[string][]operation {
	paths := make(map[string][]operation)
	for _, o := range operations {
		paths[o.path] = append(paths[o.path], o)
	}
	return paths
}

// secured adds to every answer what browsers should keep to.
func secured(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Cache-Control", "no-store")
		header.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		header.Set("Cross-Origin-Resource-Policy", "same-origin")
		header.Set("Referrer-Policy", "no-referrer")
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("X-Frame-Options", "DENY")
		h.ServeHTTP(w, r)
	})
}
