package e2e_test

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/switchhook/switchhook/pkg/event"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
	"github.com/switchhook/switchhook/test/process"
)

// The clocks of central Europe change at one o'clock UTC.
const (
	nightfall, springForward = "2026-03-28T21:00:00Z", "2026-03-29T01:00:00Z"
	dayBefore, springDay     = "2026-03-28", "2026-03-29"
)

var seed = flag.Uint64("seed", 1, "what the calls of TestFigures follow from")

// share returns two fifths of a number, or in the long form all of it: of calls, and of teams, so that a night is as long.
func share(all int) string {
	if *long {
		return strconv.Itoa(all)
	}
	return strconv.Itoa(all * 2 / 5)
}

// Ten thousand calls of all vendors on the night when clocks change, or four thousand in the short form, in the order in which they happened, with requests that
// come twice, late, in the wrong order and broken: contacts, states and figures must be those of the ledger.
func TestFigures(t *testing.T) {
	t.Parallel()
	seeds := []uint64{*seed}
	for i := 0; *long && i < 3; i++ {
		seeds = append(seeds, rand.Uint64())
	}
	for _, seed := range seeds {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) { testFigures(t, seed) })
	}
}

func testFigures(t *testing.T, seed uint64) {
	began := time.Now()
	lap := func(what string) {
		t.Logf("%s: %v", what, time.Since(began).Round(time.Millisecond))
		began = time.Now()
	}
	r := newNight(t)
	path := filepath.Join(t.TempDir(), "ledger.jsonl")
	sim := process.Start(t, "pbxsim", append([]string{
		"--config", r.config, "--ledger", path, "--seed", fmt.Sprint(seed), "--order", "clock", "--calls", share(10_000),
		"--teams", share(15), "--start", nightfall,
		"--chaos", "duplicate=0.02,reorder=0.05,delay=0.05,malformed=0.02",
	}, r.args...)...)
	lap("started")
	sim.Wait(10 * time.Minute)
	said := strings.Split(strings.TrimSpace(sim.Tail()), "\n")
	lap("sent " + said[len(said)-1])
	r.clock.tell(r.clock.now().Add(5 * time.Minute)) // wrap-ups end
	if now := r.clock.now(); now.Before(moment(springForward).Add(time.Hour)) {
		t.Fatalf("want the night to go on long after %s, have it end at %v", springForward, now)
	}
	n := newTruth(t, r, path)
	lap("ledger read")
	n.await(t, "final states", r.checkAgents)
	lap("states")
	n.await(t, "buckets", r.checkBuckets)
	lap("buckets")
	n.await(t, "figures", r.checkFigures)
	lap("figures")
	n.await(t, "contacts", r.checkContacts)
	lap("contacts")
	n.await(t, "transitions", r.checkTransitions)
	lap("transitions")
	t.Logf("the CRM was asked %d times", r.crm.requests.Load())
}

// truth is what the ledger says of each tenant, as far as it is told.
type truth struct {
	table
	tenants map[string]*story
	told    map[string][]*told
}

func newTruth(t *testing.T, r *night, path string) *truth {
	t.Helper()
	n := &truth{readTable(t), readLedger(t, path), map[string][]*told{}}
	for name, s := range n.tenants {
		for _, c := range s.calls {
			n.told[name] = append(n.told[name], n.tell(c)...)
		}
	}
	if len(n.tenants) != len(r.tenants) {
		t.Fatalf("want calls of %d tenants, have them of %d", len(r.tenants), len(n.tenants))
	}
	return n
}

// await waits until a check finds nothing wrong.
func (n *truth) await(t *testing.T, what string, check func(*testing.T, *truth) []string) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for tick := time.NewTicker(200 * time.Millisecond); ; <-tick.C {
		wrong := check(t, n)
		if len(wrong) == 0 {
			return
		}
		if time.Now().After(deadline) {
			slices.Sort(wrong)
			t.Errorf("%s: %d are wrong:\n%s", what, len(wrong), strings.Join(wrong[:min(40, len(wrong))], "\n"))
			return
		}
	}
}

// person is who is at a phone: one agent, all of whose calls are told in one way.
type person struct {
	variant
	login string // if it is told
}

// people returns, by extension, who is told of at a tenant.
func (n *truth) people(tenant string) map[string]person {
	all := map[string]person{}
	for _, c := range n.told[tenant] {
		for _, leg := range c.legs {
			p := person{variant{c.Vendor, c.Variant}, leg.Login}
			if !n.tells(p.variant, "incoming: their login") {
				p.login = ""
			}
			all[leg.Extension] = p
		}
	}
	for _, s := range n.tenants[tenant].shifts {
		all[s.Extension] = person{variant{vendor: s.Vendor}, s.Login}
	}
	return all
}

