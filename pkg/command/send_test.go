package command_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/switchhook/switchhook/pkg/command"
	"github.com/switchhook/switchhook/pkg/fault"
)

// hop is a transport that comes so far.
type hop func(*httptrace.ClientTrace, *http.Request) (*http.Response, error)

func (h hop) RoundTrip(r *http.Request) (*http.Response, error) {
	return h(httptrace.ContextClientTrace(r.Context()), r)
}

var errBroken = errors.New("broken: https://pbx.example/hunter2")

// TestWhatWasSent is about the one question on which it depends whether a command may be tried again.
func TestWhatWasSent(t *testing.T) {
	for name, test := range map[string]struct {
		transport hop
		nothing   bool
	}{
		"never connected": {func(tr *httptrace.ClientTrace, _ *http.Request) (*http.Response, error) {
			tr.GetConn("pbx.example:443")
			return nil, errBroken
		}, true},
		"writing ended before the headers did": {func(tr *httptrace.ClientTrace, _ *http.Request) (*http.Response, error) {
			tr.GetConn("pbx.example:443")
			tr.GotConn(httptrace.GotConnInfo{})
			tr.WroteRequest(httptrace.WroteRequestInfo{Err: errBroken})
			return nil, errBroken
		}, true},
		"a transport that tells nothing": {func(*httptrace.ClientTrace, *http.Request) (*http.Response, error) {
			return nil, errBroken
		}, false},
		"connected, and maybe still writing": {func(tr *httptrace.ClientTrace, _ *http.Request) (*http.Response, error) {
			tr.GetConn("pbx.example:443")
			tr.GotConn(httptrace.GotConnInfo{})
			return nil, errBroken
		}, false},
		"the headers went, the body did not": {func(tr *httptrace.ClientTrace, _ *http.Request) (*http.Response, error) {
			tr.GetConn("pbx.example:443")
			tr.GotConn(httptrace.GotConnInfo{})
			tr.WroteHeaders()
			tr.WroteRequest(httptrace.WroteRequestInfo{Err: errBroken})
			return nil, errBroken
		}, false},
		"all went": {func(tr *httptrace.ClientTrace, _ *http.Request) (*http.Response, error) {
			tr.GetConn("pbx.example:443")
			tr.GotConn(httptrace.GotConnInfo{})
			tr.WroteHeaders()
			tr.WroteRequest(httptrace.WroteRequestInfo{})
			return nil, errBroken
		}, false},
		"nothing at first, and then it may be writing": {func(tr *httptrace.ClientTrace, _ *http.Request) (*http.Response, error) {
			tr.GetConn("pbx.example:443")
			tr.GotConn(httptrace.GotConnInfo{Reused: true})
			tr.WroteRequest(httptrace.WroteRequestInfo{Err: errBroken})
			tr.GetConn("pbx.example:443")
			tr.GotConn(httptrace.GotConnInfo{})
			return nil, errBroken
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := command.Send(t.Context(), &http.Client{Transport: test.transport}, plan("https://pbx.example/hunter2"))
			checkSent(t, err, test.nothing)
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("want nothing of the address but the host, have %v", err)
			}
		})
	}
}

func plan(address string) command.Plan {
	return command.JSON(http.MethodPost, address, "hunter2", []byte(`{"to":"21"}`))
}

func checkSent(t *testing.T, err error, nothing bool) {
	t.Helper()
	_, lost := errors.AsType[*command.Lost](err)
	if err == nil || lost == nothing || nothing != fault.Is(err, fault.Unavailable) {
		t.Errorf("want nothing sent %v, have %s: %v", nothing, fault.Of(err), err)
	}
}

// TestConnecting has real transports that do not get as far as a connection.
func TestConnecting(t *testing.T) {
	dial := func(err error) *http.Client {
		c := command.NewClient()
		c.Transport.(*http.Transport).DialContext = func(context.Context, string, string) (net.Conn, error) { return nil, err }
		return c
	}
	secure := httptest.NewTLSServer(http.NotFoundHandler())
	defer secure.Close()
	secure.Config.ErrorLog = nil
	for name, test := range map[string]struct {
		client  *http.Client
		address string
		says    string
	}{
		"no such host":      {dial(&net.DNSError{Err: "no such host", Name: "pbx.example", IsNotFound: true}), "http://pbx.example", "no such host"},
		"unreachable":       {dial(&net.OpError{Op: "dial", Net: "tcp", Err: errors.New("no route to host")}), "http://pbx.example", "no route"},
		"not to be trusted": {command.NewClient(), secure.URL, "certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := command.Send(t.Context(), test.client, plan(test.address))
			checkSent(t, err, true)
			if !strings.Contains(err.Error(), test.says) {
				t.Errorf("want it to say %q, have %v", test.says, err)
			}
		})
	}
}

// TestPatience has an exchange that takes the command, and then its time.
func TestPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		waits := hop(func(tr *httptrace.ClientTrace, r *http.Request) (*http.Response, error) {
			tr.GetConn("pbx.example:443")
			tr.GotConn(httptrace.GotConnInfo{})
			<-r.Context().Done()
			return nil, r.Context().Err()
		})
		_, err := command.Send(t.Context(), &http.Client{Transport: waits}, plan("https://pbx.example"))
		checkSent(t, err, false)
		if want, have := command.Patience, time.Since(began); want != have {
			t.Errorf("want to wait %v, have %v", want, have)
		}
	})
}

func TestSend(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.Header.Get("Authorization") != "Bearer hunter2" || string(body) != `{"to":"21"}` || !r.Close {
			t.Errorf("want the plan, on a connection of its own, have %v, %s", r.Header, body)
		}
		w.Header().Set("Retry-After", "5")
		w.WriteHeader(http.StatusTeapot)
		_, _ = io.WriteString(w, "short and stout")
	}))
	defer s.Close()
	a, err := command.Send(t.Context(), command.NewClient(), plan(s.URL))
	if err != nil || a.Status != http.StatusTeapot || string(a.Body) != "short and stout" || !a.Later {
		t.Errorf("want the answer, have %+v and %v", a, err)
	}
	if _, err := command.Send(t.Context(), command.NewClient(), plan("http://%zz/hunter2")); !fault.Is(err, fault.Invalid) ||
		strings.Contains(err.Error(), "hunter2") {
		t.Errorf("want invalid, without the address, have %v", err)
	}
}

// TestRefusalCutOff has refusals whose status says enough.
func TestRefusalCutOff(t *testing.T) {
	var requests atomic.Int32
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		requests.Add(1)
		w.Header().Set("Content-Length", "1000")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, `{"error":"`)
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}))
	defer s.Close()
	a, err := command.Send(t.Context(), command.NewClient(), plan(s.URL))
	if err != nil || a.Status != http.StatusBadRequest || a.Body != nil || requests.Load() != 1 {
		t.Errorf("want status 400 without words, once, have %+v, %v, %d times", a, err, requests.Load())
	}
}
