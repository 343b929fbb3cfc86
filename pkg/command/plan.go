package command

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// Concealed stands in a Plan for a credential.
const Concealed = "xxxxx"

// Plan is a request as it is sent to an exchange; without credentials where people can see it.
type Plan struct {
	Method, URL string
	Header      http.Header
	Body        []byte
}

// JSON returns the plan of a request with a JSON body; without a body for nil. The token is sent as Bearer.
func JSON(method, address, token string, body []byte) Plan {
	p := Plan{Method: method, URL: address, Body: body, Header: http.Header{
		"Accept":        {"application/json"},
		"Authorization": {"Bearer " + token},
	}}
	if body != nil {
		p.Header.Set("Content-Type", "application/json")
	}
	return p
}

// Form returns the plan of a form that is posted.
func Form(address string, values url.Values) Plan {
	return Plan{Method: http.MethodPost, URL: address, Body: []byte(values.Encode()), Header: http.Header{
		"Accept":       {"application/json"},
		"Content-Type": {"application/x-www-form-urlencoded"},
	}}
}

// String returns the method, the address, the headers and the body in the manner of HTTP, for people.
func (p Plan) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s\n", p.Method, p.URL)
	for _, name := range slices.Sorted(maps.Keys(p.Header)) {
		fmt.Fprintf(&b, "%s: %s\n", name, strings.Join(p.Header[name], ", "))
	}
	if len(p.Body) > 0 {
		fmt.Fprintf(&b, "\n%s\n", p.Body)
	}
	return b.String()
}

// request returns the request, for a connection of its own: on one that was kept open, an exchange that closes it at that
// moment leaves nobody the wiser whether it read the command.
func (p Plan) request(ctx context.Context) (*http.Request, error) {
	r, err := http.NewRequestWithContext(ctx, p.Method, p.URL, bytes.NewReader(p.Body))
	if err != nil {
		return nil, err
	}
	r.Header = p.Header.Clone()
	r.Close = true
	return r, nil
}
