package sim

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/switchhook/switchhook/services/pbxsim/dialect"
)

// answer is what became of a request.
type answer struct {
	status           int // 0 when there was none
	ids              []string
	quarantined      string
	err              error // why there was none; it holds no credential
	sent, answeredAt time.Time
}

// sender keeps connections open. Like an exchange it follows no redirects.
type sender struct {
	transport *http.Transport
	timeout   time.Duration
}

func newSender(connections int, timeout time.Duration) *sender {
	return &sender{timeout: timeout, transport: &http.Transport{
		DialContext:         (&net.Dialer{Timeout: timeout}).DialContext,
		MaxIdleConnsPerHost: connections,
		DisableCompression:  true,
	}}
}

// send waits for the answer, but no longer than the timeout.
func (s *sender) send(target *url.URL, m dialect.Message) answer {
	ctx, cancel := context.WithTimeout(context.Background(), s.timeout)
	defer cancel()
	a := answer{sent: time.Now().UTC()}
	a.err = s.exchange(request(target, m).WithContext(ctx), &a)
	a.answeredAt = time.Now().UTC()
	return a
}

func (s *sender) exchange(r *http.Request, a *answer) error {
	response, err := s.transport.RoundTrip(r)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil {
		return fmt.Errorf("answer: %w", err)
	}
	a.status = response.StatusCode
	a.read(body)
	return nil
}

// read finds the ids in what an ingress answers. Other answers have none.
func (a *answer) read(body []byte) {
	var reply struct {
		ID          string   `json:"id"`
		IDs         []string `json:"ids"`
		Quarantined string   `json:"quarantined"`
	}
	if a.status >= 300 || json.Unmarshal(body, &reply) != nil {
		return
	}
	a.ids, a.quarantined = reply.IDs, reply.Quarantined
	if reply.ID != "" {
		a.ids = append(a.ids, reply.ID)
	}
}

// request says in Date when the exchange originated it (RFC 9110, 6.6.1), by its own clock, however late it is sent.
func request(target *url.URL, m dialect.Message) *http.Request {
	r := m.Request
	header := http.Header{"Date": {m.At.UTC().Format(http.TimeFormat)}}
	maps.Copy(header, r.Header)
	body := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(r.Body)), nil }
	first, _ := body()
	return &http.Request{
		Method: r.Method,
		URL: &url.URL{
			Scheme: target.Scheme, Host: target.Host,
			Path: strings.TrimSuffix(target.Path, "/") + r.Path, RawQuery: r.Query,
		},
		Header: header, Body: first, GetBody: body, ContentLength: int64(len(r.Body)),
	}
}

// nobodyListens reports whether an error means that there is no server at all.
func nobodyListens(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Op == "dial"
}

// Wait waits until something listens at each target.
func Wait(ctx context.Context, targets map[string]*url.URL) error {
	var dialer net.Dialer
	for _, target := range targets {
		for {
			connection, err := dialer.DialContext(ctx, "tcp", address(target))
			if err == nil {
				_ = connection.Close()
				break
			}
			if !sleep(ctx, 50*time.Millisecond) {
				return fmt.Errorf("%s: nobody listens there: %w", target, err)
			}
		}
	}
	return nil
}

func address(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = u.Scheme
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// sleep reports false when the context ended before.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
