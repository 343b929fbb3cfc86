package ledger

import (
	"fmt"
	"iter"
	"strings"
)

// Judge compares a ledger with what is stored. Every id that was answered must be stored exactly once, under the subject
// and the key that the ledger expects; and nothing else may be stored, except that each lost request explains at most one
// message of its subject. Events that no exchange sends (such as contact.resolved) are only counted.
func Judge(entries iter.Seq[Entry], events, quarantine iter.Seq[Stored]) Report {
	j := &judge{calls: map[int64]*progress{}, ids: map[string]*expectation{}, lost: map[string]int{}}
	for e := range entries {
		switch e := e.(type) {
		case *Run:
			j.closeRun()
		case *Sent:
			j.sent(e)
		case *Call:
			j.call(e)
		}
	}
	j.closeRun()
	for s := range events {
		if !reported(s.Subject) {
			j.report.Derived++
			continue
		}
		j.stored(s, &j.report.Events)
	}
	for s := range quarantine {
		j.stored(s, &j.report.Quarantined)
	}
	j.missing()
	return j.report
}

type judge struct {
	report Report
	calls  map[int64]*progress     // those whose truth has not come yet
	ids    map[string]*expectation // answered, or met
	order  []string                // those that were answered, in order
	lost   map[string]int          // by subject, how much may be stored without an answer
}

// progress is what is known of a call that is still being read.
type progress struct {
	seen   map[int]bool
	named  map[int]string // ids of the events that name themselves
	unsure map[int]string // subjects of those events whose answer was lost
	flawed bool           // an answer was wrong or lost
}

// expectation is what an id must be stored as.
type expectation struct {
	subject, key string
	call         int64
	seq          int
	named        bool
	stored       int
}

func (x expectation) String() string { return fmt.Sprintf("call %d, request %d", x.call, x.seq) }

// sent notes what one request makes us expect.
func (j *judge) sent(s *Sent) {
	j.report.Requests++
	p := j.progress(s.Call)
	if s.Want == 200 {
		p.seen[s.Seq] = true
	}
	if s.Lost() {
		j.loss(s, p)
		return
	}
	ids := 0
	if s.Want == 200 && s.Event != "" {
		ids = 1
	}
	if s.Status != s.Want || len(s.IDs) != ids || (s.Quarantined != "") != (s.Want == 202) {
		p.flawed = true
		j.report.problem(WrongAnswer, "call %d, request %d (%s): want %d with %d ids, have %d with %d; quarantined %q",
			s.Call, s.Seq, strings.TrimSpace(s.VendorEvent+" "+s.Chaos), s.Want, ids, s.Status, len(s.IDs), s.Quarantined)
	}
	for _, id := range s.IDs {
		j.expect(id, expectation{subject: s.Subject(), key: s.Key, call: s.Call, seq: s.Seq, named: s.Named}, p)
	}
	if s.Quarantined != "" {
		j.expect(s.Quarantined, expectation{subject: s.quarantine(), call: s.Call, seq: s.Seq}, p)
	}
}

func (j *judge) loss(s *Sent, p *progress) {
	j.report.Lost++
	p.flawed = p.flawed || !s.Named
	switch {
	case s.Want == 202:
		j.lost[s.quarantine()]++
	case s.Want != 200 || s.Event == "":
	case s.Named:
		p.unsure[s.Seq] = s.Subject()
	default:
		j.lost[s.Subject()]++
	}
}

func (j *judge) expect(id string, x expectation, p *progress) {
	if known, ok := j.ids[id]; ok {
		if !x.named || !known.named || known.call != x.call || known.seq != x.seq {
			j.report.problem(Shared, "%s: of %s and of %s", id, known, x)
		}
		return
	}
	if other, ok := p.named[x.seq]; ok && x.named {
		j.report.problem(Split, "%s: %s and %s", x, other, id)
	}
	if x.named {
		p.named[x.seq] = id
	}
	j.ids[id] = &x
	j.order = append(j.order, id)
}

// call closes a call.
func (j *judge) call(c *Call) {
	j.report.Calls++
	p := j.progress(c.Call)
	j.close(c.Call, p)
	if c.Cut {
		j.report.Cut++
		return
	}
	for seq := range c.Requests {
		if !p.seen[seq] {
			j.report.problem(Incomplete, "call %d: request %d of %d is not in the ledger", c.Call, seq, c.Requests)
			p.flawed = true
		}
	}
	if !p.flawed {
		j.report.Whole++
	}
}

func (j *judge) progress(call int64) *progress {
	p := j.calls[call]
	if p == nil {
		p = &progress{seen: map[int]bool{}, named: map[int]string{}, unsure: map[int]string{}}
		j.calls[call] = p
	}
	return p
}

// close settles the events that name themselves: one whose answer was lost each time may be stored.
func (j *judge) close(call int64, p *progress) {
	for seq, subject := range p.unsure {
		if p.named[seq] == "" {
			j.lost[subject]++
			p.flawed = true
		}
	}
	delete(j.calls, call)
}

// closeRun closes what a run left open: the numbers of calls begin anew.
func (j *judge) closeRun() {
	for call, p := range j.calls {
		j.close(call, p)
	}
}

// stored looks at one message of a stream.
func (j *judge) stored(s Stored, explained *int) {
	x, ok := j.ids[s.ID]
	if !ok {
		if j.lost[s.Subject] == 0 {
			j.report.problem(Unexplained, "%s on %s, sequence %d", s.ID, s.Subject, s.Sequence)
			return
		}
		j.lost[s.Subject]--
		j.report.Uncertain++
		x = &expectation{subject: s.Subject}
		j.ids[s.ID] = x
	}
	x.stored++
	switch {
	case x.stored > 1:
		j.report.problem(Doubled, "%s of %s: again at sequence %d", s.ID, x, s.Sequence)
		return
	case x.subject != s.Subject:
		j.report.problem(Misfiled, "%s of %s: want %s, have %s", s.ID, x, x.subject, s.Subject)
	case x.key != "" && s.Key != "" && x.key != s.Key:
		j.report.problem(WrongKey, "%s of %s: want %q, have %q", s.ID, x, x.key, s.Key)
	}
	*explained++
}

func (j *judge) missing() {
	for _, id := range j.order {
		if x := j.ids[id]; x.stored == 0 {
			j.report.problem(Missing, "%s of %s, want on %s", id, x, x.subject)
		}
	}
}

// reported tells the events of exchanges from those that other services derive.
func reported(subject string) bool {
	tokens := strings.Split(subject, ".")
	if len(tokens) != 6 {
		return true // let it be unexplained
	}
	return tokens[4] == "call" || tokens[4] == "agent" && tokens[5] != "state_changed"
}
