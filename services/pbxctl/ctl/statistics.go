package ctl

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/switchhook/switchhook/pkg/event"
	"github.com/switchhook/switchhook/pkg/fault"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

func (a *app) statisticsCommand() *cobra.Command {
	var of tenant
	on, format := day("today"), choice{"table", []string{"table", "csv", "json"}}
	cmd := &cobra.Command{
		Use:   "stats",
		Short: "Show the figures of a day, by agent and by queue",
		Long: `Show the figures of a day in the tenant's time zone, by agent and by queue. It asks agent-state.

Of an agent: the calls that rang at their phones (offered), those that they answered, that a
colleague answered (elsewhere), that nobody answered (missed), and that the caller gave up
(abandoned); the average and the longest (max) ringing and talking; calls that they made; and the time in each
state. Of a queue: the whole calls that came through it, how long callers waited and talked, and
which share of those offered was answered within the time of its service level. On a terminal that is too narrow, the table of the
agents comes in two.

With --format csv there is one header and a row for each agent and each queue. Durations are in
seconds; all numbers are whole. What does not apply is empty. Columns:
  tenant, day, kind                    kind is agent or queue
  name, id, login, email, extensions   a queue has its name only; extensions stand between spaces
  available, ringing, on_call, wrap_up, paused, logged_out, unknown
                                       seconds in each state
  pauses                               seconds for each reason, as "lunch=1800; training=600"
  offered, answered, answered_elsewhere, missed, abandoned
  ring_count, ring_total, ring_average, ring_longest; the same of talk and wait
  outgoing, outgoing_answered, outgoing_talk_total, outgoing_talk_average, outgoing_talk_longest
  service_level, answered_within, service_level_percent
Text that a spreadsheet would take for a formula has a ' in front.

With --format json it is one line, the JSON form of the message DayStatistics, which also has
figures by hour.`,
		Example: `  pbxctl agents stats --tenant acme
  pbxctl agents stats --tenant acme --day 2026-01-31 --format csv > 2026-01-31.csv
  pbxctl agents stats --tenant acme --day yesterday --format json | jq .queues`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return buffered(cmd, func(out *bufio.Writer) error {
				return a.asking(patience, func(s asker) error {
					statistics, err := a.statistics(cmd.Context(), s, string(of), on)
					if err != nil {
						return err
					}
					switch format.value {
					case "csv":
						return writeCSV(out, statistics)
					case "json":
						return printJSON(out, statistics)
					}
					a.drawStatistics(a.canvas(cmd, out), statistics)
					return nil
				})
			})
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	of.register(cmd, "whose figures")
	flags.Var(&on, "day", "today, yesterday, or a date such as 2026-01-31")
	flags.Var(&format, "format", "what to print")
	complete(cmd, "day", "today", "yesterday")
	complete(cmd, "format", format.values...)
	return cmd
}

// statistics asks for a day. Which one was yesterday in the tenant's time zone, only the service knows; on a day of which
// it knows nothing yet, it is taken from the own clock.
func (a *app) statistics(ctx context.Context, s asker, tenant string, on day) (*pbxv1.DayStatistics, error) {
	get := func(date string) (*pbxv1.DayStatistics, error) {
		response := new(pbxv1.AgentStatisticsResponse)
		err := s.ask(ctx, event.QueryAgentStatistics, &pbxv1.AgentStatisticsRequest{Tenant: tenant, Day: date}, response)
		return response.GetStatistics(), err
	}
	if on == "today" {
		return get("")
	}
	if on != "yesterday" {
		return get(string(on))
	}
	today, err := get("")
	if err != nil && !fault.Is(err, fault.NotFound) {
		return nil, err
	}
	date, err := time.Parse(time.DateOnly, today.GetDay())
	if err != nil {
		date = a.Now().In(a.Location)
	}
	return get(date.AddDate(0, 0, -1).Format(time.DateOnly))
}

func (a *app) drawStatistics(c canvas, s *pbxv1.DayStatistics) {
	fmt.Fprintln(c, c.paint(bold, clean(s.GetTenant()+", "+s.GetDay())), c.paint(dim, a.extent(s)))
	c.heading("Agents")
	if len(s.GetAgents()) == 0 {
		fmt.Fprintln(c, "none")
	}
	calls, times := agentTables(s.GetAgents())
	if wide := calls.beside(times); c.columns == 0 || wide.width() <= c.columns {
		wide.draw(c)
	} else {
		calls.draw(c)
		fmt.Fprintln(c)
		times.draw(c)
	}
	c.heading("Queues")
	if len(s.GetQueues()) == 0 {
		fmt.Fprintln(c, "none")
	}
	queueTable(s.GetQueues()).draw(c)
}

// extent tells what of the day the figures count.
func (a *app) extent(s *pbxv1.DayStatistics) string {
	text := clean(s.GetTimezone())
	if hours := s.GetEndsAt().AsTime().Sub(s.GetBeginsAt().AsTime()).Hours(); hours != 24 {
		text += fmt.Sprintf(", a day of %g hours", hours)
	}
	if until := s.GetCountedUntil().AsTime(); until.Before(s.GetEndsAt().AsTime()) {
		location, err := time.LoadLocation(s.GetTimezone())
		if err != nil {
			location = a.Location
		}
		text += ", until " + until.In(location).Format(time.TimeOnly)
	}
	return text
}

// agentTables returns the calls of agents, and what they did with their time.
func agentTables(agents []*pbxv1.AgentDay) (calls, times table) {
	calls = table{
		titles: []string{
			"AGENT", "OFFERED", "ANSWERED", "ELSEWHERE", "MISSED", "ABANDONED", "RING", "RING MAX", "TALK", "TALK MAX", "MADE",
		},
		numbers: []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10},
	}
	times = table{
		titles:  []string{"AGENT", "AVAILABLE", "RINGING", "ON CALL", "WRAP UP", "PAUSED", "LOGGED OUT", "UNKNOWN", "PAUSES"},
		numbers: []int{1, 2, 3, 4, 5, 6, 7},
	}
	for _, agent := range agents {
		name, figures := cell{clean(agentName(agent)), bold}, agent.GetCalls()
		calls.rows = append(calls.rows, []cell{
			name,
			number(figures.GetOffered(), plain),
			number(figures.GetAnswered(), green),
			number(figures.GetAnsweredElsewhere(), plain),
			number(figures.GetMissed(), red),
			number(figures.GetAbandoned(), yellow),
			average(figures.GetRing()), longest(figures.GetRing()),
			average(figures.GetTalk()), longest(figures.GetTalk()),
			number(agent.GetOutgoing(), plain),
		})
		row := []cell{name}
		for _, state := range dayStates() {
			row = append(row, amount(timeIn(agent, state)))
		}
		times.rows = append(times.rows, append(row, cell{clean(pausesOf(agent)), plain}))
	}
	return calls, times
}

