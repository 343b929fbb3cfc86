package ctl

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// The styles of a terminal (ECMA-48, SGR).
const (
	plain  = ""
	bold   = "1"
	dim    = "2"
	red    = "31"
	green  = "32"
	yellow = "33"
	blue   = "34"
	cyan   = "36"
)

// palette paints, or leaves text as it is.
type palette bool

// palette is chosen by --color, or by where the text goes.
func (a *app) palette(out io.Writer) palette {
	if a.color == "auto" {
		return palette(a.Columns(out) > 0 && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb")
	}
	return a.color == "always"
}

func (p palette) paint(style, text string) string {
	if !p || style == plain || text == "" {
		return text
	}
	return "\x1b[" + style + "m" + text + "\x1b[0m"
}

// clean makes one line of what others wrote, and takes away what could make a terminal do anything but show it.
func clean(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n', r == '\r', r == '\t':
			return ' '
		case !unicode.IsGraphic(r):
			return utf8.RuneError
		}
		return r
	}, text)
}

// cut shortens a text to a number of characters.
func cut(text string, limit int) string {
	if utf8.RuneCountInString(text) <= limit {
		return text
	}
	return string([]rune(text)[:max(limit-1, 0)]) + "…"
}

// span tells how long something takes, as hours, minutes and seconds.
func span(d time.Duration) string {
	seconds := int64(max(d, 0) / time.Second)
	if seconds < 3600 {
		return fmt.Sprintf("%d:%02d", seconds/60, seconds%60)
	}
	return fmt.Sprintf("%d:%02d:%02d", seconds/3600, seconds/60%60, seconds%60)
}

// list joins what is there by commas.
func list(texts ...string) string {
	return strings.Join(slices.DeleteFunc(slices.Clone(texts), func(s string) bool { return s == "" }), ", ")
}

// cell is one field of a line.
type cell struct{ text, style string }

// columns are the widths of a line's fields, the last excepted.
type columns []int

// maxColumn is how wide a column gets; a longer field moves only the rest of its own line.
const maxColumn = 48

// gap stands between two fields.
const gap = "  "

// fit widens the columns for a line.
func (c columns) fit(row []cell) {
	for i := range c {
		if width := utf8.RuneCountInString(row[i].text); width <= maxColumn {
			c[i] = max(c[i], width)
		}
	}
}

// total is how many characters stand before the last field.
func (c columns) total() int {
	sum := len(gap) * len(c)
	for _, width := range c {
		sum += width
	}
	return sum
}

// line returns a row without its line end.
func (c columns) line(p palette, row []cell) string {
	var b strings.Builder
	for i, field := range row {
		if i > 0 {
			b.WriteString(gap)
		}
		b.WriteString(p.paint(field.style, field.text))
		if i < len(c) {
			b.WriteString(strings.Repeat(" ", max(0, c[i]-utf8.RuneCountInString(field.text))))
		}
	}
	return strings.TrimRight(b.String(), " ")
}
