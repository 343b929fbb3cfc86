package contacts

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// person is one match of the merged answer.
type person struct {
	match *pbxv1.ContactMatch
	from  []string // the directories that know the person, the one of highest priority first
}

// merge makes one answer of those of all directories, which are in order of priority: the first match of the first that
// found somebody, then all others. It also says why. The contact's party is left to the caller.
//
// Matches of two directories with the same name, but for case and spaces, or the same URL are one person. What the match
// of the higher priority lacks of organisation, responsible employee (extension and e-mail together) and URL is taken
// from the other.
func merge(answers []*pbxv1.DirectoryAnswer) (contact *pbxv1.Contact, reason string) {
	var people []*person
	var additions []string
	for _, answer := range answers {
		for _, match := range answer.GetMatches() {
			known := slices.IndexFunc(people, func(p *person) bool { return p.is(match) })
			if known < 0 {
				people = append(people, &person{copyOf(match), []string{match.GetDirectory()}})
				continue
			}
			filled := people[known].join(match)
			if known == 0 && len(filled) > 0 {
				additions = append(additions, fmt.Sprintf("%s from %s", list(filled), match.GetDirectory()))
			}
		}
	}
	if len(people) == 0 {
		return &pbxv1.Contact{Kind: pbxv1.Contact_UNKNOWN}, whyUnknown(answers)
	}
	contact = &pbxv1.Contact{Kind: pbxv1.Contact_RESOLVED, Match: people[0].match}
	for _, p := range people[1:] {
		contact.Alternatives = append(contact.Alternatives, p.match)
	}
	return contact, whyResolved(answers, rank(contact, &pbxv1.ContactTrace{Answers: answers}), additions)
}

// is reports whether another directory's match is of this person. One directory knows best whom it holds apart.
func (p *person) is(m *pbxv1.ContactMatch) bool {
	if slices.Contains(p.from, m.GetDirectory()) {
		return false
	}
	return letters(p.match.GetName()) == letters(m.GetName()) || m.GetUrl() != "" && p.match.GetUrl() == m.GetUrl()
}

func letters(name string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return -1
		}
		return unicode.ToLower(r)
	}, name)
}

// join takes from another directory's match what is not known of the person, and returns what that was.
func (p *person) join(m *pbxv1.ContactMatch) (filled []string) {
	p.from = append(p.from, m.GetDirectory())
	if p.match.GetOrganisation() == "" && m.GetOrganisation() != "" {
		p.match.Organisation = m.GetOrganisation()
		filled = append(filled, "organisation")
	}
	responsible := m.GetResponsibleExtension() + m.GetResponsibleEmail()
	if p.match.GetResponsibleExtension() == "" && p.match.GetResponsibleEmail() == "" && responsible != "" {
		p.match.ResponsibleExtension, p.match.ResponsibleEmail = m.GetResponsibleExtension(), m.GetResponsibleEmail()
		filled = append(filled, "responsible")
	}
	if p.match.GetUrl() == "" && m.GetUrl() != "" {
		p.match.Url = m.GetUrl()
		filled = append(filled, "url")
	}
	return filled
}

// copyOf is written out, for it is faster than proto.Clone; answers keep their matches as they came.
func copyOf(m *pbxv1.ContactMatch) *pbxv1.ContactMatch {
	return &pbxv1.ContactMatch{
		Name: m.GetName(), Organisation: m.GetOrganisation(), ResponsibleExtension: m.GetResponsibleExtension(),
		ResponsibleEmail: m.GetResponsibleEmail(), Url: m.GetUrl(), Directory: m.GetDirectory(),
		MatchedNumber: m.GetMatchedNumber(), MatchedForm: m.GetMatchedForm(),
	}
}

