// Package observability_test holds dashboards and alerts against what the services really expose: a metric, a label or a value
// that is renamed breaks these tests.
package observability_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	"go.yaml.in/yaml/v4"

	"github.com/switchhook/switchhook/test/observability/dashboards"
)

const (
	grafana = root + "/deploy/grafana"
	alerts  = root + "/deploy/prometheus/alerts.yaml"
	runbook = "https://github.com/switchhook/switchhook/blob/main/docs/operations.md#"
)

// target are the labels that Prometheus adds to all of a target's.
var target = []string{"job", "instance"}

// question is a PromQL expression, and where it stands.
type question struct{ where, expr, legend string }

func TestDashboardsAreThoseThatAreGenerated(t *testing.T) {
	want, err := dashboards.Files()
	if err != nil {
		t.Fatal(err)
	}
	have := map[string][]byte{}
	for _, path := range files(t) {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		have[filepath.Base(path)] = data
	}
	for name := range want {
		if string(want[name]) != string(have[name]) {
			t.Errorf("%s is stale: run make dashboards", name)
		}
		delete(have, name)
	}
	for name := range have {
		t.Errorf("%s is a dashboard that nobody generates", name)
	}
}

func TestQueriesAskForWhatTheServicesExpose(t *testing.T) {
	var all []question
	for _, path := range files(t) {
		all = append(all, panels(t, path)...)
	}
	for _, rule := range rules(t) {
		all = append(all, question{where: "alert " + rule.Alert, expr: rule.Expr})
	}
	parsed := make([]parser.Expr, len(all))
	for i, q := range all {
		var err error
		if parsed[i], err = parse(q.expr); err != nil {
			t.Fatalf("%s: %s: %v", q.where, q.expr, err)
		}
	}
	s := start(t)
	s.traffic()
	var have exposed
	s.eventually("all metrics that queries ask for", func() (err error) {
		if have, err = s.scrape(); err != nil {
			return err
		}
		return missing(have, all, parsed)
	})
	words := sources(t)
	for i, q := range all {
		for _, problem := range check(parsed[i], q.legend, have, words) {
			t.Errorf("%s: %s: %s", q.where, q.expr, problem)
		}
	}
	unused(t, have, parsed)
}

// parse reads an expression, with something in the place of Grafana's variables.
func parse(expr string) (parser.Expr, error) {
	expr = regexp.MustCompile(`\$__rate_interval`).ReplaceAllString(expr, "5m")
	expr = regexp.MustCompile(`\$(vendor|tenant)\b`).ReplaceAllString(expr, ".*")
	if strings.Contains(expr, "$") {
		return nil, fmt.Errorf("it has an unknown variable")
	}
	return parser.NewParser(parser.Options{}).ParseExpr(expr)
}

func selectors(e parser.Expr) (all []*parser.VectorSelector) {
	parser.Inspect(e, func(n parser.Node, _ []parser.Node) error {
		if s, ok := n.(*parser.VectorSelector); ok {
			all = append(all, s)
		}
		return nil
	})
	return all
}

func missing(have exposed, all []question, parsed []parser.Expr) error {
	for i, e := range parsed {
		for _, s := range selectors(e) {
			if have[s.Name] == nil {
				return fmt.Errorf("no %s, which %s asks for", s.Name, all[i].where)
			}
		}
	}
	return nil
}

// check returns what is wrong with an expression.
func check(e parser.Expr, legend string, have exposed, words string) (problems []string) {
	known := map[string]bool{}
	for _, label := range target {
		known[label] = true
	}
	for _, s := range selectors(e) {
		for label := range have[s.Name] {
			known[label] = true
		}
		for _, m := range s.LabelMatchers {
			if m.Name != model.MetricNameLabel {
				problems = append(problems, matches(m, s.Name, have, words)...)
			}
		}
	}
	names := labelsOf(e)
	for _, found := range regexp.MustCompile(`\{\{(\w+)\}\}`).FindAllStringSubmatch(legend, -1) {
		names = append(names, found[1])
	}
	for _, label := range names {
		if !known[label] {
			problems = append(problems, fmt.Sprintf("there is no label %s", label))
		}
	}
	return problems
}

// labelsOf returns the labels that an expression groups or joins by.
func labelsOf(e parser.Expr) (names []string) {
	parser.Inspect(e, func(n parser.Node, _ []parser.Node) error {
		switch n := n.(type) {
		case *parser.AggregateExpr:
			names = append(names, n.Grouping...)
		case *parser.BinaryExpr:
			if n.VectorMatching != nil {
				names = append(names, n.VectorMatching.MatchingLabels...)
				names = append(names, n.VectorMatching.Include...)
			}
		}
		return nil
	})
	return names
}

