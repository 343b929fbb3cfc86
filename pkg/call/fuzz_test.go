package call_test

import (
	"math/rand/v2"
	"testing"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/switchhook/switchhook/pkg/event"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// soup makes an event of each four bytes. They have one key, or, without a vendor's id, share an outside number or none.
func soup(data []byte) events {
	var all events
	seconds := 0.0
	for ; len(data) >= 4 && len(all) < 24; data = data[4:] {
		kind := pbxv1.Call_Kind(data[0]%8 + 1)
		direction := pbxv1.Call_Direction(data[0] >> 3 % 6)
		seconds += float64(data[1]) / 4
		extension := []string{"", "104", "105", "106"}[data[2]%4]
		more := []func(*pbxv1.Call){because(pbxv1.Call_Cause(data[2] >> 2 % 8))}
		if data[2]&0x80 != 0 {
			more = append(more, said(float64(data[3]%64)))
		}
		if data[2]&0x40 != 0 {
			more = append(more, parties("104", "106"))
		}
		if data[3]&0x40 != 0 {
			more = append(more, func(c *pbxv1.Call) { c.Duration = durationpb.New(30e9) })
		}
		ev := at(seconds, kind, direction, extension, more...)
		if data[3]&0x80 != 0 {
			c := ev.GetCall()
			c.Id, c.Key = "", event.CallKey("", "acme", extension, event.Outside(c))
		}
		all = append(all, ev)
	}
	return all
}

// FuzzTracker demands that snapshots are well formed, and that every order of any events, with repetitions, ends in the same
// calls.
func FuzzTracker(f *testing.F) {
	f.Add([]byte{0x08, 0, 0, 0, 0x09, 8, 1, 0, 0x0a, 20, 1, 0, 0x0b, 90, 5, 0}, uint64(1))
	f.Add([]byte{0x09, 0, 1, 0x80, 0x09, 1, 2, 0x80, 0x0a, 9, 2, 0x80, 0x0b, 1, 0x0d, 0x80, 0x0b, 90, 6, 0x80, 0x09, 9, 1, 0x80}, uint64(2))
	f.Add([]byte{0x10, 0, 1, 0, 0x12, 30, 1, 0, 0x0c, 9, 2, 0, 0x0e, 0, 0x81, 0x41}, uint64(3))
	f.Fuzz(func(t *testing.T, data []byte, seed uint64) {
		rng := rand.New(rand.NewPCG(seed, 1))
		all := soup(data)
		want := follow(t, all)
		for range 6 {
			order := repeated(rng, shuffled(rng, all))
			demandEqual(t, want, follow(t, order), order)
		}
	})
}
