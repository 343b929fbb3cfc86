package hours_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/switchhook/switchhook/services/missed-call/hours"
)

const layout = "2006-01-02 15:04 -0700"

// parse reads one text or fails the test.
func parse[T any, P interface {
	*T
	UnmarshalText([]byte) error
}](t testing.TB, texts ...string) []T {
	t.Helper()
	var all []T
	for _, text := range texts {
		var v T
		if err := P(&v).UnmarshalText([]byte(text)); err != nil {
			t.Fatal(err)
		}
		all = append(all, v)
	}
	return all
}

func location(t testing.TB, name string) *time.Location {
	t.Helper()
	l, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// office is open on weekdays with a break at noon, closed at Christmas, and has an early end on New Year's Eve.
func office(t testing.TB) hours.Settings {
	return hours.Settings{
		Week:     parse[hours.Line](t, "mon-fri 08:00-12:00, 13:00-17:00"),
		Holidays: parse[hours.Days](t, "12-24..12-26", "2026-12-28", "2027-12-31"),
		Special:  parse[hours.Special](t, "12-31 08:00-12:00", "2026-12-26 10:00-11:00"),
	}
}

func at(t testing.TB, l *time.Location, text string) time.Time {
	t.Helper()
	if text == "" {
		return time.Time{}
	}
	if parsed, err := time.Parse(layout, text); err == nil {
		return parsed
	}
	parsed, err := time.ParseInLocation("2006-01-02 15:04", text, l)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

func TestCalendar(t *testing.T) {
	t.Parallel()
	prague := location(t, "Europe/Prague")
	night := hours.Settings{Week: parse[hours.Line](t, "mon-fri 22:00-06:00"), Holidays: parse[hours.Days](t, "2026-07-06")}
	// In 2026 clocks go from 02:00 to 03:00 on 29 March, and from 03:00 to 02:00 on 25 October; both are Sundays.
	at0230 := hours.Settings{Week: parse[hours.Line](t, "sun 02:30-04:00")}
	till0230 := hours.Settings{Week: parse[hours.Line](t, "sat 22:00-02:30")}
	inside := hours.Settings{Week: parse[hours.Line](t, "sun 02:10-02:50")}
	for name, test := range map[string]struct {
		settings hours.Settings
		at       string
		open     bool
		next     string
	}{
		"before opening":             {office(t), "2026-07-01 07:59", false, "2026-07-01 08:00"},
		"opening":                    {office(t), "2026-07-01 08:00", true, "2026-07-01 08:00"},
		"last minute":                {office(t), "2026-07-01 16:59", true, "2026-07-01 16:59"},
		"closing":                    {office(t), "2026-07-01 17:00", false, "2026-07-02 08:00"},
		"noon":                       {office(t), "2026-07-01 12:30", false, "2026-07-01 13:00"},
		"Friday evening":             {office(t), "2026-07-03 17:00", false, "2026-07-06 08:00"},
		"holidays every year":        {office(t), "2025-12-24 09:00", false, "2025-12-29 08:00"},
		"special day on a holiday":   {office(t), "2026-12-24 09:00", false, "2026-12-26 10:00"},
		"a holiday of one year":      {office(t), "2026-12-28 09:00", false, "2026-12-29 08:00"},
		"special day of every year":  {office(t), "2026-12-31 12:00", false, "2027-01-01 08:00"},
		"holiday before yearly hour": {office(t), "2027-12-31 09:00", false, "2028-01-03 08:00"},
		"past midnight":              {night, "2026-07-04 05:59", true, "2026-07-04 05:59"},
		"past midnight, over":        {night, "2026-07-04 06:00", false, "2026-07-07 22:00"},
		"into a holiday":             {hours.Settings{Week: night.Week, Holidays: parse[hours.Days](t, "2026-07-07")}, "2026-07-07 05:00", true, "2026-07-07 05:00"},
		"opens in the gap":           {at0230, "2026-03-29 00:00", false, "2026-03-29 03:00 +0200"},
		"opens at the first":         {at0230, "2026-10-25 00:00", false, "2026-10-25 02:30 +0200"},
		"stays open":                 {at0230, "2026-10-25 02:15 +0100", true, "2026-10-25 02:15 +0100"},
		"closes at the second":       {till0230, "2026-10-25 02:29 +0100", true, "2026-10-25 02:29 +0100"},
		"closed at the second":       {till0230, "2026-10-25 02:30 +0100", false, "2026-10-31 22:00"},
		"closes at the gap":          {till0230, "2026-03-29 03:00 +0200", false, "2026-04-04 22:00"},
		"nothing left of it":         {inside, "2026-03-29 00:00", false, "2026-04-05 02:10"},
		"never":                      {hours.Settings{Holidays: parse[hours.Days](t, "01-01..12-31")}, "2026-03-29 00:00", false, ""},
		"never again":                {hours.Settings{Holidays: parse[hours.Days](t, "2026-03-30..9999-12-31")}, "2026-04-29 00:00", false, ""},
		"over the end of the year":   {hours.Settings{Week: night.Week, Holidays: parse[hours.Days](t, "12-24..01-01")}, "2026-12-25 23:00", false, "2027-01-04 22:00"},
		"in the new year":            {hours.Settings{Week: night.Week, Holidays: parse[hours.Days](t, "12-24..01-01")}, "2027-01-01 23:00", false, "2027-01-04 22:00"},
		"always":                     {hours.Settings{}, "2026-03-29 00:00", true, "2026-03-29 00:00"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := hours.New(test.settings, prague).Of("")
			moment, next := at(t, prague, test.at), at(t, prague, test.next)
			if have := c.Open(moment); have != test.open {
				t.Errorf("open: want %v, have %v", test.open, have)
			}
			if have := c.NextOpen(moment); !have.Equal(next) {
				t.Errorf("next: want %v, have %v", next, have)
			}
		})
	}
}

func TestCalendarCounts(t *testing.T) {
	t.Parallel()
	prague := location(t, "Europe/Prague")
	saturday := hours.Settings{Week: parse[hours.Line](t, "sat 22:00-06:00")}
	for name, test := range map[string]struct {
		settings hours.Settings
		from, to string
		want     time.Duration
	}{
		"a day":              {office(t), "2026-07-01 00:00", "2026-07-02 00:00", 8 * time.Hour},
		"over the break":     {office(t), "2026-07-01 11:50", "2026-07-01 13:05", 15 * time.Minute},
		"over the night":     {office(t), "2026-07-01 16:58", "2026-07-02 08:03", 5 * time.Minute},
		"over the weekend":   {office(t), "2026-07-03 16:58", "2026-07-06 08:03", 5 * time.Minute},
		"over Christmas":     {office(t), "2026-12-23 16:30", "2026-12-29 08:30", 2 * time.Hour},
		"the short night":    {saturday, "2026-03-28 22:00", "2026-03-29 06:00", 7 * time.Hour},
		"the long night":     {saturday, "2026-10-24 22:00", "2026-10-25 06:00", 9 * time.Hour},
		"an ordinary night":  {saturday, "2026-10-31 22:00", "2026-11-01 06:00", 8 * time.Hour},
		"around the clock":   {hours.Settings{Week: parse[hours.Line](t, "mon-sun 00:00-24:00 22:00-06:00")}, "2026-01-01 00:00", "2026-02-01 00:00", 31 * 24 * time.Hour},
		"always, and a year": {hours.Settings{}, "2026-01-01 00:00", "2027-01-01 00:00", 365 * 24 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := hours.New(test.settings, prague).Of("")
			from, to := at(t, prague, test.from), at(t, prague, test.to)
			if have := c.Between(from, to); have != test.want {
				t.Errorf("between: want %v, have %v", test.want, have)
			}
			if have := c.Between(to, from); have != -test.want {
				t.Errorf("backwards: want %v, have %v", -test.want, have)
			}
			if have := c.Between(from, c.Add(from, test.want)); have != test.want {
				t.Errorf("up to what was added: want %v, have %v", test.want, have)
			}
		})
	}
}

