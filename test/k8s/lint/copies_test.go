package lint_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/switchhook/switchhook/test/k8s/manifests"
)

var update = flag.Bool("update", false, "write the copies anew")

// Neither kustomize nor Helm reads a file from outside its folder. So there are copies, which -update makes.
func TestCopies(t *testing.T) {
	const nats, chart = "k8s/components/nats/", "deploy/helm/switchhook/files/"
	same := func(b []byte) []byte { return b }
	for _, c := range []struct {
		of, to string
		as     func([]byte) []byte
	}{
		{"deploy/nats/accounts.conf", nats + "accounts.conf", same},
		{"deploy/nats/cluster.conf", nats + "cluster.conf", same},
		{"deploy/nats/single.conf", nats + "single.conf", same},
		{"deploy/prometheus/alerts.yaml", "k8s/components/monitoring/prometheusrule.yaml", prometheusRule(t)},
		{"deploy/nats/accounts.conf", chart + "accounts.conf", same},
		{"deploy/nats/cluster.conf", chart + "cluster.conf", same},
		{"deploy/nats/single.conf", chart + "single.conf", same},
		{"deploy/prometheus/alerts.yaml", chart + "alerts.yaml", same},
		{"k8s/base/config/switchhook.yaml", chart + "switchhook.yaml", same},
		{"k8s/base/config/contacts.csv", chart + "contacts.csv", same},
		{"examples/contacts.csv", "k8s/base/config/contacts.csv", same},
	} {
		text, err := os.ReadFile(filepath.Join(manifests.Root, c.of))
		if err != nil {
			t.Fatal(err)
		}
		want := c.as(text)
		path := filepath.Join(manifests.Root, c.to)
		if *update {
			write(t, path, string(want))
			continue
		}
		if have, err := os.ReadFile(path); err != nil || !bytes.Equal(want, have) {
			t.Errorf("want %s as %s says; `make k8s-copies` writes it (%v)", c.to, c.of, err)
		}
	}
}

// prometheusRule makes the operator's object of a file of rules.
func prometheusRule(t *testing.T) func([]byte) []byte {
	return func(rules []byte) []byte {
		var spec any
		if err := yaml.Unmarshal(rules, &spec); err != nil {
			t.Fatal(err)
		}
		text, err := yaml.Marshal(map[string]any{
			"apiVersion": "monitoring.coreos.com/v1", "kind": "PrometheusRule", "spec": spec,
			"metadata": map[string]any{
				"name": "switchhook", "namespace": "switchhook",
				"labels": map[string]string{"app.kubernetes.io/name": "switchhook", "app.kubernetes.io/part-of": "switchhook"},
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		return append([]byte("# Made from deploy/prometheus/alerts.yaml by `make k8s-copies`.\n"), text...)
	}
}
