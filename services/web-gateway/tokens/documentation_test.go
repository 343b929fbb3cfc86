package tokens_test

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/switchhook/switchhook/pkg/config"
	"github.com/switchhook/switchhook/services/web-gateway/frames"
	"github.com/switchhook/switchhook/services/web-gateway/tokens"
)

// examples returns the blocks of the documentation in a language.
func examples(t *testing.T, language string) []string {
	t.Helper()
	text, err := os.ReadFile("../../../docs/web.md")
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for i, block := range strings.Split(string(text), "```") {
		if example, ok := strings.CutPrefix(block, language+"\n"); ok && i%2 == 1 {
			all = append(all, strings.TrimSpace(example))
		}
	}
	if len(all) == 0 {
		t.Fatalf("want examples in %s, have none", language)
	}
	return all
}

// What documentation and the example say is a key or a password is one.
func TestDocumentedConfiguration(t *testing.T) {
	t.Setenv("ACME_IPEX_PASSWORD", "hunter2")
	t.Setenv("ACME_API_PASSWORD", "hunter2")
	example, err := os.ReadFile("../../../examples/switchhook.yaml")
	if err != nil {
		t.Fatal(err)
	}
	documented := examples(t, "yaml")
	if len(documented) != 1 {
		t.Fatalf("want one configuration, have %q", documented)
	}
	for login, text := range map[string]string{"karel": documented[0], "supervisor": string(example)} {
		c, err := config.Parse([]byte(text))
		if err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
		s, err := tokens.Read(c)
		if err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
		if _, ok := s.Tenant("acme").APIKey("demo-only-web-api-key"); !ok {
			t.Errorf("want the key known, in\n%s", text)
		}
		if _, rights, ok := s.Tenant("acme").LogIn(login, "demo-only-web-password"); !ok || len(rights) < 3 {
			t.Errorf("want %s let in, have %v, %v in\n%s", login, rights, ok, text)
		}
	}
}

// Frames are as they are documented: clients' are understood, and the gateway's have no other keys.
func TestDocumentedFrames(t *testing.T) {
	events := map[string]func() any{
		"authresponse": func() any { return new(frames.AuthResponse) }, "snapshot": func() any { return new(frames.Snapshot) },
		"Contact": func() any { return new(frames.ContactFrame) },
	}
	for _, name := range []string{frames.Ringing, frames.Answered, frames.Hangup} {
		events[name] = func() any { return new(frames.CallFrame) }
	}
	for _, action := range []string{"originate", "hangup", "transfer"} {
		events[frames.ResultName(action)] = func() any { return new(frames.Result) }
	}
	for line := range strings.SplitSeq(strings.Join(examples(t, "json"), "\n"), "\n") {
		var kind struct{ Action, Event string }
		if err := json.Unmarshal([]byte(line), &kind); err != nil {
			t.Errorf("%v in %s", err, line)
			continue
		}
		if kind.Action != "" {
			if _, err := frames.Decode([]byte(line)); err != nil {
				t.Errorf("%v in %s", err, line)
			}
			continue
		}
		if events[kind.Event] == nil {
			t.Errorf("want an event of the gateway, have %s", line)
			continue
		}
		frame := events[kind.Event]()
		decoder := json.NewDecoder(strings.NewReader(line))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(frame); err != nil {
			t.Errorf("%v in %s", err, line)
			continue
		}
		var compact bytes.Buffer
		if err := json.Compact(&compact, []byte(line)); err != nil {
			t.Fatal(err)
		}
		if want := string(frames.Encode(frame)); want != compact.String() {
			t.Errorf("want it as the gateway writes it, %s, have %s", want, &compact)
		}
	}
}
