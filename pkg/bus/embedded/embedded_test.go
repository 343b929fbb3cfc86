package embedded

import (
	"net"
	"strings"
	"testing"
)

func startTest(t *testing.T, listen, data string) (*Server, error) {
	t.Helper()
	s, err := Start(Options{Listen: listen, Data: data})
	if err == nil {
		t.Cleanup(s.Stop)
	}
	return s, err
}

// What the server acknowledges must be on disk, which is not its default.
func TestSyncsAlways(t *testing.T) {
	s, err := startTest(t, "127.0.0.1:0", t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if c := s.server.JetStreamConfig(); !c.SyncAlways {
		t.Errorf("want a server that syncs always, have %+v", c)
	}
}

func TestPortTaken(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, err = startTest(t, l.Addr().String(), t.TempDir())
	if err == nil || !strings.Contains(err.Error(), "address already in use") {
		t.Errorf("want to hear that the port is taken, have %v", err)
	}
}

func TestFolderTaken(t *testing.T) {
	data := t.TempDir()
	first, err := startTest(t, "127.0.0.1:0", data)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = startTest(t, "127.0.0.1:0", data); err == nil || !strings.Contains(err.Error(), "another server") {
		t.Errorf("want to hear that the folder is in use, have %v", err)
	}
	first.Stop()
	if _, err = startTest(t, "127.0.0.1:0", data); err != nil {
		t.Errorf("want the folder free again, have %v", err)
	}
}

func TestListenInvalid(t *testing.T) {
	for _, listen := range []string{"", "nowhere", "127.0.0.1:port", "256.0.0.1:0"} {
		if _, err := startTest(t, listen, t.TempDir()); err == nil {
			t.Errorf("%q: want an error, have none", listen)
		}
	}
}
