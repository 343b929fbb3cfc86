package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
	"github.com/switchhook/switchhook/services/web-gateway/tokens"
)

// described returns the description that is served, made strict: what it does not name may not be there.
func (w *world) described() *openapi3.T {
	w.t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData(w.send(http.MethodGet, "/api/v1/openapi.json", "").body)
	if err != nil {
		w.t.Fatal(err)
	}
	if err := doc.Validate(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	for _, schema := range doc.Components.Schemas {
		schema.Value.AdditionalProperties = openapi3.BoolSchema{Has: new(bool)}
	}
	return doc
}

// check holds a request and its answer against the description.
func check(t *testing.T, doc *openapi3.T, path string, r *http.Request, body string, params map[string]string, a answer) {
	t.Helper()
	item := doc.Paths.Value(path)
	operation := item.GetOperation(r.Method)
	r.Body = io.NopCloser(strings.NewReader(body))
	input := &openapi3filter.RequestValidationInput{
		Request: r, PathParams: params,
		Route: &routers.Route{Spec: doc, Path: path, PathItem: item, Method: r.Method, Operation: operation},
		Options: &openapi3filter.Options{
			AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, IncludeResponseStatus: true,
			ExcludeResponseBody: a.header.Get("Content-Type") == "text/event-stream", // it is text
		},
	}
	if a.status < 400 {
		if err := openapi3filter.ValidateRequest(t.Context(), input); err != nil {
			t.Errorf("want the request as described, have %v", err)
		}
	}
	err := openapi3filter.ValidateResponse(t.Context(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: input, Status: a.status, Header: a.header, Body: io.NopCloser(bytes.NewReader(a.body)), Options: input.Options,
	})
	if err != nil {
		t.Errorf("want an answer as described, have %d %s: %v", a.status, a.body, err)
	}
}

// exchange is a request to an operation, and the status that it shall get.
type exchange struct {
	status  int
	query   string
	id      string // in the path
	body    string
	headers []string
}

// Every operation is walked, answers and refusals alike; none is left out, and nothing is served that is not described.
func TestDescription(t *testing.T) {
	w := newWorld(t)
	quarantine(w, "acme")
	doc := w.described()
	_, cookie := w.login()
	access := []string{"Authorization", "Bearer " + w.token("acme", "karel")}
	poor := []string{"Authorization", "Bearer " + w.token("acme", "karel", tokens.Calls)}
	key := []string{"Authorization", "Bearer " + newKey}
	session := []string{"Cookie", cookie.Name + "=" + cookie.Value}
	strange := []string{"Origin", "https://evil.example"}
	refusals := []exchange{{status: 401}, {status: 403, headers: strange}}
	walls := slices.Concat(refusals, []exchange{{status: 403, headers: poor}})
	act := append(slices.Clone(walls),
		exchange{status: 200, id: "m1", body: `{"note":"Called."}`, headers: access}, exchange{status: 404, id: "x", body: `{}`, headers: access},
		exchange{status: 409, id: "taken", body: `{}`, headers: access}, exchange{status: 400, id: "m1", body: `{`, headers: access},
		exchange{status: 415, id: "m1", headers: access},
		exchange{status: 413, id: "m1", body: `{"note":"` + strings.Repeat("x", 17<<10) + `"}`, headers: access})
	ok := exchange{status: 200, headers: access}
	login := func(password string) string { return `{"tenant":"acme","login":"karel","password":"` + password + `"}` }
	walk := map[string][]exchange{
		"POST /api/v1/tokens": {
			{status: 200, body: `{"tenant":"acme","identityType":"login","identityValue":"karel","rights":["calls"]}`, headers: key},
			{status: 404, body: `{"tenant":"acme","identityType":"login","identityValue":"olga"}`, headers: key},
			{status: 401, body: `{"tenant":"acme","identityType":"login","identityValue":"karel"}`},
			{status: 400, body: `{`, headers: key},
		},
		"POST /api/v1/login": {
			{status: 200, body: login(password)},
			{status: 403, body: login(password), headers: strange},
			{status: 400, body: `[]`},
			{status: 401, body: login("1")},
			{status: 401, body: login("2")},
			{status: 401, body: login("3")},
			{status: 401, body: login("4")},
			{status: 401, body: login("5")},
			{status: 429, body: login(password)},
		},
		"POST /api/v1/session":                   {{status: 200, headers: session}, {status: 401}, {status: 403, headers: strange}},
		"DELETE /api/v1/session":                 {{status: 401}, {status: 403, headers: strange}, {status: 204, headers: session}},
		"GET /api/v1/me":                         append(slices.Clone(refusals), ok),
		"GET /api/v1/agents":                     append(slices.Clone(walls), ok),
		"GET /api/v1/calls":                      append(slices.Clone(walls), ok),
		"GET /api/v1/missed-calls":               append(slices.Clone(walls), ok, exchange{status: 200, query: "?resolved=true&queue=acme-queue", headers: access}, exchange{status: 400, query: "?resolved=1", headers: access}),
		"GET /api/v1/statistics":                 append(slices.Clone(walls), ok, exchange{status: 400, query: "?day=x", headers: access}, exchange{status: 404, query: "?day=2020-01-31", headers: access}),
		"POST /api/v1/missed-calls/{id}/claim":   act,
		"POST /api/v1/missed-calls/{id}/release": act,
		"POST /api/v1/missed-calls/{id}/resolve": act,
		"GET /api/v1/board":                      append(slices.Clone(walls), ok),
		"GET /api/v1/events":                     append(slices.Clone(walls), exchange{status: 200, query: "?since=7", headers: access}, exchange{status: 400, query: "?since=x", headers: access}),
		"GET /api/v1/quarantine":                 append(slices.Clone(walls), ok),
		"GET /api/v1/openapi.json":               {{status: 200}},
	}
	var have []string
	for path, item := range doc.Paths.Map() {
		for method := range item.Operations() {
			have = append(have, method+" "+path)
		}
	}
	slices.Sort(have)
	if want := slices.Sorted(maps.Keys(walk)); !slices.Equal(want, have) {
		t.Errorf("want described\n%s\nhave\n%s", strings.Join(want, "\n"), strings.Join(have, "\n"))
	}
	for _, operation := range slices.Sorted(maps.Keys(walk)) {
		if operation == "DELETE /api/v1/session" || operation == "POST /api/v1/login" {
			continue
		}
		w.walk(doc, operation, walk[operation])
	}
	w.walk(doc, "DELETE /api/v1/session", walk["DELETE /api/v1/session"]) // then the session is over
	w.walk(doc, "POST /api/v1/login", walk["POST /api/v1/login"])         // then Karel has to wait
}

func (w *world) walk(doc *openapi3.T, operation string, exchanges []exchange) {
	w.t.Helper()
	method, path, _ := strings.Cut(operation, " ")
	for _, e := range exchanges {
		ctx, cancel := context.WithCancel(w.t.Context())
		r := w.request(ctx, method, strings.ReplaceAll(path, "{id}", e.id)+e.query, e.body, e.headers...)
		if e.id == "" {
			r.URL.Path = strings.ReplaceAll(path, "{id}", "m1")
		}
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			w.t.Fatal(err)
		}
		have := answer{status: response.StatusCode, header: response.Header}
		if have.header.Get("Content-Type") == "text/event-stream" {
			have.body = make([]byte, 10)
			_, err = io.ReadFull(response.Body, have.body)
		} else {
			have.body, err = io.ReadAll(response.Body)
		}
		response.Body.Close()
		cancel()
		if err != nil {
			w.t.Fatal(err)
		}
		if have.status != e.status {
			w.t.Errorf("%s: want %d, have %d %s", operation, e.status, have.status, have.body)
			continue
		}
		w.t.Run(operation, func(t *testing.T) {
			check(t, doc, path, r.WithContext(t.Context()), e.body, map[string]string{"id": e.id}, have)
		})
	}
}

