package ledger_test

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/switchhook/switchhook/services/pbxsim/ledger"
)

var noon = time.Date(2026, 1, 5, 12, 0, 0, 123456789, time.UTC)

func entries() []ledger.Entry {
	return []ledger.Entry{
		&ledger.Run{Version: ledger.Version, Seed: 7, StartedAt: noon, Flags: map[string]string{"calls": "2"}},
		&ledger.Agent{
			Call: 1, Tenant: "acme", Vendor: "ipex", Exchange: "prague", Login: "janecek", Email: "janecek@acme.example",
			Extension: "163", Queue: "NOC", Kind: "paused", Reason: "Oběd", At: noon,
		},
		&ledger.Sent{
			Call: 1, Seq: 2, Agent: "janecek", Chaos: "duplicate", Attempt: 2,
			Tenant: "acme", Vendor: "ipex", Exchange: "prague", VendorEvent: "Ringing", At: noon, Want: 200, Event: "call.ringing", Key: "1412256225.1941", Named: true,
			Status: 200, IDs: []string{"a", "b"}, Quarantined: "q", Error: "gone", SentAt: noon, AnsweredAt: noon.Add(time.Second),
		},
		&ledger.Call{
			Call: 1, Tenant: "acme", Vendor: "ipex", Exchange: "prague", Variant: "documents", Key: "1412256225.1941",
			Scenario: "queue_answered", Direction: "incoming", Caller: "+420777888999", Callee: "+420222333444", Queue: "NOC",
			Rang: []string{"20", "21"}, AnsweredBy: "21", TransferredTo: "22", Outcome: "answered", Missed: true, Start: noon,
			WaitSeconds: 1, RingSeconds: 2, TalkSeconds: 3, Rating: 4, Requests: 5, Cut: true,
			Ended: noon.Add(6 * time.Second),
			Legs: []ledger.Leg{{
				Extension: "21", Login: "janecek", Ringing: []ledger.Span{{noon, noon.Add(time.Second)}},
				Dialing: []ledger.Span{{noon, noon}}, Talking: []ledger.Span{{noon, noon}}, Answered: true,
			}},
		},
		&ledger.Command{
			Command: 1, Vendor: "ipex", Tenant: "acme", Exchange: "prague", Action: "originate", Method: "POST", Path: "/calls",
			Asked: map[string]string{"to": "777888990"}, Chaos: "drop", Call: 1, CallID: "1412256225.1941",
			Status: 200, Answer: "{}", ReceivedAt: noon, AnsweredAt: noon,
		},
		&ledger.Done{
			Calls: 1, Requests: 2, Statuses: map[string]int64{"200": 2}, Seconds: 1.5, RequestsPerSecond: 1.3,
			P50Millis: 0.5, P99Millis: 9,
		},
	}
}

func TestRoundTrip(t *testing.T) {
	var b bytes.Buffer
	w := ledger.NewWriter(&b)
	want := entries()
	for _, e := range want {
		w.Write(e)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	var have []ledger.Entry
	for e, err := range ledger.Read(&b) {
		if err != nil {
			t.Fatal(err)
		}
		have = append(have, e)
	}
	if !reflect.DeepEqual(have, want) {
		t.Errorf("want %+v, have %+v", want, have)
	}
}

func TestEveryLineSaysItsType(t *testing.T) {
	var b bytes.Buffer
	w := ledger.NewWriter(&b)
	for _, e := range entries() {
		w.Write(e)
	}
	_ = w.Flush()
	lines := strings.Split(strings.TrimSpace(b.String()), "\n")
	for i, want := range []string{"run", "agent", "sent", "call", "command", "done"} {
		if !strings.HasPrefix(lines[i], `{"type":"`+want+`",`) {
			t.Errorf("want type %s first, have %s", want, lines[i])
		}
	}
}

func TestReadErrors(t *testing.T) {
	cases := map[string]struct{ text, want string }{
		"no JSON":         {"{}\n", `line 1: unknown type ""`},
		"broken":          {`{"type":"done","calls":1}` + "\n" + "{\n", "line 2"},
		"unknown type":    {`{"type":"weather"}` + "\n", `unknown type "weather"`},
		"later version":   {`{"type":"run","version":2}` + "\n", "version 2, want 1"},
		"wrong type":      {`{"type":"call","call":"x"}` + "\n", "line 1: call"},
		"killed in write": {`{"type":"done","calls":1}` + "\n" + `{"type":"do`, ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			var have string
			for _, err := range ledger.Read(strings.NewReader(c.text)) {
				if err != nil {
					have = err.Error()
				}
			}
			if c.want == "" && have != "" || !strings.Contains(have, c.want) {
				t.Errorf("want error with %q, have %q", c.want, have)
			}
		})
	}
}

func TestReadStops(t *testing.T) {
	text := strings.Repeat(`{"type":"done","calls":1}`+"\n", 3)
	n := 0
	for range ledger.Read(strings.NewReader(text)) {
		n++
		break
	}
	if n != 1 {
		t.Errorf("want 1 entry, have %d", n)
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("disk full") }

func TestWriterKeepsItsError(t *testing.T) {
	w := ledger.NewWriter(full{})
	for range 10_000 {
		w.Write(&ledger.Done{})
	}
	for range 2 {
		if err := w.Flush(); err == nil || !strings.Contains(err.Error(), "disk full") {
			t.Errorf("want disk full, have %v", err)
		}
	}
}

func TestConcurrentWriting(t *testing.T) {
	var b bytes.Buffer
	w := ledger.NewWriter(&b)
	var writers sync.WaitGroup
	for range 8 {
		writers.Go(func() {
			for range 500 {
				w.Write(&ledger.Done{Calls: 1})
			}
		})
	}
	writers.Wait()
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, err := range ledger.Read(&b) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	if n != 4000 {
		t.Errorf("want 4000 entries, have %d", n)
	}
}
