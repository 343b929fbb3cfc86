package cluster_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// controlPlane is a Kubernetes without kubelets: etcd, kube-apiserver and kube-controller-manager on loopback.
type controlPlane struct {
	t          *testing.T
	programs   string // folder with the programs by their names
	folder     string // for what they write
	server     string // URL of the API server
	kubeconfig string
}

// release is a version of Kubernetes, and the file of modules in the folder controlplane that it is built by.
type release struct{ version, modfile string }

// build builds the programs of a release, once: they are kept in the user's cache.
func build(t *testing.T, r release) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(cache, "switchhook", "kubernetes-"+r.version)
	program := filepath.Join(folder, "controlplane")
	minor := strings.Split(r.version, ".")[1]
	stamp := "-X k8s.io/component-base/version."
	ldflags := fmt.Sprintf("-s -w %sgitVersion=%s %sgitMajor=1 %sgitMinor=%s", stamp, r.version, stamp, stamp, minor)
	began := time.Now()
	// Go's own cache knows what is fresh; only the first time takes minutes.
	cmd := exec.Command("nice", "-n", "10", "go", "build", "-trimpath", "-modfile", r.modfile, "-ldflags", ldflags, "-o", program, ".")
	cmd.Dir = "../controlplane"
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build Kubernetes %s: %v\n%s", r.version, err, out)
	}
	t.Logf("Kubernetes %s built in %s", r.version, time.Since(began).Round(time.Second))
	for _, name := range []string{"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl"} {
		link := filepath.Join(folder, name)
		if _, err := os.Lstat(link); err == nil {
			continue
		}
		if err := os.Symlink("controlplane", link); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

// start starts a control plane, which ends with the test.
func start(t *testing.T, r release) *controlPlane {
	t.Helper()
	c := &controlPlane{t: t, programs: build(t, r), folder: t.TempDir()}
	etcd, peer, api := freePort(t), freePort(t), freePort(t)
	c.server = "https://127.0.0.1:" + api
	c.certificates()
	c.write("tokens.csv", "admin,admin,admin,system:masters\ncontrollers,system:kube-controller-manager,controllers\n"+
		"scheduler,system:kube-scheduler,scheduler\n")
	c.kubeconfig = c.config("admin")
	c.run("etcd", "--data-dir", c.path("etcd"), "--unsafe-no-fsync", "--log-level", "error",
		"--listen-client-urls", "http://127.0.0.1:"+etcd, "--advertise-client-urls", "http://127.0.0.1:"+etcd,
		"--listen-peer-urls", "http://127.0.0.1:"+peer, "--initial-advertise-peer-urls", "http://127.0.0.1:"+peer,
		"--initial-cluster", "default=http://127.0.0.1:"+peer)
	c.run("kube-apiserver", "--etcd-servers", "http://127.0.0.1:"+etcd, "--secure-port", api, "--bind-address", "127.0.0.1",
		"--advertise-address", "127.0.0.1", "--endpoint-reconciler-type", "none", "--service-cluster-ip-range", "10.0.0.0/16",
		"--tls-cert-file", c.path("server.crt"), "--tls-private-key-file", c.path("server.key"),
		"--token-auth-file", c.path("tokens.csv"), "--authorization-mode", "Node,RBAC",
		"--service-account-issuer", "https://kubernetes.default.svc", "--service-account-key-file", c.path("server.key"),
		"--service-account-signing-key-file", c.path("server.key"))
	c.eventually(t, "an API server that is ready", func() error { _, err := c.kubectl("", "get", "--raw", "/readyz"); return err })
	c.run("kube-controller-manager", "--kubeconfig", c.config("controllers"), "--use-service-account-credentials",
		"--service-account-private-key-file", c.path("server.key"), "--root-ca-file", c.path("server.crt"),
		"--leader-elect=false", "--secure-port", "0",
		"--horizontal-pod-autoscaler-sync-period", "1s", "--controllers", "*,-node-ipam-controller,-node-lifecycle-controller")
	return c
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

func (c *controlPlane) path(name string) string { return filepath.Join(c.folder, name) }

func (c *controlPlane) write(name, text string) {
	c.t.Helper()
	if err := os.WriteFile(c.path(name), []byte(text), 0o600); err != nil {
		c.t.Fatal(err)
	}
}

// config writes a kubeconfig for whoever has a token, and returns its path.
func (c *controlPlane) config(token string) string {
	c.write(token+".yaml", fmt.Sprintf(`apiVersion: v1
kind: Config
clusters: [{name: test, cluster: {server: "%s", certificate-authority: "%s"}}]
users: [{name: test, user: {token: %s}}]
contexts: [{name: test, context: {cluster: test, user: test}}]
current-context: test
`, c.server, c.path("server.crt"), token))
	return c.path(token + ".yaml")
}

// run starts a program that ends with the test, the last one first: an API server does not end without its etcd.
func (c *controlPlane) run(name string, args ...string) {
	c.t.Helper()
	var log bytes.Buffer
	cmd := exec.Command(filepath.Join(c.programs, name), args...)
	cmd.Stdout, cmd.Stderr, cmd.Dir = &log, &log, c.folder
	if err := cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { _ = cmd.Wait(); close(done) }()
	c.t.Cleanup(func() {
		select {
		case <-done:
			c.t.Errorf("want a %s that runs, have: %s", name, &log)
		default:
		}
		_ = cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-done:
		case <-time.After(10 * time.Second):
			_ = cmd.Process.Kill()
			<-done
		}
	})
}

// kubectl runs a command with the rights of an administrator, and returns what it prints.
func (c *controlPlane) kubectl(stdin string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(c.t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(c.programs, "kubectl"), append([]string{"--kubeconfig", c.kubeconfig}, args...)...)
	cmd.Stdin = strings.NewReader(stdin)
	var out, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaint
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("kubectl %s: %w: %s", strings.Join(args, " "), err, &complaint)
	}
	return out.String(), nil
}

// eventually demands that something works within half a minute.
func (c *controlPlane) eventually(t *testing.T, what string, works func() error) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for {
		err := works()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("want %s, have %v", what, err)
		}
		<-time.After(100 * time.Millisecond)
	}
}
