package ctl_test

import (
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/switchhook/switchhook/pkg/bus"
	"github.com/switchhook/switchhook/pkg/event"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// The ids of someSilences.
const (
	quiet    = "5b1c77aa-0000-7000-8000-000000000001"
	quietToo = "5b1c77aa-0000-7000-8000-000000000002"
	allQuiet = "60000000-0000-7000-8000-000000000003"
)

// someSilences are a silence with all there can be, one of everything, and one that has not begun.
func someSilences() *pbxv1.SilenceListResponse {
	return &pbxv1.SilenceListResponse{Silences: []*pbxv1.Silence{
		{
			Id: quiet, Tenant: "acme", Queues: []string{"NOC", "Sales"}, Vendors: []string{"ipex"}, Dialled: []string{"+420222"},
			From: []string{"+420777", "602"}, Reasons: []pbxv1.MissedCall_Reason{pbxv1.MissedCall_RANG_OUT, pbxv1.MissedCall_BUSY},
			Caller: pbxv1.Silence_UNKNOWN, BeginsAt: at(13, 0, 0), EndsAt: at(14, 30, 0), CreatedBy: &pbxv1.User{Login: "alice"},
			Note: "new exchange\x1b[2J",
		},
		{Id: allQuiet, Tenant: "acme", BeginsAt: at(12, 0, 0), EndsAt: at(18, 0, 0)},
		{
			Id: quietToo, Tenant: "acme", Caller: pbxv1.Silence_KNOWN, BeginsAt: at(20, 0, 0),
			EndsAt: timestamppb.New(time.Date(2026, 3, 11, 6, 0, 0, 0, time.UTC)),
		},
	}}
}

// servePuts keeps silences as they are wanted.
func servePuts(t *testing.T, b *bus.Bus) <-chan *pbxv1.SilencePutRequest {
	t.Helper()
	asked := make(chan *pbxv1.SilencePutRequest, 100)
	serve(t, b, event.QueryMissedCallSilence, func(q *pbxv1.SilencePutRequest) (*pbxv1.SilencePutResponse, error) {
		asked <- proto.CloneOf(q)
		if q.GetSilence().GetId() == "" {
			q.Silence.Id, q.Silence.BeginsAt = quiet, at(14, 0, 0)
		}
		return &pbxv1.SilencePutResponse{Silence: q.GetSilence()}, nil
	})
	return asked
}

func TestSilence(t *testing.T) {
	tests := map[string]struct {
		args   []string
		asked  *pbxv1.Silence
		golden string
	}{
		"all": {[]string{"--for", "1d1h"}, &pbxv1.Silence{EndsAt: timestamppb.New(world().Now().Add(25 * time.Hour))}, "silence-all.txt"},
		"some": {
			[]string{
				"--for", "2h", "--queue", "NOC,Sales", "--vendor", "ipex", "--vendor", "mcn", "--dialled", "+420222", "--from", "+420777,602",
				"--reason", "rang-out,Busy", "--caller", "unknown", "--note", "new exchange", "--user", "alice", "--color", "always",
			},
			&pbxv1.Silence{
				EndsAt: at(16, 0, 0), Queues: []string{"NOC", "Sales"}, Vendors: []string{"ipex", "mcn"}, Dialled: []string{"+420222"},
				From: []string{"+420777", "602"}, Reasons: []pbxv1.MissedCall_Reason{pbxv1.MissedCall_RANG_OUT, pbxv1.MissedCall_BUSY},
				Caller: pbxv1.Silence_UNKNOWN, Note: "new exchange", CreatedBy: &pbxv1.User{Login: "alice"},
			},
			"silence-in-colour.txt",
		},
		"those who are known": {
			[]string{"--for", "15m", "--caller", "known", "--user", "alice@acme.example"},
			&pbxv1.Silence{
				EndsAt: at(14, 15, 0), Caller: pbxv1.Silence_KNOWN, CreatedBy: &pbxv1.User{Email: "alice@acme.example"},
			},
			"silence-known.txt",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, b := start(t)
			asked := servePuts(t, b)
			r := run(t, world(), append([]string{"missed", "silence", "--tenant", "acme"}, test.args...)...)
			r.want(t, 0, "until", "")
			golden(t, test.golden, r.stdout)
			test.asked.Tenant = "acme"
			wantAsked(t, &pbxv1.SilencePutRequest{Silence: test.asked}, asked)
		})
	}
}

func TestSilenceJSON(t *testing.T) {
	_, b := start(t)
	servePuts(t, b)
	r := run(t, world(), "missed", "silence", "--tenant", "acme", "--for", "1h", "--json")
	want, have := &pbxv1.Silence{Id: quiet, Tenant: "acme", BeginsAt: at(14, 0, 0), EndsAt: at(15, 0, 0)}, new(pbxv1.Silence)
	if err := protojson.Unmarshal([]byte(r.stdout), have); err != nil || !proto.Equal(want, have) || len(r.lines()) != 1 {
		t.Errorf("want %v, have %v: %s", want, err, r.stdout)
	}
}

func TestSilences(t *testing.T) {
	_, b := start(t)
	asked := serveFixed[*pbxv1.SilenceListRequest](t, b, event.QueryMissedCallSilences, someSilences())
	r := run(t, world(), "missed", "silence", "ls", "--tenant", "acme")
	r.want(t, 0, "3 silences\n", "")
	golden(t, "silences.txt", r.stdout)
	wantAsked(t, &pbxv1.SilenceListRequest{Tenant: "acme"}, asked)
	r = run(t, world(), "missed", "silence", "ls", "--tenant", "acme", "--json")
	have := new(pbxv1.SilenceListResponse)
	if err := protojson.Unmarshal([]byte(r.stdout), have); err != nil || !proto.Equal(someSilences(), have) || len(r.lines()) != 1 {
		t.Errorf("want %v, have %v: %s", someSilences(), err, r.stdout)
	}
}

func TestFewSilences(t *testing.T) {
	_, b := start(t)
	list := someSilences().GetSilences()
	serve(t, b, event.QueryMissedCallSilences, func(*pbxv1.SilenceListRequest) (*pbxv1.SilenceListResponse, error) {
		list = list[:len(list)-1]
		if len(list) == 2 {
			list = list[:1]
		}
		return &pbxv1.SilenceListResponse{Silences: list}, nil
	})
	run(t, world(), "missed", "silence", "ls", "--tenant", "acme").want(t, 0, "\n1 silence\n", "")
	run(t, world(), "missed", "silence", "ls", "--tenant", "acme").want(t, 0, "no silences\n", "")
}

func TestSilenceEnd(t *testing.T) {
	_, b := start(t)
	serveFixed[*pbxv1.SilenceListRequest](t, b, event.QueryMissedCallSilences, someSilences())
	asked := servePuts(t, b)
	run(t, world(), "missed", "silence", "end", "6", "--tenant", "acme").want(t, 0, allQuiet+"  all missed calls  ended\n", "")
	want := someSilences().GetSilences()[1]
	want.EndsAt = at(14, 0, 0)
	wantAsked(t, &pbxv1.SilencePutRequest{Silence: want}, asked)
	run(t, world(), "missed", "silence", "end", "5b1c", "--tenant", "acme").want(t, 1, "",
		"5b1c: 2 ids begin so, such as "+quiet+" and "+quietToo)
	run(t, world(), "missed", "silence", "end", "7", "--tenant", "acme").want(t, 1, "", "7: no such id among the silences of acme")
	if len(asked) > 0 {
		t.Errorf("want nothing else ended, have %v", <-asked)
	}
}
