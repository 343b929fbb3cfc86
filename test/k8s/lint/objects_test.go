package lint_test

import (
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/switchhook/switchhook/test/k8s/manifests"
)

func base(path string) string { return filepath.Base(path) }

// each runs a test for everything that is rendered.
func each(t *testing.T, test func(*testing.T, *world)) {
	t.Helper()
	for name, w := range worlds(t) {
		t.Run(name, func(t *testing.T) { test(t, w) })
	}
}

// Whoever adds a service adds its objects.
func TestServices(t *testing.T) {
	mains, err := filepath.Glob(filepath.Join(manifests.Root, "services/*/main.go"))
	if err != nil {
		t.Fatal(err)
	}
	each(t, func(t *testing.T, w *world) {
		for _, main := range mains {
			name := base(filepath.Dir(main))
			if slices.Contains([]string{"standalone", "pbxctl", "pbxsim"}, name) {
				continue
			}
			_, service := w.services[name]
			_, account := w.accounts[name]
			_, disruption := w.disruption[name]
			_, policy := w.policies[name]
			if w.workload(name) == nil || !service || !account || !disruption || !policy {
				t.Errorf("%s: want a workload, Service, ServiceAccount, PodDisruptionBudget, NetworkPolicy, have %v %v %v %v %v",
					name, w.workload(name) != nil, service, account, disruption, policy)
			}
		}
	})
}

func (w *world) workload(name string) *workload {
	for i := range w.workloads {
		if w.workloads[i].name == name {
			return &w.workloads[i]
		}
	}
	return nil
}

// selected returns the names of the workloads whose pods have labels.
func (w *world) selected(t *testing.T, selector *metav1.LabelSelector) (names []string) {
	t.Helper()
	s, err := metav1.LabelSelectorAsSelector(selector)
	if err != nil {
		t.Fatal(err)
	}
	for _, load := range w.workloads {
		if s.Matches(labels.Set(load.pod.Labels)) {
			names = append(names, load.name)
		}
	}
	return names
}

// hasPort reports whether the pods of a workload listen on a port of that name or number.
func (l *workload) hasPort(port string) bool {
	for _, c := range l.pod.Spec.Containers {
		for _, p := range c.Ports {
			if p.Name == port || port == strconv.Itoa(int(p.ContainerPort)) {
				return true
			}
		}
	}
	return false
}

// What selects by labels finds what it is for, and nothing else.
func TestSelectors(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		budgets := map[string]int{}
		for _, load := range w.workloads {
			if !labels.SelectorFromSet(load.selector).Matches(labels.Set(load.pod.Labels)) {
				t.Errorf("%s: want a selector of its own pods, have %v", load.name, load.selector)
			}
			if account, ok := w.accounts[load.pod.Spec.ServiceAccountName]; !ok || *account.AutomountServiceAccountToken {
				t.Errorf("%s: want a ServiceAccount without a mounted token, have %q", load.name, load.pod.Spec.ServiceAccountName)
			}
		}
		for name, budget := range w.disruption {
			for _, load := range w.selected(t, budget.Spec.Selector) {
				budgets[load]++
				if load != name {
					t.Errorf("PodDisruptionBudget %s: want its own pods, have those of %s", name, load)
				}
			}
		}
		for _, load := range w.workloads {
			if budgets[load.name] != 1 {
				t.Errorf("%s: want one PodDisruptionBudget, have %d", load.name, budgets[load.name])
			}
		}
		for name, policy := range w.policies {
			if len(w.selected(t, &policy.Spec.PodSelector)) == 0 {
				t.Errorf("NetworkPolicy %s: want pods, have none", name)
			}
		}
	})
}

