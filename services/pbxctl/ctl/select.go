package ctl

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/switchhook/switchhook/pkg/bus"
	"github.com/switchhook/switchhook/pkg/cli"
	"github.com/switchhook/switchhook/pkg/fault"
)

// selection is what to work on in the quarantine. It is made in one reading and worked on in another, so that one message
// is held at a time, however many there are.
type selection struct {
	sequences map[uint64]bool
	from      time.Time // when the first of them was stored
}

func (s *selection) add(sequence uint64, at time.Time) {
	if s.sequences == nil {
		*s = selection{make(map[uint64]bool), at}
	}
	s.sequences[sequence] = true
}

// selectAll selects all that a filter lets through.
func (a *app) selectAll(cmd *cobra.Command, b *bus.Bus, f bus.Filter) (s selection, err error) {
	err = read(a, cmd, b.Quarantined, f, func(h held) error {
		s.add(h.Sequence, h.At)
		return nil
	})
	return s, err
}

// checkIDs refuses the beginning of every id.
func checkIDs(ids []string) error {
	if slices.Contains(ids, "") {
		return cli.Usage("an id is empty")
	}
	return nil
}

// selectByID selects what the ids name, each whole or by a beginning that no other id has.
func (a *app) selectByID(cmd *cobra.Command, b *bus.Bus, ids []string) (s selection, err error) {
	type candidate struct {
		id       string
		sequence uint64
		at       time.Time
	}
	var candidates []candidate
	err = read(a, cmd, b.Quarantined, bus.Filter{}, func(h held) error {
		id := h.Message.GetId()
		if slices.ContainsFunc(ids, func(beginning string) bool { return strings.HasPrefix(id, beginning) }) {
			candidates = append(candidates, candidate{id, h.Sequence, h.At})
		}
		return nil
	})
	if err != nil {
		return s, err
	}
	known := make([]string, len(candidates))
	for i, c := range candidates {
		known[i] = c.id
	}
	var wanted []string
	var errs []error
	for _, beginning := range ids {
		id, err := expand(beginning, known, "in the quarantine")
		wanted, errs = append(wanted, id), append(errs, err)
	}
	for _, c := range candidates {
		if slices.Contains(wanted, c.id) {
			s.add(c.sequence, c.at)
		}
	}
	return s, errors.Join(errs...)
}

// expand returns the id that has a beginning. Where is where they are known.
func expand(beginning string, known []string, where string) (string, error) {
	if slices.Contains(known, beginning) {
		return beginning, nil
	}
	var found []string
	for _, id := range known {
		if strings.HasPrefix(id, beginning) && !slices.Contains(found, id) {
			found = append(found, id)
		}
	}
	switch len(found) {
	case 0:
		return "", fault.New(fault.NotFound, "%s: no such id %s", beginning, where)
	case 1:
		return found[0], nil
	}
	return "", fmt.Errorf("%s: %d ids begin so, such as %s and %s", beginning, len(found), found[0], found[1])
}

// readSelected passes on what was selected, as far as it is still there.
func (a *app) readSelected(cmd *cobra.Command, b *bus.Bus, s selection, each func(held) error) error {
	if len(s.sequences) == 0 {
		return nil
	}
	return read(a, cmd, b.Quarantined, bus.Filter{Since: s.from}, func(h held) error {
		if !s.sequences[h.Sequence] {
			return nil
		}
		return each(h)
	})
}
