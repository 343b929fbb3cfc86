package command

import (
	"errors"
	"net/url"
	"strings"
	"unicode"

	"github.com/switchhook/switchhook/pkg/fault"
	"github.com/switchhook/switchhook/pkg/phone"
)

// CheckAddress says what is wrong with an exchange's address in the configuration: it must be http or https, and hold no
// credentials, query or fragment. The error shows nothing of the address.
func CheckAddress(address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return errors.New("want an address that begins with https:// or http://")
	}
	if u.User != nil || strings.ContainsAny(address, "?#") {
		return errors.New("want an address without credentials, query or fragment")
	}
	return nil
}

// Digits returns a number as international digits without "+", or an extension as it is. Anything else is fault.Invalid.
func Digits(n phone.Number) (string, error) {
	return number(n, func() string { return strings.TrimPrefix(n.E164, "+") })
}

// National returns a number as it is dialled in its country if that is the region's, else with 00 and the country code; an
// extension as it is. Anything else is fault.Invalid.
func National(n phone.Number, region string) (string, error) {
	return number(n, func() string {
		dialled := ""
		for _, form := range phone.Forms(n, region) {
			if form.Name == "national" || form.Name == "international" && dialled == "" {
				dialled = form.Number
			}
		}
		if dialled == "" {
			dialled = "00" + strings.TrimPrefix(n.E164, "+")
		}
		return dialled
	})
}

func number(n phone.Number, outside func() string) (string, error) {
	switch {
	case n.Kind == phone.Outside:
		return outside(), nil
	case n.Kind == phone.Extension && isDigits(n.Raw):
		return n.Raw, nil
	case n.Raw == "":
		return "", fault.New(fault.Invalid, "the number to call is missing")
	default:
		return "", fault.New(fault.Invalid, "%q is no number that can be called", n.Raw)
	}
}

func isDigits(s string) bool {
	return strings.Trim(s, "0123456789") == "" && s != ""
}

// maxText is the longest text, in bytes, that is passed on to an exchange for people to see.
const maxText = 128

// CheckText returns fault.Invalid for text that is not to be passed on to an exchange: one of several lines could end up as
// commands to the Asterisk behind its interface.
func CheckText(name, text string) error {
	if len(text) > maxText || strings.ContainsFunc(text, unicode.IsControl) {
		return fault.New(fault.Invalid, "%s: want at most %d bytes on one line", name, maxText)
	}
	return nil
}

// RefuseCallerID returns fault.Invalid for a command to show a certain number, at a vendor that cannot: a call that shows another
// one is not what was asked for.
func RefuseCallerID(vendor string, c Command) error {
	if o := c.Request.GetOriginate(); o.GetCallerId() != "" || o.GetCallerIdName() != "" {
		return fault.New(fault.Invalid, "originate with a caller id is not supported by %s", vendor)
	}
	return nil
}
