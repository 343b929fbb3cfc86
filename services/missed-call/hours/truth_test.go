package hours_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/switchhook/switchhook/services/missed-call/hours"
)

// span is an interval of a day, in minutes, as the truth knows it.
type span struct{ from, to int }

// week is what a random calendar is made of.
type week struct {
	days     [7][]span // by weekday
	holidays map[string]bool
	special  map[string][]span
	known    map[int64][]span // by midnight, in minutes
}

func (w *week) of(midnight int64) []span {
	spans, known := w.known[midnight]
	if known {
		return spans
	}
	t := time.Unix(midnight*60, 0).UTC()
	day := t.Format(time.DateOnly)
	if other, ok := w.special[day]; ok {
		spans = other
	} else if !w.holidays[day] {
		spans = w.days[t.Weekday()]
	}
	w.known[midnight] = spans
	return spans
}

// truth looks at every minute of a time: what the clock shows then, the latest that it has shown so far, and the earliest that
// it will show from then on. An interval is open from when the clock has shown its beginning to when it no longer shows
// anything before its end.
func truth(w *week, l *time.Location, from time.Time, minutes int) []bool {
	shows := make([]int64, minutes)
	for i := range shows {
		t := from.Add(time.Duration(i) * time.Minute).In(l)
		_, offset := t.Zone()
		shows[i] = (t.Unix() + int64(offset)) / 60
	}
	latest, earliest := slices.Clone(shows), slices.Clone(shows)
	for i := 1; i < minutes; i++ {
		latest[i] = max(latest[i], latest[i-1])
	}
	for i := minutes - 2; i >= 0; i-- {
		earliest[i] = min(earliest[i], earliest[i+1])
	}
	open := make([]bool, minutes)
	for i := range open {
		for back := range int64(4) {
			midnight := (latest[i]/1440 - back) * 1440
			for _, s := range w.of(midnight) {
				open[i] = open[i] || latest[i] >= midnight+int64(s.from) && earliest[i] < midnight+int64(s.to)
			}
		}
	}
	return open
}

// random makes a calendar, and the settings for it.
func random(t *testing.T, r *rand.Rand, from time.Time) (*week, hours.Settings) {
	w := &week{holidays: map[string]bool{}, special: map[string][]span{}, known: map[int64][]span{}}
	var s hours.Settings
	text := func(x span) string {
		end := x.to
		if end > 1440 {
			end -= 1440
		}
		return fmt.Sprintf("%02d:%02d-%02d:%02d", x.from/60, x.from%60, end/60, end%60)
	}
	interval := func() span {
		from := r.IntN(96) * 15
		return span{from, from + 15 + r.IntN(95)*15}
	}
	for day, name := range []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"} {
		for range r.IntN(3) {
			x := interval()
			w.days[day] = append(w.days[day], x)
			s.Week = append(s.Week, parse[hours.Line](t, name+" "+text(x))...)
		}
	}
	for range 20 {
		day := from.AddDate(0, 0, r.IntN(700)).Format(time.DateOnly)
		if r.IntN(2) == 0 {
			w.holidays[day] = true
			s.Holidays = append(s.Holidays, parse[hours.Days](t, day)...)
			continue
		}
		x := interval()
		w.special[day] = append(w.special[day], x)
		s.Special = append(s.Special, parse[hours.Special](t, day+" "+text(x))...)
	}
	if s.Week == nil {
		return random(t, r, from)
	}
	return w, s
}

// Two years, minute by minute, in zones that change clocks at all kinds of times: at midnight, by half an hour, by a whole day.
func TestTruth(t *testing.T) {
	t.Parallel()
	for zone, from := range map[string]int{
		"Europe/Prague": 2026, "Europe/Moscow": 2010, "Europe/Budapest": 2026, "America/New_York": 2026,
		"America/Sao_Paulo": 2017, "Australia/Lord_Howe": 2026, "Pacific/Apia": 2011, "Africa/Cairo": 2024, "UTC": 2026,
	} {
		t.Run(zone, func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(1) {
				r := rand.New(rand.NewPCG(seed, 1))
				begin := time.Date(from, 1, 1, 0, 0, 0, 0, time.UTC)
				w, s := random(t, r, begin)
				compare(t, r, hours.New(s, location(t, zone)).Of(""), begin, truth(w, location(t, zone), begin, 2*365*1440))
			}
		})
	}
}

