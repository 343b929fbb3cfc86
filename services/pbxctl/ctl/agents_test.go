package ctl_test

import (
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/switchhook/switchhook/pkg/event"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// someAgents are agents in every state.
func someAgents() *pbxv1.AgentListResponse {
	yesterday := timestamppb.New(time.Date(2026, 3, 9, 6, 0, 0, 0, time.UTC))
	return &pbxv1.AgentListResponse{
		Agents: []*pbxv1.AgentStatus{
			{
				Tenant: "acme", Id: "a1", Name: "Alice Nováková", User: &pbxv1.User{Login: "alice", Email: "alice@acme.example"},
				Extensions: []string{"200", "300"}, Queues: []string{"NOC", "Sales"}, State: pbxv1.AgentState_AVAILABLE,
				Since: at(13, 59, 18),
			},
			{
				Tenant: "acme", Id: "a2", User: &pbxv1.User{Login: "bob"}, Extensions: []string{"201"}, Queues: []string{"NOC"},
				State: pbxv1.AgentState_ON_CALL, Since: at(13, 47, 3), Direction: pbxv1.Call_INCOMING, CallKey: "1412256225.1941",
			},
			{
				Id: "a3", User: &pbxv1.User{Email: "carol@acme.example"}, Queues: []string{"Sales"}, State: pbxv1.AgentState_PAUSED,
				Since: at(11, 58, 0), PauseReason: "lunch",
			},
			{Id: "a4", Extensions: []string{"203"}, State: pbxv1.AgentState_RINGING, Since: at(14, 0, 5), Direction: pbxv1.Call_OUTGOING},
			{
				Id: "a5", Name: "Eve", State: pbxv1.AgentState_ON_CALL, Since: at(13, 59, 59),
				Direction: pbxv1.Call_INTERNAL_OUTGOING,
			},
			{Id: "a6", Name: "Frank", State: pbxv1.AgentState_WRAP_UP, Since: at(13, 59, 50)},
			{Id: "a7", Name: "Grace \x1b[2J", State: pbxv1.AgentState_LOGGED_OUT, Since: yesterday},
			{Id: "a8", State: pbxv1.AgentState_UNKNOWN},
		},
		Conflicts: []string{"extension 200 is alice's and bob's"},
	}
}

func TestAgents(t *testing.T) {
	tests := map[string]struct {
		args   []string
		asked  *pbxv1.AgentListRequest
		golden string
	}{
		"all": {nil, &pbxv1.AgentListRequest{}, "agents.txt"},
		"some": {
			[]string{"--queue", "NOC", "--state", "available,On-Call", "--state", "wrap_up", "--color", "always"},
			&pbxv1.AgentListRequest{
				Queue:  "NOC",
				States: []pbxv1.AgentState{pbxv1.AgentState_AVAILABLE, pbxv1.AgentState_ON_CALL, pbxv1.AgentState_WRAP_UP},
			},
			"agents-in-colour.txt",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, b := start(t)
			asked := serveFixed[*pbxv1.AgentListRequest](t, b, event.QueryAgentList, someAgents())
			r := run(t, world(), append([]string{"agents", "--tenant", "acme"}, test.args...)...)
			r.want(t, 0, "alice", "")
			golden(t, test.golden, r.stdout)
			test.asked.Tenant = "acme"
			wantAsked(t, test.asked, asked)
		})
	}
}

func TestNoAgents(t *testing.T) {
	_, b := start(t)
	serveFixed[*pbxv1.AgentListRequest](t, b, event.QueryAgentList, &pbxv1.AgentListResponse{})
	run(t, world(), "agents", "--tenant", "acme").want(t, 0, "no agents\n", "")
}

func TestAgentsJSON(t *testing.T) {
	_, b := start(t)
	serveFixed[*pbxv1.AgentListRequest](t, b, event.QueryAgentList, someAgents())
	r := run(t, onTerminal(80), "agents", "--tenant", "acme", "--json")
	have := new(pbxv1.AgentListResponse)
	if err := protojson.Unmarshal([]byte(r.stdout), have); err != nil || !proto.Equal(someAgents(), have) || len(r.lines()) != 1 {
		t.Errorf("want %v, have %v: %s", someAgents(), err, r.stdout)
	}
}

func TestAgentShow(t *testing.T) {
	_, b := start(t)
	alice := someAgents().GetAgents()[0]
	asked := serveFixed[*pbxv1.AgentGetRequest](t, b, event.QueryAgentGet, &pbxv1.AgentGetResponse{Agent: alice})
	r := run(t, world(), "agents", "show", "200", "--tenant", "acme")
	r.want(t, 0, "available for 0:42, since 13:59:18", "")
	golden(t, "agent.txt", r.stdout)
	wantAsked(t, &pbxv1.AgentGetRequest{Tenant: "acme", Agent: "200"}, asked)
}
