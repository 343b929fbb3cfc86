// Package bus is the only place that knows NATS: it connects, makes sure that the streams exist, publishes with an
// acknowledgement, consumes, asks and reads. Everybody else sees events.
package bus

import (
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"

	"github.com/switchhook/switchhook/pkg/event"
	"github.com/switchhook/switchhook/pkg/fault"
)

// Options say how to connect.
type Options struct {
	// URL of the server or, separated by commas, of several of one cluster. A user and password, or a token, may stand in it.
	URL string
	// InProcess connects without a network to a server in the same process, such as an embedded.Server. It takes the
	// place of URL.
	InProcess nats.InProcessConnProvider
	// Credentials is a file with a user's JWT and seed, as `nsc` writes it, that goes before what stands in URL. It is read at each
	// connect, so a new one is taken up. Empty: none.
	Credentials string
	// CA is a PEM file of the authorities that the server's certificate must be of; with it the connection must be by TLS. It is read
	// at each connect. Empty: those of the machine, and TLS only where the URL or the server demands it.
	CA string
	// Name is what the server calls this connection in its lists and logs. Answers come to _INBOX.<name>.>, so that a server can keep
	// users from reading those to others.
	Name string
	// Wait demands that the server is there when Connect returns, which is right for a tool; a service goes on without it,
	// and connects when it can.
	Wait bool
	// Log may be nil.
	Log *slog.Logger
	// Metrics may be nil. One connection registers with it.
	Metrics prometheus.Registerer
	// Tracer makes spans of what is published and consumed; nil: none are made. Messages belong to traces all the same.
	Tracer trace.Tracer
}

// Bus is a connection to NATS. It is safe for concurrent use.
type Bus struct {
	nc      *nats.Conn
	where   string // the server's URL, without credentials
	js      jetstream.JetStream
	log     *slog.Logger
	commit  *committer
	health  health
	absence absence

	metrics  metrics
	observed observed
	tracer   trace.Tracer // may be nil
}

// Connect connects, and reconnects without end. While it is not connected, whatever is tried is fault.Unavailable.
func Connect(o Options) (*Bus, error) {
	where, err := redact(o.URL)
	if err == nil && o.InProcess == nil {
		err = checkURLs(o.URL)
	}
	if err != nil {
		return nil, fault.New(fault.Invalid, "connect to NATS: %w", err)
	}
	b := &Bus{where: where, log: o.Log, tracer: o.Tracer, metrics: newMetrics(o.Metrics), observed: observed{followers: map[string]*follower{}}}
	if b.log == nil {
		b.log = slog.New(slog.DiscardHandler)
	}
	if err := readable(o.Credentials, o.CA); err != nil {
		return nil, fault.New(fault.Invalid, "connect to NATS at %s: %w", where, err)
	}
	nc, err := nats.Connect(o.URL, b.connection(o)...)
	if err != nil {
		return nil, fault.New(fault.Unavailable, "connect to NATS at %s: %w", where, err)
	}
	b.nc = nc
	if b.js, err = jetstream.New(nc); err != nil {
		nc.Close()
		return nil, fmt.Errorf("set up JetStream: %w", err)
	}
	b.commit = newCommitter(b.js, b.metrics.batches)
	b.metrics.watch(o.Metrics, nc, b.commit)
	return b, nil
}

// readable opens files, to refuse a mistaken path at once: nats.go would go on trying.
func readable(paths ...string) error {
	for _, path := range paths {
		if path == "" {
			continue
		}
		if _, err := os.ReadFile(path); err != nil {
			return err
		}
	}
	return nil
}

func (b *Bus) connection(o Options) []nats.Option {
	options := []nats.Option{
		nats.Name(o.Name),
		nats.RetryOnFailedConnect(!o.Wait),
		nats.MaxReconnects(-1),
		// A password that was changed on the server first is right again in a moment.
		nats.IgnoreAuthErrorAbort(),
		nats.ReconnectWait(250 * time.Millisecond),
		nats.ReconnectJitter(250*time.Millisecond, 250*time.Millisecond),
		nats.Timeout(5 * time.Second),
		nats.PingInterval(10 * time.Second),
		nats.MaxPingsOutstanding(2),
		// What is published while disconnected fails at once. In a buffer it would be sent after its publisher was told
		// that it is not stored.
		nats.ReconnectBufSize(-1),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil {
				b.log.Warn("disconnected from NATS, reconnecting", "err", err)
			}
		}),
		nats.ReconnectErrHandler(func(_ *nats.Conn, err error) { b.absence.note(err) }),
		nats.ReconnectHandler(func(nc *nats.Conn) {
			b.absence.end()
			b.log.Info("reconnected to NATS", "server", nc.ConnectedUrlRedacted())
		}),
		nats.ConnectHandler(func(nc *nats.Conn) {
			b.absence.end()
			if o.InProcess == nil { // else there is no URL
				b.log.Info("connected to NATS", "server", nc.ConnectedUrlRedacted())
			}
		}),
		nats.ErrorHandler(func(nc *nats.Conn, _ *nats.Subscription, err error) {
			if !nc.IsConnected() { // it comes at each attempt
				b.absence.note(err)
				return
			}
			b.log.Warn("NATS reports an error", "err", err)
		}),
	}
	if o.InProcess != nil {
		options = append(options, nats.InProcessServer(o.InProcess))
	}
	if o.Credentials != "" {
		options = append(options, nats.UserCredentials(o.Credentials))
	}
	if o.CA != "" {
		options = append(options, nats.RootCAs(o.CA))
	}
	if event.IsToken(o.Name) {
		options = append(options, nats.CustomInboxPrefix("_INBOX."+o.Name))
	}
	return options
}

// Close sends what is still buffered and disconnects. Call it when everything that uses the bus has returned.
func (b *Bus) Close() {
	b.commit.close()
	if b.nc.IsConnected() {
		_ = b.nc.FlushTimeout(2 * time.Second) // acknowledgements: those that are lost come again by themselves
	}
	b.nc.Close()
}

// unavailable classifies an error of NATS. An answer that never came and one that says no are alike to the caller: it is
// not known to be stored.
func unavailable(doing string, err error) error {
	return fault.New(fault.Unavailable, "%s: %w", doing, err)
}
