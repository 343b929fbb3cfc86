package ctl

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/switchhook/switchhook/pkg/config"
	"github.com/switchhook/switchhook/pkg/directories"
	"github.com/switchhook/switchhook/pkg/service"
	"github.com/switchhook/switchhook/services/command-relay/commands"
	"github.com/switchhook/switchhook/services/missed-call/settings"
	"github.com/switchhook/switchhook/services/web-gateway/tokens"
)

func (a *app) configCommand() *cobra.Command {
	check := &cobra.Command{
		Use:   "check FILE",
		Short: "Say what is wrong with a configuration file",
		Long: `Say what is wrong with a configuration file: everything at once, a line "path:line: message"
each, on stderr. Nothing is said of a file that the services will take.

Secrets are looked up as the services do it, so the environment variables and files that the
configuration names must be there, templates of messages among them.`,
		Example: "  pbxctl config check switchhook.yaml",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			_, err := service.Load(args[0], service.Part{Check: directories.Check}, service.Part{Check: checkCommanders},
				service.Part{Check: checkPolicies}, service.Part{Check: settings.Check}, service.Part{Check: checkWeb})
			wrong, ok := errors.AsType[*config.FileError](err)
			if !ok {
				return err
			}
			fmt.Fprintln(cmd.ErrOrStderr(), wrong)
			return fmt.Errorf("%s: problems found: %d", args[0], len(wrong.Problems))
		},
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return []string{"yaml", "yml"}, cobra.ShellCompDirectiveFilterFileExt
		},
	}
	return group("config", "Check a configuration file", "Check a configuration file.",
		"  pbxctl config check switchhook.yaml", check)
}

// checkPolicies says what is wrong with what people may do by command.
func checkPolicies(c *config.Config) error {
	_, err := commands.Policies(c)
	return err
}

// checkWeb says what is wrong with which pages and people may ask.
func checkWeb(c *config.Config) error {
	_, err := tokens.Read(c)
	return err
}