// matches returns what is wrong with a matcher: the label has to be there, and its values have to occur: in what was scraped
// or, for what does not happen in a minute, in the program itself.
func matches(m *labels.Matcher, metric string, have exposed, words string) (problems []string) {
	values, ok := have[metric][m.Name]
	if !ok {
		return []string{fmt.Sprintf("%s has no label %s", metric, m.Name)}
	}
	for value := range strings.SplitSeq(m.Value, "|") {
		literal := value == regexp.QuoteMeta(value)
		if literal && !values[value] && !strings.Contains(words, `"`+value+`"`) && !strings.Contains(words, " "+strings.ToUpper(value)+" = ") {
			problems = append(problems, fmt.Sprintf("%s{%s} is never %q", metric, m.Name, value))
		}
	}
	return problems
}

// unused tells of metrics of our own that no dashboard and no alert looks at: then why are they there?
func unused(t *testing.T, have exposed, parsed []parser.Expr) {
	base := func(name string) string {
		for _, suffix := range []string{"_bucket", "_sum", "_count"} {
			name = strings.TrimSuffix(name, suffix)
		}
		return name
	}
	asked := map[string]bool{}
	for _, e := range parsed {
		for _, s := range selectors(e) {
			asked[base(s.Name)] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(have)) {
		if strings.HasPrefix(name, "switchhook_") && !asked[base(name)] {
			t.Errorf("%s is exposed, and nobody looks at it", name)
		}
	}
}

// sources are the programs and their messages, as text.
func sources(t *testing.T) string {
	t.Helper()
	var text strings.Builder
	for _, pattern := range []string{"pkg/*/*.go", "services/*/*/*.go", "proto/pbx/v1/*.proto"} {
		paths, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil || len(paths) == 0 {
			t.Fatalf("%s: %d files (%v)", pattern, len(paths), err)
		}
		for _, path := range paths {
			if strings.HasSuffix(path, "_test.go") {
				continue
			}
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			text.Write(data)
		}
	}
	return text.String()
}

func files(t *testing.T) []string {
	t.Helper()
	paths, err := filepath.Glob(grafana + "/*.json")
	if err != nil || len(paths) == 0 {
		t.Fatalf("want dashboards in %s, have %d (%v)", grafana, len(paths), err)
	}
	return paths
}

// panels returns the questions of a dashboard, and tells what is wrong with it otherwise.
func panels(t *testing.T, path string) (all []question) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var d struct {
		UID, Title string
		Panels     []struct {
			ID          int
			Type, Title string
			Targets     []struct{ Expr, LegendFormat string }
		}
	}
	if err := json.Unmarshal(data, &d); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	if d.UID+".json" != filepath.Base(path) || d.Title == "" {
		t.Errorf("%s: want its uid for its name, and a title, have %q, %q", path, d.UID, d.Title)
	}
	seen := map[int]bool{}
	for _, p := range d.Panels {
		if seen[p.ID] || p.Title == "" || p.Type != "row" && len(p.Targets) == 0 {
			t.Errorf("%s: panel %d %q: want an id of its own, a title and queries", path, p.ID, p.Title)
		}
		seen[p.ID] = true
		for _, q := range p.Targets {
			all = append(all, question{filepath.Base(path) + ": " + p.Title, q.Expr, q.LegendFormat})
		}
	}
	return all
}

// rule is as Prometheus reads it; promtool checks the rest.
type rule struct {
	Alert, Expr         string
	Labels, Annotations map[string]string
}

func rules(t *testing.T) (all []rule) {
	t.Helper()
	data, err := os.ReadFile(alerts)
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Groups []struct{ Rules []rule } }
	if err := yaml.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	for _, group := range file.Groups {
		all = append(all, group.Rules...)
	}
	return all
}

func TestAlertsHaveRunbooks(t *testing.T) {
	data, err := os.ReadFile(root + "/docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	sections := map[string]string{}
	for _, part := range strings.Split("\n"+string(data), "\n### ")[1:] {
		title, text, _ := strings.Cut(part, "\n")
		sections[strings.ToLower(strings.TrimSpace(title))] = text
	}
	seen := map[string]bool{}
	for _, rule := range rules(t) {
		anchor := strings.ToLower(rule.Alert)
		if want, have := runbook+anchor, rule.Annotations["runbook_url"]; want != have {
			t.Errorf("%s: want %s, have %s", rule.Alert, want, have)
		}
		for _, demanded := range []string{"**Means**", "**Look**", "**Do**"} {
			if !strings.Contains(sections[anchor], demanded) {
				t.Errorf("%s: its runbook has no %s", rule.Alert, demanded)
			}
		}
		if severity := rule.Labels["severity"]; severity != "critical" && severity != "warning" {
			t.Errorf("%s: want a severity, have %q", rule.Alert, severity)
		}
		for _, annotation := range []string{"summary", "description"} {
			if rule.Annotations[annotation] == "" {
				t.Errorf("%s has no %s", rule.Alert, annotation)
			}
		}
		if seen[anchor] {
			t.Errorf("%s stands there twice", rule.Alert)
		}
		seen[anchor] = true
	}
}
