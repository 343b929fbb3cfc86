package commandtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/switchhook/switchhook/pkg/command"
	"github.com/switchhook/switchhook/pkg/fault"
)

// outcome is what must come of an originate.
type outcome struct {
	answer http.HandlerFunc
	lost   bool
	kind   fault.Kind
	says   string // part of the error
	done   bool
	sent   int // commands; 1 unless given
}

// words are in every answer that refuses.
const words = "no such user"

func refuse(status int, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		_, _ = fmt.Fprintf(w, `{"error":{"message":%q}}`, words)
	}
}

func say(contentType, text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		_, _ = io.WriteString(w, text)
	}
}

// abort ends the connection without another word.
func abort(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

func (d Dialect) outcomes() map[string]outcome {
	return map[string]outcome{
		"accepted":                             {answer: d.Yes, done: true},
		"connection dropped after acting":      {answer: abort, lost: true},
		"answer cut off":                       {answer: cutOff(d.Yes), lost: true},
		"answer of 2 MiB":                      {answer: say("application/json", strings.Repeat(" ", 2<<20)), lost: true, says: "1 MiB"},
		"half an object":                       {answer: say("application/json", `{"status":"succ`), lost: true},
		"HTML":                                 {answer: say("text/html", "<html><body>Log in</body></html>"), lost: true},
		"status 500":                           {answer: refuse(http.StatusInternalServerError), kind: fault.Internal, says: words},
		"status 502":                           {answer: refuse(http.StatusBadGateway), lost: true},
		"status 504":                           {answer: refuse(http.StatusGatewayTimeout), lost: true},
		"status 503":                           {answer: refuse(http.StatusServiceUnavailable), kind: fault.Internal},
		"status 503 that says when to retry":   {answer: refuse(http.StatusServiceUnavailable, "Retry-After", "5"), kind: fault.Unavailable},
		"status 429":                           {answer: refuse(http.StatusTooManyRequests), kind: fault.Unavailable, says: words},
		"status 400":                           {answer: refuse(http.StatusBadRequest), kind: fault.Internal, says: words},
		"status 404 in HTML":                   {answer: notFound, kind: fault.Internal, says: "404"},
		"status 403":                           {answer: refuse(http.StatusForbidden), kind: fault.Denied, says: words},
		"status 401":                           {answer: refuse(http.StatusUnauthorized), kind: fault.Denied, sent: 1 + d.logins()},
		"status 401 once":                      {answer: once(refuse(http.StatusUnauthorized), d.Yes), kind: fault.Denied, done: d.Login != nil, sent: 1 + d.logins()},
		"status 401, and dropped after acting": {answer: once(refuse(http.StatusUnauthorized), abort), kind: fault.Denied, lost: d.Login != nil, sent: 1 + d.logins()},
		"redirect":                             {answer: refuse(http.StatusTemporaryRedirect, "Location", "/elsewhere"), kind: fault.Internal, says: "redirect"},
		"redirect to nowhere":                  {answer: refuse(http.StatusFound, "Location", "http://%zz"), kind: fault.Internal, says: "redirect"},
		"all secrets told":                     {answer: d.tell(http.StatusBadRequest), kind: fault.Internal, says: command.Concealed},
		"all secrets told as text":             {answer: d.tellText, kind: fault.Internal, says: command.Concealed},
		"all secrets told with status 200":     {answer: d.tell(http.StatusOK), kind: fault.Internal, says: command.Concealed},
	}
}

func notFound(w http.ResponseWriter, r *http.Request) {
	w.WriteHeader(http.StatusNotFound)
	say("text/html", "<html><b>404</b></html>")(w, r)
}

// once answers in one way first, and in another one from then on. Commands of one test come one after the other.
func once(first, then http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		answer := first
		first = then
		answer(w, r)
	}
}

// cutOff says that there is more, and ends the connection.
func cutOff(answer http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "10000")
		answer(w, r)
		_ = http.NewResponseController(w).Flush()
		abort(w, r)
	}
}

