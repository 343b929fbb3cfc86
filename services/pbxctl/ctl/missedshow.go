package ctl

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

func (a *app) missedShowCommand() *cobra.Command {
	var f struct {
		tenant tenant
		json   bool
	}
	cmd := &cobra.Command{
		Use:   "show ID",
		Short: "Show one missed call whole",
		Long: `Show all that is known of one missed call, resolved or not.

With --json it is one line, the JSON form of the protocol buffers message.`,
		Example: `  pbxctl missed show 3f2a91c0 --tenant acme
  pbxctl missed show 3f2a91c0 --tenant acme --json | jq -r .from.e164`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkIDs(args); err != nil {
				return err
			}
			return a.once(cmd, f.json, func(ctx context.Context, s asker) (answer, error) {
				m, err := s.missedCall(ctx, string(f.tenant), args[0])
				return answer{m, func(c canvas, now time.Time) { a.drawMissedCall(c, m, now) }}, err
			})
		},
		ValidArgsFunction: first(a.completeMissed(&f.tenant)),
	}
	cmd.Flags().SortFlags = false
	f.tenant.register(cmd, "whose missed call")
	cmd.Flags().BoolVar(&f.json, "json", false, "print JSON")
	return cmd
}

func (a *app) drawMissedCall(c canvas, m *pbxv1.MissedCall, now time.Time) {
	c.field("id", m.GetId())
	c.value("state", a.missedState(m))
	c.field("number", party(m.GetFrom()))
	drawMatch(c, m.GetContact())
	c.field("dialled", party(m.GetTo()))
	c.field("queue", m.GetQueue())
	c.field("exchange", strings.TrimSuffix(m.GetVendor()+"/"+m.GetExchange(), "/"))
	if at := m.GetMissedAt(); at != nil {
		c.field("missed", fmt.Sprintf("at %s, %s ago", a.clock(at.AsTime()), lasting(at, now)))
	}
	c.field("how", words(m.GetReason()))
	if m.GetWait() != nil {
		c.field("waited", span(m.GetWait().AsDuration()))
	}
	c.field("attempts", fmt.Sprintf("%d, %d today", m.GetAttempts(), m.GetAttemptsToday()))
	c.field("opened", a.moment("at ", m.GetOpenedAt()))
	if n := m.GetFailedCallbacks(); n > 0 {
		c.field("called back", fmt.Sprintf("%d× without an answer", n))
	}
	c.field("note", m.GetNote())
	c.field("calls", strings.Join(m.GetCallKeys(), ", "))
}
