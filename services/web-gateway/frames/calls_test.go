package frames_test

import (
	"slices"
	"testing"

	"github.com/switchhook/switchhook/pkg/event"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
	"github.com/switchhook/switchhook/services/web-gateway/frames"
)

const (
	normal    = pbxv1.Call_NORMAL
	noAnswer  = pbxv1.Call_NO_ANSWER
	elsewhere = pbxv1.Call_ANSWERED_ELSEWHERE
)

func TestFrames(t *testing.T) {
	out := goes(pbxv1.Call_OUTGOING, "101", eva)
	internal := goes(pbxv1.Call_INTERNAL_OUTGOING, "101", "102")
	rung := "Ringing 101 incoming " + eva + " +420222333444"
	karel := frames.Key(frames.Sender("acme", "login", "karel"), "1")
	for name, test := range map[string]struct {
		events []*pbxv1.Event
		want   []string
	}{
		"answered": {
			[]*pbxv1.Event{rings(0, "101"), answers(5, "101"), ends(60, "101", normal), ends(60, "", normal)},
			[]string{rung, "Answered 101", "Hangup 101 normal"},
		},
		"said twice": {
			[]*pbxv1.Event{rings(0, "101"), rings(0, "101"), answers(5, "101"), answers(5, "101")},
			[]string{rung, "Answered 101"},
		},
		"abandoned": {
			[]*pbxv1.Event{rings(0, "101"), ends(9, "", pbxv1.Call_CANCELLED)},
			[]string{rung, "Hangup 101 cancelled"},
		},
		"rings again, and its end between is told": {
			[]*pbxv1.Event{rings(0, "101"), ends(20, "101", noAnswer), rings(25, "101"), answers(30, "101")},
			[]string{rung, "Hangup 101 no_answer", rung, "Answered 101"},
		},
		"rings again, and no end between is told": {
			[]*pbxv1.Event{rings(0, "101"), rings(25, "101"), answers(30, "101")},
			[]string{rung, rung, "Answered 101"},
		},
		"answered elsewhere, which is told": {
			[]*pbxv1.Event{rings(0, "101"), rings(0, "102"), answers(5, "102", user("eva")), ends(5, "101", elsewhere)},
			[]string{
				rung, "Ringing 102 incoming " + eva + " +420222333444",
				"Hangup 101 answered_elsewhere by 102 eva", "Answered 102",
			},
		},
		"answered elsewhere, which is told first": {
			[]*pbxv1.Event{rings(0, "101"), rings(0, "102"), ends(5, "101", elsewhere), answers(5, "102")},
			[]string{
				rung, "Ringing 102 incoming " + eva + " +420222333444", "Hangup 101 answered_elsewhere", "Answered 102",
			},
		},
		"answered elsewhere, by who logged in there": {
			[]*pbxv1.Event{logsIn(-60, "jana", "102"), rings(0, "101"), answers(5, "102")},
			[]string{rung, "Hangup 101 answered_elsewhere by 102 jana", "Answered 102"},
		},
		"consultation": {
			[]*pbxv1.Event{rings(0, "101"), answers(5, "101"), rings(30, "102"), answers(40, "102"), ends(50, "101", normal)},
			[]string{
				rung, "Answered 101", "Ringing 102 incoming " + eva + " +420222333444", "Answered 102", "Hangup 101 normal",
			},
		},
		"handed over": {
			[]*pbxv1.Event{
				rings(0, "101"), answers(5, "101"), rings(30, "102"), answers(40, "102"),
				does(50, pbxv1.Call_TRANSFERRED, "101", func(c *pbxv1.Call) { c.To = party("102") }), ends(90, "", normal),
			},
			[]string{
				rung, "Answered 101", "Ringing 102 incoming " + eva + " +420222333444", "Answered 102", "Hangup 101 normal",
				"Hangup 102 normal",
			},
		},
		"outgoing": {
			[]*pbxv1.Event{
				does(0, pbxv1.Call_NEW, "101", out), rings(1, "101", out), answers(9, "101", out), ends(20, "101", normal, out),
			},
			[]string{"Ringing 101 outgoing 101 " + eva, "Answered 101", "Hangup 101 normal"},
		},
		"internal": {
			[]*pbxv1.Event{
				does(0, pbxv1.Call_NEW, "101", internal), rings(1, "102", goes(pbxv1.Call_INTERNAL_INCOMING, "101", "102")),
				answers(5, "102", goes(pbxv1.Call_INTERNAL_INCOMING, "101", "102")), ends(9, "", normal, internal),
			},
			[]string{
				"Ringing 101 outgoingLocal 101 102", "Ringing 102 incomingLocal 101 102", "Answered 101", "Answered 102",
				"Hangup 101 normal", "Hangup 102 normal",
			},
		},
		"somebody listens in": {
			[]*pbxv1.Event{
				rings(0, "101"), answers(5, "101"), answers(9, "900", goes(pbxv1.Call_BARGE, "900", "101")), ends(20, "", normal),
			},
			[]string{rung, "Answered 101", "Hangup 101 normal"},
		},
		"somebody listens in while another phone rings": {
			[]*pbxv1.Event{
				rings(0, "101"), answers(5, "101"), rings(9, "102"), answers(10, "900", goes(pbxv1.Call_BARGE, "900", "101")),
			},
			[]string{rung, "Answered 101", "Ringing 102 incoming " + eva + " +420222333444"},
		},
		"contact after it rings": {
			[]*pbxv1.Event{rings(0, "101"), resolves(1, "Eva"), resolves(2, "Eva"), answers(5, "101")},
			[]string{rung, "Contact 101 of Eva", "Answered 101 of Eva"},
		},
		"contact before it rings": {
			[]*pbxv1.Event{does(0, pbxv1.Call_NEW, ""), resolves(1, "Eva"), rings(2, "101")},
			[]string{rung + " of Eva"},
		},
		"contact of the call before": {
			[]*pbxv1.Event{
				resolves(0, "Eva"), rings(1800, "101"), ends(1900, "", normal),
				rings(2*3600, "101", call("b")),
			},
			[]string{rung + " of Eva", "Hangup 101 normal of Eva", rung},
		},
		"better contact": {
			[]*pbxv1.Event{rings(0, "101"), resolves(1, "Eva"), resolves(2, "Eva Novak")},
			[]string{rung, "Contact 101 of Eva", "Contact 101 of Eva Novak"},
		},
		"contact that nobody knows any more": {
			[]*pbxv1.Event{resolves(0, "Eva"), resolves(1, ""), rings(2, "101")},
			[]string{rung},
		},
		"contact just after the end": {
			[]*pbxv1.Event{rings(0, "101"), ends(2, "", pbxv1.Call_CANCELLED), resolves(4, "Eva")},
			[]string{rung, "Hangup 101 cancelled", "Contact 101 of Eva"},
		},
		"contact of another tenant": {
			[]*pbxv1.Event{rings(0, "101"), atGlobex(resolves(1, "Eva")), atGlobex(rings(2, "101"))},
			[]string{rung, rung + " of Eva"},
		},
		"the end was lost": {
			[]*pbxv1.Event{rings(0, "101"), logsIn(2*3600, "jana", "102")},
			[]string{rung, "Hangup 101"},
		},
		"only the end": {[]*pbxv1.Event{ends(0, "101", normal)}, []string{}},
		"command of a page": {
			[]*pbxv1.Event{
				settles(0, karel, pbxv1.Command_DONE), settles(1, karel, pbxv1.Command_UNKNOWN),
				settles(2, karel, pbxv1.Command_EXCHANGE_ERROR), settles(3, karel, pbxv1.Command_REFUSED),
			},
			[]string{
				"originateresponse succeeded mine", "originateresponse unknown mine", "originateresponse failed mine",
				"originateresponse refused mine",
			},
		},
		"command of another program": {[]*pbxv1.Event{settles(0, event.NewID(), pbxv1.Command_DONE)}, []string{}},
	} {
		t.Run(name, func(t *testing.T) {
			if have := briefs(newWorld(t).hear(test.events...)); !slices.Equal(test.want, have) {
				t.Errorf("want\n%q\nhave\n%q", test.want, have)
			}
		})
	}
}

