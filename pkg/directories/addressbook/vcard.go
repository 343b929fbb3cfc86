package addressbook

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"github.com/emersion/go-vcard"
)

// ReadVCard reads any number of cards of version 3 or 4, in UTF-8. Beyond the standard's properties it takes
// X-RESPONSIBLE-EXTENSION and X-RESPONSIBLE-EMAIL. Numbers are read by the plan of the region. The contacts that cannot be
// read, and those without a number, add up with the others to the cards that begin.
func ReadVCard(data []byte, region string) *Book {
	b := &Book{byNumber: make(map[string][]Entry)}
	b.readVCard(data, region)
	return b
}

func (b *Book) readVCard(data []byte, region string) {
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	start, begun := 0, 0 // where the card under way begins, and in which line; 0 when none is
	for at, line := 0, 1; at < len(data); line++ {
		end := at + lineEnd(data[at:])
		switch strings.ToUpper(string(bytes.TrimRight(data[at:end], " \t\r\n"))) {
		case "BEGIN:VCARD":
			if begun > 0 {
				b.problem(begun, "has no end")
			}
			start, begun = at, line
		case "END:VCARD":
			if begun > 0 {
				b.readCard(data[start:end], begun, region)
			}
			begun = 0
		}
		at = end
	}
	if begun > 0 {
		b.problem(begun, "has no end")
	}
}

func (b *Book) readCard(data []byte, line int, region string) {
	if !utf8.Valid(data) {
		b.problem(line, "is not UTF-8")
		return
	}
	card, err := vcard.NewDecoder(bytes.NewReader(data)).Decode()
	if err != nil {
		b.problem(line, "is no vCard")
		return
	}
	if version := card.Value(vcard.FieldVersion); version != "3.0" && version != "4.0" {
		b.problem(line, "is no vCard of version 3.0 or 4.0")
		return
	}
	organisation, _, _ := strings.Cut(card.PreferredValue(vcard.FieldOrganization), ";")
	c := Contact{
		Name: strings.TrimSpace(card.PreferredValue(vcard.FieldFormattedName)), Organisation: strings.TrimSpace(organisation),
		URL:                  strings.TrimSpace(card.PreferredValue(vcard.FieldURL)),
		ResponsibleExtension: card.Value("X-RESPONSIBLE-EXTENSION"), ResponsibleEmail: card.Value("X-RESPONSIBLE-EMAIL"),
	}
	b.add(line, c, card.Values(vcard.FieldTelephone), region)
}
