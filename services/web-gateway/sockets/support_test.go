package sockets_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/switchhook/switchhook/pkg/bus"
	"github.com/switchhook/switchhook/pkg/event"
	"github.com/switchhook/switchhook/pkg/fault"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
	"github.com/switchhook/switchhook/services/web-gateway/frames"
	"github.com/switchhook/switchhook/services/web-gateway/sockets"
)

// stubs are everything that a server works with. Its tokens tell what they are worth: "acme/login/karel/calls,commands".
type stubs struct {
	mu       sync.Mutex
	lifetime map[string]time.Duration // of tokens that do not live for an hour
	sent     []sent
	reply    *pbxv1.CommandReply
	err      error
	answer   chan struct{} // if it is there, commands wait for it
}

type sent struct {
	vendor, tenant, action string
	request                *pbxv1.CommandRequest
}

// Verify implements sockets.Verifier.
func (s *stubs) Verify(token string) (sockets.Claims, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	parts := strings.Split(token, "/")
	switch {
	case token == "down":
		return sockets.Claims{}, fault.New(fault.Unavailable, "no keys yet")
	case len(parts) < 4:
		return sockets.Claims{}, fault.New(fault.Denied, "the signature is wrong")
	}
	lifetime, short := s.lifetime[token]
	if !short {
		lifetime = time.Hour
	}
	return sockets.Claims{
		Tenant: parts[0], IdentityType: parts[1], IdentityValue: parts[2], Rights: strings.Split(parts[3], ","),
		Expires: time.Now().Add(lifetime),
	}, nil
}

// Find implements sockets.People.
func (s *stubs) Find(tenant, kind, value string) (sockets.Person, error) {
	switch kind + "/" + value {
	case "login/karel", "email/karel@example.com":
		return sockets.Person{Login: "karel", Email: "karel@example.com", Lines: []string{"101", "102"}}, nil
	case "login/boss":
		return sockets.Person{Login: "boss"}, nil
	}
	if kind == "line" && value != "999" {
		return sockets.Person{Lines: []string{value}}, nil
	}
	return sockets.Person{}, fault.New(fault.NotFound, "nobody at %s has the %s %q", tenant, kind, value)
}

// AnyOrigin implements sockets.Origins.
func (s *stubs) AnyOrigin(origin string) bool {
	return s.Allows("acme", origin) || s.Allows("globex", origin)
}

// Allows implements sockets.Origins.
func (s *stubs) Allows(tenant, origin string) bool { return origin == "https://crm."+tenant+".example" }

// Command implements sockets.Commander.
func (s *stubs) Command(
	ctx context.Context, vendor, tenant, action string, r *pbxv1.CommandRequest,
) (*pbxv1.CommandReply, error) {
	s.mu.Lock()
	s.sent = append(s.sent, sent{vendor, tenant, action, r})
	reply, err, answer := s.reply, s.err, s.answer
	s.mu.Unlock()
	if answer != nil {
		select {
		case <-answer:
		case <-ctx.Done():
			return nil, fault.New(fault.Unavailable, "%w", ctx.Err())
		}
	}
	if reply == nil {
		reply = &pbxv1.CommandReply{CommandId: "1", Accepted: true, ActionId: r.GetActionId()}
	}
	return reply, err
}

func (s *stubs) commands() []sent {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]sent{}, s.sent...)
}

func exchanges(tenant string) []event.Origin {
	if tenant == "two" {
		return []event.Origin{{Vendor: "ipex", Tenant: tenant, Exchange: "prague"}, {Vendor: "mcn", Tenant: tenant, Exchange: "brno"}}
	}
	return []event.Origin{{Vendor: "ipex", Tenant: tenant, Exchange: "prague"}}
}

// world is a server, as the browser sees it.
type world struct {
	testing.TB
	*stubs
	server *sockets.Server
	seq    uint64
	dialer func(ctx context.Context, network, addr string) (net.Conn, error)
	addr   string
	stop   func() // drains, and waits for that
}

// serve starts a server on a listener.
func serve(tb testing.TB, l net.Listener, change ...func(*sockets.Options)) *world {
	tb.Helper()
	s := &stubs{lifetime: map[string]time.Duration{}}
	o := sockets.Options{Verifier: s, People: s, Origins: s, Commander: s, Exchanges: exchanges}
	for _, f := range change {
		f(&o)
	}
	w := &world{TB: tb, stubs: s, server: sockets.New(o), addr: l.Addr().String()}
	w.server.CaughtUp()
	server := &http.Server{Handler: w.server, ReadTimeout: 10 * time.Second}
	go server.Serve(l)
	execute, interrupt := w.server.Drain()
	drained := make(chan struct{})
	go func() { _ = execute(); close(drained) }()
	w.stop = sync.OnceFunc(func() { interrupt(nil); <-drained })
	tb.Cleanup(func() { w.stop(); server.Close() })
	return w
}

// start starts a server on the loopback.
func start(tb testing.TB, change ...func(*sockets.Options)) *world {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	return serve(tb, l, change...)
}

