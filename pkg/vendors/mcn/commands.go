package mcn

import (
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

// Capabilities returns what the vendor's interface can do. No public way to hang up or to transfer is known.
func Capabilities() []command.Capability { return []command.Capability{command.CanOriginate} }

type commander struct {
	origin  event.Origin
	address string
	token   config.Secret
	client  *http.Client
}

// NewCommander returns what carries out commands at an exchange: nil if its configuration has no `api` section. The error holds
// config.Problems.
func NewCommander(e *config.Exchange, client *http.Client) (command.Exchange, error) {
	var s Settings
	if err := e.Decode(&s); err != nil {
		return nil, err
	}
	given, err := command.Check(e,
		command.Key{Name: "url", Value: s.API.URL, IsAddress: true},
		command.Key{Name: "token", Value: s.API.Token.Reveal()},
		command.Key{Name: "vpbx_id", Value: s.API.VPBXID})
	if !given || err != nil {
		return nil, err
	}
	return &commander{
		origin: e.Origin(),
		address: strings.TrimRight(s.API.URL, "/") + "/account/" + url.PathEscape(s.Webhook.AccountID) +
			"/vpbx/" + url.PathEscape(s.API.VPBXID) + "/outbound_call",
		token:  s.API.Token,
		client: client,
	}, nil
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
	body, err := json.Marshal(struct {
		From string `json:"from"`
		To   string `json:"to"`
	}{c.Extension, to})
	return command.JSON(http.MethodPost, x.address, token, body), err
}

// Execute implements command.Exchange. The vendor names no call in its answer.
func (x *commander) Execute(ctx context.Context, c command.Command) (command.Done, error) {
	p, err := x.plan(c, x.token.Reveal())
	if err != nil {
		return command.Done{}, err
	}
	a, err := command.Send(ctx, x.client, p)
	if err == nil {
		err = x.read(a)
	}
	if err != nil {
		return command.Done{}, fmt.Errorf("mcn: originate: %w", err)
	}
	return command.Done{}, nil
}

// read finds success in the body alone: errors come with status 200 as well.
func (x *commander) read(a command.Answer) error {
	if err := a.Err(x.token.Reveal()); err != nil {
		return err
	}
	if words, refused := a.Refused(x.token.Reveal()); refused {
		return fault.New(fault.Internal, "refused: %q", words)
	}
	f, err := fields.JSON(a.Body)
	if err != nil {
		return &command.Lost{Reason: fmt.Sprintf("status %d, and the answer is no JSON object", a.Status)}
	}
	switch f.Peek("status") {
	case "success":
		return nil
	case "":
		return &command.Lost{Reason: fmt.Sprintf("status %d, and the answer says neither success nor an error", a.Status)}
	default:
		return fault.New(fault.Internal, "refused: %q", command.Words(a.Body, x.token.Reveal()))
	}
}
