package fault_test

import (
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/switchhook/switchhook/pkg/fault"
)

func ExampleNew() {
	err := fault.New(fault.Invalid, "duration: %w", errors.New("not a number"))
	fmt.Println(err, "|", fault.Of(err), "|", fault.Is(err, fault.Denied))
	// Output: duration: not a number | invalid | false
}

func TestOf(t *testing.T) {
	invalid := fault.New(fault.Invalid, "body: %w", io.ErrUnexpectedEOF)
	tests := map[string]struct {
		err  error
		want fault.Kind
	}{
		"nil":          {nil, fault.Internal},
		"unclassified": {io.EOF, fault.Internal},
		"classified":   {invalid, fault.Invalid},
		"wrapped":      {fmt.Errorf("ipex: %w", invalid), fault.Invalid},
		"reclassified": {fault.New(fault.Denied, "account: %w", invalid), fault.Denied},
		"joined":       {errors.Join(io.EOF, invalid), fault.Invalid},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if have := fault.Of(test.err); test.want != have {
				t.Errorf("want %v, have %v", test.want, have)
			}
		})
	}
	if fault.Is(nil, fault.Internal) {
		t.Error("want no kind for nil, have internal")
	}
	if !errors.Is(invalid, io.ErrUnexpectedEOF) {
		t.Error("want the cause kept in the chain, have it lost")
	}
}

func TestKindString(t *testing.T) {
	for kind, want := range map[fault.Kind]string{
		fault.Internal: "internal", fault.Invalid: "invalid", fault.Denied: "denied",
		fault.NotFound: "not found", fault.Unavailable: "unavailable", fault.Kind(99): "internal",
	} {
		if have := kind.String(); want != have {
			t.Errorf("want %q, have %q", want, have)
		}
	}
}
