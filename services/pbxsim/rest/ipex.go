package rest

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/switchhook/switchhook/services/pbxsim/flow"
	"github.com/switchhook/switchhook/services/pbxsim/ledger"
	"github.com/switchhook/switchhook/services/pbxsim/sim"
)

// ipexSide is that of IPEX: a token server, and calls that can be begun, ended and moved. Whoever is named as a user may be
// named by extension, login or e-mail.
type ipexSide struct {
	exchanges []*Exchange
	tokens    *tokens
	live      *sim.Live
}

func newIPEX(lifetime time.Duration, exchanges []*Exchange, live *sim.Live) *ipexSide {
	own := slices.DeleteFunc(slices.Clone(exchanges), func(e *Exchange) bool { return e.Vendor != "ipex" })
	return &ipexSide{own, newTokens(lifetime, own), live}
}

func (i *ipexSide) take(r *http.Request, body []byte) (task, bool) {
	path := r.URL.Path
	if e := first(i.exchanges, func(e *Exchange) bool { return path == e.authBase+"/token" }); e != nil {
		return task{act: func(chance) reply { return i.tokens.issue(r, e.authBase, body) }}, true
	}
	at := slices.DeleteFunc(slices.Clone(i.exchanges), func(e *Exchange) bool { return i.resource(e, path) == "" })
	if len(at) == 0 {
		return task{}, false
	}
	x := i.tokens.exchange(at, bearer(r))
	resource := i.resource(at[0], path)
	if resource == "/calls/current" {
		return task{act: func(chance) reply { return i.current(r, x) }}, true
	}
	return i.command(r, resource, body, x), true
}

// resource returns which of an exchange's resources a path is, or nothing.
func (i *ipexSide) resource(e *Exchange, path string) string {
	rest, ok := strings.CutPrefix(path, e.base)
	if ok && slices.Contains([]string{"/calls", "/calls/transfer", "/calls/current"}, rest) {
		return rest
	}
	return ""
}

// work carries out a command at an exchange.
type work func(x *Exchange, c *ledger.Command, chance chance) reply

func (i *ipexSide) command(r *http.Request, resource string, body []byte, x *Exchange) task {
	c := &ledger.Command{Vendor: "ipex"}
	var do work
	switch r.Method + " " + resource {
	case "POST /calls":
		c.Action, do = "originate", i.originate
	case "DELETE /calls":
		c.Action, do = "hangup", i.hangUp
	case "PUT /calls/transfer":
		c.Action, do = "transfer", i.transfer
	case "DELETE /calls/transfer":
		c.Action, do = "transfer_cancel", i.takeBack
	default:
		return task{act: func(chance) reply { return refuse(http.StatusMethodNotAllowed, "Method not allowed") }}
	}
	var err error
	c.Asked, err = ipexAsked(r, resource, body)
	if x == nil {
		return refused(c, refuse(http.StatusUnauthorized, "Invalid token"))
	}
	x.of(c)
	if err != nil {
		return refused(c, refuse(http.StatusBadRequest, "%v", err))
	}
	return task{c, func(chance chance) reply { return do(x, c, chance) }}
}

// ipexAsked reads the parameters of a command: those of a hang-up are in the query, all others in the body.
func ipexAsked(r *http.Request, resource string, body []byte) (map[string]string, error) {
	if r.Method == http.MethodDelete && (resource == "/calls" || len(body) == 0) {
		query, err := url.ParseQuery(r.URL.RawQuery)
		asked := map[string]string{}
		for name := range query {
			asked[name] = query.Get(name)
		}
		return asked, err
	}
	if !isJSON(r) {
		return nil, fmt.Errorf("the body is not JSON")
	}
	asked, err := parameters(body)
	if err != nil {
		return nil, fmt.Errorf("the body is not a JSON object")
	}
	return asked, nil
}

// originate calls from a user's phone, or from an extension on behalf of an application.
func (i *ipexSide) originate(x *Exchange, c *ledger.Command, chance chance) reply {
	caller, err := ipexCaller(x, c.Asked)
	if err != nil {
		return refuse(http.StatusBadRequest, "%v", err)
	}
	if caller == nil {
		return refuse(http.StatusNotFound, "fromUser: nobody is known by that")
	}
	click, ok := x.click(caller, c.Asked["to"], chance)
	if !ok {
		return refuse(http.StatusBadRequest, "to: want a number")
	}
	call := i.live.Dial(x.Exchange, click)
	x.did(c, call)
	return answer(http.StatusOK, map[string]string{"callId": c.CallID, "channelId": channel(call, caller)})
}

func ipexCaller(x *Exchange, asked map[string]string) (*flow.Agent, error) {
	if extension, given := asked["fromApplication.extenId"]; given {
		return x.book.line(extension), nil
	}
	value := asked["fromUser.identityValue"]
	switch kind := asked["fromUser.identityType"]; kind {
	case "line":
		return x.book.line(value), nil
	case "login":
		return x.book.login(value), nil
	case "email":
		return x.book.email(value), nil
	default:
		return nil, fmt.Errorf("fromUser.identityType: want email, login or line, have %q", kind)
	}
}

