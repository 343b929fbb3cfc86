package ctl

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"

	"github.com/switchhook/switchhook/pkg/fault"
)

// patience is how long a table waits for an answer.
const patience = 5 * time.Second

// answer is what a service said.
type answer struct {
	message proto.Message
	draw    func(c canvas, now time.Time)
}

// question asks for what is shown.
type question func(context.Context, asker) (answer, error)

// display shows an answer once or, when asked to, again and again.
func (a *app) display(cmd *cobra.Command, r refresh, asJSON bool, q question) error {
	if err := r.check(cmd); err != nil {
		return err
	}
	if !r.on {
		return a.once(cmd, asJSON, q)
	}
	return buffered(cmd, func(out *bufio.Writer) error { return a.watch(cmd, out, r.every, asJSON, q) })
}

func (a *app) once(cmd *cobra.Command, asJSON bool, q question) error {
	return buffered(cmd, func(out *bufio.Writer) error {
		return a.asking(patience, func(s asker) error {
			answer, err := q(cmd.Context(), s)
			switch {
			case err != nil:
				return err
			case asJSON:
				return printJSON(out, answer.message)
			}
			answer.draw(a.canvas(cmd, out), a.Now())
			return nil
		})
	})
}

// watch shows answers until the command is interrupted. A service that is away is waited for; one that refuses the question
// will do so again.
func (a *app) watch(cmd *cobra.Command, out *bufio.Writer, every time.Duration, asJSON bool, q question) error {
	return a.asking(max(every, time.Second), func(s asker) error {
		w := a.newWatcher(cmd, out, asJSON)
		w.begin()
		defer w.end()
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		for {
			answer, err := q(cmd.Context(), s)
			switch {
			case cmd.Context().Err() != nil:
				return nil // that is how watching ends
			case err != nil && !fault.Is(err, fault.Unavailable) && !fault.Is(err, fault.Internal):
				return err
			}
			if err := w.show(answer, err); err != nil {
				return err
			}
			select {
			case <-cmd.Context().Done():
				return nil
			case <-ticker.C:
			}
		}
	})
}

// watcher shows one answer after another: on a terminal in the place of the one before.
type watcher struct {
	app    *app
	cmd    *cobra.Command
	out    *bufio.Writer
	asJSON bool
	screen bool // a terminal that the cursor can be moved on

	last      answer
	at        time.Time // of the last answer
	complaint string
}

func (a *app) newWatcher(cmd *cobra.Command, out *bufio.Writer, asJSON bool) *watcher {
	screen := a.Columns(cmd.OutOrStdout()) > 0 && os.Getenv("TERM") != "dumb" && !asJSON
	return &watcher{app: a, cmd: cmd, out: out, asJSON: asJSON, screen: screen}
}

// The controls of a terminal (ECMA-48, and the private modes of DEC).
const (
	beginScreen = "\x1b[?25l\x1b[?7l\x1b[2J" // hides the cursor, cuts long lines, clears
	endScreen   = "\x1b[?7h\x1b[?25h"
	toTop       = "\x1b[H"
	endLine     = "\x1b[K\n" // clears what a longer line left
	clearBelow  = "\x1b[J"
)

func (w *watcher) begin() {
	if w.screen {
		fmt.Fprint(w.out, beginScreen)
	}
}

func (w *watcher) end() {
	if w.screen {
		fmt.Fprint(w.out, endScreen)
	}
}

// show shows an answer or, when there was none, the last one and why.
func (w *watcher) show(answer answer, err error) error {
	if err == nil {
		w.last, w.at = answer, w.app.Now()
	}
	if w.asJSON {
		return w.printJSON(err)
	}
	frame := w.frame(err)
	if !w.screen {
		fmt.Fprintln(w.out, frame)
		return w.out.Flush()
	}
	lines := strings.Split(strings.TrimSuffix(frame, "\n"), "\n")
	// In the last line a line end would move all others up.
	if room := w.app.Lines(w.cmd.OutOrStdout()) - 1; room > 0 && len(lines) > room {
		hidden := len(lines) - room + 1
		lines = append(lines[:room-1], fmt.Sprintf("… %d more", hidden))
	}
	fmt.Fprint(w.out, toTop, strings.Join(lines, endLine), endLine, clearBelow)
	return w.out.Flush()
}

// frame returns the last answer below a line that says when it is. Durations go on while there are answers.
func (w *watcher) frame(err error) string {
	var text bytes.Buffer
	stdout := w.cmd.OutOrStdout()
	c := canvas{&text, w.app.palette(stdout), w.app.Columns(stdout)}
	now := w.app.Now()
	head := c.paint(dim, now.In(w.app.Location).Format(time.DateTime))
	if err == nil {
		fmt.Fprintln(c, head)
		w.last.draw(c, now)
		return text.String()
	}
	fmt.Fprintln(c, head+gap+c.paint(red, clean(err.Error())))
	if w.last.draw != nil {
		fmt.Fprintln(c, c.paint(red, "This was so at "+w.app.clock(w.at)+":"))
		var old bytes.Buffer
		w.last.draw(canvas{&old, false, c.columns}, w.at)
		for line := range strings.Lines(old.String()) {
			fmt.Fprintln(c, c.paint(dim, strings.TrimSuffix(line, "\n")))
		}
	}
	return text.String()
}

// printJSON prints an answer; why there is none it tells on stderr, once for as long as it stays the same.
func (w *watcher) printJSON(err error) error {
	if err == nil {
		w.complaint = ""
		if err := printJSON(w.out, w.last.message); err != nil {
			return err
		}
		return w.out.Flush()
	}
	if err.Error() != w.complaint {
		w.complaint = err.Error()
		fmt.Fprintf(w.cmd.ErrOrStderr(), "%s: %v\n", w.cmd.CommandPath(), err)
	}
	return nil
}
