// Package notify carries messages about missed calls to people, and writes them. A Channel is a place that messages go to, as
// the configuration describes it; Templates are the words.
//
// When, to whom and how often something is sent is decided elsewhere, and so is trying again. A new type of channel is a
// function that reads its settings, and a line in types. No error holds a credential, nor anything that the other side said but
// for a status.
package notify

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/switchhook/switchhook/pkg/config"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

// Kind says what a message is about.
type Kind string

// The kinds of message. All but Digest are about one entry of the ledger.
const (
	Opened    Kind = "opened"    // a caller reached nobody
	Again     Kind = "again"     // a caller reached nobody, not for the first time
	Escalated Kind = "escalated" // nobody did anything about it for too long
	Resolved  Kind = "resolved"  // the caller was reached, or a person closed the entry
	Withdrawn Kind = "withdrawn" // it was no missed call after all
	Digest    Kind = "digest"    // several entries at once
)

// Kinds returns all kinds of message.
func Kinds() []Kind { return []Kind{Opened, Again, Escalated, Resolved, Withdrawn, Digest} }

// Message is what a channel carries.
type Message struct {
	// ID names the message: whoever sends the same one again gives the same ID, and another one gets another. Receivers
	// can know repetitions by it. Never empty.
	ID string
	// Thread is the ID of the first message about the same thing, whether the channel carried that or not: mail programs
	// show them together. Empty for a message of its own.
	Thread string
	Kind   Kind
	Tenant string
	// To is who an e-mail is for, instead of the channel's own recipients: an address such as name@example.com. Channels of
	// other types ignore it. Empty for what the channel is made for.
	To string
	// Time is when what the message is about happened.
	Time time.Time
	Rendered
	// Entries are what it is about, for machines.
	Entries []*pbxv1.MissedCall
}

// Channel carries messages to where people read them. It is safe for concurrent use.
type Channel interface {
	// Send carries one message, once. It keeps to the context's deadline, and to the channel's own timeout.
	//
	// Errors are fault.Unavailable when the same may succeed later, for which RetryAfter may know a time; the message can
	// have arrived nevertheless, since an answer can get lost. fault.Denied: the credentials are refused. fault.Invalid: it
	// will never be taken. Of several people that an e-mail is for, the others then have it.
	Send(ctx context.Context, m Message) error
}

// Named is a channel with its place in the configuration.
type Named struct {
	Name, Type string
	// Digest is another one whenever the configuration is, except for credentials, of which it reveals nothing.
	Digest string
	Channel
}

// Inherit has a channel know what its predecessor, if that is of the same type, knows of the messages that it carried. A changed
// configuration, if only by a password, makes new channels, and an e-mail that some have must not come to them again.
func (n Named) Inherit(from Named) {
	if heir, ok := n.Channel.(*email); ok {
		if late, ok := from.Channel.(*email); ok {
			heir.delivered = late.delivered
		}
	}
}

// TokenSource returns a token for the interface of an IPEX exchange, which is a name in the tenant's configuration. It is told
// the token that the exchange has just refused, which is empty at first, and returns another one then. Its errors are
// classified, and hold no credential.
type TokenSource func(ctx context.Context, tenant, exchange, refused string) (string, error)

// New makes channels, in the order given. It connects to nothing yet, but reads files of certificates. Tokens are for channels of
// the type sms. It returns config.Problems.
func New(sources []*config.Channel, tokens TokenSource) ([]Named, error) {
	var all []Named
	var problems config.Problems
	for _, s := range sources {
		set, found := read(s)
		if problems = append(problems, found...); len(problems) == 0 {
			all = append(all, Named{s.Name, s.Type, digest(s, set), set.open(s, tokens)})
		}
	}
	if len(problems) > 0 {
		return nil, problems
	}
	return all, nil
}

// Check returns what is wrong with channels, as config.Problems, or nil.
func Check(sources []*config.Channel) error {
	_, err := New(sources, nil)
	return err
}

// Types returns the types of channel there are, in order.
func Types() []string { return slices.Sorted(maps.Keys(types())) }

// settings are what the configuration says about one channel. All that matters is in exported fields, of which JSON hides the
// secrets.
type settings interface {
	open(s *config.Channel, tokens TokenSource) Channel
}

// types returns, by type, what reads the settings.
func types() map[string]func(*config.Channel) (settings, config.Problems) {
	return map[string]func(*config.Channel) (settings, config.Problems){
		"email":      readEmail,
		"slack":      readSlack,
		"mattermost": readMattermost,
		"teams":      readTeams,
		"telegram":   readTelegram,
		"webhook":    readWebhook,
		"sms":        readSMS,
	}
}

func read(s *config.Channel) (settings, config.Problems) {
	read, known := types()[s.Type]
	if !known {
		return nil, config.Problems{s.Problem("type", "unknown type %s, want one of %s", s.Type, strings.Join(Types(), ", "))}
	}
	return read(s)
}

func digest(s *config.Channel, set settings) string {
	data, err := json.Marshal([]any{s.Tenant.Name, s.Type, s.Name, set})
	if err != nil {
		panic(fmt.Sprintf("notify: settings of %s are no JSON: %v", s.Type, err)) // They are plain values.
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:8])
}

// RetryAfter returns how long the other side wants to be left alone, as it said with what became the error of Send. It is 0
// when it said nothing.
func RetryAfter(err error) time.Duration {
	later, _ := errors.AsType[*laterError](err)
	return cmp.Or(later, &laterError{}).after
}

// laterError is an error with the time that the other side named.
type laterError struct {
	error
	after time.Duration
}

func (l *laterError) Unwrap() error { return l.error }
