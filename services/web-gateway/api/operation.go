package api

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/switchhook/switchhook/pkg/fault"
	"github.com/switchhook/switchhook/services/web-gateway/tokens"
)

// credential is what an operation wants to see.
type credential string

const (
	nothing credential = ""        // anybody may ask, or the body says who it is
	apiKey  credential = "apiKey"  // a tenant's, from a server
	session credential = "session" // the cookie of who logged in, from our own page
	access  credential = "access"  // an access token, from any configured page
)

// operation is something that can be done, with its description.
type operation struct {
	method, path string
	name         string // in the description and in metrics
	summary      string
	credential   credential
	right        tokens.Right // what the access token must allow; empty: any does
	ours         bool         // only for our own page: a browser must not send it for another
	query        []parameter
	body         any   // of the type that is read; nil for none
	answer       any   // of the type that is written; nil for none
	streams      bool  // the answer is a stream of server-sent events
	refusals     []int // besides those that the above make possible
	// serve does it. A nil answer is 204, but for streams, which have written theirs.
	serve func(*request) (any, error)
}

// parameter is one of a query.
type parameter struct{ name, kind, format, about string }

// request is one that may be served: the credential is good.
type request struct {
	*http.Request
	w      http.ResponseWriter
	now    time.Time
	claims tokens.Claims  // of the access token or session
	tenant *tokens.Tenant // whose
}

const (
	bodyLimit  = 16 << 10
	askLimit   = 5 * time.Second // for another service to answer
	retryAfter = 2 * time.Second
)

// resource serves the operations of one path.
type resource struct {
	api        *api
	operations []operation
}

func (s *resource) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var methods []string
	for _, o := range s.operations {
		if o.method == r.Method {
			s.api.run(o, w, r)
			return
		}
		methods = append(methods, o.method)
	}
	if r.Method == http.MethodOptions && s.operations[0].credential == access {
		s.api.preflight(w, r, methods)
		return
	}
	w.Header().Set("Allow", strings.Join(methods, ", "))
	refuse(w, refusal{status: http.StatusMethodNotAllowed, detail: "Another method is wanted here; see Allow."})
}

// run admits a request, serves it and answers.
func (a *api) run(o operation, w http.ResponseWriter, r *http.Request) {
	req := &request{Request: r, w: w, now: a.Now()}
	var answer any
	err := a.admit(o, req)
	if err == nil {
		answer, err = o.serve(req)
	}
	status := http.StatusOK
	switch {
	case err != nil:
		refused := asRefusal(err)
		status = refused.status
		if status >= http.StatusInternalServerError {
			a.Log.Warn("request not answered", "operation", o.name, "tenant", req.claims.Tenant, "err", err)
		}
		refuse(w, refused)
	case o.streams:
	case answer == nil:
		status = http.StatusNoContent
		w.WriteHeader(status)
	default:
		writeJSON(w, status, "application/json", answer)
	}
	a.metrics.requests.WithLabelValues(o.name, strconv.Itoa(status)).Inc()
}

// admit checks the credential, the right and the origin of a request.
func (a *api) admit(o operation, r *request) error {
	if o.ours {
		if http.NewCrossOriginProtection().Check(r.Request) != nil {
			return refusal{status: http.StatusForbidden, detail: "This is for the gateway's own page."}
		}
	}
	switch o.credential {
	case session:
		return a.admitSession(r)
	case access:
		return a.admitAccess(o, r)
	}
	return nil
}

func (a *api) admitAccess(o operation, r *request) error {
	origin, err := a.foreignOrigin(r)
	if err != nil {
		return err
	}
	token, ok := bearer(r.Request)
	if !ok {
		return notKnown("An access token is wanted.")
	}
	if r.claims, err = a.Keys.Verify(r.now, tokens.Access, token); err != nil {
		return deniedToken(err)
	}
	if r.tenant = a.Settings().Tenant(r.claims.Tenant); r.tenant == nil {
		return notKnown("The token's tenant is not configured any more.")
	}
	if origin != "" && !r.tenant.Allows(origin) {
		r.w.Header().Del(allowOrigin)
		return foreign()
	}
	if o.right != "" && !r.claims.May(o.right) {
		return refusal{status: http.StatusForbidden, detail: "The token lacks the right " + string(o.right) + "."}
	}
	return nil
}

// bearer returns the token or key of a request.
func bearer(r *http.Request) (string, bool) {
	scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " ")
	return token, ok && strings.EqualFold(scheme, "Bearer") && token != ""
}

// read reads a request's body. It is strict.
func read[T any](r *request) (T, error) {
	var into T
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/json" {
		return into, refusal{status: http.StatusUnsupportedMediaType, detail: "The body is to be application/json."}
	}
	decoder := json.NewDecoder(http.MaxBytesReader(r.w, r.Body, bodyLimit))
	decoder.DisallowUnknownFields()
	err = decoder.Decode(&into)
	if err == nil && decoder.More() {
		err = errors.New("there is more behind it")
	}
	if _, long := errors.AsType[*http.MaxBytesError](err); long {
		return into, refusal{status: http.StatusRequestEntityTooLarge, detail: "The body has more than 16 KiB."}
	}
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return into, fault.New(fault.Invalid, "read the body: %w", err)
	}
	if err != nil {
		return into, fault.New(fault.Invalid, "read the body: it ends too early")
	}
	return into, nil
}

// ask asks another service.
func (a *api) ask(r *request, subject string, question, answer proto.Message) error {
	ctx, cancel := context.WithTimeout(r.Context(), askLimit)
	defer cancel()
	return a.Asker.Ask(ctx, subject, question, answer)
}

// writeJSON writes an answer. Whoever hung up needs none.
func writeJSON(w http.ResponseWriter, status int, contentType string, answer any) {
	var data []byte
	var err error
	if message, ok := answer.(proto.Message); ok {
		data, err = protojson.Marshal(message)
	} else {
		data, err = json.Marshal(answer)
	}
	if err != nil {
		status, contentType = http.StatusInternalServerError, "application/problem+json"
		data = []byte(`{"type":"about:blank","title":"Internal Server Error","status":500}`)
	}
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	_, _ = w.Write(append(data, '\n'))
}
