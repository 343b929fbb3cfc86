// Package commandtest is the conformance suite of the vendors' commanders. A vendor brings how its exchange is configured and
// how it says that all went well; the suite plays exchanges that answer, fail, hang and break off, and demands the one error
// that tells what is known then.
package commandtest

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/switchhook/switchhook/pkg/command"
	"github.com/switchhook/switchhook/pkg/config"
	"github.com/switchhook/switchhook/pkg/fault"
	"github.com/switchhook/switchhook/pkg/phone"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

var update = flag.Bool("update-plans", false, "write the plans as what they must be, to testdata/commands")

// Dialect is what the suite must know of a vendor.
type Dialect struct {
	// Name is where the plans are kept, below testdata/commands.
	Name string
	// Create is the vendor's NewCommander.
	Create func(*config.Exchange, *http.Client) (command.Exchange, error)
	// YAML returns an exchange as in the configuration, whose interface is at an address and its token server, if it has one,
	// at another.
	YAML func(address, login string) string
	// Secrets are those in YAML, and the tokens of Login.
	Secrets []string
	// Login plays the token server. It is nil where there is none.
	Login http.HandlerFunc
	// Yes is how the exchange says that a call is made.
	Yes http.HandlerFunc
	// Done is what Yes says.
	Done command.Done
}

// Run runs the suite.
func Run(t *testing.T, d Dialect) {
	t.Run("capabilities", d.testCapabilities)
	t.Run("plans", d.testPlans)
	t.Run("what is not supported", d.testUnsupported)
	t.Run("outcomes", d.testOutcomes)
	t.Run("no connection", d.testNoConnection)
	t.Run("many at once", d.testMany)
	t.Run("settings", d.testSettings)
}

// Exchange returns an exchange of the tenant acme, region CZ, with the settings given as YAML in one line.
func Exchange(t testing.TB, yaml string) *config.Exchange {
	t.Helper()
	c, err := config.Parse([]byte("tenants:\n  - name: acme\n    region: CZ\n    exchanges:\n      - " + yaml + "\n"))
	if err != nil {
		t.Fatal(err)
	}
	return c.Tenants[0].Exchanges[0]
}

// Originate returns a command to call a number.
func Originate(to string) command.Command {
	c := Command(&pbxv1.CommandRequest{Action: &pbxv1.CommandRequest_Originate{Originate: &pbxv1.Originate{To: to}}})
	c.To = phone.Parse(to, "CZ")
	return c
}

// Transfer returns a command to transfer a call.
func Transfer(mode pbxv1.Transfer_Mode, to string) command.Command {
	c := Command(&pbxv1.CommandRequest{Action: &pbxv1.CommandRequest_Transfer{Transfer: &pbxv1.Transfer{Mode: mode, To: to}}})
	c.To = phone.Parse(to, "CZ")
	return c
}

// Hangup returns a command to end the current call.
func Hangup() command.Command {
	return Command(&pbxv1.CommandRequest{Action: &pbxv1.CommandRequest_Hangup{Hangup: &pbxv1.Hangup{}}})
}

// Command returns a command for a request by extension 20.
func Command(r *pbxv1.CommandRequest) command.Command {
	r.IdempotencyKey, r.Extension = "key", "20"
	return command.Command{
		ID: "id", Request: r, Extension: "20", User: &pbxv1.User{Login: "novak", Email: "novak@acme.example"},
	}
}

// each returns one command for each capability.
func each() map[command.Capability]command.Command {
	return map[command.Capability]command.Command{
		command.CanOriginate:        Originate("+420777888999"),
		command.CanHangup:           Hangup(),
		command.CanTransferBlind:    Transfer(pbxv1.Transfer_BLIND, "21"),
		command.CanTransferAttended: Transfer(pbxv1.Transfer_ATTENDED, "21"),
		command.CanTransferCancel:   Transfer(pbxv1.Transfer_ATTENDED_CANCEL, ""),
		command.CanTransferComplete: Transfer(pbxv1.Transfer_ATTENDED_COMPLETE, ""),
	}
}

// exchange is one that is played.
type exchange struct {
	*httptest.Server
	login   *httptest.Server
	secrets []string

	mu       sync.Mutex
	commands []string // as received, with secrets concealed
	logins   int
}

