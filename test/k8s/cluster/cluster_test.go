// Package cluster_test applies what is in k8s/ to a real Kubernetes API server, with the controllers that act on it. There are no
// kubelets: pods are made, admitted and scheduled, and run no code; network policies are taken and not enforced.
package cluster_test

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/switchhook/switchhook/test/k8s/manifests"
)

var long = flag.Bool("long", false, "also the oldest release of Kubernetes that is supported")

// definitions are where kinds that are not Kubernetes' own come from: modules, which carry their definitions as YAML.
var definitions = []struct{ module, file string }{
	{"github.com/kedacore/keda/v2@v2.21.0", "config/crd/bases/keda.sh_scaledobjects.yaml"},
	{operator, "example/prometheus-operator-crd-full/monitoring.coreos.com_servicemonitors.yaml"},
	{operator, "example/prometheus-operator-crd-full/monitoring.coreos.com_prometheusrules.yaml"},
	{gateway, "config/crd/standard/gateway.networking.k8s.io_gateways.yaml"},
	{gateway, "config/crd/standard/gateway.networking.k8s.io_httproutes.yaml"},
}

const (
	operator = "github.com/prometheus-operator/prometheus-operator@v0.85.0"
	gateway  = "sigs.k8s.io/gateway-api@v1.6.3"
)

// Every overlay and component is applied for real, field by field; a warning, as that of Pod Security, is a failure. Then the
// controllers make of them what they are for.
func TestApply(t *testing.T) {
	releases := []release{{"v1.36.3", "go.mod"}}
	if *long {
		releases = append(releases, release{"v1.34.3", "oldest.mod"})
	}
	worlds, err := manifests.Worlds(t.TempDir)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range releases {
		t.Run(r.version, func(t *testing.T) {
			c := start(t, r)
			c.define()
			for _, w := range worlds {
				t.Run(w.Name, func(t *testing.T) { c.deploy(t, w) })
			}
			t.Run("nodes", func(t *testing.T) { c.live(t, worlds[0]) })
		})
	}
}

// define makes the kinds of others known.
func (c *controlPlane) define() {
	c.t.Helper()
	for _, d := range definitions {
		out, err := exec.Command("go", "mod", "download", "-json", d.module).Output()
		var module struct{ Dir, Error string }
		if err := errors.Join(err, json.Unmarshal(out, &module)); err != nil || module.Error != "" {
			c.t.Fatalf("download %s: %v %s", d.module, err, module.Error)
		}
		if _, err := c.kubectl("", "apply", "--server-side", "-f", filepath.Join(module.Dir, d.file)); err != nil {
			c.t.Fatal(err)
		}
	}
	if _, err := c.kubectl("", "wait", "--for=condition=Established", "crd", "--all", "--timeout=30s"); err != nil {
		c.t.Fatal(err)
	}
}

// deploy applies a world in a namespace of its own, and follows what becomes of it.
func (c *controlPlane) deploy(t *testing.T, w manifests.World) {
	namespace := strings.ReplaceAll(w.Name, " ", "-")
	for _, o := range w.Objects {
		meta := o["metadata"].(map[string]any)
		if o.Kind() == "Namespace" {
			meta["name"] = namespace
			continue
		}
		if have := meta["namespace"]; have != "switchhook" && have != namespace {
			t.Errorf("%s: want the namespace switchhook, have %v", o, have)
		}
		meta["namespace"] = namespace
	}
	text, err := manifests.Format(w.Objects)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time as whoever deploys again
		if _, err := c.kubectl(string(text), "apply", "--server-side", "--validate=strict", "--warnings-as-errors", "-f", "-"); err != nil {
			t.Fatal(err)
		}
	}
	for _, o := range w.Objects {
		if o.Kind() == "Deployment" || o.Kind() == "StatefulSet" {
			c.wantPods(t, namespace, o, w)
		}
	}
}

// wantPods waits until a workload has its pods, which Pod Security admitted, and its disruption budget counts them.
func (c *controlPlane) wantPods(t *testing.T, namespace string, o manifests.Object, w manifests.World) {
	t.Helper()
	want := replicas(o, w)
	c.eventually(t, fmt.Sprintf("%d pods of %s in %s", want, o, namespace), func() error {
		out, err := c.kubectl("", "get", "pods", "-n", namespace, "-l", "app.kubernetes.io/name="+o.Name(), "-o", "name")
		if have := strings.Count(out, "pod/"); err == nil && have != want {
			err = fmt.Errorf("%d: %s", have, c.complaints(namespace, o.Name()))
		}
		return err
	})
	c.eventually(t, fmt.Sprintf("a budget for %d pods of %s in %s", want, o, namespace), func() error {
		out, err := c.kubectl("", "get", "pdb", "-n", namespace, o.Name(), "-o", "jsonpath={.status.expectedPods}")
		if err == nil && out != fmt.Sprint(want) {
			err = fmt.Errorf("%s", out)
		}
		return err
	})
}

// replicas is how many pods a workload has: what it says, or the minimum of who scales it, or one for a scaler of others' that
// does not run here.
func replicas(o manifests.Object, w manifests.World) int {
	if n, ok := o.At("spec", "replicas").(float64); ok {
		return int(n)
	}
	for _, scaler := range w.Objects {
		if scaler.Kind() == "HorizontalPodAutoscaler" && scaler.Name() == o.Name() {
			return int(scaler.At("spec", "minReplicas").(float64))
		}
	}
	return 1
}

// complaints are the events about what could not be made.
func (c *controlPlane) complaints(namespace, name string) string {
	out, _ := c.kubectl("", "get", "events", "-n", namespace, "--field-selector", "type=Warning", "-o",
		`jsonpath={range .items[*]}{.involvedObject.name}: {.message}{"\n"}{end}`)
	var about []string
	for line := range strings.Lines(out) {
		if strings.HasPrefix(line, name) {
			about = append(about, line)
		}
	}
	return strings.Join(about, "")
}
