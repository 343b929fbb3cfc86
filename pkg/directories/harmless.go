package directories

import "github.com/switchhook/switchhook/pkg/harmless"

// harmlessError returns what may be said about why talking to a directory came to nothing.
func harmlessError(err error) error { return harmless.Error(err, errElsewhere, errTooLong) }
