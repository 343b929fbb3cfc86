package bus_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/switchhook/switchhook/pkg/bus"
	"github.com/switchhook/switchhook/pkg/bustest"
	"github.com/switchhook/switchhook/pkg/fault"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// relay remembers what it was asked, and fails the first execution of each command.
type relay struct {
	mu       sync.Mutex
	taken    int
	executed map[string]int
}

func (r *relay) Take(_ context.Context, in bus.Incoming) (*pbxv1.CommandReply, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.taken++
	if in.Tenant != "acme" {
		return nil, fault.New(fault.NotFound, "there is no tenant %q", in.Tenant)
	}
	return &pbxv1.CommandReply{CommandId: in.Vendor + "/" + in.Action + "/" + in.Request.GetIdempotencyKey(), Accepted: true}, nil
}

func (r *relay) Execute(_ context.Context, in bus.Incoming) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	key := in.Request.GetIdempotencyKey()
	if r.executed[key]++; r.executed[key] == 1 {
		return fault.New(fault.Unavailable, "not yet")
	}
	if time.Since(in.At) > time.Minute {
		return fault.New(fault.Internal, "want the time when it was stored, have %v", in.At)
	}
	return nil
}

func (r *relay) executions(key string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.executed[key]
}

func TestCommands(t *testing.T) {
	server := bustest.Start(t)
	b := server.Bus()
	r := &relay{executed: map[string]int{}}
	ctx := within(t, 10*time.Second)

	// Sent before there is a relay: nobody answers, and it is kept.
	early, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
	defer cancel()
	if _, err := b.Command(early, "ipex", "acme", "originate", &pbxv1.CommandRequest{IdempotencyKey: "early"}); !fault.Is(err, fault.Unavailable) {
		t.Errorf("want unavailable without a relay, have %v", err)
	}
	for range 2 {
		execute, interrupt := server.Connect().Commands("command-relay", r)
		background(t, execute, interrupt)
	}
	bustest.Eventually(t, "the early command carried out, and once more after it failed", func() bool { return r.executions("early") == 2 })

	var reply *pbxv1.CommandReply
	bustest.Eventually(t, "a reply", func() (ok bool) {
		var err error
		reply, err = b.Command(ctx, "ipex", "acme", "hangup", &pbxv1.CommandRequest{IdempotencyKey: "1"})
		return err == nil
	})
	if want := (&pbxv1.CommandReply{CommandId: "ipex/hangup/1", Accepted: true}); !proto.Equal(want, reply) {
		t.Errorf("want %v, have %v", want, reply)
	}
	bustest.Eventually(t, "it carried out", func() bool { return r.executions("1") == 2 })
	if _, err := b.Command(ctx, "ipex", "globex", "hangup", &pbxv1.CommandRequest{IdempotencyKey: "2"}); !fault.Is(err, fault.NotFound) {
		t.Errorf("want the relay's refusal, have %v", err)
	}
	if _, err := b.Command(ctx, "ipex", "a.b", "hangup", &pbxv1.CommandRequest{}); !fault.Is(err, fault.Invalid) {
		t.Errorf("want no subject made of that, have %v", err)
	}
}

func TestAudit(t *testing.T) {
	b := bustest.Start(t).Bus()
	entry := &pbxv1.CommandAudit{CommandId: "1", Vendor: "ipex", Tenant: "acme"}
	for range 2 {
		if err := b.Audit(t.Context(), "1/taken", entry); err != nil {
			t.Fatal(err)
		}
	}
	n := 0
	for s, err := range b.Audited(t.Context(), bus.Filter{}) {
		if err != nil || s.Subject != "pbx.audit.ipex.acme.command" || !proto.Equal(entry, s.Message) {
			t.Errorf("want %v, have %v, %v", entry, s, err)
		}
		n++
	}
	if n != 1 {
		t.Errorf("want one entry, have %d", n)
	}
}
