package service

import (
	"cmp"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"github.com/switchhook/switchhook/pkg/bus"
	"github.com/switchhook/switchhook/pkg/cli"
)

// Prefix begins the name of every flag's environment variable.
const Prefix = "SWITCHHOOK"

// Command is the program of a single part.
func Command(part Part, short string) *cobra.Command {
	cmd, o, logging := newCommand(part.Name, short)
	NATSFlags(cmd.Flags(), &o.NATS)
	if part.Stores {
		spoolFlags(cmd.Flags(), o, "none unless given: webhooks are refused then")
	}
	cmd.RunE = runParts(part.Name, o, logging, part)
	cli.Env(cmd, Prefix)
	return cmd
}

// Standalone is the program that runs all parts on a NATS server of its own, which start starts.
func Standalone(
	short string, start func(listen, data string, log *slog.Logger) (Server, error), parts ...Part,
) *cobra.Command {
	cmd, o, logging := newCommand("standalone", short)
	listen := cmd.Flags().String("nats-listen", "127.0.0.1:4222",
		"`address` of the embedded NATS server, for other programs to connect to")
	data := cmd.Flags().String("data", "switchhook-data", "`folder` for the streams; made when missing")
	o.Embed = func(log *slog.Logger) (Server, error) { return start(*listen, *data, log) }
	spoolFlags(cmd.Flags(), o, "spool in that of the streams unless given")
	runAll := runParts("standalone", o, logging, parts...)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		o.Spool = cmp.Or(o.Spool, filepath.Join(*data, "spool"))
		return runAll(cmd, args)
	}
	cli.Env(cmd, Prefix)
	return cmd
}

// NATSFlags adds the flags that say how to connect to NATS.
func NATSFlags(flags *pflag.FlagSet, o *bus.Options) {
	flags.StringVar(&o.URL, "nats", "nats://127.0.0.1:4222",
		"`URL` of the NATS server, or of several, separated by commas; a user and password may stand in it")
	flags.StringVar(&o.Credentials, "nats-creds", "", "`file` with a NATS user's JWT and seed, in place of a user and password")
	flags.StringVar(&o.CA, "nats-ca", "", "`file` with the certificates, as PEM, that the NATS server's must be of; demands TLS")
}

type logFlags struct{ level, format string }

func newCommand(name, short string) (*cobra.Command, *Options, *logFlags) {
	o, logging := &Options{}, &logFlags{}
	cmd := &cobra.Command{
		Use:   name,
		Short: short,
		Long: short + `

Each flag can also be set by the environment variable behind it. The configuration file is
read again when it changes; a broken one is refused with a line in the log.`,
		Example: fmt.Sprintf("  %s --config switchhook.yaml --listen 127.0.0.1:8080", name),
		Args:    cobra.NoArgs,
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&o.Config, "config", "switchhook.yaml", "configuration `file`")
	flags.StringVar(&o.Listen, "listen", "127.0.0.1:8080", "`address` for HTTP")
	flags.StringVar(&o.AdminListen, "admin-listen", "127.0.0.1:8081", "`address` for /livez, /readyz and /metrics")
	flags.Var((*prefixes)(&o.Trusted), "trusted-proxies",
		"`networks` of the proxies whose X-Forwarded-For is believed, such as 10.0.0.0/8, separated by commas")
	flags.StringVar(&logging.level, "log-level", "info", "least `level` to log: debug, info, warn, error")
	flags.StringVar(&logging.format, "log-format", "auto", "`format` of the log: text, json, or auto (text on a terminal)")
	return cmd, o, logging
}

func runParts(name string, o *Options, logging *logFlags, parts ...Part) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, _ []string) (err error) {
		if o.Log, err = logging.logger(); err != nil {
			return err
		}
		return Run(cmd.Context(), name, *o, parts...)
	}
}

func (l *logFlags) logger() (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(l.level)); err != nil {
		return nil, cli.Usage("--log-level: want debug, info, warn or error, have %q", l.level)
	}
	options := &slog.HandlerOptions{Level: level}
	text := l.format == "text" || l.format == "auto" && term.IsTerminal(int(os.Stderr.Fd()))
	switch {
	case text:
		return slog.New(slog.NewTextHandler(os.Stderr, options)), nil
	case l.format == "json" || l.format == "auto":
		return slog.New(slog.NewJSONHandler(os.Stderr, options)), nil
	}
	return nil, cli.Usage("--log-format: want text, json or auto, have %q", l.format)
}

// prefixes is a flag's value: networks separated by commas.
type prefixes []netip.Prefix

func (p *prefixes) String() string {
	texts := make([]string, len(*p))
	for i, prefix := range *p {
		texts[i] = prefix.String()
	}
	return strings.Join(texts, ",")
}

func (p *prefixes) Set(text string) error {
	*p = nil
	for part := range strings.SplitSeq(text, ",") {
		prefix, err := netip.ParsePrefix(strings.TrimSpace(part))
		if err != nil {
			return fmt.Errorf("want networks such as 10.0.0.0/8: %w", err)
		}
		*p = append(*p, prefix.Masked())
	}
	return nil
}

func (p *prefixes) Type() string { return "networks" }
