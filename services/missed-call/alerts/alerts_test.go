package alerts_test

import (
	"strings"
	"testing"

	"github.com/switchhook/switchhook/services/missed-call/alerts"
)

const (
	plain  = `{receivers: [mail]}`
	ladder = `{receivers: [mail], escalation: [{after: 5m, to: [responsible]}, {after: 15m, to: [queue, sms]}, {after: 1h, to: [supervisor]}]}`
)

// Each rule, by a script and what was told by it. The 1st of July 2026 is a Wednesday.
func TestRules(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ routes, hours, script, want string }{
		"an entry by itself, after the wait": {plain, office, `
			2026-07-01 09:00:00 open a
			09:00:05 open b
			12:00:00 wait`, `
			01 09:00:10 mail 0s a
			01 09:00:15 mail 0s b`},
		"resolved while it waited": {plain, office, `
			2026-07-01 09:00:00 open a
			09:00:05 resolve a
			12:00:00 wait`, ``},
		"calling again tells nobody again": {plain, office, `
			2026-07-01 09:00:00 open a
			09:10:00 open a
			12:00:00 wait`, `01 09:00:10 mail 0s a`},
		"no wait": {`{receivers: [mail], group_wait: 0s}`, office, `
			2026-07-01 09:00:00 open a`, `01 09:00:00 mail 0s a`},
		"all channels, and roles": {`{receivers: [mail, slack, queue, responsible]}`, office, `
			2026-07-01 09:00:00 open a queue=support responsible=dana@acme.example
			10:00:00 wait`, `
			01 09:00:10 mail 0s a
			01 09:00:10 queue support 0s a
			01 09:00:10 responsible dana@acme.example 0s a
			01 09:00:10 slack 0s a`},
		"roles that nobody has": {`{receivers: [responsible, queue]}`, office, `
			2026-07-01 09:00:00 open a queue=support
			09:01:00 open b responsible=dana@acme.example
			09:02:00 open c
			10:00:00 wait`, `
			01 09:00:10 queue support 0s a
			01 09:01:10 responsible dana@acme.example 0s b
			01 09:01:10 supervisor 0s b
			01 09:02:10 supervisor 0s c`},
		"groups by queue": {`{receivers: [mail], group_by: queue, group_wait: 30s}`, office, `
			2026-07-01 09:00:00 open a queue=support
			09:00:10 open b queue=sales
			09:00:20 open c queue=support
			09:00:31 open d queue=support
			10:00:00 resolve a
			10:00:00 resolve c`, `
			01 09:00:30 mail 0s a,c
			01 09:00:40 mail 0s b
			01 09:01:01 mail 0s d
			01 10:00:00 mail resolved a!
			01 10:00:00 mail resolved c!`},
		"groups by tenant": {`{receivers: [mail], group_by: tenant, group_wait: 30s}`, office, `
			2026-07-01 09:00:00 open a queue=support
			09:00:10 open b queue=sales
			10:00:00 wait`, `
			01 09:00:30 mail 0s a,b`},
		"first route that matches": {`{match: {queues: [sales]}, receivers: [slack]}, {receivers: [mail]}`, office, `
			2026-07-01 09:00:00 open a queue=sales
			09:01:00 open b queue=support
			10:00:00 wait`, `
			01 09:00:10 slack 0s a
			01 09:01:10 mail 0s b`},
		"and on": {`{match: {queues: [sales]}, receivers: [slack, sms], continue: true}, {receivers: [mail, sms], group_by: tenant}`, office, `
			2026-07-01 09:00:00 open a queue=sales
			10:00:00 wait`, `
			01 09:00:10 mail 0s a
			01 09:00:10 slack 0s a
			01 09:00:10 sms 0s a`},
		"another attempt, another route": {`{match: {queues: [sales]}, receivers: [slack, mail]}, {receivers: [mail]}`, office, `
			2026-07-01 09:00:00 open a
			09:10:00 open a queue=sales
			10:00:00 resolve a`, `
			01 09:00:10 mail 0s a
			01 09:10:10 slack 0s a
			01 10:00:00 mail resolved a!
			01 10:00:00 slack resolved a!`},
		"no route": {`{match: {queues: [sales]}, receivers: [slack]}`, office, `
			2026-07-01 09:00:00 open a
			10:00:00 resolve a`, ``},
		"resolved tells who was told": {ladder, office, `
			2026-07-01 09:00:00 open a responsible=dana@acme.example
			09:06:00 resolve a
			12:00:00 wait`, `
			01 09:00:10 mail 0s a
			01 09:05:00 responsible dana@acme.example 5m0s a
			01 09:06:00 mail resolved a!
			01 09:06:00 responsible dana@acme.example resolved a!`},
		"withdrawn, too": {plain, office, `
			2026-07-01 09:00:00 open a
			09:06:00 withdraw a
			12:00:00 open a
			13:00:00 wait`, `
			01 09:00:10 mail 0s a
			01 09:06:00 mail resolved a!`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			check(t, test.routes, test.hours, test.script, test.want)
		})
	}
}

func check(t *testing.T, routes, business, script, want string) {
	t.Helper()
	w := newWorld(t, routes, business)
	w.play(script)
	var lines []string
	for line := range strings.Lines(want) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	if have := strings.Join(w.told, "\n"); have != strings.Join(lines, "\n") {
		t.Errorf("want\n%s\nhave\n%s", strings.Join(lines, "\n"), have)
	}
}

