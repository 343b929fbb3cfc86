package ctl

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/switchhook/switchhook/pkg/cli"
	"github.com/switchhook/switchhook/pkg/fault"
	"github.com/switchhook/switchhook/services/web-gateway/tokens"
)

const (
	tokenLimit = 10 * time.Second // for the gateway to answer
	// longestAnswer is how much is read of what it answers, in bytes.
	longestAnswer = 64 << 10
)

// tokenFlags say whose token is wanted, and from where.
type tokenFlags struct {
	tenant             tenant
	login, line, email string
	rights             rights
	url, keyFile       string
	json               bool
}

func (a *app) webTokenCommand() *cobra.Command {
	var f tokenFlags
	cmd := &cobra.Command{
		Use:   "token",
		Short: "Get a token for a page",
		Long: `Get a token for the page of one person from web-gateway, as the server of a web application does: with
the API key of the tenant, which is read from a file. Without --rights the token has calls and commands.

The token is printed; with --json all that the gateway answers is: "token", "expiresAt", "rights".`,
		Example: `  pbxctl web token --tenant acme --login karel --key-file /run/secrets/web_key
  pbxctl web token --tenant acme --line 100 --rights calls --url https://pbx.acme.example --key-file key.txt --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			question, err := f.question(cmd)
			if err != nil {
				return err
			}
			key, err := readKey(f.keyFile)
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), tokenLimit)
			defer cancel()
			answer, err := f.ask(ctx, key, question)
			if err != nil {
				return err
			}
			return f.print(cmd.OutOrStdout(), answer)
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	f.tenant.register(cmd, "whose tenant the person is of")
	flags.StringVar(&f.login, "login", "", "`name` by which the person logs in at the exchange")
	flags.StringVar(&f.line, "line", "", "or the person's `extension`")
	flags.StringVar(&f.email, "email", "", "or the person's e-mail `address`")
	f.rights.register(cmd, "what the token allows")
	flags.StringVar(&f.url, "url", "http://127.0.0.1:8080", "`URL` of web-gateway")
	flags.StringVar(&f.keyFile, "key-file", "", "`file` that holds the API key, and nothing else")
	require(cmd, "key-file")
	flags.BoolVar(&f.json, "json", false, "print JSON")
	for _, name := range []string{"login", "line", "email", "url"} {
		complete(cmd, name)
	}
	return cmd
}

// tokenQuestion is what the gateway is asked.
type tokenQuestion struct {
	Tenant        string         `json:"tenant"`
	IdentityType  string         `json:"identityType"`
	IdentityValue string         `json:"identityValue"`
	Rights        []tokens.Right `json:"rights,omitempty"`
}

// question says what is wrong with the command line, or what to ask.
func (f *tokenFlags) question(cmd *cobra.Command) (tokenQuestion, error) {
	q := tokenQuestion{Tenant: string(f.tenant), Rights: f.rights}
	errs := []error{checkGiven(cmd, tokens.Login, tokens.Line, tokens.Email, "key-file")}
	given := 0
	for _, identity := range []struct{ kind, value string }{{tokens.Login, f.login}, {tokens.Line, f.line}, {tokens.Email, f.email}} {
		if cmd.Flags().Changed(identity.kind) {
			q.IdentityType, q.IdentityValue = identity.kind, identity.value
			given++
		}
	}
	if given != 1 {
		errs = append(errs, cli.Usage("want one of --login, --line and --email"))
	}
	if u, err := url.Parse(f.url); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil ||
		strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
		errs = append(errs, cli.Usage("--url: want one such as https://pbx.acme.example, without a path")) // it may hold a credential
	}
	return q, errors.Join(errs...)
}

func readKey(path string) (string, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("read the API key: %w", err)
	}
	key := strings.TrimSpace(string(data))
	if key == "" || strings.ContainsAny(key, " \t\r\n") {
		return "", fmt.Errorf("read the API key: %s: want the key, and nothing else", path)
	}
	return key, nil
}

// ask returns what the gateway answers. No error holds the key.
func (f *tokenFlags) ask(ctx context.Context, key string, question tokenQuestion) ([]byte, error) {
	body, err := json.Marshal(question)
	if err != nil {
		return nil, err
	}
	target := strings.TrimSuffix(f.url, "/") + "/api/v1/tokens"
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Authorization", "Bearer "+key)
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := client.Do(request)
	if err != nil {
		return nil, fault.New(fault.Unavailable, "web-gateway does not answer at %s; is it running? (%w)", f.url, err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, longestAnswer))
	if err != nil {
		return nil, fault.New(fault.Unavailable, "web-gateway at %s: %w", f.url, err)
	}
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("web-gateway at %s: %s", f.url, refused(response.Status, answer))
	}
	return answer, nil
}

// refused returns why the gateway gives no token.
func refused(status string, answer []byte) string {
	var problem struct {
		Detail string `json:"detail"`
	}
	if json.Unmarshal(answer, &problem) != nil {
		return status
	}
	return clean(cmp.Or(problem.Detail, status))
}

func (f *tokenFlags) print(out io.Writer, answer []byte) error {
	var given struct {
		Token string `json:"token"`
	}
	if err := json.Unmarshal(answer, &given); err != nil || given.Token == "" {
		return fmt.Errorf("web-gateway at %s: what it answers is no token; is it web-gateway?", f.url)
	}
	if f.json {
		return newEncoder(out).Encode(json.RawMessage(answer)) // which the encoder makes compact
	}
	_, err := fmt.Fprintln(out, clean(given.Token))
	return err
}
