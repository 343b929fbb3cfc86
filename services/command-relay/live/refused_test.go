package live_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/switchhook/switchhook/pkg/bus"
	"github.com/switchhook/switchhook/pkg/bustest"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// What cannot or must not be done is refused at once, and nothing is sent.
func TestRefused(t *testing.T) {
	server := bustest.Start(t)
	b, x := server.Bus(), newExchange(t)
	startRelay(t, server, x)
	transfer := &pbxv1.CommandRequest{IdempotencyKey: "t", User: &pbxv1.User{Login: "karel"}, Action: &pbxv1.CommandRequest_Transfer{
		Transfer: &pbxv1.Transfer{Mode: pbxv1.Transfer_BLIND, To: "21"},
	}}
	to := func(key, number string) *pbxv1.CommandRequest {
		r := originate(key)
		r.GetOriginate().To = number
		return r
	}
	stranger := originate("s")
	stranger.Extension = "99"
	taken := send(t, b, "ipex", "originate", originate("taken"))
	await(t, b, 1)
	for name, test := range map[string]struct {
		vendor, action string
		request        *pbxv1.CommandRequest
		reason         string
	}{
		"mcn cannot":         {"mcn", "transfer", transfer, "mcn cannot transfer calls"},
		"an emergency":       {"ipex", "originate", to("e", "112"), "emergency"},
		"emergency, prefix":  {"ipex", "originate", to("0", "0112"), "emergency"},
		"not to be called":   {"ipex", "originate", to("d", "777 888 990"), "do-not-call"},
		"abroad":             {"ipex", "originate", to("a", "+421905123456"), "abroad"},
		"no such number":     {"ipex", "originate", to("n", "+1"), "no number"},
		"somebody's phone":   {"ipex", "originate", stranger, "99"},
		"a premium rate":     {"ipex", "originate", to("p", "900123456"), "premium"},
		"without a key":      {"ipex", "originate", originate(""), "idempotency key"},
		"to another subject": {"ipex", "hangup", originate("x"), "originate"},
		"another's key":      {"ipex", "originate", to("taken", "777888998"), "belongs to an earlier command"},
		"no such vendor":     {"nobody", "originate", originate("v"), "acme has no exchange at nobody"},
	} {
		t.Run(name, func(t *testing.T) {
			reply := send(t, b, test.vendor, test.action, test.request)
			if reply.GetAccepted() || !strings.Contains(reply.GetReason(), test.reason) || reply.GetCommandId() == taken.GetCommandId() {
				t.Errorf("want it refused for %q, have %v", test.reason, reply)
			}
			if want := test.request.GetActionId(); want != reply.GetActionId() {
				t.Errorf("want the action id %q, have %v", want, reply)
			}
			checkAudited(t, b, test.request, reply)
		})
	}
	if n := x.dials.Load(); n != 1 {
		t.Errorf("want no dial but the first, have %d", n)
	}
}

// checkAudited demands that the audit says who asked for what, when, and what they were told.
func checkAudited(t *testing.T, b *bus.Bus, asked *pbxv1.CommandRequest, told *pbxv1.CommandReply) {
	t.Helper()
	bustest.Eventually(t, "the refusal in the audit", func() bool {
		for s, err := range b.Audited(t.Context(), bus.Filter{}) {
			if err != nil {
				t.Fatal(err)
			}
			e := s.Message
			if proto.Equal(told, e.GetReply()) && e.GetCommandId() == told.GetCommandId() && proto.Equal(asked, e.GetRequest()) && e.GetReceivedAt() != nil {
				return true
			}
		}
		return false
	})
}

// A command for a tenant that nobody knows is refused and audited like any other.
func TestNoTenant(t *testing.T) {
	server := bustest.Start(t)
	b, x := server.Bus(), newExchange(t)
	startRelay(t, server, x)
	reply, err := b.Command(t.Context(), "ipex", "globex", "originate", originate("1"))
	if err != nil || reply.GetAccepted() || reply.GetReason() != `there is no tenant "globex"` {
		t.Fatalf("want it refused, have %v and %v", reply, err)
	}
	checkAudited(t, b, originate("1"), reply)
}

// Two commands under one key at once, for different numbers: one is carried out, and the other is told so.
func TestOneKeyForTwo(t *testing.T) {
	server := bustest.Start(t)
	b, x := server.Bus(), newExchange(t)
	startRelay(t, server, x)
	startRelay(t, server, x)
	replies := make([]*pbxv1.CommandReply, 2)
	var senders sync.WaitGroup
	for i, number := range []string{"777888991", "777888992"} {
		senders.Go(func() {
			r := originate("1")
			r.GetOriginate().To = number
			replies[i] = send(t, b, "ipex", "originate", r)
			if !replies[i].GetAccepted() {
				checkAudited(t, b, r, replies[i])
			}
		})
	}
	senders.Wait()
	if replies[0].GetAccepted() == replies[1].GetAccepted() || replies[0].GetCommandId() == replies[1].GetCommandId() {
		t.Errorf("want one of them accepted, have %v", replies)
	}
	await(t, b, 1)
	if n := x.dials.Load(); n != 1 {
		t.Errorf("want one dial, have %d", n)
	}
}

