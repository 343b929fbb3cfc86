package sim

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"
)

// spread is how much later the last team may begin than the first.
const spread = 5 * time.Minute

// clock sends the requests of all teams one after the other, in the order of the exchanges' clocks; of two teams at the same
// second, the first goes first. Calls have the numbers that they have in any order.
func (r *runner) clock(ctx context.Context) {
	start := r.Start
	if start.IsZero() {
		start = time.Now().UTC().Truncate(time.Second)
	}
	courses := r.firsts(start)
	for began := time.Now(); len(courses) > 0; {
		i := earliest(courses)
		c := courses[i]
		if !r.due(ctx, began, c.at().Sub(start)) {
			break
		}
		if c.next == 0 {
			r.stats.calls.Add(1)
		}
		r.sendNext(ctx, c)
		if !c.over() {
			continue
		}
		r.ledger.Write(c.truth)
		if number := c.number + int64(len(r.lines)); r.Calls == 0 || number <= r.Calls {
			courses[i] = r.course(c.line, number, start)
		} else {
			courses = slices.Delete(courses, i, i+1)
		}
	}
	r.cut(courses)
}

// firsts returns the first call of each team. They do not all begin at once, since no day does.
func (r *runner) firsts(start time.Time) []*course {
	rng := rand.New(rand.NewPCG(r.Seed, 0)) // the stream before that of the first call
	var courses []*course
	for i, l := range r.lines {
		number, late := int64(i)+1, time.Duration(rng.Int64N(int64(spread/time.Second)))*time.Second
		if r.Calls == 0 || number <= r.Calls {
			courses = append(courses, r.course(l, number, start.Add(late)))
		}
	}
	return courses
}

// earliest returns the place of the one whose next request happened first. One that chaos made late is earlier than all others
// once its turn comes, and so follows the one before it in its call at once, as do repetitions.
func earliest(courses []*course) int {
	first := 0
	for i, c := range courses {
		if c.at().Before(courses[first].at()) {
			first = i
		}
	}
	return first
}

// cut writes the truth of calls that the end of the run leaves in the middle.
func (r *runner) cut(courses []*course) {
	for _, c := range courses {
		if c.next > 0 {
			c.truth.Cut = true
			r.ledger.Write(c.truth)
		}
	}
}
