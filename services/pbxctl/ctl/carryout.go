package ctl

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/switchhook/switchhook/pkg/bus"
	"github.com/switchhook/switchhook/pkg/command"
	"github.com/switchhook/switchhook/pkg/event"
	"github.com/switchhook/switchhook/pkg/fault"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// carryOut sends a command, and tells what becomes of it.
func (a *app) carryOut(cmd *cobra.Command, out *bufio.Writer, f *callFlags, r *pbxv1.CommandRequest) error {
	b, err := a.connect()
	if err != nil {
		return err
	}
	defer b.Close()
	var news *outcomes
	if f.wait > 0 {
		if news, err = a.follow(cmd.Context(), b, string(f.tenant)); err != nil {
			return err
		}
		defer news.stop()
	}
	t := &teller{app: a, out: out, canvas: a.canvas(cmd, out), json: f.json, key: r.GetIdempotencyKey()}
	if err := t.begin(); err != nil {
		return err
	}
	reply, err := a.send(cmd.Context(), b, f, r)
	if err != nil {
		return err
	}
	if err := t.reply(reply); err != nil {
		return err
	}
	switch {
	case !reply.GetAccepted():
		return errors.New("the command was refused")
	case reply.GetPrevious() != nil:
		return t.outcome(reply.GetPrevious())
	case news == nil:
		return nil
	}
	return t.await(cmd.Context(), news, reply.GetCommandId(), f)
}

// send sends a command and returns whether it will be tried. Without an answer it may be carried out all the same, so the error
// tells how to ask again.
func (a *app) send(ctx context.Context, b *bus.Bus, f *callFlags, r *pbxv1.CommandRequest) (*pbxv1.CommandReply, error) {
	need, err := command.Needs(r)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, a.Patience)
	defer cancel()
	reply, err := b.Command(ctx, f.vendor.value, string(f.tenant), string(need.Action()), r)
	if !fault.Is(err, fault.Unavailable) {
		return reply, err
	}
	const hint = "it may be carried out all the same until it expires: ask again with --key"
	if errors.Is(err, context.DeadlineExceeded) {
		return nil, fault.New(fault.Unavailable, "command-relay did not answer within %s at %s; is it running? The command is kept, and %s %s",
			a.Patience, withoutUser(a.nats.URL), hint, r.GetIdempotencyKey())
	}
	return nil, fault.New(fault.Unavailable, "command-relay does not answer at %s (%w); %s %s",
		withoutUser(a.nats.URL), err, hint, r.GetIdempotencyKey())
}

// outcomes are what comes of a tenant's commands.
type outcomes struct {
	news <-chan *pbxv1.Command
	stop func()
}

// follow follows the outcomes from now on, whatever the server's clock is.
func (a *app) follow(ctx context.Context, b *bus.Bus, tenant string) (*outcomes, error) {
	ctx, cancel := context.WithCancel(ctx)
	news, ready, ended := make(chan *pbxv1.Command), make(chan struct{}), make(chan struct{})
	execute, interrupt := b.Follow(bus.Following{
		Name: "pbxctl", Since: a.Now(), Subjects: []string{event.Root + ".*." + tenant + ".command.*"},
		Handle: func(s bus.Stored[*pbxv1.Event]) {
			select {
			case news <- s.Message.GetCommand():
			case <-ctx.Done():
			}
		},
		CaughtUp: func() { close(ready) },
	})
	go func() {
		defer close(ended)
		_ = execute() // it ends when it is told to
	}()
	o := &outcomes{news, func() { cancel(); interrupt(nil); <-ended }}
	limit := time.NewTimer(a.Patience)
	defer limit.Stop()
	for {
		select {
		case <-news: // of before
		case <-ready:
			return o, nil
		case <-ctx.Done():
			o.stop()
			return nil, ctx.Err()
		case <-limit.C:
			o.stop()
			return nil, fault.New(fault.Unavailable, "nothing was sent: stream %s cannot be followed at %s within %s; did a service ever run there?",
				bus.EventStream, withoutUser(a.nats.URL), a.Patience)
		}
	}
}

// teller tells what becomes of a command.
type teller struct {
	app    *app
	out    *bufio.Writer
	canvas canvas
	json   bool
	key    string
}

// begin tells the key before anything is sent: whoever interrupts it then can still ask what came of it.
func (t *teller) begin() error {
	if t.json {
		return nil
	}
	t.canvas.field("key", t.key)
	return t.out.Flush()
}

func (t *teller) reply(r *pbxv1.CommandReply) error {
	if t.json {
		return t.print("reply", r)
	}
	t.canvas.field("command", r.GetCommandId())
	switch {
	case !r.GetAccepted():
		t.canvas.value("refused", cell{r.GetReason(), red})
	case r.GetPrevious() != nil:
		t.canvas.value("taken before", cell{r.GetReason(), yellow})
	default:
		t.canvas.field("accepted", "yes")
		t.canvas.field("note", r.GetReason())
	}
	return t.out.Flush()
}

// outcome tells what came of it, and returns the error that the command ends with.
func (t *teller) outcome(o *pbxv1.Command) error {
	if err := t.show(o); err != nil {
		return err
	}
	switch o.GetOutcome() {
	case pbxv1.Command_DONE:
		return nil
	case pbxv1.Command_UNKNOWN:
		return errors.New("nobody knows whether it was done")
	}
	return errors.New("the command failed")
}

func (t *teller) show(o *pbxv1.Command) error {
	if t.json {
		return t.print("outcome", o)
	}
	t.canvas.value("outcome", outcomeCell(o))
	if o.GetOutcome() == pbxv1.Command_UNKNOWN {
		t.canvas.warn("nobody knows whether it was done. It is never redialled by itself: look before you do it again, with a new key")
	}
	return t.out.Flush()
}

// await waits for the outcome. One that nobody knows may be settled by the call that follows, if it is one that makes calls.
func (t *teller) await(ctx context.Context, news *outcomes, id string, f *callFlags) error {
	limit := time.NewTimer(f.wait)
	defer limit.Stop()
	var last *pbxv1.Command
	for {
		select {
		case o := <-news.news:
			switch {
			case o.GetId() != id:
			case o.GetOutcome() != pbxv1.Command_UNKNOWN, o.GetAction() != string(command.Originate):
				return t.outcome(o)
			default:
				last = o
				if err := t.show(o); err != nil {
					return err
				}
			}
			continue
		case <-ctx.Done():
		case <-limit.C:
		}
		if last != nil {
			return errors.New("nobody knows whether it was done")
		}
		return fault.New(fault.Unavailable, "no outcome yet after %s; ask again with --key %s", f.wait, t.key)
	}
}

// print prints one line of JSON: the key, and a message by its name.
func (t *teller) print(name string, m proto.Message) error {
	data, err := protojson.Marshal(m)
	if err != nil {
		return err
	}
	if err := newEncoder(t.out).Encode(map[string]any{"key": t.key, name: json.RawMessage(data)}); err != nil {
		return err
	}
	return t.out.Flush()
}

// outcomeCell tells what came of a command.
func outcomeCell(o *pbxv1.Command) cell {
	text := words(o.GetOutcome())
	switch {
	case o.GetOutcome() != pbxv1.Command_DONE:
		text += ": " + o.GetReason()
	case o.GetCallId() != "":
		text += ", call " + o.GetCallId()
	}
	return cell{text, commandStyle(o.GetOutcome())}
}
