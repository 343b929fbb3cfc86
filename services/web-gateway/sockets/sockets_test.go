package sockets_test

import (
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"
	"github.com/prometheus/client_golang/prometheus"

	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
	"github.com/switchhook/switchhook/services/web-gateway/frames"
	"github.com/switchhook/switchhook/services/web-gateway/sockets"
)

func TestPop(t *testing.T) {
	w := start(t)
	c, in := w.auth(karel, 0)
	if !in.OK || !slices.Equal(in.Lines, []string{"101", "102"}) || !slices.Equal(in.Rights, []string{"calls", "commands"}) {
		t.Errorf("want lines and rights, have %+v", in)
	}
	if _, err := time.Parse(time.RFC3339, in.Expires); err != nil {
		t.Error(err)
	}
	if s := c.want("snapshot"); len(s.Calls) != 0 {
		t.Errorf("want none, have %+v", s)
	}
	w.tell(rings("globex", "x", "101"))
	w.tell(rings("acme", "y", "103"))
	w.tell(rings("acme", "a", "101"))
	rang := c.want("Ringing")
	if rang.Seq != 3 || rang.Line != "101" {
		t.Errorf("want the third event, have %+v", rang)
	}
	w.tell(happens("acme", "a", "102", pbxv1.Call_ANSWERED))
	c.want("Hangup")
	if f := c.want("Answered"); f.Seq != 4 || f.UniqueID != rang.UniqueID {
		t.Errorf("want the same call, have %+v", f)
	}
}

func TestComeBack(t *testing.T) {
	w := start(t)
	w.tell(rings("acme", "a", "101"))
	w.tell(rings("acme", "b", "103"))
	w.tell(happens("acme", "a", "101", pbxv1.Call_ANSWERED))
	c, in := w.auth(karel, 1)
	if in.Seq != 1 {
		t.Errorf("want it to go on at 1, have %+v", in)
	}
	if f := c.want("Answered"); f.Seq != 3 {
		t.Errorf("want the third event, have %+v", f)
	}
	fresh, _ := w.auth(karel, 0)
	if s := fresh.want("snapshot"); s.Seq != 3 || len(s.Calls) != 1 || s.Calls[0].Event != "Answered" {
		t.Errorf("want a call, have %+v", s)
	}
}

// TestReplicaIsBehind comes back to a replica that has not read yet what the page has seen.
func TestReplicaIsBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := startInside(t)
		w.tell(rings("acme", "a", "101"))
		c := w.connect()
		c.auth(karel, 2)
		synctest.Wait()
		w.tell(rings("acme", "b", "101"))
		w.tell(rings("acme", "c", "101"))
		c.want("authresponse")
		if f := c.want("Ringing"); f.Seq != 3 {
			t.Errorf("want what is new to the page only, have %+v", f)
		}
		begun := time.Now()
		lost, _ := w.auth(karel, 99)
		if s := lost.want("snapshot"); s.Seq != 3 || time.Since(begun) != 3*time.Second {
			t.Errorf("want a snapshot after 3s, have %+v after %s", s, time.Since(begun))
		}
		w.end(c, lost)
	})
}

// end closes what is open, so that nothing is left in the bubble.
func (w *world) end(clients ...*client) {
	for _, c := range clients {
		c.CloseNow()
	}
	w.stop()
}

func TestStreamBeginsAnew(t *testing.T) {
	w := start(t)
	w.tell(rings("acme", "a", "101"))
	w.tell(rings("acme", "b", "101"))
	c, _ := w.auth(karel, 2)
	w.seq = 0
	w.tell(rings("acme", "c", "102"))
	if f := c.want("Ringing"); f.Seq != 1 {
		t.Errorf("want the first event, have %+v", f)
	}
	if s := c.want("snapshot"); s.Seq != 1 || len(s.Calls) != 1 {
		t.Errorf("want the new call only, have %+v", s)
	}
}

