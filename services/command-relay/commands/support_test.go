package commands_test

import (
	"fmt"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/switchhook/switchhook/pkg/call"
	"github.com/switchhook/switchhook/pkg/command"
	"github.com/switchhook/switchhook/pkg/config"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
	"github.com/switchhook/switchhook/services/command-relay/commands"
)

// noon is when commands are stored.
var noon = time.Date(2026, 1, 5, 12, 0, 0, 0, time.UTC)

func at(seconds float64) time.Time { return noon.Add(time.Duration(seconds * float64(time.Second))) }

// dial is jan's request to call a number.
func dial(key, to string) *pbxv1.CommandRequest {
	return &pbxv1.CommandRequest{
		IdempotencyKey: key, User: &pbxv1.User{Login: "jan"}, ActionId: "a-" + key,
		Action: &pbxv1.CommandRequest_Originate{Originate: &pbxv1.Originate{To: to}},
	}
}

func hangup(id string) *pbxv1.CommandRequest {
	return &pbxv1.CommandRequest{
		IdempotencyKey: "k", User: &pbxv1.User{Login: "jan"},
		Action: &pbxv1.CommandRequest_Hangup{Hangup: &pbxv1.Hangup{CallId: id}},
	}
}

func transfer(mode pbxv1.Transfer_Mode, to, id string) *pbxv1.CommandRequest {
	return &pbxv1.CommandRequest{
		IdempotencyKey: "k", User: &pbxv1.User{Login: "jan"},
		Action: &pbxv1.CommandRequest_Transfer{Transfer: &pbxv1.Transfer{Mode: mode, To: to, CallId: id}},
	}
}

// arrival is a request that was stored at noon.
func arrival(r *pbxv1.CommandRequest) commands.Arrival {
	return commands.Arrival{Vendor: "ipex", Tenant: "acme", Request: r, Stored: noon, Sequence: 1}
}

func agent(login, email string, extensions ...string) *pbxv1.AgentStatus {
	return &pbxv1.AgentStatus{User: &pbxv1.User{Login: login, Email: email}, Extensions: extensions}
}

// facts are of a tenant with one exchange that can do everything, jan at 101, eva at 105 and 106, and the boss at 200.
func facts() commands.Facts {
	return commands.Facts{
		Policy: commands.DefaultPolicy(), Region: "CZ",
		Exchanges: []commands.Exchange{{Name: "prague", Capabilities: command.All()}},
		Agents:    []*pbxv1.AgentStatus{agent("jan", "jan@acme.example", "101"), agent("eva", "", "105", "106")},
		People:    []config.Person{{Name: "Boss", Login: "boss", Email: "boss@acme.example", Extensions: []string{"200"}}},
	}
}

// taken is the record of jan's command, stored and taken at some second.
func taken(t *testing.T, second float64, key, to string) *pbxv1.CommandRecord {
	t.Helper()
	a := arrival(dial(key, to))
	a.Stored = at(second)
	step := commands.Take(a, commands.Decide(a, facts()), "CZ", at(second))
	if step.Store == nil || step.Next != commands.ToBegin {
		t.Fatalf("%s: want it taken, have %+v", key, step)
	}
	return step.Store
}

// sending is the same, being sent.
func sending(t *testing.T, second float64, key, to string) *pbxv1.CommandRecord {
	t.Helper()
	step := commands.Begin(taken(t, second, key, to), arrival(dial(key, to)), "", "CZ", at(second))
	if step.Next != commands.ToSend {
		t.Fatalf("%s: want it to be sent, have %+v", key, step)
	}
	return step.Store
}

// answered is the same, ten seconds later, with what the exchange answered.
func answered(t *testing.T, second float64, key, to string, done command.Done, err error) *pbxv1.CommandRecord {
	t.Helper()
	return commands.Answer(sending(t, second, key, to), done, err, "CZ", at(second+10)).Store
}

func lost(t *testing.T, second float64, key, to string) *pbxv1.CommandRecord {
	t.Helper()
	return answered(t, second, key, to, command.Done{}, &command.Lost{Reason: "no answer"})
}

// out is a call from 101 to a number that began at some second.
func out(second float64, id, e164 string) *call.Call {
	return &call.Call{
		ID: fmt.Sprintf("%s-%v", id, second), Vendor: "ipex", Tenant: "acme", Exchange: "prague", VendorID: id,
		Direction: pbxv1.Call_OUTGOING, From: &pbxv1.Party{Number: "101"}, To: &pbxv1.Party{Number: e164, E164: e164},
		Legs: []call.Leg{{
			Extension: "101", Direction: pbxv1.Call_OUTGOING, Spans: []call.Span{{Kind: call.Dialing, From: at(second)}},
		}},
		Began: at(second),
	}
}

func stamp(t time.Time) *timestamppb.Timestamp { return timestamppb.New(t) }
