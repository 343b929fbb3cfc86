package ctl

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/switchhook/switchhook/pkg/cli"
	"github.com/switchhook/switchhook/pkg/event"
	"github.com/switchhook/switchhook/pkg/vendors"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// silenceFlags say what to keep back, and for how long.
type silenceFlags struct {
	tenant                         tenant
	length                         length
	vendors, queues, dialled, from []string
	reasons                        enums[pbxv1.MissedCall_Reason]
	caller                         choice
	user, note                     string
	json                           bool
}

func (a *app) silenceCommand() *cobra.Command {
	f := silenceFlags{
		reasons: enums[pbxv1.MissedCall_Reason]{names: pbxv1.MissedCall_Reason_name},
		caller:  choice{values: []string{"known", "unknown"}},
	}
	cmd := group("silence", "Keep alerts of missed calls back for a time",
		`Keep alerts of missed calls back for a time, from now on: of the whole tenant, or of the calls to
which all of the flags apply that are given; of a flag's values one has to apply. The ledger goes
on. What is still open when the silence ends is told then.

The silence is printed in a line. With --json it is in the JSON form of protocol buffers.`,
		`  pbxctl missed silence --tenant acme --for 2h --queue NOC --user alice --note "new exchange"
  pbxctl missed silence --tenant acme --for 1d12h --from +420777,+420602 --caller unknown
  pbxctl missed silence ls --tenant acme
  pbxctl missed silence end 5b1c77aa --tenant acme`,
		a.silencesCommand(), a.endSilenceCommand())
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := f.check(cmd); err != nil {
			return err
		}
		return a.put(cmd, f.json, func(context.Context, asker) (*pbxv1.Silence, error) { return f.silence(a.Now()), nil })
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	f.tenant.register(cmd, "whose alerts")
	flags.Var(&f.length, "for", "how long, such as 15m, 2h or 7d")
	require(cmd, "for")
	flags.StringSliceVar(&f.vendors, "vendor", nil, "only calls at exchanges of these `vendors`")
	flags.StringSliceVar(&f.queues, "queue", nil, "only callers who waited in one of these `queues` last")
	flags.StringSliceVar(&f.dialled, "dialled", nil, "only if the dialled number has one of these `beginnings`")
	flags.StringSliceVar(&f.from, "from", nil, "only if the caller's number has one of these `beginnings`")
	flags.Var(&f.reasons, "reason", "only calls missed in one of these `ways`, such as rang_out,busy")
	flags.Var(&f.caller, "caller", "only callers whom a directory knows, or whom none does")
	flags.StringVar(&f.user, "user", "", "who wants it: `person` by login or e-mail address")
	flags.StringVar(&f.note, "note", "", "`text` that says why")
	flags.BoolVar(&f.json, "json", false, "print JSON")
	complete(cmd, "for", "30m", "2h", "12h", "1d")
	complete(cmd, "vendor", vendors.Names()...)
	complete(cmd, "reason", f.reasons.words()...)
	complete(cmd, "caller", f.caller.values...)
	for _, name := range []string{"queue", "dialled", "from", "user", "note"} {
		complete(cmd, name)
	}
	return cmd
}

// check says what is wrong with the command line. A flag without a value would apply to every call.
func (f *silenceFlags) check(cmd *cobra.Command) error {
	errs := []error{checkGiven(cmd, "user", "note")}
	for _, flag := range []struct {
		name   string
		values []string
	}{{"vendor", f.vendors}, {"queue", f.queues}, {"dialled", f.dialled}, {"from", f.from}} {
		if cmd.Flags().Changed(flag.name) && (len(flag.values) == 0 || slices.Contains(flag.values, "")) {
			errs = append(errs, cli.Usage("--%s: a value is empty", flag.name))
		}
	}
	for _, vendor := range f.vendors {
		if vendor != "" && !slices.Contains(vendors.Names(), vendor) {
			errs = append(errs, cli.Usage("--vendor: want some of %s, have %q", strings.Join(vendors.Names(), ", "), vendor))
		}
	}
	return errors.Join(errs...)
}

func (f *silenceFlags) silence(now time.Time) *pbxv1.Silence {
	return &pbxv1.Silence{
		Tenant: string(f.tenant), EndsAt: timestamppb.New(now.Add(f.length.duration)),
		Vendors: f.vendors, Queues: f.queues, Dialled: f.dialled, From: f.from, Reasons: f.reasons.list,
		Caller:    pbxv1.Silence_Caller(pbxv1.Silence_Caller_value[strings.ToUpper(f.caller.value)]),
		CreatedBy: userNamed(f.user), Note: f.note,
	}
}

// put asks for a silence to be kept, and prints it as it is then.
func (a *app) put(cmd *cobra.Command, asJSON bool, wanted func(context.Context, asker) (*pbxv1.Silence, error)) error {
	return buffered(cmd, func(out *bufio.Writer) error {
		return a.asking(patience, func(s asker) error {
			silence, err := wanted(cmd.Context(), s)
			if err != nil {
				return err
			}
			response := new(pbxv1.SilencePutResponse)
			err = s.ask(cmd.Context(), event.QueryMissedCallSilence, &pbxv1.SilencePutRequest{Silence: silence}, response)
			switch {
			case err != nil:
				return err
			case asJSON:
				return printJSON(out, response.GetSilence())
			}
			a.drawSilenceLine(a.canvas(cmd, out), response.GetSilence())
			return nil
		})
	})
}

