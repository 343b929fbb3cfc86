package frames_test

import (
	"fmt"
	"slices"
	"testing"

	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
	"github.com/switchhook/switchhook/services/web-gateway/frames"
)

// missed returns what a viewer missed, or "snapshot".
func (w *world) missed(v frames.Viewer, last uint64, had int) []string {
	w.Helper()
	missed, ok := w.Missed(v, last, had)
	if !ok {
		return []string{"snapshot"}
	}
	list := []string{}
	for _, f := range missed {
		h := read(w, f.JSON())
		list = append(list, fmt.Sprint(h.Seq, " ", h.Event, " ", h.Line))
	}
	return list
}

func TestMissed(t *testing.T) {
	w := newWorld(t)
	w.hear(
		rings(0, "101"), rings(0, "102"), rings(0, "103"), answers(5, "102"), ends(5, "101", elsewhere), ends(60, "", normal),
		atGlobex(rings(61, "101")), settles(62, frames.Key(viewer().Sender, "1"), pbxv1.Command_DONE),
	)
	both := viewer("101", "102")
	deaf := both
	deaf.Calls = false
	other := both
	other.Sender = frames.Sender("acme", "login", "jana")
	for name, test := range map[string]struct {
		viewer frames.Viewer
		last   uint64
		had    int
		want   []string
	}{
		"all":                      {both, 1, 0, []string{"2 Ringing 102", "4 Hangup 101", "4 Answered 102", "6 Hangup 102", "8 originateresponse "}},
		"one of two of a sequence": {both, 4, 1, []string{"4 Answered 102", "6 Hangup 102", "8 originateresponse "}},
		"two of two of a sequence": {both, 4, 2, []string{"6 Hangup 102", "8 originateresponse "}},
		"all of a sequence":        {both, 4, 0, []string{"6 Hangup 102", "8 originateresponse "}},
		"more than there are":      {both, 4, 9, []string{"6 Hangup 102", "8 originateresponse "}},
		"between":                  {both, 5, 0, []string{"6 Hangup 102", "8 originateresponse "}},
		"nothing":                  {both, 8, 0, []string{}},
		"never there":              {both, 0, 0, []string{"snapshot"}},
		"before this replica":      {both, 9, 0, []string{"snapshot"}},
		"other lines":              {viewer("103", "104"), 2, 0, []string{"3 Ringing 103", "4 Hangup 103"}},
		"results only":             {deaf, 1, 0, []string{"8 originateresponse "}},
		"another's results":        {other, 5, 0, []string{"6 Hangup 102"}},
		"another tenant":           {frames.Viewer{Tenant: "globex", Lines: []string{"101"}, Calls: true}, 1, 0, []string{"7 Ringing 101"}},
	} {
		if have := w.missed(test.viewer, test.last, test.had); !slices.Equal(test.want, have) {
			t.Errorf("%s: want %q, have %q", name, test.want, have)
		}
	}
}

func TestWindowByCount(t *testing.T) {
	w := newWorld(t)
	w.hear(rings(0, "102", call("quiet")))
	w.hear(busyStream(200)...) // 400 frames, from the second event on
	first := uint64(1 + 400 - frames.WindowFrames)
	for name, test := range map[string]struct {
		viewer frames.Viewer
		last   uint64
		had    int
		want   int // frames; -1 is a snapshot
	}{
		"just reached":                 {viewer("101"), first, 0, frames.WindowFrames},
		"just reached, with all of it": {viewer("101"), first, 1, frames.WindowFrames},
		"just not":                     {viewer("101"), first - 1, 0, -1},
		"of a quiet line":              {viewer("102"), 1, 0, 0},
		"of both":                      {viewer("101", "102"), 1, 0, -1},
	} {
		missed, ok := w.Missed(test.viewer, test.last, test.had)
		if have := len(missed); ok != (test.want >= 0) || ok && have != test.want {
			t.Errorf("%s: want %d frames, have %d, %t", name, test.want, have, ok)
		}
	}
}

