package commands

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/switchhook/switchhook/pkg/command"
	"github.com/switchhook/switchhook/pkg/event"
	"github.com/switchhook/switchhook/pkg/fault"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// outcome returns what came of a command. Region is the tenant's, for the number.
func outcome(rec *pbxv1.CommandRecord, region string, how pbxv1.Command_Outcome, reason string) *pbxv1.Command {
	r := rec.GetRequest()
	o := &pbxv1.Command{
		Kind: pbxv1.Command_FAILED, Id: rec.GetCommandId(), IdempotencyKey: r.GetIdempotencyKey(), Action: string(actionOf(r)),
		User: r.GetUser(), Extension: r.GetExtension(), Outcome: how, Reason: reason, ActionId: r.GetActionId(),
	}
	if how == pbxv1.Command_DONE {
		o.Kind = pbxv1.Command_SUCCEEDED
	}
	if raw, wanted := numberOf(r); wanted {
		o.To = event.Party(raw, region)
	}
	return o
}

// judge returns what an exchange's answer means. A context that ended is no answer, whatever it is wrapped in: only
// fault.Unavailable vouches that nothing was sent.
func judge(err error) (how pbxv1.Command_Outcome, reason string) {
	var lost *command.Lost
	ended := errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
	switch {
	case err == nil:
		return pbxv1.Command_DONE, ""
	case errors.As(err, &lost), ended && fault.Is(err, fault.Internal):
		return pbxv1.Command_UNKNOWN, err.Error()
	case fault.Is(err, fault.Invalid):
		return pbxv1.Command_REFUSED, err.Error()
	default:
		return pbxv1.Command_EXCHANGE_ERROR, err.Error()
	}
}

// EventOf returns the event that tells what came of a command; nil while nothing has. It is made of the record alone, so all
// replicas make the same, with the same id.
func EventOf(rec *pbxv1.CommandRecord) *pbxv1.Event {
	o := rec.GetOutcome()
	if o == nil {
		return nil
	}
	ev := &pbxv1.Event{
		Id: outcomeID(rec, "command"), Time: rec.GetSince(), ReceivedAt: rec.GetSince(),
		Payload: &pbxv1.Event_Command{Command: o},
	}
	originOf(rec).Stamp(ev)
	if !event.IsToken(ev.GetExchange()) {
		ev.Exchange = "" // It was refused for this.
	}
	return ev
}

// Audit is an entry of the audit stream.
type Audit struct {
	ID    string // the same whoever writes the entry, and however often
	Entry *pbxv1.CommandAudit
}

// arrived returns the entry about a request and what it was told.
func arrived(a Arrival, reply *pbxv1.CommandReply) Audit {
	return Audit{event.DerivedID(a.origin(), "audit", a.ID()), &pbxv1.CommandAudit{
		CommandId: reply.GetCommandId(), Request: a.Request, ReceivedAt: timestamppb.New(a.Stored), Reply: reply,
		Vendor: a.Vendor, Tenant: a.Tenant,
	}}
}

// ended returns the entry about what came of a command.
func ended(rec *pbxv1.CommandRecord) Audit {
	return Audit{outcomeID(rec, "audit"), &pbxv1.CommandAudit{
		CommandId: rec.GetCommandId(), Request: rec.GetRequest(), ReceivedAt: rec.GetTakenAt(), Outcome: rec.GetOutcome(),
		Vendor: rec.GetVendor(), Tenant: rec.GetTenant(),
	}}
}

// outcomeID differs for each outcome of a command, since an unknown one is settled by another.
func outcomeID(rec *pbxv1.CommandRecord, what string) string {
	o := rec.GetOutcome()
	return event.DerivedID(originOf(rec), what, o.GetId(), o.GetOutcome().String(), o.GetReason())
}

func originOf(rec *pbxv1.CommandRecord) event.Origin {
	return event.Origin{Vendor: rec.GetVendor(), Tenant: rec.GetTenant(), Exchange: rec.GetRequest().GetExchange()}
}

// replyTo says whether a command is tried, and why not.
func replyTo(rec *pbxv1.CommandRecord, actionID string) *pbxv1.CommandReply {
	o := rec.GetOutcome()
	tried := o.GetOutcome() != pbxv1.Command_REFUSED && o.GetOutcome() != pbxv1.Command_EXPIRED
	return &pbxv1.CommandReply{
		CommandId: rec.GetCommandId(), Accepted: tried, Reason: o.GetReason(), ActionId: actionID,
	}
}

// refusal says why a command that gets no record is not tried.
func (a Arrival) refusal(reason string) *pbxv1.CommandReply {
	return &pbxv1.CommandReply{CommandId: a.refusedID(), Reason: reason, ActionId: a.Request.GetActionId()}
}

// earlier is replyTo for a second request.
func earlier(rec *pbxv1.CommandRecord, actionID string) *pbxv1.CommandReply {
	reply := replyTo(rec, actionID)
	at := rec.GetTakenAt().AsTime().UTC().Format(time.RFC3339)
	o := rec.GetOutcome()
	reply.Previous = o
	switch {
	case o == nil:
		reply.Reason = fmt.Sprintf("a command with this key was taken at %s and is still under way; this one is not carried out", at)
	case o.GetReason() == "":
		reply.Reason = fmt.Sprintf("a command with this key was taken at %s and is done; this one is not carried out", at)
	default:
		reply.Reason = fmt.Sprintf("a command with this key was taken at %s (%s: %s); this one is not carried out",
			at, o.GetOutcome(), o.GetReason())
	}
	return reply
}

// sameRequest reports whether a request asks for what the record's did. The record's was completed, so what the request leaves
// out says nothing, nor does how it writes a name. When it expires, and how its reply is named, is not what it asks for.
func sameRequest(rec *pbxv1.CommandRecord, a Arrival) bool {
	first, second := rec.GetRequest(), a.Request
	agrees := func(first, second string) bool { return second == "" || first == second }
	isNamed := func(first, second string) bool { return second == "" || same(first, second) }
	return rec.GetVendor() == a.Vendor && rec.GetTenant() == a.Tenant &&
		agrees(first.GetExchange(), second.GetExchange()) && agrees(first.GetExtension(), second.GetExtension()) &&
		isNamed(bare(first.GetUser().GetLogin()), bare(second.GetUser().GetLogin())) &&
		isNamed(first.GetUser().GetEmail(), second.GetUser().GetEmail()) &&
		proto.Equal(action(first), action(second))
}

// action returns a request that has nothing but the action.
func action(r *pbxv1.CommandRequest) *pbxv1.CommandRequest {
	return &pbxv1.CommandRequest{Action: r.GetAction()}
}
