// Package postgrestest starts a PostgreSQL server of its own for a test. It needs the programs of the server, which are in
// Debian's package postgresql; a test fails without them, as it would prove nothing.
package postgrestest

import (
	"bytes"
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Password is the superuser's. The server asks for it.
const Password = "postgrestest-secret"

const patience = 30 * time.Second

// Start starts an empty server that listens on a socket in a folder of its own, and returns the URL of its database with the
// superuser's password. The server stops with the test. Since it refuses to run as root, it runs as the user postgres then.
func Start(t testing.TB) string {
	t.Helper()
	bin, account := programs(t), account(t)
	dir, err := os.MkdirTemp("", "postgrestest-") //nolint:usetesting // t.TempDir lets in nobody but the user of the test.
	if err != nil {
		t.Fatalf("postgrestest: %v", err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if account != nil {
		if err := os.Chown(dir, int(account.Uid), int(account.Gid)); err != nil {
			t.Fatalf("postgrestest: %v", err)
		}
	}
	password := filepath.Join(dir, "password")
	if err := os.WriteFile(password, []byte(Password+"\n"), 0o644); err != nil {
		t.Fatalf("postgrestest: %v", err)
	}
	data := filepath.Join(dir, "data")
	initdb := command(account, dir, filepath.Join(bin, "initdb"), "--pgdata", data, "--username", "postgres", "--pwfile", password,
		"--auth", "scram-sha-256", "--no-sync", "--encoding", "UTF8", "--locale", "C.UTF-8")
	if output, err := initdb.CombinedOutput(); err != nil {
		t.Fatalf("postgrestest: initdb: %v\n%s", err, output)
	}
	run(t, command(account, dir, filepath.Join(bin, "postgres"), "-D", data, "-k", dir, "-F",
		"-c", "listen_addresses=", "-c", "max_connections=20", "-c", "shared_buffers=1MB"))
	address := url.URL{
		Scheme: "postgres", User: url.UserPassword("postgres", Password), Path: "/postgres",
		RawQuery: url.Values{"host": {dir}}.Encode(),
	}
	await(t, address.String())
	return address.String()
}

// programs returns the folder of the server's programs. Debian keeps them out of the path.
func programs(t testing.TB) string {
	t.Helper()
	if path, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(path)
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil || len(found) == 0 {
		t.Fatal("postgrestest: PostgreSQL is not installed: want initdb and postgres in PATH or in /usr/lib/postgresql/*/bin " +
			"(apt-get install postgresql)")
	}
	slices.Sort(found)
	return filepath.Dir(found[len(found)-1])
}

// account returns whom the server runs as; nil for the user of the test.
func account(t testing.TB) *syscall.Credential {
	t.Helper()
	if os.Geteuid() != 0 {
		return nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		t.Fatalf("postgrestest: PostgreSQL refuses to run as root, and the user postgres is missing (apt-get install postgresql): %v", err)
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		t.Fatalf("postgrestest: user postgres: %v", err)
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		t.Fatalf("postgrestest: user postgres: %v", err)
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}

func command(account *syscall.Credential, dir, program string, args ...string) *exec.Cmd {
	c := exec.Command(program, args...)
	c.Dir = dir
	c.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C.UTF-8", "TZ=UTC"}
	c.SysProcAttr = attributes(account)
	return c
}

// run starts the server and stops it with the test.
func run(t testing.TB, server *exec.Cmd) {
	t.Helper()
	var output bytes.Buffer
	server.Stdout, server.Stderr = &output, &output
	if err := server.Start(); err != nil {
		t.Fatalf("postgrestest: %v", err)
	}
	t.Cleanup(func() {
		_ = server.Process.Signal(syscall.SIGINT) // Ends connections too.
		kill := time.AfterFunc(patience, func() { _ = server.Process.Kill() })
		defer kill.Stop()
		if err := server.Wait(); err != nil && t.Failed() {
			t.Logf("postgrestest: %v\n%s", err, &output)
		}
	})
}

// await returns when the server answers.
func await(t testing.TB, address string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		c, err := pgx.Connect(ctx, address)
		if err == nil {
			_ = c.Close(ctx)
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("postgrestest: the server does not answer: %v", err)
		}
	}
}

// Exec runs statements on a server.
func Exec(t testing.TB, address string, statements ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c, err := pgx.Connect(ctx, address)
	if err != nil {
		t.Fatalf("postgrestest: %v", err)
	}
	defer func() { _ = c.Close(ctx) }()
	for _, statement := range statements {
		if _, err := c.Exec(ctx, statement); err != nil {
			t.Fatal(fmt.Errorf("postgrestest: %s: %w", statement, err))
		}
	}
}
