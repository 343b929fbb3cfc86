package sim

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"github.com/switchhook/switchhook/services/pbxsim/dialect"
)

// Chaos is how much goes wrong, each as a share of the requests, from 0 to 1. The zero value is none.
type Chaos struct {
	Duplicate float64 // sent twice
	Reorder   float64 // changes places with the next of the call
	Delay     float64 // sent after all others of the call
	Malformed float64 // followed by a broken one
}

// ParseChaos reads a text such as "duplicate=0.02,reorder=0.05".
func ParseChaos(text string) (Chaos, error) {
	var c Chaos
	shares := map[string]*float64{
		"duplicate": &c.Duplicate, "reorder": &c.Reorder, "delay": &c.Delay, "malformed": &c.Malformed,
	}
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		share, err := strconv.ParseFloat(value, 64)
		if err != nil || !(share >= 0 && share <= 1) {
			return c, fmt.Errorf("chaos %q: want a share from 0 to 1, as in duplicate=0.02", part)
		}
		if shares[name] == nil {
			return c, fmt.Errorf("chaos %q: want duplicate, reorder, delay or malformed", name)
		}
		*shares[name] = share
	}
	return c, nil
}

// step is one request of an episode, in the order of sending.
type step struct {
	dialect.Message
	seq   int    // of the message that it is, repeats or follows
	chaos string // what was done to it
}

// plan puts the messages of an episode into the order of sending. Only what comes after the first fixed ones can change
// places: they are the agents', who begin it.
func (c Chaos) plan(rng *rand.Rand, d dialect.Dialect, messages []dialect.Message, fixed int) []step {
	var steps, late []step
	for i, m := range messages {
		s := step{Message: m, seq: i}
		if i >= fixed && rng.Float64() < c.Delay {
			s.chaos = "delay"
			late = append(late, s)
			continue
		}
		steps = append(steps, s)
	}
	for i := fixed; i+1 < len(steps); i++ {
		if rng.Float64() < c.Reorder {
			steps[i], steps[i+1] = steps[i+1], steps[i]
			steps[i].chaos, steps[i+1].chaos = "reorder", "reorder"
			i++
		}
	}
	return c.add(rng, d, slices.Concat(steps, late))
}

// add puts in what is sent besides.
func (c Chaos) add(rng *rand.Rand, d dialect.Dialect, steps []step) []step {
	var all []step
	for _, s := range steps {
		all = append(all, s)
		if rng.Float64() < c.Duplicate {
			again := s
			again.chaos = "duplicate"
			all = append(all, again)
		}
		if rng.Float64() < c.Malformed {
			breaks := dialect.Breaks()
			b := breaks[rng.IntN(len(breaks))]
			all = append(all, step{d.Broken(b, s.At), s.seq, "malformed/" + string(b)})
		}
	}
	return all
}
