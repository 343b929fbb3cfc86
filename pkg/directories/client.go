package directories

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/switchhook/switchhook/pkg/fault"
)

const (
	maxAnswer   = 1 << 20                // bytes
	maxIdle     = 8                      // connections that wait for the next call
	maxRedirect = 5                      // within the same host
	firstPause  = 100 * time.Millisecond // before the second attempt; doubled before each further one
)

var (
	errElsewhere = errors.New("redirected to another host, where the credentials do not belong")
	errTooLong   = errors.New("the answer has more than 1 MiB")
)

// newHTTPClient returns a client that takes its credentials to no other host.
func newHTTPClient() *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = maxIdle
	return &http.Client{
		Transport: transport,
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			if first := via[0].URL; r.URL.Scheme != first.Scheme || r.URL.Host != first.Host || len(via) > maxRedirect {
				return errElsewhere
			}
			return nil
		},
	}
}

// answer is what came back: a status, or an error.
type answer struct {
	body       []byte
	status     int
	retryAfter time.Duration
	err        error
	to         string // method and host
}

// send makes a request, again after a pause when that may help and the deadline allows it, and returns the body of the
// answer; nil without an error means that the directory knows nothing.
func (c *crm) send(ctx context.Context, build func(context.Context) (*http.Request, error)) ([]byte, error) {
	for attempt := 0; ; attempt++ {
		a := c.once(ctx, build)
		switch {
		case a.err == nil && a.status == c.settings.NotFound, a.status == http.StatusNoContent:
			return nil, nil
		case a.err == nil && a.status/100 == 2:
			return a.body, nil
		case attempt == c.settings.Retries, !a.temporary(), !pause(ctx, max(firstPause<<attempt, a.retryAfter)):
			return nil, c.failure(ctx, a)
		}
	}
}

func (c *crm) once(ctx context.Context, build func(context.Context) (*http.Request, error)) answer {
	ctx, cancel := context.WithTimeout(ctx, c.settings.Timeout)
	defer cancel()
	r, err := build(ctx)
	if err != nil {
		return answer{err: err, to: "request"}
	}
	a := answer{to: r.Method + " " + r.URL.Host}
	response, err := c.http.Do(r)
	if err != nil {
		a.err = err
		return a
	}
	defer response.Body.Close()
	a.status = response.StatusCode
	a.retryAfter = retryAfter(response.Header.Get("Retry-After"), time.Now())
	a.body, a.err = io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	if len(a.body) > maxAnswer {
		a.err = errTooLong
	}
	return a
}

// temporary reports whether the same request may succeed later.
func (a answer) temporary() bool {
	if a.err != nil {
		return !errors.Is(a.err, errElsewhere) && !errors.Is(a.err, errTooLong)
	}
	return a.status == http.StatusTooManyRequests || a.status >= 500
}

func (c *crm) failure(ctx context.Context, a answer) error {
	switch {
	case errors.Is(a.err, errElsewhere), errors.Is(a.err, errTooLong):
		return fault.New(fault.Internal, "directory %s: %s: %w", c.name, a.to, harmlessError(a.err))
	case a.err != nil:
		return failed(ctx, c.name, a.to, a.err)
	case a.status == http.StatusUnauthorized, a.status == http.StatusForbidden:
		return fault.New(fault.Denied, "directory %s: %s: status %d", c.name, a.to, a.status)
	case a.temporary():
		return fault.New(fault.Unavailable, "directory %s: %s: status %d", c.name, a.to, a.status)
	default:
		return fault.New(fault.Internal, "directory %s: %s: status %d", c.name, a.to, a.status)
	}
}

// pause waits, and reports whether there is time left for something after it. If there is not, it does not wait.
func pause(ctx context.Context, d time.Duration) bool {
	if deadline, limited := ctx.Deadline(); limited && time.Until(deadline) <= d {
		return false
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
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
