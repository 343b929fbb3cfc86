package live

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"time"

	"github.com/switchhook/switchhook/pkg/bus"
	"github.com/switchhook/switchhook/pkg/call"
	"github.com/switchhook/switchhook/pkg/command"
	"github.com/switchhook/switchhook/pkg/fault"
	"github.com/switchhook/switchhook/pkg/service"
	"github.com/switchhook/switchhook/pkg/spans"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
	"github.com/switchhook/switchhook/services/command-relay/commands"
)

// Execute implements bus.Relay: it takes a command from where its record says it is, to its end.
func (r *Relay) Execute(ctx context.Context, in bus.Incoming) error {
	a := arrival(in)
	f, ok := r.facts(a)
	if !ok {
		return r.tell(ctx, commands.Take(a, commands.NoTenant(a), "", r.Now()))
	}
	l := &life{relay: r, ctx: ctx, arrival: a, facts: f, key: keyOf(a)}
	return l.run()
}

func arrival(in bus.Incoming) commands.Arrival {
	return commands.Arrival{
		Vendor: in.Vendor, Tenant: in.Tenant, Action: command.Action(in.Action), Request: in.Request, Stored: in.At, Sequence: in.Sequence,
	}
}

// keyOf names the record of a command. Keys are any text, of which NATS takes only a part.
func keyOf(a commands.Arrival) string {
	sum := sha256.Sum256([]byte(a.Request.GetIdempotencyKey()))
	return a.Tenant + "." + hex.EncodeToString(sum[:16])
}

// life is the life of one command in this replica.
type life struct {
	relay   *Relay
	ctx     context.Context
	arrival commands.Arrival
	facts   commands.Facts
	key     string

	record   *pbxv1.CommandRecord // as it was stored or read last
	revision uint64
}

// run goes on until the command is settled, whoever settles it.
func (l *life) run() error {
	for {
		step, err := l.apply(l.meet())
		for err == nil && step.Next == commands.ToBegin {
			step, err = l.begin()
		}
		if err == nil && step.Next == commands.ToSend {
			step, err = l.send(step.Until)
		}
		switch {
		case fault.Is(err, fault.Conflict): // somebody was faster
			if err := l.relay.records.Reach(l.ctx, l.revision+1); err != nil {
				return err
			}
		case err != nil:
			return err
		case step.Next != commands.ToWait:
			return nil
		case !service.Sleep(l.ctx, max(time.Until(step.Until), 10*time.Millisecond)):
			return fault.New(fault.Unavailable, "command %s: wait for whoever sends it: %w", l.arrival.ID(), l.ctx.Err())
		}
	}
}

// meet says how to go on with what the record is now.
func (l *life) meet() commands.Step {
	row := l.relay.records.Get(l.key)
	l.record, l.revision = row.Value, row.Revision
	if row.Value == nil {
		return commands.Take(l.arrival, commands.Decide(l.arrival, l.facts), l.facts.Region, l.relay.Now())
	}
	return commands.Meet(row.Value, l.arrival, l.facts.Region, l.relay.Now())
}

// begin asks policy again, for a record that was found, and the limits.
func (l *life) begin() (commands.Step, error) {
	if err := l.relay.records.Reach(l.ctx, l.revision); err != nil {
		return commands.Step{}, err
	}
	resumed := l.arrival.Resumed(l.record)
	refused := commands.Decide(resumed, l.facts).Refused
	if refused == "" {
		refused = l.relay.limits().Check(l.record, l.revision, l.facts.Policy, l.relay.Now())
	}
	return l.apply(commands.Begin(l.record, l.arrival, refused, l.facts.Region, l.relay.Now()))
}

// send sends the command to the exchange, once.
func (l *life) send(until time.Time) (commands.Step, error) {
	if step := commands.Late(l.record, l.facts.Region, l.relay.Now()); step.Next != commands.ToSend {
		return l.insist(func() commands.Step { return commands.Late(l.record, l.facts.Region, l.relay.Now()) })
	}
	decision := commands.Decide(l.arrival.Resumed(l.record), l.facts)
	ctx, cancel := context.WithDeadline(l.ctx, until)
	defer cancel()
	began := l.relay.Now()
	ctx, end := spans.Begin(ctx, "command an exchange", "switchhook.vendor", l.arrival.Vendor, "switchhook.tenant", l.arrival.Tenant,
		"switchhook.action", string(l.arrival.Action))
	done, err := l.relay.carryOut(ctx, decision.Command)
	end(err)
	l.relay.metrics.sent(l.arrival, err, l.relay.Now().Sub(began))
	return l.insist(func() commands.Step { return commands.Answer(l.record, done, err, l.facts.Region, l.relay.Now()) })
}

