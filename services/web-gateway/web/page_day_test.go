package web_test

import (
	"fmt"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// day is what goes on at a tenant, all of it invented.
type day struct {
	now         time.Time
	agents      []*pbxv1.AgentStatus
	calls       []*pbxv1.CallStatus
	missed      []*pbxv1.MissedCall
	statistics  *pbxv1.DayStatistics
	events      []string
	quarantined []string
}

func newDay(now time.Time) *day {
	d := &day{now: now}
	d.addAgents()
	d.addCalls()
	d.addMissed()
	d.addStatistics()
	d.addEvents()
	return d
}

func (d *day) ago(seconds int) *timestamppb.Timestamp {
	return timestamppb.New(d.now.Add(-time.Duration(seconds) * time.Second))
}

func (d *day) open() (open []*pbxv1.MissedCall) {
	for _, m := range d.missed {
		if m.GetResolvedAt() == nil {
			open = append(open, m)
		}
	}
	return open
}

func (d *day) find(id string) *pbxv1.MissedCall {
	for _, m := range d.missed {
		if m.GetId() == id {
			return m
		}
	}
	return nil
}

func (d *day) addAgents() {
	for i, a := range []struct {
		name, login, extension string
		state                  pbxv1.AgentState
		since                  int
		pause, call            string
	}{
		{"Karel Novák", "karel", "101", pbxv1.AgentState_AVAILABLE, 754, "", ""},
		{"Eva Dvořáková", "eva", "102", pbxv1.AgentState_ON_CALL, 402, "", "k-1"},
		{"Petr Svoboda", "petr", "103", pbxv1.AgentState_RINGING, 9, "", "k-3"},
		{"Jana Procházková", "jana", "104", pbxv1.AgentState_ON_CALL, 63, "", "k-2"},
		{"Tomáš Kučera", "tomas", "105", pbxv1.AgentState_WRAP_UP, 48, "", ""},
		{"Lucie Veselá", "lucie", "106", pbxv1.AgentState_PAUSED, 1310, "oběd", ""},
		{"Ольга Смирнова", "olga", "107", pbxv1.AgentState_AVAILABLE, 92, "", ""},
		{"Marek Horváth", "marek", "108", pbxv1.AgentState_ON_CALL, 1205, "", "k-6"},
		{"Zuzana Kováčová", "zuzana", "109", pbxv1.AgentState_AVAILABLE, 12, "", ""},
		{"Jakub Černý", "jakub", "110", pbxv1.AgentState_UNKNOWN, 5400, "", ""},
		{"Hana Benešová", "hana", "111", pbxv1.AgentState_LOGGED_OUT, 9000, "", ""},
		{"Filip Marek", "filip", "112", pbxv1.AgentState_LOGGED_OUT, 20000, "", ""},
	} {
		queues := []string{"support"}
		if i%3 == 0 {
			queues = append(queues, "sales")
		}
		d.agents = append(d.agents, &pbxv1.AgentStatus{
			Id: "a-" + a.login, Tenant: "acme", Name: a.name, User: &pbxv1.User{Login: a.login}, Extensions: []string{a.extension},
			Queues: queues, State: a.state, Since: d.ago(a.since), PauseReason: a.pause, CallKey: a.call,
		})
	}
}

func party(e164 string) *pbxv1.Party { return &pbxv1.Party{Number: e164, E164: e164} }

func (d *day) addCalls() {
	for i, c := range []struct {
		from, queue      string
		direction        pbxv1.Call_Direction
		started, answers int
		ringing, talking []string
	}{
		{"+420602123456", "support", pbxv1.Call_INCOMING, 431, 402, nil, []string{"102"}},
		{"+420775987001", "sales", pbxv1.Call_INCOMING, 80, 63, nil, []string{"104"}},
		{"+420731555010", "support", pbxv1.Call_INCOMING, 14, 0, []string{"103"}, nil},
		{"+421903222333", "support", pbxv1.Call_INCOMING, 96, 0, nil, nil},
		{"+79161234567", "sales", pbxv1.Call_INCOMING, 7, 0, nil, nil},
		{"+420606777888", "", pbxv1.Call_OUTGOING, 1220, 1205, nil, []string{"108"}},
	} {
		status := &pbxv1.CallStatus{
			Id: fmt.Sprintf("c-%d", i+1), Tenant: "acme", Vendor: "ipex", Exchange: "prague", StartedAt: d.ago(c.started), Ringing: c.ringing,
			Talking: c.talking, Call: &pbxv1.Call{
				Kind: pbxv1.Call_RINGING, Id: fmt.Sprintf("17000000%d.12", i), Key: fmt.Sprintf("k-%d", i+1), Direction: c.direction,
				From: party(c.from), To: party("+420222111000"), Queue: c.queue,
			},
		}
		if c.direction == pbxv1.Call_OUTGOING {
			status.Call.From, status.Call.To = party("+420222111000"), party(c.from)
		}
		if c.answers > 0 {
			status.AnsweredAt, status.Call.Kind = d.ago(c.answers), pbxv1.Call_ANSWERED
		}
		d.calls = append(d.calls, status)
	}
}

func (d *day) addMissed() {
	for i, m := range []struct {
		id, from, name, organisation, queue, claimed, note string
		ago, attempts                                      int
		reason                                             pbxv1.MissedCall_Reason
	}{
		{"m-1", "+420604111222", "Alena Malá", "Pekárna U Mostu", "support", "", "", 7260, 3, pbxv1.MissedCall_ABANDONED_QUEUE},
		{"m-2", "+421905444555", "", "", "sales", "eva", "", 5210, 1, pbxv1.MissedCall_RANG_OUT},
		{"m-3", "+420731555010", "Roman Doležal", "Doležal a syn", "support", "karel", "Volat po 14. hodině", 3140, 2, pbxv1.MissedCall_ABANDONED_RINGING},
		{"m-conflict", "+420776123123", "Iveta Pospíšilová", "", "sales", "", "", 1830, 1, pbxv1.MissedCall_BUSY},
		{"m-5", "+79161234567", "Иван Петров", "ООО «Север»", "sales", "", "", 640, 4, pbxv1.MissedCall_OUTSIDE_HOURS},
		{"m-6", "anonymous", "", "", "support", "", "", 95, 1, pbxv1.MissedCall_ABANDONED_QUEUE},
		{"m-7", "+420602123456", "Alena Bílá", "", "support", "", "Reklamace faktury, vyřízeno telefonicky", 9000, 1, pbxv1.MissedCall_RANG_OUT},
		{"m-8", "+420777888999", "", "", "sales", "", "", 12000, 2, pbxv1.MissedCall_RANG_OUT},
	} {
		entry := &pbxv1.MissedCall{
			Kind: pbxv1.MissedCall_OPENED, Id: m.id, CallKeys: []string{"old-" + m.id}, From: party(m.from), To: party("+420222111000"), Queue: m.queue,
			MissedAt: d.ago(m.ago), OpenedAt: d.ago(m.ago + 900*(m.attempts-1)), Wait: durationpb.New(time.Duration(20+m.ago%90) * time.Second),
			Attempts: int32(m.attempts), AttemptsToday: int32(m.attempts), Note: m.note, Reason: m.reason, Vendor: "ipex", Exchange: "prague",
		}
		if m.from == "anonymous" {
			entry.From = &pbxv1.Party{Number: "anonymous"}
		}
		if m.name != "" {
			entry.Contact = &pbxv1.ContactMatch{Name: m.name, Organisation: m.organisation, Url: "https://crm.example.com/contacts/" + m.id, ResponsibleExtension: "102"}
		}
		if m.claimed != "" {
			entry.ClaimedBy, entry.ClaimedUntil = &pbxv1.User{Login: m.claimed}, timestamppb.New(d.now.Add(20*time.Minute))
		}
		if i >= 6 {
			entry.ResolvedAt, entry.Resolution, entry.ResolvedBy = d.ago(m.ago-600), pbxv1.MissedCall_CALLED_BACK, &pbxv1.User{Login: "eva"}
		}
		d.missed = append(d.missed, entry)
	}
}

func figures(offered, missed, abandoned int32) *pbxv1.CallFigures {
	return &pbxv1.CallFigures{
		Offered: offered, Answered: offered - missed - abandoned, Missed: missed, Abandoned: abandoned,
		Wait: &pbxv1.DurationFigures{Count: offered, Total: durationpb.New(time.Duration(offered) * 17 * time.Second)},
	}
}

func (d *day) addStatistics() {
	const elapsed = 13 // hours, in a time zone where that is so
	offset := (d.now.UTC().Hour()-elapsed+36)%24 - 12
	begins := d.now.Truncate(time.Hour).Add(-elapsed * time.Hour)
	s := &pbxv1.DayStatistics{
		Tenant: "acme", Day: d.now.Format(time.DateOnly), Timezone: fmt.Sprintf("Etc/GMT%+d", offset), BeginsAt: timestamppb.New(begins),
		EndsAt: timestamppb.New(begins.Add(24 * time.Hour)), CountedUntil: timestamppb.New(d.now),
		Queues: []*pbxv1.QueueDay{
			{Queue: "", Calls: figures(12, 2, 0), ServiceLevel: durationpb.New(20 * time.Second), AnsweredWithin: 9},
			{Queue: "sales", Calls: figures(64, 5, 4), ServiceLevel: durationpb.New(20 * time.Second), AnsweredWithin: 51},
			{Queue: "support", Calls: figures(185, 9, 11), ServiceLevel: durationpb.New(30 * time.Second), AnsweredWithin: 148},
		},
	}
	for hour := range 24 {
		f := &pbxv1.CallFigures{}
		if hour >= 7 && hour <= elapsed {
			n := int32(18 + (hour*37)%29)
			f = figures(n, n/12, n/14)
		}
		s.Hours = append(s.Hours, f)
	}
	for i, a := range d.agents[:10] {
		at := func(state pbxv1.AgentState, minutes int) *pbxv1.StateTime {
			return &pbxv1.StateTime{State: state, Time: durationpb.New(time.Duration(minutes) * time.Minute), Times: 3}
		}
		s.Agents = append(s.Agents, &pbxv1.AgentDay{Id: a.Id, Name: a.Name, User: a.User, Extensions: a.Extensions, States: []*pbxv1.StateTime{
			at(pbxv1.AgentState_AVAILABLE, 90+17*i%60), at(pbxv1.AgentState_ON_CALL, 120+31*i%90), at(pbxv1.AgentState_WRAP_UP, 20+i),
			at(pbxv1.AgentState_PAUSED, 10+13*i%40), at(pbxv1.AgentState_RINGING, 6), at(pbxv1.AgentState_LOGGED_OUT, 500),
		}})
	}
	d.statistics = s
}

func (d *day) event(seq int, subject string, ev *pbxv1.Event) string {
	ev.Id, ev.Tenant = fmt.Sprintf("0190a0b0-0000-7000-8000-%012d", seq), "acme"
	if ev.ReceivedAt == nil {
		ev.ReceivedAt, ev.Time = d.ago(200-seq), d.ago(200-seq)
	}
	return fmt.Sprintf("id: %d\ndata: {\"seq\":%d,\"subject\":%q,\"event\":%s}\n\n", seq, seq, "pbx.events."+subject, marshal(ev))
}

func (d *day) addEvents() {
	seq := 40
	for i, from := range []string{"+420602123456", "+421903222333", "+79161234567", "+420775987001"} {
		vendor, exchange := "ipex", "prague"
		if i%2 == 1 {
			vendor, exchange = "mcn", "brno"
		}
		key := fmt.Sprintf("key-%d", i)
		call := func(kind pbxv1.Call_Kind, extension string) *pbxv1.Call {
			return &pbxv1.Call{Kind: kind, Id: key, Key: key, Direction: pbxv1.Call_INCOMING, From: party(from), To: party("+420222111000"), Extension: extension, Queue: "support"}
		}
		for _, one := range []struct {
			subject, name string
			ev            *pbxv1.Event
		}{
			{"call.new", "NewCall", &pbxv1.Event{Payload: &pbxv1.Event_Call{Call: call(pbxv1.Call_NEW, "")}}},
			{"contact.resolved", "", &pbxv1.Event{Payload: &pbxv1.Event_Contact{Contact: &pbxv1.Contact{
				Kind: pbxv1.Contact_RESOLVED, CallKey: key, Party: party(from),
				Match: &pbxv1.ContactMatch{Name: "Alena Malá", Organisation: "Pekárna U Mostu", Directory: "crm"},
			}}}},
			{"call.ringing", "Ringing", &pbxv1.Event{Payload: &pbxv1.Event_Call{Call: call(pbxv1.Call_RINGING, "103")}}},
			{"agent.state_changed", "", &pbxv1.Event{Payload: &pbxv1.Event_Agent{Agent: &pbxv1.Agent{
				Kind: pbxv1.Agent_STATE_CHANGED, User: &pbxv1.User{Login: "petr"},
				State: pbxv1.AgentState_RINGING, PreviousState: pbxv1.AgentState_AVAILABLE, CallKey: key,
			}}}},
			{"missed_call.opened", "", &pbxv1.Event{Payload: &pbxv1.Event_MissedCall{MissedCall: d.missed[i]}}},
			{"command.succeeded", "", &pbxv1.Event{Payload: &pbxv1.Event_Command{Command: &pbxv1.Command{
				Kind: pbxv1.Command_SUCCEEDED, Id: key, IdempotencyKey: key,
				Action: "originate", Extension: "102", To: party(from), Outcome: pbxv1.Command_DONE,
			}}}},
		} {
			seq++
			one.ev.Vendor, one.ev.Exchange, one.ev.VendorEvent = vendor, exchange, one.name
			d.events = append(d.events, d.event(seq, vendor+".acme."+one.subject, one.ev))
		}
	}
	for i, why := range []string{
		"classic event: unknown event type onFaxReceived", "read the body: want a JSON object, have an array",
		"contact-lookup: the number +420000 has too few digits",
	} {
		q := &pbxv1.Quarantined{
			Id: fmt.Sprintf("q-%d", i), Tenant: "acme", Vendor: "mcn", Exchange: "brno", Service: "ingress", Error: why, ReceivedAt: d.ago(300 * (i + 1)),
			Content: &pbxv1.Quarantined_Request{Request: &pbxv1.WebhookRequest{
				Method: "POST", Path: "/mcn/acme", RemoteAddress: "192.0.2.7",
				Headers: []*pbxv1.Header{{Name: "Content-Type", Value: "application/json"}},
			}},
		}
		at, _ := d.ago(300 * (i + 1)).AsTime().MarshalText()
		d.quarantined = append(d.quarantined, fmt.Sprintf(`{"seq":%d,"at":%q,"quarantined":%s}`, 7+i, at, marshal(q)))
	}
}
