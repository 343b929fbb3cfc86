package sockets

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/coder/websocket"
	"go.opentelemetry.io/otel/trace"

	"github.com/switchhook/switchhook/services/web-gateway/frames"
)

// socket is one page's. A goroutine reads it; another one writes it while there is anything to write.
type socket struct {
	server *Server
	conn   *websocket.Conn
	raw    net.Conn
	origin string        // of its page; empty for the gateway's own, and for who is no browser
	viewer frames.Viewer // what it listens to; guarded by the server's lock, zero before auth

	mu       sync.Mutex
	session  *session // nil before auth
	timer    *time.Timer
	closed   bool // or about to be
	queue    []message
	pending  int // frames that wait, those being written included
	bytes    int // of them
	writing  bool
	commands int // that are under way
}

// message is what is to be written.
type message struct {
	data     []byte // shared, never changed
	received time.Time
	span     trace.Span // ends when it is written; may be nil
}

func newSocket(s *Server, conn *websocket.Conn, raw net.Conn, origin string) *socket {
	return &socket{server: s, conn: conn, raw: raw, origin: origin}
}

// start begins to wait for auth.
func (c *socket) start() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.timer = time.AfterFunc(authLimit, c.due)
}

// run reads what the client sends until the socket is closed.
func (c *socket) run() {
	defer c.server.underWay.Done()
	err := c.read()
	c.server.leave(c)
	c.mu.Lock()
	c.timer.Stop()
	c.closed, c.queue = true, nil
	c.mu.Unlock()
	if errors.Is(err, websocket.ErrMessageTooBig) {
		c.server.metrics.closed(frames.CloseTooLarge)
		_ = c.conn.Close(frames.CloseTooLarge, "") // it was sent: this lets it arrive
	}
	_ = c.conn.CloseNow()
}

func (c *socket) read() error {
	for {
		kind, data, err := c.conn.Read(context.Background())
		if err != nil {
			return err
		}
		if c.isClosed() {
			continue // until the client has closed too
		}
		if kind != websocket.MessageText {
			c.shut(frames.CloseInvalid, "frames are text", nil)
			continue
		}
		r, err := frames.Decode(data)
		if err != nil {
			c.shut(frames.CloseInvalid, err.Error(), nil)
			continue
		}
		c.act(r)
	}
}

func (c *socket) isClosed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closed
}

// act does what a client's frame asks for.
func (c *socket) act(r *frames.Request) {
	c.mu.Lock()
	in := c.session
	c.mu.Unlock()
	switch {
	case r.Action == frames.Auth:
		c.authenticate(in, r)
	case in == nil:
		c.shut(frames.CloseToken, "auth comes first", nil)
	case !time.Now().Before(in.Expires):
		c.shut(frames.CloseToken, "the token has expired", nil)
	default:
		c.command(in, r)
	}
}

// send queues frames, all or none, and never waits. A socket whose queue is full is closed.
func (c *socket) send(batch ...message) {
	size := 0
	for _, m := range batch {
		size += len(m.data)
	}
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return
	}
	if c.pending+len(batch) > queueFrames || c.pending > 0 && c.bytes+size > queueBytes {
		c.mu.Unlock()
		c.server.metrics.slow.Inc()
		c.shut(frames.CloseTooSlow, "the client does not keep up", nil)
		return
	}
	c.queue = append(c.queue, batch...)
	c.pending += len(batch)
	c.bytes += size
	begin := !c.writing
	c.writing = true
	c.mu.Unlock()
	if begin {
		go c.write()
	}
}

// write writes what is queued.
func (c *socket) write() {
	for m, ok := c.next(); ok; m, ok = c.next() {
		if c.put(m.data) != nil {
			_ = c.conn.CloseNow() // the reader notices
		} else {
			c.server.metrics.sent(m.received)
			if m.span != nil {
				m.span.End()
			}
		}
		c.mu.Lock()
		c.pending--
		c.bytes -= len(m.data)
		c.mu.Unlock()
	}
}

// next takes a frame from the queue. When it reports false, the writer ends.
func (c *socket) next() (message, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || len(c.queue) == 0 {
		c.queue, c.writing = nil, false
		return message{}, false
	}
	m := c.queue[0]
	c.queue[0] = message{}
	c.queue = c.queue[1:]
	return m, true
}

func (c *socket) put(data []byte) error {
	ctx, cancel := context.WithTimeout(context.Background(), writeLimit)
	defer cancel()
	return c.conn.Write(ctx, websocket.MessageText, data)
}

// due is called when auth is late, the token has expired, or it is time to see whether the client is there.
func (c *socket) due() {
	c.mu.Lock()
	in, closed := c.session, c.closed
	c.mu.Unlock()
	switch {
	case closed:
		return
	case in == nil:
		c.shut(frames.CloseNoAuth, "no auth came in time", nil)
		return
	case time.Now().Before(in.Expires) && c.ping(in) != nil && time.Now().Before(in.Expires):
		_ = c.conn.CloseNow()
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !time.Now().Before(c.session.Expires) { // and was not renewed meanwhile
		go c.shut(frames.CloseToken, "the token has expired", nil)
		return
	}
	c.timer.Reset(min(pingEvery, time.Until(c.session.Expires)))
}

// ping returns nil when the client answers before its token expires.
func (c *socket) ping(in *session) error {
	ctx, cancel := context.WithTimeout(context.Background(), min(pongLimit, time.Until(in.Expires)))
	defer cancel()
	return c.conn.Ping(ctx)
}

// shut closes the socket, after a last frame if there is one, and does not wait for that.
func (c *socket) shut(code int, reason string, last []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return
	}
	c.closed, c.queue = true, nil
	c.server.metrics.closed(code)
	c.server.underWay.Go(func() {
		if last != nil && c.put(last) != nil {
			_ = c.conn.CloseNow()
			return
		}
		_ = c.conn.Close(websocket.StatusCode(code), short(reason)) // it may be gone
	})
}

// short cuts a reason to what a close frame holds.
func short(reason string) string {
	const most = 123
	if len(reason) <= most {
		return reason
	}
	end := most
	for !utf8.RuneStart(reason[end]) {
		end--
	}
	return reason[:end]
}
