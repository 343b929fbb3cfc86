// Package ipex speaks the dialect of IPEX / VOIPEX iPBX exchanges: JSON webhooks about calls and call-centre agents,
// authenticated by HTTP Basic or by a bearer token that the exchange fetches from us first.
package ipex

import (
	"errors"
	"net/http"
	"net/netip"
	"slices"
	"time"

	"github.com/switchhook/switchhook/pkg/config"
	"github.com/switchhook/switchhook/pkg/event"
	"github.com/switchhook/switchhook/pkg/fault"
	"github.com/switchhook/switchhook/pkg/webhook"
)

// Name is the vendor's name in the configuration and in subjects.
const Name = "ipex"

// Settings are an exchange's keys in the configuration.
type Settings struct {
	Webhook struct {
		Username  string         `yaml:"username,required"`
		Password  config.Secret  `yaml:"password,required"`
		AllowFrom []netip.Prefix `yaml:"allow_from"` // empty: from anywhere
	} `yaml:"webhook,required"`
	// Fields tells the body keys that were renamed on the exchange (from version 4.6): the default name to the new one.
	Fields map[string]string `yaml:"fields"`
	API    API               `yaml:"api"`
}

// API is the exchange's interface for commands; all of it is given, or nothing.
type API struct {
	URL      string        `yaml:"url"`
	AuthURL  string        `yaml:"auth_url"` // of the token server, without /token
	Username string        `yaml:"username"`
	Password config.Secret `yaml:"password"`
}

// Vendor is the dialect with its exchanges.
type Vendor struct {
	exchanges []*exchange
}

type exchange struct {
	origin     event.Origin
	region     string
	location   *time.Location // which call records are written in
	settings   Settings
	credential webhook.Credential
}

// New returns the dialect for the configured exchanges, or an error that holds config.Problems.
func New(configured []*config.Exchange) (*Vendor, error) {
	v := &Vendor{}
	var errs []error
	for _, c := range configured {
		e := &exchange{origin: c.Origin(), region: c.Tenant.Region, location: c.Tenant.Location}
		errs = append(errs, c.Decode(&e.settings), e.checkFields(c))
		hook := e.settings.Webhook
		e.credential = webhook.NewCredential(hook.Username, hook.Password.Reveal())
		if twin := v.byLogin(hook.Username, hook.Password.Reveal()); twin != nil && !hook.Password.IsZero() {
			errs = append(errs, c.Problem("webhook",
				"has the username and password of %s: requests could not be told apart", twin.origin))
		}
		v.exchanges = append(v.exchanges, e)
	}
	return v, errors.Join(errs...)
}

func (e *exchange) checkFields(c *config.Exchange) error {
	var errs []error
	for name := range e.settings.Fields {
		if !slices.Contains(keys, name) && !slices.Contains(recordKeys, name) {
			errs = append(errs, c.Problem("fields."+name, "%q is no key that the exchange sends by default", name))
		}
	}
	return errors.Join(errs...)
}

// Profile implements webhook.Vendor.
func (v *Vendor) Profile() webhook.Profile {
	return webhook.Profile{Name: Name, Methods: []string{http.MethodPost}, Challenge: `Basic realm="switchhook"`}
}

// Exchanges implements webhook.Vendor.
func (v *Vendor) Exchanges() []webhook.Exchange { return webhook.List(v.exchanges) }

// Origin implements webhook.Exchange.
func (e *exchange) Origin() event.Origin { return e.origin }

// Secrets implements webhook.Exchange.
func (e *exchange) Secrets() webhook.Secrets {
	return webhook.Secrets{e.settings.Webhook.Password.Reveal()}
}

// Authenticate implements webhook.Vendor. A request for a token carries the login in its body, or as Basic.
func (v *Vendor) Authenticate(r webhook.Request) (webhook.Exchange, error) {
	found, err := v.identify(r)
	if err != nil {
		return nil, err
	}
	if found == nil || !webhook.Allowed(found.settings.Webhook.AllowFrom, r.Remote) {
		return nil, fault.New(fault.Denied, "ipex: credentials are missing or wrong")
	}
	return found, nil
}

func (v *Vendor) identify(r webhook.Request) (*exchange, error) {
	header := http.Request{Header: r.Header}
	if username, password, ok := header.BasicAuth(); ok {
		return v.byLogin(username, password), nil
	}
	if isTokenRequest(r) {
		username, password, err := readLogin(r.Body)
		if err != nil {
			return nil, err
		}
		return v.byLogin(username, password), nil
	}
	return v.byToken(bearer(r.Header), r.ReceivedAt), nil
}

// byLogin compares with every exchange, so that the time does not tell how far a guess came.
func (v *Vendor) byLogin(username, password string) (found *exchange) {
	have := webhook.NewCredential(username, password)
	for _, e := range v.exchanges {
		if e.credential.Equal(have) {
			found = e
		}
	}
	return found
}
