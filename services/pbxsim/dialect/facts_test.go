package dialect_test

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/switchhook/switchhook/services/pbxsim/dialect"
	"github.com/switchhook/switchhook/services/pbxsim/flow"
)

// fact is something that can be otherwise in a call of a scenario. Where what is sent remains the same, nobody can know it.
type fact struct {
	scenario  flow.Scenario
	otherwise func(*flow.Call)
}

// facts are those of the table in the README.
func facts() map[string]fact {
	return map[string]fact{
		"incoming: when it began":                                {flow.Answered, waitLonger},
		"incoming: which own number was called":                  {flow.Answered, func(c *flow.Call) { c.Line.Subscriber += "0" }},
		"incoming: the queue":                                    {flow.QueueAnswered, renameQueue},
		"incoming: the queue, where no phone rang":               {flow.AbandonedQueue, renameQueue},
		"incoming: who rang":                                     {flow.QueueAnswered, func(c *flow.Call) { renumber(c, loser(c)) }},
		"incoming: when they rang":                               {flow.QueueAnswered, ringLater},
		"incoming: when a phone stopped ringing that rang again": {flow.QueueRetried, stopRingingSooner},
		"incoming: when the others stopped ringing":              {flow.QueueAnswered, loseLater},
		"incoming: that it was answered":                         {flow.Answered, notAnswered},
		"incoming: who answered":                                 {flow.Answered, func(c *flow.Call) { renumber(c, c.AnsweredBy) }},
		"incoming: their login":                                  {flow.Answered, func(c *flow.Call) { c.Legs()[0].Agent.Login += "x" }},
		"incoming: when it was answered, in a queue":             {flow.QueueAnswered, answerLater},
		"incoming: when it was answered, without queue":          {flow.Answered, answerLater},
		"incoming: whether phones rang out or the caller gave up": {flow.RangOut, func(c *flow.Call) {
			endAs(c, flow.OutcomeAbandonedRinging, flow.Cancelled)
		}},
		"incoming: whether a phone was busy or the caller gave up": {flow.Busy, func(c *flow.Call) {
			endAs(c, flow.OutcomeAbandonedQueue, flow.Cancelled)
		}},
		"incoming: when it was handed over":         {flow.Transferred, handOverLater},
		"incoming: that a handover was called off":  {flow.TransferCancelled, neverTakenBack},
		"incoming: the rating":                      {flow.Answered, func(c *flow.Call) { c.Rating = 6 - c.Rating }},
		"outgoing: when it began":                   {flow.OutgoingAnswered, waitLonger},
		"outgoing: whose phone":                     {flow.OutgoingAnswered, func(c *flow.Call) { c.From.Extension = "9999" }},
		"outgoing: their login":                     {flow.OutgoingAnswered, func(c *flow.Call) { c.From.Login += "x" }},
		"outgoing: that it was answered":            {flow.OutgoingAnswered, notAnswered},
		"outgoing: when it was answered":            {flow.OutgoingAnswered, answerLater},
		"outgoing: whether it rang out or was busy": {flow.OutgoingBusy, func(c *flow.Call) { endAs(c, flow.OutcomeUnansweredOutgoing, flow.NoAnswer) }},
		"internal: when it began":                   {flow.InternalAnswered, waitLonger},
		"internal: whose phone called":              {flow.InternalAnswered, func(c *flow.Call) { c.From.Extension = "9999" }},
		"internal: the caller's login":              {flow.InternalAnswered, func(c *flow.Call) { c.From.Login += "x" }},
		"internal: when it was answered":            {flow.InternalAnswered, answerLater},
	}
}

func waitLonger(c *flow.Call) {
	c.Wait += time.Second
	move(c, func(m flow.Moment) bool { return m.At > 0 }, time.Second)
}

func renameQueue(c *flow.Call) { c.Queue += "x" }

// renumber gives a called phone another extension.
func renumber(c *flow.Call, extension string) {
	for _, l := range c.Legs() {
		if l.Agent.Extension == extension {
			l.Agent.Extension = "9999"
		}
	}
	c.Rang[slices.Index(c.Rang, extension)] = "9999"
	if c.AnsweredBy == extension {
		c.AnsweredBy = "9999"
	}
}

// loser is a phone that rang for nothing.
func loser(c *flow.Call) string {
	return c.Rang[slices.IndexFunc(c.Rang, func(e string) bool { return e != c.AnsweredBy })]
}

func ringLater(c *flow.Call) {
	c.Wait, c.Ring = c.Wait+time.Second, c.Ring-time.Second
	move(c, func(m flow.Moment) bool { return m.Kind == flow.Rang }, time.Second)
}

func stopRingingSooner(c *flow.Call) {
	move(c, func(m flow.Moment) bool { return m.Kind == flow.Left && m.Cause == flow.NoAnswer }, -time.Second)
}

func loseLater(c *flow.Call) {
	move(c, func(m flow.Moment) bool { return m.Cause == flow.Elsewhere }, time.Second)
}

func answerLater(c *flow.Call) {
	answered := c.Wait + c.Ring
	c.Ring, c.Talk = c.Ring+time.Second, c.Talk-time.Second
	move(c, func(m flow.Moment) bool { return m.At == answered }, time.Second)
}

