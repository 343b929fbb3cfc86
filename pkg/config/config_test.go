package config_test

import (
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/switchhook/switchhook/pkg/config"
	"github.com/switchhook/switchhook/pkg/event"
	"github.com/switchhook/switchhook/pkg/fault"
)

var update = flag.Bool("update", false, "write the golden files anew")

// settings is what a vendor could want of an exchange, with each type that settings can have.
type settings struct {
	Webhook struct {
		Username   string         `yaml:"username"`
		Password   config.Secret  `yaml:"password"`
		Secret     config.Secret  `yaml:"secret"`
		AccountID  string         `yaml:"account_id"`
		AccessCode string         `yaml:"access_code"`
		AllowFrom  []netip.Prefix `yaml:"allow_from"`
	} `yaml:"webhook"`
	Fields map[string]string `yaml:"fields"`
	API    *api              `yaml:"api"`
	Queues []struct {
		Name   string   `yaml:"name,required"`
		Agents []string `yaml:"agents"`
	} `yaml:"queues"`
	unexported string
	Ignored    string `yaml:"-"`
}

type api struct {
	URL          string
	AuthURL      string `yaml:"auth_url"`
	Username     string
	Password     config.Secret
	Token        config.Secret
	TokenExpires time.Time `yaml:"token_expires"`
	VpbxID       int       `yaml:"vpbx_id"`
	Timeout      time.Duration
	Retry        bool
	Port         uint16
	Weight       float64
}

// decodeAll is a build that reads the settings of all exchanges.
func decodeAll(c *config.Config) (map[string]settings, error) {
	all := make(map[string]settings)
	var errs []error
	for _, t := range c.Tenants {
		for _, e := range t.Exchanges {
			var s settings
			errs = append(errs, e.Decode(&s))
			if e.Vendor == "" || t.Location == nil {
				errs = append(errs, errors.New("want a vendor and a location whatever is wrong, have none"))
			}
			if e.Vendor == "nobody" {
				errs = append(errs, complaints(e))
			}
			all[e.Origin().String()] = s
		}
	}
	return all, errors.Join(errs...)
}

func complaints(e *config.Exchange) error {
	return fault.New(fault.Invalid, "nobody: %w", errors.Join(
		e.Problem("vendor", "want a vendor such as xvb, have %s", e.Vendor),
		config.Problems{
			e.Problem("", "about the exchange"),
			e.Problem("name", "about its name"),
			e.Problem("webhook.secret", "about the secret"),
			e.Problem("webhook.username.first", "about a key that is not there"),
			e.Problem("queues[1].name", "about the name of the second queue"),
			e.Problem("queues[2].name", "about a queue that is not there"),
			e.Problem("queues[x]", "about no queue"),
			e.Problem("queues[0]", "about the first queue"),
		},
		e.Problem("queues[0]", "about the first queue"),
	))
}

func setEnv(t testing.TB) {
	t.Setenv("ACME_IPEX_PASSWORD", "s3cret-of-the-variable")
	t.Setenv("TOKEN", "t0ken")
	t.Setenv("EMPTY_VARIABLE", "")
}

// files returns the paths of the YAML files in a folder of testdata.
func files(t testing.TB, folder string) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", folder, "*.yaml"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("want YAML files in testdata/%s, have %v, %v", folder, paths, err)
	}
	return paths
}

