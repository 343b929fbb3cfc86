package lint_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/switchhook/switchhook/test/k8s/manifests"
)

// A pod's configuration, laid out as it is mounted, is one that the services take.
func TestConfiguration(t *testing.T) {
	pbxctl := filepath.Join(t.TempDir(), "pbxctl")
	run(t, manifests.Root, "go", "build", "-o", pbxctl, "./services/pbxctl")
	example := composed(t).secrets["switchhook-secrets"].Data
	each(t, func(t *testing.T, w *world) {
		folder := t.TempDir()
		for name, text := range w.configMaps["switchhook-config"].Data {
			write(t, filepath.Join(folder, "config", name), strings.ReplaceAll(text, "/etc/switchhook", folder))
		}
		for name, value := range example {
			write(t, filepath.Join(folder, "secrets", name), string(value))
		}
		run(t, folder, pbxctl, "config", "check", "config/switchhook.yaml")
	})
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
