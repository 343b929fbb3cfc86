package settings_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/switchhook/switchhook/pkg/config"
	"github.com/switchhook/switchhook/pkg/notify"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
	"github.com/switchhook/switchhook/services/missed-call/settings"
)

// examples returns the blocks of the documentation in a language.
func examples(t *testing.T, language string) []string {
	t.Helper()
	text, err := os.ReadFile("../../../docs/missed-calls.md")
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for i, block := range strings.Split(string(text), "```") {
		if example, ok := strings.CutPrefix(block, language+"\n"); ok && i%2 == 1 {
			all = append(all, example)
		}
	}
	return all
}

// TestDocumentation checks every configuration of the documentation as a user would. What is not a whole file is a part of the
// first, which is one: channels in addition, or other settings.
func TestDocumentation(t *testing.T) {
	for name, value := range map[string]string{
		"ACME_IPEX_PASSWORD": "hunter2", "ACME_API_PASSWORD": "hunter2", "ACME_TELEGRAM_TOKEN": "110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw",
		"ACME_SLACK_URL": "https://hooks.example.com/1", "ACME_TEAMS_URL": "https://hooks.example.com/2",
		"ACME_WEBHOOK_SECRET": "whsec_" + strings.Repeat("c2VjcmV0", 4),
	} {
		t.Setenv(name, value)
	}
	folder := t.TempDir()
	words := examples(t, "go-template")
	if len(words) != 1 {
		t.Fatalf("want one example of words, have %d", len(words))
	}
	write(t, folder, "templates/en.tmpl", words[0])
	write(t, folder, "secrets/mattermost_url", "https://hooks.example.com/3")
	all := examples(t, "yaml")
	file, _, _ := strings.Cut(all[0], "    missed_calls:")
	if len(all) < 7 || file == all[0] {
		t.Fatalf("want a whole file and then six parts at least, have %q", all)
	}
	for _, example := range all[1:] {
		indented := "    " + strings.ReplaceAll(strings.TrimSpace(example), "\n", "\n    ") + "\n"
		if strings.HasPrefix(example, "- {type:") {
			indented = strings.ReplaceAll("  "+strings.ReplaceAll(indented, "\n", "\n  "), "/run/", folder+"/")
		}
		checkExample(t, folder, file+indented)
	}
	checkExample(t, folder, all[0])
}

func checkExample(t *testing.T, folder, text string) {
	t.Helper()
	write(t, folder, "switchhook.yaml", text)
	path := filepath.Join(folder, "switchhook.yaml")
	_, err := config.Load(path, func(c *config.Config) (any, error) { return nil, settings.Check(c) })
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	all, err := config.Load(path, settings.Read)
	if err != nil || len(all) != 1 || len(all[0].Alerts.Routes) == 0 {
		t.Errorf("want a tenant with routes, have %+v, %v", all, err)
	}
	if !strings.Contains(text, "templates:") {
		return
	}
	message, err := all[0].Templates.Render("en", notify.Opened, notify.Data{Entries: []*pbxv1.MissedCall{{Id: "1", Queue: "Sales"}}})
	if want := "Please call back: Sales"; err != nil || !strings.Contains(message.Text, want) {
		t.Errorf("want %q, have %q, %v", want, message.Text, err)
	}
}
