package missed

import (
	"cmp"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// Entries returns the entries of a tenant that a query asks for. A queue's are those whose caller waited in it last.
func (m *Machine) Entries(q *pbxv1.MissedCallListRequest) *pbxv1.MissedCallListResponse {
	list := &pbxv1.MissedCallListResponse{}
	if t := m.tenants[q.GetTenant()]; t != nil {
		for _, e := range t.entries {
			if isWanted(q, e.shown) {
				list.MissedCalls = append(list.MissedCalls, proto.CloneOf(e.shown))
			}
		}
	}
	slices.SortFunc(list.MissedCalls, func(x, y *pbxv1.MissedCall) int {
		return cmp.Or(x.GetOpenedAt().AsTime().Compare(y.GetOpenedAt().AsTime()), cmp.Compare(x.GetId(), y.GetId()))
	})
	return list
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
