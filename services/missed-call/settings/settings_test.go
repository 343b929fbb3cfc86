package settings_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/switchhook/switchhook/pkg/config"
	"github.com/switchhook/switchhook/pkg/notify"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
	"github.com/switchhook/switchhook/services/missed-call/alerts"
	"github.com/switchhook/switchhook/services/missed-call/settings"
)

// tenant begins a configuration; what is particular about missed calls follows.
const tenant = `tenants:
  - name: acme
    region: CZ
    timezone: Europe/Prague
    exchanges: [{vendor: ipex}]
`

const channels = `    channels:
      - {type: email, name: mail, host: mail.example.com, from: pbx@example.com, to: [sales@example.com]}
      - {type: slack, name: noc, url: https://hooks.example.com/1}
`

func read(t *testing.T, text string) settings.Tenant {
	t.Helper()
	c, err := config.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if err := settings.Check(c); err != nil {
		t.Fatal(err)
	}
	all, err := settings.Read(c)
	if err != nil || len(all) != 1 {
		t.Fatalf("want one tenant, have %d, %v", len(all), err)
	}
	return all[0]
}

func TestDefaults(t *testing.T) {
	for name, text := range map[string]string{"nothing": tenant, "nothing said": tenant + "    missed_calls: {}\n"} {
		s := read(t, text)
		if s.Name != "acme" || s.Missed.Tenant != "acme" || s.Missed.Location.String() != "Europe/Prague" {
			t.Errorf("%s: want acme in Europe/Prague, have %q, %q in %v", name, s.Name, s.Missed.Tenant, s.Missed.Location)
		}
		if s.Language != "en" || s.Link != "" || s.Templates == nil {
			t.Errorf("%s: want messages in en without a link, have %q, %q, %v", name, s.Language, s.Link, s.Templates)
		}
		if s.Missed.ClaimExpiry != 15*time.Minute || s.Missed.Expiry != 168*time.Hour || s.Missed.Settle != nil || s.Missed.IgnoreBelow != 0 {
			t.Errorf("%s: want the defaults, have %+v", name, s.Missed)
		}
		if s.Hours != nil || !s.Missed.Open("acme", "NOC", time.Date(2026, 12, 24, 3, 0, 0, 0, time.UTC)) {
			t.Errorf("%s: want it always open", name)
		}
		if s.Alerts.GiveUp != 24*time.Hour || len(s.Alerts.Routes) > 0 {
			t.Errorf("%s: want nobody alerted without channels, have %+v", name, s.Alerts)
		}
	}
}

func TestEverything(t *testing.T) {
	s := read(t, tenant+channels+`    missed_calls:
      settle: {ipex: 0s, mcn: 10m}
      ignore_below: 3s
      ignore_unended: true
      claim_expiry: 24h
      expiry: 720h
      language: cs
      link: https://phone.example.com/{tenant}/#missed/{id}
      hours:
        week: ["mon-fri 08:00-17:00"]
        queues: [{name: NOC, week: ["mon-sun 00:00-24:00"]}]
      roles: {responsible: mail, queue: mail, queues: {NOC: noc}, supervisor: mail}
      alerts:
        give_up: 1h
        routes: [{match: {queues: [NOC]}, receivers: [queue]}, {receivers: [responsible]}]
`)
	if m := s.Missed; m.Settle["ipex"] != 0 || m.Settle["mcn"] != 10*time.Minute || m.IgnoreBelow != 3*time.Second || !m.IgnoreUnended ||
		m.ClaimExpiry != 24*time.Hour || m.Expiry != 720*time.Hour {
		t.Errorf("want what is given, have %+v", m)
	}
	if s.Language != "cs" || s.Link != "https://phone.example.com/{tenant}/#missed/{id}" {
		t.Errorf("want the language and link given, have %q and %q", s.Language, s.Link)
	}
	want := settings.Roles{Responsible: "mail", Queue: "mail", Supervisor: "mail"}
	if r := s.Roles; r.Responsible != want.Responsible || r.Queue != want.Queue || r.Queues["NOC"] != "noc" || r.Supervisor != want.Supervisor {
		t.Errorf("want %+v and the queue's, have %+v", want, r)
	}
	if len(s.Alerts.Routes) != 2 || s.Alerts.GiveUp != time.Hour {
		t.Errorf("want two routes and 1h, have %+v", s.Alerts)
	}
	opening := time.Date(2026, 7, 1, 8, 0, 0, 0, s.Location) // A Wednesday.
	for at, open := range map[time.Time]bool{opening: true, opening.Add(-time.Minute): false} {
		if s.Missed.Open("acme", "", at) != open || s.Hours.Of("Sales").Open(at) != open || !s.Missed.Open("acme", "NOC", at) {
			t.Errorf("%v: want open %v, and NOC always", at, open)
		}
	}
}

