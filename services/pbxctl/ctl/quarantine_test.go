package ctl_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"

	"github.com/switchhook/switchhook/pkg/bus"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
	"github.com/switchhook/switchhook/services/pbxctl/ctl"
)

// The ids of what the tests quarantine; the first two begin alike.
const (
	first  = "0195f2d0-0000-7000-8000-00000000000a"
	second = "0195f2d0-0000-7000-8000-00000000000b"
	third  = "0195f2d1-0000-7000-8000-00000000000c"
	fourth = "0195f2d2-0000-7000-8000-00000000000d"
)

const (
	ringing = `{"EventName":"Ringing","UniqueId":"1.1","From":"777123456","To":"200","Extension":"200","Direction":"incoming"}`
	unknown = `{"EventName":"Levitated","UniqueId":"1.1"}`
)

// quarantinedRequest returns what the ingress of a vendor keeps of a request to acme's exchange.
func quarantinedRequest(id, vendor, exchange, body string) *pbxv1.Quarantined {
	return &pbxv1.Quarantined{
		Id: id, ReceivedAt: at(9, 0, 0), Vendor: vendor, Tenant: "acme", Exchange: exchange, Service: "ingress",
		Error: vendor + ": cannot be understood",
		Content: &pbxv1.Quarantined_Request{Request: &pbxv1.WebhookRequest{
			Method: "POST", Path: "/hook", RemoteAddress: "203.0.113.9", Body: []byte(body),
			Headers: []*pbxv1.Header{{Name: "Content-Type", Value: "application/json"}},
		}},
	}
}

func quarantine(t *testing.T, b *bus.Bus, list ...*pbxv1.Quarantined) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for _, q := range list {
		if err := b.Quarantine(ctx, q); err != nil {
			t.Fatal(err)
		}
	}
}

// inQuarantine returns the ids of what is there.
func inQuarantine(t *testing.T, b *bus.Bus) (ids []string) {
	t.Helper()
	for s, err := range b.Quarantined(t.Context(), bus.Filter{}) {
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, s.Message.GetId())
	}
	return ids
}

func stored(t *testing.T, b *bus.Bus) (events []*pbxv1.Event) {
	t.Helper()
	for s, err := range b.Events(t.Context(), bus.Filter{}) {
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, s.Message)
	}
	return events
}

// undelivered is what a service could not process.
func undelivered(id string, data []byte) *pbxv1.Quarantined {
	return &pbxv1.Quarantined{
		Id: id, ReceivedAt: at(13, 59, 59), Vendor: "ipex", Tenant: "globex", Service: "agent-state", Error: "agent-state: panics",
		Content: &pbxv1.Quarantined_Message{Message: &pbxv1.StreamMessage{
			Subject: "pbx.events.ipex.globex.call.new", Sequence: 7, Data: data,
			Headers: []*pbxv1.Header{{Name: "Nats-Msg-Id", Value: "1"}},
		}},
	}
}

// untold is an alert that no channel took.
func untold(id string) *pbxv1.Quarantined {
	return &pbxv1.Quarantined{
		Id: id, ReceivedAt: at(14, 30, 0), Vendor: "ipex", Tenant: "acme", Exchange: "prague", Service: "missed-call",
		Error: "channel crm: POST crm.acme.example: status 404",
		Content: &pbxv1.Quarantined_Alert{Alert: &pbxv1.Alert{
			Receiver: "queue", Whom: "Sales", Step: "30m0s",
			MissedCalls: []*pbxv1.MissedCall{
				{Kind: pbxv1.MissedCall_OPENED, Id: "3f2a91c0", From: &pbxv1.Party{E164: "+420777888999"}, MissedAt: at(14, 0, 0)},
				{Kind: pbxv1.MissedCall_RESOLVED, Id: "5b1c77aa", From: &pbxv1.Party{Number: "anonymous"}, MissedAt: at(14, 10, 0)},
			},
		}},
	}
}

