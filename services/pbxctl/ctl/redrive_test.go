package ctl_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/switchhook/switchhook/pkg/bus"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// outcome is what redriving a request comes to.
type outcome struct {
	name      string
	request   *pbxv1.Quarantined
	real, dry string // how the line begins, behind the id
	stays     bool
}

// outcomes are of every sort, in the order in which they are stored.
func outcomes() []outcome {
	const gone, wouldGo = "carries no event, deleted", "carries no event, would be deleted"
	const noExchange, noVendor = "stays: exchange ipex/acme/brno is not configured", `stays: "avaya" is no vendor that can be connected`
	const levitated, noRequest = `stays: ipex: EventName "Levitated" is unknown`, "stays: service agent-state kept no webhook"
	const toldByPeople = `stays: an alert is not sent again: see "pbxctl quarantine show", and pass it on yourself`
	trial := `{"secret":"SecretToken","account_id":10123}`
	start := `{"secret":"SecretToken","account_id":10123,"event_type":"onInCallingStart","abon":"200","did":"777123456"}`
	question := "cmd=contact&access_code=10019&phone=777123456"
	return []outcome{
		{"understood", quarantinedRequest("a1", "ipex", "prague", ringing), "published: 1", "would publish: 1", false},
		{"still unknown", quarantinedRequest("a2", "ipex", "prague", unknown), levitated, levitated, true},
		{"test request", quarantinedRequest("a3", "mcn", "mcn", trial), gone, wouldGo, false},
		{"question", quarantinedRequest("a4", "xvb", "xvb", question), gone, wouldGo, false},
		{"no such exchange", quarantinedRequest("a5", "ipex", "brno", ringing), noExchange, noExchange, true},
		{"no such vendor", quarantinedRequest("a6", "avaya", "avaya", ringing), noVendor, noVendor, true},
		{"not a request", undelivered("a7", []byte("1")), noRequest, noRequest, true},
		{"understood too", quarantinedRequest("a8", "mcn", "mcn", start), "published: 1", "would publish: 1", false},
		{"an alert", untold("a9"), toldByPeople, toldByPeople, true},
	}
}

func outcomeRequests() (list []*pbxv1.Quarantined) {
	for _, o := range outcomes() {
		list = append(list, o.request)
	}
	return list
}

func redrive(t *testing.T, args ...string) result {
	t.Helper()
	return run(t, world(), append([]string{"quarantine", "redrive", "--config", "testdata/switchhook.yaml"}, args...)...)
}

func TestRedriveAll(t *testing.T) {
	_, b := start(t)
	quarantine(t, b, outcomeRequests()...)
	r := redrive(t, "--all")
	r.want(t, 1, "4 redriven, 5 stay in the quarantine\n", "pbxctl quarantine redrive: not all can be redriven")
	lines, stay := r.lines(), []string(nil)
	for i, o := range outcomes() {
		if want := o.request.GetId() + "  " + o.real; !strings.HasPrefix(lines[i], want) {
			t.Errorf("%s: want %s, have %s", o.name, want, lines[i])
		}
		if o.stays {
			stay = append(stay, o.request.GetId())
		}
	}
	if have := inQuarantine(t, b); !slices.Equal(stay, have) {
		t.Errorf("want %v to stay, have %v", stay, have)
	}
	events := stored(t, b)
	if len(events) != 2 {
		t.Fatalf("want 2 events, have %v", events)
	}
	if ev := events[0]; ev.GetId() != "a1" || ev.GetCall().GetKind() != pbxv1.Call_RINGING || ev.GetExchange() != "prague" ||
		!proto.Equal(at(9, 0, 0), ev.GetReceivedAt()) {
		t.Errorf("want the event as it would have been then, have %v", ev)
	}
	if ev := events[1]; ev.GetId() != "a8" || ev.GetVendor() != "mcn" {
		t.Errorf("want the events in order, have %v", events)
	}
	if r := redrive(t, "--all", "--vendor", "mcn"); r.code != 0 || r.stdout != "0 redriven, 0 stay in the quarantine\n" {
		t.Errorf("want nothing to do, have %+v", r)
	}
}

func TestRedriveSome(t *testing.T) {
	tests := map[string]struct {
		args     []string
		code     int
		redriven []string
		stderr   string
	}{
		"an id":                    {[]string{"a1"}, 0, []string{"a1"}, ""},
		"two, in whatever order":   {[]string{"a8", "a1"}, 0, []string{"a1", "a8"}, ""},
		"one twice":                {[]string{"a1", "a1"}, 0, []string{"a1"}, ""},
		"one that stays":           {[]string{"a1", "a2", "a8"}, 1, []string{"a1", "a8"}, "not all can be redriven"},
		"one that there is not":    {[]string{"a1", "b"}, 1, nil, "b: no such id in the quarantine"},
		"a beginning of several":   {[]string{"a"}, 1, nil, "a: 9 ids begin so"},
		"of a vendor":              {[]string{"--all", "--vendor", "mcn"}, 0, []string{"a3", "a8"}, ""},
		"of a tenant":              {[]string{"--all", "--tenant", "globex"}, 1, nil, "not all can be redriven"},
		"of a vendor and a tenant": {[]string{"--all", "--vendor", "xvb", "--tenant", "acme"}, 0, []string{"a4"}, ""},
		"of no service":            {[]string{"--all", "--service", "contact-lookup"}, 0, nil, ""},
		"of no time":               {[]string{"--all", "--since", "1ns"}, 0, nil, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, b := start(t)
			quarantine(t, b, outcomeRequests()...)
			o := world()
			o.Now = nil // --since is about the real time
			r := run(t, o, append([]string{"quarantine", "redrive", "--config", "testdata/switchhook.yaml"}, test.args...)...)
			if test.code != r.code || !strings.Contains(r.stderr, test.stderr) || test.stderr == "" && r.stderr != "" {
				t.Errorf("want exit code %d and %q, have %+v", test.code, test.stderr, r)
			}
			left := inQuarantine(t, b)
			for _, o := range outcomes() {
				if id := o.request.GetId(); slices.Contains(test.redriven, id) == slices.Contains(left, id) {
					t.Errorf("want %v redriven, have left %v", test.redriven, left)
				}
			}
		})
	}
}

