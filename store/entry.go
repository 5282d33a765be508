package store

import (
	"slices"
	"time"
)

// Present reports whether e is there at now: written, not removed and not
// expired.
func (e Entry) Present(now time.Time) bool {
	return e.ModSeq > 0 && !e.Gone && (e.Expires.IsZero() || now.Before(e.Expires))
}

// On computes the entry that op leaves where old was (the zero Entry where
// there was none), as of now. changed is false when op removes what is not
// there; else the backend sets ModSeq. ErrConflict: IfAbsent or IfModSeq does
// not hold.
func (op PutEntry) On(old Entry, now time.Time) (e Entry, changed bool, err error) {
	var at ModSeq
	there := old.Present(now)
	if there {
		at = old.ModSeq
	}
	if op.IfAbsent && there || op.IfModSeq != nil && *op.IfModSeq != at {
		return old, false, ErrConflict
	}
	e = Entry{Mailbox: op.Mailbox, Key: op.Key, Gone: op.Value == nil}
	if !e.Gone {
		e.Value, e.Expires = slices.Clone(op.Value), op.Expires
	}
	return e, there || !e.Gone, nil
}