// tell lets the server hear an event.
func (w *world) tell(ev *pbxv1.Event) {
	w.seq++
	w.server.Handle(bus.Stored[*pbxv1.Event]{Sequence: w.seq, At: ev.GetReceivedAt().AsTime(), Message: ev})
}

// client is a page.
type client struct {
	testing.TB
	*websocket.Conn
	limit time.Duration // for a frame to come
}

func (w *world) dial(origin string) (*client, int, error) {
	header := http.Header{}
	if origin != "" {
		header.Set("Origin", origin)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	transport := &http.Transport{DialContext: w.dialer}
	options := &websocket.DialOptions{HTTPHeader: header, HTTPClient: &http.Client{Transport: transport}}
	conn, response, err := websocket.Dial(ctx, "ws://"+w.addr+"/ws/v1", options) //nolint:bodyclose // Dial does
	status := 0
	if response != nil {
		status = response.StatusCode
	}
	if err != nil {
		return nil, status, err
	}
	w.Cleanup(func() { conn.CloseNow() })
	return &client{w.TB, conn, 30 * time.Second}, status, nil
}

func (w *world) connect() *client {
	w.Helper()
	c, _, err := w.dial("")
	if err != nil {
		w.Fatal(err)
	}
	return c
}

// auth connects with a token, and returns the page and what it was told at once.
func (w *world) auth(token string, last uint64) (*client, frame) {
	w.Helper()
	c := w.connect()
	c.auth(token, last)
	return c, c.want("authresponse")
}

func (c *client) auth(token string, last uint64) {
	c.Helper()
	parts := strings.Split(token+"///", "/")
	c.send(frames.Request{Action: "auth", Token: token, IdentityType: parts[1], IdentityValue: parts[2], Last: last})
}

func (c *client) send(r frames.Request) {
	c.Helper()
	data, err := json.Marshal(r)
	if err != nil {
		c.Fatal(err)
	}
	c.write(websocket.MessageText, data)
}

func (c *client) write(kind websocket.MessageType, data []byte) {
	c.Helper()
	if err := c.Write(context.Background(), kind, data); err != nil {
		c.Fatal(err)
	}
}

// frame is any frame of the server.
type frame struct {
	Event, UniqueID, Line, ActionID, Result, Reason, Expires string
	Seq                                                      uint64
	OK                                                       bool
	Lines, Rights                                            []string
	Calls                                                    []frame
}

// next reads a frame, or why the socket was closed.
func (c *client) next() (frame, error) {
	ctx, cancel := context.WithTimeout(context.Background(), c.limit)
	defer cancel()
	_, data, err := c.Read(ctx)
	if err != nil {
		return frame{}, err
	}
	var f frame
	return f, json.Unmarshal(data, &f)
}

func (c *client) want(name string) frame {
	c.Helper()
	f, err := c.next()
	if err != nil || f.Event != name {
		c.Fatalf("want %s, have %+v, %v", name, f, err)
	}
	return f
}

// closed reads until the socket is closed, and demands the code.
func (c *client) closed(want websocket.StatusCode) {
	c.Helper()
	for {
		if _, err := c.next(); err != nil {
			if have := websocket.CloseStatus(err); have != want {
				c.Fatalf("want it closed with %d, have %d: %v", want, have, err)
			}
			return
		}
	}
}

const karel = "acme/login/karel/calls,commands"

// rings is a call that rings at a line now.
func rings(tenant, id, extension string) *pbxv1.Event {
	return happens(tenant, id, extension, pbxv1.Call_RINGING)
}

func happens(tenant, id, extension string, kind pbxv1.Call_Kind) *pbxv1.Event {
	now := timestamppb.Now()
	return &pbxv1.Event{
		Id: event.NewID(), Time: now, ReceivedAt: now, Vendor: "ipex", Tenant: tenant, Exchange: "prague",
		Payload: &pbxv1.Event_Call{Call: &pbxv1.Call{
			Kind: kind, Id: id, Key: id, Direction: pbxv1.Call_INCOMING, From: &pbxv1.Party{Number: "777", E164: "+420777888999"},
			Extension: extension,
		}},
	}
}

// pipes is a listener of connections within the process, for tests with a time of their own.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), done: make(chan struct{})} }

// Accept implements net.Listener.
func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (p *pipes) Close() error {
	p.once.Do(func() { close(p.done) })
	return nil
}

// Addr implements net.Listener.
func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "gateway", Net: "pipe"} }

func (p *pipes) dial(context.Context, string, string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case p.conns <- server:
		return client, nil
	case <-p.done:
		return nil, errors.New("closed")
	}
}

// startInside starts a server whose time is that of a synctest bubble.
func startInside(t *testing.T) *world {
	t.Helper()
	p := newPipes()
	w := serve(t, p)
	w.dialer = p.dial
	return w
}

func text(format string, args ...any) []byte { return fmt.Appendf(nil, format, args...) }