func (d Dialect) serve(t testing.TB, answer http.HandlerFunc) *exchange {
	t.Helper()
	e := &exchange{secrets: d.Secrets}
	e.login = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e.mu.Lock()
		e.logins++
		e.mu.Unlock()
		d.Login(w, r)
	}))
	t.Cleanup(e.login.Close)
	e.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e.record(r)
		answer(w, r)
	}))
	t.Cleanup(e.Close)
	return e
}

// record notes a command as a plan would show it.
func (e *exchange) record(r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	p := command.Plan{Method: r.Method, URL: e.URL + r.RequestURI, Header: r.Header.Clone(), Body: body}
	for _, name := range []string{"User-Agent", "Content-Length", "Connection", "Accept-Encoding"} {
		p.Header.Del(name)
	}
	r.Body = io.NopCloser(strings.NewReader(string(body)))
	e.mu.Lock()
	defer e.mu.Unlock()
	e.commands = append(e.commands, command.Conceal(p.String(), e.secrets...))
}

func (e *exchange) received() ([]string, int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.commands), e.logins
}

func (d Dialect) commander(t testing.TB, address, login string) command.Exchange {
	t.Helper()
	x, err := d.Create(Exchange(t, d.YAML(address, login)), command.NewClient())
	if err != nil || x == nil {
		t.Fatalf("want a commander, have %v and %v", x, err)
	}
	return x
}

// checkLeaks demands that nothing that can be shown of values has a secret.
func (d Dialect) checkLeaks(t testing.TB, values ...any) {
	t.Helper()
	for _, value := range values {
		said := fmt.Sprintf("%v %+v %#v", value, value, value)
		if command.Conceal(said, d.Secrets...) != said {
			t.Errorf("want no secret, have %s", said)
		}
	}
}

func (d Dialect) testCapabilities(t *testing.T) {
	x := d.commander(t, "https://pbx.example", "https://login.example")
	have := x.Capabilities()
	if len(have) == 0 || !slices.Contains(have, command.CanOriginate) {
		t.Errorf("want at least %s, have %v", command.CanOriginate, have)
	}
	for i, c := range have {
		if !slices.Contains(command.All(), c) || slices.Contains(have[:i], c) {
			t.Errorf("want known capabilities, each once, have %v", have)
		}
	}
	if o := x.Origin(); o.Tenant != "acme" || o.Vendor != o.Exchange {
		t.Errorf("want the origin of the configuration, have %v", o)
	}
	d.checkLeaks(t, x)
}

// testPlans compares plans with files, and what is received with the plans.
func (d Dialect) testPlans(t *testing.T) {
	e := d.serve(t, d.Yes)
	x := d.commander(t, e.URL, e.login.URL)
	for name, c := range cases() {
		p, err := x.Plan(c)
		d.checkLeaks(t, p, p.String(), err)
		have := strings.ReplaceAll(p.String(), e.URL, "https://pbx.example")
		if err != nil {
			if !fault.Is(err, fault.Invalid) {
				t.Errorf("%s: want a plan or an error that is invalid, have %v", name, err)
			}
			have = "invalid: " + err.Error() + "\n"
		}
		d.compare(t, name, have)
		before, _ := e.received()
		_, executed := x.Execute(t.Context(), c)
		after, _ := e.received()
		switch {
		case err != nil && (len(after) != len(before) || !fault.Is(executed, fault.Invalid)):
			t.Errorf("%s: want nothing to be sent, and %v, have %v", name, err, executed)
		case err == nil && (len(after) != len(before)+1 || after[len(before)] != p.String()):
			t.Errorf("%s: want received\n%s\nhave %v\n%s", name, p, executed, strings.Join(after[len(before):], "\n"))
		}
	}
}

