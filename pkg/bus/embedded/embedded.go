// Package embedded runs a NATS server with JetStream in this process, for standalone and for tests. What it acknowledges is
// on disk: it syncs every write.
package embedded

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/gofrs/flock"
	"github.com/nats-io/nats-server/v2/server"
)

// Options say where the server listens and stores.
type Options struct {
	Listen string       // host:port; port 0 takes a free one
	Data   string       // folder for JetStream; made when missing
	Log    *slog.Logger // may be nil
}

// startLimit bounds the wait for a server, which reads its streams first.
const startLimit = time.Minute

// Server is a running server.
type Server struct {
	server *server.Server
	lock   *flock.Flock
}

// Start starts a server and returns when it can be used. A folder serves one server at a time; a second is refused.
func Start(o Options) (*Server, error) {
	host, portText, err := net.SplitHostPort(o.Listen)
	if err != nil {
		return nil, fmt.Errorf("start NATS on %q: %w", o.Listen, err)
	}
	port, err := strconv.Atoi(portText)
	if err != nil {
		return nil, fmt.Errorf("start NATS on %q: %w", o.Listen, err)
	}
	if port == 0 {
		port = server.RANDOM_PORT
	}
	lock, err := lockFolder(o.Data)
	if err != nil {
		return nil, fmt.Errorf("start NATS with %s: %w", o.Data, err)
	}
	s, err := start(&server.Options{
		ServerName: "switchhook",
		Host:       host,
		Port:       port,
		JetStream:  true,
		StoreDir:   o.Data,
		// By default the server syncs every two minutes and acknowledges before: a power cut would take what an exchange
		// was told is stored.
		SyncAlways:   true,
		SyncInterval: 2 * time.Minute,
		NoSigs:       true,
	}, o)
	if err != nil {
		_ = lock.Unlock()
		return nil, fmt.Errorf("start NATS on %s: %w", o.Listen, err)
	}
	return &Server{server: s, lock: lock}, nil
}

func start(options *server.Options, o Options) (*server.Server, error) {
	s, err := server.NewServer(options)
	if err != nil {
		return nil, err
	}
	log := &logger{log: o.Log}
	if o.Log == nil {
		log.log = slog.New(slog.DiscardHandler)
	}
	s.SetLoggerV2(log, false, false, false)
	s.Start()
	for deadline := time.Now().Add(startLimit); !s.ReadyForConnections(100 * time.Millisecond); {
		err := log.fatal() // such as a port that is taken: the server itself would wait on
		if err == nil && time.Now().Before(deadline) {
			continue
		}
		s.Shutdown()
		return nil, cmp.Or(err, fmt.Errorf("not ready after %s", startLimit))
	}
	return s, nil
}

// URL is where other programs connect.
func (s *Server) URL() string { return s.server.ClientURL() }

// InProcessConn makes the server a bus.Options.InProcess.
func (s *Server) InProcessConn() (net.Conn, error) { return s.server.InProcessConn() }

// Stop stops the server and waits until it has closed its files.
func (s *Server) Stop() {
	s.server.Shutdown()
	s.server.WaitForShutdown()
	_ = s.lock.Unlock()
}

// lockFolder holds a folder for this process: two servers on one folder would destroy it. The lock goes with the process,
// however that ends.
func lockFolder(folder string) (*flock.Flock, error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, err
	}
	lock := flock.New(filepath.Join(folder, "lock"), flock.SetPermissions(0o600))
	switch locked, err := lock.TryLock(); {
	case err != nil:
		return nil, err
	case !locked:
		return nil, errors.New("another server uses this folder")
	}
	return lock, nil
}

// logger passes the server's log on. Its notices, a page at each start, are for debugging here.
type logger struct {
	log *slog.Logger

	mu    sync.Mutex
	cause error
}

func (l *logger) Noticef(format string, args ...any) { l.log.Debug(message(format, args)) }
func (l *logger) Debugf(format string, args ...any)  { l.log.Debug(message(format, args)) }
func (l *logger) Tracef(format string, args ...any)  { l.log.Debug(message(format, args)) }
func (l *logger) Warnf(format string, args ...any)   { l.log.Warn(message(format, args)) }
func (l *logger) Errorf(format string, args ...any)  { l.log.Error(message(format, args)) }

// Fatalf keeps the first reason why the server cannot run, for Start to return.
func (l *logger) Fatalf(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cause == nil {
		l.cause = fmt.Errorf(format, args...)
	}
}

func (l *logger) fatal() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.cause
}

func message(format string, args []any) string { return "nats: " + fmt.Sprintf(format, args...) }
