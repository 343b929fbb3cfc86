package phone

import (
	"strings"
	"unicode"

	"github.com/nyaruka/phonenumbers"
)

// Form is one way to write a number.
type Form struct {
	// Name says which one: e164, digits, international, international_spaced, international_groups, national, significant,
	// national_spaced or groups. It is stable: people configure by it.
	Name string
	// Number is the number written so. Parse reads it as the same number.
	Number string
}

// Forms returns how people store an outside number, the most trusted form first; none for a number of another kind. For
// +421905123456 and region SK these are, in this order:
//
//   - e164: +421905123456;
//   - digits: 421905123456;
//   - international: 00421905123456, whatever the region dials instead of 00;
//   - international_spaced: +421 905 123 456, grouped as is usual in the number's country;
//   - international_groups: the same in groups of three, where that is not usual;
//   - national: 0905123456, as dialled within the country: behind a 0 in DE, SK and UA, an 8 in KZ and RU, nothing in CZ;
//   - significant: 905123456, which is national without that prefix;
//   - national_spaced: 0905 123 456, grouped as is usual in the country;
//   - groups: 905 123 456, which is significant in groups of three.
//
// What two of them have in common comes once, under the first name. A form is left out that Parse does not read as the number
// in the region, for whoever stored it meant another one. So the last four are there only for numbers with the country code
// of the region: without it, a number from abroad is written like a stranger's at home. And so are the digits of a number
// from abroad missing where the region's plan leaves the length of numbers open (AT, DE).
func Forms(n Number, region string) []Form {
	parsed, err := phonenumbers.Parse(n.E164, "")
	if n.Kind != Outside || err != nil {
		return nil
	}
	digits := strings.TrimPrefix(n.E164, "+")
	significant := phonenumbers.GetNationalSignificantNumber(parsed)
	code := strings.TrimSuffix(n.E164, significant)
	national := phonenumbers.Format(parsed, phonenumbers.NATIONAL)
	all := []Form{
		{"e164", n.E164},
		{"digits", digits},
		{"international", "00" + digits},
		{"international_spaced", phonenumbers.Format(parsed, phonenumbers.INTERNATIONAL)},
		{"international_groups", code + " " + groups(significant)},
		{"national", onlyDigits(national)},
		{"significant", significant},
		{"national_spaced", national},
		{"groups", groups(significant)},
	}
	return distinct(all, n.E164, region)
}

// FormNames returns the names of all forms there are, the most trusted first.
func FormNames() []string {
	return []string{
		"e164", "digits", "international", "international_spaced", "international_groups",
		"national", "significant", "national_spaced", "groups",
	}
}

// Significant returns an outside number without its country code and trunk prefix, for indexes that are made of such; they
// hold numbers of all countries alike. It is empty for a number of another kind.
func (n Number) Significant() string {
	parsed, err := phonenumbers.Parse(n.E164, "")
	if n.Kind != Outside || err != nil {
		return ""
	}
	return phonenumbers.GetNationalSignificantNumber(parsed)
}

// distinct returns the forms that are read as the number, each once.
func distinct(all []Form, e164, region string) []Form {
	kept := all[:0]
	seen := make(map[string]bool)
	for _, f := range all {
		if !seen[f.Number] && Parse(f.Number, region).E164 == e164 {
			kept = append(kept, f)
		}
		seen[f.Number] = true
	}
	return kept
}

// groups separates digits into groups of three from the left; the last one has three to five.
func groups(digits string) string {
	var b strings.Builder
	for len(digits) >= 6 {
		b.WriteString(digits[:3])
		b.WriteByte(' ')
		digits = digits[3:]
	}
	return b.String() + digits
}

func onlyDigits(s string) string {
	return strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, s)
}

// Numbers returns the outside numbers in a text in which people keep them: what Parse makes of it, or, failing that, of what
// stands between letters, commas, semicolons and colons. So `mobile: 777 888 999, home: 222 333 444` has two, each with the
// text as its Raw. Text of more than 256 bytes has none.
func Numbers(text, region string) []Number {
	if n := Parse(text, region); n.Kind == Outside {
		return []Number{n}
	}
	var all []Number
	if len(text) > maxText {
		return all
	}
	for piece := range strings.FieldsFuncSeq(text, func(r rune) bool { return unicode.IsLetter(r) || strings.ContainsRune(",;:", r) }) {
		if n := Parse(piece, region); n.Kind == Outside {
			n.Raw = strings.ToValidUTF8(strings.TrimSpace(text), string(unicode.ReplacementChar))
			all = append(all, n)
		}
	}
	return all
}

// maxText is the longest text, in bytes, in which several numbers are looked for.
const maxText = 256
