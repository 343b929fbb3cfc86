// Package live joins the parts of web-gateway to the bus: the API, the WebSockets and the page. Every replica follows the stream
// and keeps the buckets in memory, so any of them serves any page.
package live

import (
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/oklog/run"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/switchhook/switchhook/pkg/bus"
	"github.com/switchhook/switchhook/pkg/config"
	"github.com/switchhook/switchhook/pkg/ingress"
	"github.com/switchhook/switchhook/pkg/service"
	"github.com/switchhook/switchhook/services/web-gateway/api"
	"github.com/switchhook/switchhook/services/web-gateway/sockets"
	"github.com/switchhook/switchhook/services/web-gateway/tokens"
	"github.com/switchhook/switchhook/services/web-gateway/web"
)

// Name is what the service is called.
const Name = "web-gateway"

const (
	// keptEvents is how many of a tenant's last events are kept for pages that watch them, and keptFor from how long ago they
	// are read at the start.
	keptEvents = 2000
	keptFor    = time.Hour
)

// Part returns the service.
func Part() service.Part {
	return service.Part{Name: Name, Mount: "/", Check: check, Start: func(env service.Env) (http.Handler, error) {
		g, err := New(Options{
			Bus: env.Bus, Log: env.Log, Metrics: env.Metrics, Config: env.Settings.Get().Config, Trusted: env.Trusted,
			Replicas: func() int { return env.Settings.Get().Config.Streams.Replicas }, Stopping: env.Stopping,
		})
		if err != nil {
			return nil, err
		}
		env.Settings.OnChange(func(s *service.Settings) {
			if err := g.Configure(s.Config); err != nil {
				env.Log.Error("web not configured anew, the old settings stay", "err", err)
			}
		})
		env.AddReady(g.Ready)
		g.Join(env.Group)
		return g, nil
	}}
}

func check(c *config.Config) error {
	_, err := tokens.Read(c)
	return err
}

// Options are what a Gateway works with. Metrics, Trusted and Stopping may be nil.
type Options struct {
	Bus      *bus.Bus
	Log      *slog.Logger
	Metrics  prometheus.Registerer
	Config   *config.Config
	Replicas func() int      // servers that keep a copy of what is written
	Trusted  ingress.Proxies // the proxies whose X-Forwarded-For is believed
	Stopping <-chan struct{} // closed when the process begins to end
}

// Gateway serves browsers. It is an http.Handler.
type Gateway struct {
	http.Handler
	Options
	settings atomic.Pointer[tokens.Settings]
	config   atomic.Pointer[config.Config]
	keys     *tokens.Keyring
	tables   tables
	roster   roster
	events   *api.Stream
	sockets  *sockets.Server
}

// New returns a gateway that knows nothing before its actors run. Its errors hold config.Problems.
func New(o Options) (*Gateway, error) {
	g := &Gateway{
		Options: o, events: api.NewStream(keptEvents), tables: newTables(o.Bus, o.Replicas),
		keys: tokens.NewKeyring(tokens.KeyringOptions{Bus: o.Bus, Replicas: o.Replicas, Log: o.Log}),
	}
	g.roster.table = g.tables.agents
	if err := g.Configure(o.Config); err != nil {
		return nil, err
	}
	g.sockets = sockets.New(sockets.Options{
		Verifier: verifier{g.keys}, People: g, Origins: g, Commander: o.Bus, Exchanges: g.exchanges,
		Log: o.Log, Metrics: o.Metrics, Tracer: o.Bus,
	})
	page, err := web.Handler()
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("/", page)
	mux.Handle("/ws/v1", g.sockets)
	mux.Handle("/api/", api.New(api.Options{
		Keys: g.keys, Settings: g.settings.Load, Agents: g.tables.agents, Calls: g.tables.calls, MissedCalls: g.tables.missedCalls,
		Asker: o.Bus, Events: g.events, Quarantine: o.Bus, Trusted: o.Trusted, Log: o.Log, Metrics: o.Metrics, Done: o.Stopping,
	}))
	g.Handler = mux
	return g, nil
}

// Configure takes up a changed configuration; or returns an error, and leaves all as it is.
func (g *Gateway) Configure(c *config.Config) error {
	s, err := tokens.Read(c)
	if err != nil {
		return err
	}
	g.settings.Store(s)
	g.config.Store(c)
	return nil
}

// Ready returns nil once the gateway can serve pages.
func (g *Gateway) Ready() error {
	for _, condition := range []func() error{g.keys.Ready, g.tables.ready, g.sockets.Ready} {
		if err := condition(); err != nil {
			return err
		}
	}
	return nil
}

// Join adds the actors that a gateway consists of to a group.
func (g *Gateway) Join(group *run.Group) {
	group.Add(g.sockets.Drain())
	g.keys.Join(group)
	g.tables.join(group)
	group.Add(g.Bus.Follow(g.sockets.Following(Name, time.Now())))
	group.Add(g.Bus.Follow(bus.Following{Name: Name + " events", Since: time.Now().Add(-keptFor), Handle: g.events.Add}))
}
