package directories_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/switchhook/switchhook/pkg/directories"
	"github.com/switchhook/switchhook/pkg/directories/postgrestest"
	"github.com/switchhook/switchhook/pkg/fault"
)

const peopleTable = "create table people (id int, name text, organisation text, number text, extension int)"

// TestConformance holds every type of directory to what Directory promises. All have the people of the stubs.
func TestConformance(t *testing.T) {
	var csv, vcf strings.Builder
	csv.WriteString("name;organisation;number\n")
	rows := []string{peopleTable}
	for _, p := range people() {
		fmt.Fprintf(&csv, "%s %s;%s;%s\n", p.first, p.last, p.organisation, p.number)
		fmt.Fprintf(&vcf, "BEGIN:VCARD\nVERSION:4.0\nFN:%s %s\nORG:%s\nTEL:%s\nEND:VCARD\n", p.first, p.last, p.organisation, p.number)
		rows = append(rows, fmt.Sprintf("insert into people values (%d, '%s %s', nullif('%s', ''), '%s', 101)", p.id, p.first, p.last, p.organisation, p.number))
	}
	address := postgrestest.Start(t)
	postgrestest.Exec(t, address, rows...)
	fine := map[string]string{
		"csv":   "- type: file\n  path: " + write(t, "people.csv", csv.String()),
		"vcard": "- type: file\n  path: " + write(t, "people.vcf", vcf.String()),
		"sql":   "- type: sql\n  url: " + address + "\n  query: select name, organisation, number as matched_number from people where number = any(@forms) order by id",
		"http":  at(plainYAML, serve(t, plainCRM)),
	}
	slow := map[string]string{
		"sql":  "- type: sql\n  url: " + address + "\n  statement_timeout: 1m\n  query: select @e164 as name, pg_sleep(60)",
		"http": at(plainYAML, serve(t, hang)),
	}
	for name, preset := range presets() {
		fine[name] = at(preset.yaml, serve(t, preset.handler))
		slow[name] = at(preset.yaml, serve(t, hang))
	}
	for name, yaml := range fine {
		t.Run(name, func(t *testing.T) { conform(t, yaml) })
	}
	for name, yaml := range slow {
		t.Run(name+" that hangs", func(t *testing.T) { keepsDeadline(t, open(t, yaml)) })
	}
}

func conform(t *testing.T, yaml string) {
	t.Run("found", func(t *testing.T) {
		matches := find(t, open(t, yaml), "+421905123456")
		if want, have := "Peter Kováč", names(matches); want != have {
			t.Fatalf("want %s, have %s", want, have)
		}
		if m := matches[0]; m.GetMatchedForm() == "" || m.GetDirectory() != "" {
			t.Errorf("want a form and no directory, have %v", m)
		}
	})
	t.Run("several, ranked", func(t *testing.T) {
		d := open(t, yaml)
		for range 3 {
			if want, have := "Jan Novák, Eva Nováková", names(find(t, d, "777888999")); want != have {
				t.Errorf("want %s, have %s", want, have)
			}
		}
	})
	t.Run("not found", func(t *testing.T) {
		if have := find(t, open(t, yaml), "+420222333444"); len(have) != 0 {
			t.Errorf("want nobody, have %v", have)
		}
	})
	t.Run("no number", func(t *testing.T) {
		if have := find(t, open(t, yaml), "anonymous"); len(have) != 0 {
			t.Errorf("want nobody, have %v", have)
		}
	})
	t.Run("at once", func(t *testing.T) {
		d := open(t, yaml)
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				matches, err := d.Find(within(t, 20*time.Second), forms("+421905123456"))
				if err != nil || names(matches) != "Peter Kováč" {
					t.Errorf("want Peter Kováč, have %v, %v", matches, err)
				}
			})
		}
		all.Wait()
	})
	t.Run("too late", func(t *testing.T) { unavailable(t, open(t, yaml), -time.Second) })
	t.Run("closed", func(t *testing.T) {
		d := open(t, yaml)
		find(t, d, "777888999")
		for range 2 {
			if err := d.Close(); err != nil {
				t.Error(err)
			}
		}
		if _, err := d.Find(t.Context(), forms("777888999")); !fault.Is(err, fault.Unavailable) {
			t.Errorf("want unavailable, have %v", err)
		}
	})
}

func keepsDeadline(t *testing.T, d directories.Directory) {
	began := time.Now()
	unavailable(t, d, 100*time.Millisecond)
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("want about 100ms, have %v", took)
	}
}

// unavailable demands that Find says so, and that it is the deadline's doing.
func unavailable(t *testing.T, d directories.Directory, left time.Duration) {
	t.Helper()
	_, err := d.Find(within(t, left), forms("777888999"))
	if !fault.Is(err, fault.Unavailable) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("want unavailable for the deadline, have %v", err)
	}
}
