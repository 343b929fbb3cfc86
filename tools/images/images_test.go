package main_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/switchhook/switchhook/tools/images/build"
)

const (
	version  = "1.2.3-test"
	revision = "0123456789abcdef0123456789abcdef01234567"
	epoch    = 1_700_000_000
	limit    = 25 << 20
)

func TestImages(t *testing.T) {
	source, out := t.TempDir(), t.TempDir()
	copyContext(t, checkout, source)
	table, err := runTool(t, "-checkout", source, "-out", out)
	if err != nil {
		t.Fatalf("%v\n%s", err, table)
	}
	t.Logf("\n%s", table)
	services, err := build.Services(source)
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, service := range services {
		base := service + "-" + version
		want = append(want, base+".linux-amd64.cdx.json", base+".linux-arm64.cdx.json", base+".oci.tar")
		t.Run(service, func(t *testing.T) { checkArchive(t, out, service, table) })
	}
	entries, err := os.ReadDir(out)
	if err != nil {
		t.Fatal(err)
	}
	have := make([]string, len(entries))
	for i, entry := range entries {
		have[i] = entry.Name()
	}
	if !slices.Equal(want, have) {
		t.Errorf("want the files %v, have %v", want, have)
	}
	t.Run("again elsewhere", func(t *testing.T) {
		elsewhere, again := t.TempDir(), t.TempDir()
		copyContext(t, source, elsewhere)
		if table, err := runTool(t, "-checkout", elsewhere, "-out", again, "pbxsim"); err != nil {
			t.Fatalf("%v\n%s", err, table)
		}
		for _, suffix := range []string{".oci.tar", ".linux-amd64.cdx.json", ".linux-arm64.cdx.json"} {
			file := "pbxsim-" + version + suffix
			if !bytes.Equal(read(t, filepath.Join(out, file)), read(t, filepath.Join(again, file))) {
				t.Errorf("%s: want the same bytes from another folder, later, have others", file)
			}
		}
	})
}

func TestTooLarge(t *testing.T) {
	out, err := runTool(t, "-checkout", checkout, "-out", t.TempDir(), "-limit", "1", "pbxsim")
	if want := "pbxsim for linux/arm64 has "; err == nil || !strings.Contains(out, want) {
		t.Errorf("want an error with %q, have %v and %s", want, err, out)
	}
}

func TestRefusals(t *testing.T) {
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"no such service":     {[]string{"-checkout", checkout, "exchange"}, "services/exchange"},
		"no checkout":         {[]string{"-checkout", t.TempDir()}, "there are no services"},
		"version is no tag":   {[]string{"-checkout", checkout, "-version", "a/b", "pbxsim"}, "invalid tag format"},
		"repository, no name": {[]string{"-checkout", checkout, "-repository", "A B", "pbxsim"}, "invalid reference format"},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := runTool(t, append([]string{"-out", t.TempDir()}, test.args...)...)
			if err == nil || !strings.Contains(out, test.want) {
				t.Errorf("want an error with %q, have %v and %s", test.want, err, out)
			}
		})
	}
}

// runTool runs the tool, and returns what it prints.
func runTool(t *testing.T, args ...string) (string, error) {
	t.Helper()
	args = append([]string{"run", ".", "-version", version, "-revision", revision}, args...)
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Env = append(os.Environ(), fmt.Sprint("SOURCE_DATE_EPOCH=", epoch))
	out, err := cmd.CombinedOutput()
	return string(out), err
}
