package e2e_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/switchhook/switchhook/pkg/bus"
	"github.com/switchhook/switchhook/pkg/bustest"
	"github.com/switchhook/switchhook/services/pbxsim/ledger"
	"github.com/switchhook/switchhook/test/process"
)

const commanded = `tenants:
  - name: acme
    region: CZ
    timezone: Europe/Prague
    exchanges:
      - vendor: ipex
        webhook: {username: webhook, password: e2e-ipex}
        api: {url: "http://ADDRESS", auth_url: "http://ADDRESS/auth", username: me, password: e2e-api}
      - vendor: mcn
        webhook: {account_id: 10123, secret: e2e-mcn}
        api: {url: "http://ADDRESS/v2/rest", token: e2e-mcn-api, vpbx_id: 42}
      - vendor: xvb
        webhook: {access_code: e2e-xvb}
        api: {url: "http://ADDRESS/crm-api", token: e2e-xvb-api}
`

// office is a standalone and an exchange that takes its commands, and reports what comes of them.
type office struct {
	*switchhook
	config, ledger string
	sim            *process.Process
}

func newOffice(t *testing.T, hostile ...string) *office {
	t.Helper()
	a := process.FreeAddresses(t, 4)
	o := &office{
		switchhook: &switchhook{t: t, listen: a[0], admin: a[1], nats: a[2], data: t.TempDir()},
		config:     filepath.Join(t.TempDir(), "switchhook.yaml"), ledger: filepath.Join(t.TempDir(), "ledger.jsonl"),
	}
	process.WriteFile(t, o.config, strings.ReplaceAll(commanded, "ADDRESS", a[3]))
	o.program = process.Start(t, "standalone", "--config", o.config, "--listen", o.listen, "--admin-listen", o.admin,
		"--nats-listen", o.nats, "--data", o.data, "--log-level", "error")
	o.awaitReady()
	o.sim = process.Start(t, "pbxsim", append([]string{
		"--config", o.config, "--serve", a[3], "--target", "http://" + o.listen, "--ledger", o.ledger, "--speed", "60",
	}, hostile...)...)
	o.sim.AwaitListening(a[3], 10*time.Second)
	return o
}

func (o *office) pbxctl(args ...string) *process.Process {
	return process.Start(o.t, "pbxctl", append(args, "--nats", "nats://"+o.nats, "--tenant", "acme")...)
}

// dials ends the exchange and returns how many calls were made by command.
func (o *office) dials() (n int) {
	o.t.Helper()
	o.sim.Stop(syscall.SIGINT)
	file, err := os.Open(o.ledger)
	if err != nil {
		o.t.Fatal(err)
	}
	defer file.Close()
	for entry, err := range ledger.Read(file) {
		if err != nil {
			o.t.Fatal(err)
		}
		if c, ok := entry.(*ledger.Command); ok && c.Action == "originate" && c.Call > 0 {
			n++
		}
	}
	return n
}

// states returns what was published of the state of whoever has an extension.
func (o *office) states(b *bus.Bus, extension string) (all []string) {
	o.t.Helper()
	for s, err := range b.Events(o.t.Context(), bus.Filter{Subject: "pbx.events.*.acme.agent.state_changed"}) {
		if err != nil {
			o.t.Fatal(err)
		}
		if a := s.Message.GetAgent(); a.GetExtension() == extension {
			all = append(all, a.GetState().String())
		}
	}
	return all
}

// A call from the command line: the phone rings, the other side answers, the call ends; events and the agent's states follow.
func TestCallFromTheCommandLine(t *testing.T) {
	for vendor, number := range map[string]string{"ipex": "777888991", "mcn": "777888992", "xvb": "777888993"} {
		t.Run(vendor, func(t *testing.T) {
			o := newOffice(t)
			call := o.pbxctl("call", "originate", number, "--vendor", vendor, "--extension", "100", "--as", "100", "--key", "once", "--wait", "20s")
			call.Wait(30 * time.Second)
			again := o.pbxctl("call", "originate", number, "--vendor", vendor, "--extension", "100", "--as", "100", "--key", "once", "--wait", "20s")
			again.Wait(30 * time.Second)
			b, err := bus.Connect(bus.Options{URL: "nats://" + o.nats, Name: t.Name(), Wait: true})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(b.Close)
			bustest.Eventually(t, "the phone on a call, and then not", func() bool {
				states := o.states(b, "100")
				on := slices.Index(states, "ON_CALL")
				return on >= 0 && on < len(states)-1
			})
			if n := o.dials(); n != 1 {
				t.Errorf("want one dial for one key, have %d\n%s\n%s", n, call.Tail(), again.Tail())
			}
		})
	}
}

// The exchange acts and drops the connection: nobody knows, nobody dials again, and its webhooks settle it.
func TestLostAnswerIsSettled(t *testing.T) {
	o := newOffice(t, "--drop", "1")
	call := o.pbxctl("call", "originate", "777888991", "--vendor", "ipex", "--extension", "100", "--as", "100", "--wait", "0")
	call.Wait(30 * time.Second)
	b, err := bus.Connect(bus.Options{URL: "nats://" + o.nats, Name: t.Name(), Wait: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	var outcomes []string
	bustest.Eventually(t, "UNKNOWN, and then DONE", func() bool {
		outcomes = nil
		for s, err := range b.Events(t.Context(), bus.Filter{Subject: "pbx.events.*.acme.command.*"}) {
			if err != nil {
				t.Fatal(err)
			}
			outcomes = append(outcomes, s.Message.GetCommand().GetOutcome().String())
		}
		return fmt.Sprint(outcomes) == "[UNKNOWN DONE]"
	})
	if n := o.dials(); n != 1 {
		t.Errorf("want one dial, have %d", n)
	}
}
