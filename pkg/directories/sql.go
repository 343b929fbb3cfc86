package directories

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/switchhook/switchhook/pkg/config"
	"github.com/switchhook/switchhook/pkg/fault"
	"github.com/switchhook/switchhook/pkg/phone"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// sqlSettings are those of the type sql.
type sqlSettings struct {
	URL              config.Secret `yaml:"url,required"`
	Query            string        `yaml:"query,required"`
	Pool             int32         `yaml:"pool"`
	StatementTimeout time.Duration `yaml:"statement_timeout"`
	Limit            int           `yaml:"limit"`

	// Server and Database are what of the URL is no secret.
	Server   string `yaml:"-"`
	Database string `yaml:"-"`

	pool *pgxpool.Config
}

func readSQL(d *config.Directory) (settings, config.Problems) {
	s := sqlSettings{Pool: 4, StatementTimeout: time.Second, Limit: defaultLimit}
	problems := d.Read(&s)
	problems = append(problems, d.Check(s.Pool > 0, "pool", "want at least 1")...)
	problems = append(problems, d.Check(s.StatementTimeout >= time.Millisecond, "statement_timeout", "want at least 1ms")...)
	problems = append(problems, d.Check(s.Limit > 0, "limit", "want at least 1")...)
	if !s.URL.IsZero() {
		// What the library says of it can show parts of it.
		c, err := pgxpool.ParseConfig(s.URL.Reveal())
		if problems = append(problems, d.Check(err == nil, "url", "want postgres://user:password@host/database")...); err == nil {
			s.Server, s.Database = c.ConnConfig.Host+":"+strconv.Itoa(int(c.ConnConfig.Port)), c.ConnConfig.Database
			s.pool = c
		}
	}
	return s, append(problems, s.queryProblems(d)...)
}

// queryProblems says what is wrong with the parameters of the query.
func (s sqlSettings) queryProblems(d *config.Directory) config.Problems {
	names := func() pgx.NamedArgs { return parameters([]phone.Form{{Name: "e164", Number: "+420777888999"}}, true) }
	_, args, err := names().RewriteQuery(context.Background(), nil, s.Query, nil)
	positional := strings.Contains(s.Query, "$1")
	switch {
	case s.Query == "":
		return nil
	case err != nil || slices.Contains(args, any(nil)):
		return d.Check(false, "query", "unknown parameter, want @e164, @digits, @significant, @national, @forms, or $1")
	case len(args) > 0 && positional:
		return d.Check(false, "query", "want either $1 or parameters by name, not both")
	default:
		return d.Check(len(args) > 0 || positional, "query", "asks for no number: want @e164 or another of its forms in it")
	}
}

func (s sqlSettings) open(d *config.Directory, _ *slog.Logger) Directory {
	return &database{settings: s, name: d.Name, region: d.Tenant.Region, pool: s.newPool()}
}

// newPool connects to nothing yet.
func (s sqlSettings) newPool() *pgxpool.Pool {
	c := s.pool.Copy()
	c.MaxConns, c.MinConns, c.MinIdleConns = s.Pool, 0, 0
	c.ConnConfig.RuntimeParams["statement_timeout"] = strconv.FormatInt(s.StatementTimeout.Milliseconds(), 10)
	c.ConnConfig.RuntimeParams["default_transaction_read_only"] = "on"
	if c.ConnConfig.RuntimeParams["application_name"] == "" {
		c.ConnConfig.RuntimeParams["application_name"] = "switchhook"
	}
	pool, err := pgxpool.NewWithConfig(context.Background(), c)
	if err != nil {
		panic("directories: a pool of connections: " + err.Error()) // Only for a pool of none, which is a problem before.
	}
	return pool
}

