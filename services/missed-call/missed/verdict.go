package missed

import (
	"time"

	"github.com/switchhook/switchhook/pkg/call"
	"github.com/switchhook/switchhook/pkg/phone"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// role is what a call is to the ledger.
type role int

const (
	nothing role = iota // it goes on, or is no concern of the ledger
	attempt             // an outside caller reached nobody
	tried               // somebody of the tenant called, and was not answered
	reached             // an outside party and somebody of the tenant talked
)

// roleOf judges a call by what is known of it now.
//
// A call that is over without a word how is an attempt, since every exchange known proves an answer by the end of the call
// at the latest; and so is one that nobody heard of any more, unless the settings leave it out. With an outgoing call it is
// the other way round: unless the exchange said that it failed it is no failure, and unless it said that somebody answered,
// the caller still waits.
func (s *Settings) roleOf(c *call.Call) role {
	switch {
	case c.Void || !isOutside(c):
		return nothing
	case isAnswered(c):
		return reached
	case c.Open():
		return nothing
	case c.Direction == pbxv1.Call_OUTGOING && c.Outcome != call.Unknown:
		return tried
	case c.Direction != pbxv1.Call_INCOMING, c.Expired && s.IgnoreUnended, waited(c) < s.IgnoreBelow:
		return nothing
	default:
		return attempt
	}
}

// isOutside reports whether a call goes to an outside number, or comes from one. A caller whose number nobody knows is
// outside, too; one at an extension is not, whatever the exchange says.
func isOutside(c *call.Call) bool {
	switch c.Direction {
	case pbxv1.Call_OUTGOING:
		return c.Outside() != nil
	case pbxv1.Call_INCOMING:
		return c.Outside() != nil || phone.Parse(c.From.GetNumber(), "").Kind != phone.Extension
	default:
		return false
	}
}

// isAnswered reports whether somebody picked up; in an outgoing call, the other side.
func isAnswered(c *call.Call) bool { return c.Outcome == call.Answered || !c.Answered.IsZero() }

// waited is how long the caller of a missed call waited: all the time.
func waited(c *call.Call) time.Duration { return max(0, c.Ended.Sub(c.Began)) }

// reason says how a call was missed, as far as its exchange tells. Exchanges that tell of a queue tell of the phones that ring,
// too, so where none did the caller got no further than the queue. Where an exchange tells of neither, and says no more than
// that the caller gave up, the call is not known to have reached anything.
func (s *Settings) reason(c *call.Call) pbxv1.MissedCall_Reason {
	rang := rang(c)
	switch {
	case !s.open(c.Queue, c.Began):
		return pbxv1.MissedCall_OUTSIDE_HOURS
	case c.Outcome == call.Busy, c.Outcome == call.Rejected:
		return pbxv1.MissedCall_BUSY
	case c.Outcome == call.Abandoned && rang:
		return pbxv1.MissedCall_ABANDONED_RINGING
	case c.Queue != "" && !rang:
		return pbxv1.MissedCall_ABANDONED_QUEUE
	case c.Outcome == call.RangOut || rang:
		return pbxv1.MissedCall_RANG_OUT
	default:
		return pbxv1.MissedCall_NEVER_REACHED
	}
}

// rang reports whether a phone is known to have rung.
func rang(c *call.Call) bool {
	for i := range c.Legs {
		for _, span := range c.Legs[i].Spans {
			if span.Kind == call.Ringing {
				return true
			}
		}
	}
	return false
}

// spoke returns who talked: of several people the first, or, if nobody knows when, the first that is named.
func spoke(c *call.Call) *pbxv1.User {
	var best *pbxv1.User
	var first time.Time
	for i := range c.Legs {
		leg := &c.Legs[i]
		if leg.User == nil || !leg.Answered && leg.Direction != pbxv1.Call_OUTGOING {
			continue
		}
		since := talks(leg)
		if best == nil || !since.IsZero() && (first.IsZero() || since.Before(first)) {
			best, first = leg.User, since
		}
	}
	return best
}

// talks returns since when a leg talks; the zero time if nobody told.
func talks(leg *call.Leg) time.Time {
	for _, span := range leg.Spans {
		if span.Kind == call.Talking {
			return span.From
		}
	}
	return time.Time{}
}
