package call

import (
	"slices"

	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// source is who says why a call was not answered.
type source int

const (
	theEnd    source = iota // of the call as a whole
	theRecord               // of the exchange
	anyLeg                  // an end of one leg
	everyLeg                // the ends of all legs
)

// verdicts are what becomes of a call that nobody is known to have answered: the first that applies. A plain end says nothing.
//
// The end of the call knows best. But for the family of XVB every end is a CANCELLED, whose record then tells more; and the
// record of Asterisk, under IPEX, has NO_ANSWER also for callers who gave up.
func verdicts() []verdict {
	return []verdict{
		{theEnd, pbxv1.Call_NO_ANSWER, RangOut},
		{theEnd, pbxv1.Call_BUSY, Busy},
		{theEnd, pbxv1.Call_REJECTED, Rejected},
		{theEnd, pbxv1.Call_FAILED, Failed},
		{theRecord, pbxv1.Call_BUSY, Busy},
		{theRecord, pbxv1.Call_REJECTED, Rejected},
		{theRecord, pbxv1.Call_FAILED, Failed},
		{theEnd, pbxv1.Call_CANCELLED, Abandoned},
		{theRecord, pbxv1.Call_NO_ANSWER, RangOut},
		{theRecord, pbxv1.Call_CANCELLED, Abandoned},
		{anyLeg, pbxv1.Call_NO_ANSWER, RangOut},
		{anyLeg, pbxv1.Call_BUSY, Busy},
		{anyLeg, pbxv1.Call_REJECTED, Rejected},
		{anyLeg, pbxv1.Call_FAILED, Failed},
		{everyLeg, pbxv1.Call_CANCELLED, Abandoned},
	}
}

type verdict struct {
	source  source
	cause   pbxv1.Call_Cause
	outcome Outcome
}

// tells reports whether a cause says why nobody answered.
func tells(c pbxv1.Call_Cause) bool {
	return slices.ContainsFunc(verdicts(), func(v verdict) bool { return v.cause == c })
}

// judge returns what became of a call that is over, and why.
func (s *state) judge() (Outcome, ending) {
	if s.proven {
		return Answered, s.lastWord()
	}
	for _, v := range verdicts() {
		if e, ok := s.says(v.source, v.cause); ok {
			return v.outcome, e
		}
	}
	return Unknown, s.lastWord()
}

func (s *state) says(from source, cause pbxv1.Call_Cause) (ending, bool) {
	switch from {
	case theEnd:
		return s.end, s.end.cause == cause
	case theRecord:
		return s.record, s.record.cause == cause
	}
	var found ending
	matching, others := 0, 0
	for _, l := range s.legs {
		switch {
		case l.Direction == pbxv1.Call_BARGE:
		case l.Cause == cause:
			found = ending{l.Cause, l.Reason}
			matching++
		default:
			others++
		}
	}
	return found, matching > 0 && (from == anyLeg || others == 0)
}

// lastWord returns what was said at the end: of the call, in its record, or of the leg that ended last.
func (s *state) lastWord() ending {
	for _, e := range []ending{s.end, s.record} {
		if e != (ending{}) {
			return e
		}
	}
	var last *leg
	for _, l := range s.legs {
		if l.ended && (last == nil || !l.endedAt.Before(last.endedAt)) {
			last = l
		}
	}
	if last == nil {
		return ending{}
	}
	return ending{last.Cause, last.Reason}
}