func (a *app) silencesCommand() *cobra.Command {
	var f struct {
		tenant tenant
		json   bool
	}
	cmd := &cobra.Command{
		Use:   "ls",
		Short: "List the silences that have not ended",
		Long: `List the silences that have not ended, by when they do: since and until when, how much is left of
them, of which calls alerts are kept back, who wanted it, and why.

With --json the answer is one line, the JSON form of the protocol buffers message.`,
		Example: `  pbxctl missed silence ls --tenant acme`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.once(cmd, f.json, func(ctx context.Context, s asker) (answer, error) {
				list, err := s.silences(ctx, string(f.tenant))
				return answer{list, func(c canvas, now time.Time) { a.drawSilences(c, list.GetSilences(), now) }}, err
			})
		},
	}
	cmd.Flags().SortFlags = false
	f.tenant.register(cmd, "whose silences")
	cmd.Flags().BoolVar(&f.json, "json", false, "print JSON")
	return cmd
}

func (a *app) endSilenceCommand() *cobra.Command {
	var f struct {
		tenant tenant
		json   bool
	}
	cmd := &cobra.Command{
		Use:   "end ID",
		Short: "End a silence now",
		Long: `End a silence now: what is still open is told. An ID may be shortened to a beginning that no other
silence of the tenant has.`,
		Example: `  pbxctl missed silence end 5b1c77aa --tenant acme`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkIDs(args); err != nil {
				return err
			}
			return a.put(cmd, f.json, func(ctx context.Context, s asker) (*pbxv1.Silence, error) {
				return s.ended(ctx, string(f.tenant), args[0], a.Now())
			})
		},
		ValidArgsFunction: first(a.completeSilences(&f.tenant)),
	}
	cmd.Flags().SortFlags = false
	f.tenant.register(cmd, "whose silence")
	cmd.Flags().BoolVar(&f.json, "json", false, "print JSON")
	return cmd
}

// completeSilences offers the silences that have not ended.
func (a *app) completeSilences(of *tenant) cobra.CompletionFunc {
	return a.completeAnswered(of, func(ctx context.Context, s asker, tenant string) (ids []string, err error) {
		list, err := s.silences(ctx, tenant)
		for _, silence := range list.GetSilences() {
			ids = append(ids, cobra.CompletionWithDesc(clean(silence.GetId()), cut(clean(silenced(silence)), maxFact)))
		}
		return ids, err
	})
}

func (s asker) silences(ctx context.Context, tenant string) (*pbxv1.SilenceListResponse, error) {
	list := new(pbxv1.SilenceListResponse)
	return list, s.ask(ctx, event.QueryMissedCallSilences, &pbxv1.SilenceListRequest{Tenant: tenant}, list)
}

// ended returns the silence that an id names, whole or by a beginning, as it is when it ends.
func (s asker) ended(ctx context.Context, tenant, beginning string, at time.Time) (*pbxv1.Silence, error) {
	list, err := s.silences(ctx, tenant)
	if err != nil {
		return nil, err
	}
	id, err := expand(beginning, idsOf(list.GetSilences()), "among the silences of "+tenant)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(list.GetSilences(), func(other *pbxv1.Silence) bool { return other.GetId() == id })
	silence := proto.CloneOf(list.GetSilences()[i])
	silence.EndsAt = timestamppb.New(at)
	return silence, nil
}

func (a *app) drawSilences(c canvas, silences []*pbxv1.Silence, now time.Time) {
	t := table{titles: []string{"ID", "SINCE", "UNTIL", "LEFT", "OF", "BY", "NOTE"}, numbers: []int{1, 2, 3}}
	length := distinct(idsOf(silences))
	for _, s := range silences {
		t.rows = append(t.rows, []cell{
			{clean(beginningOf(s.GetId(), length)), dim},
			{a.moment("", s.GetBeginsAt()), plain},
			{a.moment("", s.GetEndsAt()), plain},
			{span(s.GetEndsAt().AsTime().Sub(now)), plain},
			{clean(silenced(s)), bold},
			{clean(person(s.GetCreatedBy())), plain},
			{clean(s.GetNote()), plain},
		})
	}
	t.draw(c)
	switch len(silences) {
	case 0:
		fmt.Fprintln(c, "no silences")
	case 1:
		fmt.Fprintln(c, "1 silence")
	default:
		fmt.Fprintln(c, len(silences), "silences")
	}
}

// drawSilenceLine writes a silence in one line.
func (a *app) drawSilenceLine(c canvas, s *pbxv1.Silence) {
	state := cell{"ended", green}
	if s.GetEndsAt().AsTime().After(a.Now()) {
		state = cell{"until" + a.moment(" ", s.GetEndsAt()), yellow}
	}
	fmt.Fprintln(c, c.paint(dim, clean(s.GetId()))+gap+c.paint(bold, clean(silenced(s)))+gap+
		c.paint(state.style, state.text))
}

// silenced tells of which calls a silence keeps alerts back.
func silenced(s *pbxv1.Silence) string {
	var reasons []string
	for _, reason := range s.GetReasons() {
		reasons = append(reasons, words(reason))
	}
	var parts []string
	for _, part := range []struct {
		label  string
		values []string
	}{
		{"vendor ", s.GetVendors()},
		{"queue ", s.GetQueues()},
		{"dialled ", s.GetDialled()},
		{"from ", s.GetFrom()},
		{"", reasons},
	} {
		if len(part.values) > 0 {
			parts = append(parts, part.label+strings.Join(part.values, " or "))
		}
	}
	if s.GetCaller() != pbxv1.Silence_CALLER_UNSPECIFIED {
		parts = append(parts, words(s.GetCaller())+" callers")
	}
	if len(parts) == 0 {
		return "all missed calls"
	}
	return strings.Join(parts, "; ")
}
