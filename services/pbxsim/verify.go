package main

import (
	"errors"
	"fmt"
	"iter"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/switchhook/switchhook/pkg/bus"
	"github.com/switchhook/switchhook/pkg/cli"
	"github.com/switchhook/switchhook/services/pbxsim/ledger"
)

func verifyCommand() *cobra.Command {
	var file, server string
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Compare a ledger with what is stored on JetStream",
		Long: `Compare a ledger with what is stored on JetStream since the run began: every id that was
answered must be there exactly once, under the right subject, and nothing else may be. The
exit code is 1 when it is not so.`,
		Example: "  pbxsim verify --ledger calls.jsonl --nats nats://127.0.0.1:4222",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if file == "" {
				return cli.Usage("--ledger: want the file of a ledger")
			}
			return verify(cmd, file, server)
		},
	}
	cmd.Flags().StringVar(&file, "ledger", "", "`file` that pbxsim wrote")
	cmd.Flags().StringVar(&server, "nats", "nats://127.0.0.1:4222", "`URL` of the NATS server")
	cli.Env(cmd, prefix)
	return cmd
}

func verify(cmd *cobra.Command, file, server string) error {
	in, err := os.Open(file)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	b, err := bus.Connect(bus.Options{URL: server, Name: "pbxsim", Wait: true})
	if err != nil {
		return err
	}
	defer b.Close()

	var began time.Time
	var errs []error
	entries := func(yield func(ledger.Entry) bool) {
		for e := range without(&errs, ledger.Read(in)) {
			if run, ok := e.(*ledger.Run); ok && began.IsZero() {
				began = run.StartedAt
			}
			if !yield(e) {
				return
			}
		}
	}
	// Judge reads the ledger first, so the beginning is known here.
	events := func(yield func(ledger.Stored) bool) {
		for s := range without(&errs, b.Events(cmd.Context(), bus.Filter{Since: began})) {
			key := s.Message.GetCall().GetKey()
			if !yield(ledger.Stored{ID: s.Message.GetId(), Subject: s.Subject, Sequence: s.Sequence, Key: key}) {
				return
			}
		}
	}
	quarantine := func(yield func(ledger.Stored) bool) {
		for s := range without(&errs, b.Quarantined(cmd.Context(), bus.Filter{Since: began})) {
			if !yield(ledger.Stored{ID: s.Message.GetId(), Subject: s.Subject, Sequence: s.Sequence}) {
				return
			}
		}
	}
	report := ledger.Judge(entries, events, quarantine)
	if err := errors.Join(append(errs, cmd.Context().Err())...); err != nil {
		return err
	}
	fmt.Fprint(cmd.OutOrStdout(), report)
	if !report.OK() {
		return errors.New("what is stored is not what the ledger says")
	}
	return nil
}

// without takes the errors out of a sequence.
func without[T any](errs *[]error, all iter.Seq2[T, error]) iter.Seq[T] {
	return func(yield func(T) bool) {
		for v, err := range all {
			if err != nil {
				*errs = append(*errs, err)
				continue
			}
			if !yield(v) {
				return
			}
		}
	}
}