func TestAddNothing(t *testing.T) {
	t.Parallel()
	night := time.Date(2026, 7, 1, 3, 0, 0, 0, time.UTC)
	if have := hours.New(office(t), nil).Of("").Add(night, 0); !have.Equal(night) {
		t.Errorf("want %v, have %v", night, have)
	}
}

func TestAddNever(t *testing.T) {
	t.Parallel()
	c := hours.New(hours.Settings{Holidays: parse[hours.Days](t, "2026-03-30..9999-12-31")}, nil).Of("")
	if have := c.Add(time.Date(2026, 3, 29, 23, 0, 0, 0, time.UTC), 2*time.Hour); !have.IsZero() {
		t.Errorf("want the zero time, have %v", have)
	}
}

func TestNil(t *testing.T) {
	t.Parallel()
	var none *hours.Hours
	now := time.Date(2026, 7, 1, 3, 0, 0, 0, time.UTC)
	c := none.Of("support")
	if have := c.Add(now, 1000*time.Hour); !c.Open(now) || !have.Equal(now.Add(1000*time.Hour)) {
		t.Errorf("want always open, have %v, and %v", c.Open(now), have)
	}
}

// A queue has what it gives, and the tenant's where it gives nothing.
func TestQueues(t *testing.T) {
	t.Parallel()
	settings := office(t)
	settings.Timezone = hours.Zone{Location: location(t, "Europe/Prague")}
	settings.Queues = []hours.Queue{
		{Name: "late", Week: parse[hours.Line](t, "mon-sun 08:00-22:00")},
		{Name: "emergency", Week: parse[hours.Line](t, "mon-sun 00:00-24:00"), Holidays: []hours.Days{}, Special: []hours.Special{}},
		{Name: "moscow", Timezone: hours.Zone{Location: location(t, "Europe/Moscow")}},
	}
	h := hours.New(settings, location(t, "America/New_York"))
	for name, test := range map[string]struct {
		queue, at string
		want      bool
	}{
		"the tenant's zone, not the fallback": {"", "2026-07-01 08:00", true},
		"a queue without hours":               {"sales", "2026-07-01 18:00", false},
		"its own week":                        {"late", "2026-07-01 18:00", true},
		"its own week, in the tenant's zone":  {"late", "2026-07-01 08:00", true},
		"the tenant's holidays":               {"late", "2026-12-24 18:00", false},
		"no holidays":                         {"emergency", "2026-12-24 18:00", true},
		"its own zone":                        {"moscow", "2026-07-01 07:00", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if have := h.Of(test.queue).Open(at(t, settings.Timezone.Location, test.at)); have != test.want {
				t.Errorf("want %v, have %v", test.want, have)
			}
		})
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	line := func(s string) error { return new(hours.Line).UnmarshalText([]byte(s)) }
	days := func(s string) error { return new(hours.Days).UnmarshalText([]byte(s)) }
	special := func(s string) error { return new(hours.Special).UnmarshalText([]byte(s)) }
	zone := func(s string) error { return new(hours.Zone).UnmarshalText([]byte(s)) }
	for name, test := range map[string]struct {
		read func(string) error
		text string
	}{
		"no days":             {line, "08:00-17:00"},
		"no interval":         {line, "mon-fri"},
		"nothing":             {line, ""},
		"no day":              {line, "mon-fry 08:00-17:00"},
		"empty interval":      {line, "mon 08:00-08:00"},
		"begins at the end":   {line, "mon 24:00-08:00"},
		"25 o'clock":          {line, "mon 08:00-25:00"},
		"one digit":           {line, "mon 8:00-17:00"},
		"half an interval":    {line, "mon 08:00"},
		"days behind":         {line, "mon 08:00-17:00 tue"},
		"no date":             {days, "24.12."},
		"no such day":         {days, "2026-02-30"},
		"no such day, yearly": {days, "04-31"},
		"mixed":               {days, "2026-12-24..01-02"},
		"backwards":           {days, "2026-12-24..2026-12-23"},
		"special, no hours":   {special, "2026-12-24"},
		"special, no date":    {special, "mon 08:00-12:00"},
		"special, no clock":   {special, "2026-12-24 8-12"},
		"no zone":             {zone, ""},
		"local":               {zone, "Local"},
		"elsewhere":           {zone, "Europe/Atlantis"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if err := test.read(test.text); err == nil || !strings.Contains(err.Error(), "want ") {
				t.Errorf("want what is wanted, have %v", err)
			}
		})
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	s := hours.Settings{Week: []hours.Line{}, Queues: []hours.Queue{{Name: "a"}, {Name: "b", Week: []hours.Line{}}, {Name: "a"}}}
	var have []string
	s.Check(func(ok bool, path, message string) {
		if !ok {
			have = append(have, path+": "+message)
		}
	})
	want := "[week: is empty; leave it out to be always open " +
		"queues[1].week: is empty; leave it out to be always open queues[2].name: a is already the name of queues[0]]"
	if fmt.Sprint(have) != want {
		t.Errorf("want %v, have %v", want, have)
	}
}
