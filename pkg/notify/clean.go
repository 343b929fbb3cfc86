package notify

import (
	"strings"
	"unicode"
	"unicode/utf16"

	"golang.org/x/text/unicode/norm"
)

// line makes one line of a text from outside, of at most so many characters: a name with line breaks must not look like more of
// the message, nor one with marks for right-to-left turn it around.
func line(text string, most int) string {
	text = strings.Map(func(r rune) rune {
		switch {
		case r == '\u200d', r == '\u200c': // Joiners are part of words and of emoji.
			return r
		case unicode.IsControl(r):
			return ' '
		case unicode.In(r, unicode.Cf, unicode.Co, unicode.Cs):
			return -1
		default:
			return r
		}
	}, strings.ToValidUTF8(text, "\uFFFD"))
	return shorten(strings.Join(strings.Fields(text), " "), most)
}

// shorten cuts a text to so many characters at most, and marks the cut.
func shorten(text string, most int) string {
	runes := []rune(text)
	if len(runes) <= most {
		return text
	}
	return strings.TrimRightFunc(string(runes[:max(0, most-1)]), unicode.IsSpace) + "…"
}

// fit cuts a text of lines to so many UTF-16 units at most, at the end of a line if it has several.
func fit(text string, most int) string {
	if units(text) <= most {
		return text
	}
	var cut strings.Builder
	have := 0
	for _, r := range text {
		if have += utf16.RuneLen(r); have > most-2 {
			break
		}
		cut.WriteRune(r)
	}
	kept := cut.String()
	if end := strings.LastIndexByte(kept, '\n'); end > len(kept)/2 {
		kept = kept[:end]
	}
	return kept + "\n…"
}

func units(text string) int {
	n := 0
	for _, r := range text {
		n += utf16.RuneLen(r)
	}
	return n
}

// plain writes Latin letters without diacritics and typographic signs as ASCII, as people do in text messages: one character
// outside the GSM alphabet leaves room for 70 in one instead of 160. Other scripts stay as they are.
func plain(text string) string {
	var b strings.Builder
	latin := false
	for _, r := range norm.NFD.String(text) {
		switch {
		case unicode.Is(unicode.Mn, r) && latin:
			continue
		case r == '…':
			b.WriteString("...")
		case r == '–', r == '—':
			b.WriteByte('-')
		case r == '„', r == '“', r == '”':
			b.WriteByte('"')
		case r == '’', r == '‘':
			b.WriteByte('\'')
		case r == '×':
			b.WriteByte('x')
		case r == '\u00a0', r == '\u202f':
			b.WriteByte(' ')
		default:
			b.WriteRune(r)
		}
		if !unicode.Is(unicode.Mn, r) {
			latin = unicode.Is(unicode.Latin, r)
		}
	}
	return norm.NFC.String(b.String())
}

// markdown escapes what a chat would take for formatting, and keeps a name such as @all from calling everybody. Addresses stay
// as they are, so that they can be clicked.
func markdown(text string) string {
	lines := strings.Split(text, "\n")
	for i, l := range lines {
		words := strings.Split(l, " ")
		for j, w := range words {
			if !isAddress(w) {
				words[j] = escapeWord(w)
			}
		}
		if first := words[0]; strings.Trim(first, "0123456789") == "." { // A date, not an item of a list.
			words[0] = strings.TrimSuffix(first, ".") + "\\."
		}
		lines[i] = strings.Join(words, " ")
	}
	return strings.Join(lines, "\n")
}

// escapeWord escapes only what has a meaning, since not every chat knows that any other sign can be escaped.
func escapeWord(word string) string {
	var b strings.Builder
	before := ' '
	for _, r := range word {
		if strings.ContainsRune("\\`*_[]~#>|", r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
		if r == '@' && !unicode.IsLetter(before) && !unicode.IsDigit(before) {
			b.WriteRune('\u200b')
		}
		before = r
	}
	return b.String()
}
