// Package sockets serves pages over WebSockets: it tells each what happens on its person's lines, as package frames decides,
// and sends commands for it.
//
// One lock guards the core and who listens to which line, so that a page that joins gets what it missed and then what comes,
// with nothing between. Nobody waits for a page under it: what a socket is to be told is put into its bounded queue, and
// one that does not keep up is closed. It comes back and catches up.
package sockets

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"

	"github.com/switchhook/switchhook/pkg/bus"
	"github.com/switchhook/switchhook/pkg/event"
	"github.com/switchhook/switchhook/pkg/fault"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
	"github.com/switchhook/switchhook/services/web-gateway/frames"
)

const (
	authLimit    = 5 * time.Second  // for the first auth to come
	pingEvery    = 20 * time.Second // while the socket is open
	pongLimit    = 10 * time.Second // for the answer to it
	writeLimit   = 10 * time.Second // for one frame to be taken by the network
	commandLimit = 5 * time.Second  // for a command to be answered
	behindLimit  = 3 * time.Second  // for this replica to come as far as a page that another one served
	drainLimit   = 5 * time.Second  // for clients to answer a close at the end

	queueFrames    = 512       // that wait to be written to one socket
	queueBytes     = 512 << 10 // the same in bytes
	commandsAtOnce = 4         // of one socket
)

// The rights that count here.
const (
	rightCalls    = "calls"
	rightCommands = "commands"
)

// Claims are what a token says.
type Claims struct {
	Tenant        string
	IdentityType  string // login, line or email
	IdentityValue string
	Rights        []string
	Expires       time.Time
}

// Person is who an identity stands for.
type Person struct {
	Login, Email string // may be empty
	Lines        []string
}

// Verifier verifies access tokens. It is used concurrently.
type Verifier interface {
	// Verify returns what a token says: fault.Denied when it is not believed.
	Verify(token string) (Claims, error)
}

// People knows who identities stand for. It is used concurrently.
type People interface {
	// Find returns fault.NotFound for an identity that no one has.
	Find(tenant, identityType, identityValue string) (Person, error)
}

// Origins knows which pages may connect, besides the gateway's own. It is used concurrently.
type Origins interface {
	// AnyOrigin reports whether an origin is any tenant's.
	AnyOrigin(origin string) bool
	// Allows reports whether it is the tenant's.
	Allows(tenant, origin string) bool
}

// Commander sends commands, as bus.Bus does.
type Commander interface {
	Command(ctx context.Context, vendor, tenant, action string, r *pbxv1.CommandRequest) (*pbxv1.CommandReply, error)
}

// Options are what a server works with. Log and Metrics may be nil.
type Options struct {
	Verifier  Verifier
	People    People
	Origins   Origins
	Commander Commander
	Exchanges func(tenant string) []event.Origin // that are configured
	Log       *slog.Logger
	Metrics   prometheus.Registerer
	Tracer    Tracer // may be nil
}

// Tracer begins spans in the traces of messages, as bus.Bus does.
type Tracer interface {
	Continue(ctx context.Context, headers map[string][]string, name string) (context.Context, trace.Span)
}

// Server serves WebSockets. It is an http.Handler.
type Server struct {
	Options
	metrics metrics

	mu       sync.Mutex
	core     *frames.Core
	sockets  map[*socket]struct{}
	lines    map[lineKey]map[*socket]struct{} // who listens
	live     bool                             // all that was stored at the start has been read
	over     bool                             // nobody is let in any more
	advanced chan struct{}                    // closed when the core goes on, if anybody waits for that; else nil

	underWay sync.WaitGroup
}

type lineKey struct{ tenant, line string }

// New returns a server that lets nobody in before CaughtUp is called.
func New(o Options) *Server {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Server{
		Options: o, metrics: newMetrics(o.Metrics), core: frames.New(),
		sockets: map[*socket]struct{}{}, lines: map[lineKey]map[*socket]struct{}{},
	}
}

// Following says what the server follows of the stream, at a time.
func (s *Server) Following(name string, now time.Time) bus.Following {
	return bus.Following{
		Name: name, Subjects: frames.Subjects(), Since: now.Add(-frames.Horizon), Handle: s.Handle, CaughtUp: s.CaughtUp,
	}
}

// CaughtUp lets pages in: what the server tells them now is what happens now.
func (s *Server) CaughtUp() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.live = true
}

// Ready returns nil once pages are let in.
func (s *Server) Ready() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.live {
		return fault.New(fault.Unavailable, "web-gateway is still reading the stream, at event %d", s.core.Seq())
	}
	return nil
}

