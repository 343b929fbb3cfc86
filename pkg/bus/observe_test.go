package bus_test

import (
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/oklog/run"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/switchhook/switchhook/pkg/bus"
	"github.com/switchhook/switchhook/pkg/bustest"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// A follower that has handled 3 of 10 events is 7 behind, although all of them have been sent to it; a durable consumer of which
// nobody fetches is 10 behind.
func TestObserveTellsWhoIsBehind(t *testing.T) {
	server := bustest.Start(t)
	publisher := server.Bus()
	for number := range 10 {
		if err := publisher.Publish(t.Context(), numbered("acme", number)); err != nil {
			t.Fatal(err)
		}
	}
	nc, err := nats.Connect(server.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, _ := jetstream.New(nc)
	_, err = js.CreateConsumer(t.Context(), bus.EventStream, jetstream.ConsumerConfig{Durable: "billing", AckPolicy: jetstream.AckExplicitPolicy})
	if err != nil {
		t.Fatal(err)
	}

	registry := prometheus.NewRegistry()
	b, err := bus.Connect(bus.Options{URL: server.URL(), Wait: true, Metrics: registry})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	reached, release := make(chan struct{}), make(chan struct{})
	handled := 0
	stop := bustest.Run(t, func(g *run.Group) {
		g.Add(b.Follow(bus.Following{Name: "slow", Handle: func(bus.Stored[*pbxv1.Event]) {
			if handled++; handled == 4 {
				close(reached)
				<-release
			}
		}}))
	})
	<-reached

	stopObserving := bustest.Run(t, func(g *run.Group) { g.Add(b.Observe()) })
	want := `
# HELP switchhook_bus_consumer_pending_messages Messages that a durable consumer of the events or the commands has still to be sent: its lag.
# TYPE switchhook_bus_consumer_pending_messages gauge
switchhook_bus_consumer_pending_messages{consumer="billing",stream="PBX_EVENTS"} 10
# HELP switchhook_bus_follower_behind_events Events between what this process has handled and the end of what it follows, by who follows.
# TYPE switchhook_bus_follower_behind_events gauge
switchhook_bus_follower_behind_events{follower="slow"} 7
`
	bustest.Eventually(t, "metrics"+want, func() bool {
		return testutil.GatherAndCompare(registry, strings.NewReader(want),
			"switchhook_bus_consumer_pending_messages", "switchhook_bus_follower_behind_events") == nil
	})
	stopObserving()
	close(release)
	stop()
}
