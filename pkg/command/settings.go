package command

import (
	"errors"
	"strings"
	"unicode"

	"github.com/switchhook/switchhook/pkg/config"
)

// Key is a key of an exchange's `api` section, as it was read.
type Key struct {
	Name, Value string
	IsAddress   bool
}

// Check reports whether an exchange has an `api` section at all. If it has one, every key is needed, and addresses must pass
// CheckAddress; the error holds config.Problems, none of which shows a value.
func Check(e *config.Exchange, keys ...Key) (given bool, err error) {
	var errs []error
	for _, key := range keys {
		if key.Value != "" {
			given = true
		}
	}
	for _, key := range keys {
		path := "api." + key.Name
		switch {
		case !given:
		case key.Value == "":
			errs = append(errs, e.Problem(path, "is missing"))
		case strings.ContainsFunc(key.Value, unicode.IsControl):
			errs = append(errs, e.Problem(path, "want text on one line, without control characters"))
		case key.IsAddress:
			if err := CheckAddress(key.Value); err != nil {
				errs = append(errs, e.Problem(path, "%v", err))
			}
		}
	}
	return given, errors.Join(errs...)
}
