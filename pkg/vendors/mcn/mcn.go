// Package mcn speaks the dialect of MCN Telecom's virtual exchanges, today Kompaas: the classic JSON webhooks, and the new
// style whose text the customer composes. Both name what happened and carry a secret among their fields.
package mcn

import (
	"errors"
	"net/http"
	"net/netip"

	"github.com/switchhook/switchhook/pkg/config"
	"github.com/switchhook/switchhook/pkg/event"
	"github.com/switchhook/switchhook/pkg/fault"
	"github.com/switchhook/switchhook/pkg/vendors/fields"
	"github.com/switchhook/switchhook/pkg/webhook"
)

// Name is the vendor's name in the configuration and in subjects.
const Name = "mcn"

// Settings are an exchange's keys in the configuration.
type Settings struct {
	Webhook struct {
		AccountID string        `yaml:"account_id,required"`
		Secret    config.Secret `yaml:"secret,required"`
		// Empty: from anywhere. The vendor says that it sends from 85.94.49.0/25 and 85.94.32.0/24.
		AllowFrom []netip.Prefix `yaml:"allow_from"`
	} `yaml:"webhook,required"`
	API struct {
		URL    string        `yaml:"url"`
		Token  config.Secret `yaml:"token"`
		VPBXID string        `yaml:"vpbx_id"`
	} `yaml:"api"`
}

// Vendor is the dialect with its exchanges.
type Vendor struct {
	exchanges []*exchange
}

type exchange struct {
	origin     event.Origin
	region     string
	settings   Settings
	credential webhook.Credential
}

// New returns the dialect for the configured exchanges, or an error that holds config.Problems. Exchanges may share a
// secret, but then not an account.
func New(configured []*config.Exchange) (*Vendor, error) {
	v := &Vendor{}
	var errs []error
	for _, c := range configured {
		e := &exchange{origin: c.Origin(), region: c.Tenant.Region}
		err := c.Decode(&e.settings)
		hook := e.settings.Webhook
		e.credential = webhook.NewCredential(hook.Secret.Reveal())
		if err == nil {
			err = v.checkTwin(e, c)
		}
		errs = append(errs, err)
		v.exchanges = append(v.exchanges, e)
	}
	return v, errors.Join(errs...)
}

func (v *Vendor) checkTwin(e *exchange, c *config.Exchange) error {
	for _, twin := range v.exchanges {
		if twin.credential.Equal(e.credential) && twin.settings.Webhook.AccountID == e.settings.Webhook.AccountID {
			return c.Problem("webhook", "has the account_id and secret of %s: requests could not be told apart", twin.origin)
		}
	}
	return nil
}

// Profile implements webhook.Vendor.
func (v *Vendor) Profile() webhook.Profile {
	return webhook.Profile{Name: Name, Methods: []string{http.MethodGet, http.MethodPost}}
}

// Exchanges implements webhook.Vendor.
func (v *Vendor) Exchanges() []webhook.Exchange { return webhook.List(v.exchanges) }

// Origin implements webhook.Exchange.
func (e *exchange) Origin() event.Origin { return e.origin }

// Secrets implements webhook.Exchange.
func (e *exchange) Secrets() webhook.Secrets {
	return webhook.Secrets{e.settings.Webhook.Secret.Reveal()}
}

// Authenticate implements webhook.Vendor. With the secret readable, in body or query, whatever else cannot be read is for
// the quarantine.
func (v *Vendor) Authenticate(r webhook.Request) (webhook.Exchange, error) {
	f, err := gather(r)
	found := v.identify(f)
	switch {
	case found == nil && err != nil:
		return nil, fault.New(fault.Invalid, "mcn: %w", err)
	case found == nil || !webhook.Allowed(found.settings.Webhook.AllowFrom, r.Remote):
		return nil, fault.New(fault.Denied, "mcn: secret or account is missing or wrong")
	}
	return found, nil
}

// identify returns the only exchange that has the secret and the account, or nil. A request need not say its account. Every
// exchange is compared, so that the time does not tell how far a guess came.
func (v *Vendor) identify(f *fields.Fields) (found *exchange) {
	have := webhook.NewCredential(f.Peek(secretKey))
	var accounts []string
	for _, key := range accountKeys {
		accounts = append(accounts, f.Take(key))
	}
	matches := 0
	for _, e := range v.exchanges {
		if e.credential.Equal(have) && e.owns(accounts) {
			found = e
			matches++
		}
	}
	if matches != 1 || f.Err() != nil {
		return nil
	}
	return found
}

// owns reports whether every account that a request gives is that of the exchange.
func (e *exchange) owns(accounts []string) bool {
	for _, account := range accounts {
		if account != "" && account != e.settings.Webhook.AccountID {
			return false
		}
	}
	return true
}
