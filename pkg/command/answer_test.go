package command_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/switchhook/switchhook/pkg/command"
	"github.com/switchhook/switchhook/pkg/fault"
)

func TestAnswerErr(t *testing.T) {
	for status, want := range map[int]fault.Kind{
		302: fault.Internal, 400: fault.Internal, 401: fault.Denied, 403: fault.Denied, 404: fault.Internal, 409: fault.Internal,
		422: fault.Internal, 429: fault.Unavailable, 500: fault.Internal, 501: fault.Internal, 503: fault.Internal,
	} {
		err := command.Answer{Status: status, Body: []byte(`{"message":"no hunter2"}`)}.Err("hunter2")
		if !fault.Is(err, want) || !strings.Contains(err.Error(), "no xxxxx") {
			t.Errorf("status %d: want %s, have %s: %v", status, want, fault.Of(err), err)
		}
		if _, lost := errors.AsType[*command.Lost](err); lost {
			t.Errorf("status %d: want what was refused not to be lost", status)
		}
	}
	for _, status := range []int{408, 502, 504} {
		if _, lost := errors.AsType[*command.Lost](command.Answer{Status: status}.Err()); !lost {
			t.Errorf("status %d: want it to be lost", status)
		}
	}
	if err := (command.Answer{Status: 503, Later: true}).Err(); !fault.Is(err, fault.Unavailable) {
		t.Errorf("want unavailable, have %v", err)
	}
	for _, status := range []int{200, 201, 202, 204} {
		if err := (command.Answer{Status: status, Body: []byte(`{"error":"x"}`)}).Err(); err != nil {
			t.Errorf("status %d: want no error, have %v", status, err)
		}
	}
}

func TestWords(t *testing.T) {
	for body, want := range map[string]string{
		`{"error":"x","error_description":"Invalid user credentials"}`:      "Invalid user credentials",
		`{"errors":{"description":"Абонент не найден"}}`:                    "Абонент не найден",
		`{"errors":[{"code":1},{"message":" two\n lines "}]}`:               "two lines",
		`{"statusCode":400,"error":"Bad Request","message":"to: required"}`: "to: required",
		`{"code":1}`:               "",
		`"plain"`:                  "plain",
		`[]`:                       "",
		``:                         "",
		` no such user `:           "no such user",
		"<html>x</html>":           "",
		"a\x00b\xff\u200bc\x1b[":   "abc[",
		strings.Repeat("ž", 300):   strings.Repeat("ž", 200) + "…",
		`{"error":"se\u200bcret"}`: "xxxxx",
		`{"error": "sec`:           `{"error": "sec`,
	} {
		if have := command.Words([]byte(body), "secret"); want != have {
			t.Errorf("%s: want %q, have %q", body, want, have)
		}
	}
}

func TestRefused(t *testing.T) {
	for body, want := range map[string]string{
		`{"error":"no"}`: "no", `{"errors":[{"code":5}]}`: `[{"code":5}]`, `{"errors":{"description":"no"}}`: "no", `{"error":true}`: "true",
		`{"error":null}`: "", `{"error":false,"errors":[]}`: "", `{"error":""}`: "", `{"errors":{}}`: "", `{"error":0}`: "",
		`{"status":"success"}`: "", `{"error":"no"`: "", `[]`: "", `"error"`: "", ``: "",
	} {
		have, refused := command.Answer{Body: []byte(body)}.Refused()
		if want != have || refused != (want != "") {
			t.Errorf("%s: want %q, have %q and %v", body, want, have, refused)
		}
	}
}

func TestConceal(t *testing.T) {
	for text, want := range map[string]string{
		"Bearer abc": "Bearer xxxxx", "abcdef": "xxxxx", "ab c": "ab c", "p/w d&+": "xxxxx", "p%2Fw+d%26%2B": "xxxxx",
		"p%2Fw%20d&+": "xxxxx", `p/w d\u0026+`: "xxxxx", "": "",
	} {
		if have := command.Conceal(text, "abc", "", "abcdef", "p/w d&+"); want != have {
			t.Errorf("%q: want %q, have %q", text, want, have)
		}
	}
}

// FuzzWords demands that whatever an exchange says, in whatever spelling, no secret is told, and that what is told is short text
// on one line.
func FuzzWords(f *testing.F) {
	for _, seed := range []string{`{"error":"x hunter2-a/b&c"}`, "hunter2-a/b&c", "hunter2-\u200ba/b&c", `["hunter2-a\/b\u0026c"]`, "<html>"} {
		f.Add([]byte(seed), "hunter2-a/b&c")
	}
	f.Fuzz(func(t *testing.T, body []byte, secret string) {
		if len(secret) < len("hunter2") || strings.ContainsFunc(secret, func(r rune) bool { return r <= ' ' || r == 'x' || r > '~' }) {
			return
		}
		// Beside what comes along, the secret in every spelling that we send or an exchange may answer.
		quoted, _ := json.Marshal("said: " + secret + " " + url.QueryEscape(secret))
		for _, body := range [][]byte{
			body, []byte(secret), quoted, []byte(`{"error":` + string(quoted) + `}`), []byte(base64.StdEncoding.EncodeToString([]byte(secret))),
			append(body, secret...),
		} {
			have := command.Words(body, secret)
			if strings.Contains(have, secret) || strings.Contains(have, url.QueryEscape(secret)) {
				t.Errorf("%q: want no secret, have %q", body, have)
			}
			if utf8.RuneCountInString(have) > 201 || strings.ContainsAny(have, "\r\n\t\x00") || !utf8.ValidString(have) {
				t.Errorf("%q: want short text on one line, have %q", body, have)
			}
		}
	})
}
