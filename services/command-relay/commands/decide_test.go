package commands_test

import (
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/switchhook/switchhook/pkg/call"
	"github.com/switchhook/switchhook/pkg/command"
	"github.com/switchhook/switchhook/pkg/config"
	"github.com/switchhook/switchhook/pkg/event"
	"github.com/switchhook/switchhook/pkg/phone"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
	"github.com/switchhook/switchhook/services/command-relay/commands"
)

type decision struct {
	request *pbxv1.CommandRequest
	change  func(*commands.Arrival, *commands.Facts)
	want    string // what the reason contains; empty: allowed
}

func (d decision) check(t *testing.T) commands.Decision {
	t.Helper()
	a, f := arrival(d.request), facts()
	if d.change != nil {
		d.change(&a, &f)
	}
	before := proto.CloneOf(a.Request)
	have := commands.Decide(a, f)
	if (d.want == "") != (have.Refused == "") || !strings.Contains(have.Refused, d.want) {
		t.Errorf("want %q, have %q", d.want, have.Refused)
	}
	if !proto.Equal(before, a.Request) {
		t.Errorf("want the request untouched, have %v", a.Request)
	}
	if have.Refused == "" && (have.Command.Extension == "" || have.Command.ID != a.ID() || have.Request.GetExpiresAt() == nil) {
		t.Errorf("want a whole command, have %+v", have)
	}
	return have
}

func TestDecideFit(t *testing.T) {
	subject := func(action command.Action) func(*commands.Arrival, *commands.Facts) {
		return func(a *commands.Arrival, _ *commands.Facts) { a.Action = action }
	}
	tests := map[string]struct {
		decision
		unfit bool
	}{
		"all is well":     {decision{dial("k", "777888999"), nil, ""}, false},
		"its own subject": {decision{dial("k", "777888999"), subject(command.Originate), ""}, false},
		"another subject": {decision{dial("k", "777888999"), subject(command.Hangup), "sent to the subject of hangup"}, true},
		"no key":          {decision{dial("", "777888999"), nil, "no idempotency key"}, true},
		"a long key":      {decision{dial(strings.Repeat("k", 257), "777888999"), nil, "has 257 bytes"}, true},
		"no action":       {decision{&pbxv1.CommandRequest{IdempotencyKey: "k"}, nil, "does not say what to do"}, true},
		"nobody asks": {decision{&pbxv1.CommandRequest{
			IdempotencyKey: "k", Action: dial("k", "777888999").GetAction(),
		}, nil, "does not say who asks"}, false},
		"no mode": {decision{transfer(0, "102", ""), nil, "mode"}, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if have := test.check(t); test.unfit != have.Unfit {
				t.Errorf("want unfit %v, have %v", test.unfit, have.Unfit)
			}
		})
	}
}

func TestDecideExchange(t *testing.T) {
	named := func(name string) *pbxv1.CommandRequest {
		r := dial("k", "777888999")
		r.Exchange = name
		return r
	}
	exchanges := func(names ...string) func(*commands.Arrival, *commands.Facts) {
		return func(_ *commands.Arrival, f *commands.Facts) {
			f.Exchanges = nil
			for _, name := range names {
				f.Exchanges = append(f.Exchanges, commands.Exchange{Name: name, Capabilities: command.All()})
			}
		}
	}
	tests := map[string]struct {
		decision
		want string
	}{
		"the only one":     {decision{named(""), nil, ""}, "prague"},
		"by its name":      {decision{named("brno"), exchanges("prague", "brno"), ""}, "brno"},
		"none":             {decision{named(""), exchanges(), "acme has no exchange at ipex"}, ""},
		"unknown":          {decision{named("brno"), nil, `acme has no exchange "brno" at ipex, but prague`}, ""},
		"which of several": {decision{named(""), exchanges("prague", "brno"), "say which of prague, brno"}, ""},
		"without commands": {decision{named(""), func(_ *commands.Arrival, f *commands.Facts) {
			f.Exchanges = []commands.Exchange{{Name: "prague"}}
		}, "prague is not configured for commands"}, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			have := test.check(t)
			if test.want != "" && (have.Request.GetExchange() != test.want ||
				have.Command.Origin != event.Origin{Vendor: "ipex", Tenant: "acme", Exchange: test.want}) {
				t.Errorf("want %s, have %v", test.want, have.Command.Origin)
			}
		})
	}
}