func TestRedriveDry(t *testing.T) {
	_, b := start(t)
	quarantine(t, b, outcomeRequests()...)
	r := redrive(t, "--all", "--dry-run")
	r.want(t, 1, "4 could be redriven, 5 stay in the quarantine\n", "not all can be redriven")
	golden(t, "redrive-dry-run.txt", r.stdout)
	for _, o := range outcomes() {
		if want := o.request.GetId() + "  " + o.dry; !strings.Contains(r.stdout, want) {
			t.Errorf("%s: want %s, have %s", o.name, want, r.stdout)
		}
	}

	r = redrive(t, "--all", "--dry-run", "--json")
	r.want(t, 1, `{"subject":"pbx.events.ipex.acme.call.ringing","seq":0,"event":{`, "a2  stays: ipex: ")
	var have []*pbxv1.Event
	for _, line := range r.lines() {
		_, after, _ := strings.Cut(strings.TrimSuffix(line, "}"), `"event":`)
		ev := new(pbxv1.Event)
		if err := protojson.Unmarshal([]byte(after), ev); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		have = append(have, ev)
	}

	if left, events := inQuarantine(t, b), stored(t, b); len(left) != len(outcomes()) || len(events) != 0 {
		t.Errorf("want nothing changed, have %v and %v", left, events)
	}
	// It promised what then comes.
	redrive(t, "--all")
	if !slices.EqualFunc(have, stored(t, b), func(a, b *pbxv1.Event) bool { return proto.Equal(a, b) }) {
		t.Errorf("want %v, have %v", have, stored(t, b))
	}
}

// The same request may be there twice, when the ingress was told too late that it is stored. It is one to whoever names it.
func TestRedriveTwins(t *testing.T) {
	server, b := start(t)
	quarantine(t, b, outcomes()[0].request)
	data, err := proto.Marshal(outcomes()[0].request)
	if err != nil {
		t.Fatal(err)
	}
	_, js := server.Raw()
	if _, err := js.Publish(t.Context(), "pbx.quarantine.ipex.acme.ingress", data); err != nil {
		t.Fatal(err)
	}
	redrive(t, "a").want(t, 0, "a1  published: 1\na1  published: 1\n2 redriven", "")
	if events, left := stored(t, b), inQuarantine(t, b); len(events) != 1 || len(left) != 0 {
		t.Errorf("want one event and an empty quarantine, have %v and %v", events, left)
	}
}

// What JetStream does not take stays, and the rest is not tried in vain.
func TestRedriveNotStored(t *testing.T) {
	server, b := start(t)
	quarantine(t, b, outcomeRequests()...)
	_, js := server.Raw()
	if err := js.DeleteStream(t.Context(), bus.EventStream); err != nil {
		t.Fatal(err)
	}
	redrive(t, "--all", "--timeout", "300ms").want(t, 1, "", "redrive a1: publish")
	if want, have := len(outcomes()), len(inQuarantine(t, b)); want != have {
		t.Errorf("want all %d to stay, have %d", want, have)
	}
}

func TestRedriveProgress(t *testing.T) {
	_, b := start(t)
	for i := range 51 {
		quarantine(t, b, quarantinedRequest(fmt.Sprint(i), "ipex", "prague", ringing))
	}
	args := []string{"quarantine", "redrive", "--config", "testdata/switchhook.yaml", "--dry-run", "--color=never"}
	run(t, world(), append(args, "--all")...).want(t, 0, "51 could be redriven", "")
	r := run(t, onTerminal(80), append(args, "--all")...)
	r.want(t, 0, "51 could be redriven", "\r\x1b[K1 of 51\r\x1b[K")
	if !strings.HasSuffix(r.stderr, "51 of 51\r\x1b[K") {
		t.Errorf("want no progress left behind, have %q", r.stderr)
	}
	run(t, onTerminal(80), append(args, "50", "49", "48")...).want(t, 0, "3 could be redriven", "")
}

// Killed when the events are stored and the request is not deleted yet, pbxctl may be run again: nothing is stored twice.
func TestRedriveKilled(t *testing.T) {
	server, b := start(t)
	quarantine(t, b, outcomes()[0].request)
	url, tripped := tripwire(t, server, "$JS.API.STREAM.MSG.DELETE.", "")
	cmd := process(t, "quarantine", "redrive", "--config", "testdata/switchhook.yaml", "a1", "--nats", url)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-tripped:
	case <-time.After(20 * time.Second):
		t.Fatal("want the request deleted in the end, have seen no attempt")
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	once := stored(t, b)
	if left := inQuarantine(t, b); len(once) != 1 || len(left) != 1 {
		t.Fatalf("want it published and not yet deleted, have %v and %v", once, left)
	}

	redrive(t, "a1").want(t, 0, "a1  published: 1\n", "")
	again := stored(t, b)
	if left := inQuarantine(t, b); len(again) != 1 || !proto.Equal(once[0], again[0]) || len(left) != 0 {
		t.Errorf("want the same event once and an empty quarantine, have %v and %v", again, left)
	}
}
