package sockets

import (
	"bufio"
	"encoding/json"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/coder/websocket"

	"github.com/switchhook/switchhook/services/web-gateway/frames"
)

const (
	// ioBuffer is for reading and writing one socket: a usual frame fits, and a longer one passes it by.
	ioBuffer = 512
	// kernelBuffer is how much the network may hold for one socket on its way out. What does not fit is for a client that
	// does not keep up, and should show as such.
	kernelBuffer = 64 << 10
)

// ServeHTTP lets a page in, if its origin is the gateway's own or any tenant's: whose it is, its first frame says.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	origin := r.Header.Get("Origin")
	if isOwn(r, origin) {
		origin = ""
	}
	if origin != "" && !s.Origins.AnyOrigin(origin) {
		problem(w, http.StatusForbidden, "Pages of this origin may not connect here; see `origins` of the tenant.")
		return
	}
	if s.Ready() != nil {
		w.Header().Set("Retry-After", "1")
		problem(w, http.StatusServiceUnavailable, "The gateway is not ready yet.")
		return
	}
	hijacker := &slim{ResponseWriter: w}
	conn, err := websocket.Accept(hijacker, r, &websocket.AcceptOptions{
		InsecureSkipVerify: true, // the origin was checked above
		CompressionMode:    websocket.CompressionDisabled,
	})
	if err != nil {
		return // whoever asked has been told
	}
	conn.SetReadLimit(frames.MaxRequest)
	c := newSocket(s, conn, hijacker.conn, origin)
	if !s.enter(c) {
		_ = conn.Close(frames.CloseGoing, "going away")
		return
	}
	c.start()
	// The server's goroutine, with its deep stack, ends here: the socket has a smaller one.
	go c.run()
}

// isOwn reports whether an origin is the one that the request was sent to.
func isOwn(r *http.Request, origin string) bool {
	u, err := url.Parse(origin)
	return err == nil && u.Host != "" && strings.EqualFold(u.Host, r.Host)
}

// slim gives a hijacked connection buffers that are as small as frames are.
type slim struct {
	http.ResponseWriter
	conn net.Conn
}

// Hijack implements http.Hijacker.
func (s *slim) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffers, err := http.NewResponseController(s.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	s.conn = conn
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetWriteBuffer(kernelBuffer) // it works with any
	}
	if buffers.Reader.Buffered() == 0 { // else the client is in a hurry, and what it sent is in there
		buffers.Reader = bufio.NewReaderSize(conn, ioBuffer)
	}
	buffers.Writer = bufio.NewWriterSize(conn, ioBuffer)
	return conn, buffers, nil
}

func problem(w http.ResponseWriter, status int, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{ // who asked may have gone
		"type": "about:blank", "title": http.StatusText(status), "status": status, "detail": detail,
	})
}
