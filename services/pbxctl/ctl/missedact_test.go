package ctl_test

import (
	"strings"
	"sync/atomic"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/switchhook/switchhook/pkg/bus"
	"github.com/switchhook/switchhook/pkg/event"
	"github.com/switchhook/switchhook/pkg/fault"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// serveActs does what people ask for, as missed-call does, but refuses what somebody else has claimed.
func serveActs(t *testing.T, b *bus.Bus) <-chan *pbxv1.MissedCallActRequest {
	t.Helper()
	asked := make(chan *pbxv1.MissedCallActRequest, 100)
	serve(t, b, event.QueryMissedCallAct, func(q *pbxv1.MissedCallActRequest) (*pbxv1.MissedCallActResponse, error) {
		asked <- q
		m := missedCall(t, q.GetId())
		switch q.GetAction() {
		case pbxv1.MissedCallActRequest_RESOLVE:
			m.Kind, m.Resolution, m.ResolvedBy = pbxv1.MissedCall_RESOLVED, pbxv1.MissedCall_CLOSED, q.GetUser()
			m.ResolvedAt = at(14, 0, 0)
		case pbxv1.MissedCallActRequest_RELEASE:
			m.ClaimedBy, m.ClaimedUntil = nil, nil
		default:
			if m.GetClaimedBy() != nil {
				return nil, fault.New(fault.Conflict, "claim missed call %s: alice has claimed it until 2026-03-10T14:10:00Z", q.GetId())
			}
			m.ClaimedBy, m.ClaimedUntil = q.GetUser(), at(14, 15, 0)
		}
		return &pbxv1.MissedCallActResponse{MissedCall: m}, nil
	})
	return asked
}

func TestMissedActs(t *testing.T) {
	login := func(name string) *pbxv1.User { return &pbxv1.User{Login: name} }
	tests := map[string]struct {
		args   []string
		asked  []*pbxv1.MissedCallActRequest
		golden string
	}{
		"claim": {
			[]string{"claim", "3f2a91c0", "--user", "bob@acme.example", "--note", "after lunch"},
			[]*pbxv1.MissedCallActRequest{{
				Id: waiting, Action: pbxv1.MissedCallActRequest_CLAIM, User: &pbxv1.User{Email: "bob@acme.example"}, Note: "after lunch",
			}},
			"missed-claim.txt",
		},
		"claim two": {
			[]string{"claim", waiting, "c0", "--user", "bob\x1b", "--color", "always"},
			[]*pbxv1.MissedCallActRequest{
				{Id: waiting, Action: pbxv1.MissedCallActRequest_CLAIM, User: login("bob\x1b")},
				{Id: nobodyYet, Action: pbxv1.MissedCallActRequest_CLAIM, User: login("bob\x1b")},
			},
			"missed-claim-in-colour.txt",
		},
		"release": {
			[]string{"release", "77b0c4e1-20", "--user", "alice"},
			[]*pbxv1.MissedCallActRequest{{Id: claimed, Action: pbxv1.MissedCallActRequest_RELEASE, User: login("alice")}},
			"missed-release.txt",
		},
		"resolve": {
			[]string{"resolve", "77b0c4e1-20", "--user", "carol"},
			[]*pbxv1.MissedCallActRequest{{Id: claimed, Action: pbxv1.MissedCallActRequest_RESOLVE, User: login("carol")}},
			"missed-resolve.txt",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, b := start(t)
			serveMissed(t, b)
			asked := serveActs(t, b)
			r := run(t, world(), append([]string{"missed"}, append(test.args, "--tenant", "acme")...)...)
			r.want(t, 0, "\n", "")
			golden(t, test.golden, r.stdout)
			for _, want := range test.asked {
				want.Tenant = "acme"
				wantAsked(t, want, asked)
			}
			if len(asked) > 0 {
				t.Errorf("want no more asked, have %v", <-asked)
			}
		})
	}
}

func TestMissedActJSON(t *testing.T) {
	_, b := start(t)
	serveMissed(t, b)
	serveActs(t, b)
	r := run(t, world(), "missed", "release", claimed, waiting, "--tenant", "acme", "--user", "alice", "--json")
	r.want(t, 0, "{", "")
	if len(r.lines()) != 2 {
		t.Fatalf("want a line for each entry, have %s", r.stdout)
	}
	want, have := missedCall(t, claimed), new(pbxv1.MissedCall)
	want.ClaimedBy, want.ClaimedUntil = nil, nil
	if err := protojson.Unmarshal([]byte(r.lines()[0]), have); err != nil || !proto.Equal(want, have) {
		t.Errorf("want %v, have %v (%v)", want, have, err)
	}
}

// What is refused does not keep the others from being done.
func TestMissedActConflict(t *testing.T) {
	_, b := start(t)
	serveMissed(t, b)
	serveActs(t, b)
	r := run(t, world(), "missed", "claim", claimed, waiting, "--tenant", "acme", "--user", "bob")
	r.want(t, 1, "claimed by bob until 14:15:00", "claim missed call "+claimed+": alice has claimed it until 2026-03-10T14:10:00Z\n")
	if want := "pbxctl missed claim: claim missed call"; !strings.HasPrefix(r.stderr, want) {
		t.Errorf("want nothing of subjects, have %s", r.stderr)
	}
}

// Nothing is done as long as it is not clear to what.
func TestMissedActOnWhat(t *testing.T) {
	_, b := start(t)
	serveMissed(t, b)
	asked := serveActs(t, b)
	run(t, world(), "missed", "resolve", waiting, "77b0", "f", "--tenant", "acme", "--user", "bob").want(t, 1, "",
		"77b0: 2 ids begin so, such as "+claimed+" and "+alike+"\nf: no such id among the missed calls of acme")
	if len(asked) > 0 {
		t.Errorf("want nothing done, have %v", <-asked)
	}
}

func TestMissedActWithoutService(t *testing.T) {
	server, b := start(t)
	serveMissed(t, b)
	run(t, world(), "missed", "resolve", waiting, claimed, "--tenant", "acme", "--user", "bob").want(t, 1, "",
		"missed-call does not answer at "+server.URL()+"; is it running?")
	var asked atomic.Int32
	serve(t, b, event.QueryMissedCallAct, func(*pbxv1.MissedCallActRequest) (*pbxv1.MissedCallActResponse, error) {
		asked.Add(1)
		return nil, fault.New(fault.Unavailable, "still reading the stream")
	})
	run(t, world(), "missed", "resolve", waiting, claimed, "--tenant", "acme", "--user", "bob").want(t, 1, "", "still reading the stream")
	if n := asked.Load(); n != 1 {
		t.Errorf("want one question to a service that is away, have %d", n)
	}
}
