package agents_test

import (
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/switchhook/switchhook/pkg/config"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
	"github.com/switchhook/switchhook/services/pbxsim/traffic"
)

// TestFolding demands that figures stay the same when facts become final, and that little is kept then.
func TestFolding(t *testing.T) {
	sim := simulate(t, allVendors, 5, 1, noon, 3*time.Hour)
	fresh, folded := sim.follow(traffic.Stream(sim.calls)), sim.follow(traffic.Stream(sim.calls))
	end := noon.Add(20 * time.Hour)
	for now := noon.Add(3 * time.Hour); !now.After(end); now = now.Add(7 * time.Minute) {
		folded.hear(now, &pbxv1.Event{Id: now.String(), Time: timestamppb.New(now)})
	}
	for _, day := range []string{"2026-01-05", "2026-01-06"} {
		want, have := fresh.Day("acme", day, end), folded.Day("acme", day, end)
		if again := folded.Day("acme", day, end); !proto.Equal(have, again) {
			t.Errorf("%s: want the same when asked again", day)
		}
		if !proto.Equal(want, have) {
			for i := range want.GetAgents() {
				if !proto.Equal(want.GetAgents()[i], have.GetAgents()[i]) {
					t.Errorf("%s\nwant %v\nhave %v", day, want.GetAgents()[i], have.GetAgents()[i])
				}
			}
			t.Errorf("%s\nwant %v\nhave %v", day, want.GetQueues(), have.GetQueues())
		}
	}
}

// TestVeryLate counts a call once whose record comes when it was forgotten.
func TestVeryLate(t *testing.T) {
	s := tell(acme()).play(
		rings(0, "c", "petr", "107", "NOC"), answers(5, "c", "petr", "107", "NOC"), ends(30, "c", "petr", "107", "NOC"), tick(8000),
	)
	want := s.Day("acme", "2026-01-05", at(9000))
	record := leg(0, pbxv1.Call_RECORDED, "c", "", "", "NOC")
	for _, ev := range []*pbxv1.Event{record, tick(20000)} {
		s.clock = at(8500)
		s.play(ev)
		if have := s.Day("acme", "2026-01-05", s.clock); !proto.Equal(want.GetQueues()[0], have.GetQueues()[0]) {
			t.Errorf("\nwant %v\nhave %v", want.GetQueues()[0], have.GetQueues()[0])
		}
	}
}

// TestMemory demands that what is final takes no room: three days need little more than half a day.
func TestMemory(t *testing.T) {
	s := tell(acme())
	clock := 0
	room := func(until int) float64 {
		for ; clock < until; clock += 60 {
			key := fmt.Sprint("c", clock)
			s.play(
				pause(clock, "NOC", "WC"), unpause(clock+1, "NOC"), answers(clock+2, key, "petr", "107", "NOC"),
				ends(clock+9, key, "petr", "107", "NOC"),
			)
			s.out = nil
		}
		s.Touched()
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		runtime.KeepAlive(s)
		return float64(m.HeapAlloc)
	}
	short, long := room(43_200), room(3*86_400)
	if grown := long - short; grown > 400_000 {
		t.Errorf("want no more than some sums of each day, have %.0f bytes more after three days than after half a day, %.0f", grown, short)
	}
}

func TestDaysKept(t *testing.T) {
	s := tell(acme())
	for d := range 12 {
		s.play(login(d*86400, "petr", "107", "NOC"), logout(d*86400+60, "107", "NOC"))
	}
	now := at(11*86400 + 60)
	for d := range 14 {
		name := noon.AddDate(0, 0, d).Format(time.DateOnly)
		if want, have := d >= 3 && d <= 11, s.Day("acme", name, now) != nil; want != have {
			t.Errorf("%s: want figures: %v, have %v", name, want, have)
		}
	}
	for _, name := range []string{"", "yesterday", "2026-1-16"} {
		if have := s.Day("acme", name, now); have != nil {
			t.Errorf("%q: want no figures, have %v", name, have)
		}
	}
	if have := s.Day("globex", "2026-01-16", now); have != nil {
		t.Errorf("want no figures of another tenant, have %v", have)
	}
}

// TestMidnight takes places where clocks change at midnight.
func TestMidnight(t *testing.T) {
	tests := map[string]struct {
		zone, day    string
		begins, ends string
	}{
		"no midnight":                {"Africa/Cairo", "2026-04-24", "2026-04-23T22:00:00Z", "2026-04-24T21:00:00Z"},
		"two midnights":              {"America/Havana", "2026-11-01", "2026-11-01T04:00:00Z", "2026-11-02T05:00:00Z"},
		"no midnight, in the west":   {"America/Havana", "2026-03-08", "2026-03-08T05:00:00Z", "2026-03-09T04:00:00Z"},
		"two midnights, in the east": {"Asia/Amman", "2021-10-29", "2021-10-28T21:00:00Z", "2021-10-29T22:00:00Z"},
		"an odd offset":              {"Asia/Kathmandu", "2026-01-05", "2026-01-04T18:15:00Z", "2026-01-05T18:15:00Z"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			zone, err := time.LoadLocation(test.zone)
			if err != nil {
				t.Fatal(err)
			}
			day, err := time.ParseInLocation(time.DateOnly, test.day, zone)
			if err != nil {
				t.Fatal(err)
			}
			s := tell([]*config.Tenant{{Name: "acme", Location: zone}})
			s.clock = time.Time{}
			ev := login(0, "petr", "107", "NOC")
			ev.Time = timestamppb.New(day.Add(-50 * time.Hour))
			s.play(ev)
			now := day.Add(50 * time.Hour)
			s.hear(now, tick(0))
			have := s.Day("acme", test.day, now)
			if have := have.GetBeginsAt().AsTime().Format(time.RFC3339); test.begins != have {
				t.Errorf("want it to begin at %s, have %s", test.begins, have)
			}
			if have := have.GetEndsAt().AsTime().Format(time.RFC3339); test.ends != have {
				t.Errorf("want it to end at %s, have %s", test.ends, have)
			}
			length := have.GetEndsAt().AsTime().Sub(have.GetBeginsAt().AsTime())
			want := []string{fmt.Sprintf("AVAILABLE %d 0", seconds(length))}
			if have := spentBy(have, "petr"); !slices.Equal(want, have) {
				t.Errorf("want %q, have %q", want, have)
			}
		})
	}
}