func TestDecideCapability(t *testing.T) {
	at := func(vendor string, has ...command.Capability) func(*commands.Arrival, *commands.Facts) {
		return func(a *commands.Arrival, f *commands.Facts) {
			a.Vendor, f.Exchanges = vendor, []commands.Exchange{{Name: vendor, Capabilities: has}}
		}
	}
	mcn := at("mcn", command.CanOriginate)
	tests := map[string]decision{
		"originates":          {dial("k", "777888999"), mcn, ""},
		"cannot hang up":      {hangup(""), mcn, "mcn cannot end calls"},
		"cannot transfer":     {transfer(pbxv1.Transfer_BLIND, "105", ""), mcn, "mcn cannot transfer calls"},
		"nor attended":        {transfer(pbxv1.Transfer_ATTENDED, "105", ""), mcn, "mcn cannot transfer calls"},
		"cannot call":         {dial("k", "777888999"), at("mcn", command.CanHangup), "mcn cannot make calls"},
		"transfers, but not":  {transfer(pbxv1.Transfer_ATTENDED_COMPLETE, "", ""), at("ipex", command.CanTransferBlind, command.CanTransferAttended, command.CanTransferCancel), "ipex cannot complete a transfer"},
		"nor cancels":         {transfer(pbxv1.Transfer_ATTENDED_CANCEL, "", ""), at("ipex", command.CanTransferBlind), "ipex cannot cancel a transfer"},
		"only attended":       {transfer(pbxv1.Transfer_BLIND, "105", ""), at("ipex", command.CanTransferAttended), "ipex cannot transfer calls without asking"},
		"only blind":          {transfer(pbxv1.Transfer_ATTENDED, "105", ""), at("ipex", command.CanTransferBlind), "ipex cannot transfer calls after a consultation"},
		"transfers blindly":   {transfer(pbxv1.Transfer_BLIND, "105", ""), at("ipex", command.CanTransferBlind), ""},
		"cancels by itself":   {transfer(pbxv1.Transfer_ATTENDED_CANCEL, "", ""), nil, ""},
		"completes by itself": {transfer(pbxv1.Transfer_ATTENDED_COMPLETE, "", ""), nil, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) { test.check(t) })
	}
}

