package ctl_test

import (
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/switchhook/switchhook/pkg/event"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

func micros(n int64) *durationpb.Duration { return durationpb.New(time.Duration(n) * time.Microsecond) }

// found is an answer with all there can be.
func found() *pbxv1.ContactLookupResponse {
	jan := &pbxv1.ContactMatch{
		Name: "Jan Novák", Organisation: "Novák a synové", ResponsibleExtension: "200", ResponsibleEmail: "alice@acme.example",
		Url: "https://crm.example/contact/17", Directory: "crm", MatchedNumber: "777 123 456", MatchedForm: "spaced",
		FallbackExtension: "201",
	}
	eva := &pbxv1.ContactMatch{Name: "Eva Nováková", Directory: "people", MatchedNumber: "+420777123456", MatchedForm: "e164"}
	shop := &pbxv1.ContactMatch{Name: "Shop \x1b[2J", Organisation: "Novák a synové", Directory: "people", MatchedForm: "e164"}
	return &pbxv1.ContactLookupResponse{
		Contact: &pbxv1.Contact{
			Kind: pbxv1.Contact_RESOLVED, Party: &pbxv1.Party{Number: "777123456", E164: "+420777123456"}, Match: jan,
			Alternatives: []*pbxv1.ContactMatch{eva, shop},
		},
		Trace: &pbxv1.ContactTrace{
			Source: pbxv1.ContactTrace_STALE_CACHE, AskedAt: at(12, 29, 59), Took: micros(1500),
			Reason: "crm stands first in the configuration",
			Forms: []*pbxv1.NumberForm{
				{Name: "e164", Number: "+420777123456"},
				{Name: "international", Number: "00420777123456"},
				{Name: "spaced", Number: "777 123 456"},
			},
			Answers: []*pbxv1.DirectoryAnswer{
				{
					Directory: "crm", Type: "http", Outcome: pbxv1.DirectoryAnswer_FOUND, Took: micros(34567),
					Matches: []*pbxv1.ContactMatch{jan},
				},
				{
					Directory: "people", Type: "file", Outcome: pbxv1.DirectoryAnswer_FOUND, Took: micros(40),
					Matches: []*pbxv1.ContactMatch{eva, shop},
				},
				{Directory: "old-people", Type: "file", Outcome: pbxv1.DirectoryAnswer_NOT_FOUND, Took: micros(9940)},
				{Directory: "erp", Type: "sql", Outcome: pbxv1.DirectoryAnswer_TIMED_OUT, Took: micros(2000000)},
				{
					Directory: "hubspot", Type: "hubspot", Outcome: pbxv1.DirectoryAnswer_FAILED, Took: micros(12000),
					Error: "answered 401\nno access",
				},
				{Directory: "raynet", Type: "raynet", Outcome: pbxv1.DirectoryAnswer_BROKEN},
			},
		},
	}
}

func nobodyKnows() *pbxv1.ContactLookupResponse {
	return &pbxv1.ContactLookupResponse{
		Contact: &pbxv1.Contact{Kind: pbxv1.Contact_UNKNOWN, Party: &pbxv1.Party{Number: "777123456", E164: "+420777123456"}},
		Trace: &pbxv1.ContactTrace{
			Source: pbxv1.ContactTrace_DIRECTORIES, AskedAt: at(14, 0, 0), Took: micros(2100), Reason: "no directory knows it",
			Forms: []*pbxv1.NumberForm{{Name: "e164", Number: "+420777123456"}},
			Answers: []*pbxv1.DirectoryAnswer{
				{Directory: "people", Type: "file", Outcome: pbxv1.DirectoryAnswer_NOT_FOUND, Took: micros(100)},
			},
		},
	}
}

func TestContactLookup(t *testing.T) {
	notAsked := nobodyKnows()
	notAsked.Contact.Party = nil
	notAsked.Trace = &pbxv1.ContactTrace{Source: pbxv1.ContactTrace_NOT_ASKED, Reason: "it is an extension", Took: micros(3)}
	tests := map[string]struct {
		answer *pbxv1.ContactLookupResponse
		args   []string
		asked  *pbxv1.ContactLookupRequest
		golden string
	}{
		"found": {found(), nil, &pbxv1.ContactLookupRequest{Timeout: seconds(5), Explain: true}, "lookup.txt"},
		"explained": {
			found(),
			[]string{"--explain", "--timeout", "3s"},
			&pbxv1.ContactLookupRequest{Timeout: seconds(3), Explain: true}, "lookup-explain.txt",
		},
		"in colour": {
			found(),
			[]string{"--explain", "--refresh", "--color", "always"},
			&pbxv1.ContactLookupRequest{Timeout: seconds(5), Explain: true, Refresh: true}, "lookup-in-colour.txt",
		},
		"unknown": {nobodyKnows(), nil, &pbxv1.ContactLookupRequest{Timeout: seconds(5), Explain: true}, "lookup-unknown.txt"},
		"unknown, explained": {
			nobodyKnows(),
			[]string{"--explain"},
			&pbxv1.ContactLookupRequest{Timeout: seconds(5), Explain: true}, "lookup-unknown-explain.txt",
		},
		"not asked": {
			notAsked,
			[]string{"--explain"},
			&pbxv1.ContactLookupRequest{Timeout: seconds(5), Explain: true}, "lookup-not-asked.txt",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, b := start(t)
			asked := serveFixed[*pbxv1.ContactLookupRequest](t, b, event.QueryContactLookup, test.answer)
			r := run(t, world(), append([]string{"contact", "lookup", "777 123 456", "--tenant", "acme"}, test.args...)...)
			r.want(t, 0, "7", "")
			golden(t, test.golden, r.stdout)
			test.asked.Tenant, test.asked.Number = "acme", "777 123 456"
			wantAsked(t, test.asked, asked)
		})
	}
}