// While a command for a phone is under way, another one is refused; for another phone, it is not.
func TestOneAtATime(t *testing.T) {
	server := bustest.Start(t)
	b, x := server.Bus(), newExchange(t)
	x.slow = make(chan struct{})
	free := sync.OnceFunc(func() { close(x.slow) })
	t.Cleanup(free)
	startRelay(t, server, x)
	startRelay(t, server, x)
	send(t, b, "ipex", "originate", originate("1"))
	if second := send(t, b, "ipex", "originate", originate("2")); second.GetAccepted() || !strings.Contains(second.GetReason(), "still under way") {
		t.Errorf("want the second refused, have %v", second)
	}
	other := originate("3")
	other.User, other.Extension = &pbxv1.User{Login: "petra"}, "21"
	if third := send(t, b, "ipex", "originate", other); !third.GetAccepted() {
		t.Errorf("want another phone's accepted, have %v", third)
	}
	free()
	await(t, b, 3)
	if again := send(t, b, "ipex", "originate", originate("4")); !again.GetAccepted() {
		t.Errorf("want the phone free again, have %v", again)
	}
}

// Limits count what was carried out within a minute: of a person at all their phones, and of the tenant.
func TestLimits(t *testing.T) {
	server := bustest.Start(t)
	b, x := server.Bus(), newExchange(t)
	x.policy = "{per_user_minute: 2, per_tenant_minute: 3}"
	startRelay(t, server, x)
	by := func(key, login, extension string) *pbxv1.CommandReply {
		r := originate(key)
		r.User, r.Extension = &pbxv1.User{Login: login}, extension
		reply := send(t, b, "ipex", "originate", r)
		bustest.Eventually(t, "it over", func() bool {
			return slices.ContainsFunc(outcomes(t, b), func(c *pbxv1.Command) bool { return c.GetId() == reply.GetCommandId() })
		})
		return reply
	}
	for _, test := range []struct{ key, login, extension, reason string }{
		{"1", "petra", "21", ""},
		{"2", "PETRA", "22", ""},
		{"3", "petra", "21", "2 commands of this person within a minute"},
		{"4", "karel", "20", ""},
		{"5", "karel", "20", "3 commands of acme within a minute"},
	} {
		have := by(test.key, test.login, test.extension)
		if have.GetAccepted() != (test.reason == "") || !strings.Contains(have.GetReason(), test.reason) {
			t.Errorf("command %s: want %q, have %v", test.key, test.reason, have)
		}
	}
	if n := x.dials.Load(); n != 3 {
		t.Errorf("want three dials, have %d", n)
	}
}

// An attended transfer is begun and cancelled; to complete one the vendor has no request, and that is said at once.
func TestAttendedTransfer(t *testing.T) {
	server := bustest.Start(t)
	b, x := server.Bus(), newExchange(t)
	startRelay(t, server, x)
	for i, test := range []struct {
		mode   pbxv1.Transfer_Mode
		to     string
		reason string
	}{
		{pbxv1.Transfer_ATTENDED, "21", ""},
		{pbxv1.Transfer_ATTENDED_COMPLETE, "", "ipex cannot complete a transfer"},
		{pbxv1.Transfer_ATTENDED_CANCEL, "", ""},
	} {
		r := &pbxv1.CommandRequest{
			IdempotencyKey: fmt.Sprint(i), User: &pbxv1.User{Login: "karel"}, ActionId: "a" + fmt.Sprint(i),
			Action: &pbxv1.CommandRequest_Transfer{Transfer: &pbxv1.Transfer{Mode: test.mode, To: test.to}},
		}
		reply := send(t, b, "ipex", "transfer", r)
		if reply.GetAccepted() != (test.reason == "") || reply.GetReason() != test.reason || reply.GetActionId() != r.GetActionId() {
			t.Errorf("%s: want %q, have %v", test.mode, test.reason, reply)
		}
		if o := await(t, b, i+1)[i]; o.GetActionId() != r.GetActionId() || (o.GetOutcome() == pbxv1.Command_DONE) != reply.GetAccepted() {
			t.Errorf("%s: want its outcome with its action id, have %v", test.mode, o)
		}
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if want := []string{`PUT {"to":"21","type":"attended","userId":"karel"}`, `DELETE {"userId":"karel"}`}; !slices.Equal(want, x.asked) {
		t.Errorf("want %q, have %q", want, x.asked)
	}
}

// A command that waited too long for a relay rings no phone.
func TestLate(t *testing.T) {
	server := bustest.Start(t)
	b, x := server.Bus(), newExchange(t)
	r := originate("late")
	r.ExpiresAt = timestamppb.New(time.Now().Add(200 * time.Millisecond))
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := b.Command(ctx, "ipex", "acme", "originate", r); err == nil {
		t.Error("want no answer without a relay, have one")
	}
	startRelay(t, server, x)
	if late := await(t, b, 1)[0]; late.GetOutcome() != pbxv1.Command_EXPIRED {
		t.Errorf("want it expired, have %v", late)
	}
	if n := x.dials.Load(); n != 0 {
		t.Errorf("want no dial, have %d", n)
	}
}

// A command expires so long after it was sent, however fast a relay is once there is one.
func TestLateByDefault(t *testing.T) {
	server := bustest.Start(t)
	b, x := server.Bus(), newExchange(t)
	x.policy = "{expiry: 1s}"
	sent := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := b.Command(ctx, "ipex", "acme", "originate", originate("late")); err == nil {
		t.Error("want no answer without a relay, have one")
	}
	bustest.Eventually(t, "it too late", func() bool { return time.Since(sent) > 1200*time.Millisecond })
	startRelay(t, server, x)
	if late := await(t, b, 1)[0]; late.GetOutcome() != pbxv1.Command_EXPIRED || late.GetActionId() != "action-late" {
		t.Errorf("want it expired, have %v", late)
	}
	if n := x.dials.Load(); n != 0 {
		t.Errorf("want no dial, have %d", n)
	}
}
