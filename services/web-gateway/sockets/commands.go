package sockets

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/switchhook/switchhook/pkg/command"
	"github.com/switchhook/switchhook/pkg/event"
	"github.com/switchhook/switchhook/pkg/fault"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
	"github.com/switchhook/switchhook/services/web-gateway/frames"
)

// command sends a command without waiting for what becomes of it.
func (c *socket) command(in *session, r *frames.Request) {
	o := c.server.order(in, r)
	reply := func(result, reason string) {
		c.send(message{data: frames.Encode(frames.Result{
			Event: frames.ResultName(o.action), ActionID: r.ActionID, Result: result, Reason: reason,
		})})
	}
	switch {
	case !in.may(rightCommands):
		reply(frames.Refused, "the token does not allow commands")
		return
	case o.refused != "":
		reply(frames.Refused, o.refused)
		return
	case !c.begin():
		reply(frames.Refused, "too many commands at once")
		return
	}
	c.server.underWay.Go(func() {
		defer c.finish()
		reply(c.server.send(o))
	})
}

func (c *socket) begin() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.commands == commandsAtOnce {
		return false
	}
	c.commands++
	return true
}

func (c *socket) finish() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.commands--
}

// order is a command on one of the person's own lines.
type order struct {
	action  string
	at      event.Origin
	request *pbxv1.CommandRequest
	refused string // why it is not sent; empty: it is
}

// order makes a command of what a page asks for. It is the server that says whose it is and at which line.
func (s *Server) order(in *session, r *frames.Request) order {
	parts := []string{r.Action, r.To, r.CallerID, r.UniqueID, r.Type, r.Line, cmp.Or(r.ActionID, event.NewID())}
	o := order{request: &pbxv1.CommandRequest{
		IdempotencyKey: frames.Key(in.viewer.Sender, parts...), User: event.User(in.person.Login, in.person.Email),
		ActionId: r.ActionID,
	}}
	view, line := in.viewer, cmp.Or(r.Line, first(in.viewer.Lines))
	if r.Line != "" {
		view.Lines = []string{r.Line}
	}
	var at frames.OpenCall
	found := false
	switch r.Action {
	case frames.Originate:
		o.action = "originate"
		name, number := callerID(r.CallerID)
		o.request.Action = &pbxv1.CommandRequest_Originate{Originate: &pbxv1.Originate{To: r.To, CallerId: number, CallerIdName: name}}
	case frames.HangupCall:
		o.action = "hangup"
		at, found = s.find(view, r.UniqueID)
		hangup := &pbxv1.Hangup{}
		if r.UniqueID != "" {
			hangup.CallId = at.VendorID
		}
		o.request.Action = &pbxv1.CommandRequest_Hangup{Hangup: hangup}
	case frames.Transfer:
		o.action = "transfer"
		at, found = s.find(view, "")
		o.request.Action = &pbxv1.CommandRequest_Transfer{Transfer: &pbxv1.Transfer{Mode: command.TransferMode(r.Type), To: r.To}}
	}
	if found {
		line, o.at = at.Line, at.Origin
	}
	switch {
	case r.Line != "" && !slices.Contains(in.viewer.Lines, r.Line), line == "":
		o.refused = "this is no line of yours"
	case r.UniqueID != "" && !found:
		o.refused = "no such call goes on at a line of yours"
	case !found:
		o.at, found = s.exchange(in.Tenant, line)
		if !found {
			o.refused = "it is not known at which exchange the line is"
		}
	}
	o.request.Extension, o.request.Exchange = line, o.at.Exchange
	return o
}

func first(lines []string) string {
	if len(lines) == 0 {
		return ""
	}
	return lines[0]
}

func (s *Server) find(v frames.Viewer, uniqueID string) (frames.OpenCall, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.core.Find(v, uniqueID)
}

// exchange returns where a line is: at the tenant's only exchange, or the one that told of the line last.
func (s *Server) exchange(tenant, line string) (event.Origin, bool) {
	configured := s.Exchanges(tenant)
	if len(configured) == 1 {
		return configured[0], true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	at, known := s.core.Exchange(tenant, line)
	return at, known && slices.Contains(configured, at)
}

// callerID reads "name <number>"; without brackets it is a number.
func callerID(s string) (name, number string) {
	before, rest, found := strings.Cut(s, "<")
	if !found {
		return "", strings.TrimSpace(s)
	}
	number, _, _ = strings.Cut(rest, ">")
	return strings.Trim(strings.TrimSpace(before), `"`), strings.TrimSpace(number)
}

// send sends a command, and returns what is known of it at once.
func (s *Server) send(o order) (result, reason string) {
	ctx, cancel := context.WithTimeout(context.Background(), commandLimit)
	defer cancel()
	reply, err := s.Commander.Command(ctx, o.at.Vendor, o.at.Tenant, o.action, o.request)
	switch {
	case fault.Is(err, fault.Unavailable):
		return frames.Unknown, "nobody answers; it may be carried out all the same, until it expires"
	case fault.Is(err, fault.Invalid):
		return frames.Refused, err.Error()
	case err != nil:
		s.Log.Error("command not sent", "tenant", o.at.Tenant, "vendor", o.at.Vendor, "action", o.action, "err", err)
		return frames.Unknown, "something went wrong"
	case reply.GetPrevious().GetOutcome() != pbxv1.Command_OUTCOME_UNSPECIFIED:
		return frames.Outcome(reply.GetPrevious()), reply.GetReason()
	case !reply.GetAccepted():
		return frames.Refused, reply.GetReason()
	}
	return frames.Accepted, reply.GetReason()
}
