// Package process runs programs as processes, in tests that judge them from outside.
package process

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Build says which programs the tests of a package run, and how they are built.
type Build struct {
	Packages []string          // as go build takes them
	Flags    []string          // of go build
	Env      []string          // of go build, besides that of the tests
	Own      map[string]func() // programs in the test binary itself: their main functions, by name
}

// bin is where Main builds the programs.
var bin string

// Main builds the programs, runs the tests, and exits. It is all that TestMain does: a program in the test binary starts there, too.
func Main(m *testing.M, b Build) {
	if main, ok := b.Own[filepath.Base(os.Args[0])]; ok {
		main()
		return
	}
	flag.Parse() // whoever mistypes a flag need not wait for programs
	os.Exit(b.run(m))
}

func (b Build) run(m *testing.M) (code int) {
	var err error
	if bin, err = os.MkdirTemp("", "switchhook-"+filepath.Base(os.Args[0])+"-"); err == nil {
		defer os.RemoveAll(bin)
		err = errors.Join(b.build(), b.link())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "build the programs:", err)
		return 1
	}
	return m.Run()
}

func (b Build) build() error {
	cmd := exec.Command("go", slices.Concat([]string{"build", "-o", bin}, b.Flags, b.Packages)...)
	cmd.Env = append(os.Environ(), b.Env...)
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	return cmd.Run()
}

// link makes the test binary known by the names of its programs.
func (b Build) link() error {
	own, err := os.Executable()
	for name := range b.Own {
		err = errors.Join(err, os.Symlink(own, filepath.Join(bin, name)))
	}
	return err
}

// Process is a program that runs. It is killed with the test. A data race in it fails the test, if it was built to find any.
type Process struct {
	t    testing.TB
	cmd  *exec.Cmd
	log  string // the file with what it says
	done chan struct{}
	err  error // how it ended; to be read when done is closed
}

// Start starts a program.
func Start(t testing.TB, name string, args ...string) *Process {
	t.Helper()
	return StartWith(t, nil, name, args...)
}

// StartWith starts a program whose flags and credentials may also be in the environment.
func StartWith(t testing.TB, env []string, name string, args ...string) *Process {
	t.Helper()
	log, err := os.CreateTemp(t.TempDir(), name+"-*.log")
	if err != nil {
		t.Fatal(err)
	}
	p := &Process{t: t, cmd: exec.Command(filepath.Join(bin, name), args...), log: log.Name(), done: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.Env = slices.Concat(os.Environ(), []string{"GORACE=halt_on_error=1 exitcode=66"}, env)
	err = p.cmd.Start()
	_ = log.Close() // the process has its own
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	t.Cleanup(func() {
		p.Stop(syscall.SIGKILL)
		if strings.Contains(p.Output(), "DATA RACE") {
			t.Errorf("%s: want no data race, have\n%s", p, p.Tail())
		}
	})
	return p
}

// String is its command line.
func (p *Process) String() string {
	return strings.Join(append([]string{filepath.Base(p.cmd.Path)}, p.cmd.Args[1:]...), " ")
}

// Done is closed when it has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Err says how it ended, once Done is closed.
func (p *Process) Err() error { return p.err }

// Signal sends a signal, and demands that it still runs.
func (p *Process) Signal(signal syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(signal); err != nil {
		p.t.Errorf("%s: want it to go on until it is stopped, have it ended\n%s", p, p.Tail())
	}
}

// Stop sends a signal and waits for the end, however that is.
func (p *Process) Stop(signal syscall.Signal) {
	_ = p.cmd.Process.Signal(signal) // it may have ended by itself
	<-p.done
}

// End asks it to end by a signal, and demands that it went on until then, and ends in order and in time.
func (p *Process) End(signal syscall.Signal, limit time.Duration) {
	p.t.Helper()
	p.Signal(signal)
	p.wait(limit, p.t.Errorf)
}

// Wait waits until it ends by itself, and demands success. The test does not go on without it.
func (p *Process) Wait(limit time.Duration) {
	p.t.Helper()
	p.wait(limit, p.t.Fatalf)
}

func (p *Process) wait(limit time.Duration, complain func(format string, args ...any)) {
	p.t.Helper()
	select {
	case <-p.done:
		if p.err != nil {
			complain("%s: want it to end well, have %v\n%s", p, p.err, p.Tail())
		}
	case <-time.After(limit):
		p.Stop(syscall.SIGKILL)
		p.t.Fatalf("%s: want it ended after %v, have\n%s", p, limit, p.Tail())
	}
}

// AwaitReady waits until it answers at a URL that all is well.
func (p *Process) AwaitReady(url string, limit time.Duration) {
	p.t.Helper()
	client := http.Client{Timeout: time.Second}
	p.await("ready", limit, func() error {
		response, err := client.Get(url)
		if err != nil {
			return err
		}
		defer response.Body.Close()
		if response.StatusCode != http.StatusOK {
			body, _ := io.ReadAll(io.LimitReader(response.Body, 2000))
			return fmt.Errorf("%s: %s", response.Status, body)
		}
		return nil
	})
}

// AwaitListening waits until it takes connections at an address.
func (p *Process) AwaitListening(address string, limit time.Duration) {
	p.t.Helper()
	p.await("listening", limit, func() error {
		c, err := net.Dial("tcp", address)
		if err != nil {
			return err
		}
		return c.Close()
	})
}

// await waits until a check is content, as long as it runs.
func (p *Process) await(state string, limit time.Duration, check func() error) {
	p.t.Helper()
	Eventually(p.t, p.String()+" "+state, limit, func() error {
		p.t.Helper()
		select {
		case <-p.done:
			p.t.Fatalf("%s: want it to go on, have it ended (%v)\n%s", p, p.err, p.Tail())
		default:
		}
		if err := check(); err != nil {
			return fmt.Errorf("%w\n%s", err, p.Tail())
		}
		return nil
	})
}

// Output returns what it said so far.
func (p *Process) Output() string {
	p.t.Helper()
	return ReadFile(p.t, p.log)
}

// Tail returns the end of what it said so far.
func (p *Process) Tail() string {
	p.t.Helper()
	text := p.Output()
	return text[max(0, len(text)-4000):]
}
