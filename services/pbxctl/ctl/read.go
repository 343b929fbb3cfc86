package ctl

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/switchhook/switchhook/pkg/bus"
	"github.com/switchhook/switchhook/pkg/fault"
)

// source is a stream to read, as bus.Bus has them.
type source[T any] func(context.Context, bus.Filter) iter.Seq2[bus.Stored[T], error]

// read passes on what a stream has, to its end or, when following, until the command is interrupted. What cannot be
// decoded is reported on stderr and passed over. It is an error when the end is not reached.
func read[T any](a *app, cmd *cobra.Command, from source[T], f bus.Filter, each func(bus.Stored[T]) error) error {
	ctx, cancel := context.WithCancelCause(cmd.Context())
	defer cancel(nil)
	patience := a.Patience
	if f.Follow {
		patience = math.MaxInt64 // nothing may happen for days
	}
	stalled := fault.New(fault.Unavailable, "read: the server sent nothing for %s, and has more", patience)
	watch := time.AfterFunc(patience, func() { cancel(stalled) })
	defer watch.Stop()
	for s, err := range from(ctx, f) {
		watch.Stop()
		switch {
		case fault.Is(err, fault.Invalid):
			fmt.Fprintf(cmd.ErrOrStderr(), "%s: %v\n", cmd.CommandPath(), err)
		case err != nil:
			return err
		default:
			if err := each(s); err != nil {
				return err
			}
		}
		watch.Reset(patience)
	}
	if f.Follow && cmd.Context().Err() != nil {
		return nil // that is how following ends
	}
	return context.Cause(ctx)
}

// buffered gives a command a buffered stdout. When whoever reads that has gone, as head does, nothing is wrong.
func buffered(cmd *cobra.Command, run func(out *bufio.Writer) error) error {
	out := bufio.NewWriterSize(cmd.OutOrStdout(), 64<<10)
	err := cmp.Or(run(out), out.Flush())
	if errors.Is(err, syscall.EPIPE) {
		return nil
	}
	return err
}
