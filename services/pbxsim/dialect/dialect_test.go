package dialect_test

import (
	"bytes"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/switchhook/switchhook/pkg/config"
	"github.com/switchhook/switchhook/services/pbxsim/dialect"
	"github.com/switchhook/switchhook/services/pbxsim/flow"
)

var update = flag.Bool("update", false, "write the golden files anew")

var morning = time.Date(2026, 1, 5, 8, 0, 0, 0, time.UTC)

const everything = `
tenants:
  - name: acme
    region: CZ
    timezone: Europe/Prague
    exchanges:
      - {vendor: ipex, webhook: {username: webhook, password: hook-password}}
      - vendor: ipex
        name: renamed
        webhook: {username: other, password: other-password}
        fields: {From: Caller, EventName: What}
      - vendor: mcn
        webhook: {account_id: 10123, secret: SecretToken, allow_from: [85.94.49.0/25]}
        api: {url: "https://api.mcntele.com/v2/rest", token: api-token, vpbx_id: 42}
      - {vendor: xvb, webhook: {access_code: "10019"}}
      - {vendor: xvb, name: family, webhook: {crm_token: family-token}}
      - {vendor: xvb, name: hidden, webhook: {crm_token: hidden-token, path_secret: hidden-path}}
`

// exchanges returns the exchanges of a configuration, by vendor and name.
func exchanges(t *testing.T) map[string]*dialect.Exchange {
	t.Helper()
	c, err := config.Parse([]byte(everything))
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]*dialect.Exchange{}
	for _, tenant := range c.Tenants {
		for _, configured := range tenant.Exchanges {
			e, err := dialect.New(configured)
			if err != nil {
				t.Fatal(err)
			}
			all[e.Vendor+"-"+e.Name] = e
		}
	}
	return all
}

// TestGolden compares all that each variant sends with a file that was checked by hand against the vendors' documents.
func TestGolden(t *testing.T) {
	for name, e := range exchanges(t) {
		for i, d := range e.Variants() {
			if i > 0 && (e.Name == "renamed" || e.Name == "hidden") {
				break // one shows what these exchanges are for
			}
			t.Run(name+"-"+d.Variant(), func(t *testing.T) {
				compare(t, filepath.Join("testdata", name+"-"+d.Variant()+".http"), everythingOf(e, d))
			})
		}
	}
}

func compare(t *testing.T, file string, have []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, have, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	wants, haves := strings.Split(string(want), "\n"), strings.Split(string(have), "\n")
	for i := range max(len(wants), len(haves)) {
		if i >= len(wants) || i >= len(haves) || wants[i] != haves[i] {
			t.Fatalf("%s: line %d\nwant %s\nhave %s", file, i+1, at(wants, i), at(haves, i))
		}
	}
}

func at(lines []string, i int) string {
	if i < len(lines) {
		return lines[i]
	}
	return "(end)"
}

// everythingOf writes down one call of each scenario, a withheld and rated one, what agents do, and each kind of broken
// request.
func everythingOf(e *dialect.Exchange, d dialect.Dialect) []byte {
	g := &golden{}
	for _, s := range d.Scenarios() {
		c := call(e, s, 7)
		g.section("%s: %s calls %s, wait %v, ring %v, talk %v", s, c.Caller(), c.Callee(), c.Wait, c.Ring, c.Talk)
		g.write(d.Call(c)...)
	}
	g.section("answered, withheld and rated")
	for number := int64(1); ; number++ {
		if c := call(e, flow.Answered, number); c.Withheld() && c.Rating > 0 {
			g.write(d.Call(c)...)
			break
		}
	}
	if d, ok := d.(dialect.ShiftDialect); ok {
		g.section("agents")
		agent := &flow.Agent{Extension: "163", Login: "janecek", Email: "janecek@acme.example", Queue: "NOC"}
		for _, kind := range []flow.ShiftKind{flow.LoggedIn, flow.Paused, flow.Unpaused, flow.LoggedOut} {
			shift := flow.Shift{At: morning, Kind: kind, Agent: agent}
			if kind == flow.Paused {
				shift.Reason = "Oběd"
			}
			g.write(d.Shift(shift))
		}
	}
	for _, kind := range dialect.Breaks() {
		g.section("broken: %s", kind)
		g.write(d.Broken(kind, morning))
	}
	return g.Bytes()
}

func call(e *dialect.Exchange, s flow.Scenario, number int64) *flow.Call {
	site := flow.Site{Tenant: e.Tenant, Region: e.Region, Scenarios: []flow.Scenario{s}}
	return flow.NewTeam(1, site, 3, 1).Next(number, morning).Call
}

// golden is a file of requests. What stays the same from one request to the next is written once.
type golden struct {
	bytes.Buffer
	head, key string
}

func (g *golden) section(format string, args ...any) {
	fmt.Fprintf(g, "\n=== "+format+"\n", args...)
	g.key = ""
}

