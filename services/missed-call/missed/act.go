package missed

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/switchhook/switchhook/pkg/fault"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// ActionKind is what a person does about an entry.
type ActionKind string

// The kinds of action.
const (
	// Claim says that the person will call back. Whoever claimed an entry can do so again, to have more time.
	Claim ActionKind = "claim"
	// Release gives a claim back.
	Release ActionKind = "release"
	// Resolve closes an entry, whoever claimed it.
	Resolve ActionKind = "resolve"
)

// maxNote is the longest note, in bytes.
const maxNote = 4096

// Action is what a person wants to do.
type Action struct {
	Kind       ActionKind
	Tenant, ID string      // of the entry
	User       *pbxv1.User // who; with a login or an e-mail address
	Note       string      // what the entry shall say from now on; empty leaves its note alone
}

// Act returns the event to publish for what a person does now. It changes nothing: reading the event back does. Of two people
// who claim at once both may get an event; the first in the stream counts, and Apply corrects the other. Errors: Invalid, if
// the action makes no sense; NotFound, if there is no such entry; Conflict, if it is resolved, or somebody else's.
func (m *Machine) Act(now time.Time, a Action) (*pbxv1.Event, error) {
	if err := a.check(); err != nil {
		return nil, err
	}
	var e *entry
	if t := m.tenants[a.Tenant]; t != nil {
		e = t.entries[a.ID]
	}
	if e == nil {
		return nil, fault.New(fault.NotFound, "%s missed call %q of %s: there is no such entry", a.Kind, a.ID, a.Tenant)
	}
	now = later(now, m.clock)
	_, c := m.foresee(e.caller, now)
	v := proto.CloneOf(c.entryOf(a.ID).shown)
	if err := a.apply(v, now, &c.tenant.settings); err != nil {
		return nil, err
	}
	return e.event(v, now, now, string(a.Kind), nameOf(a.User), a.Note, now.UTC().Format(time.RFC3339Nano)), nil
}

func (a *Action) check() error {
	switch {
	case a.Kind != Claim && a.Kind != Release && a.Kind != Resolve:
		return fault.New(fault.Invalid, "missed call: %q is none of claim, release and resolve", a.Kind)
	case a.Tenant == "" || a.ID == "":
		return fault.New(fault.Invalid, "%s missed call: neither its tenant nor its id may be empty", a.Kind)
	case nameOf(a.User) == "":
		return fault.New(fault.Invalid, "%s missed call %s: nobody is named by a login or an e-mail address", a.Kind, a.ID)
	case len(a.Note) > maxNote:
		return fault.New(fault.Invalid, "%s missed call %s: the note has more than %d bytes", a.Kind, a.ID, maxNote)
	}
	return nil
}

// apply does it to an entry.
func (a *Action) apply(v *pbxv1.MissedCall, now time.Time, s *Settings) error {
	refuse := func(format string, args ...any) error {
		return fault.New(fault.Conflict, "%s missed call %s: "+format, append([]any{a.Kind, a.ID}, args...)...)
	}
	if at := v.GetResolvedAt(); at != nil {
		how := strings.ToLower(strings.ReplaceAll(v.GetResolution().String(), "_", " "))
		return refuse("it was resolved (%s) at %s", how, at.AsTime().Format(time.RFC3339))
	}
	holder, mine := v.GetClaimedBy(), isSame(v.GetClaimedBy(), a.User)
	switch {
	case a.Kind == Resolve:
		v.Kind, v.Resolution, v.ResolvedBy = pbxv1.MissedCall_RESOLVED, pbxv1.MissedCall_CLOSED, a.User
		v.ResolvedAt, v.ClaimedUntil = timestamppb.New(now), nil
	case holder != nil && !mine:
		until := v.GetClaimedUntil().AsTime().Format(time.RFC3339)
		return refuse("%s has claimed it until %s", cmp.Or(holder.GetLogin(), holder.GetEmail()), until)
	case a.Kind == Release && holder == nil:
		return refuse("nobody has claimed it")
	case a.Kind == Release:
		v.Kind, v.ClaimedBy, v.ClaimedUntil = pbxv1.MissedCall_ACKNOWLEDGED, nil, nil
	default:
		v.Kind, v.ClaimedBy = pbxv1.MissedCall_ACKNOWLEDGED, a.User
		v.ClaimedUntil = timestamppb.New(later(v.GetClaimedUntil().AsTime(), now.Add(s.claimExpiry())))
	}
	v.Note = cmp.Or(a.Note, v.GetNote())
	return nil
}

// act is what a person did, as it is in the stream.
type act struct {
	kind  ActionKind
	id    string    // of the event
	at    time.Time // the stream's clock
	told  time.Time // the event's own
	by    *pbxv1.User
	until time.Time // of a claim
	note  string
}

// actOf reads what a person did from an event. What the entry looked like otherwise is not asked.
func actOf(ev *pbxv1.Event, now time.Time) (act, bool) {
	e := ev.GetMissedCall()
	a := act{id: ev.GetId(), at: now, told: ev.GetTime().AsTime(), note: e.GetNote()}
	switch {
	case e.GetKind() == pbxv1.MissedCall_RESOLVED && e.GetResolution() == pbxv1.MissedCall_CLOSED:
		a.kind, a.by = Resolve, e.GetResolvedBy()
	case e.GetKind() != pbxv1.MissedCall_ACKNOWLEDGED:
		return act{}, false
	case e.GetClaimedBy() == nil:
		a.kind = Release
	default:
		a.kind, a.by, a.until = Claim, e.GetClaimedBy(), e.GetClaimedUntil().AsTime()
	}
	return a, true
}

// hear takes an event of missed calls: of an entry that is known, what a person did; of any other, all of it.
func (m *Machine) hear(ev *pbxv1.Event, why cause) {
	if _, ok := m.derived[ev.GetId()]; ok {
		delete(m.derived, ev.GetId())
		return
	}
	t, said := m.tenant(ev.GetTenant()), ev.GetMissedCall()
	e := t.entries[said.GetId()]
	if e == nil {
		m.remember(t, said, why)
		return
	}
	a, ok := actOf(ev, m.clock)
	known := slices.ContainsFunc(e.acts, func(other act) bool { return other.id == a.id })
	if !ok || known || e.base != nil && !a.told.After(e.claimedAt()) {
		return
	}
	e.acts = append(e.acts, a)
	e.told.resolution = pbxv1.MissedCall_RESOLUTION_UNSPECIFIED
	if a.kind == Resolve {
		e.told.resolution = pbxv1.MissedCall_CLOSED
	}
	e.told.claim = nameOf(said.GetClaimedBy())
	m.conclude(e.caller, why)
}

// nameOf returns what tells people apart in what was told.
func nameOf(u *pbxv1.User) string {
	if u.GetLogin() == "" && u.GetEmail() == "" {
		return ""
	}
	return u.GetLogin() + " " + u.GetEmail()
}

// isSame reports whether two users are one person: the same login or, where one of them has none, the same address.
func isSame(a, b *pbxv1.User) bool {
	if a.GetLogin() != "" && b.GetLogin() != "" {
		return strings.EqualFold(a.GetLogin(), b.GetLogin())
	}
	return a.GetEmail() != "" && strings.EqualFold(a.GetEmail(), b.GetEmail())
}
