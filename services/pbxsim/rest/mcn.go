package rest

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/switchhook/switchhook/services/pbxsim/ledger"
	"github.com/switchhook/switchhook/services/pbxsim/sim"
)

// mcnSide is that of MCN: calls can be begun, and nothing else. All errors but those of credentials have status 200.
type mcnSide struct {
	exchanges []*Exchange
	live      *sim.Live
}

func (m *mcnSide) take(r *http.Request, body []byte) (task, bool) {
	at, account, virtual := m.find(r.URL.Path)
	if len(at) == 0 {
		return task{}, false
	}
	asked, err := parameters(body)
	c := &ledger.Command{Vendor: "mcn", Action: "originate", Asked: asked}
	known := func(e *Exchange) bool { return e.token == bearer(r) }
	x := first(at, func(e *Exchange) bool { return known(e) && e.account == account && e.virtual == virtual })
	if x != nil {
		x.of(c)
	}
	switch {
	case x == nil && first(at, known) == nil:
		return refused(c, mcnError(http.StatusUnauthorized, "Invalid token")), true
	case r.Method != http.MethodPost:
		return refused(c, mcnError(http.StatusMethodNotAllowed, "Method not allowed")), true
	case x == nil:
		return refused(c, mcnError(http.StatusOK, "No such virtual PBX")), true
	case err != nil || !isJSON(r):
		return refused(c, mcnError(http.StatusOK, "The body is not JSON")), true
	}
	return task{c, func(chance chance) reply { return m.call(x, c, chance) }}, true
}

// find returns the exchanges that may be meant by a path, and what else it says.
func (m *mcnSide) find(path string) (at []*Exchange, account, virtual string) {
	for _, e := range m.exchanges {
		rest, ok := strings.CutPrefix(path, e.base+"/")
		parts := strings.Split(rest, "/")
		if ok && e.Vendor == "mcn" && len(parts) == 5 &&
			parts[0] == "account" && parts[2] == "vpbx" && parts[4] == "outbound_call" {
			at, account, virtual = append(at, e), parts[1], parts[3]
		}
	}
	return at, account, virtual
}

// call begins a call whenever it is asked to: there is nothing by which the exchange could tell a repetition.
func (m *mcnSide) call(x *Exchange, c *ledger.Command, chance chance) reply {
	caller := x.book.line(c.Asked["from"])
	if caller == nil {
		return mcnError(http.StatusOK, "from: no such extension")
	}
	click, ok := x.click(caller, c.Asked["to"], chance)
	if !ok || strings.HasPrefix(c.Asked["to"], "+") {
		return mcnError(http.StatusOK, "to: want a number, digits only")
	}
	for _, name := range []string{"timeout_from", "timeout_to"} {
		if value, given := c.Asked[name]; given {
			if n, err := strconv.Atoi(value); err != nil || n < 1 {
				return mcnError(http.StatusOK, name+": want seconds")
			}
		}
	}
	x.did(c, m.live.Dial(x.Exchange, click))
	return answer(http.StatusOK, map[string]string{"status": "success"})
}

func mcnError(status int, description string) reply {
	return answer(status, map[string]any{"errors": map[string]string{"description": description}})
}
