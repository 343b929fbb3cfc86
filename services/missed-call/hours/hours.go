// Package hours knows when a tenant, or one of its queues, is open for business, and counts time by it: time that passes
// while it is closed does not pass. It has no I/O and no clock.
//
// Hours are given as a clock on the wall shows them: intervals of a weekday, some of them past midnight, holidays, and
// special days. Such an interval is one stretch of time: from the first moment that the clock shows its beginning or later,
// to the last moment that it shows earlier than its end. So in a night when clocks change, 02:30 that does not exist is the
// moment of the change, what opens at 02:30 that comes twice opens at the first, and what closes at it at the second:
// nobody is closed while the clock shows a time that they are open at.
package hours

import (
	"iter"
	"slices"
	"time"
)

// longestClosed is after how many closed days in a row, about eleven years, the rest is believed to be closed too.
const longestClosed = 4000

// Hours are the business hours of a tenant and of its queues. They never change, and are safe for concurrent use. Nil, like
// the zero value, is always open.
type Hours struct {
	tenant Calendar
	queues map[string]*Calendar
}

// New returns the hours of settings that Check found nothing wrong with. The location is the tenant's, for settings that
// name no time zone; nil is UTC.
func New(s Settings, location *time.Location) *Hours {
	h := &Hours{
		tenant: Calendar{given(s.Timezone, location), s.Week, s.Holidays, s.Special},
		queues: make(map[string]*Calendar, len(s.Queues)),
	}
	for _, q := range s.Queues {
		c := &Calendar{given(q.Timezone, h.tenant.location), q.Week, q.Holidays, q.Special}
		if c.week == nil {
			c.week = h.tenant.week
		}
		if c.holidays == nil {
			c.holidays = h.tenant.holidays
		}
		if c.special == nil {
			c.special = h.tenant.special
		}
		h.queues[q.Name] = c
	}
	return h
}

func given(z Zone, fallback *time.Location) *time.Location {
	if z.Location != nil {
		return z.Location
	}
	return fallback
}

// Of returns the calendar of a queue: the tenant's for one that has no hours of its own, and for the empty name.
func (h *Hours) Of(queue string) *Calendar {
	if h == nil {
		return nil
	}
	if c, ok := h.queues[queue]; ok {
		return c
	}
	return &h.tenant
}

// Calendar says when somebody is open. It never changes, and is safe for concurrent use. Nil, like the zero value, is always
// open.
type Calendar struct {
	location *time.Location
	week     []Line
	holidays []Days
	special  []Special
}

// Open reports whether it is open at a moment. It is no longer at the moment that it closes.
func (c *Calendar) Open(at time.Time) bool {
	for s := range c.stretches(at) {
		return !s.from.After(at)
	}
	return false
}

// NextOpen returns the moment itself if it is open then, or else when it opens next. It is the zero time if it never does.
func (c *Calendar) NextOpen(at time.Time) time.Time {
	for s := range c.stretches(at) {
		return later(s.from, at)
	}
	return time.Time{}
}

// Between returns how much business time passes between two moments; it is negative if the second is the earlier one.
func (c *Calendar) Between(from, to time.Time) time.Duration {
	if to.Before(from) {
		return -c.Between(to, from)
	}
	var sum time.Duration
	for s := range c.stretches(from) {
		if !s.from.Before(to) {
			break
		}
		sum += earlier(s.to, to).Sub(later(s.from, from))
	}
	return sum
}

// Add returns the first moment by which so much business time has passed. For none, or less, that is the moment itself, be
// it open or not. It is the zero time if so much never passes.
func (c *Calendar) Add(from time.Time, d time.Duration) time.Time {
	if d <= 0 {
		return from
	}
	for s := range c.stretches(from) {
		begin := later(s.from, from)
		if length := s.to.Sub(begin); length < d {
			d -= length
			continue
		}
		return begin.Add(d)
	}
	return time.Time{}
}

// stretch is a time without a break in which it is open.
type stretch struct{ from, to time.Time }

// stretches returns, in order, those that end after a moment. They do not overlap, and there is time between them unless
// they are very long.
func (c *Calendar) stretches(after time.Time) iter.Seq[stretch] {
	return func(yield func(stretch) bool) {
		location := time.UTC
		if c != nil && c.location != nil {
			location = c.location
		}
		// What began two days before may, over a change of clocks, still last.
		day := dateOf(after.In(location)).add(-2)
		var open stretch   // may be continued by what comes
		var told time.Time // up to here
		for closed := 0; closed < longestClosed; closed++ {
			over := open.to.Before(firstShowing(day.seconds(), location)) || open.to.Sub(open.from) > longest
			if !open.to.IsZero() && over {
				if !yield(open) {
					return
				}
				open, told = stretch{}, open.to
			}
			for _, next := range c.of(day, location) {
				closed = 0
				next.from = later(next.from, told)
				switch {
				case !next.to.After(after) || !next.to.After(told):
				case open.to.IsZero():
					open = next
				case !next.from.After(open.to):
					open.to = later(open.to, next.to)
				case !yield(open):
					return
				default:
					open, told = next, open.to
				}
			}
			day = day.add(1)
		}
	}
}

// longest is how long a stretch may become until it is cut.
const longest = 7 * 24 * time.Hour

// of returns the stretches that begin on a day, in order. They may overlap.
func (c *Calendar) of(day date, location *time.Location) []stretch {
	spans := c.spans(day)
	all := make([]stretch, 0, len(spans))
	midnight := day.seconds()
	for _, s := range spans {
		next := stretch{
			firstShowing(midnight+int64(s.from)*60, location),
			lastBefore(midnight+int64(s.to)*60, location),
		}
		if next.from.Before(next.to) {
			all = append(all, next)
		}
	}
	slices.SortFunc(all, func(a, b stretch) int { return a.from.Compare(b.from) })
	return all
}

// spans returns the intervals of a day. One that is given with its year comes before one that is yearly; among these a
// special day before a holiday, and last the day of the week.
func (c *Calendar) spans(day date) []Interval {
	if c == nil {
		return []Interval{wholeDay}
	}
	for _, yearly := range []bool{false, true} {
		var found []Interval
		for _, s := range c.special {
			if s.days.yearly == yearly && s.days.has(day) {
				found = append(found, s.intervals...)
			}
		}
		if found != nil {
			return found
		}
		for _, h := range c.holidays {
			if h.yearly == yearly && h.has(day) {
				return nil
			}
		}
	}
	if c.week == nil {
		return []Interval{wholeDay}
	}
	var found []Interval
	for _, line := range c.week {
		if line.days[day.weekday()] {
			found = append(found, line.intervals...)
		}
	}
	return found
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