// insist applies a step that counts although others may have given the command up meanwhile.
func (l *life) insist(step func() commands.Step) (commands.Step, error) {
	for {
		applied, err := l.apply(step())
		if !fault.Is(err, fault.Conflict) {
			return applied, err
		}
		if err := l.relay.records.Reach(l.ctx, l.revision+1); err != nil {
			return commands.Step{}, err
		}
		row := l.relay.records.Get(l.key)
		l.record, l.revision = row.Value, row.Revision
	}
}

// apply stores what a step says, and then publishes what it says.
func (l *life) apply(step commands.Step) (commands.Step, error) {
	if step.Store != nil {
		revision, err := l.relay.records.Put(l.ctx, l.key, step.Store, l.revision)
		if err != nil {
			return step, err
		}
		l.record, l.revision = step.Store, revision
	}
	return step, l.relay.tell(l.ctx, step)
}

// tell publishes what a step says.
func (r *Relay) tell(ctx context.Context, step commands.Step) error {
	if step.Event != nil {
		if err := r.Bus.Publish(ctx, step.Event); err != nil {
			return err
		}
		r.metrics.over(step.Event)
	}
	for _, a := range step.Audit {
		if err := r.Bus.Audit(ctx, a.ID, a.Entry); err != nil {
			return err
		}
	}
	return nil
}

// Take implements bus.Relay: it says what was decided about a command, by this replica or another, as soon as that is stored.
func (r *Relay) Take(ctx context.Context, in bus.Incoming) (*pbxv1.CommandReply, error) {
	a := arrival(in)
	f, ok := r.facts(a)
	if !ok {
		return commands.Take(a, commands.NoTenant(a), "", r.Now()).Reply, nil
	}
	if d := commands.Decide(a, f); d.Unfit {
		return commands.Take(a, d, f.Region, r.Now()).Reply, nil
	}
	key := keyOf(a)
	// A record that is as young as the request is its own: the stream was faster.
	if row := r.records.Get(key); row.Value != nil && row.Value.GetTakenAt().AsTime().Before(in.At.Add(-own)) {
		return commands.Meet(row.Value, a, f.Region, r.Now()).Reply, nil
	}
	ctx, cancel := context.WithTimeout(ctx, answered)
	defer cancel()
	for {
		changed := r.records.Changed()
		if rec := r.records.Get(key).Value; rec != nil && rec.GetStage() != pbxv1.CommandRecord_TAKEN {
			return commands.Reply(rec, a), nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, fault.New(fault.Unavailable, "the command waits to be decided about; it expires by itself")
		}
	}
}

// own is how much earlier than the request its record may seem to have been made, by another replica's clock.
const own = 100 * time.Millisecond

// facts returns what is known when a command comes.
func (r *Relay) facts(a commands.Arrival) (commands.Facts, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := r.settings.tenants[a.Tenant]
	if t == nil {
		return commands.Facts{}, false
	}
	f := commands.Facts{Policy: r.settings.policies[t.Name], Region: t.Region, People: t.Agents.People, Calls: r.calls(t.Name)}
	for _, e := range t.Exchanges {
		if e.Vendor != a.Vendor {
			continue
		}
		known := commands.Exchange{Name: e.Name}
		if commander := r.settings.commanders[e.Origin()]; commander != nil {
			known.Capabilities = commander.Capabilities()
		}
		f.Exchanges = append(f.Exchanges, known)
	}
	for _, row := range r.agents.Rows() {
		if row.Value.GetTenant() == t.Name {
			f.Agents = append(f.Agents, row.Value)
		}
	}
	for _, row := range r.records.Rows() {
		if outcome := row.Value.GetOutcome(); row.Value.GetTenant() == t.Name && outcome != nil {
			f.Outcomes = append(f.Outcomes, outcome)
		}
	}
	return f, true
}

// calls returns the calls of a tenant. The relay is locked.
func (r *Relay) calls(tenant string) (all []*call.Call) {
	for c := range r.tracker.Calls() {
		if c.Tenant == tenant {
			all = append(all, c)
		}
	}
	return all
}

// carryOut gives a command to its exchange, which a new configuration may have taken away.
func (r *Relay) carryOut(ctx context.Context, c command.Command) (command.Done, error) {
	r.mu.Lock()
	commander := r.settings.commanders[c.Origin]
	r.mu.Unlock()
	if commander == nil {
		return command.Done{}, fault.New(fault.Invalid, "the exchange %s is no longer configured for commands", c.Origin.Exchange)
	}
	return commander.Execute(ctx, c)
}

// limits counts the commands of the bucket.
func (r *Relay) limits() *commands.Limits {
	l := commands.NewLimits()
	for _, row := range r.records.Rows() {
		l.Apply(row.Value, row.Revision)
	}
	return l
}
