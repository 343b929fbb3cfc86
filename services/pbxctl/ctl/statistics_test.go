package ctl_test

import (
	"encoding/csv"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/switchhook/switchhook/pkg/event"
	"github.com/switchhook/switchhook/pkg/fault"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

func durations(count int32, total, longest int64) *pbxv1.DurationFigures {
	return &pbxv1.DurationFigures{Count: count, Total: seconds(total), Longest: seconds(longest)}
}

// someFigures are those of a day with 23 hours, of which not all are over.
func someFigures() *pbxv1.DayStatistics {
	spent := func(state pbxv1.AgentState, reason string, n int64, times int32) *pbxv1.StateTime {
		return &pbxv1.StateTime{State: state, PauseReason: reason, Time: seconds(n), Times: times}
	}
	begins := time.Date(2026, 3, 28, 23, 0, 0, 0, time.UTC)
	return &pbxv1.DayStatistics{
		Tenant: "acme", Day: "2026-03-29", Timezone: "Europe/Prague", BeginsAt: timestamppb.New(begins),
		EndsAt: timestamppb.New(begins.Add(23 * time.Hour)), CountedUntil: timestamppb.New(begins.Add(14 * time.Hour)),
		Agents: []*pbxv1.AgentDay{
			{
				Id: "a1", User: &pbxv1.User{Login: "alice", Email: "alice@acme.example"}, Name: "Alice Nováková",
				Extensions: []string{"200", "300"},
				States: []*pbxv1.StateTime{
					spent(pbxv1.AgentState_AVAILABLE, "", 4*3600, 30), spent(pbxv1.AgentState_RINGING, "", 130, 12),
					spent(pbxv1.AgentState_ON_CALL, "", 3661, 11), spent(pbxv1.AgentState_WRAP_UP, "", 300, 10),
					spent(pbxv1.AgentState_PAUSED, "lunch", 1800, 1), spent(pbxv1.AgentState_PAUSED, "", 59, 2),
					spent(pbxv1.AgentState_LOGGED_OUT, "", 36000, 2),
				},
				Calls: &pbxv1.CallFigures{
					Offered: 12, Answered: 8, AnsweredElsewhere: 2, Missed: 1, Abandoned: 1, Ring: durations(12, 130, 31),
					Talk: durations(8, 3000, 901), Wait: durations(12, 500, 120),
				},
				Outgoing: 4, OutgoingAnswered: 3, OutgoingTalk: durations(3, 661, 400),
			},
			{Id: "a2", User: &pbxv1.User{Login: "=HYPERLINK(1)"}, States: []*pbxv1.StateTime{spent(pbxv1.AgentState_UNKNOWN, "", 5, 1)}},
		},
		Queues: []*pbxv1.QueueDay{
			{
				Calls:        &pbxv1.CallFigures{Offered: 1, Missed: 1, Ring: durations(1, 30, 30), Wait: durations(1, 30, 30)},
				ServiceLevel: seconds(20),
			},
			{
				Queue: "NOC, \"second\" level", ServiceLevel: seconds(30), AnsweredWithin: 199,
				Calls: &pbxv1.CallFigures{
					Offered: 200, Answered: 199, Abandoned: 1, Ring: durations(200, 1000, 31), Talk: durations(199, 36000, 4000),
					Wait: &pbxv1.DurationFigures{Count: 200, Total: durationpb.New(2501500 * time.Millisecond), Longest: seconds(120)},
				},
			},
			{Queue: "Sales", ServiceLevel: seconds(20), Calls: &pbxv1.CallFigures{}},
		},
		Hours: []*pbxv1.CallFigures{{Offered: 3}},
	}
}

func TestStatistics(t *testing.T) {
	_, b := start(t)
	answer := &pbxv1.AgentStatisticsResponse{Statistics: someFigures()}
	asked := serveFixed[*pbxv1.AgentStatisticsRequest](t, b, event.QueryAgentStatistics, answer)
	r := run(t, world(), "agents", "stats", "--tenant", "acme")
	r.want(t, 0, "Alice", "")
	golden(t, "statistics.txt", r.stdout)
	wantAsked(t, &pbxv1.AgentStatisticsRequest{Tenant: "acme"}, asked)
	r = run(t, onTerminal(100), "agents", "stats", "--tenant", "acme", "--day", "2026-03-29", "--color", "always")
	r.want(t, 0, "Alice", "")
	golden(t, "statistics-narrow-in-colour.txt", r.stdout)
	wantAsked(t, &pbxv1.AgentStatisticsRequest{Tenant: "acme", Day: "2026-03-29"}, asked)
	wide := run(t, onTerminal(250), "agents", "stats", "--tenant", "acme", "--color", "never")
	golden(t, "statistics.txt", wide.stdout)
}

func TestStatisticsOfNobody(t *testing.T) {
	_, b := start(t)
	day := timestamppb.New(time.Date(2026, 3, 9, 0, 0, 0, 0, time.UTC))
	end := timestamppb.New(day.AsTime().Add(24 * time.Hour))
	serveFixed[*pbxv1.AgentStatisticsRequest](t, b, event.QueryAgentStatistics, &pbxv1.AgentStatisticsResponse{
		Statistics: &pbxv1.DayStatistics{
			Tenant: "acme", Day: "2026-03-09", Timezone: "UTC", BeginsAt: day, EndsAt: end, CountedUntil: end,
		},
	})
	r := run(t, world(), "agents", "stats", "--tenant", "acme")
	if want := "acme, 2026-03-09 UTC\n\nAgents\nnone\n\nQueues\nnone\n"; want != r.stdout || r.code != 0 {
		t.Errorf("want %q, have %+v", want, r)
	}
}

func TestStatisticsJSON(t *testing.T) {
	_, b := start(t)
	answer := &pbxv1.AgentStatisticsResponse{Statistics: someFigures()}
	serveFixed[*pbxv1.AgentStatisticsRequest](t, b, event.QueryAgentStatistics, answer)
	r := run(t, world(), "agents", "stats", "--tenant", "acme", "--format", "json")
	have := new(pbxv1.DayStatistics)
	if err := protojson.Unmarshal([]byte(r.stdout), have); err != nil || !proto.Equal(someFigures(), have) ||
		strings.Count(r.stdout, "\n") != 1 || !strings.HasSuffix(r.stdout, "}\n") {
		t.Errorf("want %v, have %v: %s", someFigures(), err, r.stdout)
	}
}

func TestStatisticsCSV(t *testing.T) {
	_, b := start(t)
	answer := &pbxv1.AgentStatisticsResponse{Statistics: someFigures()}
	serveFixed[*pbxv1.AgentStatisticsRequest](t, b, event.QueryAgentStatistics, answer)
	r := run(t, onTerminal(80), "agents", "stats", "--tenant", "acme", "--format", "csv")
	r.want(t, 0, "tenant,day,kind,name,", "")
	golden(t, "statistics.csv", r.stdout)
	rows, err := csv.NewReader(strings.NewReader(r.stdout)).ReadAll() // which demands as many fields in each
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != 6 {
		t.Fatalf("want a header, 2 agents and 3 queues, have %v", rows)
	}
	help := run(t, world(), "agents", "stats", "--help").stdout
	have := make([]map[string]string, len(rows)-1)
	for i, row := range rows[1:] {
		have[i] = make(map[string]string)
		for c, field := range row {
			have[i][rows[0][c]] = field
		}
	}
	for _, column := range rows[0] {
		if name := strings.NewReplacer("talk_", "ring_", "wait_", "ring_").Replace(column); !strings.Contains(help, name) &&
			!strings.Contains(help, column) {
			t.Errorf("want column %s in the help", column)
		}
	}
	wants := []map[string]string{
		{
			"tenant": "acme", "day": "2026-03-29", "kind": "agent", "name": "Alice Nováková", "id": "a1", "login": "alice",
			"email": "alice@acme.example", "extensions": "200 300", "available": "14400", "on_call": "3661", "paused": "1859",
			"unknown": "0", "pauses": "lunch=1800; =59", "offered": "12", "answered": "8", "answered_elsewhere": "2",
			"ring_count": "12", "ring_total": "130", "ring_average": "11", "ring_longest": "31", "talk_average": "375",
			"wait_longest": "120", "outgoing": "4", "outgoing_answered": "3", "outgoing_talk_average": "220", "service_level": "",
		},
		{"name": "'=HYPERLINK(1)", "login": "'=HYPERLINK(1)", "offered": "0", "ring_count": "0", "ring_average": "", "unknown": "5"},
		{"kind": "queue", "name": "", "offered": "1", "missed": "1", "service_level_percent": "0", "available": "", "outgoing": ""},
		{
			"kind": "queue", "name": "NOC, \"second\" level", "answered_within": "199", "service_level": "30",
			"service_level_percent": "99", "wait_total": "2502", "wait_average": "13", "answered_elsewhere": "",
		},
		{"kind": "queue", "name": "Sales", "offered": "0", "service_level_percent": ""},
	}
	for i, want := range wants {
		for column, value := range want {
			if field, ok := have[i][column]; value != field || !ok {
				t.Errorf("row %d: want %s %q, have %q", i, column, value, field)
			}
		}
	}
}

// What was yesterday depends on where the tenant is.
func TestStatisticsOfYesterday(t *testing.T) {
	_, b := start(t)
	known := map[string]bool{"": true, "2026-03-28": true, "2026-03-09": true}
	asked := make(chan string, 10)
	serve(t, b, event.QueryAgentStatistics, func(q *pbxv1.AgentStatisticsRequest) (*pbxv1.AgentStatisticsResponse, error) {
		asked <- q.GetDay()
		if !known[q.GetDay()] {
			return nil, fault.New(fault.NotFound, "nothing is known of %s", q.GetDay())
		}
		return &pbxv1.AgentStatisticsResponse{Statistics: someFigures()}, nil
	})
	want := func(days ...string) {
		t.Helper()
		for _, day := range days {
			if have := <-asked; day != have {
				t.Errorf("want %q asked for, have %q", day, have)
			}
		}
	}
	run(t, world(), "agents", "stats", "--tenant", "acme", "--day", "yesterday").want(t, 0, "Alice", "")
	want("", "2026-03-28")
	known[""] = false
	run(t, world(), "agents", "stats", "--tenant", "acme", "--day", "yesterday").want(t, 0, "Alice", "")
	want("", "2026-03-09") // by the own clock
	run(t, world(), "agents", "stats", "--tenant", "acme", "--day", "2025-01-31").want(t, 1, "", "nothing is known of 2025-01-31")
}
