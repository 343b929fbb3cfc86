package commands

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/switchhook/switchhook/pkg/call"
	"github.com/switchhook/switchhook/pkg/command"
	"github.com/switchhook/switchhook/pkg/config"
	"github.com/switchhook/switchhook/pkg/event"
	"github.com/switchhook/switchhook/pkg/phone"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// Arrival is a request as the stream delivers it, once or again.
type Arrival struct {
	Vendor, Tenant string         // as in its subject
	Action         command.Action // as in its subject
	Request        *pbxv1.CommandRequest
	Stored         time.Time // when the stream stored it
	Sequence       uint64    // its place in the stream
}

// ID names the command, if it gets a record: the same for each delivery of a message, and another for each message.
func (a Arrival) ID() string {
	return event.DerivedID(a.origin(), "command", a.Request.GetIdempotencyKey(),
		a.Stored.UTC().Format(time.RFC3339Nano), fmt.Sprint(a.Sequence))
}

// refusedID names a command that gets no record of its own. It is made of what was asked alone: whoever answers at once does not
// know the command's place in the stream, and the audit must have what they say. The same asked again has the same.
func (a Arrival) refusedID() string {
	asked, _ := proto.MarshalOptions{Deterministic: true}.Marshal(a.Request) // It came as protobuf, so it can be.
	return event.DerivedID(a.origin(), "refused command", string(a.Action), string(asked))
}

// Resumed returns the arrival with the request as it was completed when it was taken: whoever goes on with a record that
// another replica took decides about that.
func (a Arrival) Resumed(rec *pbxv1.CommandRecord) Arrival {
	a.Request = rec.GetRequest()
	return a
}

func (a Arrival) origin() event.Origin { return event.Origin{Vendor: a.Vendor, Tenant: a.Tenant} }

// Exchange is one of the tenant's exchanges at the vendor.
type Exchange struct {
	Name string
	// Capabilities are what its commander says; none when it is not configured for commands.
	Capabilities []command.Capability
}

// Facts is what is known when a command comes, all of it about the arrival's tenant.
type Facts struct {
	Policy    Policy
	Region    string
	Exchanges []Exchange           // all at the vendor
	Agents    []*pbxv1.AgentStatus // as agent-state knows them
	People    []config.Person      // as they are configured
	// Calls are those kept by a tracker, at any vendor. A command that names a call needs them: it is refused when nobody knows
	// that the call is at the extension.
	Calls []*call.Call
	// Outcomes are of earlier commands: they know calls of which no event came yet, and the vendor's id of what rings.
	Outcomes []*pbxv1.Command
}

// Decision is what policy says of a command.
type Decision struct {
	// Refused is why it is refused, for people. Empty: it may be carried out.
	Refused string
	// Unfit is a refused one that nothing but the reply and the audit can tell of: it has no key, no action, or no tenant.
	Unfit bool
	// Request is what was asked, completed as far as it was understood: exchange, who asks, extension and expiry.
	Request *pbxv1.CommandRequest
	// Command is what to give to the exchange, unless refused.
	Command command.Command
}

// maxKey is the longest idempotency key, in bytes.
const maxKey = 256

// Decide says whether a command may be carried out. Limits and the clock are not its business: see Limits and Begin.
func Decide(a Arrival, f Facts) Decision {
	d := &deciding{Arrival: a, Facts: f, request: proto.CloneOf(a.Request)}
	d.command = command.Command{ID: a.ID(), Request: d.request}
	if reason := d.unfit(); reason != "" {
		return Decision{Refused: reason, Unfit: true, Request: d.request}
	}
	deadline := f.Policy.deadline(a.Stored, asTime(d.request.GetExpiresAt()))
	d.request.ExpiresAt, d.command.Expires = timestamppb.New(deadline), deadline
	for _, rule := range []func() string{d.exchange, d.capability, d.extension, d.number, d.call} {
		if reason := rule(); reason != "" {
			return Decision{Refused: reason, Request: d.request}
		}
	}
	return Decision{Request: d.request, Command: d.command}
}

// NoTenant refuses a command for a tenant that is not configured.
func NoTenant(a Arrival) Decision {
	return Decision{Refused: fmt.Sprintf("there is no tenant %q", a.Tenant), Unfit: true, Request: a.Request}
}

// deciding is a decision in the making. Each of its rules returns why the command is refused, or nothing.
type deciding struct {
	Arrival
	Facts
	request *pbxv1.CommandRequest // completed step by step
	command command.Command
}

func (d *deciding) unfit() string {
	key, action := d.request.GetIdempotencyKey(), actionOf(d.request)
	switch {
	case key == "":
		return "the command has no idempotency key"
	case len(key) > maxKey:
		return fmt.Sprintf("the idempotency key has %d bytes, at most %d are allowed", len(key), maxKey)
	case action == "":
		return "the command does not say what to do: want originate, hangup or transfer"
	case d.Action != "" && d.Action != action:
		return fmt.Sprintf("the command asks for %s, but was sent to the subject of %s", action, d.Action)
	}
	return ""
}

func (d *deciding) exchange() string {
	name := d.request.GetExchange()
	var names []string
	for _, e := range d.Exchanges {
		names = append(names, e.Name)
	}
	switch {
	case len(names) == 0:
		return fmt.Sprintf("%s has no exchange at %s", d.Tenant, d.Vendor)
	case name == "" && len(names) > 1:
		return fmt.Sprintf("%s has several exchanges at %s: say which of %s", d.Tenant, d.Vendor, strings.Join(names, ", "))
	case name == "":
		name = names[0]
	case !slices.Contains(names, name):
		return fmt.Sprintf("%s has no exchange %q at %s, but %s", d.Tenant, name, d.Vendor, strings.Join(names, ", "))
	}
	d.request.Exchange = name
	d.command.Origin = event.Origin{Vendor: d.Vendor, Tenant: d.Tenant, Exchange: name}
	return ""
}

