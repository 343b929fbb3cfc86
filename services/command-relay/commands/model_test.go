package commands_test

import (
	"cmp"
	"strings"
	"testing"
	"time"

	"github.com/switchhook/switchhook/pkg/command"
	"github.com/switchhook/switchhook/pkg/fault"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
	"github.com/switchhook/switchhook/services/command-relay/commands"
)

// The model: two replicas, a bucket with compare-and-set, a work queue with two messages of one key that are delivered again as
// long as nobody acknowledged them, also to both replicas at once, an exchange, and a clock. Every replica may crash between any
// two of its steps, and time may go by between any two. All of this is tried in every order.

type place int

const (
	idle       place = iota // takes a message
	starting                // after a crash
	reading                 // the record
	storing                 // the step's record
	publishing              // what the step says
	beginning
	checking  // the clock, before sending
	executing // sends
	answering
	waiting
)

// replica is where one of them is in its work. It is a value: each branch of the search has its own.
type replica struct {
	at       place
	message  int
	rec      *pbxv1.CommandRecord // as it was read or stored
	revision int
	step     commands.Step
	phase    place // reading, checking or answering: what to do again when storing fails
	until    int
	err      error
}

type world struct {
	clock            int
	rec              *pbxv1.CommandRecord
	revision         int
	acknowledged     [2]bool
	sends            int
	did              bool // the exchange did it
	told             [8]bool
	replicas         [2]replica
	crashes, ticking int // how many more there may be
}

// model searches all that can happen.
type model struct {
	t        *testing.T
	seen     map[state]bool
	ends     map[string]int // how often each way to end was reached
	messages [2]commands.Arrival
	decision [2]commands.Decision
	refused  string
}

func TestModel(t *testing.T) {
	tests := map[string]struct {
		second           string // the number that the second message asks for; none without
		refused, limited bool
		crashes, ticking int
		ends             []string // that have to be among those reached
	}{
		"one message": {crashes: 2, ticking: 1, ends: []string{
			"DONE sent", "EXCHANGE_ERROR sent", "UNKNOWN sent", "UNKNOWN not sent", "EXPIRED not sent", "UNKNOWN DONE sent",
			"UNKNOWN EXPIRED not sent",
		}},
		"sent again": {second: "777888999", crashes: 1, ticking: 1, ends: []string{
			"DONE sent", "EXCHANGE_ERROR sent", "UNKNOWN sent", "UNKNOWN not sent", "EXPIRED not sent",
		}},
		"another with its key": {second: "777888998", crashes: 1, ends: []string{"DONE sent", "UNKNOWN sent"}},
		"refused":              {second: "777888999", refused: true, crashes: 2, ticking: 1, ends: []string{"REFUSED not sent"}},
		"limited": {second: "777888999", limited: true, crashes: 1, ticking: 1, ends: []string{
			"REFUSED not sent", "EXPIRED not sent",
		}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			m := &model{t: t, seen: make(map[state]bool), ends: make(map[string]int)}
			for i, to := range []string{"777888999", test.second} {
				m.messages[i] = arrival(dial("k", to))
				m.messages[i].Sequence = uint64(i + 1)
				m.decision[i] = commands.Decide(m.messages[i], facts())
				if test.refused {
					m.decision[i] = commands.Decision{Refused: "forbidden", Request: m.decision[i].Request}
				}
			}
			if test.limited {
				m.refused = "too many"
			}
			m.search(world{acknowledged: [2]bool{false, test.second == ""}, crashes: test.crashes, ticking: test.ticking})
			for _, want := range test.ends {
				if m.ends[want] == 0 {
					t.Errorf("want %q among the ends, have %v", want, m.ends)
				}
			}
			t.Logf("%d states, ends: %v", len(m.seen), m.ends)
		})
	}
}

func (m *model) search(w world) {
	key := w.state()
	if m.seen[key] || m.t.Failed() {
		return
	}
	m.seen[key] = true
	over := w.acknowledged[0] && w.acknowledged[1]
	for i, r := range w.replicas {
		over = over && r.at == idle
		for _, next := range m.advance(w, i) {
			m.search(next)
		}
		if w.crashes > 0 && r.at != idle {
			next := w
			next.replicas[i] = replica{at: starting}
			next.crashes--
			m.search(next)
		}
	}
	if over {
		m.end(w)
		return
	}
	if w.ticking > 0 {
		for _, seconds := range []int{16, 45} {
			next := w
			next.clock += seconds
			next.ticking--
			m.search(next)
		}
	}
}

// advance lets a replica do its next step, in each way that it can go.
func (m *model) advance(w world, i int) []world {
	r := &w.replicas[i]
	now := at(float64(w.clock))
	message := m.messages[r.message]
	switch r.at {
	case idle:
		return m.deliver(w, i)
	case starting:
		r.at = idle
		w.publish(commands.Told(w.rec))
	case reading:
		r.read(w)
		if r.rec == nil {
			r.do(commands.Take(message, m.decision[r.message], "CZ", now))
		} else {
			r.do(commands.Meet(r.rec, message, "CZ", now))
		}
	case storing:
		if r.revision != w.revision {
			m.conflict(&w, r)
			break
		}
		w.rec, w.revision = r.step.Store, w.revision+1
		r.read(w)
		r.at = publishing
	case publishing:
		w.publish(r.step)
		m.next(&w, r)
	case beginning:
		r.do(commands.Begin(r.rec, message, m.refused, "CZ", now))
	case checking:
		r.phase = checking
		r.do(commands.Late(r.rec, "CZ", now))
	case executing:
		return execute(w, i)
	case answering:
		r.phase = answering
		r.do(commands.Answer(r.rec, command.Done{}, r.err, "CZ", now))
	case waiting:
		if w.clock < r.until {
			if w.ticking > 0 {
				return nil
			}
			w.clock = r.until // Nothing else lets time go by any more.
		}
		r.at, r.phase = reading, reading
	}
	return []world{w}
}

