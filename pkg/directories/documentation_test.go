package directories_test

import (
	"os"
	"strings"
	"testing"

	"github.com/switchhook/switchhook/pkg/config"
	"github.com/switchhook/switchhook/pkg/directories"
)

// TestDocumentation checks every example of the documentation as a user would.
func TestDocumentation(t *testing.T) {
	for _, name := range []string{"ACME_IPEX_PASSWORD", "ACME_HUBSPOT_TOKEN", "CRM_DB_PASSWORD", "CRM_TOKEN", "HUBSPOT_TOKEN", "PIPEDRIVE_TOKEN", "RAYNET_KEY"} {
		t.Setenv(name, "hunter2")
	}
	t.Setenv("BITRIX24_WEBHOOK", "https://acme.bitrix24.com/rest/1/hunter2/")
	text, err := os.ReadFile("../../docs/directories.md")
	if err != nil {
		t.Fatal(err)
	}
	var examples []string
	for i, block := range strings.Split(string(text), "```") {
		yaml, isYAML := strings.CutPrefix(block, "yaml\n")
		switch {
		case i%2 == 0 || !isYAML:
		case strings.HasPrefix(yaml, "tenants:"):
			examples = append(examples, yaml)
		case strings.HasPrefix(yaml, "- type:"):
			examples = append(examples, "tenants:\n  - name: acme\n    region: CZ\n    exchanges: [{vendor: ipex}]\n    directories:\n"+indent(yaml))
		default: // It goes on with the one before.
			examples[len(examples)-1] += "  " + indent(yaml)
		}
	}
	if len(examples) < 8 {
		t.Errorf("want an example of each type, have %d", len(examples))
	}
	for _, example := range examples {
		c, err := config.Parse([]byte(example))
		if err == nil {
			err = directories.Check(c)
		}
		if err != nil {
			t.Errorf("%v in\n%s", err, example)
		}
	}
}
