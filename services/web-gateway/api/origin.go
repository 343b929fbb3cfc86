package api

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

const allowOrigin = "Access-Control-Allow-Origin"

// foreignOrigin returns the origin of the page that a request comes from, if it is not the gateway's own; empty for that one, and
// for who is no browser. It lets the page read the answer if its origin is configured for any tenant, since whose the request is
// is not known yet; it is an error if it is for none.
func (a *api) foreignOrigin(r *request) (string, error) {
	header := r.w.Header()
	header.Add("Vary", "Origin")
	origin := r.Header.Get("Origin")
	if origin == "" || isOwn(r.Request, origin) {
		return "", nil
	}
	if !a.Settings().AnyOrigin(origin) {
		return "", foreign()
	}
	header.Set(allowOrigin, origin)
	header.Set("Access-Control-Expose-Headers", "Retry-After")
	header.Set("Cross-Origin-Resource-Policy", "cross-origin")
	return origin, nil
}

func foreign() refusal {
	return refusal{status: http.StatusForbidden, detail: "Pages of this origin may not call here; see `origins` of the tenant."}
}

// isOwn reports whether an origin is the one that the request was sent to.
func isOwn(r *http.Request, origin string) bool {
	u, err := url.Parse(origin)
	return err == nil && u.Host != "" && strings.EqualFold(u.Host, r.Host)
}

// preflight answers the question that browsers ask before they let a page of another origin call.
func (a *api) preflight(w http.ResponseWriter, r *http.Request, methods []string) {
	if origin, err := a.foreignOrigin(&request{Request: r, w: w}); err != nil || origin == "" {
		refuse(w, foreign())
		return
	}
	header := w.Header()
	header.Set("Access-Control-Allow-Methods", strings.Join(methods, ", "))
	header.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, Last-Event-ID")
	header.Set("Access-Control-Max-Age", "600")
	w.WriteHeader(http.StatusNoContent)
}

// isPlainLoopback reports whether a request came to this very machine without TLS, where a secure cookie would be lost.
func isPlainLoopback(r *http.Request) bool {
	host, _, err := net.SplitHostPort(r.Host)
	if err != nil {
		host = strings.Trim(r.Host, "[]")
	}
	addr, err := netip.ParseAddr(host)
	return r.TLS == nil && (host == "localhost" || err == nil && addr.IsLoopback())
}
