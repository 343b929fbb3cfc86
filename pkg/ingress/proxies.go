package ingress

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// Proxies are the networks of the proxies in front of us. Nobody else's X-Forwarded-For is believed. The zero value trusts
// none.
type Proxies []netip.Prefix

func (p Proxies) contains(addr netip.Addr) bool {
	return slices.ContainsFunc(p, func(prefix netip.Prefix) bool { return prefix.Contains(addr) })
}

// Client returns who sent a request: the nearest address, counted from us, that is no trusted proxy. It is the zero Addr
// when that cannot be told.
func (p Proxies) Client(r *http.Request) netip.Addr {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	addr := peer.Addr().Unmap()
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0 && p.contains(addr); i-- {
		hop, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			break // the proxy is the last that is sure
		}
		addr = hop.Unmap()
	}
	return addr
}
