package directories_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/switchhook/switchhook/pkg/fault"
	"github.com/switchhook/switchhook/pkg/logtest"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

func TestFileMatch(t *testing.T) {
	path := write(t, "people.txt", "Who;Works for;Phones;Boss;Mail;Card\nJan;Globex;00420 777 888 999;101;e@x;https://x/1\n")
	d := open(t, "- type: file\n  path: "+path+"\n  format: csv\n  columns: {name: [Who], organisation: works for, number: [Phones], "+
		"responsible_extension: Boss, responsible_email: Mail, url: Card}")
	want := &pbxv1.ContactMatch{
		Name: "Jan", Organisation: "Globex", ResponsibleExtension: "101", ResponsibleEmail: "e@x", Url: "https://x/1",
		MatchedNumber: "00420 777 888 999", MatchedForm: "e164",
	}
	if have := find(t, d, "777888999"); len(have) != 1 || !proto.Equal(want, have[0]) {
		t.Errorf("want %v, have %v", want, have)
	}
}

func TestFileLimit(t *testing.T) {
	path := write(t, "people.csv", "name,number\n"+strings.Repeat("Jan,777888999\n", 20))
	for limit, want := range map[string]int{"": 10, "\n  limit: 3": 3} {
		if have := len(find(t, open(t, "- type: file\n  path: "+path+limit), "777888999")); want != have {
			t.Errorf("%q: want %d, have %d", limit, want, have)
		}
	}
}

// TestFileReload changes a file under a directory, on a clock that leaps ahead whenever all wait.
func TestFileReload(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(dir, "people.csv")
		var log logtest.Log
		d := openLogged(t, "- type: file\n  path: "+path, log.Logger())
		if _, err := d.Find(t.Context(), forms("777888999")); !fault.Is(err, fault.Unavailable) {
			t.Errorf("no file yet: want unavailable, have %v", err)
		}
		steps := []struct {
			name, data, want string
			warnings         int
		}{
			{"the first time", "name,number\nJan,777888999\n", "Jan", 0},
			{"changed", "name,number\nEva,777888999\nJan,777888999\n", "Eva, Jan", 0},
			{"of the same size", "name,number\nJan,777888999\nEva,777888999\n", "Jan, Eva", 0},
			{"broken", "what is this\n", "Jan, Eva", 1},
			{"as broken as before", "what is that\n", "Jan, Eva", 1},
			{"vanished", "", "Jan, Eva", 2},
			{"there again", "name,number\nPeter,777888999\n", "Peter", 2},
			{"with a broken row", "name,number\nPeter,777888999\nbroken\n", "Peter", 3},
		}
		for _, step := range steps {
			if step.data == "" {
				if err := os.Remove(path); err != nil {
					t.Fatal(err)
				}
			} else if err := os.WriteFile(path, []byte(step.data), 0o600); err != nil {
				t.Fatal(err)
			}
			for range 3 { // The look that the first one begins is over by the last one.
				time.Sleep(time.Second)
				_, _ = d.Find(t.Context(), forms("777888999"))
				synctest.Wait()
			}
			if have := names(find(t, d, "777888999")); step.want != have {
				t.Errorf("%s: want %s, have %s", step.name, step.want, have)
			}
			if have := strings.Count(log.String(), "level=WARN"); step.warnings != have {
				t.Errorf("%s: want %d warnings, have %d\n%s", step.name, step.warnings, have, log.String())
			}
		}
		if !strings.Contains(log.String(), "line=3 err=\"has 1 fields, the header row 2\"") {
			t.Errorf("want the broken row by its line, have %s", log.String())
		}
	})
}

// TestFileUnusableFromTheStart demands that the reason is said, however often the file is looked at.
func TestFileUnusableFromTheStart(t *testing.T) {
	path := write(t, "people.csv", "name,age\n")
	old := time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC) // Before the clock of synctest begins.
	if err := os.Chtimes(path, old, old); err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("directory file: read %s: header row: has no column for numbers: name it under columns.number", path)
	synctest.Test(t, func(t *testing.T) {
		d := open(t, "- type: file\n  path: "+path)
		for range 3 {
			if _, err := d.Find(t.Context(), forms("777888999")); !fault.Is(err, fault.Internal) || err.Error() != want {
				t.Errorf("want %s, have %v", want, err)
			}
			time.Sleep(2 * time.Second)
		}
	})
}

// TestFileUnchanged does not read a file again whose time and size are the same: a hundred thousand contacts are many.
func TestFileUnchanged(t *testing.T) {
	path := write(t, "people.csv", "name,number\nJan,777888999\n")
	age := func(year int) {
		at := time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC)
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		d := open(t, "- type: file\n  path: "+path)
		for _, step := range []struct {
			name, want string
			year       int
		}{{"Jan", "Jan", 1998}, {"Eva", "Jan", 1998}, {"Eva", "Eva", 1999}} {
			if err := os.WriteFile(path, []byte("name,number\n"+step.name+",777888999\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			age(step.year)
			for range 3 {
				time.Sleep(time.Second)
				find(t, d, "777888999")
				synctest.Wait()
			}
			if have := names(find(t, d, "777888999")); step.want != have {
				t.Errorf("%s in %d: want %s, have %s", step.name, step.year, step.want, have)
			}
		}
	})
}

func BenchmarkFileFind(b *testing.B) {
	var rows strings.Builder
	rows.WriteString("name,number\n")
	for i := range 100_000 {
		fmt.Fprintf(&rows, "Contact %d,+4207770%05d\n", i, i)
	}
	d := open(b, "- type: file\n  path: "+write(b, "people.csv", rows.String()))
	asked := forms("+420777042042")
	b.ReportAllocs()
	for b.Loop() {
		if matches, err := d.Find(b.Context(), asked); err != nil || len(matches) != 1 {
			b.Fatal(matches, err)
		}
	}
}
