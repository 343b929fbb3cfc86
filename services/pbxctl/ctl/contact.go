package ctl

import (
	"bufio"
	"cmp"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/switchhook/switchhook/pkg/cli"
	"github.com/switchhook/switchhook/pkg/event"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

func (a *app) contactCommand() *cobra.Command {
	return group("contact", "Ask who a number belongs to", `Ask who a number belongs to, as contact-lookup answers it, and make it forget what it knows.`,
		`  pbxctl contact lookup 777123456 --tenant acme
  pbxctl contact lookup +420777123456 --tenant acme --explain --refresh
  pbxctl contact forget 777123456 --tenant acme`,
		a.lookupCommand(), a.forgetCommand())
}

// checkText refuses an argument that names nothing.
func checkText(name, text string) error {
	if text == "" {
		return cli.Usage("%s is empty", name)
	}
	return nil
}

// lookupFlags say how to look up.
type lookupFlags struct {
	tenant                 tenant
	explain, refresh, json bool
	timeout                time.Duration
}

func (a *app) lookupCommand() *cobra.Command {
	var f lookupFlags
	cmd := &cobra.Command{
		Use:   "lookup NUMBER",
		Short: "Ask who a number belongs to",
		Long: `Ask who a number belongs to, in any form that people write. A number that nobody knows is an
answer too, with the exit code 0. Directories that could not be asked are named in warnings: they
may know better.

With --explain it also says which forms of the number were tried, what each directory said and in
how many milliseconds, why this answer won, and how old it is if it was known already.

With --json the answer is one line, the JSON form of the protocol buffers message.`,
		Example: `  pbxctl contact lookup 777123456 --tenant acme
  pbxctl contact lookup '+420 777 123 456' --tenant acme --explain
  pbxctl contact lookup 777123456 --tenant acme --json | jq -r .contact.match.name`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkText("NUMBER", args[0]); err != nil {
				return err
			}
			if f.timeout <= 0 {
				return cli.Usage("--timeout: want more than 0, have %s", f.timeout)
			}
			return buffered(cmd, func(out *bufio.Writer) error { return a.lookup(cmd, out, args[0], f) })
		},
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	f.tenant.register(cmd, "whose directories")
	flags.BoolVar(&f.explain, "explain", false, "say how it was found")
	flags.BoolVar(&f.refresh, "refresh", false, "ask the directories although the answer is known")
	flags.DurationVar(&f.timeout, "timeout", 5*time.Second, "how long the directories may take")
	flags.BoolVar(&f.json, "json", false, "print JSON")
	return cmd
}

func (a *app) lookup(cmd *cobra.Command, out *bufio.Writer, number string, f lookupFlags) error {
	q := &pbxv1.ContactLookupRequest{
		Tenant: string(f.tenant), Number: number, Timeout: durationpb.New(f.timeout), Refresh: f.refresh,
		Explain: f.explain || !f.json, // a person is told of directories that are away
	}
	const grace = time.Second // in which the answer comes when the directories took all of their time
	return a.asking(f.timeout+grace, func(s asker) error {
		response := new(pbxv1.ContactLookupResponse)
		if err := s.ask(cmd.Context(), event.QueryContactLookup, q, response); err != nil {
			return err
		}
		if f.json {
			return printJSON(out, response)
		}
		c := a.canvas(cmd, out)
		drawContact(c, number, response.GetContact())
		if f.explain {
			a.drawTrace(c, response.GetTrace())
		} else {
			drawFailures(c, response.GetTrace())
		}
		return nil
	})
}

func drawContact(c canvas, asked string, contact *pbxv1.Contact) {
	number := cmp.Or(party(contact.GetParty()), asked)
	match := contact.GetMatch()
	if match == nil {
		fmt.Fprintf(c, "%s: nobody knows this number\n", clean(number))
		return
	}
	c.field("number", number)
	drawMatch(c, match)
	if len(contact.GetAlternatives()) == 0 {
		return
	}
	c.heading("Further matches")
	t := table{titles: []string{"NAME", "ORGANISATION", "RESPONSIBLE", "DIRECTORY", "MATCHED", "CARD"}}
	for _, m := range contact.GetAlternatives() {
		t.rows = append(t.rows, []cell{
			{clean(m.GetName()), bold},
			{clean(m.GetOrganisation()), plain},
			{clean(list(m.GetResponsibleExtension(), m.GetResponsibleEmail())), plain},
			{clean(m.GetDirectory()), plain},
			{clean(matchedAs(m)), plain},
			{clean(m.GetUrl()), dim},
		})
	}
	t.draw(c)
}

// drawMatch writes who somebody is.
func drawMatch(c canvas, match *pbxv1.ContactMatch) {
	c.field("name", match.GetName())
	c.field("organisation", match.GetOrganisation())
	c.field("responsible", list(match.GetResponsibleExtension(), match.GetResponsibleEmail()))
	if fallback := match.GetFallbackExtension(); fallback != "" {
		c.field("rings", fallback+", since the responsible cannot take the call now")
	}
	c.field("card", match.GetUrl())
	c.field("directory", match.GetDirectory())
	c.field("matched", matchedAs(match))
}

// matchedAs tells in which form a directory has the number.
func matchedAs(m *pbxv1.ContactMatch) string {
	if m.GetMatchedNumber() == "" || m.GetMatchedForm() == "" {
		return m.GetMatchedNumber() + m.GetMatchedForm()
	}
	return m.GetMatchedNumber() + " (" + m.GetMatchedForm() + ")"
}

func (a *app) forgetCommand() *cobra.Command {
	var f struct {
		tenant tenant
		json   bool
	}
	cmd := &cobra.Command{
		Use:   "forget [NUMBER]",
		Short: "Make contact-lookup forget who a number belongs to",
		Long: `Make contact-lookup forget who a number belongs to or, without a number, all that it knows of the
tenant's contacts: the next question asks the directories again. Nothing is lost in the
directories. It prints how many answers were forgotten.`,
		Example: `  pbxctl contact forget 777123456 --tenant acme
  pbxctl contact forget --tenant acme`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			q := &pbxv1.ContactInvalidateRequest{Tenant: string(f.tenant)}
			if len(args) > 0 { // an empty one would be all of them
				if err := checkText("NUMBER", args[0]); err != nil {
					return err
				}
				q.Number = args[0]
			}
			return a.asking(patience, func(s asker) error {
				response := new(pbxv1.ContactInvalidateResponse)
				if err := s.ask(cmd.Context(), event.QueryContactInvalidate, q, response); err != nil {
					return err
				}
				fmt.Fprintln(cmd.OutOrStdout(), response.GetForgotten(), "forgotten")
				return nil
			})
		},
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	cmd.Flags().SortFlags = false
	f.tenant.register(cmd, "whose contacts")
	return cmd
}
