package lint_test

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/switchhook/switchhook/test/k8s/manifests"
)

// same are the values with which the chart makes what kustomize does.
var same = map[string]string{
	"base":                    `{nats: {enabled: false}}`,
	"base with nats":          `{}`,
	"base with external-nats": `{nats: {enabled: false, address: "nats.example:4222", tls: true}}`,
	"base with keda":          `{keda: {enabled: true}}`,
	"base with monitoring":    `{nats: {enabled: false}, monitoring: {enabled: true}}`,
	"base with ingress":       `{nats: {enabled: false}, ingress: {enabled: true}}`,
	"base with gateway-api":   `{nats: {enabled: false}, gateway: {enabled: true}}`,
	"base with spool-volumes": `{nats: {enabled: false}, spool: {volumes: true}}`,
	"production":              `{monitoring: {enabled: true}, ingress: {enabled: true}, spool: {volumes: true}}`,
	"dev": `
nats: {replicas: 1}
autoscaling: {enabled: false}
services:
  ingress-ipex: {replicas: 1}
  ingress-mcn: {replicas: 1}
  ingress-xvb: {replicas: 1}
  web-gateway: {replicas: 1}
  contact-lookup: {replicas: 1}
  agent-state: {replicas: 1}
  missed-call: {replicas: 1}
  command-relay: {replicas: 1}
`,
}

// The chart and kustomize make the same objects; but for the namespace, which Helm leaves to whoever deploys, the labels that Helm
// wants, and the order of what has names.
func TestHelm(t *testing.T) {
	secrets := composed(t).secrets
	for set, w := range worlds(t) {
		t.Run(set, func(t *testing.T) {
			var values map[string]any
			if err := yaml.UnmarshalStrict([]byte(same[set]), &values); err != nil || values == nil {
				t.Fatalf("want values for %s, have %q (%v)", set, same[set], err)
			}
			if set == "production" {
				values["config"] = file(t, "k8s/overlays/production/switchhook.yaml")
			} else {
				values["secrets"] = texts(secrets["switchhook-secrets"].Data)
				nats, _ := values["nats"].(map[string]any)
				values["nats"] = merged(nats, map[string]any{"passwords": texts(secrets["switchhook-nats"].Data)})
			}
			objects, err := manifests.Helm(values)
			if err != nil {
				t.Fatal(err)
			}
			want, have := normal(t, w.objects), normal(t, objects)
			for _, name := range slices.Sorted(maps.Keys(merged(want, have))) {
				if want[name] != have[name] {
					t.Errorf("%s: want what kustomize makes, have another from Helm:\n%s", name, difference(want[name], have[name]))
				}
			}
			for _, load := range read(t, objects).workloads {
				for _, c := range load.pod.Spec.Containers {
					checkEnv(t, load.name, c, secrets)
				}
			}
		})
	}
}

func file(t *testing.T, path string) map[string]any {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(manifests.Root, path))
	if err != nil {
		t.Fatal(err)
	}
	return map[string]any{filepath.Base(path): string(text)}
}

func texts(data map[string][]byte) map[string]any {
	values := map[string]any{}
	for key, value := range data {
		values[key] = string(value)
	}
	return values
}

func merged[V any](all ...map[string]V) map[string]V {
	sum := map[string]V{}
	for _, m := range all {
		maps.Copy(sum, m)
	}
	return sum
}

// normal returns objects as text, by name, without what may differ.
func normal(t *testing.T, objects []manifests.Object) map[string]any {
	t.Helper()
	named := map[string]any{}
	for _, o := range objects {
		if o.Kind() == "Namespace" {
			continue
		}
		labels, _ := o.At("metadata", "labels").(map[string]any)
		delete(labels, "helm.sh/chart")
		delete(labels, "app.kubernetes.io/managed-by")
		if data, ok := o["data"].(map[string]any); ok && o.Kind() == "Secret" {
			for key, value := range data { // kustomize folds what is long
				data[key] = strings.Join(strings.Fields(value.(string)), "")
			}
		}
		text, err := yaml.Marshal(sorted(map[string]any(o)))
		if err != nil {
			t.Fatal(err)
		}
		if _, twice := named[o.String()]; twice {
			t.Errorf("want %s once", o)
		}
		named[o.String()] = string(bytes.TrimSpace(text))
	}
	return named
}

// sorted orders what has names or hosts by them: variables, volumes, ports, rules.
func sorted(value any) any {
	switch v := value.(type) {
	case map[string]any:
		for key := range v {
			v[key] = sorted(v[key])
		}
	case []any:
		for i := range v {
			v[i] = sorted(v[i])
		}
		slices.SortStableFunc(v, func(a, b any) int { return strings.Compare(label(a), label(b)) })
	}
	return value
}

func label(value any) string {
	switch v := value.(type) {
	case map[string]any:
		for _, key := range []string{"name", "host", "mountPath"} {
			if text, ok := v[key].(string); ok {
				return text
			}
		}
	case string:
		if strings.HasSuffix(v, ".example") { // hosts, of which TLS knows no order
			return v
		}
	}
	return ""
}

// difference shows the lines that only one of two texts has.
func difference(want, have any) string {
	var out strings.Builder
	lines := func(of any) []string { return strings.Split(fmt.Sprint(of), "\n") }
	for _, line := range lines(want) {
		if !slices.Contains(lines(have), line) {
			fmt.Fprintf(&out, "- %s\n", line)
		}
	}
	for _, line := range lines(have) {
		if !slices.Contains(lines(want), line) {
			fmt.Fprintf(&out, "+ %s\n", line)
		}
	}
	return out.String()
}
