package harmless_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"testing"

	"github.com/switchhook/switchhook/pkg/harmless"
)

func ExampleError() {
	err := &url.Error{Op: "Get", URL: "https://crm.example/?token=hunter2", Err: io.EOF}
	fmt.Println(harmless.Error(err))
	fmt.Println(harmless.Error(errors.New("login hunter2 refused")))
	// Output:
	// EOF
	// the connection failed
}

func TestError(t *testing.T) {
	own := errors.New("the answer is too long")
	refused := &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}
	for name, test := range map[string]struct{ err, want error }{
		"too late":      {fmt.Errorf("Get https://u:p@crm: %w", context.DeadlineExceeded), context.DeadlineExceeded},
		"a further one": {fmt.Errorf("hunter2: %w", own), own},
		"refused":       {&url.Error{Op: "Get", URL: "https://hunter2", Err: refused}, refused},
	} {
		t.Run(name, func(t *testing.T) {
			if have := harmless.Error(test.err, own); !errors.Is(have, test.want) || have.Error() != test.want.Error() {
				t.Errorf("want %v, have %v", test.want, have)
			}
		})
	}
}
