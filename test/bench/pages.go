package main

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/coder/websocket"
)

// person has a line.
type person struct{ login, line, token string }

// page is a person's page: it comes back when it loses its socket, as the SDK does, and goes on where it was.
type page struct {
	*person
	gateway string
	client  *http.Client
	tell    func(event, from string, at time.Time)

	mu        sync.Mutex
	held      chan struct{} // while it does not keep up: closed when it goes on; else nil
	trickles  bool          // while held it reads a little, not nothing
	last, had uint64        // the last sequence, and how many frames of it came
	open      map[string]bool
	frames    int // that tell of calls
	snapshots int // after the first
	back      time.Time
	closes    []websocket.StatusCode
}

// frame is any frame of the gateway.
type frame struct {
	Event, From, Reason string
	Seq                 uint64
	OK                  bool
	Calls               []frame
}

// thin dials with little room for what is not read, as a slow network has.
func thin(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, network, addr)
	if err == nil {
		err = conn.(*net.TCPConn).SetReadBuffer(16 << 10)
	}
	return conn, err
}

// run keeps a page open until the context ends.
func (p *page) run(ctx context.Context) {
	for attempt := 0; ctx.Err() == nil; attempt++ {
		before := p.isBack()
		err := p.serve(ctx)
		p.mu.Lock()
		if p.back != before { // it had been let in
			attempt = 0
			p.closes = append(p.closes, websocket.CloseStatus(err))
		}
		p.mu.Unlock()
		wait := 250*time.Millisecond + time.Duration(rand.Float64()*float64(min(30*time.Second, time.Second<<min(attempt, 5))))
		select {
		case <-time.After(wait):
		case <-ctx.Done():
		}
	}
}

// isBack returns when the page was let in last.
func (p *page) isBack() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.back
}

func (p *page) countSnapshots() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.snapshots
}

// serve opens a socket and reads it until it is closed.
func (p *page) serve(ctx context.Context) error {
	limited, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	conn, response, err := websocket.Dial(limited, "ws://"+p.gateway+"/ws/v1", &websocket.DialOptions{HTTPClient: p.client})
	if err != nil {
		if response != nil && response.Body != nil {
			_ = response.Body.Close()
		}
		return err
	}
	defer func() { _ = conn.CloseNow() }()
	conn.SetReadLimit(1 << 20)
	p.mu.Lock()
	hello, err := json.Marshal(map[string]any{
		"action": "auth", "token": p.token, "identityType": "login", "identityValue": p.login, "last": p.last, "had": p.had,
	})
	p.mu.Unlock()
	if err != nil {
		return err
	}
	if err := conn.Write(limited, websocket.MessageText, hello); err != nil {
		return err
	}
	for {
		p.hold(ctx)
		_, data, err := conn.Read(ctx)
		if err != nil {
			return err
		}
		var f frame
		if err := json.Unmarshal(data, &f); err != nil {
			return err
		}
		if f.Event == "authresponse" && !f.OK {
			return errors.New(f.Reason)
		}
		p.take(&f, time.Now())
	}
}

// short returns a number without the country.
func short(number string) string { return number[max(0, len(number)-len("777000000")):] }

// take notes a frame.
func (p *page) take(f *frame, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch f.Event {
	case "authresponse":
		p.back = now
		return
	case "snapshot":
		if p.open != nil {
			p.snapshots++
		}
		p.last, p.had, p.open = f.Seq, 0, map[string]bool{}
		for _, c := range f.Calls {
			p.open[short(c.From)] = true
		}
		return
	}
	if f.Seq == p.last {
		p.had++
	} else {
		p.last, p.had = f.Seq, 1
	}
	p.frames++
	if f.Event == "Hangup" {
		delete(p.open, short(f.From))
	} else {
		p.open[short(f.From)] = true
	}
	p.tell(f.Event, f.From, now)
}

// hold waits before a frame is read, while the page does not keep up.
func (p *page) hold(ctx context.Context) {
	p.mu.Lock()
	held, trickles := p.held, p.trickles
	p.mu.Unlock()
	if held == nil {
		return
	}
	var next <-chan time.Time
	if trickles {
		next = time.After(50 * time.Millisecond)
	}
	select {
	case <-held:
	case <-next:
	case <-ctx.Done():
	}
}

// pause lets the page not keep up until resume is called.
func (p *page) pause() (resume func()) {
	held := make(chan struct{})
	p.mu.Lock()
	defer p.mu.Unlock()
	p.held = held
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.held = nil
		close(held)
	}
}
