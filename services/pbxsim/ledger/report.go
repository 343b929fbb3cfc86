package ledger

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Stored is a message of a stream.
type Stored struct {
	ID       string
	Subject  string
	Sequence uint64
	Key      string // of the call that an event is about; empty when not known
}

// Problem is a way in which what is stored, or what was answered, differs from the ledger.
type Problem string

// The problems.
const (
	WrongAnswer Problem = "wrong answer"  // another status than the ledger expects, or another number of ids
	Incomplete  Problem = "incomplete"    // a call of which a request is not in the ledger
	Shared      Problem = "shared id"     // two events with the same id
	Split       Problem = "second id"     // one event that names itself, with two ids
	Missing     Problem = "missing"       // an id that was answered, and is not stored
	Doubled     Problem = "doubled"       // an id that is stored more than once
	Misfiled    Problem = "wrong subject" // an id that is stored under another subject
	WrongKey    Problem = "wrong key"     // an event of a call that the vendor names, under another key
	Unexplained Problem = "unexplained"   // something stored that no request asked for
)

// Examples is how many problems a report describes.
const Examples = 20

// Report is a judgement.
type Report struct {
	Calls       int // in the ledger
	Whole       int // calls each of whose requests was answered as it should be
	Cut         int // calls that were being sent when the run was stopped
	Requests    int
	Lost        int // requests of which nobody can know what became of them
	Events      int // stored events that a request explains
	Uncertain   int // of these, events of lost requests
	Quarantined int // as Events, in the quarantine
	Derived     int // stored events that no exchange sends
	Problems    map[Problem]int
	Examples    []string // the first problems, in words
}

// OK reports whether there are no problems.
func (r Report) OK() bool { return len(r.Problems) == 0 }

// String returns the report for a human to read, in several lines.
func (r Report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "calls        %d, %d of them whole, %d cut short\n", r.Calls, r.Whole, r.Cut)
	fmt.Fprintf(&b, "requests     %d, %d of them lost\n", r.Requests, r.Lost)
	fmt.Fprintf(&b, "events       %d, %d of them of lost requests; %d derived\n", r.Events, r.Uncertain, r.Derived)
	fmt.Fprintf(&b, "quarantined  %d\n", r.Quarantined)
	for _, p := range slices.Sorted(maps.Keys(r.Problems)) {
		fmt.Fprintf(&b, "%-13s%d\n", p, r.Problems[p])
	}
	for _, example := range r.Examples {
		fmt.Fprintf(&b, "  %s\n", example)
	}
	if r.OK() {
		b.WriteString("everything is as the ledger says\n")
	}
	return b.String()
}

func (r *Report) problem(p Problem, format string, args ...any) {
	if r.Problems == nil {
		r.Problems = map[Problem]int{}
	}
	r.Problems[p]++
	if len(r.Examples) < Examples {
		r.Examples = append(r.Examples, string(p)+": "+fmt.Sprintf(format, args...))
	}
}