// Whatever a message may ever hold is in the description, as it is written.
func TestDescriptionKnowsTheContract(t *testing.T) {
	w := newWorld(t)
	doc := w.described()
	for name, m := range map[string]proto.Message{
		"AgentListResponse": &pbxv1.AgentListResponse{}, "CallListResponse": &pbxv1.CallListResponse{},
		"MissedCallListResponse": &pbxv1.MissedCallListResponse{}, "AgentStatisticsResponse": &pbxv1.AgentStatisticsResponse{},
		"MissedCall": &pbxv1.MissedCall{}, "Quarantined": &pbxv1.Quarantined{},
	} {
		fill(m.ProtoReflect())
		data, err := protojson.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		var written any
		if err := json.Unmarshal(data, &written); err != nil {
			t.Fatal(err)
		}
		schema := doc.Components.Schemas[name]
		if schema == nil {
			t.Errorf("want %s described, have none", name)
		} else if err := schema.Value.VisitJSON(written); err != nil {
			t.Errorf("%s: want %s as described, have %v", name, data, err)
		}
	}
	for name, fields := range map[string][]string{
		"QuarantineEntry": {"seq", "at", "quarantined"}, "Login": {"token", "expiresAt", "rights", "tenant", "identity"},
	} {
		for _, field := range fields {
			if doc.Components.Schemas[name].Value.Properties[field] == nil {
				t.Errorf("want %s.%s described, have none", name, field)
			}
		}
	}
}

// fill gives every field a value; of a oneof the last one stays.
func fill(m protoreflect.Message) {
	switch into := m.Interface().(type) {
	case *timestamppb.Timestamp:
		into.Seconds, into.Nanos = 1_800_000_000, 5
		return
	case *durationpb.Duration:
		into.Seconds, into.Nanos = 3, 500_000_000
		return
	}
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		switch {
		case f.IsMap():
			entry := m.Mutable(f).Map()
			entry.Set(protoreflect.ValueOfString("key").MapKey(), single(f.MapValue(), entry.NewValue()))
		case f.IsList():
			list := m.Mutable(f).List()
			list.Append(single(f, list.NewElement()))
		default:
			m.Set(f, single(f, m.NewField(f)))
		}
	}
}

func single(f protoreflect.FieldDescriptor, empty protoreflect.Value) protoreflect.Value {
	switch f.Kind() {
	case protoreflect.MessageKind:
		fill(empty.Message())
		return empty
	case protoreflect.EnumKind:
		return protoreflect.ValueOfEnum(1)
	case protoreflect.BytesKind:
		return protoreflect.ValueOfBytes([]byte("x"))
	case protoreflect.StringKind:
		return protoreflect.ValueOfString("x")
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(true)
	case protoreflect.Int32Kind:
		return protoreflect.ValueOfInt32(7)
	case protoreflect.Uint64Kind:
		return protoreflect.ValueOfUint64(7)
	}
	panic("no value for a " + f.Kind().String())
}
