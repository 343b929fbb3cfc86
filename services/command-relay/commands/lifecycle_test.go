package commands_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/switchhook/switchhook/pkg/command"
	"github.com/switchhook/switchhook/pkg/event"
	"github.com/switchhook/switchhook/pkg/fault"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
	"github.com/switchhook/switchhook/services/command-relay/commands"
)

func TestTake(t *testing.T) {
	tests := map[string]struct {
		request  *pbxv1.CommandRequest
		after    float64 // seconds since it was stored
		stage    pbxv1.CommandRecord_Stage
		outcome  pbxv1.Command_Outcome
		accepted bool
		reason   string
		audited  int
	}{
		"taken":            {dial("k", "777888999"), 0, pbxv1.CommandRecord_TAKEN, 0, false, "", 0},
		"at the last":      {dial("k", "777888999"), 14.9, pbxv1.CommandRecord_TAKEN, 0, false, "", 0},
		"too late":         {dial("k", "777888999"), 15, pbxv1.CommandRecord_OVER, pbxv1.Command_EXPIRED, false, "too late", 2},
		"refused":          {dial("k", "112"), 0, pbxv1.CommandRecord_OVER, pbxv1.Command_REFUSED, false, "emergency", 2},
		"refused and late": {dial("k", "112"), 99, pbxv1.CommandRecord_OVER, pbxv1.Command_REFUSED, false, "emergency", 2},
		"unfit":            {dial("", "777888999"), 0, 0, 0, false, "no idempotency key", 1},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			a := arrival(test.request)
			step := commands.Take(a, commands.Decide(a, facts()), "CZ", at(test.after))
			if have := step.Store.GetStage(); test.stage != have {
				t.Errorf("want %v, have %v", test.stage, have)
			}
			if have := step.Store.GetOutcome().GetOutcome(); test.outcome != have || (step.Event != nil) != (test.outcome != 0) {
				t.Errorf("want %v, have %v and the event %v", test.outcome, have, step.Event)
			}
			if r := step.Reply; test.accepted != r.GetAccepted() || !strings.Contains(r.GetReason(), test.reason) || len(step.Audit) != test.audited {
				t.Errorf("want %q, have %+v", test.reason, step)
			}
			if taken := test.stage == pbxv1.CommandRecord_TAKEN; taken != (step.Next == commands.ToBegin) || taken != (step.Reply == nil) {
				t.Errorf("want it to go on: %v, have %+v", taken, step)
			}
		})
	}
}

func TestBegin(t *testing.T) {
	tests := map[string]struct {
		after   float64
		refused string
		stage   pbxv1.CommandRecord_Stage
		outcome pbxv1.Command_Outcome
		next    commands.Next
	}{
		"sends":       {1, "", pbxv1.CommandRecord_SENDING, 0, commands.ToSend},
		"at the last": {14.9, "", pbxv1.CommandRecord_SENDING, 0, commands.ToSend},
		"too late":    {15, "", pbxv1.CommandRecord_OVER, pbxv1.Command_EXPIRED, commands.Finish},
		"refused":     {1, "too many", pbxv1.CommandRecord_OVER, pbxv1.Command_REFUSED, commands.Finish},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			rec, a := taken(t, 0, "k", "777888999"), arrival(dial("k", "777888999"))
			before := proto.CloneOf(rec)
			step := commands.Begin(rec, a, test.refused, "CZ", at(test.after))
			if test.stage != step.Store.GetStage() || test.outcome != step.Store.GetOutcome().GetOutcome() || test.next != step.Next {
				t.Errorf("want %v, %v, have %+v", test.stage, test.outcome, step)
			}
			if want := test.next == commands.ToSend; want != step.Reply.GetAccepted() || step.Reply.GetActionId() != "a-k" || step.Reply.GetPrevious() != nil {
				t.Errorf("want accepted %v, have %v", want, step.Reply)
			}
			if want := at(test.after + 30); test.next == commands.ToSend && !want.Equal(step.Until) {
				t.Errorf("want it over until %v, have %v", want, step.Until)
			}
			if !proto.Equal(before, rec) {
				t.Errorf("want the record untouched, have %v", rec)
			}
		})
	}
	if step := commands.Begin(sending(t, 0, "k", "777888999"), arrival(dial("k", "")), "", "CZ", at(1)); step.Next != commands.ToWait {
		t.Errorf("being sent already: want to wait, have %+v", step)
	}
}

