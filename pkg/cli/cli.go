// Package cli holds what all of Switchhook's programs share on the command line: flags that the environment can set,
// exit codes, and errors that a person can act on.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Version is stamped by the build.
var Version = "development"

// The exit codes. Zero is success.
const (
	ExitFailure = 1 // it was tried and did not work, or what was checked is wrong
	ExitUsage   = 2 // the command line is wrong; nothing was tried
)

// Usage marks an error of the command line, which ends with ExitUsage.
func Usage(format string, args ...any) error {
	return &usageError{fmt.Errorf(format, args...)}
}

type usageError struct{ error }

func (u *usageError) Unwrap() error { return u.error }

// Main runs a program's command until it ends, or is interrupted, and exits the process.
func Main(cmd *cobra.Command) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := Run(ctx, cmd, os.Stderr)
	stop()
	os.Exit(code)
}

// Run runs a command and returns the exit code. An error goes to stderr, in one line unless it has several itself.
func Run(ctx context.Context, cmd *cobra.Command, stderr io.Writer) int {
	cmd.Version = Version
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return Usage("%w; see %s --help", err, c.CommandPath())
	})
	executed, err := cmd.ExecuteContextC(ctx)
	if err == nil {
		return 0
	}
	path := executed.CommandPath()
	_, usage := errors.AsType[*usageError](err)
	switch {
	case usage:
		fmt.Fprintf(stderr, "%s: %v\n", path, err)
	case isCobraUsage(err):
		if strings.Contains(err.Error(), " arg(s)") {
			err = fmt.Errorf("%w: %s", err, strings.TrimSuffix(executed.UseLine(), " [flags]"))
		}
		fmt.Fprintf(stderr, "%s: %v; see %s --help\n", path, err, path)
	default:
		fmt.Fprintf(stderr, "%s: %v\n", path, err)
		return ExitFailure
	}
	return ExitUsage
}

// isCobraUsage recognises what cobra itself refuses, which it does not mark.
func isCobraUsage(err error) bool {
	for _, prefix := range []string{"unknown command", "accepts ", "requires ", "required flag", `invalid argument "`} {
		if strings.HasPrefix(err.Error(), prefix) {
			return true
		}
	}
	return false
}

// variable is the annotation of a flag that the environment can set: the variable's name.
const variable = "environment"

// Env lets the environment set every flag of a command, --nats-listen by PREFIX_NATS_LISTEN; for its subcommands the
// persistent ones, and those that EnvFlag names. A flag on the command line goes first. The help text of each flag names
// its variable. Call it when the flags are there.
func Env(cmd *cobra.Command, prefix string) {
	cmd.LocalFlags().VisitAll(func(f *pflag.Flag) { EnvFlag(f, prefix) })
	before := cmd.PersistentPreRunE
	cmd.PersistentPreRunE = func(c *cobra.Command, args []string) error {
		var errs []error
		c.Flags().VisitAll(func(f *pflag.Flag) {
			if f.Changed || f.Annotations[variable] == nil {
				return
			}
			name := f.Annotations[variable][0]
			value, ok := os.LookupEnv(name)
			if !ok {
				return
			}
			if err := c.Flags().Set(f.Name, value); err != nil {
				errs = append(errs, Usage("environment variable %s: %w", name, err))
			}
		})
		if before != nil {
			errs = append(errs, before(c, args))
		}
		return errors.Join(errs...)
	}
}

// EnvFlag lets the environment set one flag of a command below one that Env was called for.
func EnvFlag(f *pflag.Flag, prefix string) {
	name := prefix + "_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
	f.Usage += " [$" + name + "]"
	if f.Annotations == nil {
		f.Annotations = make(map[string][]string)
	}
	f.Annotations[variable] = []string{name}
}
