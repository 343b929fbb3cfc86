package config_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/switchhook/switchhook/pkg/config"
)

// FuzzParse wants a configuration or an error, never both; every problem on a line that the file has; and errors that
// do not depend on secrets: with another secret in its place, the text is the same to the letter.
func FuzzParse(f *testing.F) {
	for _, path := range slices.Concat(files(f, "good"), files(f, "broken")) {
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	path := filepath.Join(f.TempDir(), "config.yaml")
	f.Fuzz(func(t *testing.T, data []byte) {
		if c, err := config.Parse(data); (c == nil) == (err == nil) {
			t.Fatalf("want a configuration or an error, have %v, %v", c, err)
		}
		problems, secrets := inspect(t, path, data)
		last := max(1, bytes.Count(data, []byte("\n"))+1)
		if bytes.HasSuffix(data, []byte("\n")) {
			last = max(1, last-1)
		}
		for _, p := range problems {
			if p.Line < 1 || p.Line > last || strings.Contains(p.Message, "\n") {
				t.Errorf("want one message about a line from 1 to %d, have %q", last, p)
			}
		}
		for _, secret := range secrets {
			if len(secret) < 4 || strings.ContainsAny(secret, "\n$") || bytes.Count(data, []byte(secret)) != 1 {
				continue // Not to be found again in the file.
			}
			other := bytes.Replace(data, []byte(secret), bytes.Repeat([]byte("x"), len(secret)), 1)
			if have, _ := inspect(t, path, other); !slices.Equal(problems, have) {
				t.Errorf("want %v whatever the secret %q is, have %v", problems, secret, have)
			}
		}
	})
}

// inspect returns what is wrong with a file, and the secrets in it.
func inspect(t *testing.T, path string, data []byte) (problems config.Problems, secrets []string) {
	write(t, path, string(data))
	_, err := config.Load(path, func(c *config.Config) (struct{}, error) {
		all, err := decodeAll(c)
		for _, s := range all {
			secrets = append(secrets, s.Webhook.Password.Reveal(), s.Webhook.Secret.Reveal())
			if s.API != nil {
				secrets = append(secrets, s.API.Password.Reveal(), s.API.Token.Reveal())
			}
		}
		return struct{}{}, err
	})
	if e, ok := errors.AsType[*config.FileError](err); ok {
		problems = e.Problems
	}
	return problems, secrets
}
