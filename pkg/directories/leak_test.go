package directories_test

import (
	"encoding/base64"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/switchhook/switchhook/pkg/directories"
	"github.com/switchhook/switchhook/pkg/logtest"
)

// secret is what every credential is in TestLeaks.
const secret = "hunter2-x/y"

// TestLeaks puts a secret everywhere, has everything go wrong that can, and looks for it in what is said.
func TestLeaks(t *testing.T) {
	// A CRM that says back all it was told, in every place that a client looks at.
	echo := func(w http.ResponseWriter, r *http.Request) string {
		body, _ := io.ReadAll(r.Body)
		said := fmt.Sprintln(r.URL, r.Header, string(body), secret)
		w.Header().Set("Retry-After", url.QueryEscape(said))
		w.Header().Set("X-Said", url.QueryEscape(said))
		return said
	}
	crms := map[string]http.HandlerFunc{
		"error in a 200": func(w http.ResponseWriter, r *http.Request) { reply(w, object{"error": echo(w, r)}) },
		"no JSON":        func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, echo(w, r)) },
		"another shape":  func(w http.ResponseWriter, r *http.Request) { reply(w, []string{echo(w, r)}) },
		"redirect": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", "http://127.0.0.1:1/?"+url.QueryEscape(echo(w, r)))
			w.WriteHeader(http.StatusTemporaryRedirect)
		},
		"broken redirect": func(w http.ResponseWriter, r *http.Request) {
			echo(w, r)
			w.Header().Set("Location", "http://%zz/"+secret)
			w.WriteHeader(http.StatusTemporaryRedirect)
		},
		"hangs": hang,
		"broken off": func(w http.ResponseWriter, r *http.Request) {
			said := echo(w, r)
			w.Header().Set("Content-Length", "100000")
			_, _ = io.WriteString(w, said)
			panic(http.ErrAbortHandler)
		},
		"employee only": func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPost || r.URL.Query().Has("phone") {
				plain := object{"id": 1, "owner": object{"id": secret}, "properties": object{"hubspot_owner_id": secret}}
				reply(w, object{"items": []object{plain}, "results": []object{plain}, "result": []object{plain}})
				return
			}
			http.Error(w, echo(w, r), http.StatusForbidden)
		},
	}
	for _, status := range []int{http.StatusBadRequest, http.StatusUnauthorized, http.StatusNotFound, http.StatusTooManyRequests, http.StatusBadGateway} {
		crms[fmt.Sprint(status)] = func(w http.ResponseWriter, r *http.Request) { http.Error(w, echo(w, r), status) }
	}
	for name, crm := range crms {
		s := serve(t, crm)
		for _, yaml := range leaky(s.URL) {
			kind, _, _ := strings.Cut(yaml, "\n")
			if name == "employee only" && strings.HasSuffix(kind, "bitrix24") {
				continue // It asks for nobody a second time.
			}
			t.Run(name+"/"+kind, func(t *testing.T) {
				t.Parallel()
				checkLeaks(t, yaml)
			})
		}
	}
	for _, yaml := range leaky("http://127.0.0.1:1") {
		checkLeaks(t, yaml)
	}
	for _, query := range []string{"select @e164 as name", "selec @e164"} {
		for _, address := range []string{"postgres://" + "u:" + url.QueryEscape(secret) + "@127.0.0.1:1/d", "host=/nowhere password=" + secret + " user=u"} {
			checkLeaks(t, sqlYAML(address, query))
		}
	}
}

// leaky returns directories with the secret wherever one may be.
func leaky(address string) []string {
	quoted := "'" + secret + "'"
	return []string{
		"- type: http\n  url: " + address + "/{token}/x?phone={number}&t={token}\n  fields: {name: \"{name}\"}\n  found: items\n  error: error\n" +
			"  secrets: {token: " + quoted + "}\n  headers: {Authorization: \"Bearer {token}\"}\n  basic: {username: u, password: " + quoted + "}\n" +
			"  lookup: {key: owner.id, url: \"" + address + "/{token}/{key}?t={token}\"}",
		"- type: bitrix24\n  webhook: " + address + "/rest/1/" + secret,
		"- type: hubspot\n  token: " + secret + "\n  url: " + address,
		"- type: pipedrive\n  company: acme\n  token: " + secret + "\n  url: " + address,
		"- type: raynet\n  instance: acme\n  username: u\n  api_key: " + secret + "\n  url: " + address,
	}
}

func checkLeaks(t *testing.T, yaml string) {
	t.Helper()
	var log logtest.Log
	all, err := directories.New(tenant(t, yaml), log.Logger())
	if err != nil {
		t.Fatal(err)
	}
	d := all[0]
	defer d.Close()
	_, err = d.Find(within(t, 250*time.Millisecond), forms("777888999"))
	said := fmt.Sprintf("%v %+v %#v", err, err, err) + log.String() + fmt.Sprintf("%+v", d.Digest)
	if err == nil && log.String() == "" {
		t.Errorf("want something to be wrong with\n%s", yaml)
	}
	for _, form := range []string{secret, "hunter2", url.QueryEscape(secret), url.PathEscape(secret), base64.StdEncoding.EncodeToString([]byte("u:" + secret))} {
		if strings.Contains(said, form) {
			t.Errorf("want no secret, have %s", said)
		}
	}
}

// TestLeaksInProblems has configurations that cannot be used, with a secret in each.
func TestLeaksInProblems(t *testing.T) {
	broken := slices.Collect(maps.Values(map[string]string{
		"bitrix24": "- type: bitrix24\n  webhook: " + secret,
		"sql":      "- type: sql\n  url: 'postgres://u:" + secret + "@[h/d'\n  query: select $1",
		"keywords": "- type: sql\n  url: 'host=h password=" + secret + " port=x'\n  query: select $1",
		"http":     "- type: http\n  url: \"{token}\"\n  secrets: {token: '" + secret + "'}\n  fields: {name: x}",
		"body":     "- type: http\n  url: http://h\n  secrets: {token: '" + secret + "'}\n  body: '{token}'\n  fields: {name: x}",
	}))
	for _, yaml := range broken {
		_, err := directories.New(tenant(t, yaml), nil)
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("want a problem without secret, have %v", err)
		}
	}
}
