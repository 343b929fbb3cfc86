// Package bus is the only place that knows NATS: it connects, makes sure that the streams exist, publishes with an
// acknowledgement, consumes, asks and reads. Everybody else sees events.
package bus

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/switchhook/switchhook/pkg/fault"
)

// Options say how to connect.
type Options struct {
	// URL of the server or, separated by commas, of several of one cluster. A user and password, or a token, may stand in it.
	URL string
	// InProcess connects without a network to a server in the same process, such as an embedded.Server. It takes the
	// place of URL.
	InProcess nats.InProcessConnProvider
	// Name is what the server calls this connection in its lists and logs.
	Name string
	// Wait demands that the server is there when Connect returns, which is right for a tool; a service goes on without it,
	// and connects when it can.
	Wait bool
	// Log may be nil.
	Log *slog.Logger
}

// Bus is a connection to NATS. It is safe for concurrent use.
type Bus struct {
	nc     *nats.Conn
	where  string // the server's URL, without credentials
	js     jetstream.JetStream
	log    *slog.Logger
	commit *committer
	health health
}

// Connect connects, and reconnects without end. While it is not connected, whatever is tried is fault.Unavailable.
func Connect(o Options) (*Bus, error) {
	where, err := redact(o.URL)
	if err != nil {
		return nil, fault.New(fault.Invalid, "connect to NATS: %w", err)
	}
	b := &Bus{where: where, log: o.Log}
	if b.log == nil {
		b.log = slog.New(slog.DiscardHandler)
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
	b.commit = newCommitter(b.js)
	return b, nil
}

func (b *Bus) connection(o Options) []nats.Option {
	options := []nats.Option{
		nats.Name(o.Name),
		nats.RetryOnFailedConnect(!o.Wait),
		nats.MaxReconnects(-1),
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
		nats.ReconnectHandler(func(nc *nats.Conn) {
			b.log.Info("reconnected to NATS", "server", nc.ConnectedUrlRedacted())
		}),
		nats.ConnectHandler(func(nc *nats.Conn) {
			if o.InProcess == nil { // else there is no URL
				b.log.Info("connected to NATS", "server", nc.ConnectedUrlRedacted())
			}
		}),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			b.log.Warn("NATS reports an error", "err", err)
		}),
	}
	if o.InProcess != nil {
		options = append(options, nats.InProcessServer(o.InProcess))
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