func TestMeet(t *testing.T) {
	done := answered(t, 0, "k", "777888999", command.Done{CallID: "c1"}, nil)
	failed := answered(t, 0, "k", "777888999", command.Done{}, fault.New(fault.Internal, "no such number"))
	refusal := arrival(dial("k", "112"))
	refused := commands.Take(refusal, commands.Decide(refusal, facts()), "CZ", noon).Store
	// again is a second message, with what differs from the first.
	again := func(change func(*commands.Arrival)) commands.Arrival {
		a := arrival(dial("k", "777888999"))
		a.Sequence, a.Stored, a.Request.ActionId = 2, at(20), "again"
		change(&a)
		return a
	}
	nothing := func(*commands.Arrival) {}
	const conflict = "asked for something else"
	tests := map[string]struct {
		rec      *pbxv1.CommandRecord
		a        commands.Arrival
		accepted bool
		reason   string
		previous pbxv1.Command_Outcome
	}{
		"under way, taken":    {taken(t, 0, "k", "777888999"), again(nothing), true, "is still under way", 0},
		"under way, sending":  {sending(t, 0, "k", "777888999"), again(nothing), true, "is still under way", 0},
		"done":                {done, again(nothing), true, "is done; this one is not carried out", pbxv1.Command_DONE},
		"failed":              {failed, again(nothing), true, "no such number", pbxv1.Command_EXCHANGE_ERROR},
		"lost":                {lost(t, 0, "k", "777888999"), again(nothing), true, "nobody knows", pbxv1.Command_UNKNOWN},
		"refused":             {refused, again(func(a *commands.Arrival) { a.Request.GetOriginate().To = "112" }), false, "emergency", pbxv1.Command_REFUSED},
		"with what was found": {done, again(func(a *commands.Arrival) { a.Request.Extension, a.Request.Exchange = "101", "prague" }), true, "is done", pbxv1.Command_DONE},
		"named otherwise":     {done, again(func(a *commands.Arrival) { a.Request.User = event.User("JAN@pbx", "Jan@Acme.example") }), true, "is done", pbxv1.Command_DONE},
		"with another expiry": {done, again(func(a *commands.Arrival) { a.Request.ExpiresAt = stamp(at(40)) }), true, "is done", pbxv1.Command_DONE},
		"another number":      {done, again(func(a *commands.Arrival) { a.Request.GetOriginate().To = "777888998" }), false, conflict, 0},
		"another caller id":   {done, again(func(a *commands.Arrival) { a.Request.GetOriginate().CallerId = "222" }), false, conflict, 0},
		"another action":      {done, again(func(a *commands.Arrival) { a.Request.Action = hangup("").GetAction() }), false, conflict, 0},
		"another extension":   {done, again(func(a *commands.Arrival) { a.Request.Extension = "105" }), false, conflict, 0},
		"another person":      {done, again(func(a *commands.Arrival) { a.Request.User.Login = "eva" }), false, conflict, 0},
		"another address":     {done, again(func(a *commands.Arrival) { a.Request.User.Email = "eva@acme.example" }), false, conflict, 0},
		"another exchange":    {done, again(func(a *commands.Arrival) { a.Request.Exchange = "brno" }), false, conflict, 0},
		"another vendor":      {done, again(func(a *commands.Arrival) { a.Vendor = "mcn" }), false, conflict, 0},
		"another tenant":      {done, again(func(a *commands.Arrival) { a.Tenant = "globex" }), false, conflict, 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			step := commands.Meet(test.rec, test.a, "CZ", at(20))
			r := step.Reply
			if test.accepted != r.GetAccepted() || !strings.Contains(r.GetReason(), test.reason) || test.previous != r.GetPrevious().GetOutcome() {
				t.Errorf("want %v, %q, %v, have %v", test.accepted, test.reason, test.previous, r)
			}
			if step.Store != nil || step.Event != nil || step.Next != commands.Finish || len(step.Audit) != 1 || r.GetActionId() != "again" {
				t.Errorf("want nothing but a reply, have %+v", step)
			}
			if first := r.GetCommandId() == test.rec.GetCommandId(); first == (test.reason == conflict) {
				t.Errorf("want the first command's id unless it is a conflict, have %s", r.GetCommandId())
			}
			checkAudited(t, step, func(a commands.Arrival) *pbxv1.CommandReply { return commands.Meet(test.rec, a, "CZ", at(20)).Reply }, test.a)
		})
	}
}

