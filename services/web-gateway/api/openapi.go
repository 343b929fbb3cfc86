package api

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// object is a part of the description.
type object = map[string]any

// describe serves the description, which is the same for everybody.
func (a *api) describe() operation {
	return operation{
		method: http.MethodGet, path: "/api/v1/openapi.json", name: "describe", summary: "This description.",
		answer: json.RawMessage{},
		serve:  func(*request) (any, error) { return document(a.operations()), nil },
	}
}

// document describes operations as OpenAPI 3.0. Their schemas are made of the very types that are read and written.
func document(operations []operation) object {
	components := schemas{}
	paths := object{}
	for _, o := range operations {
		if paths[o.path] == nil {
			paths[o.path] = object{}
		}
		paths[o.path].(object)[strings.ToLower(o.method)] = o.describe(components)
	}
	scheme := func(scheme string) object { return object{"type": "http", "scheme": scheme} }
	return object{
		"openapi": "3.0.3",
		"info": object{
			"title": "Switchhook", "version": "1", "license": object{"name": "Apache-2.0"},
			"description": "What web-gateway answers. Messages of the contract are in protobuf's JSON form: what has its default " +
				"value is left out, and whoever reads has to bear names that are new.",
		},
		"paths": paths,
		"components": object{
			"schemas": components,
			"securitySchemes": object{
				string(apiKey): scheme("bearer"), string(access): scheme("bearer"),
				string(session): object{"type": "apiKey", "in": "cookie", "name": cookie},
			},
		},
	}
}

func (o operation) describe(components schemas) object {
	described := object{"operationId": o.name, "summary": o.summary, "responses": o.responses(components)}
	if o.right != "" {
		described["description"] = "Wants the right `" + string(o.right) + "`."
	}
	security := []object{}
	if o.credential != nothing {
		security = append(security, object{string(o.credential): []string{}})
	}
	described["security"] = security
	if parameters := o.parameters(); len(parameters) > 0 {
		described["parameters"] = parameters
	}
	if o.body != nil {
		described["requestBody"] = object{"required": true, "content": content("application/json", components.of(o.body))}
	}
	return described
}

func content(kind string, schema any) object { return object{kind: object{"schema": schema}} }

// parameters are those of the path, which are text, and those of the query.
func (o operation) parameters() []object {
	var all []object
	for segment := range strings.SplitSeq(o.path, "/") {
		if name, is := strings.CutPrefix(segment, "{"); is {
			all = append(all, object{
				"name": strings.TrimSuffix(name, "}"), "in": "path", "required": true, "schema": object{"type": "string"},
			})
		}
	}
	for _, p := range o.query {
		schema := object{"type": p.kind}
		if p.format != "" {
			schema["format"] = p.format
		}
		all = append(all, object{"name": p.name, "in": "query", "description": p.about, "schema": schema})
	}
	return all
}

// responses are the answer, and every refusal that is possible.
func (o operation) responses(components schemas) object {
	all := object{}
	switch {
	case o.streams:
		all["200"] = object{"description": "A stream.", "content": content("text/event-stream", object{"type": "string"})}
	case o.answer == nil:
		all["204"] = object{"description": "Done."}
	default:
		all["200"] = object{"description": "Done.", "content": content("application/json", components.of(o.answer))}
	}
	refusals := append([]int{http.StatusInternalServerError, http.StatusServiceUnavailable}, o.refusals...)
	if o.credential != nothing {
		refusals = append(refusals, http.StatusUnauthorized)
	}
	if o.ours || o.credential == access {
		refusals = append(refusals, http.StatusForbidden)
	}
	if o.body != nil {
		refusals = append(refusals,
			http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType)
	}
	slices.Sort(refusals)
	for _, status := range slices.Compact(refusals) {
		all[strconv.Itoa(status)] = object{
			"description": http.StatusText(status), "content": content("application/problem+json", components.of(problem{})),
		}
	}
	return all
}
