package frames_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/switchhook/switchhook/pkg/event"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
	"github.com/switchhook/switchhook/services/web-gateway/frames"
)

var noon = time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)

const eva = "+420777888999"

// heard is any frame of a server as a client reads it.
type heard struct {
	Event, From, To, UniqueID, Direction, Line, Queue, Time, Cause string
	Seq                                                            uint64
	ActionID, Result, Reason                                       string
	Contact                                                        *frames.Contact
	ClosedBy                                                       *frames.ClosedBy
	Calls                                                          []heard
}

func read(tb testing.TB, data []byte) heard {
	tb.Helper()
	var h heard
	if err := json.Unmarshal(data, &h); err != nil {
		tb.Fatal(err)
	}
	return h
}

// brief tells a frame in a few words.
func (h heard) brief() string {
	words := []string{h.Event, h.Line}
	switch h.Event {
	case "Ringing":
		words = append(words, h.Direction, h.From, h.To)
	case "Hangup":
		words = append(words, h.Cause)
		if h.ClosedBy != nil {
			words = append(words, "by", h.ClosedBy.Line, h.ClosedBy.Login)
		}
	case "Answered", "Contact":
	default:
		words = append(words, h.Result, h.ActionID, h.Reason)
	}
	if h.Contact != nil {
		words = append(words, "of", h.Contact.Name)
	}
	return strings.Join(strings.Fields(strings.Join(words, " ")), " ")
}

// world is a core and a stream.
type world struct {
	testing.TB
	*frames.Core
	seq uint64
	all []*frames.Frame
}

func newWorld(tb testing.TB) *world { return &world{TB: tb, Core: frames.New()} }

// hear applies events, each stored when it was received.
func (w *world) hear(events ...*pbxv1.Event) (told []heard) {
	w.Helper()
	for _, ev := range events {
		w.seq++
		for _, f := range w.Apply(w.seq, ev.GetReceivedAt().AsTime(), ev) {
			w.all = append(w.all, f)
			told = append(told, read(w, f.JSON()))
		}
	}
	return told
}

func briefs(all []heard) []string {
	list := []string{}
	for _, h := range all {
		list = append(list, h.brief())
	}
	return list
}

// at is an event of acme's exchange some seconds after noon.
func at(seconds int) *pbxv1.Event {
	t := timestamppb.New(noon.Add(time.Duration(seconds) * time.Second))
	return &pbxv1.Event{
		Id: event.NewID(), Time: t, ReceivedAt: t, Vendor: "ipex", Tenant: "acme", Exchange: "prague",
	}
}

func party(number string) *pbxv1.Party {
	p := &pbxv1.Party{Number: number}
	if strings.HasPrefix(number, "+") {
		p.E164 = number
	}
	return p
}

// does is something that happens to call "a" from eva, unless it is changed.
func does(seconds int, kind pbxv1.Call_Kind, extension string, change ...func(*pbxv1.Call)) *pbxv1.Event {
	ev := at(seconds)
	c := &pbxv1.Call{
		Kind: kind, Id: "a", Key: "a", Direction: pbxv1.Call_INCOMING, From: party(eva), To: party("+420222333444"),
		Extension: extension,
	}
	for _, f := range change {
		f(c)
	}
	ev.Payload = &pbxv1.Event_Call{Call: c}
	return ev
}

func rings(seconds int, extension string, change ...func(*pbxv1.Call)) *pbxv1.Event {
	return does(seconds, pbxv1.Call_RINGING, extension, change...)
}

func answers(seconds int, extension string, change ...func(*pbxv1.Call)) *pbxv1.Event {
	return does(seconds, pbxv1.Call_ANSWERED, extension, change...)
}

func ends(seconds int, extension string, cause pbxv1.Call_Cause, change ...func(*pbxv1.Call)) *pbxv1.Event {
	return does(seconds, pbxv1.Call_ENDED, extension, append(change, func(c *pbxv1.Call) { c.Cause = cause })...)
}

func call(id string) func(*pbxv1.Call) { return func(c *pbxv1.Call) { c.Id, c.Key = id, id } }

func goes(way pbxv1.Call_Direction, from, to string) func(*pbxv1.Call) {
	return func(c *pbxv1.Call) { c.Direction, c.From, c.To = way, party(from), party(to) }
}

func user(login string) func(*pbxv1.Call) {
	return func(c *pbxv1.Call) { c.User = event.User(login, "") }
}

func logsIn(seconds int, login, extension string) *pbxv1.Event {
	ev := at(seconds)
	ev.Payload = &pbxv1.Event_Agent{Agent: &pbxv1.Agent{Kind: pbxv1.Agent_LOGIN, User: event.User(login, ""), Extension: extension}}
	return ev
}

func resolves(seconds int, name string) *pbxv1.Event {
	ev := at(seconds)
	c := &pbxv1.Contact{Kind: pbxv1.Contact_RESOLVED, CallKey: "a", Party: party(eva), Match: &pbxv1.ContactMatch{Name: name}}
	if name == "" {
		c.Kind, c.Match = pbxv1.Contact_UNKNOWN, nil
	}
	ev.Payload = &pbxv1.Event_Contact{Contact: c}
	return ev
}

func settles(seconds int, key string, outcome pbxv1.Command_Outcome) *pbxv1.Event {
	ev := at(seconds)
	ev.Payload = &pbxv1.Event_Command{Command: &pbxv1.Command{
		Kind: pbxv1.Command_FAILED, Id: "1", IdempotencyKey: key, Action: "originate", Extension: "101", Outcome: outcome,
		ActionId: "mine",
	}}
	return ev
}

// atGlobex changes the tenant.
func atGlobex(ev *pbxv1.Event) *pbxv1.Event {
	ev.Tenant = "globex"
	return ev
}

func viewer(lines ...string) frames.Viewer {
	return frames.Viewer{Tenant: "acme", Lines: lines, Calls: true, Sender: frames.Sender("acme", "login", "karel")}
}

func busyStream(n int) (events []*pbxv1.Event) {
	for i := range n {
		id := call(fmt.Sprint("c", i))
		events = append(events, rings(i, "101", id), ends(i, "", pbxv1.Call_CANCELLED, id))
	}
	return events
}
