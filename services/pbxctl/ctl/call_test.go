package ctl_test

import (
	"context"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/switchhook/switchhook/pkg/bus"
	"github.com/switchhook/switchhook/pkg/bustest"
	"github.com/switchhook/switchhook/pkg/fault"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// relay is a stub of command-relay: it answers as it is told, and publishes outcomes before it does, as a fast exchange would.
type relay struct {
	t        *testing.T
	bus      *bus.Bus
	reply    *pbxv1.CommandReply
	err      error
	outcomes []*pbxv1.Command
	late     bool // the outcomes come only after the reply

	asked chan *pbxv1.CommandRequest
}

const probe = "probe" // a tenant that the test itself asks for

func (r *relay) Take(ctx context.Context, in bus.Incoming) (*pbxv1.CommandReply, error) {
	if in.Tenant == probe {
		return &pbxv1.CommandReply{}, nil
	}
	r.asked <- in.Request
	if !r.late {
		r.publish(ctx)
	}
	return r.reply, r.err
}

func (r *relay) Execute(ctx context.Context, in bus.Incoming) error {
	if in.Tenant != probe && r.late {
		r.publish(ctx)
	}
	return nil
}

func (r *relay) publish(ctx context.Context) {
	for _, o := range r.outcomes {
		if err := r.bus.Publish(ctx, newEvent(at(14, 0, 1), o)); err != nil {
			r.t.Error(err)
		}
	}
}

// startRelay runs the stub until the test ends.
func startRelay(t *testing.T, b *bus.Bus, r *relay) <-chan *pbxv1.CommandRequest {
	t.Helper()
	r.t, r.bus, r.asked = t, b, make(chan *pbxv1.CommandRequest, 10)
	execute, interrupt := b.Commands("command-relay", r)
	done := make(chan error, 1)
	go func() { done <- execute() }()
	t.Cleanup(func() {
		interrupt(nil)
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	bustest.Eventually(t, "the relay", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		_, err := b.Command(ctx, "ipex", probe, "hangup", &pbxv1.CommandRequest{})
		return err == nil
	})
	return r.asked
}

// call returns the arguments of a call with some more flags.
func call(args []string, flags ...string) []string {
	return slices.Concat([]string{"call"}, args, flags)
}

func accepted() *pbxv1.CommandReply { return &pbxv1.CommandReply{CommandId: "c1", Accepted: true} }

func cameOf(how pbxv1.Command_Outcome, action, reason string) *pbxv1.Command {
	o := &pbxv1.Command{
		Kind: pbxv1.Command_FAILED, Id: "c1", IdempotencyKey: "k1", Action: action, Outcome: how, Reason: reason, Extension: "200",
	}
	if how == pbxv1.Command_DONE {
		o.Kind, o.CallId = pbxv1.Command_SUCCEEDED, "1412256225.1941"
	}
	return o
}

func TestCall(t *testing.T) {
	originate := []string{"originate", "777123456"}
	lost := cameOf(pbxv1.Command_UNKNOWN, "originate", "PUT pbx.example: no answer: EOF")
	others := cameOf(pbxv1.Command_EXCHANGE_ERROR, "originate", "of another command")
	others.Id = "c0"
	const before = "a command with this key was taken at 2026-03-10T13:59:00Z and is done; this one is not carried out"
	tests := map[string]struct {
		args   []string
		relay  relay
		code   int
		stderr string
		golden string
	}{
		"done":             {originate, relay{reply: accepted(), outcomes: []*pbxv1.Command{others, cameOf(pbxv1.Command_DONE, "originate", "")}}, 0, "", "call-done.txt"},
		"done, in colours": {append(originate, "--color", "always"), relay{reply: accepted(), late: true, outcomes: []*pbxv1.Command{cameOf(pbxv1.Command_DONE, "originate", "")}}, 0, "", "call-done-in-colour.txt"},
		"failed":           {originate, relay{reply: accepted(), outcomes: []*pbxv1.Command{cameOf(pbxv1.Command_EXCHANGE_ERROR, "originate", "ipex: originate: refused:\x1b[2J \"busy\"")}}, 1, "the command failed", "call-failed.txt"},
		"too late":         {originate, relay{reply: accepted(), outcomes: []*pbxv1.Command{cameOf(pbxv1.Command_EXPIRED, "originate", "it came too late")}}, 1, "the command failed", "call-expired.txt"},
		"settled":          {originate, relay{reply: accepted(), outcomes: []*pbxv1.Command{lost, cameOf(pbxv1.Command_DONE, "originate", "")}}, 0, "", "call-settled.txt"},
		"not settled":      {append(originate, "--wait", "50ms"), relay{reply: accepted(), outcomes: []*pbxv1.Command{lost}}, 1, "nobody knows whether it was done", "call-unknown.txt"},
		"nothing settles": {
			[]string{"hangup", "--wait", "1h"},
			relay{reply: accepted(), outcomes: []*pbxv1.Command{cameOf(pbxv1.Command_UNKNOWN, "hangup", "no answer")}},
			1, "nobody knows whether it was done", "call-hangup-unknown.txt",
		},
		"refused": {
			[]string{"transfer", "201", "--mode", "blind"},
			relay{reply: &pbxv1.CommandReply{CommandId: "c1", Reason: "mcn cannot transfer calls"}},
			1, "pbxctl call transfer: the command was refused", "call-refused.txt",
		},
		"before": {
			originate,
			relay{reply: &pbxv1.CommandReply{CommandId: "c1", Accepted: true, Reason: before, Previous: cameOf(pbxv1.Command_DONE, "originate", "")}},
			0, "", "call-before.txt",
		},
		"before, unknown": {
			append(originate, "--wait", "1h"),
			relay{reply: &pbxv1.CommandReply{CommandId: "c1", Accepted: true, Reason: before, Previous: lost}},
			1, "nobody knows whether it was done", "call-before-unknown.txt",
		},
		"still under way": {
			originate,
			relay{reply: &pbxv1.CommandReply{CommandId: "c1", Accepted: true, Reason: "and is still under way"}, late: true, outcomes: []*pbxv1.Command{cameOf(pbxv1.Command_DONE, "originate", "")}},
			0, "", "call-under-way.txt",
		},
		"not waited for": {append(originate, "--wait", "0"), relay{reply: accepted()}, 0, "", "call-accepted.txt"},
		"waited in vain": {
			append(originate, "--wait", "50ms"), relay{reply: accepted()}, 1, "no outcome yet after 50ms; ask again with --key k1", "call-accepted.txt",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, b := start(t)
			startRelay(t, b, &test.relay)
			r := run(t, world(), call(test.args, "--tenant", "acme", "--vendor", "ipex", "--as", "alice", "--key", "k1")...)
			r.want(t, test.code, "k1", test.stderr)
			golden(t, test.golden, r.stdout)
		})
	}
}

// What is on the command line is what the relay is asked.
func TestCallRequest(t *testing.T) {
	originate := func(o *pbxv1.Originate) *pbxv1.CommandRequest {
		return &pbxv1.CommandRequest{Action: &pbxv1.CommandRequest_Originate{Originate: o}}
	}
	hangup := func(id string) *pbxv1.CommandRequest {
		return &pbxv1.CommandRequest{Action: &pbxv1.CommandRequest_Hangup{Hangup: &pbxv1.Hangup{CallId: id}}}
	}
	transfer := func(mode pbxv1.Transfer_Mode, to, id string) *pbxv1.CommandRequest {
		return &pbxv1.CommandRequest{Action: &pbxv1.CommandRequest_Transfer{Transfer: &pbxv1.Transfer{Mode: mode, To: to, CallId: id}}}
	}
	as := func(login, email, extension string, r *pbxv1.CommandRequest) *pbxv1.CommandRequest {
		r.Extension = extension
		if login+email != "" {
			r.User = &pbxv1.User{Login: login, Email: email}
		}
		return r
	}
	elsewhere := as("alice", "", "201", originate(&pbxv1.Originate{To: "+420 777 123 456", CallerId: "222333444", CallerIdName: "Acme"}))
	elsewhere.Exchange = "prague"
	tests := map[string]struct {
		args []string
		want *pbxv1.CommandRequest
	}{
		"by login": {[]string{"originate", "777123456", "--as", "alice"}, as("alice", "", "", originate(&pbxv1.Originate{To: "777123456"}))},
		"by email": {[]string{"hangup", "--as", "alice@acme.example"}, as("", "alice@acme.example", "", hangup(""))},
		"by phone": {[]string{"hangup", "1.2", "--as", "200"}, as("", "", "200", hangup("1.2"))},
		"by phone twice": {
			[]string{"hangup", "--as", "200", "--extension", "200"}, as("", "", "200", hangup("")),
		},
		"a phone alone": {[]string{"transfer", "--mode", "cancel", "--extension", "200"}, as("", "", "200", transfer(pbxv1.Transfer_ATTENDED_CANCEL, "", ""))},
		"all of it": {
			[]string{
				"originate", "+420 777 123 456", "--as", "alice", "--extension", "201", "--exchange", "prague",
				"--caller-id", "222333444", "--caller-id-name", "Acme",
			}, elsewhere,
		},
		"blind":    {[]string{"transfer", "201", "--mode", "blind", "--as", "alice"}, as("alice", "", "", transfer(pbxv1.Transfer_BLIND, "201", ""))},
		"attended": {[]string{"transfer", "201", "--mode", "attended", "--call", "1.2", "--as", "alice"}, as("alice", "", "", transfer(pbxv1.Transfer_ATTENDED, "201", "1.2"))},
		"complete": {[]string{"transfer", "--mode", "complete", "--as", "alice"}, as("alice", "", "", transfer(pbxv1.Transfer_ATTENDED_COMPLETE, "", ""))},
	}
	_, b := start(t)
	asked := startRelay(t, b, &relay{reply: accepted()})
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := run(t, world(), call(test.args, "--tenant", "acme", "--vendor", "ipex", "--wait", "0", "--key", name)...)
			r.want(t, 0, "accepted", "")
			test.want.IdempotencyKey = name
			wantAsked(t, test.want, asked)
		})
	}
}

