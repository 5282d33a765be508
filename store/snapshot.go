package store

import (
	"context"
	"errors"
	"iter"
)

// Snapshotter is an Account that can be read as it was at one moment, whatever
// is changed meanwhile. Callers use ReadAccount.
type Snapshotter interface {
	// Snapshot returns the account as it is now. The caller closes it soon:
	// an engine keeps what was removed for as long as it is open.
	Snapshot(ctx context.Context) (Snapshot, error)
}

// Snapshot is an account at one ModSeq. Its methods are those of Account, and
// the octets of a message are read through Account.Content, which serves
// expunged messages too. It may be used by several goroutines.
type Snapshot interface {
	// ModSeq is the account's at the moment of the snapshot.
	ModSeq() ModSeq

	// Mailboxes, Messages and Entries are those of Account, with all their
	// rules, at that moment. After Close they fail.
	Mailboxes(ctx context.Context, since ModSeq) ([]Mailbox, error)
	Messages(ctx context.Context, id MailboxID, q Query) iter.Seq2[*Message, error]
	Entries(ctx context.Context, q EntryQuery) iter.Seq2[Entry, error]

	// Close frees what the snapshot holds. Idempotent.
	Close() error
}

// Visitor receives what ReadAccount reads. A nil func skips what it would
// receive. What comes later replaces what came before under the same id, UID
// or key; tombstones (Gone) remove. An error ends the reading.
type Visitor struct {
	// Pass is called before each pass over what changed. Within one pass every
	// mailbox, message and entry comes at most once: messages of a mailbox
	// follow it in ascending order of UID, entries come last, in order of
	// (MailboxID, Key).
	Pass func() error

	Mailbox func(m Mailbox) error
	Message func(id MailboxID, m *Message) error // m is valid during the call
	Entry   func(e Entry) error

	Fields Fields // the parts of messages that are wanted

	// Wants says of which mailboxes the messages are read; nil = of all.
	Wants func(m Mailbox) bool
}

// maxRounds bounds the deltas that ReadAccount reads before it gives up.
const maxRounds = 1000

// ReadAccount hands to v all that changed after since (0 = all that is there),
// so that what v holds in the end is the account exactly as it was at the
// ModSeq that is returned. From a Snapshotter it reads once. Elsewhere it
// reads on, each time what changed since the time before, until nothing
// changes while it reads; then v may see a mailbox, message or entry more than
// once. ErrTemporary: the account did not come to rest within 1000 such
// deltas. ErrResync: since lies below the purge mark.
func ReadAccount(ctx context.Context, a Account, since ModSeq, v Visitor) (ModSeq, error) {
	if s, ok := As[Snapshotter](a); ok {
		snap, err := s.Snapshot(ctx)
		if err != nil {
			return 0, err
		}
		defer snap.Close()
		boxes, err := snap.Mailboxes(ctx, since)
		if err != nil {
			return 0, err
		}
		return snap.ModSeq(), v.read(ctx, snap, boxes, since)
	}
	for range maxRounds {
		boxes, now, err := a.Mailboxes(ctx, since)
		if err != nil {
			return 0, err
		}
		if err := v.read(ctx, a, boxes, since); err != nil {
			return 0, err
		}
		_, after, err := a.Mailboxes(ctx, now)
		if err != nil {
			return 0, err
		}
		if after == now {
			return now, nil
		}
		since = now
	}
	return 0, &Error{Op: "read account", Err: ErrTemporary}
}

// reader is what Account and Snapshot have in common.
type reader interface {
	Messages(ctx context.Context, id MailboxID, q Query) iter.Seq2[*Message, error]
	Entries(ctx context.Context, q EntryQuery) iter.Seq2[Entry, error]
}

// read makes one pass. A mailbox that goes meanwhile is left to the next pass,
// which has its tombstone.
func (v Visitor) read(ctx context.Context, r reader, boxes []Mailbox, since ModSeq) error {
	if v.Pass != nil {
		if err := v.Pass(); err != nil {
			return err
		}
	}
	for _, m := range boxes {
		if v.Mailbox != nil {
			if err := v.Mailbox(m); err != nil {
				return err
			}
		}
		if m.Gone || v.Message == nil || v.Wants != nil && !v.Wants(m) {
			continue
		}
		if err := v.messages(ctx, r, m.ID, since); err != nil && !errors.Is(err, ErrNoMailbox) {
			return err
		}
	}
	if v.Entry == nil {
		return nil
	}
	for e, err := range r.Entries(ctx, EntryQuery{All: true, Since: since}) {
		if err != nil {
			return err
		}
		if err := v.Entry(e); err != nil {
			return err
		}
	}
	return nil
}

func (v Visitor) messages(ctx context.Context, r reader, id MailboxID, since ModSeq) error {
	for m, err := range r.Messages(ctx, id, Query{Since: since, Fields: v.Fields}) {
		if err != nil {
			return err
		}
		if err := v.Message(id, m); err != nil {
			return err
		}
	}
	return nil
}
