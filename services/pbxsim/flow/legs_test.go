package flow_test

import (
	"slices"
	"testing"
	"time"

	"github.com/switchhook/switchhook/services/pbxsim/flow"
)

// TestLegs looks at every call just after each of its moments, and asks the moments up to there what each phone does.
func TestLegs(t *testing.T) {
	each(t, func(t *testing.T, all []flow.Episode) {
		for _, e := range all {
			checkLegs(t, e.Call)
			checkSpans(t, e.Call)
		}
	})
}

func checkLegs(t *testing.T, c *flow.Call) {
	t.Helper()
	var phones []*flow.Agent
	for _, m := range c.Moments {
		if m.Agent != nil && !slices.Contains(phones, m.Agent) {
			phones = append(phones, m.Agent)
		}
	}
	legs := c.Legs()
	if len(legs) != len(phones) {
		t.Fatalf("call %d %s: want a leg for each of %d phones, have %d", c.Number, c.Scenario, len(phones), len(legs))
	}
	for i, leg := range legs {
		if leg.Agent != phones[i] {
			t.Errorf("call %d %s: want leg %d of %s, have %s", c.Number, c.Scenario, i, phones[i].Extension, leg.Agent.Extension)
		}
		for _, m := range c.Moments {
			at := m.At + time.Millisecond
			if want, have := doing(c, leg.Agent, at), during(leg, at); have != want {
				t.Errorf("call %d %s: %s at %v: want %v, have %v", c.Number, c.Scenario, leg.Agent.Extension, at, want, have)
			}
		}
	}
}

// doing returns what a phone does at a time, as its last moment before says; 0 is nothing.
func doing(c *flow.Call, a *flow.Agent, at time.Duration) flow.SpanKind {
	var now flow.SpanKind
	for _, m := range c.Moments {
		switch {
		case m.At > at:
		case m.Kind == flow.Ended, m.Kind == flow.Left && m.Agent == a:
			now = 0
		case a == c.From && m.Kind == flow.Entered:
			now = flow.Dialing
		case a == c.From && m.Kind == flow.PickedUp, m.Kind == flow.PickedUp && m.Agent == a:
			now = flow.Talking
		case a != c.From && m.Kind == flow.Rang && m.Agent == a:
			now = flow.Ringing
		}
	}
	return now
}

// during returns what a leg's spans say about a time.
func during(leg *flow.Leg, at time.Duration) flow.SpanKind {
	for _, s := range leg.Spans {
		if s.From <= at && at < s.To {
			return s.Kind
		}
	}
	return 0
}

// checkSpans compares the legs with the truth about the call as a whole.
func checkSpans(t *testing.T, c *flow.Call) {
	t.Helper()
	var rang []string
	for _, leg := range c.Legs() {
		last := time.Duration(0)
		for _, s := range leg.Spans {
			if s.From < last || s.To <= s.From || s.To > c.Duration() {
				t.Errorf("call %d %s of %v: %s has the spans %v", c.Number, c.Scenario, c.Duration(), leg.Agent.Extension, leg.Spans)
			}
			last = s.To
			if s.Kind == flow.Ringing && !slices.Contains(rang, leg.Agent.Extension) {
				rang = append(rang, leg.Agent.Extension)
			}
			first := leg.Agent == c.From || leg.Agent.Extension == c.AnsweredBy
			if s.Kind == flow.Talking && first && s.From != c.Wait+c.Ring {
				t.Errorf("call %d %s: want talk from %v, have %v", c.Number, c.Scenario, c.Wait+c.Ring, leg.Spans)
			}
		}
		talked := slices.Contains([]string{c.AnsweredBy, c.TransferredTo}, leg.Agent.Extension) ||
			leg.Agent == c.From && c.Outcome == flow.OutcomeAnswered
		if leg.Answered() != talked {
			t.Errorf("call %d %s: want answered %v of %s, have %v", c.Number, c.Scenario, talked, leg.Agent.Extension, leg.Spans)
		}
	}
	if !slices.Equal(rang, c.Rang) {
		t.Errorf("call %d %s: want %v ringing, have %v", c.Number, c.Scenario, c.Rang, rang)
	}
}
