package web_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/switchhook/switchhook/services/web-gateway/web"
)

// largest is how long the SDK may be, compressed, in bytes.
const largest = 6 << 10

func newHandler(t *testing.T) http.Handler {
	t.Helper()
	h, err := web.Handler()
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func ask(t *testing.T, h http.Handler, method, path string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(method, path, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestTypesAndHeaders(t *testing.T) {
	h := newHandler(t)
	for path, want := range map[string]string{
		"/":                    "text/html; charset=utf-8",
		"/page/index.html":     "text/html; charset=utf-8",
		"/sdk/switchhook.js":   "text/javascript; charset=utf-8",
		"/sdk/package.json":    "application/json",
		"/sdk/switchhook.d.ts": "text/plain; charset=utf-8",
	} {
		answer := ask(t, h, "GET", path)
		if answer.Code != 200 || answer.Header().Get("Content-Type") != want {
			t.Errorf("%s: want 200 and %q, have %d and %q", path, want, answer.Code, answer.Header().Get("Content-Type"))
		}
		if answer.Header().Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: want nosniff, have %v", path, answer.Header())
		}
		sdk := strings.HasPrefix(path, "/sdk/")
		if csp := answer.Header().Get("Content-Security-Policy"); !sdk && !strings.HasPrefix(csp, "default-src 'none'; script-src 'self';") {
			t.Errorf("%s: want a strict policy, have %q", path, csp)
		}
		if anyone := answer.Header().Get("Access-Control-Allow-Origin") == "*"; anyone != sdk {
			t.Errorf("%s: want any origin %v, have %v", path, sdk, anyone)
		}
	}
}

func TestPageHoldsNothingThatThePolicyForbids(t *testing.T) {
	page, err := os.ReadFile("page/index.html")
	if err != nil {
		t.Fatal(err)
	}
	for _, forbidden := range []string{"<style", "style=", "onclick=", "<script>", `"http`} {
		if bytes.Contains(page, []byte(forbidden)) {
			t.Errorf("want no %s in page/index.html", forbidden)
		}
	}
}

func TestGzip(t *testing.T) {
	h := newHandler(t)
	plain, err := os.ReadFile("sdk/switchhook.js")
	if err != nil {
		t.Fatal(err)
	}
	for accepted, want := range map[string]string{
		"": "", "br": "", "gzip": "gzip", "br, GZIP;q=0.5": "gzip", "gzip; q=0, br": "", "gzip;q=0.000": "",
	} {
		answer := ask(t, h, "GET", "/sdk/switchhook.js", "Accept-Encoding", accepted)
		if have := answer.Header().Get("Content-Encoding"); have != want {
			t.Errorf("Accept-Encoding %q: want %q, have %q", accepted, want, have)
		}
		if answer.Header().Get("Vary") != "Accept-Encoding" {
			t.Errorf("Accept-Encoding %q: want Vary, have %v", accepted, answer.Header())
		}
		var body io.Reader = answer.Body
		if want == "gzip" {
			if body, err = gzip.NewReader(body); err != nil {
				t.Fatal(err)
			}
		}
		if have, err := io.ReadAll(body); err != nil || !bytes.Equal(have, plain) {
			t.Errorf("Accept-Encoding %q: want the file, have %d bytes, %v", accepted, len(have), err)
		}
	}
	answer := ask(t, h, "GET", "/sdk/switchhook.js", "Accept-Encoding", "gzip")
	t.Logf("the SDK has %d bytes, %d compressed", len(plain), answer.Body.Len())
	if answer.Body.Len() > largest {
		t.Errorf("want at most %d bytes of SDK, have %d", largest, answer.Body.Len())
	}
}

func TestTags(t *testing.T) {
	h := newHandler(t)
	plain := ask(t, h, "GET", "/sdk/switchhook.js").Header().Get("ETag")
	zipped := ask(t, h, "GET", "/sdk/switchhook.js", "Accept-Encoding", "gzip").Header().Get("ETag")
	if plain == "" || plain == zipped {
		t.Errorf("want a tag for each encoding, have %s and %s", plain, zipped)
	}
	for tags, want := range map[string]int{
		plain: 304, "W/" + plain: 304, `"other", ` + plain: 304, "*": 304, zipped: 200, `"other"`: 200,
	} {
		answer := ask(t, h, "GET", "/sdk/switchhook.js", "If-None-Match", tags)
		if answer.Code != want || answer.Header().Get("ETag") != plain {
			t.Errorf("If-None-Match %s: want %d, have %d", tags, want, answer.Code)
		}
		if want == 304 && answer.Body.Len() > 0 {
			t.Errorf("If-None-Match %s: want no body, have %d bytes", tags, answer.Body.Len())
		}
	}
}

func TestMethodsAndPaths(t *testing.T) {
	h := newHandler(t)
	for request, want := range map[string]int{
		"HEAD /": 200, "POST /": 405, "GET /sdk/": 404, "GET /web.go": 404, "GET /page/../web.go": 404, "GET /sdk/switchhook": 404,
	} {
		method, path, _ := strings.Cut(request, " ")
		answer := ask(t, h, method, path)
		if answer.Code != want {
			t.Errorf("%s: want %d, have %d", request, want, answer.Code)
		}
		if length := answer.Header().Get("Content-Length"); method == "HEAD" && (answer.Body.Len() > 0 || length == "") {
			t.Errorf("%s: want a length without a body, have %q and %d bytes", request, length, answer.Body.Len())
		}
	}
}