func (d *deciding) capability() string {
	need, err := command.Needs(d.request)
	if err != nil {
		return err.Error()
	}
	at := slices.IndexFunc(d.Exchanges, func(e Exchange) bool { return e.Name == d.request.GetExchange() })
	has := d.Exchanges[at].Capabilities
	alike := func(c command.Capability) bool { return c.Action() == need.Action() }
	switch {
	case len(has) == 0:
		return fmt.Sprintf("the exchange %s is not configured for commands", d.request.GetExchange())
	case !slices.ContainsFunc(has, alike):
		return fmt.Sprintf("%s cannot %s", d.Vendor, doing(command.Capability(need.Action())))
	case !slices.Contains(has, need):
		return fmt.Sprintf("%s cannot %s", d.Vendor, doing(need))
	}
	return ""
}

// doing says for people what a capability is, or an action as a whole.
func doing(c command.Capability) string {
	switch c {
	case command.CanOriginate:
		return "make calls"
	case command.CanHangup:
		return "end calls"
	case command.Capability(command.Transfer):
		return "transfer calls"
	case command.CanTransferBlind:
		return "transfer calls without asking"
	case command.CanTransferAttended:
		return "transfer calls after a consultation"
	case command.CanTransferCancel:
		return "cancel a transfer"
	case command.CanTransferComplete:
		return "complete a transfer"
	default:
		return "do " + string(c)
	}
}

func (d *deciding) number() string {
	raw, wanted := numberOf(d.request)
	if !wanted {
		return ""
	}
	to := phone.Parse(raw, d.Region)
	if to.Raw == "" {
		return "the command does not say which number to call"
	}
	if to.Kind == phone.Extension {
		to.Raw = to.Dialled() // Bare, since this is what the exchange gets.
	}
	d.command.To = to
	if d.ownExtension(to.Dialled()) {
		return ""
	}
	return d.Policy.refuses(to, d.Region)
}

// ownExtension reports whether a number is one of the tenant's own, by the word of the configuration, and somebody is known there.
func (d *deciding) ownExtension(dialled string) bool {
	return slices.Contains(d.Policy.OwnExtensions, dialled) && len(d.find(nil, dialled).extensions) > 0
}

// call finds the call that is ended or transferred. One that is named must be at the extension: whoever may act on their own
// phone only must not end a colleague's call. When none is named, and several could be meant, the exchange decides.
func (d *deciding) call() string {
	if d.request.GetOriginate() != nil {
		return ""
	}
	id := callOf(d.request)
	if id == "" {
		id = d.currentCall()
	} else if !d.knows(id) {
		return fmt.Sprintf("the call %q is not known to be at extension %s", id, d.command.Extension)
	}
	d.command.CallID = id
	for _, c := range d.Outcomes {
		if id != "" && c.GetCallId() == id && c.GetExtension() == d.command.Extension {
			d.command.ChannelID = c.GetChannelId()
		}
	}
	return ""
}

// currentCall returns the vendor's id of the only call that the extension is in.
func (d *deciding) currentCall() string {
	id := ""
	for _, c := range d.Calls {
		if !d.at(c, false) {
			continue
		}
		if id != "" || c.VendorID == "" {
			return ""
		}
		id = c.VendorID
	}
	return id
}

func (d *deciding) knows(id string) bool {
	return slices.ContainsFunc(d.Calls, func(c *call.Call) bool { return c.VendorID == id && d.at(c, true) }) ||
		slices.ContainsFunc(d.Outcomes, func(c *pbxv1.Command) bool {
			return c.GetCallId() == id && c.GetExtension() == d.command.Extension && c.GetOutcome() == pbxv1.Command_DONE
		})
}

// at reports whether a call that goes on at the exchange has the extension in it: now, or ever.
func (d *deciding) at(c *call.Call, ever bool) bool {
	o := d.command.Origin
	return c.Open() && !c.Void && c.Vendor == o.Vendor && c.Tenant == o.Tenant && c.Exchange == o.Exchange &&
		slices.ContainsFunc(c.Legs, func(l call.Leg) bool {
			busy := len(l.Spans) > 0 && l.Spans[len(l.Spans)-1].To.IsZero()
			return l.Extension == d.command.Extension && (busy || ever)
		})
}

func actionOf(r *pbxv1.CommandRequest) command.Action {
	switch {
	case r.GetOriginate() != nil:
		return command.Originate
	case r.GetHangup() != nil:
		return command.Hangup
	case r.GetTransfer() != nil:
		return command.Transfer
	}
	return ""
}

// numberOf returns the number to call or to transfer to, and whether there has to be one.
func numberOf(r *pbxv1.CommandRequest) (raw string, wanted bool) {
	switch t := r.GetTransfer(); {
	case r.GetOriginate() != nil:
		return r.GetOriginate().GetTo(), true
	case t.GetMode() == pbxv1.Transfer_BLIND, t.GetMode() == pbxv1.Transfer_ATTENDED:
		return t.GetTo(), true
	}
	return "", false
}

// callOf returns the call that a request names; it may be empty.
func callOf(r *pbxv1.CommandRequest) string {
	return cmp.Or(r.GetHangup().GetCallId(), r.GetTransfer().GetCallId())
}

func asTime(t *timestamppb.Timestamp) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.AsTime()
}
