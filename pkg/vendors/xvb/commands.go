package xvb

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/switchhook/switchhook/pkg/command"
	"github.com/switchhook/switchhook/pkg/config"
	"github.com/switchhook/switchhook/pkg/event"
	"github.com/switchhook/switchhook/pkg/fault"
	"github.com/switchhook/switchhook/pkg/vendors/fields"
)

// Capabilities returns what the interface of XVB and its relatives can do: makeCall is all there is.
func Capabilities() []command.Capability { return []command.Capability{command.CanOriginate} }

type commander struct {
	origin   event.Origin
	address  string
	token    config.Secret
	from, to string // what the dialect calls the extension and the number
	client   *http.Client
}

// NewCommander returns what carries out commands at an exchange: nil if its configuration has no `api` section. An exchange that
// has a crm_token in its webhooks is one of XVB's relatives in its commands too. The error holds config.Problems.
func NewCommander(e *config.Exchange, client *http.Client) (command.Exchange, error) {
	var s Settings
	if err := e.Decode(&s); err != nil {
		return nil, err
	}
	given, err := command.Check(e,
		command.Key{Name: "url", Value: s.API.URL, IsAddress: true},
		command.Key{Name: "token", Value: s.API.Token.Reveal()})
	if !given || err != nil {
		return nil, err
	}
	x := &commander{origin: e.Origin(), address: s.API.URL, token: s.API.Token, from: "from", to: "to", client: client}
	if !s.Webhook.CRMToken.IsZero() {
		x.from, x.to = "user", "phone"
	}
	return x, nil
}

// Origin implements command.Exchange.
func (x *commander) Origin() event.Origin { return x.origin }

// Capabilities implements command.Exchange.
func (x *commander) Capabilities() []command.Capability { return Capabilities() }

// Plan implements command.Exchange.
func (x *commander) Plan(c command.Command) (command.Plan, error) {
	return x.plan(c, command.Concealed)
}

func (x *commander) plan(c command.Command, token string) (command.Plan, error) {
	if _, err := command.Require(Name, Capabilities(), c); err != nil {
		return command.Plan{}, err
	}
	if err := command.RefuseCallerID(Name, c); err != nil {
		return command.Plan{}, err
	}
	to, err := command.Digits(c.To)
	if err != nil {
		return command.Plan{}, err
	}
	return command.Form(x.address, url.Values{
		"cmd": {"makeCall"}, "token": {token}, x.from: {c.Extension}, x.to: {to},
	}), nil
}

// Execute implements command.Exchange.
func (x *commander) Execute(ctx context.Context, c command.Command) (command.Done, error) {
	p, err := x.plan(c, x.token.Reveal())
	if err != nil {
		return command.Done{}, err
	}
	var done command.Done
	a, err := command.Send(ctx, x.client, p)
	if err == nil {
		err = a.Err(x.token.Reveal())
	}
	if err == nil {
		done.CallID, err = x.readCallID(a)
	}
	if err != nil {
		return command.Done{}, fmt.Errorf("xvb: originate: %w", err)
	}
	return done, nil
}

// readCallID reads an answer with a status of success: a bare call id, as text or JSON, an object with or without one, or
// nothing at all.
func (x *commander) readCallID(a command.Answer) (string, error) {
	text := strings.TrimSpace(string(a.Body))
	f, err := fields.JSON(a.Body)
	if err == nil {
		words, refused := a.Refused(x.token.Reveal())
		if refused || saysNo(f) {
			return "", fault.New(fault.Internal, "refused: %q", cmp.Or(words, command.Words(a.Body, x.token.Reveal())))
		}
		return f.Peek("callid", "call_id", "uuid"), nil
	}
	var quoted string
	if json.Unmarshal([]byte(text), &quoted) == nil {
		text = quoted
	}
	if len(text) > maxCallID || strings.ContainsAny(text, " \t\r\n<>{}[]\"") {
		return "", &command.Lost{Reason: fmt.Sprintf("status %d, and the answer is not one that this exchange gives", a.Status)}
	}
	if isPleasantry(text) {
		return "", nil
	}
	return text, nil
}

// maxCallID is the longest bare answer, in bytes, that is taken for a call id, whose form is the exchange's business.
const maxCallID = 128

// saysNo reports whether an object that names no error is a refusal all the same.
func saysNo(f *fields.Fields) bool {
	switch strings.ToLower(f.Peek("success", "result", "status")) {
	case "false", "error", "fail", "failed":
		return true
	}
	return false
}

// isPleasantry reports whether a bare answer says that all is well and names no call.
func isPleasantry(text string) bool {
	switch strings.ToLower(text) {
	case "", "ok", "true", "success", "accepted", "null":
		return true
	}
	return false
}
