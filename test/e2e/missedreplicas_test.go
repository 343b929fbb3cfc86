package e2e_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/switchhook/switchhook/pkg/bus"
	"github.com/switchhook/switchhook/pkg/bustest"
	"github.com/switchhook/switchhook/pkg/config"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
	"github.com/switchhook/switchhook/services/missed-call/missed"
	"github.com/switchhook/switchhook/services/missed-call/settings"
)

// What missed-call publishes is exactly what a replica that was never disturbed would have published, in the same order: it
// is computed anew from the stream that remains.
func TestMissedCallReplicas(t *testing.T) {
	server := bustest.Start(t)
	b := server.Bus()
	disturbed(t, "missed-call", server)
	deadline := time.Now().Add(30 * time.Second)
	for tick := time.NewTicker(500 * time.Millisecond); ; <-tick.C {
		want, have := replayMissed(t, b)
		kinds := map[pbxv1.MissedCall_Kind]int{}
		for _, ev := range have {
			kinds[ev.GetMissedCall().GetKind()]++
		}
		names := [2][]string{describeMissed(want), describeMissed(have)}
		switch enough := kinds[pbxv1.MissedCall_OPENED] > 200 && kinds[pbxv1.MissedCall_RESOLVED] > 50; {
		case enough && slices.Equal(names[0], names[1]):
			t.Logf("%v, none lost, doubled or out of order", kinds)
			return
		case time.Now().After(deadline):
			t.Errorf("want %d events of missed calls, more than 200 openings and 50 resolutions among them, have %v", len(want), kinds)
			for i := range max(len(want), len(have)) {
				if i >= len(want) || i >= len(have) || names[0][i] != names[1][i] {
					t.Fatalf("first difference at %d:\nwant %v\nhave %v", i, want[i:min(i+3, len(want))], have[i:min(i+3, len(have))])
				}
			}
			return
		}
	}
}

// replayMissed returns the events that the core derives of the stream, also by the time that has passed since, and those in it.
func replayMissed(t *testing.T, b *bus.Bus) (want, have []*pbxv1.Event) {
	t.Helper()
	c, err := config.Load(replicated, func(c *config.Config) (*config.Config, error) { return c, nil })
	if err != nil {
		t.Fatal(err)
	}
	tenants, err := settings.Read(c)
	if err != nil {
		t.Fatal(err)
	}
	machine := missed.New([]missed.Settings{tenants[0].Missed})
	var last bus.Stored[*pbxv1.Event]
	for s, err := range b.Events(t.Context(), bus.Filter{}) {
		if err != nil {
			t.Fatal(err)
		}
		if s.At.Before(last.At) {
			s.At = last.At
		}
		last = s
		want = append(want, machine.Apply(s.Sequence, s.At, s.Message)...)
		if s.Message.GetMissedCall() != nil {
			have = append(have, s.Message)
		}
	}
	return append(want, machine.Apply(last.Sequence+1, time.Now(), &pbxv1.Event{})...), have
}

func describeMissed(events []*pbxv1.Event) (all []string) {
	for _, ev := range events {
		e := ev.GetMissedCall()
		all = append(all, fmt.Sprintf("%s at %s: %s %s of %q, %s by %s", ev.GetId(), ev.GetTime().AsTime(), e.GetKind(), e.GetId(),
			e.GetCallKeys(), e.GetResolution(), e.GetResolvedBy().GetLogin()))
	}
	return all
}