func (m *model) deliver(w world, i int) []world {
	var all []world
	for message, done := range w.acknowledged {
		if !done {
			next := w
			next.replicas[i] = replica{at: reading, phase: reading, message: message}
			all = append(all, next)
		}
	}
	return all
}

func (r *replica) read(w world) { r.rec, r.revision = w.rec, w.revision }

func (r *replica) do(step commands.Step) {
	r.step, r.at = step, publishing
	if step.Store != nil {
		r.at = storing
	}
}

// conflict goes on when somebody else was faster.
func (m *model) conflict(w *world, r *replica) {
	r.at = r.phase
	if r.phase != reading {
		r.read(*w)
	}
}

func (m *model) next(w *world, r *replica) {
	r.until = int(r.step.Until.Sub(noon) / time.Second)
	switch r.step.Next {
	case commands.Finish:
		w.acknowledged[r.message] = true
		*r = replica{}
	case commands.ToBegin:
		r.at = beginning
	case commands.ToSend:
		if r.at = checking; r.phase == checking {
			r.at = executing
		}
	case commands.ToWait:
		r.at = waiting
	}
}

// execute sends, unless the context's deadline is over; and the exchange answers in one way or another.
func execute(w world, i int) []world {
	w.replicas[i].at = answering
	if w.clock >= w.replicas[i].until {
		w.replicas[i].err = fault.New(fault.Unavailable, "nothing was sent")
		return []world{w}
	}
	w.sends++
	done, lost, lostDone, failed := w, w, w, w
	done.did, lostDone.did = true, true
	lost.replicas[i].err, lostDone.replicas[i].err = &command.Lost{Reason: "lost"}, &command.Lost{Reason: "lost"}
	failed.replicas[i].err = fault.New(fault.Internal, "no such number")
	return []world{done, lost, lostDone, failed}
}

func (w *world) publish(step commands.Step) {
	if step.Event != nil {
		w.told[step.Event.GetCommand().GetOutcome()] = true
	}
}

// end checks what must hold when all messages are acknowledged and nobody does anything.
func (m *model) end(w world) {
	outcome := w.rec.GetOutcome().GetOutcome()
	var told []string
	certain := 0
	for o, yes := range w.told {
		if yes && pbxv1.Command_Outcome(o) != pbxv1.Command_UNKNOWN {
			certain++
		}
	}
	if w.told[pbxv1.Command_UNKNOWN] {
		told = append(told, "UNKNOWN")
	}
	if outcome != pbxv1.Command_UNKNOWN {
		told = append(told, outcome.String())
	}
	unsent := outcome == pbxv1.Command_REFUSED || outcome == pbxv1.Command_EXPIRED
	switch {
	case w.rec.GetStage() != pbxv1.CommandRecord_OVER:
		m.t.Errorf("want it over, have %v", w.rec)
	case w.sends > 1:
		m.t.Errorf("want it sent once at most, have %d times", w.sends)
	case !w.told[outcome]:
		m.t.Errorf("want %v told, have %v", outcome, w.told)
	case certain > 1 || certain == 1 && outcome == pbxv1.Command_UNKNOWN:
		m.t.Errorf("want one outcome told, have %v", w.told)
	case unsent && w.sends > 0, outcome == pbxv1.Command_DONE && !w.did, outcome == pbxv1.Command_EXCHANGE_ERROR && w.did:
		m.t.Errorf("want the truth told, have %v, sent %d times, done %v", outcome, w.sends, w.did)
	}
	sent := " not sent"
	if w.sends > 0 {
		sent = " sent"
	}
	m.ends[strings.Join(told, " ")+sent]++
}

// state is all that decides what can happen next.
type state struct {
	clock, revision, sends, crashes, ticking int
	rec                                      known
	acknowledged                             [2]bool
	did                                      bool
	told                                     [8]bool
	replicas                                 [2]position
}

// position is a replica's part of a state.
type position struct {
	at, phase                place
	message, revision, until int
	rec, store               known
	next                     commands.Next
	event                    bool
	err                      string
}

// known is all that differs between the records of one model.
type known struct {
	id             string
	stage, outcome int32
	taken, since   int64
}

// state is the same for worlds that differ only in which replica is which: they are alike.
func (w world) state() state {
	s := state{
		w.clock, w.revision, w.sends, w.crashes, w.ticking, describe(w.rec), w.acknowledged, w.did, w.told, [2]position{},
	}
	for i, r := range w.replicas {
		s.replicas[i] = position{
			r.at, r.phase, r.message, r.revision, r.until, describe(r.rec), describe(r.step.Store), r.step.Next, r.step.Event != nil, "",
		}
		if r.err != nil {
			s.replicas[i].err = r.err.Error()
		}
	}
	if a, b := s.replicas[0], s.replicas[1]; cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.message, b.message), cmp.Compare(a.revision, b.revision)) > 0 {
		s.replicas[0], s.replicas[1] = b, a
	}
	return s
}

func describe(rec *pbxv1.CommandRecord) known {
	return known{
		rec.GetCommandId(), int32(rec.GetStage()), int32(rec.GetOutcome().GetOutcome()),
		rec.GetTakenAt().GetSeconds(), rec.GetSince().GetSeconds(),
	}
}