// channel is what Asterisk calls the part of a phone in a call.
func channel(c *flow.Call, a *flow.Agent) string {
	return fmt.Sprintf("SIP/%s-%08x", a.Extension, c.Number)
}

// hangUp ends a call, or what one phone has to do with it.
func (i *ipexSide) hangUp(x *Exchange, c *ledger.Command, _ chance) reply {
	names := 0
	for _, name := range []string{"channelId", "callId", "userId"} {
		if c.Asked[name] != "" {
			names++
		}
	}
	if names != 1 {
		return refuse(http.StatusBadRequest, "want one of channelId, callId and userId")
	}
	phone := x.book.anybody(c.Asked["userId"])
	for _, o := range i.live.Current(x.Exchange) {
		if c.Asked["callId"] == x.CallID(o.Call) {
			return i.turn(x, c, o, func(o sim.Ongoing) *flow.Call { return o.HangUp(o.Age, nil) })
		}
		for a := range o.Phones(o.Age) {
			if a == phone || c.Asked["channelId"] == channel(o.Call, a) {
				return i.turn(x, c, o, func(o sim.Ongoing) *flow.Call { return o.HangUp(o.Age, a) })
			}
		}
	}
	return refuse(http.StatusNotFound, "no such call")
}

// transfer gives the current call of a phone to another.
func (i *ipexSide) transfer(x *Exchange, c *ledger.Command, chance chance) reply {
	kind, to := c.Asked["type"], x.book.line(c.Asked["to"])
	switch {
	case kind != "blind" && kind != "attended":
		return refuse(http.StatusBadRequest, "type: want blind or attended, have %q", kind)
	case to == nil:
		return refuse(http.StatusBadRequest, "to: want a line of the exchange")
	}
	fate := chance.fate(to.Extension)
	return i.ofUser(x, c, func(o sim.Ongoing, phone *flow.Agent) *flow.Call {
		return o.Transfer(o.Age, phone, to, kind == "attended", fate)
	})
}

// takeBack ends a consultation.
func (i *ipexSide) takeBack(x *Exchange, c *ledger.Command, _ chance) reply {
	return i.ofUser(x, c, func(o sim.Ongoing, phone *flow.Agent) *flow.Call { return o.TakeBack(o.Age, phone) })
}

// ofUser turns the latest call of the user. Nobody need be named as long as only one phone could be meant.
func (i *ipexSide) ofUser(x *Exchange, c *ledger.Command, turn func(sim.Ongoing, *flow.Agent) *flow.Call) reply {
	calls, named := i.live.Current(x.Exchange), c.Asked["userId"]
	phone := x.book.anybody(named)
	for _, o := range calls {
		if named == "" && len(calls) == 1 {
			phone = holder(o)
		}
		if _, there := o.Phones(o.Age)[phone]; there {
			return i.turn(x, c, o, func(o sim.Ongoing) *flow.Call { return turn(o, phone) })
		}
	}
	return refuse(http.StatusNotFound, "no such call")
}

// holder is the phone that made a call, or that it was given to; nil if it could be one of several.
func holder(o sim.Ongoing) *flow.Agent {
	phones := o.Phones(o.Age)
	if _, there := phones[o.From]; there {
		return o.From
	}
	for a := range phones {
		if len(phones) == 1 {
			return a
		}
	}
	return nil
}

// turn lets a call go on in another way.
func (i *ipexSide) turn(x *Exchange, c *ledger.Command, o sim.Ongoing, turn func(sim.Ongoing) *flow.Call) reply {
	if !i.live.Turn(o.Number, turn) {
		return refuse(http.StatusConflict, "not in this state of the call")
	}
	x.did(c, o.Call)
	return answer(http.StatusOK, map[string]string{})
}

// current lists the phones that are in calls.
func (i *ipexSide) current(r *http.Request, x *Exchange) reply {
	switch {
	case x == nil:
		return refuse(http.StatusUnauthorized, "Invalid token")
	case r.Method != http.MethodGet:
		return refuse(http.StatusMethodNotAllowed, "Method not allowed")
	}
	list := []map[string]string{}
	for _, o := range i.live.Current(x.Exchange) {
		phones := o.Phones(o.Age)
		for _, l := range o.Legs() {
			does, there := phones[l.Agent]
			if !there {
				continue
			}
			state := map[flow.SpanKind]string{flow.Ringing: "ringing", flow.Dialing: "dialing", flow.Talking: "talking"}[does]
			list = append(list, map[string]string{
				"callId": x.CallID(o.Call), "channelId": channel(o.Call, l.Agent), "line": l.Agent.Extension,
				"from": o.Caller(), "to": o.Callee(), "direction": string(o.Direction), "state": state,
			})
		}
	}
	return answer(http.StatusOK, list)
}