// dayStates are the states in the order of the tables.
func dayStates() []pbxv1.AgentState {
	return []pbxv1.AgentState{
		pbxv1.AgentState_AVAILABLE, pbxv1.AgentState_RINGING, pbxv1.AgentState_ON_CALL, pbxv1.AgentState_WRAP_UP,
		pbxv1.AgentState_PAUSED, pbxv1.AgentState_LOGGED_OUT, pbxv1.AgentState_UNKNOWN,
	}
}

func timeIn(agent *pbxv1.AgentDay, state pbxv1.AgentState) (total time.Duration) {
	for _, s := range agent.GetStates() {
		if s.GetState() == state {
			total += s.GetTime().AsDuration()
		}
	}
	return total
}

// pausesOf tells the time of each pause reason, and how often.
func pausesOf(agent *pbxv1.AgentDay) string {
	var texts []string
	for _, s := range agent.GetStates() {
		if s.GetState() == pbxv1.AgentState_PAUSED {
			reason := cmp.Or(s.GetPauseReason(), "no reason")
			texts = append(texts, fmt.Sprintf("%s %s (%d×)", reason, span(s.GetTime().AsDuration()), s.GetTimes()))
		}
	}
	return strings.Join(texts, ", ")
}

func queueTable(queues []*pbxv1.QueueDay) table {
	t := table{
		titles: []string{
			"QUEUE", "OFFERED", "ANSWERED", "MISSED", "ABANDONED", "WAIT", "WAIT MAX", "TALK", "TALK MAX", "SERVICE LEVEL",
		},
		numbers: []int{1, 2, 3, 4, 5, 6, 7, 8},
	}
	for _, queue := range queues {
		figures := queue.GetCalls()
		name := cell{clean(queue.GetQueue()), bold}
		if name.text == "" {
			name = cell{"(none)", dim}
		}
		t.rows = append(t.rows, []cell{
			name,
			number(figures.GetOffered(), plain),
			number(figures.GetAnswered(), green),
			number(figures.GetMissed(), red),
			number(figures.GetAbandoned(), yellow),
			average(figures.GetWait()), longest(figures.GetWait()),
			average(figures.GetTalk()), longest(figures.GetTalk()),
			{serviceLevel(queue), plain},
		})
	}
	return t
}

// serviceLevel tells which share was answered in time.
func serviceLevel(q *pbxv1.QueueDay) string {
	if q.GetCalls().GetOffered() == 0 || q.GetServiceLevel() == nil {
		return ""
	}
	return fmt.Sprintf("%s%% in %s", percent(q.GetAnsweredWithin(), q.GetCalls().GetOffered()), q.GetServiceLevel().AsDuration())
}

// percent returns a share in whole percent, nothing of nothing. All that is not everything is less than 100.
func percent(part, whole int32) string {
	if whole == 0 {
		return ""
	}
	return strconv.FormatInt(100*int64(part)/int64(whole), 10)
}

// number is dim where there is nothing to see.
func number(n int32, style string) cell {
	if n == 0 {
		style = dim
	}
	return cell{strconv.Itoa(int(n)), style}
}

func amount(d time.Duration) cell {
	if d == 0 {
		return cell{"-", dim}
	}
	return cell{span(d.Round(time.Second)), plain}
}

func average(d *pbxv1.DurationFigures) cell {
	if d.GetCount() == 0 {
		return cell{"-", dim}
	}
	return cell{span(mean(d).Round(time.Second)), plain}
}

func longest(d *pbxv1.DurationFigures) cell {
	if d.GetCount() == 0 {
		return cell{"-", dim}
	}
	return cell{span(d.GetLongest().AsDuration().Round(time.Second)), plain}
}

// mean returns the average, zero of nothing.
func mean(d *pbxv1.DurationFigures) time.Duration {
	return d.GetTotal().AsDuration() / time.Duration(max(d.GetCount(), 1))
}
