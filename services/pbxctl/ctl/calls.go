package ctl

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/switchhook/switchhook/pkg/event"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

func (a *app) callsCommand() *cobra.Command {
	var f struct {
		tenant tenant
		queue  string
		watch  refresh
		json   bool
	}
	cmd := &cobra.Command{
		Use:   "calls",
		Short: "Show the calls that go on now",
		Long: `Show the calls of a tenant that go on now, oldest first, a line each: since when, which way, from
whom to whom, who is outside as far as a directory knows, through which queue, and whether it waits,
rings or talks, for how long, and at which phones.
Outgoing calls that nobody answered yet are dialling. It asks agent-state.

With --watch the table is refreshed in its place; not on a terminal, one table is printed after
another. When agent-state is away, the last table stays and turns grey.

With --json the answer is one line, the JSON form of the protocol buffers message; with --watch
one line for each.`,
		Example: `  pbxctl calls --tenant acme --watch
  pbxctl calls --tenant acme --queue NOC
  pbxctl calls --tenant acme --json | jq '.calls | length'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			q := &pbxv1.CallListRequest{Tenant: string(f.tenant), Queue: f.queue}
			return a.display(cmd, f.watch, f.json, func(ctx context.Context, s asker) (answer, error) {
				list := new(pbxv1.CallListResponse)
				err := s.ask(ctx, event.QueryCallList, q, list)
				return answer{list, func(c canvas, now time.Time) { a.drawCalls(c, list.GetCalls(), now) }}, err
			})
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	f.tenant.register(cmd, "whose calls")
	flags.StringVar(&f.queue, "queue", "", "only calls of this `queue`")
	f.watch.register(flags)
	flags.BoolVar(&f.json, "json", false, "print JSON")
	complete(cmd, "queue")
	return cmd
}

func (a *app) drawCalls(c canvas, calls []*pbxv1.CallStatus, now time.Time) {
	t := table{titles: []string{"SINCE", "DIRECTION", "FROM", "TO", "WHO", "QUEUE", "STATE", "FOR", "PHONES"}, numbers: []int{0, 7}}
	count := make(map[string]int)
	for _, s := range calls {
		state, since := callState(s), s.GetStartedAt()
		if s.GetAnsweredAt() != nil {
			since = s.GetAnsweredAt()
		}
		count[state.text]++
		started := ""
		if s.GetStartedAt() != nil {
			started = a.clock(s.GetStartedAt().AsTime())
		}
		t.rows = append(t.rows, []cell{
			{started, dim},
			{way(s.GetCall().GetDirection()), plain},
			{clean(party(s.GetCall().GetFrom())), plain},
			{clean(party(s.GetCall().GetTo())), plain},
			{clean(whoIs(s.GetContact())), bold},
			{clean(s.GetCall().GetQueue()), plain},
			state,
			{lasting(since, now), plain},
			{clean(phonesOf(s)), plain},
		})
	}
	t.draw(c)
	var parts []string
	for _, state := range callStates() {
		if count[state.text] > 0 {
			parts = append(parts, fmt.Sprint(count[state.text], " ", state.text))
		}
	}
	fmt.Fprintln(c, summary(len(t.rows), "call", "calls", parts))
}

// callStates are how far calls get, in order.
func callStates() []cell {
	return []cell{{"dialling", cyan}, {"waiting", red}, {"ringing", yellow}, {"talking", green}}
}

func callState(s *pbxv1.CallStatus) cell {
	states := callStates()
	dialling, waiting, ringing, talking := states[0], states[1], states[2], states[3]
	direction := s.GetCall().GetDirection()
	switch {
	case s.GetAnsweredAt() != nil, len(s.GetTalking()) > 0:
		return talking
	case len(s.GetRinging()) > 0:
		return ringing
	case direction == pbxv1.Call_OUTGOING, direction == pbxv1.Call_INTERNAL_OUTGOING:
		return dialling
	}
	return waiting
}

// phonesOf returns the extensions that have to do with a call now.
func phonesOf(s *pbxv1.CallStatus) string {
	talking, ringing := strings.Join(s.GetTalking(), ", "), strings.Join(s.GetRinging(), ", ")
	switch {
	case talking != "" && ringing != "": // somebody is asked before a transfer
		return talking + "; rings " + ringing
	case talking+ringing == "":
		return s.GetCall().GetExtension()
	}
	return talking + ringing
}
