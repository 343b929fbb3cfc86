// Package addressbook reads contacts from CSV and vCard files and finds them by number. A contact that cannot be read is
// left out and reported, and costs no other.
//
// It does no I/O.
package addressbook

import (
	"cmp"
	"strings"

	"github.com/switchhook/switchhook/pkg/phone"
)

// Contact is one contact of a file. Every field but the name may be empty.
type Contact struct {
	Name, Organisation, ResponsibleExtension, ResponsibleEmail, URL string
}

// Book finds the contacts of a file by their numbers. It does not change once it is read.
type Book struct {
	Contacts      int       // how many have a number that can be read
	WithoutNumber int       // how many have no number at all
	Problems      []Problem // the rest: what is wrong with each
	byNumber      map[string][]Entry
}

// Problem is why a contact was left out. It shows nothing of the contact.
type Problem struct {
	Line    int // where the contact begins; 1 is the first
	Message string
}

// Entry is a contact with one of its numbers.
type Entry struct {
	*Contact
	Number string // as stored
}

// Find returns the contacts with a number in E.164, in the order of the file. They are not to be changed.
func (b *Book) Find(e164 string) []Entry { return b.byNumber[e164] }

// add takes a contact with its numbers as they are stored, of which it may have any number.
func (b *Book) add(line int, c Contact, numbers []string, region string) {
	stored, readable := false, false
	c.Name = cmp.Or(c.Name, c.Organisation)
	seen := make(map[string]bool, len(numbers))
	for _, number := range numbers {
		if number = strings.TrimSpace(number); number == "" {
			continue
		}
		stored = true
		for _, n := range phone.Numbers(number, region) {
			if readable = true; c.Name != "" && !seen[n.E164] {
				b.byNumber[n.E164] = append(b.byNumber[n.E164], Entry{&c, n.Raw})
			}
			seen[n.E164] = true
		}
	}
	switch {
	case !stored:
		b.WithoutNumber++
	case !readable:
		b.problem(line, "has no number that can be read")
	case c.Name == "":
		b.problem(line, "has no name")
	default:
		b.Contacts++
	}
}

func (b *Book) problem(line int, message string) {
	b.Problems = append(b.Problems, Problem{line, message})
}
