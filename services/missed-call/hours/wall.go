package hours

import "time"

// date is a day of the calendar, wherever.
type date struct {
	year  int
	month time.Month
	day   int
}

func dateOf(t time.Time) date {
	year, month, day := t.Date()
	return date{year, month, day}
}

func (d date) utc() time.Time         { return time.Date(d.year, d.month, d.day, 0, 0, 0, 0, time.UTC) }
func (d date) add(days int) date      { return dateOf(d.utc().AddDate(0, 0, days)) }
func (d date) weekday() time.Weekday  { return d.utc().Weekday() }
func (d date) seconds() int64         { return d.utc().Unix() }
func (d date) compare(other date) int { return d.utc().Compare(other.utc()) }

// A wall time is what a clock on the wall shows, in seconds: the Unix time of a clock in UTC that shows the same. No clock is
// further off than this.
const furthest = 26 * 60 * 60

// firstShowing returns the first moment that clocks of a location show a wall time, or a later one.
func firstShowing(wall int64, location *time.Location) time.Time {
	at := time.Unix(wall-furthest, 0).In(location)
	for {
		_, offset := at.Zone()
		shows := later(at, time.Unix(wall-int64(offset), 0).In(location))
		_, end := at.ZoneBounds()
		if end.IsZero() || shows.Before(end) {
			return shows
		}
		at = end
	}
}

// lastBefore returns the moment from which on clocks of a location never again show a time before a wall time.
func lastBefore(wall int64, location *time.Location) time.Time {
	at := time.Unix(wall+furthest, 0).In(location)
	for {
		before := at.Add(-1)
		_, offset := before.Zone()
		shows := earlier(at, time.Unix(wall-int64(offset), 0).In(location))
		start, _ := before.ZoneBounds()
		if start.IsZero() || shows.After(start) {
			return shows
		}
		at = start
	}
}
