package ctl_test

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/switchhook/switchhook/pkg/bus"
	"github.com/switchhook/switchhook/pkg/event"
	"github.com/switchhook/switchhook/pkg/fault"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// The ids of someMissed. The second and the third begin alike for ten characters.
const (
	waiting   = "3f2a91c0-1d7e-5c55-9a3b-0c8de14d1d01"
	claimed   = "77b0c4e1-20aa-5a01-8000-000000000001"
	alike     = "77b0c4e1-21ff-5a01-8000-000000000002"
	nobodyYet = "c0ffee00-0000-5000-8000-000000000003"
	reached   = "3f2a91c0-ffff-5c55-9a3b-0c8de14d1d02"
	through   = "e1000000-0000-5000-8000-000000000004"
	closed    = "e2000000-0000-5000-8000-000000000005"
	withdrawn = "e3000000-0000-5000-8000-000000000006"
	expired   = "e4000000-0000-5000-8000-000000000007"
)

// someMissed are entries of every sort, in the order of their opening.
func someMissed() []*pbxv1.MissedCall {
	alice, bob := &pbxv1.User{Login: "alice", Email: "alice@acme.example"}, &pbxv1.User{Email: "bob@acme.example"}
	line := &pbxv1.Party{Number: "222333444", E164: "+420222333444"}
	jan := found().GetContact().GetMatch()
	jan.FallbackExtension = ""
	yesterday := timestamppb.New(time.Date(2026, 3, 9, 8, 0, 0, 0, time.UTC))
	over := func(id string, how pbxv1.MissedCall_Resolution, by *pbxv1.User, at *timestamppb.Timestamp) *pbxv1.MissedCall {
		return &pbxv1.MissedCall{
			Kind: pbxv1.MissedCall_RESOLVED, Id: id, From: &pbxv1.Party{Number: "602111222", E164: "+420602111222"}, To: line,
			MissedAt: at, OpenedAt: yesterday, Attempts: 1, Reason: pbxv1.MissedCall_RANG_OUT, Resolution: how, ResolvedBy: by, ResolvedAt: at,
		}
	}
	return []*pbxv1.MissedCall{
		over(expired, pbxv1.MissedCall_EXPIRED, nil, yesterday),
		over(reached, pbxv1.MissedCall_CALLED_BACK, alice, at(13, 50, 0)),
		over(through, pbxv1.MissedCall_GOT_THROUGH, bob, at(13, 51, 0)),
		{
			Kind: pbxv1.MissedCall_OPENED, Id: waiting, CallKeys: []string{"1412256225.1941", "1412256225.1950"},
			From: &pbxv1.Party{Number: "777123456", E164: "+420777123456"}, To: line, Queue: "NOC", Contact: jan,
			OpenedAt: at(12, 10, 0), MissedAt: at(13, 59, 18), Wait: seconds(73), Attempts: 3, AttemptsToday: 5, FailedCallbacks: 2,
			Reason: pbxv1.MissedCall_ABANDONED_QUEUE, Vendor: "ipex", Exchange: "prague", Note: "angry\x1b[2J\nvery",
		},
		{
			Kind: pbxv1.MissedCall_ACKNOWLEDGED, Id: claimed, From: &pbxv1.Party{Number: "+49301234567", E164: "+49301234567"}, To: line,
			Queue: "Sales \x1b[2J", OpenedAt: at(12, 58, 0), MissedAt: at(12, 58, 0), Attempts: 1, AttemptsToday: 1,
			Reason: pbxv1.MissedCall_OUTSIDE_HOURS, ClaimedBy: alice, ClaimedUntil: at(14, 10, 0), Vendor: "mcn",
		},
		{
			Kind: pbxv1.MissedCall_OPENED, Id: alike, From: &pbxv1.Party{Number: "anonymous"}, OpenedAt: at(13, 0, 0),
			MissedAt: at(13, 0, 0), Attempts: 1, AttemptsToday: 1, Reason: pbxv1.MissedCall_BUSY,
		},
		{Kind: pbxv1.MissedCall_OPENED, Id: nobodyYet},
		over(closed, pbxv1.MissedCall_CLOSED, bob, at(13, 52, 0)),
		over(withdrawn, pbxv1.MissedCall_WITHDRAWN, nil, at(13, 53, 0)),
	}
}

