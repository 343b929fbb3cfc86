package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/switchhook/switchhook/pkg/bus"
	"github.com/switchhook/switchhook/pkg/fault"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
	"github.com/switchhook/switchhook/services/web-gateway/api"
	"github.com/switchhook/switchhook/services/web-gateway/tokens"
)

func stored(tenant string, sequence uint64) bus.Stored[*pbxv1.Event] {
	return bus.Stored[*pbxv1.Event]{
		Subject: "pbx.events.xvb." + tenant + ".call.new", Sequence: sequence,
		Message: &pbxv1.Event{Id: fmt.Sprintf("%s-%d", tenant, sequence), Tenant: tenant},
	}
}

// sequences returns those of frames.
func sequences(frames [][]byte) string {
	var all []string
	for _, f := range frames {
		_, after, _ := strings.Cut(string(f), "id: ")
		sequence, _, _ := strings.Cut(after, "\n")
		all = append(all, sequence)
	}
	return strings.Join(all, " ")
}

func TestSubscribe(t *testing.T) {
	s := api.NewStream(2)
	for sequence := uint64(11); sequence <= 20; sequence++ {
		tenant := "acme"
		if sequence%5 == 0 {
			tenant = "globex"
		}
		s.Add(stored(tenant, sequence))
		s.Add(stored(tenant, sequence)) // which came already
	}
	s.Add(stored("acme", 13))
	s.Add(bus.Stored[*pbxv1.Event]{Subject: "elsewhere", Sequence: 21})
	for name, c := range map[string]struct {
		tenant string
		since  uint64
		want   string
		gap    bool
	}{
		"all that is kept":     {"acme", 0, "18 19", true},
		"behind what is kept":  {"acme", 18, "19", false},
		"the last that went":   {"acme", 17, "18 19", false},
		"one before that":      {"acme", 16, "18 19", true},
		"other tenant":         {"globex", 10, "15 20", false},
		"before the beginning": {"globex", 9, "15 20", true},
		"at the end":           {"acme", 19, "", false},
		"ahead of the replica": {"acme", 30, "", false},
		"from now on":          {"acme", api.FromNow, "", false},
		"tenant without any":   {"initech", 12, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
			defer cancel()
			subscription := s.Subscribe(c.tenant, c.since)
			frames, err := subscription.Next(ctx)
			if have := sequences(frames); have != c.want || subscription.Gap() != c.gap {
				t.Errorf("want %q and gap %v, have %q and %v", c.want, c.gap, have, subscription.Gap())
			}
			if c.want == "" && !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("want it to wait, have %v", err)
			}
		})
	}
}

// Nobody gets an event twice who saw more at another replica than this one knows yet.
func TestAheadOfReplica(t *testing.T) {
	s := api.NewStream(10)
	s.Add(stored("acme", 1))
	subscription := s.Subscribe("acme", 3)
	for sequence := uint64(2); sequence <= 4; sequence++ {
		s.Add(stored("acme", sequence))
	}
	frames, err := subscription.Next(t.Context())
	if have := sequences(frames); err != nil || have != "4" {
		t.Errorf("want 4, have %q, %v", have, err)
	}
}

func TestSlowSubscriber(t *testing.T) {
	s := api.NewStream(2)
	slow, fast := s.Subscribe("acme", 0), s.Subscribe("acme", 0)
	for sequence := uint64(1); sequence <= 10; sequence++ {
		s.Add(stored("acme", sequence))
		if frames, err := fast.Next(t.Context()); err != nil || len(frames) != 1 {
			t.Fatalf("want event %d, have %d frames, %v", sequence, len(frames), err)
		}
	}
	if frames, err := slow.Next(t.Context()); !fault.Is(err, fault.Conflict) {
		t.Errorf("want the slow one dropped, have %d frames, %v", len(frames), err)
	}
}

func TestLiveEvents(t *testing.T) {
	w := newWorld(t)
	for sequence := uint64(1); sequence <= 4; sequence++ {
		w.stream.Add(stored([]string{"acme", "globex"}[sequence%2], sequence))
	}
	past := w.listen("/api/v1/events?since=0", w.token("acme", "karel", tokens.Events))
	resumed := w.listen("/api/v1/events?since=0", w.token("acme", "karel", tokens.Events), "Last-Event-ID", "2")
	live := w.listen("/api/v1/events", w.token("acme", "karel", tokens.Events))
	for _, want := range []string{"2", "4"} {
		if have := past.next(); have.id != want {
			t.Errorf("want event %s, have %+v", want, have)
		}
	}
	if have := resumed.next(); have.id != "4" {
		t.Errorf("want event 4, have %+v", have)
	}
	w.stream.Add(stored("globex", 5))
	w.stream.Add(stored("acme", 6))
	for name, l := range map[string]*listener{"past": past, "resumed": resumed, "live": live} {
		have := l.next()
		var row struct {
			Seq     uint64
			Subject string
			Event   struct{ ID, Tenant string }
		}
		if err := json.Unmarshal([]byte(have.data), &row); err != nil || have.name != "" || have.id != "6" || row.Seq != 6 ||
			row.Subject != "pbx.events.xvb.acme.call.new" || row.Event.ID != "acme-6" {
			t.Errorf("%s: want event 6 of acme, have %+v, %v", name, have, err)
		}
	}
	for _, since := range []string{"x", "-1", "9007199254740992"} {
		if have := w.get("/api/v1/events?since="+since, w.token("acme", "karel")); have.status != 400 {
			t.Errorf("since %s: want 400, have %d", since, have.status)
		}
	}
	close(w.done)
	for _, l := range []*listener{past, resumed, live} {
		if have := l.next(); have.name != "end" || have.data != `{"reason":"closing"}` {
			t.Errorf("want to be told that the process ends, have %+v", have)
		}
		l.ended()
	}
}

func TestGap(t *testing.T) {
	w := newWorld(t)
	w.stream.Add(stored("acme", 100))
	l := w.listen("/api/v1/events?since=7", w.token("acme", "karel", tokens.Events))
	if have := l.next(); have.name != "gap" || have.data != `{"since":7}` {
		t.Errorf("want the gap told, have %+v", have)
	}
	if have := l.next(); have.id != "100" {
		t.Errorf("want event 100, have %+v", have)
	}
}
