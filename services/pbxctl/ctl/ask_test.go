package ctl_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/switchhook/switchhook/pkg/bus"
	"github.com/switchhook/switchhook/pkg/bustest"
	"github.com/switchhook/switchhook/pkg/event"
	"github.com/switchhook/switchhook/pkg/fault"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// serve answers questions on a subject until stop is called, at the latest at the end of the test.
func serve[Q, A proto.Message](t *testing.T, b *bus.Bus, subject string, answer func(Q) (A, error)) (stop func()) {
	t.Helper()
	execute, interrupt := b.Serve("stub", "answers a test", bus.Answer(subject, func(_ context.Context, q Q) (A, error) {
		return answer(q)
	}))
	done := make(chan error, 1)
	go func() { done <- execute() }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		interrupt(nil)
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(stop)
	bustest.Eventually(t, "a service on "+subject, func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		unreadable := wrapperspb.Bytes([]byte{0xff}) // where a tenant is expected: refused before it is answered
		return fault.Is(b.Ask(ctx, subject, unreadable, new(pbxv1.Event)), fault.Invalid)
	})
	return stop
}

// serveFixed gives one answer, and tells what was asked.
func serveFixed[Q, A proto.Message](t *testing.T, b *bus.Bus, subject string, answer A) <-chan Q {
	t.Helper()
	asked := make(chan Q, 100)
	serve(t, b, subject, func(q Q) (A, error) {
		asked <- q
		return answer, nil
	})
	return asked
}

// wantAsked demands what was asked.
func wantAsked[Q proto.Message](t *testing.T, want Q, asked <-chan Q) {
	t.Helper()
	select {
	case have := <-asked:
		if !proto.Equal(want, have) {
			t.Errorf("want the question %v, have %v", want, have)
		}
	default:
		t.Errorf("want the question %v, have none", want)
	}
}

// questions are commands that ask a service.
func questions() map[string][]string {
	return map[string][]string{
		event.QueryContactLookup:     {"contact", "lookup", "777123456"},
		event.QueryContactInvalidate: {"contact", "forget"},
		event.QueryAgentList:         {"agents"},
		event.QueryAgentGet:          {"agents", "show", "alice"},
		event.QueryAgentStatistics:   {"agents", "stats"},
		event.QueryCallList:          {"calls"},

		event.QueryMissedCallList:     {"missed", "ls"},
		event.QueryMissedCallSilence:  {"missed", "silence", "--for", "1h"},
		event.QueryMissedCallSilences: {"missed", "silence", "ls"},
	}
}

func TestNoService(t *testing.T) {
	server, _ := start(t)
	for subject, args := range questions() {
		t.Run(subject, func(t *testing.T) {
			service := "agent-state"
			switch {
			case strings.Contains(subject, ".contact."):
				service = "contact-lookup"
			case strings.Contains(subject, ".missed_call."):
				service = "missed-call"
			}
			t.Setenv("SWITCHHOOK_TENANT", "acme")
			want := service + " does not answer at " + server.URL() + "; is it running?"
			began := time.Now()
			run(t, world(), args...).want(t, 1, "", want)
			if took := time.Since(began); took > 3*time.Second {
				t.Errorf("want an error at once, have it after %s", took)
			}
		})
	}
}

func TestNoServiceTellsNoPassword(t *testing.T) {
	server, _ := start(t)
	url := strings.Replace(server.URL(), "nats://", "nats://alice:s3cret@", 1)
	for name, url := range map[string]string{
		"whole":          url,
		"without scheme": strings.TrimPrefix(url, "nats://"),
		"list":           url + "," + server.URL(),
	} {
		t.Run(name, func(t *testing.T) {
			r := run(t, world(), "calls", "--tenant", "acme", "--nats", url)
			r.want(t, 1, "", "does not answer at nats://127.0.0.1:")
			for _, secret := range []string{"alice", "s3cret"} {
				if strings.Contains(r.stderr, secret) {
					t.Errorf("want no %q, have %s", secret, r.stderr)
				}
			}
		})
	}
}

func TestServiceRefuses(t *testing.T) {
	_, b := start(t)
	t.Setenv("SWITCHHOOK_TENANT", "acme")
	serve(t, b, event.QueryAgentGet, func(*pbxv1.AgentGetRequest) (*pbxv1.AgentGetResponse, error) {
		return nil, fault.New(fault.NotFound, "no agent \"alice\" in acme")
	})
	run(t, world(), "agents", "show", "alice").want(t, 1, "", `no agent "alice" in acme`)
	serve(t, b, event.QueryCallList, func(*pbxv1.CallListRequest) (*pbxv1.CallListResponse, error) {
		return nil, fault.New(fault.Invalid, "there is no tenant acme")
	})
	run(t, world(), "calls").want(t, 1, "", "there is no tenant acme")
	run(t, world(), "calls", "--watch").want(t, 1, "", "there is no tenant acme")
	serve(t, b, event.QueryAgentList, func(*pbxv1.AgentListRequest) (*pbxv1.AgentListResponse, error) {
		return nil, fault.New(fault.Unavailable, "still reading the stream")
	})
	run(t, world(), "agents").want(t, 1, "", "still reading the stream")
}

func TestServiceHangs(t *testing.T) {
	_, b := start(t)
	hang := make(chan struct{})
	serve(t, b, event.QueryContactLookup, func(*pbxv1.ContactLookupRequest) (*pbxv1.ContactLookupResponse, error) {
		<-hang
		return &pbxv1.ContactLookupResponse{}, nil
	})
	t.Cleanup(func() { close(hang) })
	run(t, world(), "contact", "lookup", "1", "--tenant", "acme", "--timeout", "1ms").want(t, 1, "",
		"contact-lookup did not answer within 1.001s")
}
