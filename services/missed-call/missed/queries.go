package missed

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/switchhook/switchhook/pkg/fault"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// pageBytes is how much an answer may hold: NATS carries a MiB.
const pageBytes = 512 << 10

// Entries returns the entries of a tenant that a query asks for, oldest first, and of many a page. A queue's are those whose caller
// waited in it last. It is fault.Invalid for a page token that no answer had.
func (m *Machine) Entries(q *pbxv1.MissedCallListRequest) (*pbxv1.MissedCallListResponse, error) {
	var after place
	if q.GetPageToken() != "" {
		var err error
		if after, err = parsePlace(q.GetPageToken()); err != nil {
			return nil, err
		}
	}
	var wanted []*pbxv1.MissedCall
	if t := m.tenants[q.GetTenant()]; t != nil {
		for _, e := range t.entries {
			if isWanted(q, e.shown) && placeOf(e.shown).compare(after) > 0 {
				wanted = append(wanted, e.shown)
			}
		}
	}
	slices.SortFunc(wanted, func(x, y *pbxv1.MissedCall) int { return placeOf(x).compare(placeOf(y)) })
	page, size := &pbxv1.MissedCallListResponse{}, 0
	for _, v := range wanted {
		size += proto.Size(v)
		if n := len(page.GetMissedCalls()); n > 0 && (size > pageBytes || n == int(q.GetPageSize())) {
			page.NextPageToken = placeOf(page.GetMissedCalls()[n-1]).String()
			break
		}
		page.MissedCalls = append(page.MissedCalls, proto.CloneOf(v))
	}
	return page, nil
}

// place is where an entry is among all of its tenant. It outlives the entry, so that a page can begin behind one that is gone.
type place struct {
	opened int64 // in nanoseconds since 1970
	id     string
}

func placeOf(v *pbxv1.MissedCall) place { return place{v.GetOpenedAt().AsTime().UnixNano(), v.GetId()} }

func (p place) compare(other place) int {
	return cmp.Or(cmp.Compare(p.opened, other.opened), cmp.Compare(p.id, other.id))
}

// String returns the place as a page token.
func (p place) String() string { return strconv.FormatInt(p.opened, 36) + "." + p.id }

func parsePlace(token string) (place, error) {
	opened, id, found := strings.Cut(token, ".")
	at, err := strconv.ParseInt(opened, 36, 64)
	if err != nil || !found {
		return place{}, fault.New(fault.Invalid, "page_token: want the next_page_token of an answer, have %q", token)
	}
	return place{at, id}, nil
}

func isWanted(q *pbxv1.MissedCallListRequest, v *pbxv1.MissedCall) bool {
	switch {
	case q.GetQueue() != "" && q.GetQueue() != v.GetQueue():
		return false
	case q.GetId() != "":
		return q.GetId() == v.GetId()
	default:
		return q.GetIncludeResolved() || v.GetResolvedAt() == nil
	}
}

// Entry returns the entry of a key, "<tenant>.<id>"; nil when there is none any more. Its kind says how far it is: RESOLVED,
// ACKNOWLEDGED while somebody has claimed it, else OPENED.
func (m *Machine) Entry(key string) *pbxv1.MissedCall {
	tenant, id, _ := strings.Cut(key, ".")
	if t := m.tenants[tenant]; t != nil && t.entries[id] != nil {
		return proto.CloneOf(t.entries[id].shown)
	}
	return nil
}

// Keys returns the keys of all entries, in no order.
func (m *Machine) Keys() []string {
	var keys []string
	for _, t := range m.tenants {
		for _, e := range t.entries {
			keys = append(keys, e.key())
		}
	}
	return keys
}

// Restore takes what was known of an entry, by its key, from before the stream's first event. It must be called before the
// first Apply; an entry that is known already is left as it is. Attempts and claims that are still in the stream are not
// counted twice. Failed calls back cannot be told apart: the greater number counts, that of the entry or that of the stream.
func (m *Machine) Restore(key string, e *pbxv1.MissedCall) {
	tenant, _, _ := strings.Cut(key, ".")
	m.remember(m.tenant(tenant), e, cause{"memory", m.clock})
}

// remember makes an entry of which the stream does not tell everything.
func (m *Machine) remember(t *tenant, base *pbxv1.MissedCall, why cause) {
	if base.GetId() == "" || base.GetMissedAt() == nil || t.entries[base.GetId()] != nil {
		return
	}
	c := t.caller(cmp.Or(base.GetFrom().GetE164(), base.GetId()))
	e := c.add(&entry{caller: c, id: base.GetId(), base: proto.CloneOf(base)})
	e.told = told{base.GetResolution(), nameOf(base.GetClaimedBy())}
	for _, r := range c.records {
		if r.role == attempt && c.remembers(r) {
			m.alarms.remove(r.alarm)
			r.role, r.alarm = nothing, nil
		}
	}
	m.conclude(c, why)
}