// TestVoid takes a call away that turns out to be part of another: two calls without an id, until the one that joins them.
func TestVoid(t *testing.T) {
	w := newWorld(t)
	nameless := func(c *pbxv1.Call) { c.Id, c.Key = "", "acme/"+eva }
	w.hear(rings(0, "101", nameless), ends(20, "101", noAnswer, nameless))
	second := w.hear(rings(80, "101", nameless))
	if want, have := []string{"Ringing 101 incoming " + eva + " +420222333444"}, briefs(second); !slices.Equal(want, have) {
		t.Fatalf("want %q, have %q", want, have)
	}
	late := rings(10, "102", nameless) // was on its way: the first call went on at another phone, until
	late.ReceivedAt = at(90).GetReceivedAt()
	end := ends(70, "102", noAnswer, nameless)
	end.ReceivedAt = at(91).GetReceivedAt()
	w.hear(late, end)
	open := map[string]bool{}
	for _, f := range w.all {
		h := read(t, f.JSON())
		open[h.UniqueID+h.Line] = h.Event != "Hangup"
	}
	snapshot := w.Snapshot(viewer("101", "102"))
	for _, c := range snapshot.Calls {
		if !open[c.UniqueID+c.Line] {
			t.Errorf("want the snapshot to have what the frames tell, have %v", c)
		}
		delete(open, c.UniqueID+c.Line)
	}
	for key, still := range open {
		if still {
			t.Errorf("want %s in the snapshot, have %v", key, snapshot)
		}
	}
}

func TestFrameKeys(t *testing.T) {
	w := newWorld(t)
	w.hear(resolves(0, "Eva"), rings(1, "101", func(c *pbxv1.Call) { c.Queue = "sales" }))
	f := read(t, w.all[0].JSON())
	want := heard{
		Event: "Ringing", Seq: 2, From: eva, To: "+420222333444", Direction: "incoming", Line: "101", Queue: "sales",
		Time: "2026-03-10T12:00:01.000Z", UniqueID: f.UniqueID,
	}
	contact := f.Contact
	f.Contact = nil
	if f.brief() != want.brief() || f.Seq != want.Seq || f.Time != want.Time || f.Queue != want.Queue || f.UniqueID == "" {
		t.Errorf("want %+v, have %+v", want, f)
	}
	if contact == nil || *contact != (frames.Contact{Name: "Eva"}) {
		t.Errorf("want Eva, have %+v", contact)
	}
}

func TestContactURL(t *testing.T) {
	for url, want := range map[string]string{
		"https://crm.example.com/1": "https://crm.example.com/1", "HTTP://crm/2": "HTTP://crm/2",
		"javascript:alert(1)": "", "data:text/html,x": "", "https://": "", "//crm": "",
	} {
		w := newWorld(t)
		ev := resolves(1, "Eva")
		ev.GetContact().Match.Url = url
		told := w.hear(rings(0, "101"), ev)
		if have := told[1].Contact.URL; have != want {
			t.Errorf("%s: want %q, have %q", url, want, have)
		}
	}
}

func TestFind(t *testing.T) {
	w := newWorld(t)
	talks := w.hear(rings(0, "101"), answers(1, "101"))[0].UniqueID
	rings := w.hear(rings(2, "102", call("b")))[0].UniqueID
	for name, test := range map[string]struct {
		viewer   frames.Viewer
		uniqueID string
		want     string // the vendor's id; empty: none
	}{
		"where it talks":       {viewer("101", "102"), "", "a"},
		"where it rings":       {viewer("102"), "", "b"},
		"by id":                {viewer("101", "102"), rings, "b"},
		"of somebody else":     {viewer("102"), talks, ""},
		"of nobody":            {viewer("101", "102"), "x", ""},
		"of no line":           {viewer("103"), "", ""},
		"of another tenant":    {frames.Viewer{Tenant: "globex", Lines: []string{"101"}}, talks, ""},
		"of another, the last": {frames.Viewer{Tenant: "globex", Lines: []string{"101"}}, "", ""},
	} {
		found, ok := w.Find(test.viewer, test.uniqueID)
		if found.VendorID != test.want || ok != (test.want != "") {
			t.Errorf("%s: want %q, have %v", name, test.want, found)
		}
	}
	want := event.Origin{Vendor: "ipex", Tenant: "acme", Exchange: "prague"}
	if have, ok := w.Exchange("acme", "101"); have != want || !ok {
		t.Errorf("want %v, have %v", want, have)
	}
	if have, ok := w.Exchange("globex", "101"); ok {
		t.Errorf("want none, have %v", have)
	}
}