func compare(t *testing.T, r *rand.Rand, c *hours.Calendar, begin time.Time, open []bool) {
	t.Helper()
	const margin = 4 * 1440 // The truth knows nothing of what was before, and of what comes after.
	moment := func(i int) time.Time { return begin.Add(time.Duration(i) * time.Minute) }
	sums := make([]int, len(open)+1)
	for i, is := range open {
		sums[i+1] = sums[i]
		if is {
			sums[i+1]++
		}
	}
	within := func() int { return margin + r.IntN(len(open)-3*margin) }
	minutes := make([]int, 0, 10000)
	for i := range len(open) - 1 {
		if open[i] != open[i+1] { // Where something happens, the minute before and after it.
			minutes = append(minutes, i, i+1)
		}
	}
	for range 1000 {
		minutes = append(minutes, within())
	}
	for _, i := range minutes {
		if i < margin || i > len(open)-margin {
			continue
		}
		if have := c.Open(moment(i)); have != open[i] {
			t.Fatalf("open at %v: want %v, have %v", moment(i), open[i], have)
		}
		if next := i + slices.Index(open[i:], true); next >= i && next < len(open)-margin && !c.NextOpen(moment(i)).Equal(moment(next)) {
			t.Fatalf("next after %v: want %v, have %v", moment(i), moment(next), c.NextOpen(moment(i)))
		}
	}
	for range 100 {
		from := within()
		to := min(from+r.IntN(30*1440), len(open)-margin)
		want := sums[to] - sums[from]
		if have := c.Between(moment(from), moment(to)); have != time.Duration(want)*time.Minute {
			t.Fatalf("between %v and %v: want %v min, have %v", moment(from), moment(to), want, have)
		}
		if want == 0 {
			continue
		}
		first, _ := slices.BinarySearch(sums, sums[from]+want)
		if have := c.Add(moment(from), time.Duration(want)*time.Minute); !have.Equal(moment(first)) {
			t.Fatalf("add %v min to %v: want %v, have %v", want, moment(from), moment(first), have)
		}
	}
}

// Between is additive and monotone, and Add is the first moment that Between comes so far, to the nanosecond.
func TestProperties(t *testing.T) {
	t.Parallel()
	zones := []string{"Europe/Prague", "America/Sao_Paulo", "Australia/Lord_Howe", "Africa/Cairo"}
	for seed := range uint64(24) {
		r := rand.New(rand.NewPCG(seed, 2))
		begin := time.Date(2017, 1, 1, 0, 0, 0, 0, time.UTC)
		_, s := random(t, r, begin)
		c := hours.New(s, location(t, zones[seed%4])).Of("")
		moment := func() time.Time { return begin.Add(time.Duration(r.Int64N(int64(150 * 24 * time.Hour)))) }
		for range 20 {
			x, y, z := moment(), moment(), moment()
			if want, have := c.Between(x, z), c.Between(x, y)+c.Between(y, z); want != have {
				t.Fatalf("additive over %v, %v, %v: want %v, have %v", x, y, z, want, have)
			}
			if x.Before(y) && (c.Between(x, y) < 0 || c.Between(x, y) > y.Sub(x)) {
				t.Fatalf("monotone from %v to %v: have %v", x, y, c.Between(x, y))
			}
			d := time.Duration(1 + r.Int64N(int64(100*time.Hour)))
			sum := c.Add(x, d)
			if have := c.Between(x, sum); have != d {
				t.Fatalf("between %v and %v after it: want %v, have %v", x, d, d, have)
			}
			if have := c.Between(x, sum.Add(-1)); have != d-1 {
				t.Fatalf("add %v to %v: %v is not the first moment", d, x, sum)
			}
			if next := c.NextOpen(x); !c.Open(next) || c.Between(x, next) != 0 {
				t.Fatalf("next after %v: %v is not the first", x, next)
			}
		}
	}
}

func BenchmarkBetween(b *testing.B) {
	c := hours.New(office(b), location(b, "Europe/Prague")).Of("")
	from := time.Date(2026, 7, 1, 3, 0, 0, 0, time.UTC)
	for b.Loop() {
		c.Between(from, from.AddDate(0, 0, 7))
	}
}
