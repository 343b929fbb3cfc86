package e2e_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/switchhook/switchhook/services/pbxsim/ledger"
	"github.com/switchhook/switchhook/test/process"
)

// story is what the ledger says of one tenant.
type story struct {
	calls  []*ledger.Call
	shifts []*ledger.Agent
}

// readLedger returns the stories of the tenants. Requests are left out: most of the ledger is about them.
func readLedger(t *testing.T, path string) map[string]*story {
	t.Helper()
	var text []byte
	for line := range bytes.Lines([]byte(process.ReadFile(t, path))) {
		if !bytes.HasPrefix(line, []byte(`{"type":"sent"`)) {
			text = append(text, line...)
		}
	}
	stories := map[string]*story{}
	of := func(tenant string) *story {
		if stories[tenant] == nil {
			stories[tenant] = &story{}
		}
		return stories[tenant]
	}
	for entry, err := range ledger.Read(bytes.NewReader(text)) {
		if err != nil {
			t.Fatal(err)
		}
		switch e := entry.(type) {
		case *ledger.Call:
			of(e.Tenant).calls = append(of(e.Tenant).calls, e)
		case *ledger.Agent:
			of(e.Tenant).shifts = append(of(e.Tenant).shifts, e)
		}
	}
	return stories
}

// told is the part of the truth about a call that its exchange tells. Times that it does not tell are zero.
type told struct {
	*ledger.Call
	start, rang, answered time.Time
	queue, outcome        string
	legs                  []ledger.Leg
	made                  bool // by one of the tenant's phones
}

// tell leaves out what the table says that the exchange does not tell. It tells when every call ends. Where calls have no
// name, the legs of one from outside belong together by the caller's number; without that, each is a call of its own.
func (t table) tell(c *ledger.Call) []*told {
	w := t.tellWhole(c)
	if c.Key != "" || c.Caller != "" || len(w.legs) < 2 {
		return []*told{w}
	}
	var all []*told
	for _, leg := range w.legs {
		alone := *w
		alone.legs = []ledger.Leg{leg}
		if !leg.Answered { // a colleague may have; nobody says when
			alone.answered = time.Time{}
		}
		all = append(all, &alone)
	}
	return all
}

func (t table) tellWhole(c *ledger.Call) *told {
	tells := func(fact string) bool { return t.tells(variant{c.Vendor, c.Variant}, c.Direction+": "+fact) }
	w := &told{Call: c, start: c.Start, queue: c.Queue, outcome: outcomeOf(c, tells), made: c.Direction != "incoming"}
	first := c.Start.Add(time.Duration(c.WaitSeconds) * time.Second)
	if c.Queue != "" && !tells("the queue") {
		w.queue = ""
	}
	if len(c.Rang) > 0 && (c.Direction == "internal" || tells("when they rang")) {
		w.rang = first
	}
	if w.outcome == "answered" && tellsAnswer(c, tells) {
		w.answered = first.Add(time.Duration(c.RingSeconds) * time.Second)
	}
	if !w.rang.IsZero() && !tellsStart(c, tells) {
		w.start = w.rang
	}
	for _, leg := range c.Legs {
		if leg = w.leg(leg, tells); len(leg.Ringing)+len(leg.Dialing)+len(leg.Talking) > 0 || leg.Answered {
			w.legs = append(w.legs, leg)
		}
	}
	return w
}

// tellsStart says no for calls of the family whose first event is that a phone rings. Their record tells, after the end, but
// the exchange's clock, in which it does, may be wrong or an hour late: calls begin with their first event.
func tellsStart(c *ledger.Call, tells func(string) bool) bool {
	ringsFirst := strings.HasPrefix(c.Variant, "family") && c.Direction != "outgoing" && c.Queue == ""
	return tells("when it began") && !ringsFirst
}

func tellsAnswer(c *ledger.Call, tells func(string) bool) bool {
	switch {
	case c.Direction != "incoming":
		return tells("when it was answered")
	case c.Queue != "":
		return tells("when it was answered, in a queue")
	default:
		return tells("when it was answered, without queue")
	}
}

// outcomeOf returns answered, abandoned or missed. Where nobody says why nobody picked up, it is missed.
func outcomeOf(c *ledger.Call, tells func(string) bool) string {
	gaveUp := "whether phones rang out or the caller gave up"
	if len(c.Rang) == 0 {
		gaveUp = "whether a phone was busy or the caller gave up"
	}
	switch c.Outcome {
	case "answered":
		return "answered"
	case "abandoned_ringing", "abandoned_queue":
		if tells(gaveUp) {
			return "abandoned"
		}
	}
	return "missed"
}

