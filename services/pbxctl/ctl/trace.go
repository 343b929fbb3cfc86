package ctl

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// drawTrace says how a contact was found.
func (a *app) drawTrace(c canvas, trace *pbxv1.ContactTrace) {
	if trace == nil {
		fmt.Fprintln(c, "\ncontact-lookup did not say how")
		return
	}
	if len(trace.GetForms()) > 0 {
		c.heading("Forms of the number that were tried")
		forms := table{titles: []string{"FORM", "NUMBER"}}
		for _, form := range trace.GetForms() {
			forms.rows = append(forms.rows, []cell{{clean(form.GetName()), plain}, {clean(form.GetNumber()), plain}})
		}
		forms.draw(c)
	}
	if len(trace.GetAnswers()) > 0 {
		c.heading("Directories, by priority")
		answers := table{titles: []string{"DIRECTORY", "TYPE", "OUTCOME", "MS", "SAID"}, numbers: []int{3}}
		for _, said := range trace.GetAnswers() {
			answers.rows = append(answers.rows, []cell{
				{clean(said.GetDirectory()), plain},
				{clean(said.GetType()), plain},
				{words(said.GetOutcome()), outcomeStyle(said.GetOutcome())},
				{milliseconds(said.GetTook()), plain},
				{clean(saidOf(said)), plain},
			})
		}
		answers.draw(c)
	}
	fmt.Fprintln(c)
	c.field("why", trace.GetReason())
	c.field("source", a.sourceOf(trace))
	if trace.GetTook() != nil {
		c.field("took", milliseconds(trace.GetTook())+" ms")
	}
}

// drawFailures warns of directories that could not be asked: one of them may know better.
func drawFailures(c canvas, trace *pbxv1.ContactTrace) {
	for _, said := range trace.GetAnswers() {
		switch said.GetOutcome() {
		case pbxv1.DirectoryAnswer_FOUND, pbxv1.DirectoryAnswer_NOT_FOUND:
		default:
			c.warn(strings.TrimSuffix(said.GetDirectory()+" "+words(said.GetOutcome())+": "+saidOf(said), ": "))
		}
	}
}

// saidOf returns whom a directory knows, or what went wrong.
func saidOf(said *pbxv1.DirectoryAnswer) string {
	var texts []string
	for _, m := range said.GetMatches() {
		text := list(m.GetName(), m.GetOrganisation())
		if as := matchedAs(m); as != "" {
			text += ", as " + as
		}
		texts = append(texts, text)
	}
	switch {
	case said.GetError() != "":
		texts = append(texts, said.GetError())
	case said.GetOutcome() == pbxv1.DirectoryAnswer_BROKEN:
		texts = append(texts, "it failed so often lately that it was not asked")
	}
	return strings.Join(texts, "; ")
}

func (a *app) sourceOf(trace *pbxv1.ContactTrace) string {
	asked := ""
	if at := trace.GetAskedAt(); at != nil {
		asked = fmt.Sprintf(", asked at %s, %s ago", a.clock(at.AsTime()), lasting(at, a.Now()))
	}
	switch trace.GetSource() {
	case pbxv1.ContactTrace_DIRECTORIES:
		return "the directories were asked"
	case pbxv1.ContactTrace_CACHE:
		return "known already" + asked
	case pbxv1.ContactTrace_STALE_CACHE:
		return "known already, past its time and being looked up anew" + asked
	case pbxv1.ContactTrace_SHARED:
		return "somebody else was asking the directories; this is their answer"
	case pbxv1.ContactTrace_NOT_ASKED:
		return "nobody was asked: it is no number that a directory could know"
	}
	return words(trace.GetSource())
}

func outcomeStyle(o pbxv1.DirectoryAnswer_Outcome) string {
	switch o {
	case pbxv1.DirectoryAnswer_FOUND:
		return green
	case pbxv1.DirectoryAnswer_NOT_FOUND:
		return dim
	case pbxv1.DirectoryAnswer_TIMED_OUT:
		return yellow
	}
	return red
}

// milliseconds has digits behind the point where they say something; nothing when it is not known.
func milliseconds(d *durationpb.Duration) string {
	if d == nil {
		return ""
	}
	ms := float64(d.AsDuration()) / float64(time.Millisecond)
	digits := 0
	switch {
	case ms < 1:
		digits = 2
	case ms < 10:
		digits = 1
	}
	return strconv.FormatFloat(ms, 'f', digits, 64)
}
