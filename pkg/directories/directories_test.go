package directories_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/switchhook/switchhook/pkg/config"
	"github.com/switchhook/switchhook/pkg/directories"
	"github.com/switchhook/switchhook/pkg/phone"
)

func ExampleNew() {
	folder, err := os.MkdirTemp("", "directories-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(folder)
	contacts := filepath.Join(folder, "contacts.csv")
	if err := os.WriteFile(contacts, []byte("Name,Phone\nJan Novák,777 888 999\n"), 0o600); err != nil {
		fmt.Println(err)
		return
	}
	c, err := config.Parse([]byte(`
tenants:
  - name: acme
    region: CZ
    exchanges: [{vendor: ipex}]
    directories:
      - type: file
        path: ` + contacts))
	if err != nil {
		fmt.Println(err)
		return
	}
	all, err := directories.New(c.Tenants[0], slog.New(slog.DiscardHandler))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, d := range all {
		defer d.Close()
		matches, err := d.Find(context.Background(), phone.Forms(phone.Parse("00420 777 888 999", "CZ"), "CZ"))
		for _, m := range matches {
			fmt.Println(m.GetName(), "by", m.GetMatchedNumber(), "from", d.Name, err)
		}
	}
	// Output:
	// Jan Novák by 777 888 999 from file <nil>
}

func TestTypes(t *testing.T) {
	want := []string{"bitrix24", "file", "http", "hubspot", "pipedrive", "raynet", "sql"}
	if have := directories.Types(); !slices.Equal(want, have) {
		t.Errorf("want %q, have %q", want, have)
	}
}

func TestNew(t *testing.T) {
	list := "- type: file\n  path: a.csv\n- type: sql\n  name: warehouse\n  url: postgres://u@h/d\n  query: select $1 as name\n" +
		presets()["pipedrive"].yaml
	all, err := directories.New(tenant(t, strings.ReplaceAll(list, "STUB", "http://127.0.0.1:1")), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	var have []string
	for _, d := range all {
		have = append(have, d.Type+" "+d.Name)
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}
	if want := []string{"file file", "sql warehouse", "pipedrive pipedrive"}; !slices.Equal(want, have) {
		t.Errorf("want %q, have %q", want, have)
	}
}

// TestProblems has one thing wrong in each directory. The first line of a directory is the sixth of the file.
func TestProblems(t *testing.T) {
	const http = "- type: http\n  url: https://crm.example/?n={number}\n  fields: {name: \"{name}\"}\n"
	const sql = "- type: sql\n  url: postgres://u:p@h/d\n"
	tests := map[string]struct{ yaml, want string }{
		"unknown type":         {"- type: ldap", "line 6: D.type: unknown type ldap, want one of bitrix24, file, http, hubspot, pipedrive, raynet, sql"},
		"unknown key":          {"- type: file\n  path: a.csv\n  colums: {}", "line 8: D: unknown key colums, did you mean columns?"},
		"file without a path":  {"- type: file", "line 6: D.path: is missing"},
		"file of no format":    {"- type: file\n  path: a.xls", "line 7: D.path: want an ending of .csv or .vcf, or a format"},
		"file of another one":  {"- type: file\n  path: a.csv\n  format: xls", `line 8: D.format: want csv or vcard, have "xls"`},
		"file without results": {"- type: file\n  path: a.csv\n  limit: 0", "line 8: D.limit: want at least 1"},
		"sql without a query":  {sql, "line 6: D.query: is missing"},
		"sql with no URL":      {"- type: sql\n  url: 'postgres://u:hunter2@h:x/d'\n  query: select $1", "line 7: D.url: want postgres://user:password@host/database"},
		"sql, unknown name":    {sql + "  query: select @e146", "line 8: D.query: unknown parameter, want @e164, @digits, @significant, @national, @forms, or $1"},
		"sql, both":            {sql + "  query: select @e164, $1", "line 8: D.query: want either $1 or parameters by name, not both"},
		"sql without a number": {sql + "  query: select 1", "line 8: D.query: asks for no number: want @e164 or another of its forms in it"},
		"sql, ranges": {
			sql + "  query: select $1\n  pool: 0\n  statement_timeout: 0s\n  limit: -1",
			"line 9: D.pool: want at least 1\nline 10: D.statement_timeout: want at least 1ms\nline 11: D.limit: want at least 1",
		},
		"http without fields":    {"- type: http\n  url: https://crm.example", "line 6: D.fields: is missing"},
		"http without a name":    {"- type: http\n  url: https://crm.example\n  fields: {url: x}", "line 8: D.fields.name: is missing"},
		"http, no URL":           {"- type: http\n  url: crm.example/{number}\n  fields: {name: x}", "line 7: D.url: want an address that begins with https:// or http://"},
		"http, placeholders":     {http + "  headers: {A: \"{tokn}\"}\n  secrets: {token: hunter2}", "line 9: D.headers.A: unknown placeholder {tokn}, want one of digits, e164, limit, number, significant, token"},
		"http, key of no lookup": {http + "  body: '{\"a\": \"{key}\"}'", "line 9: D.body: unknown placeholder {key}, want one of digits, e164, limit, number, significant"},
		"http, no JSON":          {http + "  body: '{\"a\": {number}'", "line 9: D.body: is no JSON once it is filled in (for a form, have a header Content-Type: application/x-www-form-urlencoded)"},
		"http, a secret's name":  {http + "  secrets: {number: hunter2}", "line 9: D.secrets: want names of letters, digits and underscores, none of number, e164, digits, significant, limit"},
		"http, unknown form":     {http + "  forms: [e146]", "line 9: D.forms: forms[0]: want one of e164, digits, international, international_spaced, international_groups, national, significant, national_spaced, groups"},
		"http, lookup":           {http + "  lookup: {key: a, url: \"{kee}\"}", "line 9: D.lookup.url: unknown placeholder {kee}, want one of digits, e164, key, limit, number, significant"},
		"http, lookup's URL":     {http + "  lookup: {key: a, url: \"/{key}\"}", "line 9: D.lookup.url: want an address that begins with https:// or http://"},
		"http, ranges": {
			http + "  method: PUT\n  timeout: 0s\n  retries: -1\n  limit: 0\n  basic: {username: u}",
			"line 9: D.method: want GET or POST\nline 10: D.timeout: want more than 0s\nline 11: D.retries: want at least 0\n" +
				"line 12: D.limit: want at least 1\nline 13: D.basic: want both username and password",
		},
		"bitrix24, no URL":   {"- type: bitrix24\n  webhook: hunter2", "line 7: D.webhook: want the URL of an inbound webhook, https://….bitrix24.com/rest/…"},
		"bitrix24, nothing":  {"- type: bitrix24", "line 6: D.webhook: is missing"},
		"hubspot, portal":    {"- type: hubspot\n  token: a\n  portal: x1", "line 8: D.portal: want the digits of the account's id"},
		"hubspot, no URL":    {"- type: hubspot\n  token: a\n  url: x", "line 8: D.url: want an address that begins with https:// or http://"},
		"pipedrive, nothing": {"- type: pipedrive", "line 6: D.company: is missing\nline 6: D.token: is missing"},
		"pipedrive, company": {"- type: pipedrive\n  token: a\n  company: a.pipedrive.com", "line 8: D.company: want the part of https://….pipedrive.com that is the company's"},
		"raynet, nothing":    {"- type: raynet", "line 6: D.api_key: is missing\nline 6: D.instance: is missing\nline 6: D.username: is missing"},
		"raynet, instance":   {"- type: raynet\n  username: a\n  api_key: b\n  instance: a/b", "line 9: D.instance: want the name of the instance as it stands in its address"},
		"raynet, entity":     {"- type: raynet\n  username: a\n  api_key: b\n  instance: a\n  entity: deal", "line 10: D.entity: want person, company or lead"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			tenant := tenant(t, test.yaml)
			_, err := directories.New(tenant, slog.New(slog.DiscardHandler))
			problems, ok := errors.AsType[config.Problems](err)
			if !ok {
				t.Fatalf("want config.Problems, have %T %v", err, err)
			}
			want := strings.ReplaceAll(test.want, " D", " tenants[0].directories[0]")
			if want != problems.Error() {
				t.Errorf("want %s\nhave %s", want, problems)
			}
			if err := directories.Check(&config.Config{Tenants: []*config.Tenant{tenant}}); err == nil || err.Error() != want {
				t.Errorf("check: want %s\nhave %v", want, err)
			}
		})
	}
}

func TestCheck(t *testing.T) {
	for name, preset := range presets() {
		c := config.Config{Tenants: []*config.Tenant{tenant(t, strings.ReplaceAll(preset.yaml, "STUB", "https://crm.example"))}}
		if err := directories.Check(&c); err != nil {
			t.Errorf("%s: want no problem, have %v", name, err)
		}
	}
}

// TestDigest changes the configuration, and then credentials only.
func TestDigest(t *testing.T) {
	digest := func(yaml string) string {
		all, err := directories.New(tenant(t, yaml), slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		defer all[0].Close()
		return all[0].Digest
	}
	const http = "- type: http\n  url: https://crm.example/?n={number}\n  fields: {name: \"{name}\"}\n  secrets: {token: hunter2}"
	others := map[string][]string{
		http: {
			strings.Replace(http, "crm.example", "crm2.example", 1), strings.Replace(http, "{name}", "{title}", 1), http + "\n  limit: 3",
			"- name: crm\n " + http[1:], http + "\n  headers: {A: b}", http + "\n  forms: [digits]",
		},
		"- type: sql\n  url: postgres://u:hunter2@h/d\n  query: select $1": {
			"- type: sql\n  url: postgres://u:hunter2@h2/d\n  query: select $1", "- type: sql\n  url: postgres://u:hunter2@h/d2\n  query: select $1",
			"- type: sql\n  url: postgres://u:hunter2@h/d\n  query: select 1, $1",
		},
		"- type: bitrix24\n  webhook: https://a/rest/1/hunter2": {"- type: bitrix24\n  webhook: https://b/rest/1/hunter2"},
		"- type: file\n  path: a.csv":                           {"- type: file\n  path: b.csv", "- type: file\n  path: a.csv\n  columns: {url: x}"},
	}
	for yaml, changed := range others {
		want := digest(yaml)
		if have := digest(yaml); want != have || want == "" {
			t.Errorf("the same again: want %s, have %s", want, have)
		}
		if have := digest(strings.ReplaceAll(yaml, "hunter2", "hunter3")); want != have {
			t.Errorf("another secret: want %s, have %s", want, have)
		}
		for _, other := range changed {
			if have := digest(other); want == have {
				t.Errorf("want another digest for\n%s", other)
			}
		}
	}
}

// TestFileBesideConfiguration resolves a path as secrets' files are.
func TestFileBesideConfiguration(t *testing.T) {
	path := write(t, "switchhook.yaml", "tenants:\n  - name: acme\n    region: CZ\n    exchanges: [{vendor: ipex}]\n    directories:\n"+
		indent("- type: file\n  path: contacts/all.csv"))
	if err := os.Mkdir(filepath.Join(filepath.Dir(path), "contacts"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(filepath.Dir(path), "contacts", "all.csv"), []byte("name,number\nJan,777888999\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	all, err := config.Load(path, func(c *config.Config) ([]directories.Named, error) {
		return directories.New(c.Tenants[0], slog.New(slog.DiscardHandler))
	})
	if err != nil {
		t.Fatal(err)
	}
	defer all[0].Close()
	if want, have := "Jan", names(find(t, all[0], "777888999")); want != have {
		t.Errorf("want %s, have %s", want, have)
	}
}