// leg leaves out what is not told of a phone.
func (w *told) leg(l ledger.Leg, tells func(string) bool) ledger.Leg {
	answerUnknown := l.Answered && w.answered.IsZero()
	switch {
	case len(l.Dialing) > 0:
		l.Dialing = []ledger.Span{{w.start, l.Dialing[0][1]}}
		if answerUnknown {
			l.Dialing, l.Talking = []ledger.Span{{w.start, w.Ended}}, nil
		}
		return l
	case w.rang.IsZero():
		l.Ringing = nil
	case len(l.Ringing) > 1 && !tells("when a phone stopped ringing that rang again"):
		l.Ringing = []ledger.Span{{l.Ringing[0][0], l.Ringing[len(l.Ringing)-1][1]}}
	}
	if answerUnknown {
		l.Talking = nil
	}
	return l
}

// activity is a state, with the reason of a pause.
type activity string

const (
	unknown   activity = "UNKNOWN"
	loggedOut activity = "LOGGED_OUT"
	available activity = "AVAILABLE"
	paused    activity = "PAUSED"
	ringing   activity = "RINGING"
	onCall    activity = "ON_CALL"
	finishing activity = "WRAP_UP"
)

// live lets every agent live through the night, second by second. The word of the exchange holds while they do nothing else.
func (s *story) live(calls []*told, from, to time.Time, wrapUpFor int) map[string][]activity {
	lives := map[string][]activity{}
	at := func(t time.Time) int { return int(t.Unix() - from.Unix()) }
	busy := paint(calls, at, at(to))
	for _, shift := range s.shifts {
		if busy[shift.Extension] == nil {
			busy[shift.Extension] = &phone{seconds: make([]activity, at(to)), finished: map[int]bool{}}
		}
	}
	for extension, p := range busy {
		word := s.words(extension, at, at(to))
		life, left := make([]activity, at(to)), 0
		for second := range life {
			if p.finished[second] {
				left = wrapUpFor
			}
			if free := word[second] == available || word[second] == unknown; p.seconds[second] != "" || !free {
				left = 0
			}
			switch {
			case p.seconds[second] != "":
				life[second] = p.seconds[second]
			case left > 0:
				life[second] = finishing
				left--
			default:
				life[second] = word[second]
			}
		}
		lives[extension] = life
	}
	return lives
}

// phone is what a phone did in each second, and when it came out of an answered call of a queue.
type phone struct {
	seconds  []activity
	finished map[int]bool
}

func paint(calls []*told, at func(time.Time) int, length int) map[string]*phone {
	phones := map[string]*phone{}
	for _, c := range calls {
		for _, leg := range c.legs {
			p := phones[leg.Extension]
			if p == nil {
				p = &phone{make([]activity, length), map[int]bool{}}
				phones[leg.Extension] = p
			}
			for _, spans := range []struct {
				spans []ledger.Span
				as    activity
			}{{leg.Ringing, ringing}, {leg.Dialing, onCall}, {leg.Talking, onCall}} {
				for _, span := range spans.spans {
					for second := at(span[0]); second < at(span[1]); second++ {
						p.seconds[second] = spans.as
					}
				}
			}
			if n := len(leg.Talking); n > 0 && c.queue != "" {
				p.finished[at(leg.Talking[n-1][1])] = true
			}
		}
	}
	return phones
}

// words returns what the exchange said of the agent at a phone in each second.
func (s *story) words(extension string, at func(time.Time) int, length int) []activity {
	words, now := make([]activity, length), unknown
	said := map[int]activity{}
	for _, shift := range s.shifts {
		if shift.Extension == extension {
			said[at(shift.At)] = wordOf(shift)
		}
	}
	for second := range words {
		if word, ok := said[second]; ok {
			now = word
		}
		words[second] = now
	}
	return words
}

func wordOf(shift *ledger.Agent) activity {
	switch shift.Kind {
	case "logout":
		return loggedOut
	case "paused":
		return paused + " " + activity(shift.Reason)
	default:
		return available
	}
}

// final returns what the agent at a phone does when all calls are over, and in which queues.
func (s *story) final(extension string) string {
	for _, shift := range slices.Backward(s.shifts) {
		switch {
		case shift.Extension != extension:
		case shift.Kind == "logout":
			return fmt.Sprint(loggedOut, " in []")
		default:
			return fmt.Sprintf("%s in [%s]", wordOf(shift), shift.Queue)
		}
	}
	return fmt.Sprint(unknown, " in []")
}
