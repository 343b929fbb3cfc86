package ctl

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/switchhook/switchhook/pkg/bus"
	"github.com/switchhook/switchhook/pkg/event"
	"github.com/switchhook/switchhook/pkg/vendors"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// completeLimit is how long a person who pressed the tab key waits for the server.
const completeLimit = time.Second

// complete offers values for a flag.
func complete(cmd *cobra.Command, flag string, values ...string) {
	err := cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
	if err != nil { // there is no such flag
		panic(err)
	}
}

// patterns returns subjects worth asking for: of each vendor, each entity and each kind.
func patterns() []string {
	list := []string{event.Root + ".>"}
	for _, vendor := range vendors.Names() {
		list = append(list, event.Root+"."+vendor+".>")
	}
	payloads := new(pbxv1.Event).ProtoReflect().Descriptor().Oneofs().ByName("payload").Fields()
	for i := range payloads.Len() {
		payload := payloads.Get(i)
		entity := event.Root + ".*.*." + string(payload.Name())
		list = append(list, entity+".*")
		kinds := payload.Message().Fields().ByName("kind").Enum().Values()
		for k := 1; k < kinds.Len(); k++ { // 0 is none
			list = append(list, entity+"."+strings.ToLower(string(kinds.Get(k).Name())))
		}
	}
	return list
}

// first offers something for the first argument only.
func first(complete cobra.CompletionFunc) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return complete(cmd, args, typed)
	}
}

// completeIDs offers what is in the quarantine, newest first.
func (a *app) completeIDs(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	return offer(cmd, args, func(ctx context.Context) []string { return a.ids(ctx, typed) })
}

// offer offers the ids that are found, if the server answers soon, but for those that are there already.
func offer(cmd *cobra.Command, args []string, find func(context.Context) []string) ([]string, cobra.ShellCompDirective) {
	const directive = cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
	ctx, cancel := context.WithTimeout(cmd.Context(), completeLimit)
	defer cancel()
	found := make(chan []string, 1)
	go func() { found <- find(ctx) }()
	select {
	case ids := <-found:
		return slices.DeleteFunc(ids, func(id string) bool {
			id, _, _ = strings.Cut(id, "\t")
			return slices.Contains(args, id)
		}), directive
	case <-ctx.Done():
		return nil, directive
	}
}

func (a *app) ids(ctx context.Context, typed string) (ids []string) {
	b, err := a.connect()
	if err != nil {
		return nil
	}
	defer b.Close()
	for s, err := range b.Quarantined(ctx, bus.Filter{}) {
		q := s.Message
		if err == nil && strings.HasPrefix(q.GetId(), typed) {
			ids = append(ids, cobra.CompletionWithDesc(clean(q.GetId()), cut(place(q)+": "+clean(q.GetError()), maxFact)))
		}
	}
	slices.Reverse(ids)
	return ids
}

// completeAnswered offers the ids that a service answers with, each with what it is.
func (a *app) completeAnswered(of *tenant, ask func(context.Context, asker, string) ([]string, error)) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
		if err := cmd.Root().PersistentPreRunE(cmd, args); err != nil { // the environment, which may name the tenant
			return nil, cobra.ShellCompDirectiveError
		}
		return offer(cmd, args, func(ctx context.Context) (ids []string) {
			_ = a.asking(completeLimit, func(s asker) (err error) { // a person who types is not told
				ids, err = ask(ctx, s, string(*of))
				return err
			})
			return slices.DeleteFunc(ids, func(id string) bool { return !strings.HasPrefix(id, typed) })
		})
	}
}
