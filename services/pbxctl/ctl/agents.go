package ctl

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/switchhook/switchhook/pkg/event"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

func (a *app) agentsCommand() *cobra.Command {
	var f struct {
		tenant tenant
		queue  string
		states enums[pbxv1.AgentState]
		watch  refresh
		json   bool
	}
	f.states.names = pbxv1.AgentState_name
	cmd := group("agents", "Show the agents, and who is free",
		`Show the agents of a tenant, a line each: their phones and queues, what they do and for how long,
why they paused, or which way the call goes that they ring or talk for. It asks agent-state.

States are available, ringing, on_call, wrap_up, paused, logged_out and unknown.

With --watch the table is refreshed in its place; not on a terminal, one table is printed after
another. When agent-state is away, the last table stays and turns grey.

With --json the answer is one line, the JSON form of the protocol buffers message; with --watch
one line for each.`,
		`  pbxctl agents --tenant acme
  pbxctl agents --tenant acme --queue NOC --state available
  pbxctl agents --tenant acme --watch
  pbxctl agents show alice --tenant acme
  pbxctl agents stats --tenant acme --day yesterday`,
		a.agentCommand(), a.statisticsCommand())
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		q := &pbxv1.AgentListRequest{Tenant: string(f.tenant), Queue: f.queue, States: f.states.list}
		return a.display(cmd, f.watch, f.json, func(ctx context.Context, s asker) (answer, error) {
			list := new(pbxv1.AgentListResponse)
			err := s.ask(ctx, event.QueryAgentList, q, list)
			return answer{list, func(c canvas, now time.Time) { drawAgents(c, list, now) }}, err
		})
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	f.tenant.register(cmd, "whose agents")
	flags.StringVar(&f.queue, "queue", "", "only members of this `queue`")
	flags.Var(&f.states, "state", "only those in one of these `states`, such as available,wrap_up")
	f.watch.register(flags)
	flags.BoolVar(&f.json, "json", false, "print JSON")
	complete(cmd, "queue")
	complete(cmd, "state", f.states.words()...)
	return cmd
}

func drawAgents(c canvas, list *pbxv1.AgentListResponse, now time.Time) {
	t := table{titles: []string{"AGENT", "EXTENSIONS", "QUEUES", "STATE", "FOR", "DETAIL"}, numbers: []int{4}}
	count := make(map[pbxv1.AgentState]int)
	for _, agent := range list.GetAgents() {
		count[agent.GetState()]++
		t.rows = append(t.rows, []cell{
			{clean(agentName(agent)), bold},
			{clean(strings.Join(agent.GetExtensions(), ", ")), plain},
			{clean(strings.Join(agent.GetQueues(), ", ")), plain},
			{words(agent.GetState()), stateStyle(agent.GetState())},
			{lasting(agent.GetSince(), now), plain},
			{clean(cmp.Or(agent.GetPauseReason(), way(agent.GetDirection()))), plain},
		})
	}
	t.draw(c)
	var parts []string
	for state := range pbxv1.AgentState(len(pbxv1.AgentState_name)) {
		if count[state] > 0 {
			parts = append(parts, fmt.Sprint(count[state], " ", words(state)))
		}
	}
	fmt.Fprintln(c, summary(len(t.rows), "agent", "agents", parts))
	for _, conflict := range list.GetConflicts() {
		c.warn(conflict)
	}
}

// agentName is what people call an agent.
func agentName(a interface {
	GetName() string
	GetUser() *pbxv1.User
	GetExtensions() []string
	GetId() string
},
) string {
	name := cmp.Or(a.GetName(), person(a.GetUser()))
	if name == "" && len(a.GetExtensions()) > 0 {
		return "ext " + a.GetExtensions()[0]
	}
	return cmp.Or(name, a.GetId())
}

func stateStyle(s pbxv1.AgentState) string {
	switch s {
	case pbxv1.AgentState_AVAILABLE:
		return green
	case pbxv1.AgentState_RINGING:
		return yellow
	case pbxv1.AgentState_ON_CALL:
		return blue
	case pbxv1.AgentState_WRAP_UP:
		return cyan
	case pbxv1.AgentState_PAUSED:
		return red
	}
	return dim
}

// lasting tells for how long something has been so; nothing when nobody knows since when.
func lasting(since *timestamppb.Timestamp, now time.Time) string {
	if since == nil {
		return ""
	}
	return span(now.Sub(since.AsTime()))
}

// way tells which way a call goes; nothing when nobody knows.
func way(d pbxv1.Call_Direction) string {
	switch d {
	case pbxv1.Call_DIRECTION_UNSPECIFIED:
		return ""
	case pbxv1.Call_INTERNAL_INCOMING, pbxv1.Call_INTERNAL_OUTGOING:
		return arrow(d) + " internal"
	}
	return arrow(d) + " " + words(d)
}

// summary counts rows: all of them, and those of each sort.
func summary(total int, one, many string, sorts []string) string {
	switch total {
	case 0:
		return "no " + many
	case 1:
		many = one
	}
	return fmt.Sprintf("%d %s: %s", total, many, strings.Join(sorts, ", "))
}

func (a *app) agentCommand() *cobra.Command {
	var f struct {
		tenant tenant
		json   bool
	}
	cmd := &cobra.Command{
		Use:   "show NAME",
		Short: "Show one agent",
		Long: `Show one agent, named by login, e-mail address, extension or id. It asks agent-state.

With --json the answer is one line, the JSON form of the protocol buffers message.`,
		Example: `  pbxctl agents show alice --tenant acme
  pbxctl agents show 200 --tenant acme --json`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkText("NAME", args[0]); err != nil {
				return err
			}
			q := &pbxv1.AgentGetRequest{Tenant: string(f.tenant), Agent: args[0]}
			return a.once(cmd, f.json, func(ctx context.Context, s asker) (answer, error) {
				response := new(pbxv1.AgentGetResponse)
				err := s.ask(ctx, event.QueryAgentGet, q, response)
				return answer{response, func(c canvas, now time.Time) { a.drawAgent(c, response.GetAgent(), now) }}, err
			})
		},
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	cmd.Flags().SortFlags = false
	f.tenant.register(cmd, "whose agent")
	cmd.Flags().BoolVar(&f.json, "json", false, "print JSON")
	return cmd
}

func (a *app) drawAgent(c canvas, agent *pbxv1.AgentStatus, now time.Time) {
	c.field("name", agent.GetName())
	c.field("login", agent.GetUser().GetLogin())
	c.field("e-mail", agent.GetUser().GetEmail())
	c.field("id", agent.GetId())
	c.field("extensions", strings.Join(agent.GetExtensions(), ", "))
	c.field("queues", strings.Join(agent.GetQueues(), ", "))
	state := cmp.Or(words(agent.GetState()), "unknown")
	if since := agent.GetSince(); since != nil {
		state += fmt.Sprintf(" for %s, since %s", lasting(since, now), a.clock(since.AsTime()))
	}
	c.field("state", state)
	c.field("pause", agent.GetPauseReason())
	c.field("call", list(way(agent.GetDirection()), agent.GetCallKey()))
}
