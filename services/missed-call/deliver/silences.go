package deliver

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/switchhook/switchhook/pkg/event"
	"github.com/switchhook/switchhook/pkg/fault"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
	"github.com/switchhook/switchhook/services/missed-call/alerts"
)

// PutSilence stores a new silence, without an id, or another version of one that is there, and returns it as it is stored. Without
// a beginning, a new one begins now, and another keeps its own. One that ends now or before ends at once. It is
// fault.Invalid when it makes no sense, fault.NotFound when there is no such tenant or silence, and fault.Conflict when
// somebody else changed it at the same time.
func (d *Deliverer) PutSilence(ctx context.Context, given *pbxv1.Silence) (*pbxv1.Silence, error) {
	s := proto.CloneOf(given)
	d.mu.Lock()
	known := d.tenants[s.GetTenant()] != nil
	d.mu.Unlock()
	switch {
	case !known:
		return nil, fault.New(fault.NotFound, "there is no tenant %q", s.GetTenant())
	case !d.silences.Loaded():
		return nil, fault.New(fault.Unavailable, "the silences are not read yet")
	}
	var revision uint64
	var before *pbxv1.Silence
	if s.GetId() == "" {
		s.Id = event.NewID()
	} else {
		row := d.silences.Get(silenceKey(s))
		if before = row.Value; before == nil {
			return nil, fault.New(fault.NotFound, "there is no silence %q", s.GetId())
		}
		revision = row.Revision
	}
	if err := d.complete(s, before); err != nil {
		return nil, err
	}
	if _, err := d.silences.Put(ctx, silenceKey(s), s, revision); err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.machine.Silence(silence(s))
	d.signal()
	return proto.CloneOf(s), nil
}

// complete fills in when a silence begins, and checks it.
func (d *Deliverer) complete(s, before *pbxv1.Silence) error {
	now := timestamppb.New(d.Now())
	s.BeginsAt = cmp.Or(s.GetBeginsAt(), before.GetBeginsAt(), now)
	over := s.GetEndsAt() != nil && !s.GetEndsAt().AsTime().After(now.AsTime())
	if over && before != nil && s.GetBeginsAt().AsTime().After(s.GetEndsAt().AsTime()) {
		s.BeginsAt = s.GetEndsAt() // It was to begin later, and never will.
	}
	switch {
	case s.GetEndsAt() == nil:
		return fault.New(fault.Invalid, "silence: want an end")
	case s.GetBeginsAt().CheckValid() != nil || s.GetEndsAt().CheckValid() != nil:
		return fault.New(fault.Invalid, "silence: want a beginning and an end that are points in time")
	case before == nil && over:
		return fault.New(fault.Invalid, "silence: want an end in the future, have %s", s.GetEndsAt().AsTime())
	case s.GetEndsAt().AsTime().Before(s.GetBeginsAt().AsTime()):
		return fault.New(fault.Invalid, "silence: want an end after the beginning, have %s to %s", s.GetBeginsAt().AsTime(), s.GetEndsAt().AsTime())
	case slices.Contains(s.GetDialled(), "") || slices.Contains(s.GetFrom(), ""):
		return fault.New(fault.Invalid, "silence: the beginning of a number is empty, which is how all of them begin")
	}
	return nil
}

// Silences returns the silences of a tenant that have not ended, by when they end.
func (d *Deliverer) Silences(tenant string) []*pbxv1.Silence {
	var all []*pbxv1.Silence
	for _, row := range d.silences.Rows() {
		if s := row.Value; s.GetTenant() == tenant && s.GetEndsAt().AsTime().After(d.Now()) {
			all = append(all, proto.CloneOf(s))
		}
	}
	slices.SortFunc(all, func(a, b *pbxv1.Silence) int {
		return cmp.Or(a.GetEndsAt().AsTime().Compare(b.GetEndsAt().AsTime()), strings.Compare(a.GetId(), b.GetId()))
	})
	return all
}

func silenceKey(s *pbxv1.Silence) string { return s.GetTenant() + "." + s.GetId() }

// silence is a silence as the plan knows it.
func silence(s *pbxv1.Silence) alerts.Silence {
	m := alerts.Match{
		Vendors: s.GetVendors(), Queues: s.GetQueues(), Dialled: s.GetDialled(), From: s.GetFrom(), Caller: alerts.Caller(s.GetCaller()),
	}
	for _, r := range s.GetReasons() {
		m.Reasons = append(m.Reasons, alerts.Reason(r))
	}
	return alerts.Silence{
		Tenant: s.GetTenant(), ID: s.GetId(), Match: m, From: s.GetBeginsAt().AsTime(), Until: s.GetEndsAt().AsTime(),
		By: cmp.Or(s.GetCreatedBy().GetLogin(), s.GetCreatedBy().GetEmail()), Note: s.GetNote(),
	}
}
