package sim

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/switchhook/switchhook/services/pbxsim/dialect"
	"github.com/switchhook/switchhook/services/pbxsim/flow"
	"github.com/switchhook/switchhook/services/pbxsim/ledger"
)

// course is a call with what the agents do before it, on its way.
type course struct {
	line   *line
	number int64
	shifts []flow.Shift
	began  time.Time // on the exchange's clock
	steps  []step    // never empty
	next   int       // of them
	truth  *ledger.Call
}

func (c *course) over() bool { return c.next == len(c.steps) }

// at is when what is sent next happened. It can be before what was sent last.
func (c *course) at() time.Time { return c.steps[c.next].At }

// course makes up the call of that number, which is the team's next. Nothing is sent yet.
func (r *runner) course(l *line, number int64, now time.Time) *course {
	episode := l.team.Next(number, now)
	var messages []dialect.Message
	for _, s := range episode.Shifts {
		messages = append(messages, l.dialect.(dialect.ShiftDialect).Shift(s))
	}
	messages = append(messages, l.dialect.Call(episode.Call)...)
	// Another stream of the seed than that of the call itself.
	rng := rand.New(rand.NewPCG(^r.Seed, uint64(number)))
	return &course{
		line: l, number: number, shifts: episode.Shifts, began: messages[0].At,
		steps: r.Chaos.plan(rng, l.dialect, messages, len(episode.Shifts)), truth: l.truth(episode.Call, messages),
	}
}

// sendNext sends the next request, and before it writes down what an agent did.
func (r *runner) sendNext(ctx context.Context, c *course) {
	s, agent := c.steps[c.next], ""
	if s.seq < len(c.shifts) {
		shift := c.shifts[s.seq]
		agent = shift.Agent.Login
		if c.next == 0 || c.steps[c.next-1].seq != s.seq {
			r.ledger.Write(c.line.shift(c.number, shift))
		}
	}
	c.next++
	r.deliver(ctx, c.line, c.number, s, agent)
}