// Handle takes the next event of the stream, and tells whom it concerns.
func (s *Server) Handle(e bus.Stored[*pbxv1.Event]) {
	s.mu.Lock()
	defer s.mu.Unlock()
	anew := e.Sequence <= s.core.Seq() // only a stream that was made again goes back
	if anew {
		s.core = frames.New()
	}
	for _, f := range s.core.Apply(e.Sequence, e.At, e.Message) {
		for c := range s.lines[lineKey{f.Tenant, f.Line}] {
			if c.viewer.Sees(f) {
				c.send(message{f.JSON(), f.Received, s.begin(e)})
			}
		}
	}
	if anew {
		for c := range s.sockets {
			if c.viewer.Tenant != "" {
				c.send(message{data: frames.Encode(s.core.Snapshot(c.viewer))})
			}
		}
	}
	if s.advanced != nil {
		close(s.advanced)
		s.advanced = nil
	}
}

// begin begins the span of a frame that is to be written; nil when nobody makes any.
func (s *Server) begin(e bus.Stored[*pbxv1.Event]) trace.Span {
	if s.Tracer == nil || !s.live {
		return nil
	}
	_, span := s.Tracer.Continue(context.Background(), e.Headers, "tell a page")
	return span
}

// reach waits until this replica has come as far as another one had, but not for ever: a stream that was made anew never
// comes there.
func (s *Server) reach(seq uint64) {
	limit := time.NewTimer(behindLimit)
	defer limit.Stop()
	for {
		s.mu.Lock()
		if s.core.Seq() >= seq || s.over {
			s.mu.Unlock()
			return
		}
		if s.advanced == nil {
			s.advanced = make(chan struct{})
		}
		advanced := s.advanced
		s.mu.Unlock()
		select {
		case <-advanced:
		case <-limit.C:
			return
		}
	}
}

// join lets a socket listen to the lines of its person, and tells it what it missed.
func (s *Server) join(c *socket, in *session, last uint64, had int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, there := s.sockets[c]; !there {
		return // it was closed meanwhile
	}
	response := in.response()
	if c.viewer.Tenant != "" && sameView(c.viewer, in.viewer) { // renewed
		response.Seq = s.core.Seq()
		c.send(message{data: frames.Encode(response)})
		return
	}
	if c.viewer.Tenant != "" {
		last = 0 // the client knows nothing of lines that are new
	}
	s.unsubscribe(c)
	c.viewer = in.viewer
	for _, line := range c.viewer.Lines {
		key := lineKey{c.viewer.Tenant, line}
		if s.lines[key] == nil {
			s.lines[key] = map[*socket]struct{}{}
		}
		s.lines[key][c] = struct{}{}
	}
	missed, ok := s.core.Missed(c.viewer, last, had)
	if !ok {
		c.send(message{data: frames.Encode(response)}, message{data: frames.Encode(s.core.Snapshot(c.viewer))})
		return
	}
	response.Seq = last
	batch := []message{{data: frames.Encode(response)}}
	for _, f := range missed {
		batch = append(batch, message{data: f.JSON()})
	}
	c.send(batch...)
}

func (s *Server) unsubscribe(c *socket) {
	for _, line := range c.viewer.Lines {
		key := lineKey{c.viewer.Tenant, line}
		delete(s.lines[key], c)
		if len(s.lines[key]) == 0 {
			delete(s.lines, key)
		}
	}
}

// enter adds a socket, unless nobody is let in.
func (s *Server) enter(c *socket) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over || !s.live {
		return false
	}
	s.sockets[c] = struct{}{}
	s.metrics.sockets.Inc()
	s.underWay.Add(1)
	return true
}

func (s *Server) leave(c *socket) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unsubscribe(c)
	c.viewer = frames.Viewer{}
	delete(s.sockets, c)
	s.metrics.sockets.Dec()
}

// Drain returns an actor that, once interrupted, sends all pages away: another replica serves them on.
func (s *Server) Drain() (execute func() error, interrupt func(error)) {
	ctx, cancel := context.WithCancel(context.Background())
	return func() error {
			<-ctx.Done()
			s.drain()
			return nil
		}, func(error) {
			cancel()
		}
}

func (s *Server) drain() {
	s.mu.Lock()
	s.over = true
	if s.advanced != nil {
		close(s.advanced)
		s.advanced = nil
	}
	for c := range s.sockets {
		c.shut(frames.CloseGoing, "going away", nil)
	}
	s.mu.Unlock()
	drained := make(chan struct{})
	go func() { s.underWay.Wait(); close(drained) }()
	select {
	case <-drained:
		return
	case <-time.After(drainLimit):
	}
	s.mu.Lock()
	for c := range s.sockets {
		_ = c.raw.Close() // they had their time
	}
	s.mu.Unlock()
	<-drained
}
