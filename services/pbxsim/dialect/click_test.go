package dialect_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/switchhook/switchhook/services/pbxsim/dialect"
	"github.com/switchhook/switchhook/services/pbxsim/flow"
)

// clicked returns a call to the outside that somebody asked for, which is answered.
func clicked(people []*flow.Agent) *flow.Call {
	outside, _ := flow.ReadNumber("777888990", "CZ")
	return flow.Click{Caller: people[0], Outside: outside, Line: flow.OwnNumber("CZ", 1)}.Call(1, 1, morning)
}

// TestTurnsKeepWhatWasSent demands that the messages of a call that took a turn begin with those that it had until then.
func TestTurnsKeepWhatWasSent(t *testing.T) {
	people := flow.People("acme", 1)
	for name, e := range exchanges(t) {
		for _, d := range e.Variants() {
			c := clicked(people)
			for at := time.Duration(0); at < c.Duration(); at += 5 * time.Second {
				turns := map[string]*flow.Call{"hung up": c.HangUp(at, nil)}
				if e.Vendor == "ipex" {
					turns["blind"] = c.Transfer(at, people[0], people[1], false, flow.PicksUp)
					turns["attended"] = c.Transfer(at, people[0], people[1], true, flow.PicksUp)
				}
				for turn, next := range turns {
					if next != nil {
						checkPrefix(t, fmt.Sprint(name, " ", d.Variant(), " ", turn, " ", at), d.Call(c), d.Call(next), at)
					}
				}
			}
		}
	}
}

func checkPrefix(t *testing.T, name string, before, after []dialect.Message, at time.Duration) {
	t.Helper()
	for i, m := range before {
		if m.At.Sub(morning) > at {
			break
		}
		if i >= len(after) || !m.At.Equal(after[i].At) || !bytes.Equal(m.Request.Body, after[i].Request.Body) {
			t.Fatalf("%s: want message %d to stay, have another", name, i)
		}
	}
	if last := after[len(after)-1]; last.At.Sub(morning) < at {
		t.Errorf("%s: want news after it, have the last at %v", name, last.At)
	}
}

// TestClickedAtIPEX checks what an exchange tells that tells all.
func TestClickedAtIPEX(t *testing.T) {
	people := flow.People("acme", 1)
	c := clicked(people)
	talk := c.Wait + c.Ring + time.Second
	given := c.Transfer(talk, people[0], people[1], true, flow.PicksUp)
	given = given.HangUp(talk+15*time.Second, people[0])
	given = given.HangUp(talk+30*time.Second, nil)
	colleague := flow.Click{Caller: people[0], Colleague: people[1], Fate: flow.RingsOut}.Call(1, 2, morning)
	answered := flow.Click{Caller: people[0], Colleague: people[1]}.Call(1, 2, morning)
	ask := answered.Wait + answered.Ring + time.Second
	alone := answered.Transfer(ask, people[1], people[2], true, flow.RingsOut)
	cases := map[string]struct {
		call *flow.Call
		want []string
	}{
		"a second colleague does not answer": {alone, []string{
			"NewCall outgoingLocal", "Ringing outgoingLocal 100", "Ringing incomingLocal 101", "Answered incomingLocal 101",
			"Ringing incomingLocal 102", "Hangup incomingLocal 102", "Hangup incomingLocal 101", "CDR",
		}},
		"handed over": {given, []string{
			"NewCall outgoing", "Ringing outgoing 100", "Ringing outgoing 100", "Answered outgoing 100",
			"Ringing incomingLocal 101", "Answered incomingLocal 101", "AttendedTransfer outgoing 100", "Hangup outgoing 100",
			"Hangup incomingLocal 101", "CDR",
		}},
		"to a colleague who does not answer": {colleague, []string{
			"NewCall outgoingLocal", "Ringing outgoingLocal 100", "Ringing incomingLocal 101", "Hangup incomingLocal", "CDR",
		}},
	}
	d := exchanges(t)["ipex-ipex"].Variants()[0]
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			var have []string
			for _, m := range d.Call(test.call) {
				var body struct{ EventName, Direction, Line string }
				if err := json.Unmarshal(m.Request.Body, &body); err != nil {
					t.Fatal(err)
				}
				have = append(have, strings.TrimSpace(body.EventName+" "+strings.TrimSpace(body.Direction+" "+body.Line)))
			}
			if !slices.Equal(have, test.want) {
				t.Errorf("want %q\nhave %q", test.want, have)
			}
		})
	}
}

func TestCanTell(t *testing.T) {
	want := map[string]bool{"ipex-ipex": true, "mcn-mcn": false, "xvb-xvb": false, "xvb-family": true}
	for name, internal := range want {
		d := exchanges(t)[name].Variants()[0]
		if have := dialect.CanTell(d, flow.Internal); have != internal || !dialect.CanTell(d, flow.Outgoing) {
			t.Errorf("%s: want internal calls told %v, have %v", name, internal, have)
		}
	}
}

// TestCallID compares it with what the events say.
func TestCallID(t *testing.T) {
	c := clicked(flow.People("acme", 1))
	for name, e := range exchanges(t) {
		for _, d := range e.Variants() {
			if key := d.Call(c)[0].Key; key != "" && key != e.CallID(c) {
				t.Errorf("%s %s: want %s, have %s", name, d.Variant(), key, e.CallID(c))
			}
		}
	}
}
