package hours

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// Settings are the business hours of a tenant, as they are configured. The zero value is always open.
type Settings struct {
	// Timezone is where the clock hangs; the tenant's time zone unless given.
	Timezone Zone `yaml:"timezone"`
	// Week are the weekly hours; always open unless given.
	Week []Line `yaml:"week"`
	// Holidays are days on which nothing opens. What opened the evening before closes as usual.
	Holidays []Days `yaml:"holidays"`
	// Special are days with other hours, holidays or not.
	Special []Special `yaml:"special"`
	// Queues are those with hours of their own; names are unique.
	Queues []Queue `yaml:"queues"`
}

// Queue are the hours of one queue. What is not given is the tenant's; an empty list of holidays means that there are none.
type Queue struct {
	Name     string    `yaml:"name,required"`
	Timezone Zone      `yaml:"timezone"`
	Week     []Line    `yaml:"week"`
	Holidays []Days    `yaml:"holidays"`
	Special  []Special `yaml:"special"`
}

// Check says what is wrong with settings that could be read, by path from where they stand.
func (s Settings) Check(check func(ok bool, path, message string)) {
	week := func(path string, lines []Line) {
		check(lines == nil || len(lines) > 0, path+"week", "is empty; leave it out to be always open")
	}
	week("", s.Week)
	named := make(map[string]int)
	for i, q := range s.Queues {
		path := fmt.Sprintf("queues[%d].", i)
		first, taken := named[q.Name]
		check(!taken, path+"name", fmt.Sprintf("%s is already the name of queues[%d]", q.Name, first))
		named[q.Name] = i
		week(path, q.Week)
	}
}

// Zone is a time zone by its IANA name. The zero value is none.
type Zone struct{ *time.Location }

// UnmarshalText reads a name such as Europe/Prague.
func (z *Zone) UnmarshalText(text []byte) error {
	location, err := time.LoadLocation(string(text))
	if err != nil || len(text) == 0 || location == time.Local {
		return fmt.Errorf("want a time zone such as Europe/Prague, have %q", text)
	}
	z.Location = location
	return nil
}

// Line are the hours of some days of the week.
type Line struct {
	days      [7]bool // by time.Weekday
	intervals []Interval
}

// UnmarshalText reads days and intervals such as "mon-fri 08:00-12:00, 13:00-17:00" or "sat, sun 22:00-06:00".
func (l *Line) UnmarshalText(text []byte) error {
	var line Line
	words := split(string(text))
	first := slices.IndexFunc(words, func(word string) bool { return word[0] >= '0' && word[0] <= '9' })
	if first < 1 {
		return fmt.Errorf("want days and intervals such as mon-fri 08:00-17:00, have %q", text)
	}
	for _, word := range words[:first] {
		if err := line.addDays(word); err != nil {
			return err
		}
	}
	var err error
	if line.intervals, err = readIntervals(words[first:]); err != nil {
		return err
	}
	*l = line
	return nil
}

// addDays adds "mon", or "mon-fri"; "sat-mon" goes over the end of the week.
func (l *Line) addDays(word string) error {
	from, to, isRange := strings.Cut(strings.ToLower(word), "-")
	if !isRange {
		to = from
	}
	names := []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}
	first, last := slices.Index(names, from), slices.Index(names, to)
	if first < 0 || last < 0 {
		return fmt.Errorf("want days such as mon or mon-fri, have %q", word)
	}
	for day := first; ; day = (day + 1) % 7 {
		l.days[day] = true
		if day == last {
			return nil
		}
	}
}

// Interval is a part of a day, from a time to another, in minutes since midnight as the clock shows. One that ends past
// midnight ends after 24 h.
type Interval struct{ from, to int }

var wholeDay = Interval{0, 24 * 60}

func readIntervals(words []string) ([]Interval, error) {
	intervals := make([]Interval, len(words))
	for i, word := range words {
		from, to, _ := strings.Cut(word, "-")
		begin, okBegin := clock(from)
		end, okEnd := clock(to)
		if !okBegin || !okEnd || begin == end || begin == wholeDay.to {
			return nil, fmt.Errorf("want an interval such as 08:00-17:00, 22:00-06:00 or 00:00-24:00, have %q", word)
		}
		if end < begin {
			end += wholeDay.to
		}
		intervals[i] = Interval{begin, end}
	}
	return intervals, nil
}

// clock reads hours and minutes, 00:00 to 24:00, into minutes.
func clock(s string) (int, bool) {
	if s == "24:00" {
		return wholeDay.to, true
	}
	t, err := time.Parse("15:04", s)
	return t.Hour()*60 + t.Minute(), err == nil && len(s) == len("15:04")
}

// Days are days of the calendar: one or a range, of one year or of every one.
type Days struct {
	yearly   bool // the years of the dates mean nothing
	from, to date // both belong to it; a yearly range may go over the end of the year
}

// UnmarshalText reads a date such as 2026-12-24, every year's such as 12-24, or a range such as 12-24..01-02.
func (d *Days) UnmarshalText(text []byte) error {
	from, to, isRange := strings.Cut(string(text), "..")
	if !isRange {
		to = from
	}
	first, yearly, okFirst := readDate(strings.TrimSpace(from))
	last, lastYearly, okLast := readDate(strings.TrimSpace(to))
	if !okFirst || !okLast || yearly != lastYearly {
		return fmt.Errorf("want a date such as 2026-12-24, 12-24 for every year, or a range such as 12-24..01-02, have %q", text)
	}
	if !yearly && first.compare(last) > 0 {
		return fmt.Errorf("want a range that ends after it begins, have %q", text)
	}
	*d = Days{yearly, first, last}
	return nil
}

// readDate gives dates without a year that of a leap year, so that there is a 29 February.
func readDate(s string) (d date, yearly, ok bool) {
	if t, err := time.Parse(time.DateOnly, s); err == nil {
		return dateOf(t), false, true
	}
	t, err := time.Parse(time.DateOnly, strconv.Itoa(leapYear)+"-"+s)
	return dateOf(t), true, err == nil
}

const leapYear = 2000

func (d Days) has(day date) bool {
	if d.yearly {
		day.year = leapYear
		if d.from.compare(d.to) > 0 {
			return day.compare(d.from) >= 0 || day.compare(d.to) <= 0
		}
	}
	return day.compare(d.from) >= 0 && day.compare(d.to) <= 0
}

// Special are days with other hours.
type Special struct {
	days      Days
	intervals []Interval
}

// UnmarshalText reads days, as Days does but without spaces, and intervals: "2026-12-31 08:00-12:00, 13:00-14:00".
func (s *Special) UnmarshalText(text []byte) error {
	words := split(string(text))
	if len(words) < 2 {
		return fmt.Errorf("want a date and intervals such as 2026-12-31 08:00-12:00, have %q", text)
	}
	var special Special
	if err := special.days.UnmarshalText([]byte(words[0])); err != nil {
		return err
	}
	var err error
	if special.intervals, err = readIntervals(words[1:]); err != nil {
		return err
	}
	*s = special
	return nil
}

// split cuts at commas and white space.
func split(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == ',' || unicode.IsSpace(r) })
}
