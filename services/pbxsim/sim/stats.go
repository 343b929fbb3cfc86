package sim

import (
	"math/bits"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/switchhook/switchhook/services/pbxsim/ledger"
)

// Stats counts while a simulation runs. The zero value is ready; it is safe for concurrent use.
type Stats struct {
	calls    atomic.Int64
	statuses [600]atomic.Int64 // 0 counts what was not answered
	// latencies has sixteen buckets for every power of two, of nanoseconds.
	latencies [64 * 16]atomic.Int64
}

// Count adds a request that was answered, or given up with status 0, after so long.
func (s *Stats) Count(status int, latency time.Duration) {
	if status < 0 || status >= len(s.statuses) {
		status = 0
	}
	s.statuses[status].Add(1)
	s.latencies[bucket(latency)].Add(1)
}

func bucket(d time.Duration) int {
	n := uint64(max(d, 16))
	power := bits.Len64(n) - 1
	return power*16 + int(n>>(power-4)&15)
}

// upper returns the longest time in a bucket.
func upper(bucket int) time.Duration {
	power, part := bucket/16, bucket%16
	return time.Duration((16+part+1)<<(power-4)) - 1
}

// Requests returns how many were sent, answered or not.
func (s *Stats) Requests() int64 {
	var n int64
	for i := range s.statuses {
		n += s.statuses[i].Load()
	}
	return n
}

// Quantile returns the time that such a share of the requests took at most, within a sixteenth.
func (s *Stats) Quantile(share float64) time.Duration {
	left := int64(share * float64(s.Requests()))
	for i := range s.latencies {
		n := s.latencies[i].Load()
		if left -= n; left < 0 && n > 0 {
			return upper(i)
		}
	}
	return 0
}

// Done returns the figures after so long a run.
func (s *Stats) Done(took time.Duration) *ledger.Done {
	done := &ledger.Done{
		Calls: s.calls.Load(), Requests: s.Requests(), Statuses: map[string]int64{}, Seconds: took.Seconds(),
		P50Millis: millis(s.Quantile(0.50)), P99Millis: millis(s.Quantile(0.99)),
	}
	for i := range s.statuses {
		if n := s.statuses[i].Load(); n > 0 {
			done.Statuses[strconv.Itoa(i)] = n
		}
	}
	if took > 0 {
		done.RequestsPerSecond = float64(done.Requests) / took.Seconds()
	}
	return done
}

func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
