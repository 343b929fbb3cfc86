package config_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/switchhook/switchhook/pkg/config"
)

const every = 5 * time.Second

func fileOf(tenant, password string) string {
	return fmt.Sprintf("tenants: [{name: %s, region: CZ, exchanges: [{vendor: xvb, webhook: {%s}}]}]\n", tenant, password)
}

// describe is a build: the first tenant's name and password.
func describe(c *config.Config) (string, error) {
	all, err := decodeAll(c)
	if err != nil || len(c.Tenants) == 0 {
		return "", err
	}
	name := c.Tenants[0].Name
	return name + " " + all["xvb/"+name+"/xvb"].Webhook.Password.Reveal(), nil
}

// watched is a running Watch, inside a bubble of synctest.
type watched struct {
	t *testing.T

	mu      sync.Mutex
	applied []string
	log     bytes.Buffer
}

func (w *watched) apply(built string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.applied = append(w.applied, built)
}

// Write takes the log.
func (w *watched) Write(line []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.log.Write(line)
}

func watch(t *testing.T, path string) *watched {
	w := &watched{t: t}
	execute, interrupt := config.Watch(path, every, describe, w.apply, slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelDebug})))
	done := make(chan error, 1)
	go func() { done <- execute() }()
	t.Cleanup(func() {
		interrupt(errors.New("the end"))
		interrupt(errors.New("again"))
		if err := <-done; err != nil {
			t.Errorf("want no error, have %v", err)
		}
	})
	return w
}

// wants lets it look a few times, and compares what was applied and refused since the last wants.
func (w *watched) wants(refused int, applied ...string) {
	w.t.Helper()
	<-time.After(3*every + time.Millisecond)
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	if !slices.Equal(applied, w.applied) {
		w.t.Errorf("want %q applied, have %q", applied, w.applied)
	}
	log := w.log.String()
	if have := strings.Count(log, "level=ERROR"); refused != have {
		w.t.Errorf("want %d refused, have %d in %s", refused, have, log)
	}
	if have := strings.Count(log, "configuration applied"); len(applied) != have {
		w.t.Errorf("want %d logged as applied, have %d in %s", len(applied), have, log)
	}
	if strings.Contains(log, "hunter2") {
		w.t.Errorf("want no secret in the log, have %s", log)
	}
	w.applied = nil
	w.log.Reset()
}

func TestWatchFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "config.yaml")
		write(t, path, fileOf("acme", "password: hunter2"))
		if _, err := config.Load(path, describe); err != nil {
			t.Fatal(err)
		}
		write(t, path, fileOf("globex", "password: hunter2")) // Between Load and Watch.
		w := watch(t, path)
		w.wants(0, "globex hunter2")

		write(t, path, fileOf("globex", "password: hunter2"))
		w.wants(0)
		write(t, path, fileOf("acme", "password: hunter2"))
		w.wants(0, "acme hunter2")
		write(t, path, fileOf("Acme", "password: hunter2"))
		w.wants(1)
		w.wants(0)
		write(t, path, fileOf("acme", "pasword: hunter2"))
		w.wants(1)
		write(t, path, "")
		w.wants(1)
		write(t, path, fileOf("initech", "password: hunter2"))
		w.wants(0, "initech hunter2")
	})
}

func TestWatchFileThatGoesAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "config.yaml")
		w := watch(t, path)
		w.wants(1)
		write(t, path, fileOf("acme", "password: hunter2"))
		w.wants(0, "acme hunter2")
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		w.wants(1)
		if err := os.Mkdir(path, 0o700); err != nil {
			t.Fatal(err)
		}
		w.wants(1)
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		w.wants(1)
		write(t, path, fileOf("acme", "password: hunter2"))
		w.wants(0, "acme hunter2")
	})
}

func TestWatchSecrets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		folder := t.TempDir()
		path, secret := filepath.Join(folder, "config.yaml"), filepath.Join(folder, "password")
		t.Setenv("TOKEN", "hunter2")
		write(t, path, fileOf("acme", `password: "${TOKEN}"`))
		w := watch(t, path)
		w.wants(0, "acme hunter2")
		t.Setenv("TOKEN", "hunter22")
		w.wants(0, "acme hunter22")
		t.Setenv("TOKEN", "")
		w.wants(1)

		write(t, path, fileOf("acme", "password_file: password"))
		w.wants(1)
		write(t, secret, "hunter2\n")
		w.wants(0, "acme hunter2")
		t.Setenv("TOKEN", "no longer looked at")
		w.wants(0)
		write(t, secret, "hunter23\n")
		w.wants(0, "acme hunter23")
		write(t, secret, "\n")
		w.wants(1)
		w.wants(0)
	})
}

// TestWatchKubernetes swaps the link in a mounted ConfigMap: config.yaml -> ..data/config.yaml, ..data -> a folder.
func TestWatchKubernetes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mount := t.TempDir()
		path := filepath.Join(mount, "config.yaml")
		swap := func(version, tenant, password string) {
			content := []byte(fileOf(tenant, "password_file: password"))
			if err := errors.Join(
				os.Mkdir(filepath.Join(mount, version), 0o700),
				os.WriteFile(filepath.Join(mount, version, "config.yaml"), content, 0o600),
				os.WriteFile(filepath.Join(mount, version, "password"), []byte(password), 0o600),
				os.Symlink(version, filepath.Join(mount, "..new")),
				os.Rename(filepath.Join(mount, "..new"), filepath.Join(mount, "..data")),
			); err != nil {
				t.Fatal(err)
			}
		}
		swap("..1", "acme", "hunter2")
		for _, name := range []string{"config.yaml", "password"} {
			if err := os.Symlink(filepath.Join("..data", name), filepath.Join(mount, name)); err != nil {
				t.Fatal(err)
			}
		}
		w := watch(t, path)
		w.wants(0, "acme hunter2")
		swap("..2", "globex", "hunter2")
		w.wants(0, "globex hunter2")
		swap("..3", "globex", "hunter23")
		w.wants(0, "globex hunter23")
		swap("..4", "globex", "hunter23")
		w.wants(0)
	})
}

// TestWatchChangeDuringBuild changes a secret after it has been read, while the rest is still being built.
func TestWatchChangeDuringBuild(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		folder := t.TempDir()
		path, secret := filepath.Join(folder, "config.yaml"), filepath.Join(folder, "password")
		write(t, path, fileOf("acme", "password_file: password"))
		write(t, secret, "1")
		slow := func(c *config.Config) (string, error) {
			built, err := describe(c)
			write(t, secret, "2")
			_, again := describe(c)
			return built, errors.Join(err, again)
		}
		applied := make(chan string, 10)
		log := slog.New(slog.DiscardHandler)
		execute, interrupt := config.Watch(path, every, slow, func(s string) { applied <- s }, log)
		done := make(chan error, 1)
		go func() { done <- execute() }()
		for _, want := range []string{"acme 1", "acme 2"} {
			if have := <-applied; want != have {
				t.Errorf("want %q, have %q", want, have)
			}
		}
		<-time.After(3 * every)
		interrupt(nil)
		if err := <-done; err != nil || len(applied) != 0 {
			t.Errorf("want no more, have %d, %v", len(applied), err)
		}
	})
}
