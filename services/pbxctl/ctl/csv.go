package ctl

import (
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// record is a row of a CSV file, by column.
type record map[string]string

// csvColumns are the columns in their order; the help of the command names each.
func csvColumns() []string {
	names := []string{"tenant", "day", "kind", "name", "id", "login", "email", "extensions"}
	for _, state := range dayStates() {
		names = append(names, stateWord(state))
	}
	names = append(names, "pauses", "offered", "answered", "answered_elsewhere", "missed", "abandoned")
	for _, what := range []string{"ring", "talk", "wait"} {
		names = append(names, what+"_count", what+"_total", what+"_average", what+"_longest")
	}
	return append(names, "outgoing", "outgoing_answered", "outgoing_talk_total", "outgoing_talk_average", "outgoing_talk_longest",
		"service_level", "answered_within", "service_level_percent")
}

// stateWord is how a state is written in titles.
func stateWord(s pbxv1.AgentState) string { return strings.ToLower(s.String()) }

// writeCSV writes a day: a row for each agent and each queue.
func writeCSV(out io.Writer, s *pbxv1.DayStatistics) error {
	var records []record
	for _, agent := range s.GetAgents() {
		records = append(records, agentRecord(agent))
	}
	for _, queue := range s.GetQueues() {
		records = append(records, queueRecord(queue))
	}
	w := csv.NewWriter(out)
	columns := csvColumns()
	if err := w.Write(columns); err != nil {
		return err
	}
	for _, r := range records {
		r["tenant"], r["day"] = s.GetTenant(), s.GetDay()
		row := make([]string, len(columns))
		for i, column := range columns {
			row[i] = harmless(r[column])
		}
		if err := w.Write(row); err != nil {
			return err
		}
	}
	w.Flush()
	return w.Error()
}

func agentRecord(agent *pbxv1.AgentDay) record {
	r := record{
		"kind": "agent", "id": agent.GetId(), "name": agentName(agent), "login": agent.GetUser().GetLogin(),
		"email": agent.GetUser().GetEmail(), "extensions": strings.Join(agent.GetExtensions(), " "),
		"outgoing": whole(agent.GetOutgoing()), "outgoing_answered": whole(agent.GetOutgoingAnswered()),
	}
	for _, state := range dayStates() {
		r[stateWord(state)] = wholeSeconds(durationpb.New(timeIn(agent, state)))
	}
	var pauses []string
	for _, s := range agent.GetStates() {
		if s.GetState() == pbxv1.AgentState_PAUSED {
			pauses = append(pauses, fmt.Sprintf("%s=%s", s.GetPauseReason(), wholeSeconds(s.GetTime())))
		}
	}
	r["pauses"] = strings.Join(pauses, "; ")
	r.addCalls(agent.GetCalls())
	r["answered_elsewhere"] = whole(agent.GetCalls().GetAnsweredElsewhere())
	r.addDurations("outgoing_talk", agent.GetOutgoingTalk())
	return r
}

func queueRecord(queue *pbxv1.QueueDay) record {
	r := record{
		"kind": "queue", "name": queue.GetQueue(), "service_level": wholeSeconds(queue.GetServiceLevel()),
		"answered_within":       whole(queue.GetAnsweredWithin()),
		"service_level_percent": percent(queue.GetAnsweredWithin(), queue.GetCalls().GetOffered()),
	}
	r.addCalls(queue.GetCalls())
	return r
}

func (r record) addCalls(c *pbxv1.CallFigures) {
	r["offered"], r["answered"] = whole(c.GetOffered()), whole(c.GetAnswered())
	r["missed"], r["abandoned"] = whole(c.GetMissed()), whole(c.GetAbandoned())
	r.addDurations("ring", c.GetRing())
	r.addDurations("talk", c.GetTalk())
	r.addDurations("wait", c.GetWait())
}

// addDurations leaves the average and the longest of nothing empty.
func (r record) addDurations(what string, d *pbxv1.DurationFigures) {
	r[what+"_count"], r[what+"_total"] = whole(d.GetCount()), wholeSeconds(d.GetTotal())
	if d.GetCount() > 0 {
		r[what+"_average"], r[what+"_longest"] = wholeSeconds(durationpb.New(mean(d))), wholeSeconds(d.GetLongest())
	}
}

// wholeSeconds returns a duration for a program to read.
func wholeSeconds(d *durationpb.Duration) string {
	return strconv.FormatInt(int64(d.AsDuration().Round(time.Second)/time.Second), 10)
}

func whole(n int32) string { return strconv.Itoa(int(n)) }

// harmless keeps a spreadsheet from computing what others wrote: no number of ours begins like a formula.
func harmless(text string) string {
	if text != "" && strings.ContainsRune("=+-@\t\r", rune(text[0])) {
		return "'" + text
	}
	return text
}