func handOverLater(c *flow.Call) {
	i := slices.IndexFunc(c.Moments, func(m flow.Moment) bool { return m.Kind == flow.HandedOver })
	at := c.Moments[i].At
	move(c, func(m flow.Moment) bool { return m.At == at }, time.Second)
}

func neverTakenBack(c *flow.Call) {
	c.Moments = slices.DeleteFunc(c.Moments, func(m flow.Moment) bool { return m.Kind == flow.TookBack })
}

// notAnswered makes a call that was answered one that rang all the time.
func notAnswered(c *flow.Call) {
	c.Outcome, c.AnsweredBy, c.Ring, c.Talk = flow.OutcomeRangOut, "", c.Ring+c.Talk, 0
	if c.Direction == flow.Outgoing {
		c.Outcome = flow.OutcomeUnansweredOutgoing
	}
	c.Moments = slices.DeleteFunc(c.Moments, func(m flow.Moment) bool { return m.Kind == flow.PickedUp })
	endAs(c, c.Outcome, flow.NoAnswer)
}

// endAs changes how a call that nobody answered ended.
func endAs(c *flow.Call, outcome flow.Outcome, cause flow.Cause) {
	c.Outcome = outcome
	for i := range c.Moments {
		if c.Moments[i].Cause != 0 {
			c.Moments[i].Cause = cause
		}
	}
}

func move(c *flow.Call, which func(flow.Moment) bool, by time.Duration) {
	for i, m := range c.Moments {
		if which(m) {
			c.Moments[i].At += by
		}
	}
}

// known says whether an exchange tells a fact: yes, at the latest before the call is over; end, then; no; or – when it has
// no such calls.
func known(e *dialect.Exchange, d dialect.Dialect, f fact) string {
	if !slices.Contains(d.Scenarios(), f.scenario) {
		return "–"
	}
	number := int64(1) // of a call without recording, which would tell that it was answered, but with a rating if it can be
	for c := call(e, f.scenario, number); c.Recording || c.Rating == 0 && f.scenario == flow.Answered; number++ {
		c = call(e, f.scenario, number+1)
	}
	is, was := call(e, f.scenario, number), call(e, f.scenario, number)
	f.otherwise(was)
	isBefore, isAfter := told(d, is)
	wasBefore, wasAfter := told(d, was)
	switch {
	case !slices.Equal(isBefore, wasBefore):
		return "yes"
	case !slices.Equal(isAfter, wasAfter):
		return "end"
	default:
		return "no"
	}
}

// told returns what is sent before a call is over, and from then on, with the time to the end: all exchanges tell that.
func told(d dialect.Dialect, c *flow.Call) (before, after []string) {
	end := c.Start.Add(c.Duration())
	for _, m := range d.Call(c) {
		text := fmt.Sprint(end.Sub(m.At), " ", m.Request.Query, string(m.Request.Body))
		if m.At.Before(end) {
			before = append(before, text)
		} else {
			after = append(after, text)
		}
	}
	return before, after
}

// TestReadmeSaysWhatIsTold compares the table with what is sent of two calls that differ in nothing but the fact.
func TestReadmeSaysWhatIsTold(t *testing.T) {
	rows := readme(t)
	facts := facts()
	for name, row := range rows {
		f, ok := facts[name]
		if !ok {
			t.Errorf("want a fact named %q, have none", name)
			continue
		}
		delete(facts, name)
		for column, want := range row {
			for variant, have := range inColumn(t, column, f) {
				if have != want {
					t.Errorf("%s: %s: want %s as in the README, have %s", variant, name, want, have)
				}
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(facts)) {
		t.Errorf("want %q in the README, have it not", name)
	}
}

// inColumn returns what the variants of a column tell. It is headed by a vendor, and how the names of its variants begin;
// by a vendor alone for all.
func inColumn(t *testing.T, column string, f fact) map[string]string {
	t.Helper()
	vendor, names, _ := strings.Cut(column, " ")
	found := map[string]string{}
	for _, e := range exchanges(t) {
		for _, d := range e.Variants() {
			begins := func(name string) bool { return strings.HasPrefix(d.Variant(), name) }
			if e.Vendor == vendor && slices.ContainsFunc(strings.Split(names, ", "), begins) {
				found[e.Vendor+" "+d.Variant()] = known(e, d, f)
			}
		}
	}
	if len(found) == 0 {
		t.Errorf("want variants in the column %q, have none", column)
	}
	return found
}

// readme returns the table by row and column.
func readme(t *testing.T) map[string]map[string]string {
	t.Helper()
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]map[string]string{}
	var columns []string
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(strings.Trim(strings.ReplaceAll(line, "`", ""), "| \n"), " | ")
		switch {
		case strings.HasPrefix(line, "| fact |"):
			columns = cells
		case columns == nil || strings.HasPrefix(line, "| ---"):
		case !strings.HasPrefix(line, "|"):
			return rows
		default:
			rows[cells[0]] = map[string]string{}
			for i, cell := range cells[1:] {
				rows[cells[0]][columns[i+1]] = cell
			}
		}
	}
	return rows
}
