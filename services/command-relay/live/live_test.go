package live_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/switchhook/switchhook/pkg/bus"
	"github.com/switchhook/switchhook/pkg/bustest"
	"github.com/switchhook/switchhook/pkg/config"
	"github.com/switchhook/switchhook/pkg/event"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
	"github.com/switchhook/switchhook/services/command-relay/live"
)

// exchange is a stub of IPEX's interface for commands, that counts what it is told to dial.
type exchange struct {
	*httptest.Server
	dials atomic.Int32
	drops atomic.Bool // it acts, and hangs up without an answer
	slow  chan struct{}

	policy string // of the tenant's commands
	mu     sync.Mutex
	asked  []string // of transfers
}

func newExchange(t *testing.T) *exchange {
	x := &exchange{slow: make(chan struct{}), policy: "{forbidden: [premium, abroad], do_not_call: ['+420777888990']}"}
	close(x.slow)
	mux := http.NewServeMux()
	mux.HandleFunc("POST /token", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"access_token":"t","expires_in":3000,"refresh_token":"r","refresh_expires_in":7200,"token_type":"Bearer"}`)
	})
	mux.HandleFunc("POST /calls", func(w http.ResponseWriter, _ *http.Request) {
		n := x.dials.Add(1)
		<-x.slow
		if x.drops.Load() {
			panic(http.ErrAbortHandler)
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"callId":"call-%d","channelId":"channel-%d"}`, n, n)
	})
	mux.HandleFunc("/calls/transfer", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		x.mu.Lock()
		x.asked = append(x.asked, r.Method+" "+string(body))
		x.mu.Unlock()
		fmt.Fprint(w, "{}")
	})
	x.Server = httptest.NewServer(mux)
	t.Cleanup(x.Close)
	return x
}

func (x *exchange) config() string {
	return strings.NewReplacer("ADDRESS", x.URL, "POLICY", x.policy).Replace(`tenants:
  - name: acme
    region: CZ
    agents: {people: [{login: karel, extensions: ["20"]}, {login: petra, extensions: ["21", "22"]}]}
    commands: POLICY
    exchanges:
      - vendor: ipex
        webhook: {username: u, password: p}
        api: {url: ADDRESS, auth_url: ADDRESS, username: u, password: p}
      - vendor: mcn
        webhook: {account_id: 1, secret: s}
        api: {url: ADDRESS, token: t, vpbx_id: 42}
`)
}

// startRelay runs a relay until the test ends, and returns when it takes commands.
func startRelay(t *testing.T, server *bustest.Server, x *exchange) {
	t.Helper()
	c, err := config.Parse([]byte(x.config()))
	if err != nil {
		t.Fatal(err)
	}
	r, err := live.New(live.Options{
		Bus: server.Connect(), Log: slog.New(slog.DiscardHandler), Replicas: bustest.Replicas, Config: c,
	})
	if err != nil {
		t.Fatal(err)
	}
	bustest.Run(t, r.Join)
	bustest.Eventually(t, "the relay ready", func() bool { return r.Ready() == nil })
	bustest.Eventually(t, "it listening", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		_, err := server.Bus().Command(ctx, "ipex", "acme", "originate", &pbxv1.CommandRequest{})
		return err == nil
	})
}

func originate(key string) *pbxv1.CommandRequest {
	return &pbxv1.CommandRequest{
		IdempotencyKey: key, User: &pbxv1.User{Login: "karel"}, ActionId: "action-" + key,
		Action: &pbxv1.CommandRequest_Originate{Originate: &pbxv1.Originate{To: "777888999"}},
	}
}

// send sends a command until a relay answers, which may need a moment to listen.
func send(t *testing.T, b *bus.Bus, vendor, action string, r *pbxv1.CommandRequest) (reply *pbxv1.CommandReply) {
	t.Helper()
	bustest.Eventually(t, "a reply", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var err error
		reply, err = b.Command(ctx, vendor, "acme", action, r)
		return err == nil
	})
	return reply
}

// outcomes returns the outcomes that were published, in order.
func outcomes(t *testing.T, b *bus.Bus) (all []*pbxv1.Command) {
	t.Helper()
	for s, err := range b.Events(t.Context(), bus.Filter{Subject: "pbx.events.*.acme.command.*"}) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, s.Message.GetCommand())
	}
	return all
}