func TestList(t *testing.T) {
	_, b := start(t)
	run(t, world(), "quarantine", "ls").want(t, 0, "0 in the quarantine\n", "")
	long := quarantinedRequest(second, "mcn", "mcn", "{}")
	long.Error = "mcn: \x1b[2J" + strings.Repeat("й", 200) + "\nsecond line"
	quarantine(t, b, quarantinedRequest(first, "ipex", "prague", unknown), long, undelivered(third, []byte("12345")))

	r := run(t, world(), "quarantine", "ls")
	r.want(t, 0, "3 in the quarantine\n", "")
	golden(t, "ls.txt", r.stdout)
	for columns, narrow := range map[int]int{140: 140, 40: 120} { // an error keeps 20 characters, whatever that makes of the line
		for _, line := range run(t, onTerminal(columns), "quarantine", "ls", "--color", "never").lines() {
			if have := utf8.RuneCountInString(line); have > narrow {
				t.Errorf("want at most %d characters on a terminal of %d, have %d: %s", narrow, columns, have, line)
			}
		}
	}

	filters := map[string]struct {
		later time.Duration // when it is asked
		args  []string
		want  []string
	}{
		"vendor":          {0, []string{"--vendor", "ipex"}, []string{first, third}},
		"tenant":          {0, []string{"--tenant", "acme"}, []string{first, second}},
		"service":         {0, []string{"--service", "agent-state"}, []string{third}},
		"several":         {0, []string{"--service", "ingress", "--vendor", "mcn", "--tenant", "acme"}, []string{second}},
		"nothing":         {0, []string{"--vendor", "xvb"}, nil},
		"all, long ago":   {500 * time.Hour, nil, []string{first, second, third}},
		"not so long":     {2 * time.Hour, []string{"--since", "1h"}, nil},
		"long enough":     {2 * time.Hour, []string{"--since", "1d"}, []string{first, second, third}},
		"all, explicitly": {2 * time.Hour, []string{"--since", "all"}, []string{first, second, third}},
	}
	for name, test := range filters {
		t.Run(name, func(t *testing.T) {
			o := world()
			o.Now = func() time.Time { return time.Now().Add(test.later) }
			r := run(t, o, append([]string{"quarantine", "ls", "--json"}, test.args...)...)
			var have []string
			for line := range strings.Lines(r.stdout) {
				var entry struct{ ID string }
				if err := json.Unmarshal([]byte(line), &entry); err != nil {
					t.Fatal(err)
				}
				have = append(have, entry.ID)
			}
			if !slices.Equal(test.want, have) || r.code != 0 || r.stderr != "" {
				t.Errorf("want %v, have %+v", test.want, r)
			}
		})
	}
}

func TestListJSON(t *testing.T) {
	_, b := start(t)
	quarantine(t, b, quarantinedRequest(first, "mcn", "mcn", `{"secret":"SecretToken"}`))
	r := run(t, world(), "quarantine", "ls", "--json")
	want := `{"id":"` + first + `","seq":1,"receivedAt":"2026-03-10T09:00:00Z","vendor":"mcn","tenant":"acme","exchange":"mcn",` +
		`"service":"ingress","size":24,"error":"mcn: cannot be understood"}` + "\n"
	if want != r.stdout || r.code != 0 {
		t.Errorf("want %s, have %+v", want, r)
	}
}

func TestShow(t *testing.T) {
	_, b := start(t)
	event, err := proto.Marshal(&pbxv1.Event{Id: "1", Payload: &pbxv1.Event_Call{Call: &pbxv1.Call{Kind: pbxv1.Call_NEW, Key: "k"}}})
	if err != nil {
		t.Fatal(err)
	}
	request := quarantinedRequest(first, "mcn", "mcn", `{"event_type":["x"],"secret":"SecretToken"}`)
	request.GetRequest().Query = "secret=SecretToken&did=1"
	request.GetRequest().Headers = append(request.GetRequest().Headers,
		&pbxv1.Header{Name: "Referer", Value: "https://pbx.example/?a=1&token=SecretToken"},
		&pbxv1.Header{Name: "X-Token", Value: "Bearer SecretToken"})
	quarantine(t, b, request, undelivered(second, event), undelivered(third, []byte("\xff\x00")), untold(fourth))
	for file, args := range map[string][]string{
		"show-request.txt":     {"quarantine", "show", first},
		"show-request-raw.txt": {"quarantine", "show", first, "--raw"},
		"show-event.txt":       {"quarantine", "show", second},
		"show-alert.txt":       {"quarantine", "show", fourth},
		"show-no-event.txt":    {"quarantine", "show", third, "--color", "always"},
	} {
		r := run(t, world(), args...)
		r.want(t, 0, "id", "")
		golden(t, file, r.stdout)
	}
}

