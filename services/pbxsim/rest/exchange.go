package rest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/switchhook/switchhook/pkg/config"
	"github.com/switchhook/switchhook/pkg/vendors/ipex"
	"github.com/switchhook/switchhook/pkg/vendors/mcn"
	"github.com/switchhook/switchhook/pkg/vendors/xvb"
	"github.com/switchhook/switchhook/services/pbxsim/dialect"
	"github.com/switchhook/switchhook/services/pbxsim/flow"
	"github.com/switchhook/switchhook/services/pbxsim/ledger"
)

// Exchange is an exchange that takes commands, with the credentials for them.
type Exchange struct {
	*dialect.Exchange
	line   flow.Number // its own
	people []config.Person
	book   *book

	base, authBase   string // paths of its interface and of its token server, without "/" at the end
	user, password   string // of IPEX
	token            string // of the others
	account, virtual string // of MCN
	family           bool   // of XVB: it speaks as the family does
}

// NewExchange reads the interface's settings of an exchange; line is its own number. It returns nil for one that has no
// interface.
func NewExchange(e *dialect.Exchange, c *config.Exchange, line flow.Number) (*Exchange, error) {
	x := &Exchange{Exchange: e, line: line, people: c.Tenant.Agents.People}
	var err error
	var address, auth string
	switch e.Vendor {
	case "ipex":
		var s ipex.Settings
		err = c.Decode(&s)
		address, auth = s.API.URL, s.API.AuthURL
		x.user, x.password = s.API.Username, s.API.Password.Reveal()
	case "mcn":
		var s mcn.Settings
		err = c.Decode(&s)
		address, x.token = s.API.URL, s.API.Token.Reveal()
		x.account, x.virtual = s.Webhook.AccountID, s.API.VPBXID
	case "xvb":
		var s xvb.Settings
		err = c.Decode(&s)
		address, x.token = s.API.URL, s.API.Token.Reveal()
		x.family = !s.Webhook.CRMToken.IsZero()
	}
	if err != nil || address == "" {
		return nil, err
	}
	if x.base, err = basePath(address); err == nil {
		x.authBase, err = basePath(auth)
	}
	if err != nil {
		return nil, c.Problem("api", "want URLs")
	}
	if x.user+x.token == "" {
		return nil, c.Problem("api", "has no credentials")
	}
	return x, nil
}

// Same reports whether nothing tells the commands for one exchange from those for the other.
func (x *Exchange) Same(other *Exchange) bool {
	return x.Vendor == other.Vendor && x.base == other.base && x.user == other.user && x.token == other.token &&
		x.account == other.account && x.virtual == other.virtual
}

// Path is where the interface is. It has no "/" at the end.
func (x *Exchange) Path() string { return x.base }

func basePath(address string) (string, error) {
	u, err := url.Parse(address)
	if err != nil {
		return "", err
	}
	return strings.TrimSuffix(u.Path, "/"), nil
}

// book knows the phones of a tenant and whose they are. It is safe for concurrent use.
type book struct {
	mu      sync.Mutex
	byLine  map[string]*flow.Agent
	byLogin map[string]*flow.Agent
	byEmail map[string]*flow.Agent
}

// newBook has the people of the configuration, and those of the teams, unless their extension is given to somebody.
func newBook(e *Exchange, teams int) *book {
	b := &book{byLine: map[string]*flow.Agent{}, byLogin: map[string]*flow.Agent{}, byEmail: map[string]*flow.Agent{}}
	for _, p := range e.people {
		for _, extension := range p.Extensions {
			b.add(&flow.Agent{Extension: extension, Login: p.Login, Email: p.Email})
		}
	}
	for _, a := range flow.People(e.Tenant, teams) {
		b.add(a)
	}
	return b
}

// add keeps what is there: the first extension of a person is the phone that rings.
func (b *book) add(a *flow.Agent) {
	if b.byLine[a.Extension] != nil {
		return
	}
	b.byLine[a.Extension] = a
	if a.Login != "" && b.byLogin[a.Login] == nil {
		b.byLogin[a.Login] = a
	}
	if a.Email != "" && b.byEmail[a.Email] == nil {
		b.byEmail[a.Email] = a
	}
}

// line returns the phone of an extension, which may be nobody's; nil for what is no extension.
func (b *book) line(extension string) *flow.Agent {
	if !flow.IsExtension(extension) {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.byLine[extension] == nil {
		b.byLine[extension] = &flow.Agent{Extension: extension, Login: extension}
	}
	return b.byLine[extension]
}

// login and email return the phone of a person, or nil. Both maps never change.
func (b *book) login(login string) *flow.Agent { return b.byLogin[login] }
func (b *book) email(email string) *flow.Agent { return b.byEmail[email] }

// anybody returns the phone of who is named in whatever way, or nil.
func (b *book) anybody(name string) *flow.Agent {
	for _, a := range []*flow.Agent{b.line(name), b.login(name), b.email(name)} {
		if a != nil {
			return a
		}
	}
	return nil
}

// click reads whom a phone is to call; not ok if that is no number. It may be the phone itself: who calls that is busy.
func (x *Exchange) click(caller *flow.Agent, to string, c chance) (click flow.Click, ok bool) {
	click = flow.Click{Caller: caller, Line: x.line, Fate: c.fate(to)}
	if click.Colleague = x.book.line(to); click.Colleague != nil {
		if click.Colleague == caller {
			click.Fate = flow.IsBusy
		}
		return click, true
	}
	click.Outside, ok = flow.ReadNumber(to, x.Region)
	return click, ok
}

// parameters returns what a JSON object says, as texts. Those of an object in it have its name and a dot before theirs.
func parameters(body []byte) (map[string]string, error) {
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	var object map[string]any
	if err := decoder.Decode(&object); err != nil {
		return nil, err
	}
	asked := map[string]string{}
	flatten("", object, asked)
	return asked, nil
}

func flatten(prefix string, object map[string]any, into map[string]string) {
	for name, value := range object {
		switch value := value.(type) {
		case nil:
		case map[string]any:
			flatten(prefix+name+".", value, into)
		default:
			into[prefix+name] = fmt.Sprint(value)
		}
	}
}

// isJSON and isForm report what a request says that its body is.
func isJSON(r *http.Request) bool { return contentType(r) == "application/json" }
func isForm(r *http.Request) bool { return contentType(r) == "application/x-www-form-urlencoded" }

func contentType(r *http.Request) string {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		return ""
	}
	return kind
}

// bearer returns the token of a request, or nothing.
func bearer(r *http.Request) string {
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	return token
}

// first returns the first exchange of which that is true, or nil.
func first(exchanges []*Exchange, is func(*Exchange) bool) *Exchange {
	if i := slices.IndexFunc(exchanges, is); i >= 0 {
		return exchanges[i]
	}
	return nil
}

// of says whose a command is.
func (x *Exchange) of(c *ledger.Command) { c.Tenant, c.Exchange = x.Tenant, x.Name }

// did says which call a command is about.
func (x *Exchange) did(c *ledger.Command, call *flow.Call) {
	c.Call, c.CallID = call.Number, x.CallID(call)
}