// checkAudited demands that the audit has the id of the reply, also of that of whoever answers at once: they know neither when nor
// where the stream stored the command.
func checkAudited(t *testing.T, step commands.Step, answer func(commands.Arrival) *pbxv1.CommandReply, a commands.Arrival) {
	t.Helper()
	a.Sequence, a.Stored = 0, a.Stored.Add(time.Millisecond)
	if want, have := step.Audit[0].Entry.GetCommandId(), answer(a).GetCommandId(); want != have || want == "" {
		t.Errorf("want the id of the audit, %s, in the reply, have %s", want, have)
	}
}

func TestUnfit(t *testing.T) {
	ids := make(map[string]bool)
	for name, a := range map[string]commands.Arrival{
		"no key":         arrival(dial("", "777888999")),
		"another number": arrival(dial("", "777888998")),
		"no action":      arrival(&pbxv1.CommandRequest{IdempotencyKey: "k"}),
	} {
		take := func(a commands.Arrival) commands.Step {
			return commands.Take(a, commands.Decide(a, facts()), "CZ", noon)
		}
		step := take(a)
		checkAudited(t, step, func(a commands.Arrival) *pbxv1.CommandReply { return take(a).Reply }, a)
		ids[step.Reply.GetCommandId()] = true
		again := a
		again.Sequence++
		if step.Audit[0].ID == take(again).Audit[0].ID {
			t.Errorf("%s: want an entry for each time that it is asked", name)
		}
	}
	if len(ids) != 3 {
		t.Errorf("want an id for each command, have %v", ids)
	}
}

func TestNoTenant(t *testing.T) {
	a := arrival(dial("k", "777888999"))
	a.Tenant = "nobody"
	step := commands.Take(a, commands.NoTenant(a), "", noon)
	if step.Store != nil || step.Event != nil || step.Next != commands.Finish || len(step.Audit) != 1 ||
		step.Reply.GetAccepted() || step.Reply.GetReason() != `there is no tenant "nobody"` || step.Reply.GetActionId() != "a-k" {
		t.Errorf("want it refused and audited, have %+v", step)
	}
}

// TestReply answers those whose key gets a record meanwhile, which may be somebody else's.
func TestReply(t *testing.T) {
	rec := sending(t, 0, "k", "777888999")
	named := dial("k", "777888999")
	named.User.Login = "JAN@pbx"
	for name, test := range map[string]struct {
		request  *pbxv1.CommandRequest
		accepted bool
	}{
		"its own":        {dial("k", "777888999"), true},
		"named so":       {named, true},
		"another number": {dial("k", "777888998"), false},
		"another action": {hangup(""), false},
	} {
		test.request.ActionId = name
		have := commands.Reply(rec, arrival(test.request))
		if test.accepted != have.GetAccepted() || test.accepted != (have.GetCommandId() == rec.GetCommandId()) || have.GetActionId() != name {
			t.Errorf("%s: want accepted %v, have %v", name, test.accepted, have)
		}
	}
}