func TestShowByBeginning(t *testing.T) {
	_, b := start(t)
	quarantine(t, b, quarantinedRequest(first, "ipex", "prague", ringing), quarantinedRequest(second, "ipex", "prague", ringing),
		quarantinedRequest(third, "ipex", "prague", ringing), quarantinedRequest(third+"0", "ipex", "prague", ringing))
	tests := map[string]struct {
		id             string
		code           int
		stdout, stderr string
	}{
		"whole":          {second, 0, "id        " + second + "\n", ""},
		"beginning":      {third + "0", 0, "id        " + third + "0\n", ""},
		"whole and more": {third, 0, "id        " + third + "\n", ""}, // that another begins so does not matter
		"several":        {"0195f2d0", 1, "", "0195f2d0: 2 ids begin so, such as " + first + " and " + second},
		"none":           {"0295", 1, "", "0295: no such id in the quarantine"},
		"end":            {"00000000000a", 1, "", "no such id"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			run(t, world(), "quarantine", "show", test.id).want(t, test.code, test.stdout, test.stderr)
		})
	}
}

// No credential is shown, wherever a vendor puts it.
func TestShowMasks(t *testing.T) {
	_, b := start(t)
	const hidden = "top-secret-2026"
	tests := map[string]struct {
		body string
		want string // what is left
	}{
		"JSON":                    {`{"secret":"` + hidden + `","did":"1"}`, `"did": "1"`},
		"JSON, with a quotation":  {`{"secret":"a\"` + hidden + `","did":"1"}`, `"did": "1"`},
		"JSON, spaces":            {`{"secret" : "` + hidden + `" , "did":"1"}`, `"did": "1"`},
		"JSON, a number":          {`{"access_code":1234567890,"did":"1"}`, `"did": "1"`},
		"JSON, a list":            {`{"secret":["` + hidden + `"],"did":"1"}`, `"did": "1"`},
		"JSON, an object":         {`{"secret":{"value":"` + hidden + `"},"did":"1"}`, `"did": "1"`},
		"JSON, cut off":           {`{"did":"1","secret":"` + hidden, `{"did":"1","secret":"(masked)"`},
		"JSON, other names":       {`{"crm_token":"` + hidden + `","Password":"` + hidden + `","apiToken":"` + hidden + `"}`, `"apiToken"`},
		"JSON in JSON":            {`{"payload":"{\"secret\":\"` + hidden + `\",\"did\":\"1\"}"}`, `\"did\":\"1\"`},
		"JSON in JSON, a number":  {`{"payload":"{\"secret\":1234567890,\"did\":\"1\"}"}`, `\"did\":\"1\"`},
		"JSON that is not UTF-8":  {`{"secret":"` + hidden + `","did":"` + "\xff" + `"}`, "did"},
		"form":                    {"cmd=event&access_code=" + hidden + "&phone=1", "cmd=event&access_code=(masked)&phone=1"},
		"form, first":             {"crm_token=" + hidden + "&phone=1", "crm_token=(masked)&phone=1"},
		"form, encoded":           {"token=%20" + hidden + "&phone=1", "token=(masked)&phone=1"},
		"JSON in a form":          {"payload=%7B%22crm_token%22%3A%22a%21" + hidden + "%22%2C%22ext%22%3A1%7D", "%22(masked)%22%2C%22ext"},
		"JSON in a form, spaces":  {"payload=%7B%22crm_token%22+%3A%20%22" + hidden + "%22%2C%22ext%22%3A1%7D", "%2C%22ext"},
		"JSON in a form, quoted":  {"payload=%7B%22crm_token%22:%22a%5C%22" + hidden + "%22,%22ext%22:1%7D", ",%22ext"},
		"JSON in a form, number":  {"payload=%7b%22crm_token%22%3a1234567890%2c%22ext%22%3a1%7d", "%2c%22ext"},
		"JSON in a form, cut off": {"payload=%7B%22crm_token%22%3A%22" + hidden, "payload"},
		"text":                    {"token: " + hidden + " and " + hidden + "\nnote: 1", "note: 1"},
	}
	ids := map[string]string{}
	for name, test := range tests {
		ids[name] = fmt.Sprintf("0195f2d0-%d", len(ids)+100)
		quarantine(t, b, quarantinedRequest(ids[name], "mcn", "mcn", test.body))
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := run(t, world(), "quarantine", "show", ids[name])
			r.want(t, 0, test.want, "")
			if strings.Contains(r.stdout, hidden) || strings.Contains(r.stdout, "1234567890") {
				t.Errorf("want no credential, have %s", r.stdout)
			}
			r.want(t, 0, "Credentials are masked; --raw shows them.", "")
			raw := run(t, world(), "quarantine", "show", ids[name], "--raw")
			if utf8.ValidString(test.body) && !strings.Contains(raw.stdout, hidden) && !strings.Contains(raw.stdout, "1234567890") {
				t.Errorf("want it with --raw, have %s", raw.stdout)
			}
			if strings.Contains(raw.stdout, "masked") {
				t.Errorf("want nothing masked with --raw, have %s", raw.stdout)
			}
		})
	}
}

