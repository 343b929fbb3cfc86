package contacts_test

import (
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/switchhook/switchhook/pkg/config"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
	"github.com/switchhook/switchhook/services/contact-lookup/contacts"
)

func TestLookupIsDutyAware(t *testing.T) {
	simulate(t, func(t *testing.T) {
		state := pbxv1.AgentState_AVAILABLE
		tenant := tenant()
		tenant.Contacts.DutyAware, tenant.Contacts.Fallback = true, "99"
		f := contacts.NewFinder(tenant, named(says(&pbxv1.ContactMatch{Name: "A", ResponsibleExtension: "20"})), time.Now)
		replica := newBucket(0).view()
		b := contacts.NewBook(replica, func(string) *contacts.Finder { return f }, contacts.Options{
			ID: "1",
			Status: func(tenant, agent string) *pbxv1.AgentStatus {
				if tenant != "acme" || agent != "20" {
					return nil
				}
				return &pbxv1.AgentStatus{State: state}
			},
		})
		for _, step := range []struct {
			state pbxv1.AgentState
			want  string
		}{{pbxv1.AgentState_ON_CALL, "99"}, {pbxv1.AgentState_AVAILABLE, ""}, {pbxv1.AgentState_PAUSED, "99"}} {
			state = step.state
			if have := lookup(t, b, false).GetContact().GetMatch().GetFallbackExtension(); step.want != have {
				t.Errorf("%v: want fallback %q, have %q", step.state, step.want, have)
			}
			time.Sleep(time.Second)
		}
		if v, _ := replica.Get("acme.420224941111"); strings.Contains(v.String(), "fallback") {
			t.Errorf("want no fallback stored, have %v", v)
		}
	})
}

func TestResponsible(t *testing.T) {
	const (
		out       = pbxv1.AgentState_LOGGED_OUT
		available = pbxv1.AgentState_AVAILABLE
	)
	on := config.Contacts{DutyAware: true, Fallback: "99"}
	byBoth := &pbxv1.ContactMatch{ResponsibleExtension: "20", ResponsibleEmail: "jan@acme.example"}
	byMail := &pbxv1.ContactMatch{ResponsibleEmail: "jan@acme.example"}
	type agents map[string]pbxv1.AgentState
	tests := map[string]struct {
		match    *pbxv1.ContactMatch
		agents   agents
		contacts config.Contacts
		want     string
	}{
		"logged out":                  {byBoth, agents{"20": out}, on, "99"},
		"paused":                      {byBoth, agents{"20": pbxv1.AgentState_PAUSED}, on, "99"},
		"on the phone":                {byBoth, agents{"20": pbxv1.AgentState_ON_CALL}, on, "99"},
		"ringing":                     {byBoth, agents{"20": pbxv1.AgentState_RINGING}, on, "99"},
		"after a call":                {byBoth, agents{"20": pbxv1.AgentState_WRAP_UP}, on, "99"},
		"available":                   {byBoth, agents{"20": available}, on, ""},
		"unknown":                     {byBoth, agents{"20": pbxv1.AgentState_UNKNOWN}, on, ""},
		"unspecified":                 {byBoth, agents{"20": pbxv1.AgentState_AGENT_STATE_UNSPECIFIED}, on, ""},
		"nobody's":                    {byBoth, nil, on, ""},
		"by e-mail":                   {byMail, agents{"jan@acme.example": out}, on, "99"},
		"by e-mail behind extension":  {byBoth, agents{"jan@acme.example": out}, on, "99"},
		"extension before e-mail":     {byBoth, agents{"20": available, "jan@acme.example": out}, on, ""},
		"no responsible":              {&pbxv1.ContactMatch{Name: "A"}, agents{"": out}, on, ""},
		"no match":                    {nil, agents{"": out}, on, ""},
		"not wanted":                  {byBoth, agents{"20": out}, config.Contacts{Fallback: "99"}, ""},
		"no fallback":                 {byBoth, agents{"20": out}, config.Contacts{DutyAware: true}, ""},
		"the fallback is responsible": {byBoth, agents{"20": out}, config.Contacts{DutyAware: true, Fallback: "20"}, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			input := &pbxv1.Contact{Kind: pbxv1.Contact_RESOLVED, CallKey: "k", Match: test.match}
			before := proto.CloneOf(input)
			have := contacts.Responsible(input, func(name string) *pbxv1.AgentStatus {
				if state, ok := test.agents[name]; ok {
					return &pbxv1.AgentStatus{State: state}
				}
				return nil
			}, test.contacts)
			if !proto.Equal(before, input) {
				t.Errorf("want the contact as it was, have %v", input)
			}
			if test.want != "" {
				before.Match.FallbackExtension = test.want
			}
			if !proto.Equal(before, have) {
				t.Errorf("want %v, have %v", before, have)
			}
		})
	}
}
