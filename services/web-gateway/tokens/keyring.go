package tokens

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"log/slog"
	"time"

	"github.com/oklog/run"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/switchhook/switchhook/pkg/bus"
	"github.com/switchhook/switchhook/pkg/fault"
	pbxv1 "github.com/switchhook/switchhook/proto/pbx/v1"
)

const (
	// period is how long a key signs.
	period = 24 * time.Hour
	// lead is how long before it signs a key is there, so that every replica knows it by then.
	lead = time.Hour
	// skew is by how much the clocks of replicas may differ.
	skew = 30 * time.Second
	// every is how often it is looked whether a key is due.
	every = time.Second
	// writeLimit is how long writing a key may take.
	writeLimit = 5 * time.Second
)

// KeyringOptions are what a Keyring works with. Log and Now may be nil.
type KeyringOptions struct {
	Bus      *bus.Bus
	Replicas func() int // servers that keep a copy
	Log      *slog.Logger
	Now      func() time.Time // for the rotation
}

// Keyring holds the keys that sign tokens, and knows which sessions have ended. It is safe for concurrent use.
//
// A key is named by the day on which it signs, so that replicas that make one at once make the same. To end all that it
// signed, delete it from the bucket: there is another of that name in a second.
type Keyring struct {
	KeyringOptions
	keys  *bus.Table[*pbxv1.SigningKey]
	ended *bus.Table[*timestamppb.Timestamp] // by the session's id: when it would have ended by itself
}

// NewKeyring returns a keyring that knows nothing before its actors run.
func NewKeyring(o KeyringOptions) *Keyring {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Keyring{KeyringOptions: o, keys: o.Bus.SigningKeys(o.Replicas), ended: o.Bus.EndedSessions(o.Replicas)}
}

// Join adds the actors that keep the keyring up to date, and make a new key each day.
func (k *Keyring) Join(g *run.Group) {
	g.Add(k.keys.Maintain())
	g.Add(k.ended.Maintain())
	ctx, cancel := context.WithCancel(context.Background())
	g.Add(func() error { k.rotate(ctx); return nil }, func(error) { cancel() })
}

// Ready returns nil when tokens can be minted and verified.
func (k *Keyring) Ready() error {
	if !k.keys.Loaded() || !k.ended.Loaded() {
		return fault.New(fault.Unavailable, "the keys of tokens are not known yet")
	}
	_, err := k.signer(k.Now())
	return err
}

// End ends a session, at all replicas, a moment later. Ending it again does nothing.
func (k *Keyring) End(ctx context.Context, session Claims) error {
	_, err := k.ended.Put(ctx, session.ID, timestamppb.New(session.Expires), 0)
	if fault.Is(err, fault.Conflict) {
		return nil
	}
	return err
}

// rotate makes keys when they are due, until the context ends.
func (k *Keyring) rotate(ctx context.Context) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		changed := k.keys.Changed()
		if k.keys.Loaded() {
			if err := k.makeDue(ctx, k.Now()); err != nil && ctx.Err() == nil {
				k.Log.Warn("signing key not made, trying again", "err", err)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-changed:
		case <-ticker.C:
		}
	}
}

// makeDue makes the key of today and, a while before midnight, that of tomorrow.
func (k *Keyring) makeDue(ctx context.Context, now time.Time) error {
	for _, day := range []time.Time{now, now.Add(lead)} {
		if err := k.make(ctx, day.Truncate(period)); err != nil {
			return err
		}
	}
	return nil
}

func (k *Keyring) make(ctx context.Context, begins time.Time) error {
	id := begins.UTC().Format(time.DateOnly)
	row := k.keys.Get(id)
	if row.Revision > 0 && !row.Deleted {
		return nil
	}
	seed := make([]byte, ed25519.SeedSize)
	_, _ = rand.Read(seed) // it never fails
	ctx, cancel := context.WithTimeout(ctx, writeLimit)
	defer cancel()
	_, err := k.keys.Put(ctx, id, &pbxv1.SigningKey{
		Id: id, Seed: seed, SignsFrom: timestamppb.New(begins),
		VerifiesUntil: timestamppb.New(begins.Add(period + LongestSession + 2*skew)),
	}, row.Revision)
	if fault.Is(err, fault.Conflict) { // another replica was faster
		return nil
	}
	if err == nil {
		k.Log.Info("signing key made", "key", id)
	}
	return err
}

// signer returns the key that signs now: the newest whose day has begun.
func (k *Keyring) signer(now time.Time) (*pbxv1.SigningKey, error) {
	var newest *pbxv1.SigningKey
	for _, row := range k.keys.Rows() {
		key := row.Value
		begun := !key.GetSignsFrom().AsTime().After(now)
		if begun && usable(key, now) && (newest == nil || key.GetSignsFrom().AsTime().After(newest.GetSignsFrom().AsTime())) {
			newest = key
		}
	}
	if newest == nil {
		return nil, fault.New(fault.Unavailable, "there is no key yet to sign a token with")
	}
	return newest, nil
}

func usable(key *pbxv1.SigningKey, now time.Time) bool {
	return len(key.GetSeed()) == ed25519.SeedSize && now.Before(key.GetVerifiesUntil().AsTime())
}
