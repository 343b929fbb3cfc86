package alerts_test

import "testing"

func TestEscalation(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ routes, hours, script, want string }{
		"by day": {ladder, office, `
			2026-07-01 09:00:00 open a queue=support responsible=dana@acme.example
			11:00:00 resolve a`, `
			01 09:00:10 mail 0s a
			01 09:05:00 responsible dana@acme.example 5m0s a
			01 09:15:00 queue support 15m0s a
			01 09:15:00 sms 15m0s a
			01 10:00:00 supervisor 1h0m0s a
			01 11:00:00 mail resolved a!
			01 11:00:00 queue support resolved a!
			01 11:00:00 responsible dana@acme.example resolved a!
			01 11:00:00 sms resolved a!
			01 11:00:00 supervisor resolved a!`},
		"over the night": {ladder, office, `
			2026-07-01 16:58:00 open a responsible=dana@acme.example
			2026-07-02 08:10:00 wait`, `
			01 16:58:10 mail 0s a
			02 08:03:00 responsible dana@acme.example 5m0s a`},
		"over the weekend": {ladder, office, `
			2026-07-03 18:00:00 open a responsible=dana@acme.example
			2026-07-06 08:10:00 wait`, `
			06 08:00:00 mail 0s a digest
			06 08:05:00 responsible dana@acme.example 5m0s a`},
		"over Christmas": {ladder, office, `
			2026-12-23 16:58:00 open a responsible=dana@acme.example
			2026-12-28 08:10:00 wait`, `
			23 16:58:10 mail 0s a
			28 08:03:00 responsible dana@acme.example 5m0s a`},
		"just at closing": {ladder, office, `
			2026-07-01 16:55:00 open a responsible=dana@acme.example
			2026-07-02 08:01:00 wait`, `
			01 16:55:10 mail 0s a
			02 08:00:00 responsible dana@acme.example 5m0s a digest`},
		"the short night": {`{escalation: [{after: 2h, to: [sms]}]}`, `{week: ["sat 22:00-06:00"]}`, `
			2026-03-29 01:00:00 open a
			06:00:00 wait`, `
			29 04:00:00 sms 2h0m0s a`},
		"the long night": {`{escalation: [{after: 4h, to: [sms]}]}`, `{week: ["sat 22:00-06:00"]}`, `
			2026-10-25 01:00:00 open a
			06:00:00 wait`, `
			25 04:00:00 sms 4h0m0s a`},
		"claimed stops the clock": {ladder, office, `
			2026-07-01 09:00:00 open a responsible=dana@acme.example
			09:03:00 claim a for=1h
			10:30:00 wait`, `
			01 09:00:10 mail 0s a
			01 10:05:00 responsible dana@acme.example 5m0s a
			01 10:15:00 sms 15m0s a
			01 10:15:00 supervisor 15m0s a`},
		"claimed again": {ladder, office, `
			2026-07-01 09:00:00 open a responsible=dana@acme.example
			09:03:00 claim a for=1h
			09:30:00 claim a for=1h
			10:31:00 claim a for=10m
			10:45:00 wait`, `
			01 09:00:10 mail 0s a
			01 10:42:00 responsible dana@acme.example 5m0s a`},
		"released": {ladder, office, `
			2026-07-01 09:00:00 open a responsible=dana@acme.example
			09:03:00 claim a
			12:00:00 release a
			12:10:00 wait`, `
			01 09:00:10 mail 0s a
			01 12:02:00 responsible dana@acme.example 5m0s a`},
		"claimed for good, resolved": {ladder, office, `
			2026-07-01 09:00:00 open a
			09:03:00 claim a
			2026-07-02 12:00:00 resolve a`, `
			01 09:00:10 mail 0s a
			02 12:00:00 mail resolved a!`},
		"claimed over the opening": {plain, office, `
			2026-07-01 20:00:00 open a
			2026-07-02 07:50:00 claim a for=30m
			09:00:00 wait`, `
			02 08:20:00 mail 0s a`},
		"a claim that expires at night": {plain, office, `
			2026-07-01 16:00:00 open a
			16:00:05 claim a for=5h
			2026-07-02 09:00:00 wait`, `
			02 08:00:00 mail 0s a digest`},
		"calling again during a claim": {ladder, office, `
			2026-07-01 09:00:00 open a responsible=dana@acme.example
			09:03:00 claim a for=1h
			09:30:00 open a
			10:10:00 wait`, `
			01 09:00:10 mail 0s a
			01 10:05:00 responsible dana@acme.example 5m0s a`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			check(t, test.routes, test.hours, test.script, test.want)
		})
	}
}