// Each command has a key of its own, which is printed, so that whoever is in doubt can repeat it.
func TestCallFreshKey(t *testing.T) {
	_, b := start(t)
	asked := startRelay(t, b, &relay{reply: accepted()})
	seen := make(map[string]bool)
	for range 2 {
		r := run(t, world(), "call", "originate", "777123456", "--tenant", "acme", "--vendor", "ipex", "--as", "alice", "--wait", "0")
		key := (<-asked).GetIdempotencyKey()
		if !regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`).MatchString(key) || seen[key] {
			t.Errorf("want a fresh UUID, have %q after %v", key, seen)
		}
		seen[key] = true
		if want := "key           " + key; r.lines()[0] != want {
			t.Errorf("want %q first, have %s", want, r.stdout)
		}
	}
}

func TestCallJSON(t *testing.T) {
	_, b := start(t)
	done := cameOf(pbxv1.Command_DONE, "originate", "")
	startRelay(t, b, &relay{reply: accepted(), outcomes: []*pbxv1.Command{done}})
	r := run(t, onTerminal(80), "call", "originate", "1", "--tenant", "acme", "--vendor", "ipex", "--as", "alice", "--key", "k1", "--json")
	r.want(t, 0, "k1", "")
	var reply, end struct {
		Key            string
		Reply, Outcome json.RawMessage
	}
	if len(r.lines()) != 2 || json.Unmarshal([]byte(r.lines()[0]), &reply) != nil || json.Unmarshal([]byte(r.lines()[1]), &end) != nil {
		t.Fatalf("want two lines of JSON, have %s", r.stdout)
	}
	haveReply, haveDone := new(pbxv1.CommandReply), new(pbxv1.Command)
	if protojson.Unmarshal(reply.Reply, haveReply) != nil || !proto.Equal(accepted(), haveReply) || reply.Key != "k1" {
		t.Errorf("want %v, have %s", accepted(), r.lines()[0])
	}
	if protojson.Unmarshal(end.Outcome, haveDone) != nil || !proto.Equal(done, haveDone) || end.Key != "k1" {
		t.Errorf("want %v, have %s", done, r.lines()[1])
	}
}

func TestCallWithoutRelay(t *testing.T) {
	server, b := start(t)
	o := world()
	o.Patience = 300 * time.Millisecond
	args := []string{"call", "originate", "1", "--tenant", "acme", "--vendor", "ipex", "--as", "alice", "--key", "k1"}
	secret := strings.Replace(server.URL(), "nats://", "nats://alice:s3cret@", 1)
	r := run(t, o, append(args, "--nats", secret)...)
	r.want(t, 1, "k1", "command-relay did not answer within 300ms at "+server.URL()+"; is it running?")
	if !strings.Contains(r.stderr, "carried out all the same until it expires: ask again with --key k1") || strings.Contains(r.stderr, "s3cret") {
		t.Errorf("want to be told of the key, and no password, have %s", r.stderr)
	}
	startRelay(t, b, &relay{err: fault.New(fault.NotFound, "there is no tenant %q", "acme")})
	run(t, o, args...).want(t, 1, "k1", `there is no tenant "acme"`)
}

// Nothing is sent where its outcome could not be seen.
func TestCallWithoutStreams(t *testing.T) {
	server := bustest.Start(t)
	o := world()
	o.Patience = 300 * time.Millisecond
	run(t, o, "call", "hangup", "--tenant", "acme", "--vendor", "ipex", "--as", "alice", "--nats", server.URL()).
		want(t, 1, "", "nothing was sent: stream PBX_EVENTS cannot be followed")
}

func TestCallInterrupted(t *testing.T) {
	_, b := start(t)
	startRelay(t, b, &relay{reply: accepted()})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var stdout, stderr safeBuffer
	code := make(chan int, 1)
	go func() {
		code <- runTo(ctx, world(), &stdout, &stderr, "call", "hangup", "--tenant", "acme", "--vendor", "ipex", "--as", "alice", "--wait", "1h")
	}()
	bustest.Eventually(t, "the reply", func() bool { return strings.Contains(stdout.String(), "accepted") })
	cancel()
	if have := <-code; have != 1 || !strings.Contains(stderr.String(), "no outcome yet") {
		t.Errorf("want exit code 1 and no outcome, have %d: %s", have, stderr.String())
	}
}

func TestCallCommandLine(t *testing.T) {
	t.Setenv("SWITCHHOOK_NATS", nowhere(t))
	t.Setenv("SWITCHHOOK_TENANT", "acme")
	for name, test := range map[string]struct {
		args []string
		code int
		want string
	}{
		"no vendor":         {[]string{"originate", "1", "--as", "alice"}, 2, `required flag(s) "vendor" not set`},
		"another vendor":    {[]string{"originate", "1", "--vendor", "avaya"}, 2, "want ipex or mcn or xvb"},
		"nobody":            {[]string{"originate", "1", "--vendor", "ipex"}, 2, "want --as or --extension, to say who asks"},
		"an empty person":   {[]string{"originate", "1", "--vendor", "ipex", "--as", ""}, 2, "--as is empty"},
		"an empty key":      {[]string{"hangup", "--vendor", "ipex", "--as", "alice", "--key", ""}, 2, "--key is empty"},
		"no number":         {[]string{"originate", "--vendor", "ipex", "--as", "alice"}, 2, "accepts 1 arg(s)"},
		"an empty number":   {[]string{"originate", "", "--vendor", "ipex", "--as", "alice"}, 2, "TO is empty"},
		"an empty call":     {[]string{"hangup", "", "--vendor", "ipex", "--as", "alice"}, 2, "CALL-ID is empty"},
		"two phones":        {[]string{"hangup", "--vendor", "ipex", "--as", "200", "--extension", "201"}, 2, "--as 200 is an extension, and --extension 201 another"},
		"a wait before now": {[]string{"hangup", "--vendor", "ipex", "--as", "alice", "--wait", "-1s"}, 2, "--wait: want 0 or more, have -1s"},
		"no mode":           {[]string{"transfer", "201", "--vendor", "ipex", "--as", "alice"}, 2, `required flag(s) "mode" not set`},
		"another mode":      {[]string{"transfer", "201", "--mode", "warm"}, 2, "want blind or attended or cancel or complete"},
		"nowhere to":        {[]string{"transfer", "--vendor", "ipex", "--as", "alice", "--mode", "blind"}, 2, "--mode blind: want TO"},
		"an empty target":   {[]string{"transfer", "", "--vendor", "ipex", "--as", "alice", "--mode", "attended"}, 2, "TO is empty"},
		"cancel to":         {[]string{"transfer", "201", "--vendor", "ipex", "--as", "alice", "--mode", "cancel"}, 2, `--mode cancel: want no TO, have "201"`},
		"dry, whose phone":  {[]string{"originate", "1", "--vendor", "ipex", "--as", "alice", "--dry-run"}, 2, "--dry-run: want --extension"},
		"no server":         {[]string{"originate", "1", "--vendor", "ipex", "--as", "alice"}, 1, "no servers available"},
		"unknown":           {[]string{"orginate"}, 2, "did you mean originate?"},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, world(), append([]string{"call"}, test.args...)...).want(t, test.code, "", test.want)
		})
	}
}
