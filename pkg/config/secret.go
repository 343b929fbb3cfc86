package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"strings"

	"go.yaml.in/yaml/v4"
)

const redacted = "(secret)"

// Secret is a credential that prints as "(secret)" wherever it is formatted, logged or encoded. In the file it is text
// in which ${NAME} stands for an environment variable; or, under the key with "_file" after it, the path of a file that
// holds it. The zero value is no secret. Secrets cannot be compared with ==: compare what Reveal returns, in constant
// time.
type Secret struct {
	_ [0]func() // Forbids ==, which would compare pointers.

	// A pointer, because fmt prints the unexported fields of others without asking for their methods.
	value *string
}

// NewSecret returns a secret, for tests.
func NewSecret(value string) Secret { return Secret{value: &value} }

// Reveal returns the credential itself, which is empty for the zero value.
func (s Secret) Reveal() string {
	if s.value == nil {
		return ""
	}
	return *s.value
}

// IsZero reports whether there is no secret, or an empty one.
func (s Secret) IsZero() bool { return s.Reveal() == "" }

// String returns "(secret)", also for the zero value.
func (Secret) String() string { return redacted }

// Format writes "(secret)" for every verb and flag.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue returns "(secret)".
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText returns "(secret)", which is what JSON and YAML then show.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// secret decodes a secret given as text.
func (d *decoder) secret(n *yaml.Node, at place, into *Secret) {
	text, ok := d.text(n, at)
	if !ok {
		return
	}
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(text, "${")
		b.WriteString(before)
		if !found {
			*into = NewSecret(b.String())
			return
		}
		name, after, closed := strings.Cut(rest, "}")
		if !closed || !isName(name) {
			d.problem(at, "want ${NAME} with a variable's name (a secret that itself contains ${ goes into a file)")
			return
		}
		value := d.src.env(name)
		if value == "" {
			d.problem(at, "environment variable %s is not set, or empty", name)
			return
		}
		b.WriteString(value)
		text = after
	}
}

// secretFile decodes a secret given as the path of a file. The path is not shown, as somebody may have put the secret
// there.
func (d *decoder) secretFile(n *yaml.Node, at place, into *Secret) {
	path, ok := d.text(n, at)
	if !ok {
		return
	}
	data, err := d.src.file(d.src.resolve(path))
	if err != nil {
		d.problem(at, "reading the file: %v (a relative path starts at the folder of the configuration)", cause(err))
		return
	}
	data = bytes.TrimRight(data, "\r\n")
	if len(data) == 0 {
		d.problem(at, "the file is empty")
		return
	}
	*into = NewSecret(string(data))
}

// cause returns what the system says about a file, without its path.
func cause(err error) error {
	if pathError, ok := errors.AsType[*fs.PathError](err); ok {
		return pathError.Err
	}
	return err
}

// isName reports whether that can be the name of an environment variable.
func isName(name string) bool {
	for i, c := range []byte(name) {
		letter := c == '_' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return name != ""
}
