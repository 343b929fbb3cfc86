package directories_test

import (
	"context"
	"errors"
	"log/slog"
	"net/url"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/switchhook/switchhook/pkg/directories/postgrestest"
	"github.com/switchhook/switchhook/pkg/fault"
	"github.com/switchhook/switchhook/pkg/logtest"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

func TestSQL(t *testing.T) {
	address := postgrestest.Start(t)
	postgrestest.Exec(
		t, address, peopleTable, "insert into people values (1, 'Jan', 'Globex', '777 888 999', 101), (2, 'Eva', null, '777888999', null)",
		"create role reader login password 'hunter2'",
	)
	t.Run("queries", func(t *testing.T) { testQueries(t, address) })
	t.Run("failures", func(t *testing.T) { testSQLFailures(t, address) })
	t.Run("after a broken connection", func(t *testing.T) {
		d := open(t, sqlYAML(address, "select 'Jan' as name, @e164"))
		find(t, d, "777888999")
		postgrestest.Exec(t, address, "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'switchhook'")
		deadline := time.Now().Add(10 * time.Second)
		for {
			matches, err := d.Find(within(t, time.Second), forms("777888999"))
			if err == nil && len(matches) == 1 {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("want a new connection, have %v", err)
			}
		}
	})
	t.Run("settings of the connection", func(t *testing.T) {
		const query = "select current_setting('statement_timeout') as name, current_setting('transaction_read_only') as organisation, @e164"
		m := find(t, open(t, sqlYAML(address, query)+"\n  statement_timeout: 300ms"), "777888999")[0]
		if want, have := "300ms on", m.GetName()+" "+m.GetOrganisation(); want != have {
			t.Errorf("want %s, have %s", want, have)
		}
	})
}

func sqlYAML(address, query string) string {
	return "- type: sql\n  url: " + address + "\n  query: |\n    " + query
}

func testQueries(t *testing.T, address string) {
	tests := map[string]struct {
		query, number string
		want          []*pbxv1.ContactMatch
	}{
		"every column": {
			"select name, organisation, extension as responsible_extension, 'e@x' as responsible_email, 'https://x/' || id as url, number as matched_number, now() as other from people where number = any(@forms) order by id", "777888999",
			[]*pbxv1.ContactMatch{
				{Name: "Jan", Organisation: "Globex", ResponsibleExtension: "101", ResponsibleEmail: "e@x", Url: "https://x/1", MatchedNumber: "777 888 999", MatchedForm: "national_spaced"},
				{Name: "Eva", ResponsibleEmail: "e@x", Url: "https://x/2", MatchedNumber: "777888999", MatchedForm: "national"},
			},
		},
		"every parameter": {
			"select concat_ws(' ', @e164::text, @digits::text, @significant::text, @national::text, cardinality(@forms::text[])) as name", "777888999",
			[]*pbxv1.ContactMatch{{Name: "+420777888999 420777888999 777888999 777888999 6"}},
		},
		"no national form": {
			"select concat_ws(' ', @e164::text, @national::text is null, cardinality(@forms::text[])) as name", "+421905123456",
			[]*pbxv1.ContactMatch{{Name: "+421905123456 t 4"}},
		},
		"$1":                    {"select $1 as name", "777888999", []*pbxv1.ContactMatch{{Name: "+420777888999"}}},
		"an at sign in text":    {"select 'a@e164.example' as name where @digits <> ''", "777888999", []*pbxv1.ContactMatch{{Name: "a@e164.example"}}},
		"another text, matched": {"select 'Jan' as name, 'work: 777/888-999' as matched_number, @e164", "777888999", []*pbxv1.ContactMatch{{Name: "Jan", MatchedNumber: "work: 777/888-999", MatchedForm: "e164"}}},
		"no name":               {"select null as name, 'Globex' as organisation, @e164 union all select null, null, @e164", "777888999", []*pbxv1.ContactMatch{{Name: "Globex", Organisation: "Globex"}, {Name: "+420777888999"}}},
		"nobody":                {"select name from people where number = @e164", "777888999", nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			have := find(t, open(t, sqlYAML(address, test.query)), test.number)
			if len(test.want) != len(have) {
				t.Fatalf("want %v, have %v", test.want, have)
			}
			for i := range have {
				if !proto.Equal(test.want[i], have[i]) {
					t.Errorf("want %v, have %v", test.want[i], have[i])
				}
			}
		})
	}
	t.Run("limit", func(t *testing.T) {
		d := open(t, sqlYAML(address, "select n::text as name, @e164 from generate_series(1, 1000) n")+"\n  limit: 2")
		for range 10 {
			if want, have := "1, 2", names(find(t, d, "777888999")); want != have {
				t.Errorf("want %s, have %s", want, have)
			}
		}
	})
}

func testSQLFailures(t *testing.T, address string) {
	as := func(user, password, path string) string {
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		u.User, u.Path = url.UserPassword(user, password), path
		return u.String()
	}
	const query = "select name from people where number = @e164"
	tests := map[string]struct {
		address, query, want string
		kind                 fault.Kind
		late                 bool
	}{
		"a wrong password":  {as("postgres", "hunter2", "/postgres"), query, "directory sql: the database refuses (SQLSTATE 28P01)", fault.Denied, false},
		"not allowed":       {as("reader", "hunter2", "/postgres"), query, "directory sql: the database refuses (SQLSTATE 42501)", fault.Denied, false},
		"no such database":  {as("postgres", postgrestest.Password, "/other"), query, "directory sql: query (SQLSTATE 3D000)", fault.Internal, false},
		"no server":         {"postgres://u:hunter2@127.0.0.1:1/x?sslmode=disable", query, "directory sql: ask the database: dial tcp 127.0.0.1:1: connect: connection refused", fault.Unavailable, false},
		"no such table":     {address, "select name from nobody where a = @e164", `directory sql: query: relation "nobody" does not exist (SQLSTATE 42P01)`, fault.Internal, false},
		"no SQL":            {address, "selec @e164", `directory sql: query: syntax error at or near "selec" (SQLSTATE 42601)`, fault.Internal, false},
		"no column name":    {address, "select @e164::text as who", "directory sql: the query has no column called name", fault.Internal, false},
		"writing":           {address, "delete from people where number = @e164 returning name", "directory sql: query (SQLSTATE 25006)", fault.Internal, false},
		"a value in a word": {address, "select 'hunter2'::int as name, @e164", "directory sql: query (SQLSTATE 22P02)", fault.Internal, false},
		"statement timeout": {address, "select pg_sleep(60)::text as name, @e164", "directory sql: query: context deadline exceeded (SQLSTATE 57014)", fault.Unavailable, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			d := open(t, sqlYAML(test.address, test.query)+"\n  statement_timeout: 200ms")
			_, err := d.Find(within(t, 20*time.Second), forms("777888999"))
			if err == nil || test.want != err.Error() || !fault.Is(err, test.kind) || test.late != errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("want %s (%v)\nhave %v (%v)", test.want, test.kind, err, fault.Of(err))
			}
		})
	}
}

// TestSQLConnectsLazily opens a directory whose server is not there.
func TestSQLConnectsLazily(t *testing.T) {
	var log logtest.Log
	openLogged(t, sqlYAML("postgres://u:hunter2@127.0.0.1:1/x", "select @e164 as name"), log.Logger())
	if have := log.String(); strings.Contains(have, slog.LevelWarn.String()) {
		t.Errorf("want nothing logged, have %s", have)
	}
}