func TestWindowByAge(t *testing.T) {
	w := newWorld(t)
	w.hear(rings(0, "101"), ends(10, "", normal), rings(595, "102", call("b")))
	if want, have := []string{"2 Hangup 101"}, w.missed(viewer("101"), 1, 0); !slices.Equal(want, have) {
		t.Errorf("want %q, have %q", want, have)
	}
	w.hear(logsIn(605, "jana", "103"))
	if want, have := []string{"2 Hangup 101"}, w.missed(viewer("101"), 1, 0); !slices.Equal(want, have) {
		t.Errorf("want what came after the oldest: %q, have %q", want, have)
	}
	w.hear(logsIn(615, "jana", "103"))
	for last, want := range map[uint64][]string{1: {"snapshot"}, 2: {}, 3: {}} {
		if have := w.missed(viewer("101"), last, 0); !slices.Equal(want, have) {
			t.Errorf("since %d: want %q, have %q", last, want, have)
		}
	}
	if want, have := []string{}, w.missed(viewer("101"), 2, 1); !slices.Equal(want, have) {
		t.Errorf("want %q, have %q", want, have)
	}
}

// TestWindowOfTwoLines comes back having had one of two frames of a sequence that is kept no more.
func TestWindowOfTwoLines(t *testing.T) {
	w := newWorld(t)
	w.hear(rings(0, "101"), rings(0, "102"), ends(10, "", normal), logsIn(900, "jana", "103"))
	for had, want := range map[int][]string{0: {}, 1: {"snapshot"}, 2: {}} {
		if have := w.missed(viewer("101", "102"), 3, had); !slices.Equal(want, have) {
			t.Errorf("having had %d: want %q, have %q", had, want, have)
		}
	}
}

// TestForgottenLine comes back to a line of which nothing was heard for days.
func TestForgottenLine(t *testing.T) {
	w := newWorld(t)
	w.hear(rings(0, "101"), ends(10, "", normal))
	for hour := range 60 {
		w.hear(logsIn(3600*hour, "jana", "103"))
	}
	for last, want := range map[uint64][]string{1: {"snapshot"}, 2: {}} {
		if have := w.missed(viewer("101"), last, 0); !slices.Equal(want, have) {
			t.Errorf("since %d: want %q, have %q", last, want, have)
		}
	}
}

func TestReplicaThatBeganLater(t *testing.T) {
	c := frames.New()
	ev := rings(0, "101")
	c.Apply(100, ev.GetReceivedAt().AsTime(), ev)
	for last, want := range map[uint64]bool{98: false, 99: true, 100: true, 101: false} {
		if _, have := c.Missed(viewer("101"), last, 0); have != want {
			t.Errorf("since %d: want %t, have %t", last, want, have)
		}
	}
}

func TestSnapshot(t *testing.T) {
	w := newWorld(t)
	w.hear(rings(0, "101"), rings(1, "102", call("b")), answers(2, "101"), atGlobex(rings(3, "101")), resolves(4, "Eva"))
	s := w.Snapshot(viewer("101", "102"))
	var have []string
	for _, f := range s.Calls {
		have = append(have, fmt.Sprint(f.Seq, " ", f.Event, " ", f.Line, " ", f.Contact.Name))
	}
	if want := []string{"2 Ringing 102 Eva", "3 Answered 101 Eva"}; !slices.Equal(want, have) || s.Seq != 5 {
		t.Errorf("want %q, have %q", want, have)
	}
	deaf := viewer("101")
	deaf.Calls = false
	if s := w.Snapshot(deaf); len(s.Calls) != 0 || s.Calls == nil {
		t.Errorf("want an empty list, have %v", s.Calls)
	}
}

func TestKey(t *testing.T) {
	karel := frames.Sender("acme", "login", "karel")
	if frames.Sender("acme", "login", "Karel") != karel || frames.Sender("acme", "email", "karel") == karel ||
		frames.Sender("globex", "login", "karel") == karel {
		t.Error("want a sender for each identity of each tenant")
	}
	key := frames.Key(karel, "a", "b")
	if again := frames.Key(karel, "a", "b"); key != again || key == frames.Key(karel, "ab", "") {
		t.Error("want a key for each command")
	}
}