func TestDecideExtension(t *testing.T) {
	asks := func(login, email, extension string) *pbxv1.CommandRequest {
		r := dial("k", "777888999")
		r.User, r.Extension = event.User(login, email), extension
		return r
	}
	supervisors := func(names ...string) func(*commands.Arrival, *commands.Facts) {
		return func(_ *commands.Arrival, f *commands.Facts) { f.Policy.Supervisors = names }
	}
	strange := func(_ *commands.Arrival, f *commands.Facts) { f.Agents = append(f.Agents, agent("ivan", "", "112")) }
	taken := func(_ *commands.Arrival, f *commands.Facts) {
		f.People = append(f.People, config.Person{Login: "petr", Extensions: []string{"101"}})
	}
	tests := map[string]struct {
		decision
		extension, user, asks string
	}{
		"by login":                 {decision{asks("jan", "", ""), nil, ""}, "101", "jan jan@acme.example", "jan jan@acme.example"},
		"in other letters":         {decision{asks("JAN", "", "101"), nil, ""}, "101", "jan jan@acme.example", "jan jan@acme.example"},
		"with a domain":            {decision{asks("jan@pbx", "", ""), nil, ""}, "101", "jan jan@acme.example", "jan jan@acme.example"},
		"by e-mail":                {decision{asks("", "Jan@acme.example", ""), nil, ""}, "101", "jan jan@acme.example", "jan jan@acme.example"},
		"by extension":             {decision{asks("", "", "101"), nil, ""}, "101", "jan jan@acme.example", "jan jan@acme.example"},
		"as configured":            {decision{asks("boss", "", ""), nil, ""}, "200", "boss boss@acme.example", "boss boss@acme.example"},
		"configured goes first":    {decision{asks("", "", "101"), taken, ""}, "101", "petr ", "petr "},
		"one of several":           {decision{asks("eva", "", "106"), nil, ""}, "106", "eva ", "eva "},
		"which of several":         {decision{asks("eva", "", ""), nil, "say which of 105, 106"}, "", "", ""},
		"a phone nobody is at":     {decision{asks("", "", "300"), nil, ""}, "300", " ", " "},
		"somebody else's":          {decision{asks("jan", "", "105"), nil, "extension 105 is not known to be one of jan"}, "", "", ""},
		"nobody's":                 {decision{asks("jan", "", "300"), nil, "extension 300 is not known to be one of jan"}, "", "", ""},
		"of somebody unknown":      {decision{asks("ota", "", "101"), nil, "not known to be one of ota"}, "", "", ""},
		"unknown":                  {decision{asks("ota", "", ""), nil, "no extension of ota is known"}, "", "", ""},
		"two people":               {decision{asks("jan", "boss@acme.example", ""), nil, "no extension of jan"}, "", "", ""},
		"a supervisor":             {decision{asks("boss", "", "105"), supervisors("boss"), ""}, "105", "eva ", "boss boss@acme.example"},
		"a supervisor's mail":      {decision{asks("", "boss@acme.example", "101"), supervisors("BOSS"), ""}, "101", "jan jan@acme.example", "boss boss@acme.example"},
		"supervisor by mail":       {decision{asks("boss", "", "101"), supervisors("boss@acme.example"), ""}, "101", "jan jan@acme.example", "boss boss@acme.example"},
		"supervisor by phone":      {decision{asks("boss", "", "101"), supervisors("200"), ""}, "101", "jan jan@acme.example", "boss boss@acme.example"},
		"supervisor's own":         {decision{asks("boss", "", ""), supervisors("boss"), ""}, "200", "boss boss@acme.example", "boss boss@acme.example"},
		"supervisor, nobody there": {decision{asks("boss", "", "300"), supervisors("boss"), ""}, "300", " ", "boss boss@acme.example"},
		"unknown supervisor":       {decision{asks("ota", "", "101"), supervisors("ota"), ""}, "101", "jan jan@acme.example", "ota "},
		"claims to be at a phone":  {decision{asks("jan", "", "200"), supervisors("200"), "not known to be one of jan"}, "", "", ""},
		"claims another's mail":    {decision{asks("jan", "boss@acme.example", "105"), supervisors("boss@acme.example"), "who may not act for others"}, "", "", ""},
		"not a supervisor":         {decision{asks("jan", "", "105"), supervisors("boss"), "who may not act for others"}, "", "", ""},
		"a number as a phone":      {decision{asks("boss", "", "777888999"), supervisors("boss"), `"777888999" is no extension`}, "", "", ""},
		"an address as a phone":    {decision{asks("", "", "sip:101@pbx"), nil, "is no extension"}, "", "", ""},
		"emergency as a phone":     {decision{asks("", "", "112"), nil, "112 may reach an emergency service"}, "", "", ""},
		"the same by a supervisor": {decision{asks("boss", "", "0158"), supervisors("boss"), "may reach an emergency service"}, "", "", ""},
		"but it is known":          {decision{asks("ivan", "", ""), strange, ""}, "112", "ivan ", "ivan "},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			have := test.check(t)
			if have.Refused != "" {
				return
			}
			user := func(u *pbxv1.User) string { return u.GetLogin() + " " + u.GetEmail() }
			if have.Command.Extension != test.extension || have.Request.GetExtension() != test.extension ||
				user(have.Command.User) != test.user || user(have.Request.GetUser()) != test.asks {
				t.Errorf("want %s, %s, %s, have %s, %v, %v", test.extension, test.user, test.asks,
					have.Command.Extension, have.Command.User, have.Request.GetUser())
			}
		})
	}
}