func (d Dialect) compare(t *testing.T, name, have string) {
	t.Helper()
	folder := "testdata/commands/" + d.Name
	file := folder + "/" + strings.ReplaceAll(name, " ", "-") + ".txt"
	if *update {
		if err := errors.Join(os.MkdirAll(folder, 0o755), os.WriteFile(file, []byte(have), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != have {
		t.Errorf("%s:\nwant %s\nhave %s", file, want, have)
	}
}

// cases are commands whose plans are looked at.
func cases() map[string]command.Command {
	all := map[string]command.Command{
		"originate abroad":      Originate("+421905123456"),
		"originate extension":   Originate("21"),
		"originate national":    Originate("777 888 999"),
		"originate nobody":      Originate(""),
		"originate nonsense":    Originate("call my mother"),
		"originate odd digits":  Originate("１２"),
		"originate caller id":   Originate("21"),
		"originate two lines":   Originate("21"),
		"originate from nobody": Originate("21"),
		"hangup channel":        Hangup(),
		"hangup call":           Hangup(),
		"hangup by extension":   Hangup(),
		"transfer nobody":       Transfer(pbxv1.Transfer_BLIND, ""),
		"transfer somehow":      Transfer(pbxv1.Transfer_MODE_UNSPECIFIED, "21"),
		"transfer outside":      Transfer(pbxv1.Transfer_BLIND, "+420777888999"),
		"nothing":               Command(&pbxv1.CommandRequest{}),
	}
	for capability, c := range each() {
		all[string(capability)] = c
	}
	change := func(name string, how func(*command.Command)) {
		c := all[name]
		how(&c)
		all[name] = c
	}
	change("originate caller id", func(c *command.Command) {
		c.Request.GetOriginate().CallerId, c.Request.GetOriginate().CallerIdName = "222333444", `Novák & "Co"`
	})
	change("originate two lines", func(c *command.Command) { c.Request.GetOriginate().CallerIdName = "A\r\nAction: Originate" })
	change("originate from nobody", func(c *command.Command) { c.Extension = "" })
	change("hangup channel", func(c *command.Command) { c.ChannelID, c.CallID = "SIP/20-0000&a=b", "1412256225.1941" })
	change("hangup call", func(c *command.Command) { c.CallID = "1412256225.1941" })
	change("hangup by extension", func(c *command.Command) { c.User = nil })
	return all
}

// testUnsupported demands that what the vendor cannot do is refused at once, by name, and that nobody logs in for what cannot be done.
func (d Dialect) testUnsupported(t *testing.T) {
	e := d.serve(t, d.Yes)
	x := d.commander(t, e.URL, e.login.URL)
	for capability, c := range each() {
		if slices.Contains(x.Capabilities(), capability) {
			continue
		}
		want := fmt.Sprintf("%s is not supported by %s", capability, x.Origin().Vendor)
		if _, err := x.Execute(t.Context(), c); !fault.Is(err, fault.Invalid) || err.Error() != want {
			t.Errorf("want invalid: %s, have %v", want, err)
		}
	}
	if _, err := x.Execute(t.Context(), Originate("call my mother")); !fault.Is(err, fault.Invalid) {
		t.Errorf("want what is no number to be invalid, have %v", err)
	}
	if commands, logins := e.received(); len(commands)+logins != 0 {
		t.Errorf("want nothing to be sent, have %q and %d logins", commands, logins)
	}
}

// testMany demands that commands do not get into each other's way, and share a token.
func (d Dialect) testMany(t *testing.T) {
	const many = 100
	e := d.serve(t, d.Yes)
	x := d.commander(t, e.URL, e.login.URL)
	var all sync.WaitGroup
	for range many {
		all.Go(func() {
			done, err := x.Execute(context.Background(), Originate("+420777888999"))
			if err != nil || done != d.Done {
				t.Errorf("want %+v, have %+v and %v", d.Done, done, err)
			}
		})
	}
	all.Wait()
	commands, logins := e.received()
	if len(commands) != many {
		t.Errorf("want %d commands, have %d", many, len(commands))
	}
	if want := d.logins(); want != logins {
		t.Errorf("want %d requests for a token, have %d", want, logins)
	}
}

// logins is how many requests for a token the first command takes.
func (d Dialect) logins() int {
	if d.Login == nil {
		return 0
	}
	return 1
}

// testSettings demands that addresses which cannot be used are problems, that do not show the address.
func (d Dialect) testSettings(t *testing.T) {
	for _, address := range []string{
		"pbx.example", "ftp://pbx.example", "https://", "https://u:hunter2@pbx.example", "https://pbx.example/?token=hunter2",
		"https://pbx.example/#hunter2",
	} {
		x, err := d.Create(Exchange(t, d.YAML(address, "https://login.example")), command.NewClient())
		if x != nil || err == nil || !strings.Contains(err.Error(), "api.url: want an address") || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: want a problem, have %v and %v", address, x, err)
		}
	}
}