func TestAuthRefused(t *testing.T) {
	w := start(t)
	w.lifetime["acme/login/karel/calls,expired"] = 0
	for name, test := range map[string]struct {
		request frames.Request
		want    websocket.StatusCode
	}{
		"forged":             {frames.Request{Token: "forged", IdentityType: "login", IdentityValue: "karel"}, frames.CloseToken},
		"expired":            {frames.Request{Token: "acme/login/karel/calls,expired", IdentityType: "login", IdentityValue: "karel"}, frames.CloseToken},
		"of another":         {frames.Request{Token: karel, IdentityType: "login", IdentityValue: "jana"}, frames.CloseDenied},
		"of another type":    {frames.Request{Token: karel, IdentityType: "line", IdentityValue: "karel"}, frames.CloseDenied},
		"of no one":          {frames.Request{Token: "acme/line/999/calls", IdentityType: "line", IdentityValue: "999"}, frames.CloseNoSuch},
		"without rights":     {frames.Request{Token: "acme/login/karel/wallboard", IdentityType: "login", IdentityValue: "karel"}, frames.CloseDenied},
		"cannot be verified": {frames.Request{Token: "down", IdentityType: "login", IdentityValue: "karel"}, websocket.StatusTryAgainLater},
	} {
		t.Run(name, func(t *testing.T) {
			c := w.connect()
			test.request.Action = "auth"
			c.send(test.request)
			if f := c.want("authresponse"); f.OK || f.Reason == "" || f.Lines != nil {
				t.Errorf("want a refusal, have %+v", f)
			}
			c.closed(test.want)
		})
	}
}

func TestWrongFrames(t *testing.T) {
	w := start(t)
	long := text(`{"action":"auth","token":"%s"}`, strings.Repeat("x", frames.MaxRequest))
	for name, test := range map[string]struct {
		kind websocket.MessageType
		data []byte
		want websocket.StatusCode
	}{
		"no JSON":       {websocket.MessageText, text("hello"), frames.CloseInvalid},
		"unknown key":   {websocket.MessageText, text(`{"action":"hangupcall","tenant":"globex"}`), frames.CloseInvalid},
		"binary":        {websocket.MessageBinary, text(`{"action":"hangupcall"}`), frames.CloseInvalid},
		"too long":      {websocket.MessageText, long, frames.CloseTooLarge},
		"before auth":   {websocket.MessageText, text(`{"action":"hangupcall"}`), frames.CloseToken},
		"invalid UTF-8": {websocket.MessageText, []byte("{\"action\":\"\xff\"}"), frames.CloseInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			c := w.connect()
			c.write(test.kind, test.data)
			c.closed(test.want)
			if len(w.commands()) > 0 {
				t.Errorf("want no command, have %v", w.commands())
			}
		})
	}
}

func TestOrigins(t *testing.T) {
	w := start(t)
	for origin, want := range map[string]struct {
		status int
		code   websocket.StatusCode // of what becomes of auth; 0: it is let in
	}{
		"":                                {http.StatusSwitchingProtocols, 0},
		"http://" + w.addr:                {http.StatusSwitchingProtocols, 0},
		"https://crm.acme.example":        {http.StatusSwitchingProtocols, 0},
		"https://crm.globex.example":      {http.StatusSwitchingProtocols, frames.CloseDenied},
		"https://crm.acme.example.evil":   {http.StatusForbidden, 0},
		"http://crm.acme.example":         {http.StatusForbidden, 0},
		"https://crm.acme.example:444":    {http.StatusForbidden, 0},
		"https://evil.example":            {http.StatusForbidden, 0},
		"null":                            {http.StatusForbidden, 0},
		"http://" + w.addr + ".evil":      {http.StatusForbidden, 0},
		"https://evil.example/" + w.addr:  {http.StatusForbidden, 0},
		"https://" + w.addr + "@evil.com": {http.StatusForbidden, 0},
	} {
		c, status, _ := w.dial(origin)
		if status != want.status {
			t.Errorf("%s: want %d, have %d", origin, want.status, status)
		}
		if c == nil {
			continue
		}
		c.auth(karel, 0)
		if f := c.want("authresponse"); f.OK != (want.code == 0) {
			t.Errorf("%s: want %d, have %+v", origin, want.code, f)
		}
		if want.code != 0 {
			c.closed(want.code)
		}
	}
}

func TestNotReady(t *testing.T) {
	s := sockets.New(sockets.Options{Origins: &stubs{}})
	if s.Ready() == nil {
		t.Error("want it not ready")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: s}
	go server.Serve(l)
	defer server.Close()
	w := &world{TB: t, addr: l.Addr().String()}
	if _, status, _ := w.dial(""); status != http.StatusServiceUnavailable {
		t.Errorf("want %d, have %d", http.StatusServiceUnavailable, status)
	}
}

func TestNoAuth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := startInside(t)
		begun := time.Now()
		c := w.connect()
		c.closed(frames.CloseNoAuth)
		if have := time.Since(begun); have != 5*time.Second {
			t.Errorf("want it closed after 5s, have %s", have)
		}
		w.end(c)
	})
}

func TestExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := startInside(t)
		begun := time.Now()
		w.lifetime[karel] = 90 * time.Second
		c, _ := w.auth(karel, 0)
		c.want("snapshot")
		c.limit = time.Hour
		// The page reads, and so answers pings.
		go func() {
			time.Sleep(time.Minute)
			c.auth(karel, 0)
			time.Sleep(time.Minute)
			w.tell(rings("acme", "a", "101"))
		}()
		for _, want := range []string{"authresponse", "Ringing"} {
			f, err := c.next()
			if err != nil || f.Event != want {
				t.Fatalf("want %s, have %+v, %v", want, f, err)
			}
		}
		_, err := c.next()
		if have := websocket.CloseStatus(err); have != frames.CloseToken {
			t.Errorf("want %d, have %v", frames.CloseToken, err)
		}
		if have := time.Since(begun); have != 150*time.Second {
			t.Errorf("want it closed 90s after the renewal, have %s", have)
		}
		w.end(c)
	})
}

func TestClientIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		registry := prometheus.NewRegistry()
		p := newPipes()
		w := serve(t, p, func(o *sockets.Options) { o.Metrics = registry })
		w.dialer = p.dial
		c, _ := w.auth(karel, 0) // and never reads again
		c.want("snapshot")
		time.Sleep(19 * time.Second)
		if have := value(t, registry, "switchhook_web_gateway_sockets"); have != 1 {
			t.Errorf("want it open, have %v", have)
		}
		time.Sleep(12 * time.Second)
		synctest.Wait()
		if have := value(t, registry, "switchhook_web_gateway_sockets"); have != 0 {
			t.Errorf("want it given up, have %v", have)
		}
		w.end(c)
	})
}

func TestRenewal(t *testing.T) {
	w := start(t)
	c, _ := w.auth(karel, 0)
	c.want("snapshot")
	w.tell(rings("acme", "a", "101"))
	c.want("Ringing")
	c.auth("acme/login/karel/calls,commands,wallboard", 0)
	if f := c.want("authresponse"); !f.OK || f.Seq != 1 || len(f.Rights) != 3 {
		t.Errorf("want it renewed, have %+v", f)
	}
	w.tell(happens("acme", "a", "101", pbxv1.Call_ANSWERED))
	c.want("Answered")
	c.auth("acme/login/karel/commands", 0) // it may see calls no more
	c.want("authresponse")
	if s := c.want("snapshot"); len(s.Calls) != 0 {
		t.Errorf("want none, have %+v", s)
	}
	w.tell(happens("acme", "a", "", pbxv1.Call_ENDED))
	c.send(frames.Request{Action: "hangupcall", UniqueID: "x"})
	c.want("hangupcallresponse")
	c.auth("acme/line/101/calls", 0)
	if f := c.want("authresponse"); f.OK {
		t.Errorf("want another identity refused, have %+v", f)
	}
	c.closed(frames.CloseDenied)
}

func TestOtherTenantsIdentity(t *testing.T) {
	w := start(t)
	c, _ := w.auth(karel, 0)
	c.want("snapshot")
	c.auth("globex/login/karel/calls", 0)
	c.want("authresponse")
	c.closed(frames.CloseDenied)
}

func TestRenewalRefused(t *testing.T) {
	w := start(t)
	c, _ := w.auth(karel, 0)
	c.want("snapshot")
	c.send(frames.Request{Action: "auth", Token: "forged", IdentityType: "login", IdentityValue: "karel"})
	c.want("authresponse")
	c.closed(frames.CloseToken)
}

func TestDrain(t *testing.T) {
	w := start(t)
	var clients []*client
	for range 5 {
		c, _ := w.auth(karel, 0)
		clients = append(clients, c)
	}
	silent := w.connect()
	closed := make(chan struct{})
	go func() {
		for _, c := range append(clients, silent) {
			c.closed(frames.CloseGoing)
		}
		close(closed)
	}()
	w.stop()
	<-closed
	if c, status, err := w.dial(""); err == nil {
		if _, err := c.next(); websocket.CloseStatus(err) != frames.CloseGoing {
			t.Errorf("want nobody let in, have %d, %v", status, err)
		}
	}
}

func value(t *testing.T, registry *prometheus.Registry, name string) float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		m := f.GetMetric()[0]
		return m.GetGauge().GetValue() + m.GetCounter().GetValue() + float64(m.GetHistogram().GetSampleCount())
	}
	t.Fatalf("want metric %s", name)
	return 0
}
