package e2e_test

import (
	"fmt"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/switchhook/switchhook/pkg/bus"
	"github.com/switchhook/switchhook/pkg/event"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// ask asks a service over the bus.
func (r *night) ask(t *testing.T, subject string, question, answer proto.Message) {
	t.Helper()
	if err := r.bus.Ask(t.Context(), subject, question, answer); err != nil {
		t.Fatal(err)
	}
}

func (r *night) agents(t *testing.T, tenant string) []*pbxv1.AgentStatus {
	t.Helper()
	var list pbxv1.AgentListResponse
	r.ask(t, event.QueryAgentList, &pbxv1.AgentListRequest{Tenant: tenant}, &list)
	for _, conflict := range list.GetConflicts() {
		t.Errorf("%s: want no conflict of names, have %s", tenant, conflict)
	}
	return list.GetAgents()
}

// checkBuckets demands the agents that the service lists, and no call.
func (r *night) checkBuckets(t *testing.T, _ *truth) (wrong []string) {
	for key, row := range r.callRows.Rows() {
		wrong = append(wrong, fmt.Sprintf("bucket pbx_calls: want it empty, have %s: %v", key, row.Value))
	}
	rows := r.agentRows.Rows()
	for _, tenant := range r.tenants {
		for _, a := range r.agents(t, tenant.Name) {
			key := tenant.Name + "." + a.GetId()
			if have := rows[key].Value; !proto.Equal(a, have) {
				wrong = append(wrong, fmt.Sprintf("bucket pbx_agents: want %s: %v, have %v", key, a, have))
			}
			delete(rows, key)
		}
	}
	for key, row := range rows {
		wrong = append(wrong, fmt.Sprintf("bucket pbx_agents: want no %s, have %v", key, row.Value))
	}
	return wrong
}

// checkContacts demands one contact for each call that shows an outside number: by its key, or, where the exchange does not
// name calls, as many for each number as there were calls.
func (r *night) checkContacts(t *testing.T, n *truth) (wrong []string) {
	want, have := map[string]int{}, map[string]int{}
	name := func(tenant, key, number string, knows bool) string {
		return fmt.Sprintf("contact at %s of call %q with %s, known: %v", tenant, key, number, knows)
	}
	anonymous := map[string]bool{} // numbers in calls without a name
	for tenant, s := range n.tenants {
		for _, c := range s.calls {
			number := c.Caller
			if c.Direction == "outgoing" {
				number = c.Callee
			}
			if c.Direction != "internal" && number != "" {
				want[name(tenant, c.Key, number, r.crm.knows(number))]++
				anonymous[tenant+number] = c.Key == ""
			}
		}
	}
	for s, err := range r.bus.Events(t.Context(), bus.Filter{Subject: event.Root + ".*.*.contact.*"}) {
		if err != nil {
			t.Fatal(err)
		}
		ev := s.Message
		c := ev.GetContact()
		number, key := c.GetParty().GetE164(), c.GetCallKey()
		if anonymous[ev.GetTenant()+number] {
			key = ""
		}
		have[name(ev.GetTenant(), key, number, c.GetMatch().GetName() == contactName(number))]++
		if known := c.GetKind() == pbxv1.Contact_RESOLVED; known != (c.GetMatch() != nil) || c.GetSupersedes() != "" {
			wrong = append(wrong, fmt.Sprintf("want a contact with a match if it is known, the first, have %v", c))
		}
	}
	return append(wrong, differences("", want, have)...)
}

// checkTransitions demands that what was published of each agent is a chain, and ends in what they do now.
func (r *night) checkTransitions(t *testing.T, _ *truth) (wrong []string) {
	last, ids := map[string]*pbxv1.Agent{}, map[string]bool{}
	for s, err := range r.bus.Events(t.Context(), bus.Filter{Subject: event.Root + ".*.*.agent.state_changed"}) {
		if err != nil {
			t.Fatal(err)
		}
		name, a := s.Message.GetTenant()+"."+s.Message.GetAgent().GetId(), s.Message.GetAgent()
		before := last[name]
		if ids[s.Message.GetId()] {
			wrong = append(wrong, fmt.Sprintf("%s: want each id once, have %s again", name, s.Message.GetId()))
		}
		if p := a.GetPreviousState(); before == nil && p != pbxv1.AgentState_UNKNOWN || before != nil && p != before.GetState() {
			wrong = append(wrong, fmt.Sprintf("%s: want what follows on %v, have %v", name, before, a))
		}
		since, lasted := a.GetSince().AsTime(), a.GetPreviousDuration().AsDuration()
		if before != nil && (since.Before(before.GetSince().AsTime()) || since.Sub(before.GetSince().AsTime()) != lasted) {
			wrong = append(wrong, fmt.Sprintf("%s: want time to go on, have %v after %v", name, a, before))
		}
		last[name], ids[s.Message.GetId()] = a, true
	}
	for _, tenant := range r.tenants {
		for _, a := range r.agents(t, tenant.Name) {
			if l := last[tenant.Name+"."+a.GetId()]; l.GetState() != a.GetState() || l.GetPauseReason() != a.GetPauseReason() {
				wrong = append(wrong, fmt.Sprintf("%s.%s: want %v told last, have %v", tenant.Name, a.GetId(), a, l))
			}
		}
	}
	if len(wrong) == 0 {
		t.Logf("%d transitions of %d agents", len(ids), len(last))
	}
	return wrong
}
