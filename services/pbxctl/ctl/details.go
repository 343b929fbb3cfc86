package ctl

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/switchhook/switchhook/pkg/phone"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// maxFact is how much of a free text stands in a line, in characters.
const maxFact = 120

// facts are what else a person wants to know of an event, in one line.
type facts struct {
	palette palette
	list    []string
}

// add adds a value behind its label; nothing for an empty value.
func (f *facts) add(style, label, value string) {
	if value == "" {
		return
	}
	text := f.palette.paint(style, cut(clean(value), maxFact))
	if label != "" {
		text = f.palette.paint(dim, label) + " " + text
	}
	f.list = append(f.list, text)
}

// details returns whom an event is about, without colours, and the facts of it.
func details(p palette, ev *pbxv1.Event) (who, rest string) {
	f := &facts{palette: p}
	switch payload := ev.GetPayload().(type) {
	case *pbxv1.Event_Call:
		who = f.call(payload.Call)
		f.add(plain, "rating", ratingOf(ev))
	case *pbxv1.Event_Agent:
		who = f.agent(payload.Agent)
	case *pbxv1.Event_Contact:
		who = f.contact(payload.Contact)
	case *pbxv1.Event_MissedCall:
		who = f.missedCall(payload.MissedCall)
	case *pbxv1.Event_Command:
		who = f.command(payload.Command)
	default: // of a later version
		f.add(plain, "", ev.GetVendorEvent())
	}
	return cut(clean(who), maxFact), strings.Join(f.list, "  ")
}

// ratingOf returns what the contract keeps among the attributes.
func ratingOf(ev *pbxv1.Event) string {
	if ev.GetCall().GetKind() != pbxv1.Call_RATED {
		return ""
	}
	return ev.GetAttributes()["rating"]
}

func (f *facts) call(c *pbxv1.Call) (who string) {
	f.add(plain, "ext", c.GetExtension())
	f.add(plain, "user", person(c.GetUser()))
	f.add(plain, "queue", c.GetQueue())
	f.add(causeStyle(c.GetCause()), "", words(c.GetCause()))
	f.add(dim, "", c.GetReason())
	if c.GetDuration() != nil {
		f.add(plain, "duration", c.GetDuration().AsDuration().String())
	}
	if c.GetTalkTime() != nil {
		f.add(plain, "talk", c.GetTalkTime().AsDuration().String())
	}
	if c.GetRecordingUrl() != "" {
		f.add(red, "", "rec")
	}
	parties := between(party(c.GetFrom()), party(c.GetTo()))
	if parties == "" {
		return ""
	}
	return arrow(c.GetDirection()) + " " + parties
}

func (f *facts) agent(a *pbxv1.Agent) (who string) {
	who = person(a.GetUser())
	if who == "" {
		who = "ext " + a.GetExtension()
	} else {
		f.add(plain, "ext", a.GetExtension())
	}
	f.add(plain, "queue", a.GetQueue())
	f.add(plain, "pause", a.GetPauseReason())
	if a.GetKind() == pbxv1.Agent_STATE_CHANGED {
		f.add(cyan, "", between(words(a.GetPreviousState()), words(a.GetState())))
	}
	return who
}

func (f *facts) contact(c *pbxv1.Contact) (who string) {
	match := c.GetMatch()
	f.add(bold, "", match.GetName())
	f.add(plain, "", match.GetOrganisation())
	f.add(plain, "responsible", cmp.Or(match.GetResponsibleExtension(), match.GetResponsibleEmail()))
	f.add(plain, "directory", match.GetDirectory())
	if n := len(c.GetAlternatives()); n > 0 {
		f.add(plain, "", fmt.Sprintf("%d more", n))
	}
	return party(c.GetParty())
}

func (f *facts) missedCall(m *pbxv1.MissedCall) (who string) {
	f.add(plain, "queue", m.GetQueue())
	if n := m.GetAttempts(); n > 1 {
		f.add(yellow, "", fmt.Sprintf("%d attempts", n))
	}
	if m.GetWait() != nil {
		f.add(plain, "waited", m.GetWait().AsDuration().String())
	}
	f.add(plain, "claimed by", person(m.GetClaimedBy()))
	f.add(dim, "", m.GetNote())
	return between(party(m.GetFrom()), party(m.GetTo()))
}

func (f *facts) command(c *pbxv1.Command) (who string) {
	f.add(plain, "", c.GetAction())
	f.add(plain, "by", person(c.GetUser()))
	if c.GetKind() == pbxv1.Command_FAILED {
		f.add(commandStyle(c.GetOutcome()), "", words(c.GetOutcome()))
	}
	f.add(dim, "", c.GetReason())
	if c.GetTo() == nil {
		return c.GetExtension()
	}
	return between(c.GetExtension(), party(c.GetTo()))
}

// arrow tells which way a call goes: in, out, within the tenant, or beside another call.
func arrow(d pbxv1.Call_Direction) string {
	switch d {
	case pbxv1.Call_INCOMING:
		return "↓"
	case pbxv1.Call_OUTGOING:
		return "↑"
	case pbxv1.Call_INTERNAL_INCOMING, pbxv1.Call_INTERNAL_OUTGOING:
		return "⇄"
	case pbxv1.Call_BARGE:
		return "⇢"
	}
	return " "
}

// between joins two sides, of which one may be unknown; nothing when both are.
func between(from, to string) string {
	if from == "" && to == "" {
		return ""
	}
	return cmp.Or(from, "?") + " -> " + cmp.Or(to, "?")
}

func party(p *pbxv1.Party) string {
	if p.GetE164() != "" {
		return p.GetE164()
	}
	if phone.Parse(p.GetNumber(), "").Kind == phone.Withheld {
		return "withheld"
	}
	return p.GetNumber()
}

func person(u *pbxv1.User) string { return cmp.Or(u.GetLogin(), u.GetEmail()) }

func causeStyle(c pbxv1.Call_Cause) string {
	switch c {
	case pbxv1.Call_NORMAL, pbxv1.Call_ANSWERED_ELSEWHERE:
		return green
	case pbxv1.Call_NO_ANSWER, pbxv1.Call_FAILED:
		return red
	}
	return yellow
}

func commandStyle(o pbxv1.Command_Outcome) string {
	switch o {
	case pbxv1.Command_DONE:
		return green
	case pbxv1.Command_UNKNOWN: // not a failure: nobody knows
		return yellow
	}
	return red
}

// words returns an enum's value as people write it; nothing for its zero value.
func words(e fmt.Stringer) string {
	name := e.String()
	if strings.HasSuffix(name, "UNSPECIFIED") {
		return ""
	}
	return strings.ToLower(strings.ReplaceAll(name, "_", " "))
}
