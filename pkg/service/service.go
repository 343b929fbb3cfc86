// Package service runs Switchhook's services: it reads the flags and the configuration, connects to the bus, serves HTTP
// and health, and ends everything in order. A service itself is a Part, which runs in a process of its own or joined with
// the others in standalone; it cannot tell which.
package service

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
	_ "time/tzdata" // tenants' time zones, on machines that have none

	"github.com/oklog/run"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"

	"github.com/switchhook/switchhook/pkg/bus"
	"github.com/switchhook/switchhook/pkg/config"
	"github.com/switchhook/switchhook/pkg/ingress"
)

// Part is one service's share of a process.
type Part struct {
	// Name is what its program is called, such as ingress-ipex.
	Name string
	// Mount is the path below which standalone serves its HTTP handler, such as /ipex, or / for what no other part serves.
	// Alone, a part serves every path.
	Mount string
	// Start prepares the part: it may add actors to the group, and returns an HTTP handler or nil. What it opens lives until
	// the process ends.
	Start func(Env) (http.Handler, error)
	// Stores tells that its HTTP handler stores what it takes by Env.Store, which a spool is useful to.
	Stores bool
	// Check says what is wrong with a configuration for this part; one with problems is refused. It may be nil.
	Check func(*config.Config) error
}

// Env is what a part works with.
type Env struct {
	Log      *slog.Logger
	Bus      *bus.Bus
	Store    ingress.Store // the bus, or a spool in front of it
	Metrics  prometheus.Registerer
	Trusted  ingress.Proxies // the proxies whose X-Forwarded-For is believed
	Settings *Live
	Group    *run.Group
	// AddReady adds a condition for being ready.
	AddReady func(func() error)
	// Tracer makes spans; nil when nobody records any.
	Tracer trace.Tracer
	// Stopping is closed when the process begins to end: answers that would go on for hours end then.
	Stopping <-chan struct{}
}

// Options are what the flags say.
type Options struct {
	Config      string          // path of the configuration
	Listen      string          // address for HTTP
	AdminListen string          // address for health and metrics
	NATS        bus.Options     // how to connect to NATS; Run sets the rest of it
	Trusted     ingress.Proxies // see Env
	Log         *slog.Logger
	// Spool is the folder where webhooks wait while JetStream does not take them; empty: they are refused then.
	Spool         string
	SpoolMaxBytes int64 // zero: spool.DefaultMaxBytes
	// Embed starts a NATS server in this process, which is used instead of another. It may be nil.
	Embed func(*slog.Logger) (Server, error)
}

// Server is a NATS server in this process, as embedded.Server is. Only standalone links one.
type Server interface {
	URL() string
	InProcessConn() (net.Conn, error)
	Stop()
}

const (
	drainLimit  = 10 * time.Second // for HTTP requests under way
	watchEvery  = time.Second      // for a changed configuration
	adminLimit  = time.Second      // for scrapes under way
	readLimit   = 10 * time.Second // for a client to send a request
	headerLimit = 5 * time.Second  // for a client to send a request's header
	idleLimit   = 2 * time.Minute  // between two requests of one connection
	farewell    = time.Second      // for clients to hear that connections end
)

// Run runs parts in one process until the context ends or one of them fails. It ends in order: no new HTTP requests, those
// under way are answered, what waits in the spool is published as far as possible, consumers finish what they handle, then the bus is closed, and the embedded server last.
func Run(ctx context.Context, name string, o Options, parts ...Part) error {
	build := checkedBuild(parts)
	settings, err := config.Load(o.Config, build)
	if err != nil {
		return err
	}
	// A taken port fails before anything runs.
	listener, err := net.Listen("tcp", o.Listen)
	if err != nil {
		return fmt.Errorf("serve HTTP: %w", err)
	}
	defer listener.Close()
	admin, err := net.Listen("tcp", o.AdminListen)
	if err != nil {
		return fmt.Errorf("serve health and metrics: %w", err)
	}
	defer admin.Close()

	registry := newRegistry(name)
	tracer, stopTracing, err := tracing(ctx, name)
	if err != nil {
		return err
	}
	defer func() { endTracing(o.Log, stopTracing) }()
	o.NATS.Metrics, o.NATS.Tracer = registry, tracer
	b, stop, err := connect(name, o)
	if err != nil {
		return err
	}
	defer o.Log.Info("stopped", "service", name)
	defer stop()
	storage, err := openStorage(o, b, registry, parts)
	if err != nil {
		return err
	}
	defer storage.close()

	var group run.Group
	group.Add(until(ctx)) // interrupted in the order of adding
	health := &health{ready: []func() error{storage.ready(parts)}}
	health.tell(registry, name)
	stopping := make(chan struct{})
	env := Env{
		Log: o.Log, Bus: b, Store: storage.store(), Metrics: registry, Trusted: o.Trusted, Settings: &Live{current: settings}, Group: &group,
		AddReady: health.addReady, Stopping: stopping, Tracer: tracer,
	}
	group.Add(health.drain())
	var handlers mounts
	complaints := slog.NewLogLogger(o.Log.Handler(), slog.LevelWarn)
	server := &http.Server{Handler: &handlers, ErrorLog: complaints}
	server.RegisterOnShutdown(func() { close(stopping) })
	group.Add(HTTP(listener, server, drainLimit))
	storage.join(&group)
	for _, part := range parts {
		handler, err := part.Start(env)
		if err != nil {
			return fmt.Errorf("start %s: %w", part.Name, err)
		}
		if handler != nil {
			handlers.add(part.Mount, handler, len(parts) == 1)
		}
	}
	group.Add(config.Watch(o.Config, watchEvery, build, env.Settings.replace, o.Log))
	group.Add(b.Maintain(func() config.Streams { return env.Settings.Get().Config.Streams }))
	group.Add(b.Observe())
	group.Add(HTTP(admin, &http.Server{Handler: health.handler(registry), ErrorLog: complaints}, adminLimit))
	o.Log.Info("started", "service", name, "listen", listener.Addr().String(), "admin", admin.Addr().String())
	return group.Run()
}

// connect connects to the bus: that of an embedded server if there is to be one.
func connect(name string, o Options) (b *bus.Bus, stop func(), err error) {
	options := o.NATS
	options.Name, options.Log = name, o.Log
	stopServer := func() {}
	if o.Embed != nil {
		server, err := o.Embed(o.Log)
		if err != nil {
			return nil, nil, err
		}
		o.Log.Info("NATS is ready", "url", server.URL())
		options.InProcess, options.Wait = server, true
		stopServer = server.Stop
	}
	if b, err = bus.Connect(options); err != nil {
		stopServer()
		return nil, nil, err
	}
	return b, func() { b.Close(); stopServer() }, nil
}

// until returns an actor that lives as long as a context.
func until(ctx context.Context) (execute func() error, interrupt func(error)) {
	ctx, cancel := context.WithCancel(ctx)
	return func() error { <-ctx.Done(); return nil }, func(error) { cancel() }
}