// serveMissed answers with those of someMissed that are asked for, two at a time, and tells what was asked, page after page.
func serveMissed(t *testing.T, b *bus.Bus) <-chan *pbxv1.MissedCallListRequest {
	t.Helper()
	asked := make(chan *pbxv1.MissedCallListRequest, 100)
	serve(t, b, event.QueryMissedCallList, func(q *pbxv1.MissedCallListRequest) (*pbxv1.MissedCallListResponse, error) {
		asked <- q
		if q.GetTenant() != "acme" {
			return nil, fault.New(fault.Invalid, "there is no tenant %q", q.GetTenant())
		}
		list := slices.DeleteFunc(someMissed(), func(m *pbxv1.MissedCall) bool {
			if q.GetId() != "" {
				return m.GetId() != q.GetId()
			}
			return !q.GetIncludeResolved() && m.GetResolvedAt() != nil || q.GetQueue() != "" && m.GetQueue() != q.GetQueue()
		})
		page := &pbxv1.MissedCallListResponse{}
		from, _ := strconv.Atoi(q.GetPageToken())
		to := min(from+2, len(list))
		if to < len(list) {
			page.NextPageToken = strconv.Itoa(to)
		}
		page.MissedCalls = list[from:to]
		return page, nil
	})
	return asked
}

func missedCall(t *testing.T, id string) *pbxv1.MissedCall {
	t.Helper()
	list := someMissed()
	i := slices.IndexFunc(list, func(m *pbxv1.MissedCall) bool { return m.GetId() == id })
	if i < 0 {
		t.Fatalf("want an entry %s, have none", id)
	}
	return list[i]
}

func TestMissed(t *testing.T) {
	tests := map[string]struct {
		args   []string
		asked  *pbxv1.MissedCallListRequest
		golden string
	}{
		"open":          {nil, &pbxv1.MissedCallListRequest{}, "missed.txt"},
		"of a queue":    {[]string{"--queue", "NOC"}, &pbxv1.MissedCallListRequest{Queue: "NOC"}, "missed-queue.txt"},
		"with resolved": {[]string{"--all"}, &pbxv1.MissedCallListRequest{IncludeResolved: true}, "missed-all.txt"},
		"in colour": {
			[]string{"-a", "--color", "always"},
			&pbxv1.MissedCallListRequest{IncludeResolved: true},
			"missed-in-colour.txt",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, b := start(t)
			asked := serveMissed(t, b)
			r := run(t, world(), append([]string{"missed", "ls", "--tenant", "acme"}, test.args...)...)
			r.want(t, 0, "Jan Novák, Novák a synové", "")
			golden(t, test.golden, r.stdout)
			test.asked.Tenant = "acme"
			wantAsked(t, test.asked, asked)
		})
	}
}

func TestNoMissed(t *testing.T) {
	_, b := start(t)
	serveFixed[*pbxv1.MissedCallListRequest](t, b, event.QueryMissedCallList, &pbxv1.MissedCallListResponse{})
	run(t, world(), "missed", "ls", "--tenant", "acme").want(t, 0, "no missed calls\n", "")
}

func TestMissedWatch(t *testing.T) {
	_, b := start(t)
	serveMissed(t, b)
	w := watch(t, world(), "missed", "ls")
	w.eventually(t, "4 missed calls: 3 open, 1 claimed", 2)
	w.stop(t)
}

func TestMissedJSON(t *testing.T) {
	_, b := start(t)
	serveMissed(t, b)
	r := run(t, world(), "missed", "ls", "--tenant", "acme", "--all", "--json")
	want, have := &pbxv1.MissedCallListResponse{MissedCalls: someMissed()}, new(pbxv1.MissedCallListResponse)
	if err := protojson.Unmarshal([]byte(r.stdout), have); err != nil || !proto.Equal(want, have) || len(r.lines()) != 1 {
		t.Errorf("want %v, have %v: %s", want, err, r.stdout)
	}
}

