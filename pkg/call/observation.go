package call

import (
	"cmp"
	"strings"
	"time"

	"github.com/switchhook/switchhook/pkg/event"
	"github.com/switchhook/switchhook/pkg/phone"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// observation is what one event says of a call. Two events that say the same of the same moment are one observation.
type observation struct {
	arrival     uint64 // counts what was applied; names calls, and is no part of what is said
	at          time.Time
	*pbxv1.Call // never changed
}

func observe(ev *pbxv1.Event, arrival uint64) *observation {
	return &observation{arrival: arrival, at: ev.GetTime().AsTime(), Call: ev.GetCall()}
}

// extensionOf returns the number of a party that is an extension, and nothing for others.
func extensionOf(p *pbxv1.Party) string {
	if p.GetNumber() == "" || p.GetE164() != "" || phone.Parse(p.GetNumber(), "").Kind != phone.Extension {
		return ""
	}
	return p.GetNumber()
}

// rank orders what happens at one moment as a call does it.
func (o *observation) rank() int {
	switch {
	case o.isTransfer():
		return int(pbxv1.Call_ENDED)
	case o.GetKind() == pbxv1.Call_ENDED:
		return int(pbxv1.Call_TRANSFER_CANCELLED)
	}
	return int(o.GetKind())
}

// isRecord reports whether the observation is about the whole call. Its time is none at which something happened.
func (o *observation) isRecord() bool { return o.GetKind() == pbxv1.Call_RECORDED }

func (o *observation) isTransfer() bool {
	return o.GetKind() == pbxv1.Call_TRANSFERRED || o.GetKind() == pbxv1.Call_TRANSFER_CANCELLED
}

// isBarge reports whether somebody listens in, which is neither a call's direction nor an answer.
func (o *observation) isBarge() bool { return o.GetDirection() == pbxv1.Call_BARGE }

// compare orders observations by what they say: records last, everything else by time. Those that it finds equal are one.
func compare(a, b *observation) int {
	if a.isRecord() != b.isRecord() {
		return cmp.Compare(a.rank(), b.rank())
	}
	if c := a.at.Compare(b.at); c != 0 {
		return c
	}
	if c := cmp.Or(cmp.Compare(a.rank(), b.rank()), strings.Compare(a.GetExtension(), b.GetExtension())); c != 0 {
		return c
	}
	return cmp.Or(
		cmp.Compare(a.GetKind(), b.GetKind()), cmp.Compare(a.GetDirection(), b.GetDirection()),
		cmp.Compare(a.GetCause(), b.GetCause()), strings.Compare(a.GetReason(), b.GetReason()),
		compareBools(a.GetAnswered(), b.GetAnswered()),
		cmp.Compare(a.GetDuration().AsDuration(), b.GetDuration().AsDuration()),
		cmp.Compare(a.GetTalkTime().AsDuration(), b.GetTalkTime().AsDuration()),
		strings.Compare(a.GetQueue(), b.GetQueue()),
		strings.Compare(a.GetId(), b.GetId()), strings.Compare(a.GetKey(), b.GetKey()),
		compareParties(a.GetFrom(), b.GetFrom()), compareParties(a.GetTo(), b.GetTo()),
		strings.Compare(a.GetUser().GetLogin(), b.GetUser().GetLogin()),
		strings.Compare(a.GetUser().GetEmail(), b.GetUser().GetEmail()),
	)
}

func compareParties(a, b *pbxv1.Party) int {
	return cmp.Or(strings.Compare(a.GetE164(), b.GetE164()), strings.Compare(a.GetNumber(), b.GetNumber()))
}

func compareBools(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	default:
		return -1
	}
}

// outsideNumber returns the number that all legs of a call from outside share, and nothing when there is none. Some ends
// name only the number that was called.
func outsideNumber(c *pbxv1.Call) string {
	return cmp.Or(event.Outside(c).GetE164(), c.GetFrom().GetE164(), c.GetTo().GetE164())
}