func TestDecideNumber(t *testing.T) {
	policy := func(change func(p *commands.Policy)) func(*commands.Arrival, *commands.Facts) {
		return func(_ *commands.Arrival, f *commands.Facts) { change(&f.Policy) }
	}
	forbidden := func(entries ...string) func(*commands.Arrival, *commands.Facts) {
		return policy(func(p *commands.Policy) { p.Forbidden = entries })
	}
	listed := policy(func(p *commands.Policy) { p.DoNotCall = []string{"+420777888999"} })
	blind := func(to string) *pbxv1.CommandRequest { return transfer(pbxv1.Transfer_BLIND, to, "") }
	in := func(region string) func(*commands.Arrival, *commands.Facts) {
		return func(_ *commands.Arrival, f *commands.Facts) { f.Region = region }
	}
	own := func(entries ...string) func(*commands.Arrival, *commands.Facts) {
		return func(_ *commands.Arrival, f *commands.Facts) { f.Region, f.Policy.OwnExtensions = "RU", entries }
	}
	const emergency = "may reach an emergency service"
	tests := map[string]struct {
		decision
		want string // what is dialled
	}{
		"national":                {decision{dial("k", "777 888 999"), nil, ""}, "+420777888999"},
		"international":           {decision{dial("k", "00421905123456"), nil, ""}, "+421905123456"},
		"an extension":            {decision{dial("k", "105"), nil, ""}, "105"},
		"an address":              {decision{dial("k", "sip:105@pbx.example"), nil, ""}, "105"},
		"nothing":                 {decision{dial("k", " "), nil, "does not say which number"}, ""},
		"no number":               {decision{dial("k", "+420123"), nil, `"+420123" is no number that can be called`}, ""},
		"withheld":                {decision{dial("k", "anonymous"), nil, "is no number that can be called"}, ""},
		"a transfer without":      {decision{blind(""), nil, "does not say which number"}, ""},
		"112":                     {decision{dial("k", "112"), nil, "112 " + emergency}, ""},
		"behind a prefix":         {decision{dial("k", "0112"), nil, "0112 " + emergency}, ""},
		"behind a nine":           {decision{dial("k", "9158"), nil, "9158 " + emergency}, ""},
		"as an address":           {decision{dial("k", "tel:112"), nil, "112 " + emergency}, ""},
		"transferred":             {decision{blind("155"), nil, "155 " + emergency}, ""},
		"after a consultation":    {decision{transfer(pbxv1.Transfer_ATTENDED, "155", ""), nil, "155 " + emergency}, ""},
		"of another region":       {decision{dial("k", "102"), nil, ""}, "102"},
		"in its region":           {decision{dial("k", "102"), in("UA"), "102 " + emergency}, ""},
		"its own, not so called":  {decision{dial("k", "101"), own(), "101 " + emergency}, ""},
		"its own":                 {decision{dial("k", "101"), own("101"), ""}, "101"},
		"its own, transferred":    {decision{blind("sip:101@pbx"), own("101"), ""}, "101"},
		"its own, nobody there":   {decision{dial("k", "102"), own("102"), "102 " + emergency}, ""},
		"its own, from outside":   {decision{dial("k", "9101"), own("101"), "9101 " + emergency}, ""},
		"another of its own":      {decision{dial("k", "103"), own("101"), "103 " + emergency}, ""},
		"112 in no region":        {decision{dial("k", "112"), in(""), "112 " + emergency}, ""},
		"abroad":                  {decision{dial("k", "+421905123456"), forbidden("abroad"), "+421905123456 is abroad, which is forbidden"}, ""},
		"not abroad":              {decision{dial("k", "777888999"), forbidden("abroad"), ""}, "+420777888999"},
		"no more than in":         {decision{dial("k", "105"), forbidden("abroad", "premium", "+4"), ""}, "105"},
		"premium":                 {decision{dial("k", "900123456"), forbidden("+1", "premium"), "is at a premium rate, which is forbidden"}, ""},
		"not premium":             {decision{dial("k", "777888999"), forbidden("premium"), ""}, "+420777888999"},
		"premium, allowed":        {decision{dial("k", "900123456"), nil, ""}, "+420900123456"},
		"a prefix":                {decision{dial("k", "777888999"), forbidden("+42077"), "+420777888999 begins with +42077, which is forbidden"}, ""},
		"another prefix":          {decision{dial("k", "777888999"), forbidden("+42078"), ""}, "+420777888999"},
		"transferred to a prefix": {decision{blind("777888999"), forbidden("+42077"), "is forbidden"}, ""},
		"do not call":             {decision{dial("k", "777888999"), listed, "+420777888999 is on the do-not-call list"}, ""},
		"nor written otherwise":   {decision{dial("k", "00420 777-888-999"), listed, "is on the do-not-call list"}, ""},
		"not on the list":         {decision{dial("k", "777888998"), listed, ""}, "+420777888998"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			have := test.check(t)
			if to := have.Command.To; have.Refused == "" && (to.Dialled() != test.want || to.Kind == phone.Extension && to.Raw != test.want) {
				t.Errorf("want %s, have %+v", test.want, to)
			}
		})
	}
}

func TestDecideExpiry(t *testing.T) {
	tests := map[string]struct {
		asked time.Time
		want  time.Time
	}{
		"by default":   {time.Time{}, at(15)},
		"sooner":       {at(3), at(3)},
		"later":        {at(40), at(40)},
		"at most":      {at(3600), at(60)},
		"long ago":     {at(-100), at(-100)},
		"just allowed": {at(60), at(60)},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := dial("k", "777888999")
			if !test.asked.IsZero() {
				r.ExpiresAt = stamp(test.asked)
			}
			have := commands.Decide(arrival(r), facts())
			if at := have.Request.GetExpiresAt().AsTime(); !test.want.Equal(at) || !test.want.Equal(have.Command.Expires) {
				t.Errorf("want %v, have %v and %v", test.want, at, have.Command.Expires)
			}
		})
	}
}

