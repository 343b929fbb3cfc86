// Package command is the seam between commands and the vendors' interfaces for them: what can be asked of an exchange, what is
// sent to it, and what its answers mean. It is pure but for Send.
//
// The rule above all others is that nothing is done twice. So a request is sent once, and when its answer is lost the error says
// so: nobody knows whether a phone rings, and whoever asks again may make it ring twice.
package command

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/switchhook/switchhook/pkg/event"
	"github.com/switchhook/switchhook/pkg/fault"
	"github.com/switchhook/switchhook/pkg/phone"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// Action is what a command asks for; it is the last token of the command's subject.
type Action string

// The actions.
const (
	Originate Action = "originate"
	Hangup    Action = "hangup"
	Transfer  Action = "transfer"
)

// Capability is something that a vendor's interface can do: an action, or one way of it. Its part before the dot is the action.
type Capability string

// The capabilities.
const (
	CanOriginate        Capability = "originate"
	CanHangup           Capability = "hangup"
	CanTransferBlind    Capability = "transfer.blind"
	CanTransferAttended Capability = "transfer.attended"
	CanTransferCancel   Capability = "transfer.cancel"
	CanTransferComplete Capability = "transfer.complete"
)

// All returns every capability there is.
func All() []Capability {
	return []Capability{
		CanOriginate, CanHangup, CanTransferBlind, CanTransferAttended, CanTransferCancel, CanTransferComplete,
	}
}

// Action returns the action that the capability is for.
func (c Capability) Action() Action {
	action, _, _ := strings.Cut(string(c), ".")
	return Action(action)
}

// transfers are the ways to transfer, as the contract has them.
var transfers = map[Capability]pbxv1.Transfer_Mode{
	CanTransferBlind:    pbxv1.Transfer_BLIND,
	CanTransferAttended: pbxv1.Transfer_ATTENDED,
	CanTransferCancel:   pbxv1.Transfer_ATTENDED_CANCEL,
	CanTransferComplete: pbxv1.Transfer_ATTENDED_COMPLETE,
}

// TransferMode returns the mode that people and pages call blind, attended, cancel or complete; MODE_UNSPECIFIED for another name.
func TransferMode(name string) pbxv1.Transfer_Mode {
	return transfers[Capability(Transfer)+"."+Capability(name)]
}

// Needs returns which capability a request needs. It is fault.Invalid for a request without an action, and for a transfer
// without a mode.
func Needs(r *pbxv1.CommandRequest) (Capability, error) {
	switch {
	case r.GetOriginate() != nil:
		return CanOriginate, nil
	case r.GetHangup() != nil:
		return CanHangup, nil
	case r.GetTransfer() == nil:
		return "", fault.New(fault.Invalid, "the command has no action: want originate, hangup or transfer")
	}
	mode := r.GetTransfer().GetMode()
	for need, wanted := range transfers {
		if mode == wanted {
			return need, nil
		}
	}
	return "", fault.New(fault.Invalid, "the transfer has the mode %s: want one that says how to transfer", mode)
}

// Require returns which capability a command needs, if the vendor has it and the command names a phone to act on; otherwise
// fault.Invalid. Each vendor's Plan begins with it.
func Require(vendor string, has []Capability, c Command) (Capability, error) {
	need, err := Needs(c.Request)
	switch {
	case err != nil:
		return "", err
	case !slices.Contains(has, need):
		return "", fault.New(fault.Invalid, "%s is not supported by %s", need, vendor)
	case c.Extension == "":
		return "", fault.New(fault.Invalid, "%s: no extension is known to act on", need)
	}
	return need, nil
}

// Command is a request that passed policy, with what the vendor needs to know.
type Command struct {
	ID      string
	Origin  event.Origin
	Request *pbxv1.CommandRequest
	// User is the person at Extension, completed by what is known of the agent: who asks, unless policy lets them act for
	// others. It may be nil or empty. Where a vendor finds the phone by its person, a wrong one acts on another's call.
	User *pbxv1.User
	// Extension is the phone that is acted on; never empty.
	Extension string
	// To is for originate and transfer: an outside number or an extension.
	To phone.Number
	// Expires is when it is too late to send it, whatever a token server or a second try took until then. Zero: never.
	Expires time.Time
	// CallID and ChannelID are of the call that is ended or transferred, where known.
	CallID, ChannelID string
}

// Exchange carries out commands at one configured exchange. It is safe for concurrent use.
type Exchange interface {
	Origin() event.Origin
	// Capabilities are the vendor's, the same for each of its exchanges.
	Capabilities() []Capability
	// Plan returns what Execute would send, with credentials concealed, for people to read. It is fault.Invalid when this
	// vendor cannot do that, or something is missing.
	Plan(Command) (Plan, error)
	// Execute sends it, once. Only a request that was refused for its token is sent again, with a new one, once. The error is
	//
	//   - fault.Invalid as in Plan: nothing was sent;
	//   - fault.Denied when our credentials were refused;
	//   - fault.Unavailable when it was certainly not done: nothing was sent, or the exchange said that it did not take it, and
	//     may later;
	//   - fault.Internal when the exchange refused or failed, with its words;
	//   - a *Lost, found with errors.As, when nobody knows whether it was done.
	//
	// No error holds a credential.
	Execute(context.Context, Command) (Done, error)
}

// Done is what the exchange said of a command that it accepted.
type Done struct {
	CallID, ChannelID string // as the vendor named them; may be empty
}

// Lost is the error of a command of which nobody knows whether it was done: the answer was lost, or makes no sense, after the
// request went out. It is deliberately no wrapper, so that no cause within makes it look like an error that may be tried again.
type Lost struct {
	Reason string // for people; without a credential
}

// Error says that nobody knows, and why.
func (l *Lost) Error() string { return "nobody knows whether it was done: " + l.Reason }