// TestMeetAgain delivers the message itself again.
func TestMeetAgain(t *testing.T) {
	a := arrival(dial("k", "777888999"))
	if step := commands.Meet(taken(t, 0, "k", "777888999"), a, "CZ", at(1)); step.Next != commands.ToBegin || step.Reply != nil {
		t.Errorf("taken: want it to go on, have %+v", step)
	}
	rec := sending(t, 0, "k", "777888999")
	if step := commands.Meet(rec, a, "CZ", at(39.9)); step.Next != commands.ToWait || !step.Until.Equal(at(40)) || step.Store != nil {
		t.Errorf("being sent: want to wait for it, have %+v", step)
	}
	step := commands.Meet(rec, a, "CZ", at(40))
	if step.Store.GetOutcome().GetOutcome() != pbxv1.Command_UNKNOWN || step.Next != commands.Finish || !step.Reply.GetAccepted() {
		t.Errorf("whoever sent it crashed: want UNKNOWN, have %+v", step)
	}
	over := answered(t, 0, "k", "777888999", command.Done{}, nil)
	first, again := commands.Told(over), commands.Meet(over, a, "CZ", at(50))
	if again.Store != nil || !proto.Equal(first.Event, again.Event) || len(again.Audit) != 2 || again.Reply.GetPrevious() != nil {
		t.Errorf("over: want it told again, have %+v", again)
	}
}

func TestLate(t *testing.T) {
	rec := sending(t, 10, "k", "777888999")
	tests := map[string]struct {
		rec     *pbxv1.CommandRecord
		now     float64
		next    commands.Next
		outcome pbxv1.Command_Outcome
	}{
		"in time":             {rec, 24, commands.ToSend, 0},
		"slept":               {rec, 25, commands.Finish, pbxv1.Command_EXPIRED},
		"given up":            {commands.Abandon(rec, "CZ", at(50)).Store, 51, commands.Finish, pbxv1.Command_EXPIRED},
		"given up, not late":  {commands.Abandon(rec, "CZ", at(50)).Store, 11, commands.Finish, pbxv1.Command_EXPIRED},
		"settled by somebody": {answered(t, 10, "k", "777888999", command.Done{}, nil), 26, commands.Finish, 0},
	}
	for name, test := range tests {
		step := commands.Late(test.rec, "CZ", at(test.now))
		if test.next != step.Next || test.outcome != step.Store.GetOutcome().GetOutcome() || test.next == commands.ToSend && !step.Until.Equal(at(40)) {
			t.Errorf("%s: want %v, %v, have %+v", name, test.next, test.outcome, step)
		}
	}
	far := proto.CloneOf(rec)
	far.Request.ExpiresAt = stamp(at(70))
	if step := commands.Late(far, "CZ", at(40)); step.Store.GetOutcome().GetOutcome() != pbxv1.Command_EXPIRED {
		t.Errorf("no time left to execute it: want EXPIRED, have %+v", step)
	}
}

