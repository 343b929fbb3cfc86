package lint_test

import (
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"sigs.k8s.io/yaml"

	"github.com/switchhook/switchhook/test/k8s/manifests"
)

// world is what was rendered, in Kubernetes' own types.
type world struct {
	objects      []manifests.Object
	workloads    []workload
	services     map[string]corev1.Service
	accounts     map[string]corev1.ServiceAccount
	configMaps   map[string]corev1.ConfigMap
	secrets      map[string]corev1.Secret
	disruption   map[string]policyv1.PodDisruptionBudget
	policies     map[string]networkingv1.NetworkPolicy
	scalers      map[string]autoscalingv2.HorizontalPodAutoscaler
	ingresses    map[string]networkingv1.Ingress
	deployments  map[string]appsv1.Deployment
	statefulSets map[string]appsv1.StatefulSet
	namespace    corev1.Namespace
}

// workload is a Deployment or a StatefulSet.
type workload struct {
	kind, name string
	replicas   *int32
	selector   map[string]string
	pod        corev1.PodTemplateSpec
	claims     []corev1.PersistentVolumeClaim
}

// read decodes objects strictly: a field that Kubernetes does not have is an error. Kinds of others are left to the API server.
func read(t *testing.T, objects []manifests.Object) *world {
	t.Helper()
	w := &world{
		objects: objects, services: map[string]corev1.Service{}, accounts: map[string]corev1.ServiceAccount{},
		configMaps: map[string]corev1.ConfigMap{}, secrets: map[string]corev1.Secret{},
		disruption: map[string]policyv1.PodDisruptionBudget{}, policies: map[string]networkingv1.NetworkPolicy{},
		scalers: map[string]autoscalingv2.HorizontalPodAutoscaler{}, ingresses: map[string]networkingv1.Ingress{},
		deployments: map[string]appsv1.Deployment{}, statefulSets: map[string]appsv1.StatefulSet{},
	}
	for _, o := range objects {
		switch o.Kind() {
		case "Namespace":
			w.namespace = decode[corev1.Namespace](t, o)
		case "Service":
			w.services[o.Name()] = decode[corev1.Service](t, o)
		case "ServiceAccount":
			w.accounts[o.Name()] = decode[corev1.ServiceAccount](t, o)
		case "ConfigMap":
			w.configMaps[o.Name()] = decode[corev1.ConfigMap](t, o)
		case "Secret":
			w.secrets[o.Name()] = decode[corev1.Secret](t, o)
		case "PodDisruptionBudget":
			w.disruption[o.Name()] = decode[policyv1.PodDisruptionBudget](t, o)
		case "NetworkPolicy":
			w.policies[o.Name()] = decode[networkingv1.NetworkPolicy](t, o)
		case "HorizontalPodAutoscaler":
			w.scalers[o.Name()] = decode[autoscalingv2.HorizontalPodAutoscaler](t, o)
		case "Ingress":
			w.ingresses[o.Name()] = decode[networkingv1.Ingress](t, o)
		case "Deployment":
			d := decode[appsv1.Deployment](t, o)
			w.deployments[o.Name()] = d
			w.workloads = append(w.workloads, workload{
				"Deployment", o.Name(), d.Spec.Replicas, d.Spec.Selector.MatchLabels, d.Spec.Template, nil,
			})
		case "StatefulSet":
			s := decode[appsv1.StatefulSet](t, o)
			w.statefulSets[o.Name()] = s
			w.workloads = append(w.workloads, workload{
				"StatefulSet", o.Name(), s.Spec.Replicas, s.Spec.Selector.MatchLabels, s.Spec.Template, s.Spec.VolumeClaimTemplates,
			})
		case "ScaledObject", "ServiceMonitor", "PrometheusRule", "HTTPRoute", "Gateway":
		default:
			t.Errorf("want a kind that these tests know, have %s", o)
		}
	}
	return w
}

func decode[T any](t *testing.T, o manifests.Object) (into T) {
	t.Helper()
	text, err := yaml.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.UnmarshalStrict(text, &into); err != nil {
		t.Errorf("%s: %v", o, err)
	}
	return into
}

// worlds are all that is to be judged, by name.
func worlds(t *testing.T) map[string]*world {
	t.Helper()
	all, err := manifests.Worlds(t.TempDir)
	if err != nil {
		t.Fatal(err)
	}
	sets := map[string]*world{}
	for _, w := range all {
		sets[w.Name] = read(t, w.Objects)
	}
	return sets
}
