package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"
)

// programs are the processes that were started, in order.
type programs struct{ running []*exec.Cmd }

// start starts a program, and waits until it takes connections.
func (p *programs) start(ctx context.Context, addr string, args ...string) (*exec.Cmd, error) {
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p.running = append(p.running, cmd)
	return cmd, await(addr)
}

// kill ends a program at once.
func (p *programs) kill(cmd *exec.Cmd) {
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	p.running = slices.DeleteFunc(p.running, func(c *exec.Cmd) bool { return c == cmd })
}

func (p *programs) stop() {
	for _, cmd := range slices.Backward(slices.Clone(p.running)) {
		p.kill(cmd)
	}
}

func freeAddrs(n int) (addrs []string, err error) {
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close()
		addrs = append(addrs, l.Addr().String())
	}
	return addrs, nil
}

func await(addr string) error {
	deadline := time.Now().Add(10 * time.Second)
	for tick := time.NewTicker(10 * time.Millisecond); ; <-tick.C {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			return c.Close()
		}
		if time.Now().After(deadline) {
			return err
		}
	}
}

// residentBytes is how much memory a process has in RAM.
func residentBytes(cmd *exec.Cmd) (float64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	value, _, _ := strings.Cut(strings.TrimSpace(rest), " kB")
	kib, err := strconv.ParseFloat(value, 64)
	return kib * 1024, err
}

// cpuTime is how long a process has been on a processor.
func cpuTime(cmd *exec.Cmd) (time.Duration, error) {
	const perTick = time.Second / 100 // USER_HZ of Linux
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	const user, system = 11, 12 // after the name
	if len(fields) <= system {
		return 0, fmt.Errorf("read the times of process %d: have %d fields", cmd.Process.Pid, len(fields))
	}
	var ticks time.Duration
	for _, field := range []string{fields[user], fields[system]} {
		n, err := strconv.Atoi(field)
		if err != nil {
			return 0, err
		}
		ticks += time.Duration(n)
	}
	return ticks * perTick, nil
}
