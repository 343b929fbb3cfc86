package commands

import (
	"cmp"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/switchhook/switchhook/pkg/command"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

const (
	// Execution is how long the exchange may be at a command, from when it is stored as being sent: the deadline of Execute.
	Execution = command.Patience + 10*time.Second
	// Grace is how long after that moment nobody judges of a command that somebody else sends: they may yet say how it went.
	Grace = Execution + 10*time.Second
)

// Next is what is to be done when a step is.
type Next int

// What may be next.
const (
	// Finish: nothing more, the message is acknowledged.
	Finish Next = iota
	// Begin: call Begin with the record just stored, or found.
	ToBegin
	// Send: look at the clock with Late, then execute the command, until Step.Until at the latest, and call Answer.
	ToSend
	// Wait: read the record again, at Step.Until.
	ToWait
)

// Step is what is to be done, in the order of its fields.
type Step struct {
	// Store is the record to store, by compare-and-set on the revision of the one that was given (or on there being none). When
	// that fails, somebody was faster: nothing else of the step counts, and what follows is Meet, or, for one's own Late and
	// Answer, the same again with the record as it is now. Nil: nothing.
	Store *pbxv1.CommandRecord
	Event *pbxv1.Event // to publish; nil: none
	Audit []Audit      // to publish
	Reply *pbxv1.CommandReply
	Next  Next
	Until time.Time
}

// Take begins the life of a command whose key has no record yet: taken, refused, or too late. An unfit one has none.
func Take(a Arrival, d Decision, region string, now time.Time) Step {
	if d.Unfit {
		reply := a.refusal(d.Refused)
		return Step{Audit: []Audit{arrived(a, reply)}, Reply: reply}
	}
	rec := &pbxv1.CommandRecord{
		Stage: pbxv1.CommandRecord_TAKEN, CommandId: a.ID(), Request: d.Request, Vendor: a.Vendor, Tenant: a.Tenant,
		TakenAt: timestamppb.New(now), Since: timestamppb.New(now),
	}
	switch {
	case d.Refused != "":
		return refuse(rec, a, outcome(rec, region, pbxv1.Command_REFUSED, d.Refused), now)
	case expired(rec, now):
		return refuse(rec, a, outcome(rec, region, pbxv1.Command_EXPIRED, tooLate), now)
	}
	return Step{Store: rec, Next: ToBegin}
}

// Meet says how to go on with a message whose key has a record. Of its own command, another replica took it, or this one before
// it crashed: one that is only taken goes on; one that is being sent is waited for, and nobody ever sends it again. Any other
// message has its answer in the reply.
func Meet(rec *pbxv1.CommandRecord, a Arrival, region string, now time.Time) Step {
	switch {
	case rec.GetCommandId() != a.ID():
		return repeated(rec, a)
	case rec.GetStage() == pbxv1.CommandRecord_TAKEN:
		return Step{Next: ToBegin}
	case rec.GetStage() == pbxv1.CommandRecord_OVER:
		return Told(rec).to(a, rec)
	}
	step := Abandon(rec, region, now)
	if step.Store != nil {
		step = step.to(a, step.Store)
	}
	return step
}

// repeated answers a second message with the same key.
func repeated(rec *pbxv1.CommandRecord, a Arrival) Step {
	reply := earlier(rec, a.Request.GetActionId())
	if !sameRequest(rec, a) {
		reply = a.refusal(conflict)
	}
	return Step{Audit: []Audit{arrived(a, reply)}, Reply: reply}
}

// Begin goes from taken to being sent, unless it is too late or the command is refused now: by policy, which is asked again when
// the record was found, or by Limits, which knows only now who came first.
func Begin(rec *pbxv1.CommandRecord, a Arrival, refused, region string, now time.Time) Step {
	switch {
	case rec.GetStage() != pbxv1.CommandRecord_TAKEN:
		return Step{Next: ToWait, Until: now}
	case expired(rec, now):
		return refuse(rec, a, outcome(rec, region, pbxv1.Command_EXPIRED, tooLate), now)
	case refused != "":
		return refuse(rec, a, outcome(rec, region, pbxv1.Command_REFUSED, refused), now)
	}
	next := proto.CloneOf(rec)
	next.Stage, next.Since = pbxv1.CommandRecord_SENDING, timestamppb.New(now)
	return Step{Store: next, Next: ToSend, Until: now.Add(Execution)}.to(a, next)
}

// Late is asked by whoever stored that a command is being sent, right before sending it: the process may have slept between. A
// step that is not ToSend takes the place of sending. As with Answer, others may have given the command up.
func Late(rec *pbxv1.CommandRecord, region string, now time.Time) Step {
	until := rec.GetSince().AsTime().Add(Execution)
	switch {
	case !open(rec):
		return Step{}
	case rec.GetStage() == pbxv1.CommandRecord_SENDING && !expired(rec, now) && now.Before(until):
		return Step{Next: ToSend, Until: until}
	}
	return over(rec, outcome(rec, region, pbxv1.Command_EXPIRED, tooLate), now)
}

// Answer ends a command with what Execute returned. Rec is the record as it was stored before sending. When others have given
// the command up since, the step cannot be stored: then Answer is asked again with the record as it is, and its word counts.
func Answer(rec *pbxv1.CommandRecord, done command.Done, err error, region string, now time.Time) Step {
	how, reason := judge(err)
	if !open(rec) || rec.GetOutcome().GetOutcome() == how {
		return Step{}
	}
	o := outcome(rec, region, how, reason)
	o.CallId, o.ChannelId = cmp.Or(done.CallID, callOf(rec.GetRequest())), done.ChannelID
	return over(rec, o, now)
}

// open reports whether it is not known how a command went that was, or is, being sent.
func open(rec *pbxv1.CommandRecord) bool {
	return rec.GetStage() == pbxv1.CommandRecord_SENDING || rec.GetOutcome().GetOutcome() == pbxv1.Command_UNKNOWN
}

// Abandon says that nobody knows what came of a command that was being sent, when whoever sent it must have crashed; before that,
// until when to wait. It is for records that are found, by Meet or when a replica starts.
func Abandon(rec *pbxv1.CommandRecord, region string, now time.Time) Step {
	if rec.GetStage() != pbxv1.CommandRecord_SENDING {
		return Step{}
	}
	if until := rec.GetSince().AsTime().Add(Grace); now.Before(until) {
		return Step{Next: ToWait, Until: until}
	}
	return over(rec, outcome(rec, region, pbxv1.Command_UNKNOWN, crashed), now)
}

// Told returns what was to be published when the record came to what it is now. A replica that starts publishes that of young
// records again, for one that crashed before it could; the ids are the same.
func Told(rec *pbxv1.CommandRecord) Step {
	if rec.GetOutcome() == nil {
		return Step{}
	}
	return Step{Event: EventOf(rec), Audit: []Audit{ended(rec)}}
}

const (
	tooLate  = "it came too late to be sent: nothing was sent to the exchange"
	conflict = "this idempotency key belongs to an earlier command, which asked for something else: use a new one"
	crashed  = "whoever sent it crashed before the exchange's answer was stored: nobody knows whether it was done"
)

// over ends a command.
func over(rec *pbxv1.CommandRecord, o *pbxv1.Command, now time.Time) Step {
	next := proto.CloneOf(rec)
	next.Stage, next.Since, next.Outcome = pbxv1.CommandRecord_OVER, timestamppb.New(now), o
	step := Told(next)
	step.Store = next
	return step
}

// refuse ends a command that was not sent, and says so to whoever asked.
func refuse(rec *pbxv1.CommandRecord, a Arrival, o *pbxv1.Command, now time.Time) Step {
	step := over(rec, o, now)
	return step.to(a, step.Store)
}

// to adds the reply that a record makes, and the audit's entry about it.
func (s Step) to(a Arrival, rec *pbxv1.CommandRecord) Step {
	s.Reply = replyTo(rec, a.Request.GetActionId())
	s.Audit = append([]Audit{arrived(a, s.Reply)}, s.Audit...)
	return s
}

// expired reports whether a command must not be sent any more.
func expired(rec *pbxv1.CommandRecord, now time.Time) bool {
	return !now.Before(rec.GetRequest().GetExpiresAt().AsTime())
}
