package contacts

import (
	"google.golang.org/protobuf/proto"

	"github.com/switchhook/switchhook/pkg/config"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// Responsible names who takes the call for the employee in charge of a contact, if the tenant wants that looked at and
// the employee cannot take it now: the tenant's fallback, in a copy of the contact. In all other cases, and when nothing
// is known of the employee, the contact comes back as it is.
//
// Status returns what an agent does now, by an extension or an e-mail address; nil when it knows no such agent. The result
// is true for a moment only: it is not for keeping.
func Responsible(c *pbxv1.Contact, status func(name string) *pbxv1.AgentStatus, contacts config.Contacts) *pbxv1.Contact {
	if !contacts.DutyAware || contacts.Fallback == "" || c.GetMatch() == nil || canTake(agent(c.GetMatch(), status)) {
		return c
	}
	if contacts.Fallback == c.GetMatch().GetResponsibleExtension() { // They stand in for others, and for nobody else.
		return c
	}
	copied := proto.CloneOf(c)
	copied.Match.FallbackExtension = contacts.Fallback
	return copied
}

// agent returns what the responsible employee does; nil if there is none, or nothing is known of them.
func agent(m *pbxv1.ContactMatch, status func(string) *pbxv1.AgentStatus) *pbxv1.AgentStatus {
	for _, name := range []string{m.GetResponsibleExtension(), m.GetResponsibleEmail()} {
		if name == "" {
			continue
		}
		if known := status(name); known != nil {
			return known
		}
	}
	return nil
}

func canTake(s *pbxv1.AgentStatus) bool {
	switch s.GetState() {
	case pbxv1.AgentState_LOGGED_OUT, pbxv1.AgentState_PAUSED, pbxv1.AgentState_ON_CALL,
		pbxv1.AgentState_RINGING, pbxv1.AgentState_WRAP_UP:
		return false
	default:
		return true
	}
}