func await(t *testing.T, b *bus.Bus, n int) []*pbxv1.Command {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for tick := time.NewTicker(50 * time.Millisecond); ; <-tick.C {
		if all := outcomes(t, b); len(all) >= n {
			return all
		}
		if time.Now().After(deadline) {
			t.Fatalf("want %d outcomes, have %v", n, outcomes(t, b))
		}
	}
}

func TestOriginate(t *testing.T) {
	server := bustest.Start(t)
	b, x := server.Bus(), newExchange(t)
	startRelay(t, server, x)
	reply := send(t, b, "ipex", "originate", originate("1"))
	if !reply.GetAccepted() || reply.GetActionId() != "action-1" || reply.GetCommandId() == "" {
		t.Errorf("want it accepted, have %v", reply)
	}
	done := await(t, b, 1)[0]
	if done.GetOutcome() != pbxv1.Command_DONE || done.GetCallId() != "call-1" || done.GetExtension() != "20" ||
		done.GetTo().GetE164() != "+420777888999" || done.GetId() != reply.GetCommandId() || done.GetActionId() != "action-1" {
		t.Errorf("want it done, have %v", done)
	}
	bustest.Eventually(t, "the first outcome for the same key", func() bool {
		again := send(t, b, "ipex", "originate", originate("1"))
		return again.GetPrevious().GetOutcome() == pbxv1.Command_DONE && again.GetCommandId() == reply.GetCommandId()
	})
	if n := x.dials.Load(); n != 1 {
		t.Errorf("want one dial, have %d", n)
	}
	audited := 0
	for s, err := range b.Audited(t.Context(), bus.Filter{}) {
		if err != nil {
			t.Fatal(err)
		}
		if s.Message.GetCommandId() == reply.GetCommandId() {
			audited++
		}
	}
	if audited < 2 {
		t.Errorf("want the command and its outcome in the audit, have %d entries", audited)
	}
}

// Two relays, and the same key again and again at once: one dial, one outcome.
func TestStorm(t *testing.T) {
	server := bustest.Start(t)
	b, x := server.Bus(), newExchange(t)
	startRelay(t, server, x)
	startRelay(t, server, x)
	var senders sync.WaitGroup
	ids := make([]string, 50)
	for i := range ids {
		senders.Go(func() { ids[i] = send(t, b, "ipex", "originate", originate("storm")).GetCommandId() })
	}
	senders.Wait()
	await(t, b, 1)
	send(t, b, "ipex", "originate", originate("storm"))
	for _, id := range ids {
		if id != ids[0] || id == "" {
			t.Errorf("want one command, have %q and %q", ids[0], id)
		}
	}
	if n := x.dials.Load(); n != 1 {
		t.Errorf("want one dial, have %d", n)
	}
	if all := outcomes(t, b); len(all) != 1 {
		t.Errorf("want one outcome, have %v", all)
	}
}

// The exchange acts and hangs up: nobody knows, nobody dials again, and the webhooks that follow settle it.
func TestLostAnswer(t *testing.T) {
	server := bustest.Start(t)
	b, x := server.Bus(), newExchange(t)
	x.drops.Store(true)
	startRelay(t, server, x)
	send(t, b, "ipex", "originate", originate("1"))
	if unknown := await(t, b, 1)[0]; unknown.GetOutcome() != pbxv1.Command_UNKNOWN {
		t.Errorf("want nobody to know, have %v", unknown)
	}
	now := timestamppb.Now()
	err := b.Publish(t.Context(), &pbxv1.Event{
		Id: event.NewID(), Time: now, ReceivedAt: now, Vendor: "ipex", Tenant: "acme", Exchange: "ipex",
		Payload: &pbxv1.Event_Call{Call: &pbxv1.Call{
			Kind: pbxv1.Call_RINGING, Id: "made", Key: "made", Direction: pbxv1.Call_OUTGOING, Extension: "20",
			From: event.Party("20", "CZ"), To: event.Party("777888999", "CZ"),
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if settled := await(t, b, 2)[1]; settled.GetOutcome() != pbxv1.Command_DONE || settled.GetCallId() != "made" {
		t.Errorf("want it settled by the call, have %v", settled)
	}
	if n := x.dials.Load(); n != 1 {
		t.Errorf("want one dial, have %d", n)
	}
}
