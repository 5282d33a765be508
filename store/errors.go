package store

import (
	"errors"
	"fmt"
)

// Errors of a store; they travel inside *Error and are tested with errors.Is.
var (
	ErrNoAccount    = errors.New("store: no such account")
	ErrNoMailbox    = errors.New("store: no such mailbox")
	ErrNoMessage    = errors.New("store: no such message")
	ErrExpunged     = errors.New("store: message was expunged and collected")
	ErrExists       = errors.New("store: exists already")
	ErrInbox        = errors.New("store: not possible with INBOX")
	ErrName         = errors.New("store: name not allowed")
	ErrOverQuota    = errors.New("store: over quota")
	ErrConflict     = errors.New("store: condition does not hold")
	ErrInvalid      = errors.New("store: malformed change")
	ErrTooLarge     = errors.New("store: change touches too many messages")
	ErrLimit        = errors.New("store: a limit of the store is reached")
	ErrNoBlob       = errors.New("store: nothing keeps this blob")
	ErrImporting    = errors.New("store: account is being imported")
	ErrNotImporting = errors.New("store: account is not being imported")
	ErrClosedAcct   = errors.New("store: account is closed")
	ErrResync       = errors.New("store: changes since then are no longer known")
	ErrUnknown      = errors.New("store: outcome of the change is unknown")
	ErrCorrupt      = errors.New("store: damaged")
	ErrInUse        = errors.New("store: data directory in use by another process")
	ErrNetworkFS    = errors.New("store: data directory on a network file system")
	ErrVersion      = errors.New("store: written by a newer version")
	ErrReadOnly     = errors.New("store: read-only")
	ErrTemporary    = errors.New("store: temporarily not available")
	ErrClosed       = errors.New("store: closed")
	ErrUnsupported  = errors.New("store: not supported by this backend")
	ErrLocked       = errors.New("store: maildrop in use by another session")
	ErrHeld         = errors.New("store: under a hold, may not be deleted")
)

// Error says which operation on what failed. Err is one of the errors above
// or an engine's own.
type Error struct {
	Op      string // "apply", "messages", ...
	Account AccountID
	Mailbox string // name or id; "" = none
	UID     UID    // of the message; zero = none
	Err     error
}

// Error is a text for logs.
func (e *Error) Error() string {
	s := "store: " + e.Op
	if e.Account != "" {
		s += fmt.Sprintf(" account %q", string(e.Account))
	}
	if e.Mailbox != "" {
		s += fmt.Sprintf(" mailbox %q", e.Mailbox)
	}
	if e.UID != 0 {
		s += fmt.Sprintf(" message %d", e.UID)
	}
	return s + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }
