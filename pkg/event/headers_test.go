package event_test

import (
	"bufio"
	"fmt"
	"maps"
	"net/textproto"
	"net/url"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/switchhook/switchhook/pkg/event"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

func TestHeaders(t *testing.T) {
	ev := &pbxv1.Event{
		Id:     "0195f2d0-7c1a-7000-8000-000000000001",
		Time:   timestamppb.New(time.Date(2026, 1, 2, 3, 4, 5, 60_000_000, time.UTC)),
		Vendor: "ipex", Tenant: "acme", Exchange: "prague",
		Payload: &pbxv1.Event_MissedCall{MissedCall: &pbxv1.MissedCall{Kind: pbxv1.MissedCall_OPENED, Id: "m-1"}},
	}
	want := map[string]string{
		"Nats-Msg-Id":    "0195f2d0-7c1a-7000-8000-000000000001",
		"Content-Type":   "application/protobuf",
		"ce-specversion": "1.0",
		"ce-id":          "0195f2d0-7c1a-7000-8000-000000000001",
		"ce-source":      "/ipex/acme/prague",
		"ce-type":        "pbx.v1.missed_call.opened",
		"ce-time":        "2026-01-02T03:04:05.06Z",
		"ce-subject":     "m-1",
	}
	if have := event.Headers(ev); !maps.Equal(want, have) {
		t.Errorf("want %v, have %v", want, have)
	}
	ev.Exchange = ""
	if want, have := "/ipex/acme", event.Headers(ev)["ce-source"]; want != have {
		t.Errorf("want %s without an exchange, have %s", want, have)
	}
}

func TestHeaderTypes(t *testing.T) {
	for _, ev := range everyEvent() {
		subject, err := event.Subject(ev)
		if err != nil {
			t.Fatal(err)
		}
		want := strings.Replace(subject, "pbx.events.ipex.acme.", "pbx.v1.", 1)
		if have := event.Headers(ev)["ce-type"]; want != have {
			t.Errorf("want %s, have %s", want, have)
		}
	}
}

func TestHeaderSubjects(t *testing.T) {
	tests := map[string]struct {
		event *pbxv1.Event
		want  string
	}{
		"call": {&pbxv1.Event{Payload: &pbxv1.Event_Call{Call: &pbxv1.Call{Id: "id", Key: "key"}}}, "key"},
		"agent by login": {&pbxv1.Event{Payload: &pbxv1.Event_Agent{Agent: &pbxv1.Agent{
			User: &pbxv1.User{Login: "novak", Email: "novak@acme.example"}, Extension: "20",
		}}}, "novak"},
		"agent by e-mail": {&pbxv1.Event{Payload: &pbxv1.Event_Agent{Agent: &pbxv1.Agent{
			User: &pbxv1.User{Email: "novak@acme.example"}, Extension: "20",
		}}}, "novak@acme.example"},
		"agent by extension": {&pbxv1.Event{Payload: &pbxv1.Event_Agent{Agent: &pbxv1.Agent{Extension: "20"}}}, "20"},
		"contact":            {&pbxv1.Event{Payload: &pbxv1.Event_Contact{Contact: &pbxv1.Contact{CallKey: "key"}}}, "key"},
		"missed call": {&pbxv1.Event{Payload: &pbxv1.Event_MissedCall{MissedCall: &pbxv1.MissedCall{
			Id: "id", CallKeys: []string{"key"},
		}}}, "id"},
		"command": {&pbxv1.Event{Payload: &pbxv1.Event_Command{Command: &pbxv1.Command{
			Id: "id", IdempotencyKey: "key", CallId: "call",
		}}}, "id"},

		// What percent-encoding is there for.
		"space":       {callWithKey("acme/20/+420 777"), "acme/20/+420%20777"},
		"quote":       {callWithKey(`a"b`), "a%22b"},
		"percent":     {callWithKey("100%25"), "100%2525"},
		"not ASCII":   {callWithKey("ü€"), "%C3%BC%E2%82%AC"},
		"not UTF-8":   {callWithKey("\xff"), "%FF"},
		"control":     {callWithKey("\x00\t\x7f"), "%00%09%7F"},
		"punctuation": {callWithKey("!#&'()*+,-./:;<=>?@[\\]^_`{|}~"), "!#&'()*+,-./:;<=>?@[\\]^_`{|}~"},
		"a header":    {callWithKey("1\r\nNats-Msg-Id: 2"), "1%0D%0ANats-Msg-Id:%202"},
		"a body":      {callWithKey("1\r\n\r\n2"), "1%0D%0A%0D%0A2"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if have := event.Headers(test.event)["ce-subject"]; test.want != have {
				t.Errorf("want %s, have %s", test.want, have)
			}
		})
	}
}

// CloudEvents knows no empty subject, only none.
func TestHeadersWithoutSubject(t *testing.T) {
	for name, ev := range map[string]*pbxv1.Event{"no payload": {}, "nothing in it": callWithKey("")} {
		if have, ok := event.Headers(ev)["ce-subject"]; ok {
			t.Errorf("%s: want no ce-subject, have %q", name, have)
		}
	}
}

func callWithKey(key string) *pbxv1.Event {
	return &pbxv1.Event{Payload: &pbxv1.Event_Call{Call: &pbxv1.Call{Kind: pbxv1.Call_NEW, Key: key}}}
}

// Whatever a vendor sent: written as header lines and read again, there are the same headers and no other, and decoded they
// say what the event says.
func FuzzHeaders(f *testing.F) {
	f.Add("0195f2d0-7c1a-7000-8000-000000000001", "prague", "1.1")
	f.Add("", "", "acme/20/+420777888999")
	f.Add("1\r\nce-id: 2", "x\nNats-Msg-Id: 3", "4\r\n\r\nbody")
	f.Add("%0D%0A", "ž", "\xff\x00\x7f\"")
	f.Add("1", "prague/", "")
	f.Add("a\rb", ":", " folded\r\n line ")
	f.Fuzz(func(t *testing.T, id, exchange, key string) {
		ev := callWithKey(key)
		ev.Id, ev.Vendor, ev.Tenant, ev.Exchange = id, "ipex", "acme", exchange
		headers := event.Headers(ev)

		var block strings.Builder
		for name, value := range headers {
			fmt.Fprintf(&block, "%s: %s\r\n", name, value)
		}
		lines := textproto.NewReader(bufio.NewReader(strings.NewReader(block.String() + "\r\n")))
		read, err := lines.ReadMIMEHeader()
		if err != nil || len(read) != len(headers) {
			t.Fatalf("want %q, have %q, %v", headers, read, err)
		}
		for name, value := range headers {
			if have := read.Values(name); len(have) != 1 || have[0] != value {
				t.Errorf("want %q once under %s, have %q", value, name, have)
			}
		}

		source := "/ipex/acme/" + exchange
		if exchange == "" {
			source = "/ipex/acme"
		}
		for name, want := range map[string]string{"Nats-Msg-Id": id, "ce-id": id, "ce-source": source, "ce-subject": key} {
			have, err := url.PathUnescape(headers[name])
			if want != have || err != nil {
				t.Errorf("want %s to say %q, have %q, %v", name, want, have, err)
			}
		}
	})
}
