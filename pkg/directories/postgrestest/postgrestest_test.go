package postgrestest_test

import (
	"strings"
	"testing"

	"github.com/switchhook/switchhook/pkg/directories/postgrestest"
)

func TestStart(t *testing.T) {
	address := postgrestest.Start(t)
	postgrestest.Exec(t, address, "create table t (a int)", "insert into t values (1)")
	if !strings.Contains(address, postgrestest.Password) {
		t.Errorf("want the password in it, have %s", address)
	}
}