func TestDecideCall(t *testing.T) {
	incoming := func(id, extension string) *call.Call {
		c := out(0, id, "+420777888999")
		c.Direction, c.Legs[0].Extension = pbxv1.Call_INCOMING, extension
		return c
	}
	over := incoming("c1", "101")
	over.Outcome = call.Answered
	left := incoming("left", "101")
	left.Legs[0].Spans[0].To = at(1)
	elsewhere := incoming("c1", "101")
	elsewhere.Exchange = "brno"
	void := incoming("c1", "101")
	void.Void = true
	with := func(calls ...*call.Call) func(*commands.Arrival, *commands.Facts) {
		return func(_ *commands.Arrival, f *commands.Facts) { f.Calls = calls }
	}
	made := func(extension string, how pbxv1.Command_Outcome) func(*commands.Arrival, *commands.Facts) {
		return func(_ *commands.Arrival, f *commands.Facts) {
			f.Outcomes = []*pbxv1.Command{{CallId: "c1", ChannelId: "ch1", Extension: extension, Outcome: how}}
		}
	}
	const unknown = `the call "c1" is not known to be at extension 101`
	tests := map[string]struct {
		decision
		want string // call and channel
	}{
		"none":                  {decision{hangup(""), nil, ""}, "/"},
		"its own":               {decision{hangup("c1"), with(incoming("c1", "101")), ""}, "c1/"},
		"somebody else's":       {decision{hangup("c1"), with(incoming("c1", "105")), unknown}, ""},
		"unknown":               {decision{hangup("c1"), with(), unknown}, ""},
		"over":                  {decision{hangup("c1"), with(over), unknown}, ""},
		"at another exchange":   {decision{hangup("c1"), with(elsewhere), unknown}, ""},
		"void":                  {decision{hangup("c1"), with(void), unknown}, ""},
		"left it":               {decision{hangup("left"), with(left), ""}, "left/"},
		"the current one":       {decision{hangup(""), with(left, incoming("c1", "101"), incoming("c2", "105")), ""}, "c1/"},
		"which of two":          {decision{hangup(""), with(incoming("c1", "101"), incoming("c2", "101")), ""}, "/"},
		"one without a name":    {decision{hangup(""), with(incoming("", "101"), incoming("c2", "101")), ""}, "/"},
		"transfers its own":     {decision{transfer(pbxv1.Transfer_BLIND, "105", "c1"), with(incoming("c1", "101")), ""}, "c1/"},
		"transfers another's":   {decision{transfer(pbxv1.Transfer_BLIND, "105", "c1"), with(incoming("c1", "106")), unknown}, ""},
		"made by command":       {decision{hangup("c1"), made("101", pbxv1.Command_DONE), ""}, "c1/ch1"},
		"by another's command":  {decision{hangup("c1"), made("105", pbxv1.Command_DONE), unknown}, ""},
		"by one that failed":    {decision{hangup("c1"), made("101", pbxv1.Command_EXCHANGE_ERROR), unknown}, ""},
		"a call needs no other": {decision{dial("k", "777888999"), with(incoming("c1", "101")), ""}, "/"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			have := test.check(t)
			if c := have.Command; have.Refused == "" && c.CallID+"/"+c.ChannelID != test.want {
				t.Errorf("want %s, have %s/%s", test.want, c.CallID, c.ChannelID)
			}
		})
	}
}

func TestArrivalID(t *testing.T) {
	first := arrival(dial("k", "777888999"))
	seen := map[string]bool{first.ID(): true}
	for name, change := range map[string]func(*commands.Arrival){
		"key":      func(a *commands.Arrival) { a.Request = dial("l", "777888999") },
		"tenant":   func(a *commands.Arrival) { a.Tenant = "globex" },
		"stored":   func(a *commands.Arrival) { a.Stored = at(1) },
		"sequence": func(a *commands.Arrival) { a.Sequence = 2 },
	} {
		other := first
		change(&other)
		if seen[other.ID()] {
			t.Errorf("another %s: want another id", name)
		}
		seen[other.ID()] = true
	}
	again := arrival(dial("k", "777888999"))
	again.Stored = again.Stored.In(time.FixedZone("", 3600))
	again.Request.Extension = "101" // As it is completed when it is taken.
	if !seen[again.ID()] {
		t.Error("delivered again: want the same id")
	}
}
