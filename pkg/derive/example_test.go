package derive_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/oklog/run"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/switchhook/switchhook/pkg/bus"
	"github.com/switchhook/switchhook/pkg/bus/embedded"
	"github.com/switchhook/switchhook/pkg/bustest"
	"github.com/switchhook/switchhook/pkg/derive"
	"github.com/switchhook/switchhook/pkg/event"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// greeter is a core: it derives who is on the phone from every call that is answered.
type greeter struct{}

func (greeter) Apply(_ uint64, at time.Time, ev *pbxv1.Event) []*pbxv1.Event {
	if ev.GetCall().GetKind() != pbxv1.Call_ANSWERED {
		return nil
	}
	derived := &pbxv1.Event{
		Id:   event.DerivedID(event.Origin{Tenant: ev.GetTenant()}, "greeter", ev.GetId()),
		Time: ev.GetTime(), ReceivedAt: timestamppb.New(at), Vendor: ev.GetVendor(), Tenant: ev.GetTenant(),
		Payload: &pbxv1.Event_Agent{Agent: &pbxv1.Agent{
			Kind: pbxv1.Agent_STATE_CHANGED, Id: ev.GetCall().GetExtension(), State: pbxv1.AgentState_ON_CALL,
		}},
	}
	return []*pbxv1.Event{derived}
}

func (greeter) Due(time.Time) *pbxv1.Event { return nil }

// One replica of a service, on a NATS server of its own. It would be the same with any number of them.
func ExampleKeeper() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	b, closeBus := newBus(ctx)
	defer closeBus()

	k := derive.New(derive.Options{
		Bus: b, Log: slog.New(slog.DiscardHandler), Name: "greeter", Derives: "greetings", Own: "agent.state_changed",
		Core: greeter{},
	})
	var group run.Group
	k.Join(&group)
	group.Add(func() error { // what a client sees
		now := timestamppb.Now()
		err := b.Publish(ctx, &pbxv1.Event{
			Id: event.NewID(), Time: now, ReceivedAt: now, Vendor: "ipex", Tenant: "acme",
			Payload: &pbxv1.Event_Call{Call: &pbxv1.Call{Kind: pbxv1.Call_ANSWERED, Key: "1", Extension: "20"}},
		})
		for s := range b.Events(ctx, bus.Filter{Subject: "pbx.events.*.acme.agent.>", Follow: true}) {
			fmt.Println(s.Message.GetAgent().GetId(), s.Message.GetAgent().GetState())
			break
		}
		return err
	}, func(error) { cancel() })
	if err := group.Run(); err != nil {
		fmt.Println(err)
	}
	// Output: 20 ON_CALL
}

// newBus starts a server and connects to it.
func newBus(ctx context.Context) (b *bus.Bus, end func()) {
	data := must(os.MkdirTemp("", "derive"))
	server := must(embedded.Start(embedded.Options{Listen: "127.0.0.1:0", Data: data}))
	b = must(bus.Connect(bus.Options{URL: server.URL(), Name: "greeter", Wait: true}))
	if err := b.EnsureStreams(ctx, bustest.Streams); err != nil {
		panic(err)
	}
	return b, func() {
		b.Close()
		server.Stop()
		_ = os.RemoveAll(data)
	}
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}