func TestContactLookupOnANarrowTerminal(t *testing.T) {
	_, b := start(t)
	serveFixed[*pbxv1.ContactLookupRequest](t, b, event.QueryContactLookup, found())
	r := run(t, onTerminal(80), "contact", "lookup", "777123456", "--tenant", "acme", "--explain", "--color", "never")
	r.want(t, 0, "Jan Novák, Novák a synov", "")
	golden(t, "lookup-narrow.txt", r.stdout)
}

func TestContactLookupJSON(t *testing.T) {
	_, b := start(t)
	asked := serveFixed[*pbxv1.ContactLookupRequest](t, b, event.QueryContactLookup, found())
	r := run(t, onTerminal(80), "contact", "lookup", "777123456", "--tenant", "acme", "--explain", "--json")
	r.want(t, 0, "{", "")
	wantAsked(t, &pbxv1.ContactLookupRequest{Tenant: "acme", Number: "777123456", Timeout: seconds(5), Explain: true}, asked)
	run(t, world(), "contact", "lookup", "777123456", "--tenant", "acme", "--json").want(t, 0, "{", "")
	wantAsked(t, &pbxv1.ContactLookupRequest{Tenant: "acme", Number: "777123456", Timeout: seconds(5)}, asked)
	have := new(pbxv1.ContactLookupResponse)
	if err := protojson.Unmarshal([]byte(r.stdout), have); err != nil || !proto.Equal(found(), have) || len(r.lines()) != 1 {
		t.Errorf("want %v, have %v: %s", found(), err, r.stdout)
	}
}

func TestContactForget(t *testing.T) {
	_, b := start(t)
	asked := serveFixed[*pbxv1.ContactInvalidateRequest](t, b, event.QueryContactInvalidate,
		&pbxv1.ContactInvalidateResponse{Forgotten: 3})
	run(t, world(), "contact", "forget", "777123456", "--tenant", "acme").want(t, 0, "3 forgotten\n", "")
	wantAsked(t, &pbxv1.ContactInvalidateRequest{Tenant: "acme", Number: "777123456"}, asked)
	run(t, world(), "contact", "forget", "--tenant", "acme").want(t, 0, "3 forgotten\n", "")
	wantAsked(t, &pbxv1.ContactInvalidateRequest{Tenant: "acme"}, asked)
}
