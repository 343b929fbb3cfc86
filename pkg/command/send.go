package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"time"

	"github.com/switchhook/switchhook/pkg/fault"
	"github.com/switchhook/switchhook/pkg/harmless"
)

const (
	// Patience is how long an exchange has for connecting and answering, if the context leaves it as much.
	Patience = 20 * time.Second
	// maxAnswer is the longest answer, in bytes.
	maxAnswer = 1 << 20
	// connecting is how long a connection may take, and then TLS.
	connecting = 5 * time.Second
)

var errTooLong = errors.New("the answer has more than 1 MiB")

// NewClient returns a client for Send. It speaks HTTP/1.1, of which it is known when something was sent, and goes through the
// proxy that the environment names.
func NewClient() *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.Protocols = new(http.Protocols)
	transport.Protocols.SetHTTP1(true)
	transport.DialContext = (&net.Dialer{Timeout: connecting}).DialContext
	transport.TLSHandshakeTimeout = connecting
	return &http.Client{Transport: transport}
}

// Answer is what an exchange answered.
type Answer struct {
	Status int
	// Body is whole if the status is 2xx; otherwise it may be missing, as the status says enough.
	Body []byte
	// Later means that the exchange said when to try again.
	Later bool
}

// Send sends a request once, by the client's transport, and reads the answer, whatever its status. It follows no redirect. The error is fault.Unavailable
// when certainly nothing was sent that an exchange could act on, and a *Lost otherwise. It does not hold the address, which may
// be secret, but for the host.
func Send(ctx context.Context, client *http.Client, p Plan) (Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, Patience)
	defer cancel()
	var went progress
	r, err := p.request(httptrace.WithClientTrace(ctx, went.trace()))
	if err != nil {
		return Answer{}, fault.New(fault.Invalid, "the address is not one that requests can be sent to")
	}
	to := p.Method + " " + r.URL.Host
	if ctx.Err() != nil {
		return Answer{}, fault.New(fault.Unavailable, "%s: nothing was sent: %w", to, ctx.Err())
	}
	// Not Do, which follows redirects and keeps cookies.
	response, err := transport(client).RoundTrip(r)
	switch {
	case err != nil && went.nowhere():
		return Answer{}, fault.New(fault.Unavailable, "%s: nothing was sent: %w", to, harmless.Error(err, errTooLong))
	case err != nil:
		return Answer{}, &Lost{fmt.Sprintf("%s: no answer: %v", to, harmless.Error(err, errTooLong))}
	}
	defer response.Body.Close()
	return read(response, to)
}

func transport(client *http.Client) http.RoundTripper {
	if client.Transport == nil {
		return http.DefaultTransport
	}
	return client.Transport
}

// read reads an answer to its end. The status of a refusal counts also when the rest is cut off.
func read(response *http.Response, to string) (Answer, error) {
	a := Answer{Status: response.StatusCode, Later: response.Header.Get("Retry-After") != ""}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	if len(body) > maxAnswer {
		err = errTooLong
	}
	if err == nil {
		a.Body = body
	} else if a.Status/100 == 2 {
		return Answer{}, &Lost{fmt.Sprintf("%s: status %d, and then: %v", to, a.Status, harmless.Error(err, errTooLong))}
	}
	return a, nil
}

// progress follows how far a request came. The transport tells from goroutines of its own.
type progress struct{ looking, connected, headers, over atomic.Bool }

func (p *progress) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		GetConn: func(string) { p.looking.Store(true) },
		GotConn: func(httptrace.GotConnInfo) {
			p.over.Store(false) // The transport tries again where it wrote nothing.
			p.connected.Store(true)
		},
		WroteHeaders: func() { p.headers.Store(true) },
		WroteRequest: func(httptrace.WroteRequestInfo) { p.over.Store(true) },
	}
}

// nowhere reports whether nothing was sent that an exchange could act on: there never was a connection, or writing ended before
// the headers did. That they are not yet written proves nothing, for when the time is up the transport returns while it may
// still be writing. Nor does the silence of a transport that tells nothing.
func (p *progress) nowhere() bool {
	return p.looking.Load() && !p.connected.Load() || p.over.Load() && !p.headers.Load()
}
