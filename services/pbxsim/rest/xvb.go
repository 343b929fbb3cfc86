package rest

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/switchhook/switchhook/services/pbxsim/flow"
	"github.com/switchhook/switchhook/services/pbxsim/ledger"
	"github.com/switchhook/switchhook/services/pbxsim/sim"
)

// xvbSide is that of XVB and its family: makeCall, and nothing else.
type xvbSide struct {
	exchanges []*Exchange
	live      *sim.Live
}

func (v *xvbSide) take(r *http.Request, body []byte) (task, bool) {
	at := slices.DeleteFunc(slices.Clone(v.exchanges), func(e *Exchange) bool {
		return e.Vendor != "xvb" || strings.TrimSuffix(r.URL.Path, "/") != e.base
	})
	if len(at) == 0 {
		return task{}, false
	}
	form, err := xvbForm(r, body)
	token := form.Get("token")
	form.Del("token")
	c := &ledger.Command{Vendor: "xvb", Action: "originate", Asked: map[string]string{}}
	for name := range maps.Keys(form) {
		c.Asked[name] = form.Get(name)
	}
	x := first(at, func(e *Exchange) bool { return e.token == token })
	switch {
	case err != nil:
		return refused(c, refuse(http.StatusBadRequest, "Invalid parameters")), true
	case x == nil:
		return refused(c, refuse(http.StatusUnauthorized, "Invalid token")), true
	}
	x.of(c)
	switch {
	case r.Method != http.MethodPost && (x.family || r.Method != http.MethodGet):
		return refused(c, refuse(http.StatusMethodNotAllowed, "Method not allowed")), true
	case c.Asked["cmd"] != "makeCall":
		return refused(c, refuse(http.StatusBadRequest, "Invalid command")), true
	}
	return task{c, func(chance chance) reply { return v.call(x, c, chance) }}, true
}

// xvbForm reads the parameters: those of a form, or, since the document gives no method, those of a query.
func xvbForm(r *http.Request, body []byte) (url.Values, error) {
	if r.Method == http.MethodGet {
		return url.ParseQuery(r.URL.RawQuery)
	}
	if !isForm(r) {
		return nil, http.ErrNotSupported
	}
	return url.ParseQuery(string(body))
}

func (v *xvbSide) call(x *Exchange, c *ledger.Command, chance chance) reply {
	caller, to := x.book.line(c.Asked["from"]), c.Asked["to"]
	if x.family {
		caller, to = x.familyUser(c.Asked["user"]), c.Asked["phone"]
	}
	if caller == nil {
		return refuse(http.StatusBadRequest, "Invalid parameters: no such user")
	}
	click, ok := x.click(caller, to, chance)
	if !ok {
		return refuse(http.StatusBadRequest, "Invalid parameters: no number to call")
	}
	call := v.live.Dial(x.Exchange, click)
	x.did(c, call)
	return xvbAnswer(v.live.Speaks(x.Exchange).Variant(), x.CallID(call))
}

// familyUser returns the phone of a login, which may have the tenant behind it, or of an extension.
func (x *Exchange) familyUser(user string) *flow.Agent {
	login, _ := strings.CutSuffix(user, "@"+x.Tenant)
	return x.book.anybody(login)
}

// xvbAnswer has the call's id, as one or the other variant gives it; or nothing.
func xvbAnswer(variant, id string) reply {
	switch variant {
	case "body", "family-form", "family-key":
		return reply{status: http.StatusOK, kind: "text/plain; charset=utf-8", body: []byte(id)}
	case "both", "family-json", "family-bearer":
		return answer(http.StatusOK, map[string]string{"callid": id})
	default:
		return reply{status: http.StatusOK, kind: "text/plain; charset=utf-8"}
	}
}