func TestMissedShow(t *testing.T) {
	tests := map[string]struct {
		id     string
		golden string
	}{
		"whole":                {waiting, "missed-show.txt"},
		"open before resolved": {"3f2a91c0", "missed-show.txt"},
		"claimed":              {"77b0c4e1-20", "missed-show-claimed.txt"},
		"resolved":             {"e2", "missed-show-resolved.txt"},
		"resolved, whole":      {closed, "missed-show-resolved.txt"},
		"little is known":      {"c0", "missed-show-little.txt"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, b := start(t)
			serveMissed(t, b)
			r := run(t, world(), "missed", "show", test.id, "--tenant", "acme")
			r.want(t, 0, "id ", "")
			golden(t, test.golden, r.stdout)
		})
	}
}

func TestMissedShowInColour(t *testing.T) {
	_, b := start(t)
	serveMissed(t, b)
	r := run(t, world(), "missed", "show", waiting, "--tenant", "acme", "--color", "always")
	r.want(t, 0, "\x1b[31mopen\x1b[0m", "")
	golden(t, "missed-show-in-colour.txt", r.stdout)
}

func TestMissedShowJSON(t *testing.T) {
	_, b := start(t)
	asked := serveMissed(t, b)
	r := run(t, world(), "missed", "show", waiting, "--tenant", "acme", "--json")
	want, have := missedCall(t, waiting), new(pbxv1.MissedCall)
	if err := protojson.Unmarshal([]byte(r.stdout), have); err != nil || !proto.Equal(want, have) || len(r.lines()) != 1 {
		t.Errorf("want %v, have %v: %s", want, err, r.stdout)
	}
	wantAsked(t, &pbxv1.MissedCallListRequest{Tenant: "acme", Id: waiting}, asked)
	if len(asked) > 0 {
		t.Errorf("want one question for a whole id, have also %v", <-asked)
	}
}

func TestMissedShowsNone(t *testing.T) {
	_, b := start(t)
	serveMissed(t, b)
	for id, want := range map[string]string{
		"77b0":      "77b0: 2 ids begin so, such as " + claimed + " and " + alike,
		"e":         "e: 4 ids begin so, such as " + expired + " and " + through,
		"ffffffff":  "ffffffff: no such id among the missed calls of acme",
		"3F2A91C0-": "no such id",
	} {
		t.Run(id, func(t *testing.T) {
			run(t, world(), "missed", "show", id, "--tenant", "acme").want(t, 1, "", want)
		})
	}
}

func TestMissedCompletion(t *testing.T) {
	_, b := start(t)
	serveMissed(t, b)
	serveFixed[*pbxv1.SilenceListRequest](t, b, event.QueryMissedCallSilences, someSilences())
	const jan = waiting + "\t+420777123456, Jan Novák, Novák a synové, NOC\n"
	tests := map[string]struct {
		args []string
		want string
		not  string
	}{
		"all that are open":  {[]string{"missed", "show", "--tenant", "acme", ""}, jan, reached},
		"the tenant of all":  {[]string{"missed", "claim", ""}, jan, reached},
		"one that begins":    {[]string{"missed", "resolve", "c0"}, nobodyYet + "\n:36\n", waiting},
		"another one":        {[]string{"missed", "release", waiting, ""}, claimed, waiting},
		"one only":           {[]string{"missed", "show", waiting, ""}, ":4\n", claimed},
		"a silence":          {[]string{"missed", "silence", "end", ""}, quiet + "\tvendor ipex; queue NOC or Sales", "c0ffee"},
		"ways":               {[]string{"missed", "silence", "--reason", ""}, "rang_out\nabandoned_ringing\n", "unspecified"},
		"whether it's known": {[]string{"missed", "silence", "--caller", ""}, "known\nunknown\n", "anybody"},
	}
	t.Setenv("SWITCHHOOK_TENANT", "acme")
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := run(t, world(), append([]string{"__complete"}, test.args...)...)
			if !strings.Contains(r.stdout, test.want) || strings.Contains(r.stdout, test.not) {
				t.Errorf("want %q and no %q, have %q", test.want, test.not, r.stdout)
			}
		})
	}
}

