package store

import (
	"context"
	"time"
)

// MaxHoldName is the greatest length of a Hold's name in octets.
const MaxHoldName = 255

// Hold keeps messages from being deleted: a legal hold, or a rule of
// retention. It is declared for an account, a mailbox or a set of messages,
// and covers what is there when it is declared and what comes later. What was
// deleted before is not brought back.
type Hold struct {
	Name    string    // unique in the account; 1..MaxHoldName octets
	Reason  string    // for people; the store ignores it
	Mailbox MailboxID // zero = the whole account
	UIDs    UIDSet    // of that mailbox; empty = all

	// Until ends the hold; zero = it lasts until it is dropped.
	Until time.Time

	// Keep, when greater than zero, covers each message only until so long
	// after Message.Saved: retention. Zero = as long as the hold lasts.
	Keep time.Duration
}

// Check reports what can be said of a Hold alone: ErrInvalid for a name that
// is empty or too long, UIDs without a mailbox, or a negative Keep.
func (h Hold) Check() error {
	if h.Name == "" || len(h.Name) > MaxHoldName || len(h.UIDs) > 0 && h.Mailbox.IsZero() || h.Keep < 0 {
		return ErrInvalid
	}
	return nil
}

// Active reports whether the hold lasts at time now.
func (h Hold) Active(now time.Time) bool { return h.Until.IsZero() || now.Before(h.Until) }

// Covers reports whether a message of mailbox id that was saved then may not
// be deleted now.
func (h Hold) Covers(id MailboxID, uid UID, saved, now time.Time) bool {
	switch {
	case !h.Active(now), !h.Mailbox.IsZero() && h.Mailbox != id, len(h.UIDs) > 0 && !h.UIDs.Contains(uid):
		return false
	}
	return h.Keep == 0 || now.Before(saved.Add(h.Keep))
}

// Holder is an Account that keeps holds and obeys them in every way of
// deleting, judged inside the transaction:
//
//   - Expunge leaves covered messages as they are, and names them in
//     OpResult.Held. So does Copy with Move, unless the whole account is on
//     hold, within which a message may move.
//   - PutMailbox with Delete is refused with ErrHeld while a message of the
//     mailbox is covered, or a hold without Keep names the mailbox; so is a
//     rename of INBOX that would move messages out of a hold on INBOX.
//   - DropAccount is refused with ErrHeld while a message is covered or a hold
//     without Keep is active.
//   - What purges in the background finds nothing of a covered message, as it
//     was never marked; Store.Holds names its blob.
//
// Holds take no ModSeq and no part in Since. Flags of covered messages change
// freely. Callers use PutHold, DropHold and ListHolds.
type Holder interface {
	// PutHold declares a hold, or replaces the one of that name; durable when
	// it returns, and obeyed by every Change that is applied afterwards.
	// ErrInvalid: see Hold.Check; ErrNoMailbox: there is no such mailbox.
	PutHold(ctx context.Context, h Hold) error

	// DropHold ends a hold, durable when it returns. There being none of that
	// name is no error.
	DropHold(ctx context.Context, name string) error

	// ListHolds returns all holds, expired ones too, in order of name.
	ListHolds(ctx context.Context) ([]Hold, error)
}

// PutHold declares a hold on account a. ErrUnsupported: the store cannot keep
// it; nothing in front of a store could, so there is no other fallback.
func PutHold(ctx context.Context, a Account, h Hold) error {
	s, ok := As[Holder](a)
	if !ok {
		return &Error{Op: "put hold", Err: ErrUnsupported}
	}
	return s.PutHold(ctx, h)
}

// DropHold ends a hold on account a. ErrUnsupported: see PutHold.
func DropHold(ctx context.Context, a Account, name string) error {
	s, ok := As[Holder](a)
	if !ok {
		return &Error{Op: "drop hold", Err: ErrUnsupported}
	}
	return s.DropHold(ctx, name)
}

// ListHolds returns the holds on account a, in order of name; none where the
// store cannot keep any.
func ListHolds(ctx context.Context, a Account) ([]Hold, error) {
	s, ok := As[Holder](a)
	if !ok {
		return nil, nil
	}
	return s.ListHolds(ctx)
}