// TestBroken compares what is wrong with each file in testdata/broken with the text beside it. Everything secret in
// these files contains "hunter2".
func TestBroken(t *testing.T) {
	setEnv(t)
	for _, path := range files(t, "broken") {
		t.Run(filepath.Base(path), func(t *testing.T) {
			all, err := config.Load(path, decodeAll)
			problem, ok := errors.AsType[*config.FileError](err)
			if !ok || all != nil {
				t.Fatalf("want nothing but a *FileError, have %v, %v", all, err)
			}
			if !slices.IsSortedFunc(problem.Problems, func(a, b config.Problem) int { return a.Line - b.Line }) {
				t.Errorf("want the problems sorted by line, have %v", problem.Problems)
			}
			have := err.Error() + "\n"
			if strings.Contains(have, "hunter2") {
				t.Errorf("want no secret in the error, have %s", have)
			}
			golden := strings.TrimSuffix(path, ".yaml") + ".txt"
			if *update {
				if err := os.WriteFile(golden, []byte(have), 0o666); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if string(want) != have {
				t.Errorf("want:\n%s\nhave:\n%s", want, have)
			}
		})
	}
}

func TestGood(t *testing.T) {
	setEnv(t)
	for _, path := range files(t, "good") {
		t.Run(filepath.Base(path), func(t *testing.T) {
			if _, err := config.Load(path, decodeAll); err != nil {
				t.Errorf("want no problem, have %v", err)
			}
		})
	}
}

func parse(t *testing.T, path string) *config.Config {
	t.Helper()
	c, err := config.Load(path, func(c *config.Config) (*config.Config, error) { return c, nil })
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestDefaults(t *testing.T) {
	c := parse(t, "testdata/good/minimal.yaml")
	const day = 24 * time.Hour
	streams := config.Streams{
		Replicas: 1, EventsMaxAge: 7 * day, QuarantineMaxAge: 30 * day, AuditMaxAge: 365 * day, DuplicateWindow: 10 * time.Minute,
	}
	if c.Streams != streams {
		t.Errorf("want %+v, have %+v", streams, c.Streams)
	}
	tenant := c.Tenants[0]
	contacts := config.Contacts{Deadline: 2 * time.Second, TTL: time.Hour, UnknownTTL: 5 * time.Minute}
	if tenant.Contacts != contacts || tenant.Agents.WrapUp != 0 || tenant.Agents.ServiceLevel != 20*time.Second {
		t.Errorf("want the defaults, have %+v and %+v", tenant.Contacts, tenant.Agents)
	}
	if tenant.Name != "acme" || tenant.Region != "NO" || tenant.Location != time.UTC {
		t.Errorf("want acme in NO at UTC, have %+v", tenant)
	}
	want := event.Origin{Vendor: "xvb", Tenant: "acme", Exchange: "xvb"}
	if have := tenant.Exchanges[0].Origin(); want != have || tenant.Exchanges[0].Tenant != tenant {
		t.Errorf("want %v, have %v", want, have)
	}
}

func TestEverything(t *testing.T) {
	setEnv(t)
	c := parse(t, "testdata/good/everything.yaml")
	streams := config.Streams{
		Replicas: 3, EventsMaxAge: time.Hour, QuarantineMaxAge: time.Hour, AuditMaxAge: time.Hour, DuplicateWindow: time.Hour,
	}
	if c.Streams != streams {
		t.Errorf("want %+v, have %+v", streams, c.Streams)
	}
	var origins []string
	for _, tenant := range c.Tenants {
		for _, e := range tenant.Exchanges {
			origins = append(origins, e.Origin().String())
		}
	}
	if want := []string{"mcn/acme/mcn", "xvb/globex/nitra", "xvb/globex/kosice"}; !slices.Equal(want, origins) {
		t.Errorf("want %v, have %v", want, origins)
	}
	if have := c.Tenants[1].Location.String(); have != "Europe/Bratislava" {
		t.Errorf("want Europe/Bratislava, have %s", have)
	}

	have := settings{API: &api{Port: 443, VpbxID: 1}, unexported: "kept", Ignored: "kept"} // Defaults stay, unless the file says otherwise.
	if err := c.Tenants[0].Exchanges[0].Decode(&have); err != nil {
		t.Fatal(err)
	}
	want := settings{
		Fields: map[string]string{"From": "Caller", "To": "5"},
		API: &api{
			Token:  config.NewSecret("before-t0ken-between-t0ken-after"),
			VpbxID: 42, Timeout: 90 * time.Second, Retry: true, Port: 443,
		},
		unexported: "kept", Ignored: "kept",
	}
	want.Webhook.AccountID, want.Webhook.AccessCode = "010", "0x1F"
	want.Webhook.Secret = config.NewSecret("12.50")
	want.Webhook.AllowFrom = []netip.Prefix{netip.MustParsePrefix("85.94.49.0/25"), netip.MustParsePrefix("2001:db8::/32")}
	want.Queues = []struct {
		Name   string   `yaml:"name,required"`
		Agents []string `yaml:"agents"`
	}{{"sales", []string{"20", "21"}}, {"support", []string{}}}
	if !reflect.DeepEqual(want, have) {
		t.Errorf("want %+v, have %+v", want, have)
	}
	if want, have := want.API.Token.Reveal(), have.API.Token.Reveal(); want != have {
		t.Errorf("want token %q, have %q", want, have)
	}
}

func TestContactsAndAgents(t *testing.T) {
	tenant := parse(t, "testdata/good/contacts-and-agents.yaml").Tenants[0]
	contacts := config.Contacts{
		Deadline: 1500 * time.Millisecond, TTL: 30 * time.Minute, UnknownTTL: time.Minute, DutyAware: true, Fallback: "100",
	}
	if tenant.Contacts != contacts {
		t.Errorf("want %+v, have %+v", contacts, tenant.Contacts)
	}
	minute, ten := time.Minute, 10*time.Second
	agents := config.Agents{
		WrapUp: 15 * time.Second, ServiceLevel: 30 * time.Second,
		Queues: []config.Queue{{Name: "NOC", WrapUp: &minute, ServiceLevel: &ten}, {Name: "Sales"}},
		People: []config.Person{{
			Name: "Karel Novák", Login: "karel.novak", Email: "karel@acme.example", Extensions: []string{"20", "0021"},
		}},
	}
	if !reflect.DeepEqual(agents, tenant.Agents) {
		t.Errorf("want %+v, have %+v", agents, tenant.Agents)
	}
	var directories []string
	for _, d := range tenant.Directories {
		directories = append(directories, d.Type+" "+d.Name)
	}
	if want := []string{"file file", "bitrix24 crm"}; !slices.Equal(want, directories) {
		t.Errorf("want %v, have %v", want, directories)
	}
	var file struct {
		Path string `yaml:"path,required"`
	}
	if err := tenant.Directories[0].Decode(&file); err != nil {
		t.Fatal(err)
	}
	if want, have := filepath.Join("testdata", "good", "contacts.csv"), tenant.Directories[0].Path(file.Path); want != have {
		t.Errorf("want the path to start at the configuration's folder, %s, have %s", want, have)
	}
}

func TestDesignsExample(t *testing.T) {
	setEnv(t)
	all, err := config.Load("testdata/good/design.yaml", decodeAll)
	if err != nil {
		t.Fatal(err)
	}
	have := []string{
		all["ipex/acme/prague"].Webhook.Password.Reveal(),
		all["ipex/acme/prague"].API.Password.Reveal(),
		all["mcn/acme/mcn"].Webhook.AccountID,
		all["mcn/acme/mcn"].Webhook.Secret.Reveal(),
		all["xvb/acme/xvb"].Webhook.AccessCode,
	}
	want := []string{"s3cret-of-the-variable", "s3cret-of-the-api", "10123", "SecretToken", "10019"}
	if !slices.Equal(want, have) {
		t.Errorf("want %q, have %q", want, have)
	}
}

func TestParse(t *testing.T) {
	minimal, err := os.ReadFile("testdata/good/minimal.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if c, err := config.Parse(minimal); c == nil || err != nil {
		t.Errorf("want a configuration, have %v, %v", c, err)
	}
	c, err := config.Parse([]byte("tenants: []\nstreams: {replicas: 2}\n"))
	want := config.Problems{{1, "tenants: want at least one"}, {2, "streams.replicas: want 1, 3 or 5"}}
	if have, _ := errors.AsType[config.Problems](err); c != nil || !slices.Equal(want, have) {
		t.Errorf("want %v, have %v, %v", want, c, err)
	}
	const text = "line 1: tenants: want at least one\nline 2: streams.replicas: want 1, 3 or 5"
	if have := err.Error(); text != have {
		t.Errorf("want %q, have %q", text, have)
	}
}

// TestLoadReportsWhatBuildSays gives build a good file.
func TestLoadReportsWhatBuildSays(t *testing.T) {
	first, second := config.Problem{Line: 1, Message: "one"}, config.Problem{Line: 2, Message: "two"}
	const path = "testdata/good/minimal.yaml"
	tests := map[string]struct {
		err  error
		want string
	}{
		"nothing":         {nil, ""},
		"no problems":     {config.Problems{}, ""},
		"joined nothing":  {errors.Join(nil, config.Problems(nil)), ""},
		"a problem":       {first, path + ":1: one"},
		"unsorted, twice": {config.Problems{second, first, second}, path + ":1: one\n" + path + ":2: two"},
		"joined":          {errors.Join(second, config.Problems{first}), path + ":1: one\n" + path + ":2: two"},
		"wrapped":         {fmt.Errorf("xvb: %w", errors.Join(second, first)), path + ":1: one\n" + path + ":2: two"},
		"any other":       {errors.Join(first, errors.New("three")), path + ": three\n" + path + ":1: one"},
		"wrapped other":   {fault.New(fault.Invalid, "xvb: %w", errors.New("three")), path + ": xvb: three"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			built, err := config.Load(path, func(*config.Config) (string, error) { return "built", test.err })
			have, want := "", map[bool]string{true: "built"}[test.want == ""]
			if err != nil {
				have = err.Error()
			}
			if test.want != have || want != built {
				t.Errorf("want %q, %q, have %q, %q", want, test.want, built, have)
			}
		})
	}
}

func TestLoadWithoutFile(t *testing.T) {
	_, err := config.Load("testdata/no-such-file.yaml", decodeAll)
	if want := "testdata/no-such-file.yaml: no such file or directory"; err == nil || err.Error() != want {
		t.Errorf("want %s, have %v", want, err)
	}
}

func TestZeroExchange(t *testing.T) {
	var e config.Exchange
	have := e.Problem("webhook[0].secret", "is missing")
	if want := (config.Problem{Message: "webhook[0].secret: is missing"}); want != have {
		t.Errorf("want %v, have %v", want, have)
	}
	if err := e.Decode(&settings{}); err != nil {
		t.Errorf("want nothing to decode, have %v", err)
	}
}