func TestRepeat(t *testing.T) {
	t.Parallel()
	const hourly = `{receivers: [mail], repeat: 1h, escalation: [{after: 90m, to: [sms, mail]}]}`
	for name, test := range map[string]struct{ routes, hours, script, want string }{
		"after what was told last": {hourly, office, `
			2026-07-01 09:00:00 open a
			12:00:00 resolve a
			16:00:00 wait`, `
			01 09:00:10 mail 0s a
			01 10:00:10 mail repeat-1 a
			01 10:30:00 mail 1h30m0s a
			01 10:30:00 sms 1h30m0s a
			01 11:30:00 mail repeat-2 a
			01 12:00:00 mail resolved a!
			01 12:00:00 sms resolved a!`},
		"held over the night": {`{receivers: [mail], repeat: 1h}`, office, `
			2026-07-01 16:30:00 open a
			20:00:00 open b
			2026-07-02 09:30:00 wait`, `
			01 16:30:10 mail 0s a
			02 08:00:00 mail repeat-1 a,b digest
			02 09:00:00 mail repeat-2 a
			02 09:00:00 mail repeat-1 b`},
		"not while it is claimed": {`{receivers: [mail], repeat: 1h}`, office, `
			2026-07-01 09:00:00 open a
			09:30:00 claim a for=2h
			12:00:00 wait`, `
			01 09:00:10 mail 0s a
			01 11:30:00 mail repeat-1 a`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			check(t, test.routes, test.hours, test.script, test.want)
		})
	}
}

func TestSilences(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ routes, hours, script, want string }{
		"comes when it ends": {ladder, office, `
			2026-07-01 08:55:00 silence x queue=support for=30m
			09:00:00 open a queue=support
			09:01:00 open b queue=sales
			09:01:30 resolve b
			09:40:00 wait`, `
			01 09:01:10 mail 0s b
			01 09:01:30 mail resolved b!
			01 09:25:00 mail 0s a
			01 09:25:00 queue support 15m0s a
			01 09:25:00 sms 15m0s a`},
		"resolved meanwhile": {plain, office, `
			2026-07-01 08:55:00 silence x queue=support for=30m
			09:00:00 open a queue=support
			09:01:30 resolve a
			09:40:00 wait`, ``},
		"told before, and resolved meanwhile": {plain, office, `
			2026-07-01 09:00:00 open a queue=support
			09:01:00 silence x queue=support for=30m
			09:01:30 resolve a
			09:40:00 wait`, `
			01 09:00:10 mail 0s a
			01 09:01:30 mail resolved a!`},
		"ended early": {plain, office, `
			2026-07-01 08:55:00 silence x queue=support for=30m
			09:00:00 open a queue=support
			09:10:00 silence x queue=support for=0s
			09:40:00 wait`, `
			01 09:10:00 mail 0s a`},
		"ends at night": {plain, office, `
			2026-07-01 08:55:00 silence x queue=support for=12h
			09:00:00 open a queue=support
			2026-07-02 09:40:00 wait`, `
			02 08:00:00 mail 0s a digest`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			check(t, test.routes, test.hours, test.script, test.want)
		})
	}
}

func TestDelivery(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ routes, hours, script, want string }{
		"a channel that is down holds up no other": {`{receivers: [mail, slack]}`, office, `
			2026-07-01 09:00:00 down slack
			09:00:00 open a
			09:00:30 open b
			09:05:00 up slack
			09:20:00 wait`, `
			01 09:00:10 mail 0s a
			01 09:00:40 mail 0s b
			01 09:05:20 slack 0s a
			01 09:05:20 slack 0s b`},
		"resolved before it came": {`{receivers: [mail, slack]}`, office, `
			2026-07-01 09:00:00 down slack
			09:00:00 open a
			09:05:00 resolve a
			09:06:00 up slack
			10:20:00 wait`, `
			01 09:00:10 mail 0s a
			01 09:05:00 mail resolved a!`},
		"a digest that does not get through": {plain, office, `
			2026-07-01 20:00:00 open a
			22:00:00 open b
			2026-07-02 07:00:00 down mail
			09:00:00 up mail
			10:00:00 wait`, `
			02 09:06:10 mail 0s a,b digest`},
		"open and resolved are told apart": {`{receivers: [mail], group_by: queue}`, office, `
			2026-07-01 09:00:00 open a
			10:00:00 down mail
			10:00:00 open b
			10:00:20 resolve a
			10:00:35 up mail
			10:20:00 wait`, `
			01 09:00:10 mail 0s a
			01 10:00:40 mail resolved a!
			01 10:00:40 mail 0s b`},
		"not given up while it was claimed": {`{receivers: [mail, slack]}`, "", `
			2026-07-01 09:00:00 down slack
			09:00:00 open a
			09:00:10 claim a for=30h
			2026-07-02 15:05:00 up slack
			15:30:00 wait`, `
			01 09:00:10 mail 0s a
			02 15:05:10 slack 0s a`},
		"given up": {`{receivers: [mail, slack]}`, office, `
			2026-07-01 09:00:00 down slack
			09:00:00 open a
			2026-07-02 12:00:00 resolve a
			13:00:00 wait`, `
			01 09:00:10 mail 0s a
			DEAD 02 09:06:20 slack 0s a
			02 12:00:00 mail resolved a!`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			check(t, test.routes, test.hours, test.script, test.want)
		})
	}
}
