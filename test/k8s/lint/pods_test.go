package lint_test

import (
	"bytes"
	"maps"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/switchhook/switchhook/test/k8s/manifests"
)

// Time for what follows SIGTERM: requests under way and the spool, in seconds.
const drain = 10 + 20

// Pods are as restricted as they can be, and have the time that they need to end.
func TestPods(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		if have := w.namespace.Labels["pod-security.kubernetes.io/enforce"]; have != "restricted" {
			t.Errorf("want a namespace that enforces restricted Pod Security, have %q", have)
		}
		for _, load := range w.workloads {
			pod := load.pod.Spec
			if pod.SecurityContext == nil || !*pod.SecurityContext.RunAsNonRoot || *pod.AutomountServiceAccountToken {
				t.Errorf("%s: want a pod that is not root and has no token", load.name)
			}
			for _, c := range pod.Containers {
				if !*c.SecurityContext.ReadOnlyRootFilesystem {
					t.Errorf("%s: want a read-only file system", load.name)
				}
				if c.Resources.Limits.Memory().IsZero() || c.Resources.Requests.Cpu().IsZero() {
					t.Errorf("%s: want requests and a limit of memory, have %v", load.name, c.Resources)
				}
				for _, mount := range c.VolumeMounts {
					if mount.SubPath != "" {
						t.Errorf("%s: want no subPath, which never changes, have %s", load.name, mount.SubPath)
					}
				}
				if sleep := c.Lifecycle.PreStop.Sleep; sleep != nil && *pod.TerminationGracePeriodSeconds < sleep.Seconds+drain {
					t.Errorf("%s: want at least %d s to end, have %d", load.name, sleep.Seconds+drain, *pod.TerminationGracePeriodSeconds)
				}
			}
		}
	})
}

// What a pod mounts or reads from a ConfigMap or Secret is there. Secrets that an overlay leaves to whoever deploys have the keys
// of the base's.
func TestReferences(t *testing.T) {
	example := composed(t)
	each(t, func(t *testing.T, w *world) {
		secrets := maps.Clone(example.secrets)
		secrets["switchhook-nats-ca"] = corev1.Secret{} // components/external-nats
		maps.Copy(secrets, w.secrets)
		for _, load := range w.workloads {
			for _, v := range load.pod.Spec.Volumes {
				if _, ok := w.configMaps[nameOf(v.ConfigMap)]; v.ConfigMap != nil && !ok {
					t.Errorf("%s: want ConfigMap %s, have none", load.name, v.ConfigMap.Name)
				}
				if v.Secret != nil {
					if _, ok := secrets[v.Secret.SecretName]; !ok {
						t.Errorf("%s: want Secret %s, have none", load.name, v.Secret.SecretName)
					}
				}
			}
			for _, c := range load.pod.Spec.Containers {
				checkEnv(t, load.name, c, secrets)
			}
		}
	})
}

func nameOf(source *corev1.ConfigMapVolumeSource) string {
	if source == nil {
		return ""
	}
	return source.Name
}

// checkEnv demands that each key exists, and each $(NAME) stands before who uses it; else it is passed on as it is written.
func checkEnv(t *testing.T, load string, c corev1.Container, secrets map[string]corev1.Secret) {
	t.Helper()
	defined := map[string]bool{}
	for _, e := range c.Env {
		for _, use := range regexp.MustCompile(`\$\((\w+)\)`).FindAllStringSubmatch(e.Value, -1) {
			if !defined[use[1]] {
				t.Errorf("%s: want %s defined before %s", load, use[1], e.Name)
			}
		}
		if defined[e.Name] {
			t.Errorf("%s: want %s once", load, e.Name)
		}
		defined[e.Name] = true
		if e.ValueFrom == nil || e.ValueFrom.SecretKeyRef == nil {
			continue
		}
		ref := e.ValueFrom.SecretKeyRef
		if _, ok := secrets[ref.Name].Data[ref.Key]; !ok {
			t.Errorf("%s: want key %s in Secret %s, have none", load, ref.Key, ref.Name)
		}
	}
}

// composed is the base alone.
func composed(t *testing.T) *world {
	t.Helper()
	objects, err := manifests.Compose(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return read(t, objects)
}

// A variable of a service is one that its help names, and NATS knows its user by the name of the service.
func TestEnvironment(t *testing.T) {
	programs := t.TempDir()
	run(t, manifests.Root, "go", "build", "-o", programs+"/", "./services/...")
	accounts := read(t, composedObjects(t, "nats")).configMaps["nats-config"].Data["accounts.conf"]
	helps := map[string]string{}
	each(t, func(t *testing.T, w *world) {
		for _, load := range w.workloads {
			if load.name == "nats" {
				continue
			}
			if helps[load.name] == "" {
				helps[load.name] = run(t, programs, "./"+load.name, "--help")
			}
			for _, e := range load.pod.Spec.Containers[0].Env {
				if strings.HasPrefix(e.Name, "SWITCHHOOK_") && !strings.Contains(helps[load.name], "$"+e.Name+"]") {
					t.Errorf("%s: want variables that it knows, have %s", load.name, e.Name)
				}
				if user := "//" + load.name + ":"; e.Name == "SWITCHHOOK_NATS" && !strings.Contains(e.Value, user) {
					t.Errorf("%s: want its own user of NATS, have %s", load.name, e.Value)
				}
			}
			secret := "NATS_PASSWORD_" + strings.ToUpper(strings.ReplaceAll(load.name, "-", "_"))
			if !strings.Contains(accounts, "user: "+load.name+", password: $"+secret) {
				t.Errorf("want a user %s with the password %s in accounts.conf", load.name, secret)
			}
		}
	})
	// The servers do not start without a variable that their configuration names.
	for _, variable := range slices.Compact(slices.Sorted(slices.Values(
		regexp.MustCompile(`NATS_PASSWORD_\w+`).FindAllString(accounts, -1)))) {
		if _, ok := composed(t).secrets["switchhook-nats"].Data[variable]; !ok {
			t.Errorf("want %s in the Secret switchhook-nats, have none", variable)
		}
	}
}

func composedObjects(t *testing.T, component string) []manifests.Object {
	t.Helper()
	objects, err := manifests.Compose(t.TempDir(), filepath.Join(manifests.Root, "k8s/components", component))
	if err != nil {
		t.Fatal(err)
	}
	return objects
}

func run(t *testing.T, in, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = in
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v\n%s", cmd, err, &out)
	}
	return out.String()
}
