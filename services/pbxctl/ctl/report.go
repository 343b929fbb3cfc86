package ctl

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/switchhook/switchhook/pkg/event"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// report tells what becomes of each redriven request.
type report struct {
	out      io.Writer // a line for each request
	palette  palette
	dry      bool
	show     func(subject string, seq uint64, ev *pbxv1.Event) error // for a dry run
	progress progress

	done, left int
}

func (a *app) newReport(cmd *cobra.Command, f *redriveFlags, total int) *report {
	r := &report{out: cmd.OutOrStdout(), palette: a.palette(cmd.OutOrStdout()), dry: f.dryRun}
	r.show = a.eventWriter(cmd.OutOrStdout(), r.palette, f.json)
	if f.json { // stdout is for programs
		r.out, r.palette = cmd.ErrOrStderr(), a.palette(cmd.ErrOrStderr())
	}
	if total > progressFrom && a.Columns(cmd.ErrOrStderr()) > 0 {
		r.progress = progress{out: cmd.ErrOrStderr(), total: total}
	}
	return r
}

// add tells what became of one request: it stays when there is an error.
func (r *report) add(id string, events []*pbxv1.Event, err error) error {
	r.progress.clear()
	defer r.progress.step()
	outcome, style := r.outcome(len(events)), green
	if err != nil {
		r.left++
		outcome, style = "stays: "+clean(strings.TrimPrefix(err.Error(), "redrive "+id+": ")), red
	} else {
		r.done++
	}
	fmt.Fprintf(r.out, "%s  %s\n", clean(id), r.palette.paint(style, outcome))
	if !r.dry {
		return nil
	}
	for _, ev := range events {
		subject, err := event.Subject(ev)
		if err != nil {
			return err
		}
		if err := r.show(subject, 0, ev); err != nil { // 0: it has no place in the stream yet
			return err
		}
	}
	return nil
}

func (r *report) outcome(events int) string {
	switch {
	case events == 0 && r.dry:
		return "carries no event, would be deleted"
	case events == 0:
		return "carries no event, deleted"
	case r.dry:
		return fmt.Sprintf("would publish: %d", events)
	}
	return fmt.Sprintf("published: %d", events)
}

// end tells how it went, and returns the error that the command ends with.
func (r *report) end(err error) error {
	r.progress.clear()
	if err != nil {
		return err
	}
	verb := "redriven"
	if r.dry {
		verb = "could be redriven"
	}
	fmt.Fprintf(r.out, "%d %s, %d stay in the quarantine\n", r.done, verb, r.left)
	if r.left > 0 {
		return errors.New("not all can be redriven")
	}
	return nil
}

// progressFrom is up to how many requests no progress is shown.
const progressFrom = 50

// progress is a line on a terminal that tells how far it is. The zero value shows nothing.
type progress struct {
	out         io.Writer
	done, total int
}

func (p *progress) step() {
	if p.out != nil {
		p.done++
		fmt.Fprintf(p.out, "%d of %d", p.done, p.total)
	}
}

// clear removes the line, so that another may be written.
func (p *progress) clear() {
	if p.out != nil {
		fmt.Fprint(p.out, "\r\x1b[K")
	}
}
