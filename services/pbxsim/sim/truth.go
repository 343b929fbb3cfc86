package sim

import (
	"time"

	"github.com/switchhook/switchhook/services/pbxsim/dialect"
	"github.com/switchhook/switchhook/services/pbxsim/flow"
	"github.com/switchhook/switchhook/services/pbxsim/ledger"
)

// truth is what the ledger says about a call.
func (l *line) truth(c *flow.Call, messages []dialect.Message) *ledger.Call {
	key := ""
	if n := len(messages); n > 0 {
		key = messages[n-1].Key
	}
	return &ledger.Call{
		Call: c.Number, Tenant: l.exchange.Tenant, Vendor: l.exchange.Vendor, Exchange: l.exchange.Name,
		Variant: l.dialect.Variant(), Key: key,
		Scenario: string(c.Scenario), Direction: string(c.Direction), Caller: c.Caller(), Callee: c.Callee(),
		Queue: c.Queue, Rang: c.Rang, AnsweredBy: c.AnsweredBy, TransferredTo: c.TransferredTo,
		Outcome: string(c.Outcome), Missed: c.Missed, Start: c.Start,
		WaitSeconds: seconds(c.Wait), RingSeconds: seconds(c.Ring), TalkSeconds: seconds(c.Talk), Rating: c.Rating,
		Ended: c.Start.Add(c.Duration()), Legs: legs(c), Requests: len(messages),
	}
}

// legs puts the legs of a call on the exchange's clock.
func legs(c *flow.Call) []ledger.Leg {
	var all []ledger.Leg
	for _, l := range c.Legs() {
		leg := ledger.Leg{Extension: l.Agent.Extension, Login: l.Agent.Login, Answered: l.Answered()}
		for _, s := range l.Spans {
			span := ledger.Span{c.Start.Add(s.From), c.Start.Add(s.To)}
			switch s.Kind {
			case flow.Ringing:
				leg.Ringing = append(leg.Ringing, span)
			case flow.Dialing:
				leg.Dialing = append(leg.Dialing, span)
			case flow.Talking:
				leg.Talking = append(leg.Talking, span)
			}
		}
		all = append(all, leg)
	}
	return all
}

// shift is what it says about an agent.
func (l *line) shift(call int64, s flow.Shift) *ledger.Agent {
	return &ledger.Agent{
		Call: call, Tenant: l.exchange.Tenant, Vendor: l.exchange.Vendor, Exchange: l.exchange.Name,
		Login: s.Agent.Login, Email: s.Agent.Email, Extension: s.Agent.Extension, Queue: s.Agent.Queue,
		Kind: string(s.Kind), Reason: s.Reason, At: s.At,
	}
}

// sent is what it says about a request.
func (l *line) sent(call int64, s step, agent string, attempt int, a answer) *ledger.Sent {
	entry := &ledger.Sent{
		Call: call, Seq: s.seq, Agent: agent, Chaos: s.chaos,
		Tenant: l.exchange.Tenant, Vendor: l.exchange.Vendor, Exchange: l.exchange.Name, VendorEvent: s.VendorEvent,
		At: s.At, Want: s.Status, Event: s.Event, Key: s.Key, Named: s.Named,
		Status: a.status, IDs: a.ids, Quarantined: a.quarantined, SentAt: a.sent, AnsweredAt: a.answeredAt,
	}
	if attempt > 1 {
		entry.Attempt = attempt
	}
	if a.err != nil {
		entry.Error = a.err.Error()
	}
	return entry
}

func seconds(d time.Duration) int { return int(d / time.Second) }