// parameters returns what a query can have by name. What a number has no form of is NULL, which equals nothing.
func parameters(forms []phone.Form, example bool) pgx.NamedArgs {
	e164 := forms[0].Number
	numbers := make([]string, len(forms))
	for i, f := range forms {
		numbers[i] = f.Number
	}
	args := pgx.NamedArgs{
		"e164": e164, "digits": strings.TrimPrefix(e164, "+"), "significant": phone.Parse(e164, "").Significant(),
		"forms": numbers, "national": nil,
	}
	if national, known := numberOf("national", forms); known || example {
		args["national"] = national.Number
	}
	return args
}

// database is a directory in PostgreSQL.
type database struct {
	settings     sqlSettings
	name, region string
	pool         *pgxpool.Pool
	closed       atomic.Bool
}

// Find runs the query, whose order is that of the matches.
func (b *database) Find(ctx context.Context, forms []phone.Form) ([]*pbxv1.ContactMatch, error) {
	if b.closed.Load() {
		return nil, closedError(b.name)
	}
	if len(forms) == 0 {
		return nil, nil
	}
	query, args, err := parameters(forms, false).RewriteQuery(ctx, nil, b.settings.Query, nil)
	if err == nil && len(args) == 0 {
		args = []any{forms[0].Number}
	}
	// As text, columns can have any type.
	args = slices.Insert(args, 0, any(pgx.QueryResultFormats{pgx.TextFormatCode}))
	rows, err := b.pool.Query(ctx, query, args...)
	if err != nil {
		return nil, b.failure(ctx, err)
	}
	defer rows.Close()
	at := make(map[string]int)
	for i, column := range rows.FieldDescriptions() {
		at[column.Name] = i
	}
	var matches []*pbxv1.ContactMatch
	for len(matches) < b.settings.Limit && rows.Next() {
		matches = append(matches, b.match(rows.RawValues(), at, forms))
	}
	rows.Close()
	if err := rows.Err(); err != nil {
		return nil, b.failure(ctx, err)
	}
	if _, named := at["name"]; !named {
		return nil, fault.New(fault.Internal, "directory %s: the query has no column called name", b.name)
	}
	return matches, nil
}

func (b *database) match(values [][]byte, at map[string]int, forms []phone.Form) *pbxv1.ContactMatch {
	value := func(column string) string {
		if i, there := at[column]; there {
			return strings.TrimSpace(string(values[i]))
		}
		return ""
	}
	m := &pbxv1.ContactMatch{
		Name: value("name"), Organisation: value("organisation"), Url: value("url"),
		ResponsibleExtension: value("responsible_extension"), ResponsibleEmail: value("responsible_email"),
		MatchedNumber: value("matched_number"),
	}
	m.MatchedForm = formOf(m.GetMatchedNumber(), forms, b.region)
	return complete(m, forms[0].Number)
}

// failure classifies by SQLSTATE. The server's words are shown only where they are about the query.
func (b *database) failure(ctx context.Context, err error) error {
	e, answered := errors.AsType[*pgconn.PgError](err)
	switch {
	case !answered || ctx.Err() != nil:
		return failed(ctx, b.name, "ask the database", err)
	case strings.HasPrefix(e.Code, "28"), e.Code == "42501":
		return fault.New(fault.Denied, "directory %s: the database refuses (SQLSTATE %s)", b.name, e.Code)
	case strings.HasPrefix(e.Code, "42"):
		return fault.New(fault.Internal, "directory %s: query: %s (SQLSTATE %s)", b.name, e.Message, e.Code)
	case e.Code == "57014":
		return fault.New(fault.Unavailable, "directory %s: query: %w (SQLSTATE %s)", b.name, context.DeadlineExceeded, e.Code)
	case slices.Contains([]string{"08", "53", "57"}, e.Code[:min(2, len(e.Code))]):
		return fault.New(fault.Unavailable, "directory %s: query (SQLSTATE %s)", b.name, e.Code)
	default:
		return fault.New(fault.Internal, "directory %s: query (SQLSTATE %s)", b.name, e.Code)
	}
}

// Close ends the connections once they are idle.
func (b *database) Close() error {
	b.closed.Store(true)
	b.pool.Close()
	return nil
}
