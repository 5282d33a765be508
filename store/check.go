package store

import (
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Limits of what a Change carries; more is refused with ErrLimit.
const (
	MaxThreadKeys = 32       // Append.ThreadKeys
	MaxEntryKey   = 1024     // octets of PutEntry.Key
	MaxEntryValue = 64 << 10 // octets of PutEntry.Value

	// MaxEntryOverhead is how much longer a wrapper of the store may make a
	// value.
	MaxEntryOverhead = 128
	MaxAccountID     = 255 // octets of an AccountID
)

// Check reports what can be said of an id alone: ErrName unless it is NFC,
// not empty and at most MaxAccountID octets.
func (id AccountID) Check() error {
	if id == "" || len(id) > MaxAccountID || !utf8.ValidString(string(id)) || !norm.NFC.IsNormalString(string(id)) {
		return ErrName
	}
	return nil
}

// Check finds the faults of a Change that show without looking at the
// account; every backend calls it first, so that all refuse alike. ErrInvalid:
// a field has a value that no Change may carry; ErrName, ErrLimit and
// ErrTooLarge as their operations document.
func (c Change) Check() error {
	appends := 0
	for _, op := range c.Ops {
		if op == nil {
			return ErrInvalid
		}
		if _, drop := op.(DropAccount); drop && len(c.Ops) > 1 {
			return ErrInvalid
		}
		switch op.(type) {
		case Append, Import:
			appends++
		}
		if err := checkOp(op); err != nil {
			return err
		}
	}
	if appends > MaxWhole {
		return ErrTooLarge
	}
	return nil
}

func checkOp(op Op) error {
	switch op := op.(type) {
	case Append:
		return op.check()
	case Import:
		return op.check()
	case SetFlags:
		return op.check()
	case PutMailbox:
		return op.check()
	case PutEntry:
		return op.check()
	case PutAccount:
		return op.check()
	case Expunge, Copy, ClaimRecent, DropAccount:
		return nil
	}
	return ErrInvalid
}

func (op Append) check() error {
	if op.Size < 0 || op.Flags&^AllFlags != 0 || op.Blob == "" {
		return ErrInvalid
	}
	if len(op.ThreadKeys) > MaxThreadKeys {
		return ErrLimit
	}
	_, err := CleanKeywords(op.Keywords)
	return err
}

func (op Import) check() error {
	if op.UID == 0 {
		return ErrInvalid
	}
	if op.Gone {
		return nil
	}
	return op.Append.check()
}

func (op SetFlags) check() error {
	if op.Mode > FlagsReplace || op.Flags&^AllFlags != 0 {
		return ErrInvalid
	}
	_, err := CleanKeywords(op.Keywords)
	return err
}

func (op PutMailbox) check() error {
	if op.ID.IsZero() || op.Create && (op.Delete || op.Name == "") {
		return ErrInvalid
	}
	if op.Delete && (op.Name != "" || op.Role != nil || op.Subscribed != nil) {
		return ErrInvalid
	}
	if op.Name == "" {
		return nil
	}
	_, err := CleanName(op.Name)
	return err
}

func (op PutEntry) check() error {
	if op.Key == "" {
		return ErrInvalid
	}
	overhead := min(max(op.Overhead, 0), MaxEntryOverhead)
	if len(op.Key) > MaxEntryKey || len(op.Value) > MaxEntryValue+overhead {
		return ErrLimit
	}
	return nil
}

func (op PutAccount) check() error {
	if op.State != nil && *op.State > AccountClosed {
		return ErrInvalid
	}
	if l := op.Limits; l != nil && (l.Bytes < 0 || l.Messages < 0 || l.Mailboxes < 0) {
		return ErrInvalid
	}
	return nil
}