func TestHours(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ routes, hours, script, want string }{
		"one digest at opening": {`{receivers: [mail, slack]}`, office, `
			2026-07-01 20:00:00 open z
			22:00:00 open b queue=sales
			2026-07-02 09:00:00 wait`, `
			02 08:00:00 mail 0s z,b digest
			02 08:00:00 slack 0s z,b digest`},
		"resolved before opening": {plain, office, `
			2026-07-01 20:00:00 open a
			22:00:00 open b
			23:00:00 resolve a
			2026-07-02 09:00:00 resolve b`, `
			02 08:00:00 mail 0s b digest
			02 09:00:00 mail resolved b!`},
		"all resolved, no digest": {plain, office, `
			2026-07-01 20:00:00 open a
			23:00:00 resolve a
			2026-07-02 09:00:00 wait`, ``},
		"resolved at night is in the digest": {plain, office, `
			2026-07-01 16:00:00 open a
			20:00:00 open b
			23:00:00 resolve a
			2026-07-02 09:00:00 wait`, `
			01 16:00:10 mail 0s a
			02 08:00:00 mail resolved a!,b digest`},
		"nothing opens it again": {plain, office, `
			2026-07-01 16:00:00 open a
			20:00:00 resolve a
			21:00:00 open a
			2026-07-02 09:00:00 wait`, `
			01 16:00:10 mail 0s a
			02 08:00:00 mail resolved a! digest`},
		"urgent by another route": {`{receivers: [sms], continue: true}, {receivers: [sms], outside_hours: send}`, office, `
			2026-07-01 20:00:00 open a
			21:00:00 resolve a
			2026-07-02 09:00:00 wait`, `
			01 20:00:10 sms 0s a
			01 21:00:00 sms resolved a!`},
		"again, where it is open": {plain, `{week: ["mon-fri 08:00-17:00"], queues: [{name: late, week: ["mon-fri 10:00-22:00"]}]}`, `
			2026-07-01 20:00:00 open a
			20:10:00 open a queue=late
			20:20:00 open a queue=late
			2026-07-02 12:00:00 wait`, `
			01 20:10:10 mail 0s a`},
		"missed just before closing": {`{receivers: [mail], group_wait: 1m}`, office, `
			2026-07-01 16:59:50 open a
			17:00:00 open b
			2026-07-02 09:00:00 wait`, `
			01 17:00:50 mail 0s a
			02 08:00:00 mail 0s b digest`},
		"missed just before opening": {plain, office, `
			2026-07-01 07:59:55 open a
			09:00:00 wait`, `
			01 08:00:05 mail 0s a`},
		"urgent": {`{receivers: [sms], outside_hours: send, escalation: [{after: 5m, to: [supervisor]}], continue: true}, {receivers: [mail]}`, office, `
			2026-07-01 20:00:00 open a
			20:10:00 resolve a
			2026-07-02 09:00:00 wait`, `
			01 20:00:10 sms 0s a
			01 20:05:00 supervisor 5m0s a
			01 20:10:00 sms resolved a!
			01 20:10:00 supervisor resolved a!`},
		"over the weekend and a holiday": {plain, office, `
			2026-12-23 18:00:00 open a
			2026-12-25 12:00:00 open b
			2026-12-28 09:00:00 wait`, `
			28 08:00:00 mail 0s a,b digest`},
		"queues with hours of their own": {plain, `{week: ["mon-fri 08:00-17:00"], queues: [{name: late, week: ["mon-fri 10:00-22:00"]}]}`, `
			2026-07-01 20:00:00 open a queue=late
			20:00:00 open b
			23:00:00 open c queue=late
			2026-07-02 12:00:00 wait`, `
			01 20:00:10 mail 0s a
			02 08:00:00 mail 0s b digest
			02 10:00:00 mail 0s c digest`},
		"hours that never open": {plain, `{holidays: [01-01..12-31]}`, `
			2026-07-01 20:00:00 open a
			20:00:20 wait`, `
			01 20:00:10 mail 0s a digest`},
		"digest in the short night": {plain, `{week: ["mon-sun 02:30-05:00"]}`, `
			2026-03-29 01:00:00 open a
			06:00:00 wait`, `
			29 03:00:00 mail 0s a digest`},
		"digest in the long night": {plain, `{week: ["mon-sun 02:30-05:00"]}`, `
			2026-10-25 01:00:00 open a
			06:00:00 wait`, `
			25 02:30:00 mail 0s a digest`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			check(t, test.routes, test.hours, test.script, test.want)
		})
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	s := alerts.Settings{Routes: []alerts.Route{
		{},
		{
			Receivers: []string{"mail", "fax"}, Repeat: 1, Match: alerts.Match{Dialled: []string{""}, From: []string{""}},
			Escalation: []alerts.Step{{After: 2, To: []string{"queue"}}, {After: 2, To: []string{"pager"}}},
		},
	}}
	var have []string
	s.Check([]string{"mail"}, func(ok bool, path, _ string) {
		if !ok {
			have = append(have, path)
		}
	})
	want := "give_up routes[0].receivers routes[1].receivers[1] routes[1].match.dialled[0] routes[1].match.from[0] " +
		"routes[1].repeat routes[1].escalation[1].after routes[1].escalation[1].to[0]"
	if strings.Join(have, " ") != want {
		t.Errorf("want %v, have %v", want, have)
	}
}
