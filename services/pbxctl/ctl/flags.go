package ctl

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/switchhook/switchhook/pkg/cli"
	"github.com/switchhook/switchhook/pkg/event"
)

// since is a flag: how far back to read.
type since struct {
	text string
	all  bool
	back time.Duration
}

func newSince(text string) since {
	var s since
	if err := s.Set(text); err != nil { // the defaults are right
		panic(err)
	}
	return s
}

func (s *since) String() string { return s.text }
func (s *since) Type() string   { return "all|duration" }

// Set reads "all" or a duration, which may begin with days: 7d, 1d12h.
func (s *since) Set(text string) error {
	if text == "all" {
		*s = since{text: text, all: true}
		return nil
	}
	back, ok := parseDays(text)
	if !ok {
		return errors.New("want all, or a duration such as 15m, 24h or 7d")
	}
	*s = since{text: text, back: back}
	return nil
}

// from returns the time from which to read; zero is the beginning.
func (s *since) from(now time.Time) time.Time {
	if s.all {
		return time.Time{}
	}
	return now.Add(-s.back)
}

// length is a flag: how long something shall last.
type length struct {
	text     string
	duration time.Duration
}

func (l *length) String() string { return l.text }
func (l *length) Type() string   { return "duration" }

// Set reads a duration, which may begin with days: 7d, 1d12h.
func (l *length) Set(text string) error {
	duration, ok := parseDays(text)
	if !ok {
		return errors.New("want a duration such as 15m, 24h or 7d")
	}
	*l = length{text, duration}
	return nil
}

// parseDays reads a duration of more than 0, which may begin with days.
func parseDays(text string) (time.Duration, bool) {
	if before, after, ok := strings.Cut(text, "d"); ok {
		days, err := strconv.ParseUint(before, 10, 16)
		if err != nil {
			return 0, false
		}
		text = strconv.FormatUint(24*days, 10) + "h" + after
	}
	d, err := time.ParseDuration(text)
	return d, err == nil && d > 0
}

// colorMode is a flag: when to use colours.
type colorMode string

func (m *colorMode) String() string { return string(*m) }
func (m *colorMode) Type() string   { return "when" }

func (m *colorMode) Set(text string) error {
	if !slices.Contains([]string{"auto", "always", "never"}, text) {
		return errors.New("want auto, always or never")
	}
	*m = colorMode(text)
	return nil
}

// checkPattern demands a subject of the event stream, with wildcards. The server takes any, and finds nothing.
func checkPattern(pattern string) error {
	wrong := cli.Usage("--subject: want a pattern such as %s.*.acme.> or %[1]s.*.*.missed_call.opened, have %q", event.Root, pattern)
	rest, ok := strings.CutPrefix(pattern, event.Root+".")
	if !ok {
		return wrong
	}
	tokens := strings.Split(rest, ".")
	for i, token := range tokens {
		switch {
		case token == "*", token == ">" && i == len(tokens)-1:
		case token == "", strings.ContainsAny(token, "*> \t\r\n\x00"):
			return wrong
		}
	}
	return nil
}
