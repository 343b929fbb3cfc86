package sim

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
)

// Progress tells how a run goes, until the context ends: on a terminal one line that is redrawn, else a line every ten
// seconds.
func Progress(ctx context.Context, out io.Writer, terminal bool, stats *Stats) {
	every, before, after := 10*time.Second, "", "\n"
	if terminal {
		every, before, after = 200*time.Millisecond, "\r\x1b[K", ""
	}
	began, last, requests := time.Now(), time.Now(), int64(0)
	for sleep(ctx, every) {
		now, n := time.Now(), stats.Requests()
		fmt.Fprint(out, before, stats.summary(time.Since(began), float64(n-requests)/now.Sub(last).Seconds()), after)
		last, requests = now, n
	}
	if terminal {
		fmt.Fprint(out, before)
	}
}

// Summary says in one line what a finished run did.
func (s *Stats) Summary(took time.Duration) string {
	return s.summary(took, float64(s.Requests())/took.Seconds())
}

func (s *Stats) summary(took time.Duration, perSecond float64) string {
	done := s.Done(took)
	var statuses []string
	for _, status := range slices.Sorted(maps.Keys(done.Statuses)) {
		name := status
		if status == "0" {
			name = "unanswered"
		}
		statuses = append(statuses, fmt.Sprintf("%s: %d", name, done.Statuses[status]))
	}
	return fmt.Sprintf("%v  %d calls  %d requests  %.0f/s  p99 %.1f ms  %s",
		took.Round(time.Second), done.Calls, done.Requests, perSecond, done.P99Millis, strings.Join(statuses, "  "))
}
