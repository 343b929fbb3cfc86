package missed

import (
	"cmp"
	"time"
)

// Settings are those of one tenant. The zero value of each is its default.
type Settings struct {
	Tenant string

	// Location is where days begin and end, for the attempts of today; nil is UTC.
	Location *time.Location

	// Settle is by vendor how long after the end of a call it is called missed, if nobody is known to have answered by
	// then. A vendor that is not in it has 20 s, but MCN 30 s.
	//
	// No vendor's document says how late its events may be. What decides is how well each tells that a call is over.
	// IPEX ends the call as a whole, and the XVB family files a record of it, one to three seconds later where that was
	// seen. MCN ends only phones, so a pause before a queue tries the next one looks like the end of the call; and its
	// new style sends again what was not acknowledged, after a while that nobody tells. Queues that pause longer need
	// more.
	Settle map[string]time.Duration

	// IgnoreBelow is the length of a call, from its beginning to its end, below which it is no missed call: who gives up
	// after two seconds has noticed that the number is wrong. Zero ignores none.
	IgnoreBelow time.Duration

	// IgnoreUnended leaves out calls whose end nobody told, for exchanges that were set up to tell only of beginnings.
	// Elsewhere it is better to look once too often than to forget somebody.
	IgnoreUnended bool

	// Open says whether a queue, or without its name the tenant, is open at a moment. It must always say the same of the
	// same moment; nil means always.
	Open func(tenant, queue string, at time.Time) bool

	// ClaimExpiry is how long a claim holds, if nobody tries to call back; 15 minutes.
	ClaimExpiry time.Duration

	// Expiry is how long an entry stays open while nothing happens, and how long it is kept after it was resolved; 7 days.
	Expiry time.Duration
}

// settle returns how long after the end of a vendor's call the verdict falls.
func (s *Settings) settle(vendor string) time.Duration {
	window, ok := s.Settle[vendor]
	switch {
	case ok:
		return window
	case vendor == "mcn":
		return 30 * time.Second
	default:
		return 20 * time.Second
	}
}

func (s *Settings) claimExpiry() time.Duration { return cmp.Or(s.ClaimExpiry, 15*time.Minute) }
func (s *Settings) expiry() time.Duration      { return cmp.Or(s.Expiry, 7*24*time.Hour) }

// keep is how long a resolved entry is kept: never so short that its calls could still change.
func (s *Settings) keep() time.Duration { return max(s.expiry(), 2*late) }

func (s *Settings) open(queue string, at time.Time) bool {
	return s.Open == nil || s.Open(s.Tenant, queue, at)
}

// day names the day of a moment in the tenant's time zone.
func (s *Settings) day(at time.Time) string {
	return at.In(cmp.Or(s.Location, time.UTC)).Format(time.DateOnly)
}
