package notify

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"time"

	"github.com/switchhook/switchhook/pkg/config"
	"github.com/switchhook/switchhook/pkg/fault"
	"github.com/switchhook/switchhook/pkg/harmless"
)

const (
	defaultTimeout = 10 * time.Second
	maxAnswer      = 64 << 10 // bytes
)

// errAnswer is what is said of an answer with a good status that is none of the service's.
var errAnswer = errors.New("the answer is not what the service answers when it took a message")

// poster makes requests by HTTP, some of them through other people's clients. Those give their own errors, which show URLs
// with credentials in them; so a request is judged by what was seen on the wire, and their words are dropped.
type poster struct {
	name      string // the channel's
	transport http.RoundTripper
	timeout   time.Duration
}

func newPoster(name string, roots *x509.CertPool, timeout time.Duration) poster {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	return poster{name, transport, timeout}
}

// deliver has a request made, and says what became of it. What makes the request must use the client that it is given, and the
// context.
func (p poster) deliver(ctx context.Context, send func(context.Context, *http.Client) error) error {
	ctx, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	w := witness{next: p.transport}
	err := send(ctx, &http.Client{
		Transport: &w,
		// Credentials belong to no other address, and a POST would become a GET.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	})
	return w.verdict(ctx, p.name, err)
}

// witness sees what goes over the wire.
type witness struct {
	next       http.RoundTripper
	to         string // method and host; empty when no request was made
	status     int    // 0 when there was no answer
	retryAfter time.Duration
	err        error
}

// RoundTrip implements http.RoundTripper.
func (w *witness) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("User-Agent", "switchhook")
	w.to = r.Method + " " + r.URL.Host
	response, err := w.next.RoundTrip(r)
	if w.err = err; err != nil {
		return nil, err
	}
	w.status = response.StatusCode
	w.retryAfter = retryAfter(response.Header.Get("Retry-After"), time.Now())
	response.Body = body{io.LimitReader(response.Body, maxAnswer), response.Body}
	return response, nil
}

// body is an answer's, up to a length.
type body struct {
	io.Reader
	io.Closer
}

// verdict says what became of the request, for which the client may have an error.
func (w *witness) verdict(ctx context.Context, channel string, err error) error {
	switch {
	case w.to == "" && ctx.Err() != nil:
		return fault.New(fault.Unavailable, "channel %s: send: %w", channel, ctx.Err())
	case w.to == "":
		return fault.New(fault.Invalid, "channel %s: no request can be made of the message", channel)
	case w.status == 0:
		return fault.New(fault.Unavailable, "channel %s: %s: %w", channel, w.to, harmlessError(ctx, w.err))
	case w.status/100 == 2 && err == nil:
		return nil
	case w.status/100 == 2:
		return fault.New(fault.Unavailable, "channel %s: %s: status %d: %w", channel, w.to, w.status, errAnswer)
	}
	failure := fault.New(kindOf(w.status), "channel %s: %s: status %d", channel, w.to, w.status)
	if w.retryAfter > 0 {
		return &laterError{failure, w.retryAfter}
	}
	return failure
}

// kindOf classifies a status that is no success.
func kindOf(status int) fault.Kind {
	switch {
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return fault.Denied
	case status >= 500, status == http.StatusTooManyRequests, status == http.StatusRequestTimeout, status == http.StatusTooEarly:
		return fault.Unavailable
	default:
		return fault.Invalid
	}
}

// retryAfter reads a number of seconds or a point in time. It is 0 for anything else.
func retryAfter(header string, now time.Time) time.Duration {
	if seconds, err := strconv.ParseUint(header, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(header); err == nil {
		return max(0, at.Sub(now))
	}
	return 0
}

// harmlessError returns what may be said about why talking to somebody came to nothing.
func harmlessError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return harmless.Error(err, os.ErrDeadlineExceeded)
}

// wire are the settings that all channels have which connect to somewhere.
type wire struct {
	CAFile  string
	Timeout time.Duration
	roots   *x509.CertPool // nil for the system's
}

// newWire checks the settings and reads the file of certificates. Every type has the keys ca_file and timeout.
func newWire(s *config.Channel, caFile string, timeout time.Duration) (wire, config.Problems) {
	w := wire{CAFile: caFile, Timeout: timeout}
	problems := s.Check(timeout > 0, "timeout", "want more than 0s")
	if caFile == "" {
		return w, problems
	}
	pem, err := os.ReadFile(s.Path(caFile))
	w.roots = x509.NewCertPool()
	if err != nil {
		return w, append(problems, s.Problem("ca_file", "%v", err))
	}
	return w, append(problems, s.Check(w.roots.AppendCertsFromPEM(pem), "ca_file", "has no certificate in PEM")...)
}

// isAddress reports whether that is an address that can be asked by HTTP.
func isAddress(text string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != ""
}

const wantAddress = "want an address that begins with https:// or http://"