// A port that somebody names is there.
func TestPorts(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		for name, service := range w.services {
			found := w.selected(t, &metav1.LabelSelector{MatchLabels: service.Spec.Selector})
			if len(found) != 1 {
				t.Errorf("Service %s: want the pods of one workload, have those of %v", name, found)
			}
			for _, load := range found {
				for _, port := range service.Spec.Ports {
					if !w.workload(load).hasPort(port.TargetPort.String()) {
						t.Errorf("Service %s: want port %s of %s, have none", name, port.TargetPort.String(), load)
					}
				}
			}
		}
		for name, policy := range w.policies {
			for _, rule := range policy.Spec.Ingress {
				for _, port := range rule.Ports {
					for _, load := range w.selected(t, &policy.Spec.PodSelector) {
						if !w.workload(load).hasPort(port.Port.String()) {
							t.Errorf("NetworkPolicy %s: want port %s of %s, have none", name, port.Port.String(), load)
						}
					}
				}
			}
		}
		for _, load := range w.workloads {
			for _, c := range load.pod.Spec.Containers {
				for _, probe := range []*corev1.Probe{c.StartupProbe, c.ReadinessProbe, c.LivenessProbe} {
					if probe == nil || !load.hasPort(probe.HTTPGet.Port.String()) {
						t.Errorf("%s: want all three probes, on a port that there is, have %v", load.name, probe)
					}
				}
			}
		}
	})
}

// What routes requests from outside finds the services; what scrapes and scales finds its targets.
func TestTargets(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		for _, ingress := range w.ingresses {
			for _, rule := range ingress.Spec.Rules {
				for _, path := range rule.HTTP.Paths {
					w.wantPort(t, path.Backend.Service.Name, path.Backend.Service.Port.Name)
				}
				if !slices.Contains(ingress.Spec.TLS[0].Hosts, rule.Host) {
					t.Errorf("want TLS for %s, have %v", rule.Host, ingress.Spec.TLS[0].Hosts)
				}
			}
		}
		for _, o := range w.objects {
			switch o.Kind() {
			case "HTTPRoute":
				for _, rule := range list(o.At("spec", "rules")) {
					for _, backend := range list(rule["backendRefs"]) {
						w.wantPort(t, manifests.Object(backend).Text("name"), "http")
					}
				}
			case "ServiceMonitor":
				for _, endpoint := range list(o.At("spec", "endpoints")) {
					for name, service := range w.services {
						if service.Labels["app.kubernetes.io/name"] != "nats" {
							w.wantPort(t, name, manifests.Object(endpoint).Text("port"))
						}
					}
				}
			case "ScaledObject":
				target := manifests.Object(o.At("spec", "scaleTargetRef").(map[string]any))
				w.wantScaled(t, o.String(), target.Kind(), target.Text("name"))
			}
		}
		for name, scaler := range w.scalers {
			w.wantScaled(t, "HorizontalPodAutoscaler/"+name, scaler.Spec.ScaleTargetRef.Kind, scaler.Spec.ScaleTargetRef.Name)
		}
	})
}

func list(of any) (objects []map[string]any) {
	all, _ := of.([]any)
	for _, o := range all {
		objects = append(objects, o.(map[string]any))
	}
	return objects
}

func (w *world) wantPort(t *testing.T, service, port string) {
	t.Helper()
	for _, p := range w.services[service].Spec.Ports {
		if p.Name == port {
			return
		}
	}
	t.Errorf("want a Service %s with a port %s, have none", service, port)
}

// wantScaled demands that a workload exists and leaves its number of replicas to who scales it.
func (w *world) wantScaled(t *testing.T, by, kind, name string) {
	t.Helper()
	if load := w.workload(name); load == nil || load.kind != kind || load.replicas != nil {
		t.Errorf("%s: want a %s %s without replicas, have %v", by, kind, name, load)
	}
}

// Nothing of the examples' credentials is in production.
func TestProductionHasNoSecrets(t *testing.T) {
	objects, err := manifests.Kustomize(filepath.Join(manifests.Root, "k8s/overlays/production"))
	if err != nil {
		t.Fatal(err)
	}
	text, err := manifests.Format(objects)
	if err != nil {
		t.Fatal(err)
	}
	for _, unwanted := range []string{"kind: Secret\n", "demo-only", "$2a$"} {
		if n := strings.Count(string(text), unwanted); n > 0 {
			t.Errorf("want no %q in production, have %d", unwanted, n)
		}
	}
}
