package command

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/switchhook/switchhook/pkg/fault"
)

// Err returns what the status of an answer means for a command, with the exchange's words, in which the secrets are concealed. It
// is nil for 2xx.
func (a Answer) Err(secrets ...string) error {
	said := "status " + strconv.Itoa(a.Status)
	if words := Words(a.Body, secrets...); words != "" {
		said += fmt.Sprintf(": %q", words)
	}
	switch {
	case a.Status/100 == 2:
		return nil
	case a.Status/100 == 3:
		return fault.New(fault.Internal, "%s: a redirect, which is not followed", said)
	case a.Status == http.StatusUnauthorized, a.Status == http.StatusForbidden:
		return fault.New(fault.Denied, "%s", said)
	case a.Status == http.StatusTooManyRequests, a.Status == http.StatusServiceUnavailable && a.Later:
		return fault.New(fault.Unavailable, "%s", said)
	case a.Status == http.StatusRequestTimeout, a.Status == http.StatusBadGateway, a.Status == http.StatusGatewayTimeout:
		// Somebody on the way lost the answer of somebody behind.
		return &Lost{said}
	default:
		return fault.New(fault.Internal, "%s", said)
	}
}

// Refused reports whether an answer with a status of success is a refusal all the same: a JSON object with something under
// "error" or "errors". It returns what that says, with the secrets concealed.
func (a Answer) Refused(secrets ...string) (words string, refused bool) {
	var object struct {
		Error  any `json:"error"`
		Errors any `json:"errors"`
	}
	if json.Unmarshal(a.Body, &object) != nil {
		return "", false
	}
	for _, value := range []any{object.Error, object.Errors} {
		switch text, _ := json.Marshal(value); string(text) {
		case "null", "false", `""`, "0", "[]", "{}":
		default:
			if words := Words(text, secrets...); words != "" {
				return words, true
			}
			return Conceal(string(text), secrets...), true
		}
	}
	return "", false
}

// maxWords is how much of an exchange's words is told, in characters.
const maxWords = 200

// Words returns what an exchange says of why it refused, or nothing: the first text in a JSON body under a name that is used for
// that, or a body that is plain text. It is short, on one line, and the secrets are concealed.
func Words(body []byte, secrets ...string) string {
	body = bytes.TrimSpace(body)
	var value any
	text := ""
	if json.Unmarshal(body, &value) == nil {
		text = findWords(value)
	} else if !bytes.HasPrefix(body, []byte("<")) {
		text = string(body)
	}
	text = strings.Join(strings.Fields(strings.Map(printable, text)), " ")
	text = Conceal(text, secrets...)
	if runes := []rune(text); len(runes) > maxWords {
		text = string(runes[:maxWords]) + "…"
	}
	return text
}

// printable drops what does not show, and could hide a secret from Conceal.
func printable(r rune) rune {
	if !unicode.IsPrint(r) && !unicode.IsSpace(r) || r == unicode.ReplacementChar {
		return -1
	}
	return r
}

func findWords(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case []any:
		for _, each := range v {
			if words := findWords(each); words != "" {
				return words
			}
		}
	case map[string]any:
		for _, name := range []string{"error_description", "description", "message", "detail", "error", "errors", "reason", "title"} {
			if words := findWords(v[name]); words != "" {
				return words
			}
		}
	}
	return ""
}

// Conceal replaces each secret in a text, as it is, as it stands in an address, a form or JSON, and in base64. The longest goes
// first, since one may be part of another.
func Conceal(text string, secrets ...string) string {
	var forms []string
	for _, secret := range secrets {
		if quoted, err := json.Marshal(secret); err == nil && secret != "" {
			forms = append(forms, secret, url.QueryEscape(secret), url.PathEscape(secret),
				string(quoted[1:len(quoted)-1]), base64.StdEncoding.EncodeToString([]byte(secret)))
		}
	}
	slices.SortFunc(forms, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
	for _, form := range forms {
		text = strings.ReplaceAll(text, form, Concealed)
	}
	return text
}
