package browser_test

import (
	"io"
	"net"
	"syscall"
	"testing"
)

// cable is between a browser and the server, and can be cut. So a server that comes back has things to tell before anybody is there
// to hear them.
type cable struct {
	net.Listener
	to  string
	cut chan bool // whether connections end, and new ones too
}

func newCable(t *testing.T, to string) *cable {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cable{Listener: l, to: to, cut: make(chan bool)}
	accepted := make(chan net.Conn)
	go func() {
		defer close(accepted)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			accepted <- conn
		}
	}()
	go c.run(accepted)
	t.Cleanup(func() { _ = l.Close() })
	return c
}

func (c *cable) run(accepted <-chan net.Conn) {
	isCut := false
	var open []net.Conn
	for {
		select {
		case isCut = <-c.cut:
			for _, conn := range open {
				_ = conn.Close()
			}
			open = nil
		case conn, ok := <-accepted:
			if !ok {
				return
			}
			far, err := net.Dial("tcp", c.to)
			if isCut || err != nil {
				_ = conn.Close()
				continue
			}
			open = append(open, conn, far)
			go pipe(conn, far)
			go pipe(far, conn)
		}
	}
}

func pipe(to, from net.Conn) {
	_, _ = io.Copy(to, from) // until either ends
	_ = to.Close()
	_ = from.Close()
}

func testKill(t *testing.T, shared *house) {
	h := newHouse(shared.browser, t)
	h.liven(t)
	line := newCable(t, h.listen)
	w := h.newWindow(t, "http://"+line.Addr().String())
	w.expect("ERR_", "503", "WebSocket") // the server is not there
	w.logIn("acme", "pavel")
	w.run(`window.neverLoadedAgain = true`)
	before := h.call(t, "acme", "602555666", "NOC").rings("906")
	w.sees(".pop .call[data-phase=ringing] .name", "+420 602 555 666")
	colour := `getComputedStyle(document.querySelector(".tile .value")).color`
	w.isWholeBoard()
	fresh := w.eval(colour)

	h.server.Stop(syscall.SIGKILL)
	line.cut <- true
	w.sees(".banner", "Connection lost since")
	w.sees(".banner", "wallboard and missed calls")
	w.sees(".banner", "my calls")
	w.sees(".connection", "Connection lost")
	w.until(`document.title.includes("Connection lost")`)
	if stale := w.eval(colour); stale == fresh {
		t.Errorf("want values in grey while nobody knows them, have %s as before", stale)
	}
	for _, theme := range []string{"light", "dark"} {
		w.run(`document.documentElement.dataset.theme = ` + js(theme))
		w.picture("lost-" + theme)
	}

	h.start(t)
	before.isMissed()
	h.call(t, "acme", "602555777", "NOC").rings("906").isMissed() // nobody at the page will have seen it
	h.call(t, "acme", "602777888", "").rings("906")
	line.cut <- false
	w.sees(".pop .call[data-phase=ringing] .name", "Alena Malá")
	w.seesNo(".pop .call", "+420 602 555 666")
	w.isLive()
	w.seesNo(".banner", "")
	w.goTo("calls")
	w.sees(".recent li", "+420 602 555 666")
	w.sees(".recent li", "+420 602 555 777")
	w.goTo("missed")
	w.sees(".missedlist li .who", "+420 602 555 666")
	w.until(`window.neverLoadedAgain`)
}
