// Package phone reads telephone numbers as exchanges send them and as people write them. What is dialled from outside
// becomes E.164, by the region of the tenant; short numbers are extensions, and a caller can have withheld theirs.
//
// It keeps no state of its own and is safe for concurrent use.
package phone

import (
	"strconv"
	"strings"
	"unicode"

	"github.com/nyaruka/phonenumbers"
)

// Kind says what a number is good for. The zero value is Unknown.
type Kind int

// The kinds of number.
const (
	// Unknown means that nothing usable is there: nothing at all, other text, or what looks like a number and is none.
	Unknown Kind = iota
	// Outside is a valid number of the public network: it has an E164.
	Outside
	// Extension is a number that only the exchange can place. Emergency and short service numbers (112, 158, 1188) look
	// the same and are of this kind too.
	Extension
	// Withheld means that the exchange says in a word that it has no number to show: the caller hid it, or it was never
	// known. Exchanges do not keep those two apart.
	Withheld
)

// String returns the kind in lower case.
func (k Kind) String() string {
	switch k {
	case Outside:
		return "outside"
	case Extension:
		return "extension"
	case Withheld:
		return "withheld"
	default:
		return "unknown"
	}
}

// Number is a number as received and what was read from it. The zero value is what Parse returns for an empty text.
type Number struct {
	Raw  string // as received but for white space around it; valid UTF-8
	E164 string // "+" and 7 to 15 digits; empty unless Kind is Outside
	Kind Kind
}

const (
	// maxRaw is the longest text, in bytes, that is looked into.
	maxRaw = 64
	// maxExtension is the longest internal number, in digits. Dial plans seldom have more than four, six with a prefix
	// of the site; from seven on, numbers of the public network begin.
	maxExtension = 6
	// minWithoutPlus is the shortest international number, in digits, that is believed without a sign of being one:
	// shorter ones are too often a national number with a digit missing.
	minWithoutPlus = 10
)

// KnownRegion reports whether region is an ISO 3166 alpha-2 code in upper case whose numbering plan is known.
func KnownRegion(region string) bool {
	return phonenumbers.GetSupportedRegions()[region]
}

// Parse reads a number by the numbering plan of a region, an ISO 3166 alpha-2 code in upper case; for an unknown region
// it reads international forms only. It takes
//
//   - international numbers behind "+" or "00";
//   - without these, what is valid in the region, with its own prefixes for trunk and international calls or without any;
//   - failing that, at least 10 digits that are valid with a "+" before them. So a "+" that became a space in a form body
//     does no harm. Where a plan leaves the length open (AT, DE), foreign numbers without "+" may pass for national ones;
//   - 1 to 6 digits as an extension, if nothing stands between or before them: `-1`, `+112` and `10.0.0.1` are Unknown;
//   - words such as `anonymous`, in English, Czech, Slovak and Russian, for a number withheld.
//
// The number may have the usual punctuation and full-width digits, and an extension behind it (`ext. 12`), which is
// dropped. It may be the user of a `tel:`, `sip:` or `sips:` URI, whose parameters do not count, and stand in brackets
// behind a name. Text of more than 64 bytes is Unknown. Parsing Raw again, or E164 in any region, gives the same.
func Parse(raw, region string) Number {
	n := Number{Raw: strings.ToValidUTF8(strings.TrimSpace(raw), string(unicode.ReplacementChar))}
	if len(n.Raw) > maxRaw {
		return n
	}
	text := trimSuffix(subscriber(strings.Map(plain, n.Raw)))
	digits, plus, ok := scan(text)
	switch {
	case !ok:
		if isWithheld(text) {
			n.Kind = Withheld
		}
	case len(digits) <= maxExtension:
		if text == digits {
			n.Kind = Extension
		}
	default:
		if n.E164 = e164(digits, plus, region); n.E164 != "" {
			n.Kind = Outside
		}
	}
	return n
}

// plain maps full-width characters to their ASCII forms and drops invisible ones, which come along when a number is
// copied from a contact list.
func plain(r rune) rune {
	switch {
	case r >= '！' && r <= '～':
		return r - '！' + '!'
	case unicode.Is(unicode.Cf, r):
		return -1
	default:
		return r
	}
}

// subscriber returns the part of `"Name" <sip:user@host;params>` that may be a number: the user. With nothing in the
// brackets it is the name, for Asterisk may write `"Anonymous" <>`.
func subscriber(s string) string {
	if i := strings.LastIndexByte(s, '<'); i >= 0 {
		name := s[:i]
		if s, _, _ = strings.Cut(s[i+1:], ">"); strings.TrimSpace(s) == "" {
			s = name
		}
	}
	if scheme, rest, ok := strings.Cut(s, ":"); ok {
		switch strings.ToLower(strings.TrimSpace(scheme)) {
		case "tel", "sip", "sips":
			s, _, _ = strings.Cut(rest, ";")
		}
	}
	s, _, _ = strings.Cut(s, "@")
	return strings.TrimSpace(s)
}

