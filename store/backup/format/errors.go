package format

import (
	"errors"
	"fmt"
	"strings"

	"github.com/mailstead/mailstead/store"
)

// Errors of an archive, tested with errors.Is. An archive of a newer version
// is store.ErrVersion, one that another process writes to store.ErrInUse.
var (
	ErrDamaged = errors.New("backup: archive damaged")
	ErrLimit   = errors.New("backup: a limit of the reader is reached")
	ErrName    = errors.New("backup: not a name of an object")
)

// Problem is what is wrong with one thing, in an archive or in the store that
// is backed up. The fields that say where are empty where they do not apply.
// An error with a Problem in it (errors.As) says what it is about.
type Problem struct {
	Object  string // of the archive
	Account store.AccountID
	Mailbox string // name or id
	UID     store.UID
	Err     error
}

// Error is a text for logs and reports.
func (p *Problem) Error() string {
	var b strings.Builder
	b.WriteString("backup:")
	if p.Object != "" {
		fmt.Fprintf(&b, " %s", p.Object)
	}
	if p.Account != "" {
		fmt.Fprintf(&b, " account %q", string(p.Account))
	}
	if p.Mailbox != "" {
		fmt.Fprintf(&b, " mailbox %q", p.Mailbox)
	}
	if p.UID != 0 {
		fmt.Fprintf(&b, " message %d", p.UID)
	}
	return b.String() + ": " + p.Err.Error()
}

// Unwrap returns the cause.
func (p *Problem) Unwrap() error { return p.Err }

// Damage says that an object does not hold what it must.
func Damage(object, format string, args ...any) error {
	return &Problem{Object: object, Err: fmt.Errorf("%w: %s", ErrDamaged, fmt.Sprintf(format, args...))}
}

// IsDamage reports whether err is about the archive's octets, and not about
// the way to them.
func IsDamage(err error) bool {
	return errors.Is(err, ErrDamaged) || errors.Is(err, ErrLimit)
}
