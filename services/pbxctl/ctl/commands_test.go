package ctl_test

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/switchhook/switchhook/pkg/bus"
	"github.com/switchhook/switchhook/pkg/bustest"
	"github.com/switchhook/switchhook/pkg/command"
	"github.com/switchhook/switchhook/pkg/vendors"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

func TestCapabilities(t *testing.T) {
	t.Setenv("SWITCHHOOK_NATS", nowhere(t))
	r := run(t, world(), "commands", "capabilities")
	r.want(t, 0, "transfer.blind", "")
	golden(t, "capabilities.txt", r.stdout)
	var have map[string][]command.Capability
	if err := json.Unmarshal([]byte(run(t, world(), "commands", "capabilities", "--json").stdout), &have); err != nil {
		t.Fatal(err)
	}
	for vendor, want := range vendors.Capabilities() {
		if !slices.Equal(want, have[vendor]) {
			t.Errorf("%s: want %v, have %v", vendor, want, have[vendor])
		}
	}
}

// someAudit are entries of acme's audit.
func someAudit() []*pbxv1.CommandAudit {
	alice := &pbxv1.User{Login: "alice"}
	originate := &pbxv1.CommandRequest{
		IdempotencyKey: "k1", Exchange: "prague", User: alice, Extension: "200",
		Action: &pbxv1.CommandRequest_Originate{Originate: &pbxv1.Originate{To: "777123456"}},
	}
	again := proto.CloneOf(originate)
	again.Exchange, again.Extension = "", ""
	hangup := &pbxv1.CommandRequest{
		Extension: "201", Action: &pbxv1.CommandRequest_Hangup{Hangup: &pbxv1.Hangup{CallId: "1412256225.1941"}},
	}
	transfer := &pbxv1.CommandRequest{
		User: &pbxv1.User{Email: "bob@acme.example"}, Extension: "202", Exchange: "prague",
		Action: &pbxv1.CommandRequest_Transfer{Transfer: &pbxv1.Transfer{Mode: pbxv1.Transfer_ATTENDED_CANCEL}},
	}
	refused := &pbxv1.CommandReply{Reason: "mcn cannot end calls\x1b[2J"}
	before := &pbxv1.CommandReply{Accepted: true, Reason: "taken at 13:00", Previous: cameOf(pbxv1.Command_DONE, "originate", "")}
	entries := []*pbxv1.CommandAudit{
		{CommandId: "01980000-a", Request: originate, ReceivedAt: at(13, 0, 0), Reply: accepted()},
		{CommandId: "01980000-a", Request: originate, ReceivedAt: at(13, 0, 0), Outcome: cameOf(pbxv1.Command_DONE, "originate", "")},
		{CommandId: "01980001-b", Request: again, ReceivedAt: at(13, 1, 0), Reply: before},
		{CommandId: "01980002-c", Request: hangup, ReceivedAt: at(13, 2, 0), Reply: refused, Vendor: "mcn"},
		{CommandId: "01980003-d", Request: transfer, ReceivedAt: at(13, 3, 0), Reply: &pbxv1.CommandReply{Accepted: true, Reason: "no answer"}},
		{CommandId: "01980003-d", Request: transfer, ReceivedAt: at(13, 3, 0), Outcome: cameOf(pbxv1.Command_UNKNOWN, "transfer", "no answer")},
		{CommandId: "e", Request: &pbxv1.CommandRequest{}, ReceivedAt: at(13, 4, 0), Reply: &pbxv1.CommandReply{Reason: "no key"}},
	}
	for _, entry := range entries {
		entry.Tenant = "acme"
		if entry.Vendor == "" {
			entry.Vendor = "ipex"
		}
	}
	return entries
}

func audit(t *testing.T, b *bus.Bus, entries ...*pbxv1.CommandAudit) {
	t.Helper()
	for i, entry := range entries {
		if err := b.Audit(t.Context(), fmt.Sprint(entry.GetTenant(), i), entry); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAudit(t *testing.T) {
	_, b := start(t)
	elsewhere := proto.CloneOf(someAudit()[0])
	elsewhere.Tenant = "globex"
	audit(t, b, elsewhere)
	audit(t, b, someAudit()...)
	for file, color := range map[string]string{"audit.txt": "never", "audit-in-colour.txt": "always"} {
		r := run(t, world(), "commands", "audit", "--tenant", "acme", "--since", "all", "--color", color)
		r.want(t, 0, "taken before", "")
		// An outcome has the time when it was stored, which is that of the test.
		stored := regexp.MustCompile(`\d{4}-\d\d-\d\d \d\d:\d\d:\d\d`)
		golden(t, file, stored.ReplaceAllString(r.stdout, "(when it was stored)"))
	}
	o := world()
	o.Now = func() time.Time { return time.Now().Add(48 * time.Hour) }
	run(t, o, "commands", "audit", "--tenant", "acme").want(t, 0, "no commands\n", "")
}

func TestAuditEmpty(t *testing.T) {
	start(t)
	run(t, world(), "commands", "audit", "--tenant", "acme").want(t, 0, "no commands\n", "")
	run(t, world(), "commands", "audit", "--tenant", "acme", "--json").want(t, 0, "", "")
}

func TestAuditJSON(t *testing.T) {
	_, b := start(t)
	audit(t, b, someAudit()...)
	r := run(t, world(), "commands", "audit", "--tenant", "acme", "--since", "all", "--json")
	if len(r.lines()) != len(someAudit()) {
		t.Fatalf("want a line for each of %d, have %s", len(someAudit()), r.stdout)
	}
	for i, want := range someAudit() {
		var line struct {
			Subject string
			Seq     uint64
			Audit   json.RawMessage
		}
		have := new(pbxv1.CommandAudit)
		if err := json.Unmarshal([]byte(r.lines()[i]), &line); err != nil {
			t.Fatal(err)
		}
		if err := protojson.Unmarshal(line.Audit, have); err != nil || !proto.Equal(want, have) {
			t.Errorf("want %v, have %v (%v)", want, have, err)
		}
		if want := "pbx.audit." + want.GetVendor() + ".acme.command"; line.Subject != want || line.Seq != uint64(i+1) {
			t.Errorf("want %d on %s, have %s", i+1, want, r.lines()[i])
		}
	}
}

func TestAuditFollow(t *testing.T) {
	_, b := start(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var stdout, stderr safeBuffer
	code := make(chan int, 1)
	go func() {
		code <- runTo(ctx, world(), &stdout, &stderr, "commands", "audit", "--tenant", "acme", "--since", "all", "--follow")
	}()
	for i, entry := range someAudit()[:2] {
		if err := b.Audit(t.Context(), fmt.Sprint(i), entry); err != nil {
			t.Fatal(err)
		}
		bustest.Eventually(t, "a line", func() bool { return len(regexp.MustCompile("\n").FindAllString(stdout.String(), -1)) == i+1 })
	}
	cancel()
	if have := <-code; have != 0 || stderr.String() != "" {
		t.Errorf("want exit code 0, have %d: %s", have, stderr.String())
	}
}

func TestAuditCommandLine(t *testing.T) {
	t.Setenv("SWITCHHOOK_NATS", nowhere(t))
	run(t, world(), "commands", "audit").want(t, 2, "", `required flag(s) "tenant" not set`)
	run(t, world(), "commands", "audit", "--tenant", "acme", "--since", "0d").want(t, 2, "", "want all, or a duration")
	run(t, world(), "commands", "capabilities", "mcn").want(t, 2, "", `unknown command "mcn"`)
	run(t, world(), "commands", "audit", "--tenant", "acme").want(t, 1, "", "no servers available")
}