func TestShowBody(t *testing.T) {
	_, b := start(t)
	tests := map[string]struct{ body, want string }{
		"empty":                     {"", "body      (empty)\n"},
		"text":                      {"Příliš žluťoučký\r\nkůň\n", "\nPříliš žluťoučký\nkůň\n"},
		"no credential":             {`{"secretary":"Bob","token":""}`, "\n{\n  \"secretary\": \"Bob\",\n  \"token\": \"\"\n}\n"},
		"no UTF-8":                  {"\xcf\xf0\xe8", "00000000  cf f0 e8  "},
		"what moves a cursor":       {"a\x1b[2Jb", "00000000  61 1b 5b 32 4a 62  "},
		"what overwrites a line":    {"a\rb", "00000000  61 0d 62  "},
		"what writes to the left":   {"a\u202eb", "00000000  61 e2 80 ae 62  "},
		"numbers as they are":       {`[1.50, 12345678901234567890]`, "\n[\n  1.50,\n  12345678901234567890\n]\n"},
		"JSON that is not complete": {`{"a":`, "\n{\"a\":\n"},
	}
	ids := map[string]string{}
	for name, test := range tests {
		ids[name] = fmt.Sprintf("0195f2d0-%d", len(ids)+100)
		quarantine(t, b, quarantinedRequest(ids[name], "mcn", "mcn", test.body))
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := run(t, world(), "quarantine", "show", ids[name])
			r.want(t, 0, test.want, "")
			if strings.Contains(r.stdout, "masked") {
				t.Errorf("want nothing masked, have %s", r.stdout)
			}
			if i := strings.IndexFunc(r.stdout, func(c rune) bool { return !unicode.IsGraphic(c) && c != '\n' }); i >= 0 {
				t.Errorf("want only what can be seen, have %q", r.stdout)
			}
		})
	}
}

// A message that is nothing of ours is reported, and hides nothing else.
func TestQuarantineUndecodable(t *testing.T) {
	server, b := start(t)
	_, js := server.Raw()
	if _, err := js.Publish(t.Context(), "pbx.quarantine.ipex.acme.ingress", []byte("\xff nothing")); err != nil {
		t.Fatal(err)
	}
	quarantine(t, b, quarantinedRequest(first, "ipex", "prague", ringing))
	run(t, world(), "quarantine", "ls").want(t, 0, "1 in the quarantine\n", "decode message 1 on pbx.quarantine.ipex.acme.ingress")
}

func TestCompletion(t *testing.T) {
	server, b := start(t)
	quarantine(t, b, quarantinedRequest(first, "ipex", "prague", ringing), quarantinedRequest(third, "mcn", "mcn", "{}"))
	const about = "\tacme/prague: ipex: cannot be understood"
	tests := map[string]struct {
		args []string
		want []string
		not  string
	}{
		"patterns": {[]string{"events", "--subject", ""}, []string{"pbx.events.>", "pbx.events.xvb.>", "pbx.events.*.*.call.ringing"}, "unspecified"},
		"since":    {[]string{"events", "--since", ""}, []string{"all", "7d"}, ":0"},
		"colours":  {[]string{"events", "--color", ""}, []string{"auto", "always", "never"}, ":0"},
		"vendors":  {[]string{"quarantine", "ls", "--vendor", ""}, []string{"ipex", "mcn", "xvb"}, ":0"},
		"an id": {
			[]string{"quarantine", "show", ""},
			[]string{third + "\tacme/mcn: mcn: cannot be understood\n" + first + about},
			"decode",
		},
		"another server":    {[]string{"--nats", nowhere(t), "quarantine", "show", ""}, []string{":36"}, "0195"},
		"one id only":       {[]string{"quarantine", "show", first, ""}, []string{":4"}, "0195"},
		"an id that begins": {[]string{"quarantine", "redrive", "0195f2d0"}, []string{first + about}, third},
		"another id":        {[]string{"quarantine", "redrive", third, ""}, []string{first + about}, third},
		"files":             {[]string{"config", "check", ""}, []string{"yaml\nyml\n:8"}, ":0"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := run(t, ctl.Options{}, append([]string{"__complete"}, test.args...)...)
			for _, want := range test.want {
				if !strings.Contains(r.stdout, want+"\n") {
					t.Errorf("want %q, have %q", want, r.stdout)
				}
			}
			if strings.Contains(r.stdout, test.not) {
				t.Errorf("want no %q, have %q", test.not, r.stdout)
			}
		})
	}
	server.Stop()
	run(t, ctl.Options{}, "__complete", "quarantine", "show", "").want(t, 0, ":36\n", "Completion ended")
}
