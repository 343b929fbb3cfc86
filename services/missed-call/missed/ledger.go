package missed

import (
	"cmp"
	"slices"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// stretch is the part of a caller's history that makes one entry: from the first attempt to what resolved it.
type stretch struct {
	settings *Settings
	entry    *entry // nil if it is to be made
	base     *pbxv1.MissedCall
	attempts []*record // by their ends; after the base, if there is one
	tries    []*record // calls back that were not answered
	reached  *record   // what resolved it, if that was a call
	active   time.Time // when a call last had a part in it
	today    int       // attempts of the caller on the day of the last one
}

// fact is something that happened.
type fact struct {
	at     time.Time
	role   role
	record *record
	entry  *entry // with a base, which takes the place of a record
}

func (f fact) compare(other fact) int {
	name := func(f fact) string {
		if f.record == nil {
			return f.entry.id
		}
		return f.record.call.ID
	}
	return cmp.Or(f.at.Compare(other.at), cmp.Compare(f.role, other.role), cmp.Compare(name(f), name(other)))
}

// known is when people could know of it.
func (f fact) known() time.Time {
	if f.role == attempt && f.record != nil {
		return f.record.judged
	}
	return f.at
}

// facts returns what happened, in order.
func (c *caller) facts() []fact {
	facts := make([]fact, 0, len(c.records)+len(c.entries))
	for _, e := range c.entries {
		if e.base != nil {
			facts = append(facts, fact{e.base.GetMissedAt().AsTime(), attempt, nil, e})
		}
	}
	for _, r := range c.records {
		if r.counts() {
			facts = append(facts, fact{r.at(), r.role, r, nil})
		}
	}
	slices.SortFunc(facts, fact.compare)
	return facts
}

// stretches divides a caller's history. It depends on the facts alone, not on the order in which they became known, but for
// the entries that they made before: a stretch keeps the entry of the first of its attempts that has one.
func (c *caller) stretches() []*stretch {
	var all []*stretch
	var open *stretch
	taken := map[*entry]bool{}
	day := tally{settings: &c.tenant.settings}
	for _, f := range c.facts() {
		if open != nil && open.over(f) {
			open = nil
		}
		if f.role == attempt && (open == nil || f.entry != nil) {
			open = &stretch{settings: &c.tenant.settings}
			all = append(all, open)
		}
		switch {
		case open == nil:
		case f.role == attempt:
			open.join(c, f, taken)
			open.today = day.count(f)
			if open.base.GetResolution() != pbxv1.MissedCall_RESOLUTION_UNSPECIFIED {
				open = nil
			}
		case f.role == tried:
			open.tries, open.active = append(open.tries, f.record), later(open.active, f.at)
		default:
			open.reached, open = f.record, nil
		}
	}
	return all
}

// join adds an attempt.
func (s *stretch) join(c *caller, f fact, taken map[*entry]bool) {
	s.active = later(s.active, f.at)
	if f.record == nil {
		s.base, s.entry = f.entry.base, f.entry
		s.active = later(s.active, f.entry.claimedAt())
		taken[s.entry] = true
		return
	}
	s.attempts = append(s.attempts, f.record)
	if e := c.entryOf(f.record.entry); s.entry == nil && e != nil && e.base == nil && !taken[e] {
		s.entry = e
		taken[e] = true
	}
}

// over reports whether a stretch ended, without a call, before something happened. What a person closes is what was known
// then: an attempt on which the verdict fell later opens another entry.
func (s *stretch) over(f fact) bool {
	if a := s.closing(); a != nil && f.known().After(a.at) {
		return true
	}
	return !f.at.Before(s.lapse())
}

// lapse is when it is given up, if nothing else happens.
func (s *stretch) lapse() time.Time {
	until := s.active.Add(s.settings.expiry())
	for _, a := range s.acts() {
		if a.at.Before(until) {
			until = later(until, a.at.Add(s.settings.expiry()))
		}
	}
	return until
}

func (s *stretch) acts() []act {
	if s.entry == nil {
		return nil
	}
	return s.entry.acts
}

// closing returns the first time that a person closed it; nil for never.
func (s *stretch) closing() *act {
	for _, a := range s.acts() {
		if a.kind == Resolve {
			return &a
		}
	}
	return nil
}

// tally counts attempts by day.
type tally struct {
	settings *Settings
	day      string
	attempts int
}

func (t *tally) count(f fact) int {
	if day := t.settings.day(f.at); day != t.day {
		t.day, t.attempts = day, 0
	}
	if f.record == nil {
		t.attempts = max(t.attempts+1, int(f.entry.base.GetAttemptsToday()))
	} else {
		t.attempts++
	}
	return t.attempts
}

// view returns the entry as it is at a moment.
func (s *stretch) view(c *caller, now time.Time) *pbxv1.MissedCall {
	v := s.remembered()
	v.AttemptsToday = int32(s.today)
	v.Attempts += int32(len(s.attempts))
	for _, r := range s.attempts {
		add(v, r)
	}
	if c.contact.id != "" {
		v.Contact = c.contact.match
	}
	v.FailedCallbacks = max(v.GetFailedCallbacks(), int32(len(s.tries)))
	at := s.resolve(v, now)
	by, until := s.claim(at)
	v.ClaimedBy = by
	for _, a := range s.acts() {
		v.Note = cmp.Or(a.note, v.GetNote())
	}
	switch {
	case v.GetResolution() != pbxv1.MissedCall_RESOLUTION_UNSPECIFIED:
		v.Kind = pbxv1.MissedCall_RESOLVED
	case by != nil:
		v.Kind, v.ClaimedUntil = pbxv1.MissedCall_ACKNOWLEDGED, timestamppb.New(until)
	default:
		v.Kind = pbxv1.MissedCall_OPENED
	}
	return v
}

// remembered returns what an entry from before the stream had; else an empty one.
func (s *stretch) remembered() *pbxv1.MissedCall {
	b := s.base
	if b == nil {
		return &pbxv1.MissedCall{}
	}
	return &pbxv1.MissedCall{
		Id: b.GetId(), CallKeys: slices.Clone(b.GetCallKeys()), From: b.GetFrom(), To: b.GetTo(), Queue: b.GetQueue(),
		MissedAt: b.GetMissedAt(), Wait: b.GetWait(), Attempts: b.GetAttempts(), Note: b.GetNote(), Reason: b.GetReason(),
		Contact: b.GetContact(), OpenedAt: b.GetOpenedAt(), FailedCallbacks: b.GetFailedCallbacks(),
		Vendor: b.GetVendor(), Exchange: b.GetExchange(),
	}
}

// add shows one more attempt. What the last one's exchange does not tell stays that of the one before.
func add(v *pbxv1.MissedCall, r *record) {
	c := r.call
	v.CallKeys = append(v.CallKeys, c.Key)
	v.From, v.To, v.Queue = cmp.Or(c.From, v.GetFrom()), cmp.Or(c.To, v.GetTo()), cmp.Or(c.Queue, v.GetQueue())
	v.MissedAt, v.Wait, v.Reason = timestamppb.New(c.Ended), durationpb.New(waited(c)), r.reason
	v.Vendor, v.Exchange = c.Vendor, c.Exchange
	opened := c.Ended.Add(r.window)
	if v.GetOpenedAt() == nil || opened.Before(v.GetOpenedAt().AsTime()) {
		v.OpenedAt = timestamppb.New(opened)
	}
}

// resolve says how it was resolved, if it was, and returns up to when claims matter.
func (s *stretch) resolve(v *pbxv1.MissedCall, now time.Time) time.Time {
	closed, lapse := s.closing(), s.lapse()
	var at time.Time
	switch {
	case s.base.GetResolution() != pbxv1.MissedCall_RESOLUTION_UNSPECIFIED:
		v.Resolution, v.ResolvedBy, at = s.base.GetResolution(), s.base.GetResolvedBy(), s.base.GetResolvedAt().AsTime()
	case s.reached != nil:
		v.Resolution, v.ResolvedBy, at = pbxv1.MissedCall_GOT_THROUGH, spoke(s.reached.call), s.reached.shownAt()
		if s.reached.call.Direction == pbxv1.Call_OUTGOING {
			v.Resolution = pbxv1.MissedCall_CALLED_BACK
		}
	case closed != nil && closed.at.Before(lapse):
		v.Resolution, v.ResolvedBy, at = pbxv1.MissedCall_CLOSED, closed.by, closed.at
	case !lapse.After(now):
		v.Resolution, at = pbxv1.MissedCall_EXPIRED, lapse
	default:
		return now
	}
	v.ResolvedAt = timestamppb.New(at)
	return at
}

// claim returns who had claimed it at a moment, and until when; nil for nobody. Of two claims the first in the stream holds;
// the same person can renew theirs, and every attempt to call back does.
func (s *stretch) claim(at time.Time) (by *pbxv1.User, until time.Time) {
	var since time.Time
	if s.base.GetClaimedBy() != nil {
		by, since = s.base.GetClaimedBy(), s.entry.claimedAt()
		until = since.Add(s.settings.claimExpiry())
	}
	tries := s.tries
	prolong := func(before time.Time) {
		for ; len(tries) > 0 && tries[0].at().Before(before); tries = tries[1:] {
			if t := tries[0].at(); by != nil && t.Before(until) {
				until = later(until, t.Add(s.settings.claimExpiry()))
			}
		}
	}
	for _, a := range s.acts() {
		if a.kind == Resolve || a.at.After(at) {
			break
		}
		prolong(a.at)
		free := by == nil || !until.After(a.at)
		switch {
		case a.kind == Claim && (free || isSame(by, a.by)):
			by, since, until = a.by, a.at, a.until
		case a.kind == Release && !a.told.Before(since):
			by = nil
		}
	}
	prolong(at.Add(1))
	if !until.After(at) {
		by = nil
	}
	return by, until
}
