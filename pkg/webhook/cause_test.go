package webhook_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/switchhook/switchhook/pkg/fault"
	"github.com/switchhook/switchhook/pkg/webhook"
)

func TestCauseOf(t *testing.T) {
	inner := webhook.NotUnderstood(webhook.Malformed, "want a JSON object")
	tests := map[string]struct {
		err  error
		want webhook.Cause
	}{
		"itself":             {inner, webhook.Malformed},
		"wrapped":            {fmt.Errorf("mcn: %w", inner), webhook.Malformed},
		"another above it":   {webhook.NotUnderstood(webhook.BadField, "payload: %w", inner), webhook.BadField},
		"somebody else's":    {errors.New("broken"), webhook.OtherCause},
		"none of an error's": {nil, webhook.OtherCause},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if have := webhook.CauseOf(test.err); test.want != have {
				t.Errorf("want %s, have %s", test.want, have)
			}
		})
	}
	if !fault.Is(inner, fault.Invalid) || inner.Error() != "want a JSON object" {
		t.Errorf("want an invalid one with its text, have %v", inner)
	}
}
