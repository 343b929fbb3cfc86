package ipex

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/switchhook/switchhook/pkg/command"
	"github.com/switchhook/switchhook/pkg/config"
	"github.com/switchhook/switchhook/pkg/event"
	"github.com/switchhook/switchhook/pkg/fault"
	"github.com/switchhook/switchhook/pkg/vendors/fields"
)

// Capabilities returns what the vendor's interface can do. Its documents know no request that completes an attended transfer.
func Capabilities() []command.Capability {
	return []command.Capability{
		command.CanOriginate, command.CanHangup,
		command.CanTransferBlind, command.CanTransferAttended, command.CanTransferCancel,
	}
}

type commander struct {
	origin  event.Origin
	region  string
	address string
	login   *login
	client  *http.Client
}

// NewCommander returns what carries out commands at an exchange: nil if its configuration has no `api` section. The error holds
// config.Problems.
func NewCommander(e *config.Exchange, client *http.Client) (command.Exchange, error) {
	api, err := readAPI(e)
	if api == nil || err != nil {
		return nil, err
	}
	return &commander{
		origin:  e.Origin(),
		region:  e.Tenant.Region,
		address: strings.TrimRight(api.URL, "/"),
		client:  client,
		login:   newLogin(api, client),
	}, nil
}

// readAPI returns the `api` section of an exchange, or nil if it has none. The error holds config.Problems.
func readAPI(e *config.Exchange) (*API, error) {
	var s Settings
	if err := e.Decode(&s); err != nil {
		return nil, err
	}
	given, err := command.Check(e,
		command.Key{Name: "url", Value: s.API.URL, IsAddress: true},
		command.Key{Name: "auth_url", Value: s.API.AuthURL, IsAddress: true},
		command.Key{Name: "username", Value: s.API.Username},
		command.Key{Name: "password", Value: s.API.Password.Reveal()})
	if !given || err != nil {
		return nil, err
	}
	return &s.API, nil
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
	need, err := command.Require(Name, Capabilities(), c)
	if err != nil {
		return command.Plan{}, err
	}
	method, path := http.MethodPut, "/calls/transfer"
	var content any
	switch need {
	case command.CanOriginate:
		method, path = http.MethodPost, "/calls"
		content, err = x.originate(c)
	case command.CanHangup:
		return command.JSON(http.MethodDelete, x.address+"/calls?"+hangup(c).Encode(), token, nil), nil
	case command.CanTransferBlind:
		content, err = x.transfer(c, "blind")
	case command.CanTransferAttended:
		content, err = x.transfer(c, "attended")
	case command.CanTransferCancel:
		method, content = http.MethodDelete, transferBody{UserID: userID(c)}
	}
	if err != nil {
		return command.Plan{}, err
	}
	body, err := json.Marshal(content)
	return command.JSON(method, x.address+path, token, body), err
}

type originateBody struct {
	To           string   `json:"to"`
	CallerID     string   `json:"callerId,omitempty"`
	CallerIDName string   `json:"callerIdName,omitempty"`
	FromUser     identity `json:"fromUser"`
}

type identity struct {
	Type  string `json:"identityType"`
	Value string `json:"identityValue"`
}

// originate names the caller by the line, though the exchange also takes an email or a login: the line is what policy allowed,
// while an exchange that looks for somebody's phone may find another one. Numbers are national, as in the exchange's events.
func (x *commander) originate(c command.Command) (originateBody, error) {
	to, err := command.National(c.To, x.region)
	if err != nil {
		return originateBody{}, err
	}
	asked := c.Request.GetOriginate()
	if err := cmp.Or(
		command.CheckText("caller_id", asked.GetCallerId()),
		command.CheckText("caller_id_name", asked.GetCallerIdName()),
	); err != nil {
		return originateBody{}, err
	}
	return originateBody{
		To:           to,
		CallerID:     asked.GetCallerId(),
		CallerIDName: asked.GetCallerIdName(),
		FromUser:     identity{"line", c.Extension},
	}, nil
}

// hangup names the call as narrowly as is known: the channel, the call, or the person's current call.
func hangup(c command.Command) url.Values {
	switch {
	case c.ChannelID != "":
		return url.Values{"channelId": {c.ChannelID}}
	case c.CallID != "":
		return url.Values{"callId": {c.CallID}}
	default:
		return url.Values{"userId": {userID(c)}}
	}
}

type transferBody struct {
	To     string `json:"to,omitempty"`
	Type   string `json:"type,omitempty"`
	UserID string `json:"userId"`
}

// transfer is of the person's current call: the exchange does not ask which.
func (x *commander) transfer(c command.Command, kind string) (transferBody, error) {
	to, err := command.National(c.To, x.region)
	return transferBody{To: to, Type: kind, UserID: userID(c)}, err
}

// userID names the person whose call it is. It is never left out, for without it the exchange takes the current call of the
// account that we log in with. The documents do not say what it is made of: this is the name that is most surely one person's.
func userID(c command.Command) string {
	return cmp.Or(c.User.GetLogin(), c.User.GetEmail(), c.Extension)
}

// Execute implements command.Exchange.
func (x *commander) Execute(ctx context.Context, c command.Command) (command.Done, error) {
	if _, err := x.Plan(c); err != nil { // before anybody logs in for it
		return command.Done{}, err
	}
	need, err := command.Needs(c.Request)
	if err != nil {
		return command.Done{}, err
	}
	done, err := x.execute(ctx, c, need)
	if err != nil {
		return command.Done{}, fmt.Errorf("ipex: %s: %w", need, err)
	}
	return done, nil
}

func (x *commander) execute(ctx context.Context, c command.Command, need command.Capability) (command.Done, error) {
	a, token, err := x.send(ctx, c, "")
	if err == nil && a.Status == http.StatusUnauthorized {
		a, token, err = x.send(ctx, c, token)
	}
	secrets := append(x.login.secrets(), token)
	if err == nil {
		err = a.Err(secrets...)
	}
	if err != nil || need != command.CanOriginate {
		return command.Done{}, err
	}
	return readCall(a, secrets)
}

// send sends the command with a token other than the refused one, and returns the token.
func (x *commander) send(ctx context.Context, c command.Command, refused string) (command.Answer, string, error) {
	token, err := x.token(ctx, c.Expires, refused)
	if err != nil {
		return command.Answer{}, "", err
	}
	p, err := x.plan(c, token)
	if err != nil {
		return command.Answer{}, token, err
	}
	a, err := command.Send(ctx, x.client, p)
	return a, token, err
}

// token returns a token for a command, unless it is too late for that by then.
func (x *commander) token(ctx context.Context, expires time.Time, refused string) (string, error) {
	if expires.IsZero() {
		return x.login.token(ctx, refused)
	}
	ctx, cancel := context.WithDeadline(ctx, expires)
	defer cancel()
	token, err := x.login.token(ctx, refused)
	if err == nil && !time.Now().Before(expires) {
		return "", fault.New(fault.Unavailable, "nothing was sent: the token came too late")
	}
	return token, err
}

// readCall reads the answer to an originate, which always names the call.
func readCall(a command.Answer, secrets []string) (command.Done, error) {
	if words, refused := a.Refused(secrets...); refused {
		return command.Done{}, fault.New(fault.Internal, "refused: %q", words)
	}
	f, err := fields.JSON(a.Body)
	if err != nil || f.Peek("callId") == "" {
		return command.Done{}, &command.Lost{Reason: fmt.Sprintf("status %d, and the answer names no call", a.Status)}
	}
	return command.Done{CallID: f.Peek("callId"), ChannelID: f.Peek("channelId")}, nil
}
