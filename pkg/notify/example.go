package notify

import (
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/switchhook/switchhook/pkg/fault"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// try writes every kind of message in every language, of examples with all and with nothing known, and says every reason and
// resolution there is.
func (t *Templates) try() error {
	examples := map[Kind][]Data{}
	for _, kind := range Kinds() {
		examples[kind] = []Data{Example(kind), {Entries: []*pbxv1.MissedCall{{}}}}
	}
	for reason := range pbxv1.MissedCall_Reason_name {
		m := &pbxv1.MissedCall{Reason: pbxv1.MissedCall_Reason(reason)}
		examples[Opened] = append(examples[Opened], Data{Entries: []*pbxv1.MissedCall{m}})
	}
	for resolution := range pbxv1.MissedCall_Resolution_name {
		m := &pbxv1.MissedCall{Resolution: pbxv1.MissedCall_Resolution(resolution)}
		examples[Resolved] = append(examples[Resolved], Data{Entries: []*pbxv1.MissedCall{m}})
	}
	for _, lang := range Languages() {
		for _, kind := range Kinds() {
			for _, d := range examples[kind] {
				if _, err := t.Render(lang, kind, d); err != nil {
					return fault.New(fault.Invalid, "templates: try with an example: %w", err)
				}
			}
		}
	}
	return nil
}

// Example returns data of an invented caller, as a message of that kind may have them: to try templates and channels with.
func Example(kind Kind) Data {
	opened := time.Date(2026, 3, 9, 13, 5, 12, 0, time.UTC)
	m := &pbxv1.MissedCall{
		Id: "0197-example", CallKeys: []string{"example"}, Queue: "support", Attempts: 3, AttemptsToday: 4,
		From: &pbxv1.Party{Number: "777888999", E164: "+420777888999"}, To: &pbxv1.Party{Number: "222333444", E164: "+420222333444"},
		OpenedAt: timestamppb.New(opened), MissedAt: timestamppb.New(opened.Add(6 * time.Minute)), Wait: durationpb.New(83 * time.Second),
		Contact: &pbxv1.ContactMatch{Name: "Jan Novák", Organisation: "Globex s.r.o.", Url: "https://crm.example/contacts/17"},
		Reason:  pbxv1.MissedCall_ABANDONED_QUEUE, Note: "wants an offer", FailedCallbacks: 1,
		ClaimedBy: &pbxv1.User{Login: "dvorak"}, ClaimedUntil: timestamppb.New(opened.Add(time.Hour)),
	}
	switch kind {
	case Resolved:
		m.Resolution, m.ResolvedBy = pbxv1.MissedCall_CALLED_BACK, &pbxv1.User{Login: "dvorak"}
	case Withdrawn:
		m.Resolution, m.ResolvedBy = pbxv1.MissedCall_WITHDRAWN, &pbxv1.User{Login: "dvorak"}
	}
	d := Data{
		Tenant: "acme", Region: "CZ", Location: time.UTC, Now: opened.Add(36 * time.Minute), Level: "supervisor",
		Link: "https://pbx.example/missed/{id}", Entries: []*pbxv1.MissedCall{m},
	}
	if kind == Digest {
		d.Since = opened.Add(-time.Hour)
		d.Entries = append(d.Entries,
			&pbxv1.MissedCall{
				Id: "0198-example", From: &pbxv1.Party{E164: "+421905123456"}, MissedAt: timestamppb.New(opened.Add(20 * time.Minute)),
				Attempts: 1, Wait: durationpb.New(12 * time.Second), Reason: pbxv1.MissedCall_RANG_OUT,
			},
			&pbxv1.MissedCall{
				Id: "0199-example", From: &pbxv1.Party{Number: "anonymous"}, MissedAt: timestamppb.New(opened.Add(25 * time.Minute)),
				Attempts: 1, Reason: pbxv1.MissedCall_OUTSIDE_HOURS,
			})
	}
	return d
}