func TestAnswer(t *testing.T) {
	tests := map[string]struct {
		err    error
		kind   pbxv1.Command_Kind
		want   pbxv1.Command_Outcome
		reason string
	}{
		"done":           {nil, pbxv1.Command_SUCCEEDED, pbxv1.Command_DONE, ""},
		"lost":           {&command.Lost{Reason: "no answer"}, pbxv1.Command_FAILED, pbxv1.Command_UNKNOWN, "no answer"},
		"lost, wrapped":  {fmt.Errorf("ipex: %w", &command.Lost{Reason: "no answer"}), pbxv1.Command_FAILED, pbxv1.Command_UNKNOWN, "no answer"},
		"cannot":         {fault.New(fault.Invalid, "no caller id"), pbxv1.Command_FAILED, pbxv1.Command_REFUSED, "no caller id"},
		"denied":         {fault.New(fault.Denied, "bad token"), pbxv1.Command_FAILED, pbxv1.Command_EXCHANGE_ERROR, "bad token"},
		"away":           {fault.New(fault.Unavailable, "refused"), pbxv1.Command_FAILED, pbxv1.Command_EXCHANGE_ERROR, "refused"},
		"refused":        {fault.New(fault.Internal, "no such number"), pbxv1.Command_FAILED, pbxv1.Command_EXCHANGE_ERROR, "no such number"},
		"not sent":       {fault.New(fault.Unavailable, "nothing sent: %w", context.Canceled), pbxv1.Command_FAILED, pbxv1.Command_EXCHANGE_ERROR, "nothing sent"},
		"stopped":        {fmt.Errorf("execute: %w", context.Canceled), pbxv1.Command_FAILED, pbxv1.Command_UNKNOWN, "canceled"},
		"took too long":  {context.DeadlineExceeded, pbxv1.Command_FAILED, pbxv1.Command_UNKNOWN, "deadline"},
		"invalid answer": {fault.New(fault.Internal, "answer: %w", &command.Lost{Reason: "cut"}), pbxv1.Command_FAILED, pbxv1.Command_UNKNOWN, "cut"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			step := commands.Answer(sending(t, 0, "k", "777888999"), command.Done{CallID: "c1", ChannelID: "ch1"}, test.err, "CZ", at(5))
			reason := step.Store.GetOutcome().GetReason()
			if !strings.Contains(reason, test.reason) || (reason == "") != (test.err == nil) {
				t.Errorf("want %q, have %q", test.reason, reason)
			}
			want := &pbxv1.Command{
				Kind: test.kind, Id: arrival(dial("k", "")).ID(), IdempotencyKey: "k", Action: "originate",
				User: &pbxv1.User{Login: "jan", Email: "jan@acme.example"}, Extension: "101",
				To:      &pbxv1.Party{Number: "777888999", E164: "+420777888999"},
				Outcome: test.want, Reason: reason, CallId: "c1", ActionId: "a-k", ChannelId: "ch1",
			}
			if have := step.Store.GetOutcome(); !proto.Equal(want, have) {
				t.Errorf("want %v\nhave %v", want, have)
			}
			if step.Store.GetStage() != pbxv1.CommandRecord_OVER || !step.Store.GetSince().AsTime().Equal(at(5)) || step.Next != commands.Finish {
				t.Errorf("want it over, have %+v", step)
			}
		})
	}
}

func TestAnswerGivenUp(t *testing.T) {
	unknown := commands.Abandon(sending(t, 0, "k", "777888999"), "CZ", at(40)).Store
	if step := commands.Answer(unknown, command.Done{CallID: "c1"}, nil, "CZ", at(41)); step.Store.GetOutcome().GetOutcome() != pbxv1.Command_DONE {
		t.Errorf("given up, then done: want DONE, have %+v", step)
	}
	if step := commands.Answer(unknown, command.Done{}, &command.Lost{}, "CZ", at(41)); step.Store != nil || step.Event != nil {
		t.Errorf("given up, then lost: want nothing new, have %+v", step)
	}
	done := answered(t, 0, "k", "777888999", command.Done{}, nil)
	if step := commands.Answer(done, command.Done{}, fault.New(fault.Internal, "no"), "CZ", at(41)); step.Store != nil || step.Event != nil {
		t.Errorf("settled: want nothing new, have %+v", step)
	}
	if step := commands.Abandon(done, "CZ", at(99)); step.Store != nil {
		t.Errorf("settled: want nothing to give up, have %+v", step)
	}
}