// checkAgents compares who is there, and what they do in the end: where their exchange tells of logins, what it said last,
// and else nothing is known.
func (r *night) checkAgents(t *testing.T, n *truth) (wrong []string) {
	for _, tenant := range r.tenants {
		want, have := map[string]string{}, map[string]string{}
		for extension, p := range n.people(tenant.Name) {
			want[extension] = fmt.Sprintf("%q %s", p.login, n.tenants[tenant.Name].final(extension))
		}
		for _, a := range r.agents(t, tenant.Name) {
			state := strings.TrimSpace(a.GetState().String() + " " + a.GetPauseReason())
			have[strings.Join(a.GetExtensions(), " ")] = fmt.Sprintf("%q %s in %v", a.GetUser().GetLogin(), state, a.GetQueues())
		}
		wrong = append(wrong, differences(tenant.Name+" agent ", want, have)...)
		var calls pbxv1.CallListResponse
		r.ask(t, event.QueryCallList, &pbxv1.CallListRequest{Tenant: tenant.Name}, &calls)
		for _, c := range calls.GetCalls() {
			wrong = append(wrong, fmt.Sprintf("%s: want no call that goes on, have %v", tenant.Name, c))
		}
	}
	return wrong
}

// checkFigures compares the figures of both days.
func (r *night) checkFigures(t *testing.T, n *truth) (wrong []string) {
	for _, tenant := range r.tenants {
		have := counts{}
		for _, day := range []string{dayBefore, springDay} {
			var answer pbxv1.AgentStatisticsResponse
			r.ask(t, event.QueryAgentStatistics, &pbxv1.AgentStatisticsRequest{Tenant: tenant.Name, Day: day}, &answer)
			d := answer.GetStatistics()
			maps.Copy(have, countsOf(d))
			wrong = append(wrong, r.checkDay(d)...)
		}
		want := n.tenants[tenant.Name].count(n.told[tenant.Name], moment(nightfall), r.clock.now(), tenant.Location)
		n.leaveOut(tenant.Name, want, have)
		wrong = append(wrong, differences(tenant.Name+" ", want, have)...)
	}
	return wrong
}

// leaveOut leaves out how many of an agent's calls were answered where the table says that this is not told. MCN's new style
// gives it away for those with a recording, of which the ledger does not tell.
func (n *truth) leaveOut(tenant string, figures ...counts) {
	people := n.people(tenant)
	for _, c := range figures {
		maps.DeleteFunc(c, func(name string, _ int64) bool {
			agent, isAnswered := strings.CutSuffix(name, " outgoing answered")
			p, known := people[agent[strings.LastIndexByte(agent, ' ')+1:]]
			return isAnswered && known && !n.tells(p.variant, "outgoing: that it was answered")
		})
	}
}

// checkDay checks what a day is: the second has no hour from two to three.
func (r *night) checkDay(d *pbxv1.DayStatistics) (wrong []string) {
	hours, until := 24, d.GetEndsAt().AsTime()
	if d.GetDay() == springDay {
		hours, until = 23, r.clock.now()
	}
	long := d.GetEndsAt().AsTime().Sub(d.GetBeginsAt().AsTime())
	if len(d.GetHours()) != hours || long != time.Duration(hours)*time.Hour || !d.GetCountedUntil().AsTime().Equal(until) {
		wrong = append(wrong, fmt.Sprintf("%s %s: want %d hours, counted until %v, have %d in %v until %v", d.GetTenant(),
			d.GetDay(), hours, until, len(d.GetHours()), long, d.GetCountedUntil().AsTime()))
	}
	for _, q := range d.GetQueues() {
		if have := q.GetServiceLevel().AsDuration(); have != 15*time.Second {
			wrong = append(wrong, fmt.Sprintf("%s queue %s: want a service level of 15s, have %v", d.GetTenant(), q.GetQueue(), have))
		}
	}
	return wrong
}

// differences names what two maps do not have in common.
func differences[V comparable](prefix string, want, have map[string]V) (wrong []string) {
	for name, value := range want {
		if other, ok := have[name]; !ok || value != other {
			wrong = append(wrong, fmt.Sprintf("%s%s: want %v, have %v", prefix, name, value, other))
		}
	}
	for name, value := range have {
		if _, ok := want[name]; !ok {
			wrong = append(wrong, fmt.Sprintf("%s%s: want none, have %v", prefix, name, value))
		}
	}
	return wrong
}