func TestMissedOfNoTenant(t *testing.T) {
	_, b := start(t)
	serveMissed(t, b)
	for _, args := range [][]string{{"ls"}, {"show", waiting}, {"claim", waiting, "--user", "alice"}} {
		run(t, world(), append([]string{"missed"}, append(args, "--tenant", "globex")...)...).want(t, 1, "", `there is no tenant "globex"`)
	}
}

func TestMissedCommandLine(t *testing.T) {
	t.Setenv("SWITCHHOOK_NATS", nowhere(t))
	run(t, world(), "missed").want(t, 0, "silence", "")
	run(t, world(), "missed", "ls").want(t, 2, "", `required flag(s) "tenant" not set`)
	t.Setenv("SWITCHHOOK_TENANT", "acme")
	for name, test := range map[string]struct {
		args []string
		code int
		want string
	}{
		"unknown":            {[]string{"clam"}, 2, `unknown command "clam", did you mean claim?`},
		"list":               {[]string{"ls"}, 1, "no servers available"},
		"list something":     {[]string{"ls", "NOC"}, 2, `unknown command "NOC"`},
		"list too often":     {[]string{"ls", "-w", "--every", "1ms"}, 2, "--every: want 100ms to 1h"},
		"show nothing":       {[]string{"show"}, 2, "accepts 1 arg(s)"},
		"show anything":      {[]string{"show", ""}, 2, "an id is empty"},
		"claim nothing":      {[]string{"claim", "--user", "alice"}, 2, "requires at least 1 arg(s)"},
		"claim anything":     {[]string{"claim", waiting, "", "--user", "alice"}, 2, "an id is empty"},
		"nobody claims":      {[]string{"claim", waiting}, 2, `required flag(s) "user" not set`},
		"an empty person":    {[]string{"release", waiting, "--user", ""}, 2, "--user is empty"},
		"an empty note":      {[]string{"resolve", waiting, "--user", "alice", "--note", ""}, 2, "--note is empty"},
		"claim":              {[]string{"claim", waiting, "--user", "alice"}, 1, "no servers available"},
		"for how long":       {[]string{"silence"}, 2, `required flag(s) "for" not set`},
		"for no time":        {[]string{"silence", "--for", "0h"}, 2, "want a duration such as 15m, 24h or 7d"},
		"for ever":           {[]string{"silence", "--for", "all"}, 2, "want a duration such as 15m, 24h or 7d"},
		"an empty queue":     {[]string{"silence", "--for", "1h", "--queue", ""}, 2, "--queue: a value is empty"},
		"one empty queue":    {[]string{"silence", "--for", "1h", "--queue", "NOC,"}, 2, "--queue: a value is empty"},
		"an empty beginning": {[]string{"silence", "--for", "1h", "--from", "", "--dialled", "1"}, 2, "--from: a value is empty"},
		"another vendor":     {[]string{"silence", "--for", "1h", "--vendor", "avaya"}, 2, `--vendor: want some of ipex, mcn, xvb, have "avaya"`},
		"another way":        {[]string{"silence", "--for", "1h", "--reason", "asleep"}, 2, "want some of rang_out, abandoned_ringing"},
		"an unknown way":     {[]string{"silence", "--for", "1h", "--reason", "reason_unspecified"}, 2, "want some of rang_out"},
		"another caller":     {[]string{"silence", "--for", "1h", "--caller", "anybody"}, 2, "want known or unknown"},
		"silence a queue":    {[]string{"silence", "NOC", "--for", "1h"}, 2, `unknown command "NOC"`},
		"end nothing":        {[]string{"silence", "end"}, 2, "accepts 1 arg(s)"},
		"end anything":       {[]string{"silence", "end", ""}, 2, "an id is empty"},
		"silences":           {[]string{"silence", "ls"}, 1, "no servers available"},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, world(), append([]string{"missed"}, test.args...)...).want(t, test.code, "", test.want)
		})
	}
}
