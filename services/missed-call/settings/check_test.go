package settings_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/switchhook/switchhook/pkg/config"
	"github.com/switchhook/switchhook/services/missed-call/settings"
)

// problems returns what is wrong with what follows the channels, which begins in line 9, without the part of paths that is
// always the same.
func problems(t *testing.T, text string) []string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "switchhook.yaml")
	if err := os.WriteFile(path, []byte(tenant+channels+text), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := config.Load(path, func(c *config.Config) (any, error) { return nil, settings.Check(c) })
	if err == nil {
		return nil
	}
	text = strings.NewReplacer(path+":", "", "tenants[0].missed_calls.", "", "tenants[0].", "").Replace(err.Error())
	return strings.Split(text, "\n")
}

func TestProblems(t *testing.T) {
	for name, test := range map[string]struct {
		lines []string // of the section
		want  []string
	}{
		"unknown key":    {[]string{"settel: {ipex: 1s}"}, []string{"10: missed_calls: unknown key settel, did you mean settle?"}},
		"unknown vendor": {[]string{"settle:", "  ipex: 20s", "  ipx: 20s"}, []string{`12: settle.ipx: unknown vendor "ipx", want one of ipex, mcn, xvb`}},
		"settle": {
			[]string{"settle:", "  ipex: -1s", "  mcn: 601s"},
			[]string{"11: settle.ipex: want 0s to 10m", "12: settle.mcn: want 0s to 10m"},
		},
		"times, too long": {
			[]string{"ignore_below: 601s", "claim_expiry: 25h", "expiry: 721h"},
			[]string{"10: ignore_below: want 0s to 10m", "11: claim_expiry: want 1m to 24h", "12: expiry: want 1h to 720h"},
		},
		"times, too short": {
			[]string{"ignore_below: -1s", "claim_expiry: 59s", "expiry: 59m"},
			[]string{"10: ignore_below: want 0s to 10m", "11: claim_expiry: want 1m to 24h", "12: expiry: want 1h to 720h"},
		},
		"language":  {[]string{"language: de"}, []string{`10: language: want one of en, cs, sk, ru, have "de"`}},
		"templates": {[]string{"language: cs", "templates: /none"}, []string{"11: templates: open /none: no such file or directory"}},
		"hours": {
			[]string{"hours:", "  week: [mon 08:00-17:00]", "  queues:", "    - name: NOC", "    - name: NOC"},
			[]string{"14: hours.queues[1].name: NOC is already the name of queues[0]"},
		},
		"alerts": {
			[]string{"alerts:", "  give_up: 1s", "  routes:", "    - receivers:", "        - noc", "        - nok"},
			[]string{
				"11: alerts.give_up: want 1m to 720h",
				`15: alerts.routes[0].receivers[1]: want a channel, responsible, queue or supervisor, have "nok"`,
			},
		},
		"vendor of a route": {
			[]string{"alerts:", "  routes:", "    - receivers: [noc]", "    - match: {vendors: [ipex, ipx]}", "      receivers: [noc]"},
			[]string{`13: alerts.routes[1].match.vendors[1]: unknown vendor "ipx", want one of ipex, mcn, xvb`},
		},
		"roles": {
			[]string{"roles:", "  responsible: noc", "  queue: nok", "  queues:", "    Technical support: nobody", "    NOC: noc", "  supervisor: mial"},
			[]string{
				"11: roles.responsible: want a channel of type email, have one of type slack",
				`12: roles.queue: want the name of a channel, have "nok"`,
				`14: roles.queues.Technical support: want the name of a channel, have "nobody"`,
				`16: roles.supervisor: want the name of a channel, have "mial"`,
			},
		},
		"responsible unknown": {[]string{"roles: {responsible: nobody}"}, []string{`10: roles.responsible: want the name of a channel, have "nobody"`}},
		"control character":   {[]string{"roles:", `  queues: {"a\nb": nobody}`}, []string{`11: roles.queues."a\nb": want the name of a channel, have "nobody"`}},
		"roles without a channel": {
			[]string{
				"roles: {responsible: mail}", "alerts:", "  routes:", "    - receivers: [noc]", "      escalation:",
				"        - {after: 5m, to: [responsible]}", "        - {after: 15m, to: [queue]}", "        - {after: 30m, to: [supervisor]}",
			},
			[]string{
				"15: alerts.routes[0].escalation[0].to[0]: responsible wants a channel under roles.queue too: it is told of callers without a responsible",
				"15: alerts.routes[0].escalation[0].to[0]: responsible wants a channel under roles.supervisor too: it is told of calls without a queue",
			},
		},
		"a role of its own": {
			[]string{"roles: {queue: noc}", "alerts: {routes: [{receivers: [supervisor]}]}"},
			[]string{"11: alerts.routes[0].receivers[0]: supervisor wants a channel under roles.supervisor"},
		},
		"only some queues": {
			[]string{"roles: {queues: {NOC: noc}, supervisor: mail}", "alerts: {routes: [{receivers: [queue]}]}"},
			[]string{"11: alerts.routes[0].receivers[0]: queue wants a channel under roles.queue"},
		},
		"all roles": {[]string{
			"roles: {responsible: mail, queue: noc, supervisor: mail}", "alerts: {routes: [{receivers: [responsible, queue, supervisor]}]}",
		}, nil},
	} {
		want := strings.Join(test.want, "\n")
		have := strings.Join(problems(t, "    missed_calls:\n      "+strings.Join(test.lines, "\n      ")+"\n"), "\n")
		if have != want {
			t.Errorf("%s: want\n%s\nhave\n%s", name, want, have)
		}
	}
}

func TestLinks(t *testing.T) {
	const wrong = "9: link: want an address that begins with https:// or http:// and has {id} in it, and nothing else in braces but {tenant}"
	for link, want := range map[string]string{
		"https://phone.example.com/#missed/{id}":      "",
		"http://{tenant}.example.com/missed?id={id}":  "",
		"https://phone.example.com/":                  wrong,
		"ftp://phone.example.com/{id}":                wrong,
		"phone.example.com/{id}":                      wrong,
		"https:///{id}":                               wrong,
		"https://phone.example.com/{id}/{queue}":      wrong,
		"https://phone.example.com/{tenant}?{}":       wrong,
		"https://phone.example.com:port/missed/{id}":  wrong,
		"javascript:alert('{id}')//https://a.example": wrong,
	} {
		if have := strings.Join(problems(t, "    missed_calls: {link: \""+link+"\"}\n"), "\n"); have != want {
			t.Errorf("%s: want %q, have %q", link, want, have)
		}
	}
}

func TestChannels(t *testing.T) {
	have := strings.Join(problems(t, "      - {type: teams, name: queue, url: https://chat.example.com/1}\n      - {type: pigeon}\n"), "\n")
	want := "9: channels[2].name: queue is a role: give the channel another name\n" +
		"10: channels[3].type: unknown type pigeon, want one of email, mattermost, slack, sms, teams, telegram, webhook"
	if have != want {
		t.Errorf("want\n%s\nhave\n%s", want, have)
	}
}
