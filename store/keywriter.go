package store

import (
	"context"
	"iter"
)

// MaxKeys is the greatest number of KeyChanges in one call of WriteKeys.
const MaxKeys = 1000

// KeyWriter is an Account whose keys can be wrapped anew, without a change of
// what they open: what a store that encrypts needs of the one below it. It
// takes no ModSeq and wakes nobody. Callers use ListKeys and WriteKeys.
type KeyWriter interface {
	// Keys yields, in ascending order, the messages of uids that Content
	// opens, expunged ones too; it may yield some more whose blobs were
	// collected. It sets UID, EmailID, Blob, Key and Prefix alone. The rules of
	// Messages hold: pages, nothing locked in the loop body, the *Message valid
	// until the next step. ErrNoMailbox.
	Keys(ctx context.Context, id MailboxID, uids UIDSet) iter.Seq2[*Message, error]

	// WriteKeys puts New in the place of Old, where Old still stands; what is
	// not there (any more), or has changed, is left as it is. All of it is
	// durable when it returns. More than MaxKeys are ErrTooLarge, an empty Old
	// or New ErrInvalid. The octets are the caller's.
	WriteKeys(ctx context.Context, changes []KeyChange) error
}

// KeyChange replaces the Key of a message, or the value of an entry.
type KeyChange struct {
	Mailbox MailboxID // of the message or the entry; zero = an entry of the account
	UID     UID       // of the message; zero = the entry
	Entry   string    // key of the entry

	Old, New []byte
}

// CheckKeys reports what can be said of KeyChanges alone; every backend calls
// it first. ErrTooLarge, ErrInvalid.
func CheckKeys(changes []KeyChange) error {
	if len(changes) > MaxKeys {
		return ErrTooLarge
	}
	for i := range changes {
		if len(changes[i].Old) == 0 || len(changes[i].New) == 0 {
			return ErrInvalid
		}
	}
	return nil
}

// ListKeys yields the messages of uids with their keys, see KeyWriter.Keys.
// Without a KeyWriter expunged messages are missing.
func ListKeys(ctx context.Context, a Account, id MailboxID, uids UIDSet) iter.Seq2[*Message, error] {
	if k, ok := As[KeyWriter](a); ok {
		return k.Keys(ctx, id, uids)
	}
	return a.Messages(ctx, id, Query{UIDs: uids, Fields: FieldIDs | FieldContent})
}

// WriteKeys replaces keys, see KeyWriter. ErrUnsupported: the store cannot;
// nothing in front of a store could, so there is no other fallback.
func WriteKeys(ctx context.Context, a Account, changes []KeyChange) error {
	k, ok := As[KeyWriter](a)
	if !ok {
		return &Error{Op: "write keys", Err: ErrUnsupported}
	}
	return k.WriteKeys(ctx, changes)
}
