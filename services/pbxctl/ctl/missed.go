package ctl

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/switchhook/switchhook/pkg/event"
	"github.com/switchhook/switchhook/pkg/fault"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

func (a *app) missedCommand() *cobra.Command {
	return group("missed", "See to missed calls", `See to missed calls: callers from outside whom nobody answered. Each caller has one entry in the ledger
until somebody reaches them. It asks missed-call.

An ID may be shortened to a beginning that no other of the tenant's entries has; an open one goes
before those that are resolved.`,
		`  pbxctl missed ls --tenant acme
  pbxctl missed show 3f2a91c0 --tenant acme
  pbxctl missed claim 3f2a91c0 --tenant acme --user alice
  pbxctl missed resolve 3f2a91c0 --tenant acme --user alice --note "wrong number"
  pbxctl missed silence --tenant acme --for 2h --queue NOC`,
		a.missedListCommand(), a.missedShowCommand(), a.claimCommand(), a.releaseCommand(), a.resolveCommand(), a.silenceCommand())
}

func (a *app) missedListCommand() *cobra.Command {
	var f struct {
		tenant    tenant
		queue     string
		all, json bool
		watch     refresh
	}
	cmd := &cobra.Command{
		Use:   "ls",
		Short: "List the missed calls that wait for somebody",
		Long: `List the missed calls of a tenant that wait for somebody, oldest first, a line each: the beginning of
the entry's id, who called, how often since the entry was opened and how often today, how long ago
the last time, in which queue they waited last, what they dialled, how that was missed, and who has
claimed it until when.

With --all those that are resolved follow, with how and by whom.

With --watch the table is refreshed in its place; not on a terminal, one table is printed after
another. When missed-call is away, the last table stays and turns grey.

With --json the answer is one line, the JSON form of the protocol buffers message; with --watch
one line for each.`,
		Example: `  pbxctl missed ls --tenant acme --watch
  pbxctl missed ls --tenant acme --queue NOC --all
  pbxctl missed ls --tenant acme --json | jq -r '.missedCalls[].from.e164'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			q := &pbxv1.MissedCallListRequest{Tenant: string(f.tenant), Queue: f.queue, IncludeResolved: f.all}
			return a.display(cmd, f.watch, f.json, func(ctx context.Context, s asker) (answer, error) {
				list, err := s.missedCalls(ctx, q)
				return answer{list, func(c canvas, now time.Time) { a.drawMissed(c, list.GetMissedCalls(), now) }}, err
			})
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	f.tenant.register(cmd, "whose missed calls")
	flags.StringVar(&f.queue, "queue", "", "only of callers who waited in this `queue` last")
	flags.BoolVarP(&f.all, "all", "a", false, "those that are resolved, too")
	f.watch.register(flags)
	flags.BoolVar(&f.json, "json", false, "print JSON")
	complete(cmd, "queue")
	return cmd
}

// missedCalls asks for all the entries that a query names, page by page.
func (s asker) missedCalls(ctx context.Context, q *pbxv1.MissedCallListRequest) (*pbxv1.MissedCallListResponse, error) {
	list, q := new(pbxv1.MissedCallListResponse), proto.CloneOf(q)
	for {
		page := new(pbxv1.MissedCallListResponse)
		if err := s.ask(ctx, event.QueryMissedCallList, q, page); err != nil {
			return nil, err
		}
		list.MissedCalls = append(list.MissedCalls, page.GetMissedCalls()...)
		if q.PageToken = page.GetNextPageToken(); q.GetPageToken() == "" {
			return list, nil
		}
	}
}

// missedCall asks for the entry that an id names, whole or by a beginning.
func (s asker) missedCall(ctx context.Context, tenant, beginning string) (*pbxv1.MissedCall, error) {
	var missing error
	for _, q := range []*pbxv1.MissedCallListRequest{
		{Tenant: tenant, Id: beginning}, {Tenant: tenant}, {Tenant: tenant, IncludeResolved: true},
	} {
		list, err := s.missedCalls(ctx, q)
		if err != nil {
			return nil, err
		}
		id, err := expand(beginning, idsOf(list.GetMissedCalls()), "among the missed calls of "+tenant)
		if err == nil {
			i := slices.IndexFunc(list.GetMissedCalls(), func(m *pbxv1.MissedCall) bool { return m.GetId() == id })
			return list.GetMissedCalls()[i], nil
		}
		if missing = err; !fault.Is(err, fault.NotFound) {
			break
		}
	}
	return nil, missing
}

// completeMissed offers the entries that wait for somebody.
func (a *app) completeMissed(of *tenant) cobra.CompletionFunc {
	return a.completeAnswered(of, func(ctx context.Context, s asker, tenant string) (ids []string, err error) {
		answer, err := s.missedCalls(ctx, &pbxv1.MissedCallListRequest{Tenant: tenant})
		for _, m := range answer.GetMissedCalls() {
			about := clean(list(party(m.GetFrom()), whoIs(m.GetContact()), m.GetQueue()))
			ids = append(ids, cobra.CompletionWithDesc(clean(m.GetId()), cut(about, maxFact)))
		}
		return ids, err
	})
}

func (a *app) drawMissed(c canvas, missed []*pbxv1.MissedCall, now time.Time) {
	t := table{
		titles:  []string{"ID", "FROM", "WHO", "TRIES", "TODAY", "AGO", "QUEUE", "DIALLED", "HOW", "STATE"},
		numbers: []int{3, 4, 5},
	}
	length := distinct(idsOf(missed))
	count := make(map[string]int)
	add := func(m *pbxv1.MissedCall) {
		count[stage(m)]++
		t.rows = append(t.rows, []cell{
			{clean(beginningOf(m.GetId(), length)), dim},
			{clean(party(m.GetFrom())), plain},
			{clean(whoIs(m.GetContact())), bold},
			{fmt.Sprint(m.GetAttempts()), plain},
			{fmt.Sprint(m.GetAttemptsToday()), plain},
			{lasting(m.GetMissedAt(), now), plain},
			{clean(m.GetQueue()), plain},
			{clean(party(m.GetTo())), plain},
			{words(m.GetReason()), plain},
			a.missedState(m),
		})
	}
	for _, over := range []bool{false, true} { // both by age, as they come
		for _, m := range missed {
			if over == (stage(m) == "resolved") {
				add(m)
			}
		}
	}
	t.draw(c)
	var parts []string
	for _, name := range []string{"open", "claimed", "resolved"} {
		if count[name] > 0 {
			parts = append(parts, fmt.Sprint(count[name], " ", name))
		}
	}
	fmt.Fprintln(c, summary(len(missed), "missed call", "missed calls", parts))
}

// whoIs is whom a number belongs to, as far as a directory knows.
func whoIs(m *pbxv1.ContactMatch) string { return list(m.GetName(), m.GetOrganisation()) }

// stage is how far an entry is: open, claimed or resolved.
func stage(m *pbxv1.MissedCall) string {
	switch {
	case m.GetResolvedAt() != nil, m.GetKind() == pbxv1.MissedCall_RESOLVED:
		return "resolved"
	case m.GetClaimedBy() != nil:
		return "claimed"
	}
	return "open"
}

// missedState tells what somebody does or did about an entry.
func (a *app) missedState(m *pbxv1.MissedCall) cell {
	switch stage(m) {
	case "open":
		return cell{"open", red}
	case "claimed":
		return cell{clean("claimed by " + person(m.GetClaimedBy()) + a.moment(" until ", m.GetClaimedUntil())), yellow}
	}
	text, style := cmp.Or(words(m.GetResolution()), "resolved"), green
	switch by := person(m.GetResolvedBy()); m.GetResolution() {
	case pbxv1.MissedCall_GOT_THROUGH:
		text += after(" to ", by)
	case pbxv1.MissedCall_WITHDRAWN, pbxv1.MissedCall_EXPIRED:
		style = dim
	default:
		text += after(" by ", by)
	}
	return cell{clean(text + a.moment(" at ", m.GetResolvedAt())), style}
}

// moment tells a time behind something; nothing when nobody knows it.
func (a *app) moment(label string, t *timestamppb.Timestamp) string {
	if t == nil {
		return ""
	}
	return label + a.clock(t.AsTime())
}

// after tells a value behind something; nothing for an empty one.
func after(label, value string) string {
	if value == "" {
		return ""
	}
	return label + value
}

// idsOf returns what names things.
func idsOf[T interface{ GetId() string }](things []T) []string {
	ids := make([]string, len(things))
	for i, thing := range things {
		ids[i] = thing.GetId()
	}
	return ids
}

// shortID is how many characters of an id are shown, if they suffice to tell it from others.
const shortID = 8

// distinct returns how many characters tell ids apart, shortID or more.
func distinct(ids []string) int {
	ids = slices.Sorted(slices.Values(ids))
	length := shortID
	for i := 1; i < len(ids); i++ {
		for length < len(ids[i]) && strings.HasPrefix(ids[i-1], ids[i][:length]) {
			length++
		}
	}
	return length
}

// beginningOf returns that many characters of an id.
func beginningOf(id string, length int) string { return id[:min(length, len(id))] }
