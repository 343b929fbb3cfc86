package e2e_test

import (
	"strings"
	"testing"

	"github.com/switchhook/switchhook/test/process"
)

// table is what each variant of an exchange tells, from the README of pbxsim: by fact, then by the head of the column.
type table map[string]map[string]string

func readTable(t *testing.T) table {
	t.Helper()
	all := table{}
	var heads []string
	for line := range strings.Lines(process.ReadFile(t, "../../services/pbxsim/README.md")) {
		cells := strings.Split(strings.Trim(strings.ReplaceAll(line, "`", ""), "| \n"), " | ")
		switch {
		case strings.HasPrefix(line, "| fact |"):
			heads = cells[1:]
		case heads == nil || strings.HasPrefix(line, "| ---"):
		case !strings.HasPrefix(line, "|"):
			return all
		default:
			all[cells[0]] = map[string]string{}
			for i, cell := range cells[1:] {
				all[cells[0]][heads[i]] = cell
			}
		}
	}
	t.Fatal("want a table in the README of pbxsim, have none")
	return nil
}

// variant is how an exchange speaks.
type variant struct{ vendor, name string }

// tells reports whether a variant tells a fact, be it at the end of the call. The head of a column is a vendor and how the
// names of variants begin; a vendor alone stands for all.
func (t table) tells(v variant, fact string) bool {
	for head, cell := range t[fact] {
		vendor, names, _ := strings.Cut(head, " ")
		for name := range strings.SplitSeq(names, ", ") {
			if vendor == v.vendor && strings.HasPrefix(v.name, name) {
				return cell == "yes" || cell == "end"
			}
		}
	}
	panic("the README of pbxsim does not say whether " + v.vendor + " " + v.name + " tells " + fact)
}