// rank returns the place, from 0, of the directory that the contact is from among all that were asked; how many these are
// if it is from none of them. An answer wins over another by the lower rank.
func rank(c *pbxv1.Contact, t *pbxv1.ContactTrace) int {
	if c.GetKind() == pbxv1.Contact_RESOLVED {
		for i, answer := range t.GetAnswers() {
			if answer.GetDirectory() == c.GetMatch().GetDirectory() {
				return i
			}
		}
	}
	return len(t.GetAnswers())
}

// decisive returns the answers that an answer stands on: that of the directory it is from, and those that could win over it.
func decisive(c *pbxv1.Contact, answers []*pbxv1.DirectoryAnswer) []*pbxv1.DirectoryAnswer {
	last := rank(c, &pbxv1.ContactTrace{Answers: answers})
	return answers[:min(last+1, len(answers))]
}

// complete is Result.Complete.
func complete(c *pbxv1.Contact, answers []*pbxv1.DirectoryAnswer) bool {
	return !slices.ContainsFunc(decisive(c, answers), func(a *pbxv1.DirectoryAnswer) bool { return !answered(a) })
}

// answered reports whether a directory said if it knows the number.
func answered(a *pbxv1.DirectoryAnswer) bool {
	return a.GetOutcome() == pbxv1.DirectoryAnswer_FOUND || a.GetOutcome() == pbxv1.DirectoryAnswer_NOT_FOUND
}

// whyResolved says why the directory at the place of the winner won.
func whyResolved(answers []*pbxv1.DirectoryAnswer, winner int, additions []string) string {
	name := answers[winner].GetDirectory()
	said := []string{fmt.Sprintf("directory %s knows it (priority %d of %d)", name, winner+1, len(answers))}
	if above := named(answers[:winner], pbxv1.DirectoryAnswer_NOT_FOUND); len(above) > 0 {
		said = append(said, list(above)+verb(above, " does not", " do not"))
	}
	if too := named(answers[winner+1:], pbxv1.DirectoryAnswer_FOUND); len(too) > 0 {
		said = append(said, list(too)+verb(too, " knows it too", " know it too"))
	}
	if len(additions) > 0 {
		said = append(said, "added: "+strings.Join(additions, ", "))
	}
	return strings.Join(append(said, troubles(answers)...), "; ")
}

func whyUnknown(answers []*pbxv1.DirectoryAnswer) string {
	said := []string{"no directory could say"}
	if none := named(answers, pbxv1.DirectoryAnswer_NOT_FOUND); len(none) == len(answers) {
		said[0] = fmt.Sprintf("no directory knows it (%d asked)", len(answers))
	} else if len(none) > 0 {
		said[0] = list(none) + verb(none, " does not know it", " do not know it")
	}
	return strings.Join(append(said, troubles(answers)...), "; ")
}

// troubles says who did not answer, and why.
func troubles(answers []*pbxv1.DirectoryAnswer) (said []string) {
	if late := named(answers, pbxv1.DirectoryAnswer_TIMED_OUT); len(late) > 0 {
		said = append(said, list(late)+" did not answer in time")
	}
	if failed := named(answers, pbxv1.DirectoryAnswer_FAILED); len(failed) > 0 {
		said = append(said, list(failed)+" failed")
	}
	if broken := named(answers, pbxv1.DirectoryAnswer_BROKEN); len(broken) > 0 {
		said = append(said, list(broken)+verb(broken, " fails too often and was", " fail too often and were")+" not asked")
	}
	return said
}

// named returns the names of the directories with this outcome.
func named(answers []*pbxv1.DirectoryAnswer, outcome pbxv1.DirectoryAnswer_Outcome) (names []string) {
	for _, answer := range answers {
		if answer.GetOutcome() == outcome {
			names = append(names, answer.GetDirectory())
		}
	}
	return names
}

func verb(subject []string, one, many string) string {
	if len(subject) == 1 {
		return one
	}
	return many
}

// list returns "a", "a and b", or "a, b and c".
func list(names []string) string {
	last := len(names) - 1
	if last == 0 {
		return names[0]
	}
	return strings.Join(names[:last], ", ") + " and " + names[last]
}
