package ingress

import (
	"cmp"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/switchhook/switchhook/pkg/event"
	"github.com/switchhook/switchhook/pkg/fault"
	"github.com/switchhook/switchhook/pkg/webhook"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// credentialHeaders carry credentials, at one vendor or another.
var credentialHeaders = []string{
	"Authorization", "Proxy-Authorization", "Cookie", "X-Xvb-Ac", "X-Crm-Token", "X-Api-Key",
}

func isCredential(header string) bool {
	return slices.Contains(credentialHeaders, http.CanonicalHeaderKey(header))
}

// newQuarantined keeps a request whole, but for the headers that carry credentials and secrets in its URL.
func newQuarantined(id string, ex webhook.Exchange, r webhook.Request, cause error) *pbxv1.Quarantined {
	clean := func(s string) string { return strings.ToValidUTF8(ex.Secrets().Conceal(s), "\uFFFD") }
	kept := &pbxv1.WebhookRequest{Method: r.Method, Path: clean(r.Path), Query: clean(r.Query), Body: r.Body}
	if r.Remote.IsValid() {
		kept.RemoteAddress = r.Remote.String()
	}
	for name, values := range r.Header {
		if isCredential(name) {
			continue
		}
		for _, value := range values {
			kept.Headers = append(kept.Headers, &pbxv1.Header{Name: clean(name), Value: clean(value)})
		}
	}
	slices.SortStableFunc(kept.Headers, func(a, b *pbxv1.Header) int { return cmp.Compare(a.GetName(), b.GetName()) })
	return &pbxv1.Quarantined{
		Id:         id,
		ReceivedAt: timestamppb.New(r.ReceivedAt),
		Vendor:     ex.Origin().Vendor,
		Tenant:     ex.Origin().Tenant,
		Exchange:   ex.Origin().Exchange,
		Service:    "ingress",
		Error:      clean(cause.Error()),
		Content:    &pbxv1.Quarantined_Request{Request: kept},
	}
}

// Redrive reads a quarantined request once more, by the dialect and the configuration of today. The events are complete:
// their ids come from the quarantined request's, so that a redrive that is repeated stores nothing twice. An error is
// fault.NotFound when its exchange is not configured any more, and fault.Invalid when it still cannot be understood, or is
// no request at all.
func Redrive(v webhook.Vendor, q *pbxv1.Quarantined) (webhook.Reading, error) {
	request := q.GetRequest()
	if request == nil {
		return webhook.Reading{}, fault.New(fault.Invalid, "redrive %s: service %s kept no webhook", q.GetId(), q.GetService())
	}
	origin := event.Origin{Vendor: q.GetVendor(), Tenant: q.GetTenant(), Exchange: q.GetExchange()}
	i := slices.IndexFunc(v.Exchanges(), func(ex webhook.Exchange) bool { return ex.Origin() == origin })
	if i < 0 {
		return webhook.Reading{}, fault.New(fault.NotFound, "redrive %s: exchange %s is not configured", q.GetId(), origin)
	}
	reading, err := v.Exchanges()[i].Read(reopen(request, q.GetReceivedAt().AsTime()))
	if err != nil {
		return webhook.Reading{}, fault.New(fault.Invalid, "redrive %s: %w", q.GetId(), err)
	}
	Complete(reading.Events, origin, q.GetReceivedAt().AsTime(), idsFrom(q.GetId()))
	return reading, nil
}

// idsFrom makes the first event take over an id, and names the others by it.
func idsFrom(id string) func() string {
	n := 0
	return func() string {
		n++
		if n == 1 {
			return id
		}
		return event.DerivedID(event.Origin{}, id, strconv.Itoa(n))
	}
}

func reopen(kept *pbxv1.WebhookRequest, receivedAt time.Time) webhook.Request {
	r := webhook.Request{
		Method: kept.GetMethod(), Path: kept.GetPath(), Query: kept.GetQuery(), Body: kept.GetBody(),
		Header: http.Header{}, ReceivedAt: receivedAt,
	}
	for _, header := range kept.GetHeaders() {
		r.Header.Add(header.GetName(), header.GetValue())
	}
	if addr, err := netip.ParseAddr(kept.GetRemoteAddress()); err == nil {
		r.Remote = addr
	}
	return r
}
