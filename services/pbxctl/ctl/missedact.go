package ctl

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/switchhook/switchhook/pkg/event"
	"github.com/switchhook/switchhook/pkg/fault"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

func (a *app) claimCommand() *cobra.Command {
	return a.actCommand(pbxv1.MissedCallActRequest_CLAIM, "claim", "Claim missed calls: I will call back",
		`Claim missed calls, for whoever --user names: they will call back. The claim ends by itself when nothing
happens; whoever has it may claim again, to have more time. What somebody else has claimed, or what
is resolved, cannot be claimed.`,
		`  pbxctl missed claim 3f2a91c0 --tenant acme --user alice
  pbxctl missed claim 3f2a91c0 77b0c4e1 --tenant acme --user alice@acme.example --note "after lunch"`)
}

func (a *app) releaseCommand() *cobra.Command {
	return a.actCommand(pbxv1.MissedCallActRequest_RELEASE, "release", "Give claims of missed calls back",
		`Give claims of missed calls back, for whoever --user names and has them.`,
		`  pbxctl missed release 3f2a91c0 --tenant acme --user alice`)
}

func (a *app) resolveCommand() *cobra.Command {
	return a.actCommand(pbxv1.MissedCallActRequest_RESOLVE, "resolve", "Close missed calls: nobody needs to call back",
		`Close missed calls, whoever claimed them: nobody needs to call back. When the caller is reached by
telephone that happens by itself.`,
		`  pbxctl missed resolve 3f2a91c0 --tenant acme --user alice --note "wrote an e-mail"`)
}

// actFlags say who does something about entries.
type actFlags struct {
	tenant     tenant
	user, note string
	json       bool
}

func (a *app) actCommand(action pbxv1.MissedCallActRequest_Action, name, short, long, example string) *cobra.Command {
	var f actFlags
	cmd := &cobra.Command{
		Use:   name + " ID...",
		Short: short,
		Long: long + `

Each entry is printed as it is then, in a line. When one is refused, the others are tried all the
same, and the exit code is 1. With --json a line is the entry in the JSON form of protocol buffers.`,
		Example: example,
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, ids []string) error {
			if err := errors.Join(checkIDs(ids), checkGiven(cmd, "user", "note")); err != nil {
				return err
			}
			return buffered(cmd, func(out *bufio.Writer) error {
				return a.asking(patience, func(s asker) error { return a.act(cmd, out, s, action, f, ids) })
			})
		},
		ValidArgsFunction: a.completeMissed(&f.tenant),
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	f.tenant.register(cmd, "whose missed calls")
	flags.StringVar(&f.user, "user", "", "who does it: `person` by login or e-mail address")
	flags.StringVar(&f.note, "note", "", "`text` that the entries shall say from now on")
	flags.BoolVar(&f.json, "json", false, "print JSON lines")
	require(cmd, "user")
	complete(cmd, "user")
	complete(cmd, "note")
	return cmd
}

// userNamed returns the person of a login or an e-mail address; nil for an empty text.
func userNamed(text string) *pbxv1.User {
	if strings.Contains(text, "@") {
		return event.User("", text)
	}
	return event.User(text, "")
}

// act does something about each entry, once it is clear which ones those are.
func (a *app) act(cmd *cobra.Command, out *bufio.Writer, s asker, action pbxv1.MissedCallActRequest_Action, f actFlags, ids []string) error {
	ctx := cmd.Context()
	questions := make([]*pbxv1.MissedCallActRequest, len(ids))
	var errs []error
	for i, beginning := range ids {
		m, err := s.missedCall(ctx, string(f.tenant), beginning)
		errs = append(errs, err)
		questions[i] = &pbxv1.MissedCallActRequest{
			Tenant: string(f.tenant), Id: m.GetId(), Action: action, User: userNamed(f.user), Note: f.note,
		}
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	c := a.canvas(cmd, out)
	for _, q := range questions {
		m, err := s.actOn(ctx, q)
		switch {
		case fault.Is(err, fault.Unavailable): // for the others, too
			return errors.Join(append(errs, err)...)
		case err != nil:
			errs = append(errs, err)
		case f.json:
			errs = append(errs, printJSON(out, m))
		default:
			a.drawMissedLine(c, m)
		}
	}
	return errors.Join(errs...)
}

// actOn asks for one action. A refusal is told in the service's own words, which name the entry and say why.
func (s asker) actOn(ctx context.Context, q *pbxv1.MissedCallActRequest) (*pbxv1.MissedCall, error) {
	response := new(pbxv1.MissedCallActResponse)
	err := s.ask(ctx, event.QueryMissedCallAct, q, response)
	if fault.Is(err, fault.Conflict) {
		return nil, fault.New(fault.Conflict, "%s", strings.TrimPrefix(err.Error(), "ask "+event.QueryMissedCallAct+": "))
	}
	return response.GetMissedCall(), err
}

// drawMissedLine writes an entry in one line.
func (a *app) drawMissedLine(c canvas, m *pbxv1.MissedCall) {
	state := a.missedState(m)
	for _, field := range []cell{
		{beginningOf(m.GetId(), shortID), dim}, {party(m.GetFrom()), plain}, {whoIs(m.GetContact()), bold},
	} {
		if field.text != "" {
			fmt.Fprint(c, c.paint(field.style, clean(field.text)), gap)
		}
	}
	fmt.Fprintln(c, c.paint(state.style, state.text))
}
