package directories_test

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/switchhook/switchhook/pkg/config"
	"github.com/switchhook/switchhook/pkg/directories"
	"github.com/switchhook/switchhook/pkg/phone"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// tenant returns one in CZ with the directories of a YAML list.
func tenant(t testing.TB, list string) *config.Tenant {
	t.Helper()
	head := "tenants:\n  - name: acme\n    region: CZ\n    exchanges: [{vendor: ipex}]\n    directories:\n"
	c, err := config.Parse([]byte(head + indent(list)))
	if err != nil {
		t.Fatalf("%v\n%s", err, list)
	}
	return c.Tenants[0]
}

func indent(list string) string {
	return "      " + strings.ReplaceAll(strings.TrimSpace(list), "\n", "\n      ") + "\n"
}

// open opens the one directory of a YAML list, and closes it after the test.
func open(t testing.TB, list string) directories.Directory {
	t.Helper()
	return openLogged(t, list, slog.New(slog.DiscardHandler))
}

func openLogged(t testing.TB, list string, log *slog.Logger) directories.Directory {
	t.Helper()
	all, err := directories.New(tenant(t, list), log)
	if err != nil || len(all) != 1 {
		t.Fatalf("want one directory, have %v, %v", all, err)
	}
	t.Cleanup(func() {
		if err := all[0].Close(); err != nil {
			t.Error(err)
		}
	})
	return all[0].Directory
}

func forms(number string) []phone.Form { return phone.Forms(phone.Parse(number, "CZ"), "CZ") }

func within(t testing.TB, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

func find(t testing.TB, d directories.Directory, number string) []*pbxv1.ContactMatch {
	t.Helper()
	matches, err := d.Find(within(t, 10*time.Second), forms(number))
	if err != nil {
		t.Fatalf("find %s: %v", number, err)
	}
	return matches
}

func names(matches []*pbxv1.ContactMatch) string {
	var all []string
	for _, m := range matches {
		all = append(all, m.GetName())
	}
	return strings.Join(all, ", ")
}

// write writes a file whose folder is removed after the test, and returns its path.
func write(t testing.TB, name, data string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(data), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
