package sqlstore

import (
	"errors"
	"fmt"
	"syscall"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/blob"
	"github.com/mailstead/mailstead/store/sqldb"
)

// fail wraps an error for the caller.
func fail(op string, id store.AccountID, err error) error {
	return &store.Error{Op: op, Account: id, Err: known(err)}
}

func failBox(op string, id store.AccountID, box store.MailboxID, err error) error {
	return &store.Error{Op: op, Account: id, Mailbox: box.String(), Err: known(err)}
}

// known adds the store's sentinel to errors of the packages below.
func known(err error) error {
	for _, k := range [...]struct{ below, ours error }{
		{sqldb.ErrUnknown, store.ErrUnknown},
		{sqldb.ErrPoisoned, store.ErrTemporary},
		{sqldb.ErrSystemic, store.ErrTemporary},
		{sqldb.ErrCorrupt, store.ErrCorrupt},
		{sqldb.ErrClosed, store.ErrClosed},
		{sqldb.ErrVersion, store.ErrVersion},
		{blob.ErrNoBlob, store.ErrNoBlob},
		{blob.ErrCorrupt, store.ErrCorrupt},
		{blob.ErrClosed, store.ErrClosed},
		{blob.ErrVersion, store.ErrVersion},
		{blob.ErrPoisoned, store.ErrTemporary},
	} {
		if errors.Is(err, k.below) && !errors.Is(err, k.ours) {
			return fmt.Errorf("%w: %w", k.ours, err)
		}
	}
	var errno syscall.Errno // a file of the blobs that cannot be read now
	if errors.As(err, &errno) && !errors.Is(err, store.ErrTemporary) && !errors.Is(err, store.ErrUnknown) && !errors.Is(err, store.ErrCorrupt) {
		return fmt.Errorf("%w: %w", store.ErrTemporary, err)
	}
	return err
}