// trimSuffix cuts off an extension that stands behind a number of the public network.
func trimSuffix(s string) string {
	const digits = "0123456789"
	front := strings.TrimRight(s, digits)
	end := strings.LastIndexAny(front, digits) + 1
	if n := len(s) - len(front); n == 0 || n > maxExtension || end <= maxExtension {
		return s
	}
	label := front[end:]
	switch strings.ToLower(strings.Trim(label, " ,.:;=")) {
	case "x", "ext", "extn", "extension", "#", "kl", "klapka", "linka", "доб":
		return front[:end]
	case "":
		if strings.ContainsAny(label, ",;") { // pauses
			return front[:end]
		}
	}
	return s
}

// scan returns the digits of a number and whether a "+" stands before them. It is not ok if there is no digit, or
// anything but digits and punctuation.
func scan(s string) (digits string, plus, ok bool) {
	b := make([]byte, 0, maxRaw)
	for _, r := range s {
		switch {
		case r >= '0' && r <= '9':
			b = append(b, byte(r))
		case r == '+' && len(b) == 0:
			plus = true
		case !isPunctuation(r):
			return "", false, false
		}
	}
	return string(b), plus, len(b) > 0
}

// isPunctuation reports whether r may stand within a number. The tilde is a wait for the dial tone, as in 8~10.
func isPunctuation(r rune) bool {
	return strings.ContainsRune("()[]./~−", r) || unicode.IsSpace(r) || unicode.Is(unicode.Pd, r)
}

// isWithheld compares letters only, without accents and the word for number: "Skryté číslo" is "skryte".
func isWithheld(s string) bool {
	s = strings.Map(bareLetter, s)
	for _, word := range []string{"number", "caller", "cislo", "номер"} {
		s = strings.Replace(s, word, "", 1)
	}
	switch s {
	case "anonymous", "anonym", "blocked", "clir", "hidden", "private", "restricted", "unavailable", "unknown", "withheld",
		"anonymni", "anonymne", "nezname", "skryte", "utajene",
		"аноним", "анонимный", "неизвестен", "неизвестный", "неопределен", "скрыт", "скрытый":
		return true
	}
	return false
}

// bareLetter drops what is neither letter nor digit, and so also an accent that is a character of its own.
func bareLetter(r rune) rune {
	switch r = unicode.ToLower(r); {
	case r == 'á':
		return 'a'
	case r == 'č':
		return 'c'
	case r == 'é':
		return 'e'
	case r == 'í':
		return 'i'
	case r == 'ё':
		return 'е'
	case unicode.IsLetter(r), unicode.IsDigit(r):
		return r
	default:
		return -1
	}
}

// e164 returns the first reading of digits that is a valid number, or nothing.
func e164(digits string, plus bool, region string) string {
	// The habit of half the world is understood where the region itself dials something else (8~10 in RU, 011 in US).
	rest, zeros := strings.CutPrefix(digits, "00")
	if plus {
		return international(rest)
	}
	if s := national(digits, region); s != "" {
		return s
	}
	if zeros || len(digits) >= minWithoutPlus {
		return international(rest)
	}
	return ""
}

// international reads digits that begin with a country code.
func international(digits string) string {
	for i := 1; i <= 3 && i < len(digits); i++ {
		country, err := strconv.Atoi(digits[:i])
		if err != nil || !phonenumbers.GetSupportedCallingCodes()[country] {
			continue
		}
		if s := complete(country, digits[i:]); s != "" {
			return s
		}
	}
	return parse("+"+digits, "")
}

// national reads digits as they are dialled within the region, prefixes for trunk and international calls included.
func national(digits, region string) string {
	// Of this usual length, what is valid as it stands has no such prefix. Longer, it may: 8108… in RU is either.
	if n := len(digits); n == 9 || n == 10 {
		if s := complete(phonenumbers.GetCountryCodeForRegion(region), digits); s != "" {
			return s
		}
	}
	return parse(digits, region)
}

// complete returns the number of a country and a national number that needs no further reading, or nothing. It does what
// parse does in a quarter of the time.
func complete(country int, digits string) string {
	number, err := strconv.ParseUint(digits, 10, 64)
	if err != nil || digits[0] == '0' {
		return ""
	}
	code := int32(country)
	return format(&phonenumbers.PhoneNumber{CountryCode: &code, NationalNumber: &number})
}

func parse(dialled, region string) string {
	n, err := phonenumbers.Parse(dialled, region)
	if err != nil {
		return ""
	}
	return format(n)
}

// format returns a valid number as E.164. Some plans have numbers that are valid, and too long or too short for it.
func format(n *phonenumbers.PhoneNumber) string {
	if !phonenumbers.IsValidNumber(n) {
		return ""
	}
	s := phonenumbers.Format(n, phonenumbers.E164)
	if digits := len(s) - len("+"); digits < 7 || digits > 15 {
		return ""
	}
	return s
}