func (g *golden) write(messages ...dialect.Message) {
	for _, m := range messages {
		var head strings.Builder
		fmt.Fprintf(&head, "%s %s\n", m.Request.Method, m.Request.Path)
		for _, name := range slices.Sorted(maps.Keys(m.Request.Header)) {
			fmt.Fprintf(&head, "%s: %s\n", name, strings.Join(m.Request.Header[name], ", "))
		}
		if head.String() != g.head {
			g.head = head.String()
			fmt.Fprintf(g, "\n%s", g.head)
		}
		if m.Key != g.key {
			g.key = m.Key
			fmt.Fprintf(g, "key %q\n", g.key)
		}
		fmt.Fprintf(g, "\n%s %s: %d %s", m.At.Format(time.TimeOnly), m.VendorEvent, m.Status, m.Event)
		if m.Named {
			fmt.Fprint(g, ", names itself")
		}
		if m.Retry {
			fmt.Fprint(g, ", tries again")
		}
		body := strings.TrimRight(string(m.Request.Body), " ")
		fmt.Fprintf(g, "\n%s%s\n", m.Request.Query, body)
		if spaces := len(m.Request.Body) - len(body); spaces > 0 {
			fmt.Fprintf(g, "(and %d spaces)\n", spaces)
		}
	}
}

// TestKeys checks that all that an exchange sends about a call agrees on its key, and that no two calls share one.
func TestKeys(t *testing.T) {
	for name, e := range exchanges(t) {
		for _, d := range e.Variants() {
			t.Run(name+"-"+d.Variant(), func(t *testing.T) {
				seen := map[string]int64{}
				for c, messages := range traffic(e, d, 300) {
					for _, m := range messages {
						if m.VendorEvent != "contact" && m.Key != messages[0].Key {
							t.Errorf("call %d: want key %q, have %q", c.Number, messages[0].Key, m.Key)
						}
					}
					key := messages[0].Key
					if other := seen[key]; key != "" && other != 0 {
						t.Errorf("calls %d and %d have the key %q", other, c.Number, key)
					}
					seen[key] = c.Number
				}
			})
		}
	}
}

// traffic returns what a variant sends about the first calls of a team.
func traffic(e *dialect.Exchange, d dialect.Dialect, n int64) map[*flow.Call][]dialect.Message {
	team := flow.NewTeam(1, flow.Site{Tenant: e.Tenant, Region: e.Region, Scenarios: d.Scenarios()}, 3, 1)
	all := map[*flow.Call][]dialect.Message{}
	for number := range n {
		c := team.Next(number+1, morning).Call
		all[c] = d.Call(c)
	}
	return all
}

// TestSameBytes checks that the same call is written in the same way each time, and that two calls of one caller to one
// phone are the same to the byte where the vendor names no calls.
func TestSameBytes(t *testing.T) {
	d := exchanges(t)["mcn-mcn"].Variants()[0]
	team := flow.NewTeam(1, flow.Site{Tenant: "acme", Region: "CZ", Scenarios: []flow.Scenario{flow.RangOut}}, 3, 1)
	same, last := 0, ""
	for number := range int64(300) {
		c := team.Next(number+1, morning).Call
		sent := bodies(d.Call(c))
		if again := bodies(d.Call(c)); again != sent {
			t.Fatalf("want the same bytes again, have\n%s\n%s", sent, again)
		}
		if sent == last {
			same++
		}
		last = sent
	}
	if same < 5 {
		t.Errorf("want some calls like the one before, have %d of 300", same)
	}
}

func bodies(messages []dialect.Message) string {
	var b strings.Builder
	for _, m := range messages {
		b.Write(m.Request.Body)
	}
	return b.String()
}

// TestRetriedQueue checks that a queue's second attempt looks like the first, to the byte.
func TestRetriedQueue(t *testing.T) {
	all := exchanges(t)
	for _, d := range slices.Concat(all["ipex-ipex"].Variants(), all["xvb-family"].Variants()) {
		var ringing []string
		for _, m := range d.Call(call(all["ipex-ipex"], flow.QueueRetried, 7)) {
			if m.Event == "call.ringing" {
				ringing = append(ringing, string(m.Request.Body))
			}
		}
		if len(ringing) != 2 || ringing[0] != ringing[1] {
			t.Errorf("%s: want the same bytes twice, have %q", d.Variant(), ringing)
		}
	}
}

func TestUnknownVendor(t *testing.T) {
	c, err := config.Parse([]byte("tenants: [{name: acme, region: CZ, exchanges: [{vendor: avaya}]}]"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := dialect.New(c.Tenants[0].Exchanges[0]); err == nil {
		t.Error("want an error for a vendor that nobody can play, have none")
	}
}

func TestUnknownSetting(t *testing.T) {
	for _, vendor := range []string{"ipex", "mcn", "xvb"} {
		text := "tenants: [{name: acme, region: CZ, exchanges: [{vendor: " + vendor + ", colour: red}]}]"
		c, err := config.Parse([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := dialect.New(c.Tenants[0].Exchanges[0]); err == nil || !strings.Contains(err.Error(), "colour") {
			t.Errorf("%s: want an error that names the setting, have %v", vendor, err)
		}
	}
}