func TestEvent(t *testing.T) {
	done := answered(t, 0, "k", "777888999", command.Done{CallID: "c1"}, nil)
	ev := commands.EventOf(done)
	if subject, err := event.Subject(ev); subject != "pbx.events.ipex.acme.command.succeeded" || err != nil {
		t.Errorf("want it succeeded, have %s, %v", subject, err)
	}
	if ev.GetExchange() != "prague" || !ev.GetTime().AsTime().Equal(at(10)) || ev.GetReceivedAt() == nil || !proto.Equal(ev.GetCommand(), done.GetOutcome()) {
		t.Errorf("want the outcome, have %v", ev)
	}
	unknown := commands.EventOf(lost(t, 0, "k", "777888999"))
	if subject, err := event.Subject(unknown); subject != "pbx.events.ipex.acme.command.failed" || err != nil {
		t.Errorf("want it failed, have %s, %v", subject, err)
	}
	if unknown.GetId() == ev.GetId() || ev.GetId() != commands.EventOf(done).GetId() {
		t.Errorf("want an id for each outcome, have %s, %s", unknown.GetId(), ev.GetId())
	}
	if have := commands.EventOf(taken(t, 0, "k", "777888999")); have != nil {
		t.Errorf("not over: want no event, have %v", have)
	}
	r := dial("k", "777888999")
	r.Exchange = "No such *"
	a := arrival(r)
	if have := commands.Take(a, commands.Decide(a, facts()), "CZ", noon).Event; have == nil || have.GetExchange() != "" {
		t.Errorf("no exchange: want none named, have %v", have)
	}
	if have := commands.Answer(sendingHangup(t), command.Done{}, nil, "CZ", at(2)).Event.GetCommand(); have.GetTo() != nil || have.GetAction() != "hangup" {
		t.Errorf("a hang-up: want no number, have %v", have)
	}
}

func sendingHangup(t *testing.T) *pbxv1.CommandRecord {
	t.Helper()
	a := arrival(hangup(""))
	rec := commands.Take(a, commands.Decide(a, facts()), "CZ", noon).Store
	return commands.Begin(rec, a, "", "CZ", at(1)).Store
}

func TestAudit(t *testing.T) {
	a := arrival(dial("k", "777888999"))
	a.Request.ExpiresAt = stamp(at(600))
	rec := commands.Take(a, commands.Decide(a, facts()), "CZ", at(1)).Store
	begun := commands.Begin(rec, a, "", "CZ", at(1))
	first := begun.Audit[0].Entry
	want := &pbxv1.CommandAudit{
		CommandId: a.ID(), Request: a.Request, ReceivedAt: stamp(noon), Vendor: "ipex", Tenant: "acme",
		Reply: &pbxv1.CommandReply{CommandId: a.ID(), Accepted: true, ActionId: "a-k"},
	}
	if !proto.Equal(want, first) || len(begun.Audit) != 1 {
		t.Errorf("want %v\nhave %v", want, begun.Audit)
	}
	over := commands.Answer(begun.Store, command.Done{}, nil, "CZ", at(2))
	if len(over.Audit) != 1 || !proto.Equal(over.Audit[0].Entry.GetOutcome(), over.Store.GetOutcome()) || over.Audit[0].Entry.GetReply() != nil {
		t.Errorf("want the outcome, have %v", over.Audit)
	}
	again := a
	again.Sequence = 2
	ids := map[string]bool{begun.Audit[0].ID: true, over.Audit[0].ID: true, over.Event.GetId(): true, commands.Meet(rec, again, "CZ", at(2)).Audit[0].ID: true}
	if len(ids) != 4 {
		t.Errorf("want an id for each entry, have %v", ids)
	}
	if redelivered := commands.Meet(over.Store, a, "CZ", at(3)).Audit; redelivered[0].ID != begun.Audit[0].ID || redelivered[1].ID != over.Audit[0].ID {
		t.Errorf("want the same ids again, have %v", redelivered)
	}
}

func TestGraceOutlastsExecution(t *testing.T) {
	if commands.Grace < commands.Execution+5*time.Second || commands.Execution < command.Patience {
		t.Errorf("want time to store an answer, and for two clocks, have %v and %v", commands.Execution, commands.Grace)
	}
}
