package ctl

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/crypto/bcrypt"
	"golang.org/x/term"

	"github.com/switchhook/switchhook/services/web-gateway/tokens"
)

// passwordCost is of what the people of the page log in with: higher, and who logs in waits.
const passwordCost = 10

func (a *app) webCommand() *cobra.Command {
	return group("web", "Make API keys and passwords, and get tokens, for web-gateway",
		`Make what stands in the section "web" of the configuration, API keys and passwords, and get tokens from
web-gateway.`,
		`  pbxctl web key --name crm-2026
  pbxctl web password --login karel --rights calls,commands,wallboard
  pbxctl web token --tenant acme --login karel --key-file /run/secrets/web_key`,
		a.webKeyCommand(), a.webPasswordCommand(), a.webTokenCommand())
}

func (a *app) webKeyCommand() *cobra.Command {
	var f struct {
		name string
		json bool
	}
	cmd := &cobra.Command{
		Use:   "key",
		Short: "Make an API key",
		Long: `Make a random API key, with which the server of a web application gets tokens. It is printed this one
time, with the entry for web.api_keys of the tenant, which holds only its SHA-256.

A tenant may have two keys: add the new one, let the application take it, and take the old one out.`,
		Example: `  pbxctl web key --name crm-2026`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkGiven(cmd, "name"); err != nil {
				return err
			}
			key := apiKey{Name: f.name, Key: "shk_" + rand.Text()}
			if key.Name == "" {
				key.Name = "key-" + a.Now().In(a.Location).Format(time.DateOnly)
			}
			key.SHA256 = fmt.Sprintf("%x", sha256.Sum256([]byte(key.Key)))
			if f.json {
				return newEncoder(cmd.OutOrStdout()).Encode(key)
			}
			_, err := fmt.Fprintf(cmd.OutOrStdout(), `For the application's server; it is not shown again:

  %s

For the configuration, under web.api_keys of the tenant:

  - {name: %s, sha256: %q}
`, key.Key, strconv.Quote(key.Name), key.SHA256)
			return err
		},
	}
	cmd.Flags().SortFlags = false
	cmd.Flags().StringVar(&f.name, "name", "", "`text` that names the key in the configuration; today's date unless given")
	cmd.Flags().BoolVar(&f.json, "json", false, "print JSON")
	complete(cmd, "name")
	return cmd
}

// apiKey is a new one.
type apiKey struct {
	Name   string `json:"name"`
	Key    string `json:"key"`
	SHA256 string `json:"sha256"`
}

func (a *app) webPasswordCommand() *cobra.Command {
	var f struct {
		login  string
		rights rights
	}
	cmd := &cobra.Command{
		Use:   "password",
		Short: "Make the entry of a person who may log in to the page",
		Long: `Make the entry for web.people of the tenant, with the bcrypt hash of a password. On a terminal the
password is asked for twice, and not shown; otherwise it is the one line of standard input. It has 72
bytes at most.

Without --rights the person may see calls and send commands of their own.`,
		Example: `  pbxctl web password --login karel
  pbxctl web password --login olga --rights calls,commands,wallboard < password.txt`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkGiven(cmd, "login", "rights"); err != nil {
				return err
			}
			password, err := a.password(cmd)
			if err != nil {
				return err
			}
			hash, err := bcrypt.GenerateFromPassword(password, passwordCost)
			if err != nil { // longer than 72 bytes
				return fmt.Errorf("password: %w", err)
			}
			given := ""
			if len(f.rights) > 0 {
				given = ", rights: [" + strings.ReplaceAll(f.rights.String(), ",", ", ") + "]"
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "- {login: %s, password: %q%s}\n", strconv.Quote(f.login), hash, given)
			return err
		},
	}
	cmd.Flags().SortFlags = false
	cmd.Flags().StringVar(&f.login, "login", "", "`name` to log in with")
	require(cmd, "login")
	f.rights.register(cmd, "what the person may do")
	complete(cmd, "login")
	return cmd
}

// password asks for a new password, or reads it where nobody can be asked.
func (a *app) password(cmd *cobra.Command) ([]byte, error) {
	ask := a.Unseen(cmd.InOrStdin())
	if ask == nil {
		return oneLine(cmd.InOrStdin())
	}
	var typed [2][]byte
	for i, prompt := range []string{"Password: ", "Once more: "} {
		fmt.Fprint(cmd.ErrOrStderr(), prompt)
		line, err := ask(cmd.Context())
		fmt.Fprintln(cmd.ErrOrStderr())
		switch {
		case err != nil:
			return nil, fmt.Errorf("read the password: %w", err)
		case len(line) == 0:
			return nil, errors.New("the password is empty")
		}
		typed[i] = line
	}
	if !bytes.Equal(typed[0], typed[1]) {
		return nil, errors.New("these are two different passwords")
	}
	return typed[0], nil
}

// oneLine reads a password that is piped.
func oneLine(in io.Reader) ([]byte, error) {
	const longest = 4096
	data, err := io.ReadAll(io.LimitReader(in, longest))
	if err != nil {
		return nil, fmt.Errorf("read the password: %w", err)
	}
	line := bytes.TrimSuffix(bytes.TrimSuffix(data, []byte("\n")), []byte("\r"))
	switch {
	case len(line) == 0:
		return nil, errors.New("the password is empty")
	case bytes.ContainsAny(line, "\r\n"):
		return nil, errors.New("standard input has more than one line, and the password is one")
	}
	return line, nil
}

// unseen returns what reads a line from the terminal behind a reader, without showing it; nil when there is no terminal. When
// the context ends meanwhile, the terminal is as it was.
func unseen(in io.Reader) func(context.Context) ([]byte, error) {
	file, ok := in.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return nil
	}
	return func(ctx context.Context) ([]byte, error) {
		fd := int(file.Fd())
		before, err := term.GetState(fd)
		if err != nil {
			return nil, err
		}
		type typed struct {
			line []byte
			err  error
		}
		read := make(chan typed, 1)
		go func() {
			line, err := term.ReadPassword(fd)
			read <- typed{line, err}
		}()
		select {
		case t := <-read:
			return t.line, t.err
		case <-ctx.Done():
			return nil, errors.Join(errors.New("interrupted"), term.Restore(fd, before))
		}
	}
}

// rights is a flag: some of the rights of a token.
type rights []tokens.Right

func (r *rights) String() string { return strings.Join(namesOf(*r), ",") }
func (r *rights) Type() string   { return "list" }

// Set reads names with commas between them.
func (r *rights) Set(text string) error {
	var list rights
	for name := range strings.SplitSeq(text, ",") {
		right := tokens.Right(strings.TrimSpace(name))
		if !right.Known() {
			return fmt.Errorf("want some of %s", strings.Join(namesOf(tokens.AllRights()), ", "))
		}
		if !slices.Contains(list, right) {
			list = append(list, right)
		}
	}
	*r = list
	return nil
}

func (r *rights) register(cmd *cobra.Command, usage string) {
	cmd.Flags().Var(r, "rights",
		usage+": some of "+strings.Join(namesOf(tokens.AllRights()), ", ")+"; "+strings.Join(namesOf(tokens.DefaultRights()), ",")+" unless given")
	complete(cmd, "rights", namesOf(tokens.AllRights())...)
}

func namesOf(rights []tokens.Right) []string {
	names := make([]string, len(rights))
	for i, right := range rights {
		names[i] = string(right)
	}
	return names
}