// tell puts all that came, and the secrets, into an error.
func (d Dialect) tell(status int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = fmt.Fprintf(w, `{"error":%q}`, fmt.Sprint(r.Header["Authorization"], string(body), d.Secrets))
	}
}

func (d Dialect) tellText(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	w.WriteHeader(http.StatusBadRequest)
	_, _ = fmt.Fprint(w, r.Header["Authorization"], string(body), d.Secrets)
}

func (d Dialect) testOutcomes(t *testing.T) {
	for name, o := range d.outcomes() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := d.serve(t, o.answer)
			x := d.commander(t, e.URL, e.login.URL)
			done, err := x.Execute(t.Context(), Originate("+420777888999"))
			d.checkLeaks(t, err, x)
			o.check(t, done, err)
			if o.done && done != d.Done {
				t.Errorf("want %+v, have %+v", d.Done, done)
			}
			commands, _ := e.received()
			if want := max(1, o.sent); want != len(commands) {
				t.Errorf("want %d commands to be sent, have %d", want, len(commands))
			}
		})
	}
	t.Run("time is up after the command arrived", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		e := d.serve(t, func(_ http.ResponseWriter, r *http.Request) {
			cancel()
			<-r.Context().Done()
		})
		done, err := d.commander(t, e.URL, e.login.URL).Execute(ctx, Originate("+420777888999"))
		outcome{lost: true, says: context.Canceled.Error()}.check(t, done, err)
	})
}

func (o outcome) check(t testing.TB, done command.Done, err error) {
	t.Helper()
	lost, isLost := errors.AsType[*command.Lost](err)
	switch {
	case o.done:
		if err != nil {
			t.Errorf("want no error, have %v", err)
		}
		return
	case err == nil || done != (command.Done{}):
		t.Fatalf("want an error, have %+v", done)
	case o.lost != isLost:
		t.Errorf("want lost %v, have %v", o.lost, err)
	case !o.lost && !fault.Is(err, o.kind):
		t.Errorf("want %s, have %s: %v", o.kind, fault.Of(err), err)
	case isLost && (!fault.Is(err, fault.Internal) || lost.Reason == ""):
		t.Errorf("want what is lost to be of no kind, and to have a reason, have %v", err)
	}
	if !strings.Contains(err.Error(), o.says) {
		t.Errorf("want it to say %q, have %v", o.says, err)
	}
}

// testNoConnection plays what happens to connections.
func (d Dialect) testNoConnection(t *testing.T) {
	e := d.serve(t, d.Yes)
	plain := strings.Replace(e.URL, "http:", "https:", 1)
	reset := listen(t, func(c net.Conn) {
		_, _ = c.Read(make([]byte, 1)) // or it may be reset while it connects, when nothing was sent
		_ = c.(*net.TCPConn).SetLinger(0)
		_ = c.Close()
	})
	refused := listen(t, func(net.Conn) {})
	_ = refused.Close()
	for name, test := range map[string]struct {
		address string
		outcome
	}{
		"refused":             {"http://" + refused.Addr().String(), outcome{kind: fault.Unavailable}},
		"no TLS":              {plain, outcome{kind: fault.Unavailable}},
		"reset while reading": {"http://" + reset.Addr().String(), outcome{lost: true}},
	} {
		t.Run(name, func(t *testing.T) {
			x := d.commander(t, test.address, e.login.URL)
			done, err := x.Execute(t.Context(), Originate("+420777888999"))
			d.checkLeaks(t, err)
			test.check(t, done, err)
		})
	}
	t.Run("too late to begin", func(t *testing.T) {
		ctx, cancel := context.WithDeadline(t.Context(), time.Unix(0, 0))
		defer cancel()
		done, err := d.commander(t, e.URL, e.login.URL).Execute(ctx, Originate("+420777888999"))
		outcome{kind: fault.Unavailable, says: context.DeadlineExceeded.Error()}.check(t, done, err)
	})
	if commands, _ := e.received(); len(commands) != 0 {
		t.Errorf("want no command to be sent, have %q", commands)
	}
}

// listen accepts connections until the test ends.
func listen(t testing.TB, serve func(net.Conn)) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			serve(c)
		}
	}()
	return l
}
