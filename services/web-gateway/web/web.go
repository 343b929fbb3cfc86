// Package web serves the page and the SDK for other pages. Both are in the program; neither has to be built.
package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"
)

//go:embed sdk page
var files embed.FS

// contentSecurityPolicy lets the page load nothing from elsewhere, and run and style nothing that is written into it.
const contentSecurityPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; " +
	"media-src 'self' data:; manifest-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

// types are the content types, by extension. Those of the machine would differ from one to another.
var types = map[string]string{
	".css": "text/css; charset=utf-8", ".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8",
	".json": "application/json", ".md": "text/markdown; charset=utf-8", ".mp3": "audio/mpeg", ".png": "image/png",
	".svg": "image/svg+xml", ".ts": "text/plain; charset=utf-8", ".txt": "text/plain; charset=utf-8",
	".wav": "audio/wav", ".webmanifest": "application/manifest+json", ".woff2": "font/woff2",
}

// file is one as it is served.
type file struct {
	kind   string
	plain  body
	zipped body // without content when that would not be shorter
}

// body is a file in one encoding, with a tag of its own.
type body struct {
	content []byte
	tag     string
}

// Handler serves the page at / and below /page/, and the SDK below /sdk/, which pages of any origin may load. It answers
// anything else with 404.
func Handler() (http.Handler, error) {
	served := map[string]file{}
	err := fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || path.Ext(name) == ".go" {
			return err
		}
		content, err := files.ReadFile(name)
		if err != nil {
			return err
		}
		served["/"+name], err = newFile(name, content)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read what the page is made of: %w", err)
	}
	served["/"] = served["/page/index.html"]
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f, found := served[r.URL.Path]
		switch {
		case !found:
			http.NotFound(w, r)
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "only GET and HEAD", http.StatusMethodNotAllowed)
		default:
			f.serve(w, r)
		}
	}), nil
}

func newFile(name string, content []byte) (file, error) {
	kind, known := types[path.Ext(name)]
	if !known {
		return file{}, fmt.Errorf("%s: no content type for this extension", name)
	}
	sum := sha256.Sum256(content)
	tag := base64.RawURLEncoding.EncodeToString(sum[:12])
	f := file{kind: kind, plain: body{content, `"` + tag + `"`}}
	var zipped bytes.Buffer
	w, err := gzip.NewWriterLevel(&zipped, gzip.BestCompression)
	if err != nil {
		return file{}, err
	}
	if _, err := w.Write(content); err != nil {
		return file{}, err
	}
	if err := w.Close(); err != nil {
		return file{}, err
	}
	if zipped.Len() < len(content) {
		f.zipped = body{zipped.Bytes(), `"` + tag + `-gzip"`}
	}
	return f, nil
}

func (f file) serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "no-cache") // it is kept, and asked each time whether it is still the same
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	if strings.HasPrefix(r.URL.Path, "/sdk/") {
		h.Set("Access-Control-Allow-Origin", "*")
		h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	} else {
		h.Set("Content-Security-Policy", contentSecurityPolicy)
		h.Set("Cross-Origin-Opener-Policy", "same-origin-allow-popups") // pops
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
	}
	b := f.plain
	if f.zipped.content != nil {
		h.Set("Vary", "Accept-Encoding")
		if acceptsGzip(r.Header.Values("Accept-Encoding")) {
			b = f.zipped
		}
	}
	h.Set("ETag", b.tag)
	if matches(r.Header.Values("If-None-Match"), b.tag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	if b.tag != f.plain.tag {
		h.Set("Content-Encoding", "gzip")
	}
	h.Set("Content-Type", f.kind)
	h.Set("Content-Length", strconv.Itoa(len(b.content)))
	if r.Method == http.MethodGet {
		_, _ = w.Write(b.content) // whoever asked may have gone
	}
}

// acceptsGzip reads Accept-Encoding: gzip is named, and not refused by a weight of 0.
func acceptsGzip(values []string) bool {
	for _, one := range strings.Split(strings.Join(values, ","), ",") {
		coding, weight, _ := strings.Cut(strings.ReplaceAll(one, " ", ""), ";")
		if strings.EqualFold(coding, "gzip") {
			q, err := strconv.ParseFloat(strings.TrimPrefix(weight, "q="), 64)
			return err != nil || q > 0
		}
	}
	return false
}

// matches reports whether If-None-Match has a tag, or is a *. Weak tags count as strong ones.
func matches(values []string, tag string) bool {
	for _, one := range strings.Split(strings.Join(values, ","), ",") {
		if one = strings.TrimPrefix(strings.TrimSpace(one), "W/"); one == tag || one == "*" {
			return true
		}
	}
	return false
}
