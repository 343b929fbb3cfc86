// Package flow makes up telephone calls: what happens in them, moment by moment, and what is true of them. It knows no
// vendor, sends nothing and has no clock. Everything follows from a seed: the call of one number is always the same,
// whoever sends it, how fast, and in which order.
//
// The people of an exchange work in teams. A team has one call at a time, so no phone is ever in two conversations, and
// what its agents do lies between its calls. Many teams side by side make the traffic.
package flow

import "time"

// Scenario names a kind of call.
type Scenario string

// The scenarios.
const (
	// Answered is an incoming call to one phone, which picks up.
	Answered Scenario = "answered"
	// RangOut rings at one phone until the exchange gives up.
	RangOut Scenario = "rang_out"
	// AbandonedRinging rings at one phone until the caller gives up.
	AbandonedRinging Scenario = "abandoned_ringing"
	// QueueAnswered waits in a queue and rings at several phones at once; one picks up, and the others stop.
	QueueAnswered Scenario = "queue_answered"
	// QueueRetried rings at one phone of a queue, pauses, and rings at the same phone again, which picks up.
	QueueRetried Scenario = "queue_retried"
	// QueueRangOut rings at several phones of a queue, and nobody picks up.
	QueueRangOut Scenario = "queue_rang_out"
	// AbandonedQueue waits in a queue until the caller gives up; no phone ever rings.
	AbandonedQueue Scenario = "abandoned_queue"
	// Busy finds the phone busy.
	Busy Scenario = "busy"
	// Transferred is answered, and handed to a colleague after a consultation.
	Transferred Scenario = "transferred"
	// TransferCancelled is answered, offered to a colleague, and kept.
	TransferCancelled Scenario = "transfer_cancelled"
	// OutgoingAnswered is made from one phone to an outside number, which picks up.
	OutgoingAnswered Scenario = "outgoing_answered"
	// OutgoingUnanswered is made to an outside number that does not pick up.
	OutgoingUnanswered Scenario = "outgoing_unanswered"
	// OutgoingBusy is made to an outside number that is busy.
	OutgoingBusy Scenario = "outgoing_busy"
	// InternalAnswered goes from one phone of a team to another, which picks up.
	InternalAnswered Scenario = "internal_answered"
	// InternalUnanswered goes from one phone of a team to another, which does not.
	InternalUnanswered Scenario = "internal_unanswered"
	// Clicked is made by the exchange because somebody asked it to: the phone of who asked rings first. It is never made
	// up by a team.
	Clicked Scenario = "clicked"
)

// Direction is which way a call goes, seen from the exchange.
type Direction string

// The directions.
const (
	Incoming Direction = "incoming"
	Outgoing Direction = "outgoing"
	Internal Direction = "internal"
)

// Outcome is what became of a call.
type Outcome string

// The outcomes.
const (
	// OutcomeAnswered means that two people talked.
	OutcomeAnswered Outcome = "answered"
	// OutcomeRangOut means that phones rang until the exchange gave up.
	OutcomeRangOut Outcome = "rang_out"
	// OutcomeAbandonedRinging means that the caller gave up while a phone rang.
	OutcomeAbandonedRinging Outcome = "abandoned_ringing"
	// OutcomeAbandonedQueue means that the caller gave up before any phone rang.
	OutcomeAbandonedQueue Outcome = "abandoned_queue"
	// OutcomeBusy means that the phone was busy.
	OutcomeBusy Outcome = "busy"
	// OutcomeUnansweredOutgoing means that the outside party did not pick up.
	OutcomeUnansweredOutgoing Outcome = "unanswered_outgoing"
	// OutcomeBusyOutgoing means that the outside party was busy.
	OutcomeBusyOutgoing Outcome = "busy_outgoing"
)

// Kind is what happens at a moment of a call.
type Kind int

// The kinds of moment, in the order in which a call may meet them.
const (
	// Entered: the call exists. The agent is who makes it; nil for an incoming call.
	Entered Kind = iota + 1
	// Alerted: the agent's own phone rings, because the agent asked the exchange for the call.
	Alerted
	// Rang: the agent's phone begins to ring. In an outgoing call the far side rings, and the agent hears it.
	Rang
	// PickedUp: the agent answers. In an outgoing call the far side answers, and the agent hears it.
	PickedUp
	// Left: the agent is no longer part of the call, or stops ringing; Cause says why.
	Left
	// HandedOver: the agent's consultation ended with To taking over.
	HandedOver
	// TookBack: the agent cancelled the consultation with To.
	TookBack
	// Ended: the call as a whole is over; Cause says why.
	Ended
	// Recorded: the exchange has filed the call.
	Recorded
	// Rated: the caller has rated the call.
	Rated
)

// Cause is why a leg or a call ended.
type Cause int

// The causes.
const (
	// Normal: it was hung up.
	Normal Cause = iota + 1
	// NoAnswer: nobody picked up in time.
	NoAnswer
	// Elsewhere: another phone took the call.
	Elsewhere
	// CauseBusy: the called side was busy.
	CauseBusy
	// Cancelled: the calling side gave up.
	Cancelled
)

// Moment is one thing that happens in a call.
type Moment struct {
	At    time.Duration // since the call began; whole seconds
	Kind  Kind
	Agent *Agent // whose phone it is about; nil for the call as a whole
	To    *Agent // the other side of a consultation; of Rang, who offers the call, if the phone rings for a transfer
	Cause Cause  // of Left and Ended
}

// Call is a made-up call: its moments in the order in which they happen, and the truth about it. Durations are whole
// seconds.
type Call struct {
	Number    int64 // 1 for the first of a run
	Start     time.Time
	Salt      uint64 // for ids that must not look alike
	Scenario  Scenario
	Direction Direction
	Moments   []Moment

	Outside Number // the outside party; zero when it withholds its number, or there is none
	Line    Number // the exchange's own number: dialled, or shown to the called
	From    *Agent // who makes an outgoing or internal call
	To      *Agent // who is called in an internal call
	Queue   string // empty when it came through none

	Rang          []string // extensions of the phones that rang, in order, each once
	AnsweredBy    string   // the extension that picked up; empty when nobody of the exchange did
	TransferredTo string
	Outcome       Outcome
	Missed        bool          // an outside caller reached nobody
	Wait          time.Duration // from the beginning to the first ring, or to the end if no phone rang
	Ring          time.Duration // from the first ring to the answer, or to the end
	Talk          time.Duration // from the answer to the end
	Recording     bool          // there is a recording
	Rating        int           // 1 to 5; 0 when the caller gave none
}

// Withheld reports whether an outside caller hides their number.
func (c *Call) Withheld() bool { return c.Direction == Incoming && c.Outside == Number{} }

// Caller returns who calls: an E.164 number, an extension, or nothing when withheld.
func (c *Call) Caller() string {
	if c.From != nil {
		return c.From.Extension
	}
	return c.Outside.E164()
}

// Callee returns who is called: an E.164 number or an extension.
func (c *Call) Callee() string {
	switch c.Direction {
	case Outgoing:
		return c.Outside.E164()
	case Internal:
		return c.To.Extension
	default:
		return c.Line.E164()
	}
}

// Duration returns how long the call takes from its beginning to its end, without what the exchange files afterwards.
func (c *Call) Duration() time.Duration { return c.Wait + c.Ring + c.Talk }