func TestEveryChannelIsToldWithoutRoutes(t *testing.T) {
	for name, test := range map[string]struct {
		text string
		want []string
	}{
		"nothing given": {"", []string{"mail", "noc"}},
		"other alerts":  {"    missed_calls: {alerts: {give_up: 1h}}\n", []string{"mail", "noc"}},
		"no routes":     {"    missed_calls: {alerts: {routes: []}}\n", nil},
	} {
		var have []string
		for _, route := range read(t, tenant+channels+test.text).Alerts.Routes {
			have = append(have, route.Receivers...)
		}
		if !slices.Equal(have, test.want) {
			t.Errorf("%s: want %q told, have %q", name, test.want, have)
		}
	}
}

func TestTemplatesOfTheTenant(t *testing.T) {
	folder := t.TempDir()
	write(t, folder, "templates/subject.txt", "Ring {{.Who}}")
	write(t, folder, "switchhook.yaml", tenant+"    missed_calls: {templates: ./templates}\n"+
		strings.ReplaceAll(strings.TrimPrefix(tenant, "tenants:\n"), "acme", "globex"))
	all, err := config.Load(filepath.Join(folder, "switchhook.yaml"), settings.Read)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range all {
		entry := &pbxv1.MissedCall{Id: "1", From: &pbxv1.Party{E164: "+420777888999"}}
		have, err := s.Templates.Render("en", notify.Opened, notify.Data{Region: "CZ", Entries: []*pbxv1.MissedCall{entry}})
		if err != nil || (have.Subject == "Ring 777 888 999") != (s.Name == "acme") {
			t.Errorf("want the own template for acme alone, have %q for %s, %v", have.Subject, s.Name, err)
		}
	}
	write(t, folder, "templates/subject.txt", "Ring {{.Whom}}")
	_, err = config.Load(filepath.Join(folder, "switchhook.yaml"), settings.Read)
	if want := "switchhook.yaml:6: tenants[0].missed_calls.templates: "; err == nil || !strings.Contains(err.Error(), want) ||
		!strings.Contains(err.Error(), "subject.txt:1") || strings.Contains(err.Error(), "templates: templates:") {
		t.Errorf("want the place in the template after %q, have %v", want, err)
	}
}

func write(t *testing.T, folder, name, text string) {
	t.Helper()
	path := filepath.Join(folder, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// FuzzEveryReceiverHasAChannel: whatever is configured without a problem, every telling that is planned goes to a channel that
// exists, and every message can be written.
func FuzzEveryReceiverHasAChannel(f *testing.F) {
	f.Add("missed_calls: {}")
	f.Add("missed_calls: {roles: {queue: mail, supervisor: noc}, alerts: {routes: [{receivers: [queue]}]}}")
	f.Add("missed_calls: {roles: {queue: mail, queues: {NOC: noc}}, alerts: {routes: [{escalation: [{after: 1m, to: [queue]}]}]}}")
	f.Add("missed_calls: {roles: {responsible: mail}, alerts: {routes: [{receivers: [responsible]}]}}")
	f.Add("missed_calls: {roles: {responsible: mail, queue: noc, supervisor: noc}, alerts: {routes: [{receivers: [noc, responsible]}]}}")
	f.Add("missed_calls: {language: sk, link: 'https://phone.example.com/{tenant}#{id}'}")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := config.Parse([]byte(tenant + channels + "    " + text + "\n"))
		if err != nil || slices.ContainsFunc(c.Tenants, func(t *config.Tenant) bool { return len(t.Channels) != 2 }) {
			return
		}
		all, err := settings.Read(c)
		if err != nil {
			return
		}
		for _, s := range all {
			for _, name := range receivers(s.Alerts.Routes) {
				for _, channel := range channelsOf(s.Roles, name) {
					if channel != "mail" && channel != "noc" {
						t.Errorf("want a channel for %s, have %q", name, channel)
					}
				}
			}
			message, err := s.Templates.Render(s.Language, notify.Opened, notify.Data{
				Tenant: s.Name, Region: s.Region, Link: s.Link, Entries: []*pbxv1.MissedCall{{Id: "entry-1"}},
			})
			if err != nil || s.Link != "" && !strings.Contains(message.Text, "http") {
				t.Errorf("want a message with the link %q, have %q, %v", s.Link, message.Text, err)
			}
		}
	})
}

func receivers(routes []alerts.Route) []string {
	var all []string
	for _, route := range routes {
		all = append(all, route.Receivers...)
		for _, step := range route.Escalation {
			all = append(all, step.To...)
		}
	}
	return all
}

// channelsOf returns what a receiver may come to, as alerts plans it.
func channelsOf(r settings.Roles, name string) []string {
	all := []string{r.Supervisor}
	switch name {
	case alerts.Supervisor:
		return all
	case alerts.Responsible:
		all = append(all, r.Responsible)
	case alerts.Queue:
	default:
		return []string{name}
	}
	all = append(all, r.Queue)
	for _, channel := range r.Queues {
		all = append(all, channel)
	}
	return all
}
