package deliver

import (
	"context"

	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/store"
)

// MaySend says, for smtppolicy.SenderLogin, whether an account owns a
// reverse-path: its own name, one that leads to it, also by a sub-address, or an
// alias that stands for it among others. A catch-all owns no address. An error
// is a failure to find out.
func MaySend(dir Directory) func(ctx context.Context, account string, from smtp.ReversePath) (bool, error) {
	return func(ctx context.Context, account string, from smtp.ReversePath) (bool, error) {
		if CanonicalAddress(from.Path) == account {
			return true, nil // also where no mail arrives for it
		}
		id := store.AccountID(account)
		e, err := LookupOne(ctx, dir, smtp.ForwardPath(from))
		if err != nil {
			return false, err
		}
		switch e.Kind {
		case Local:
			return e.Account == id && !e.CatchAll, nil
		case Alias:
			if e.Account == id {
				return true, nil
			}
			return expandsTo(ctx, dir, e.Expand, id)
		case Unknown, Remote, Relayed:
		}
		return false, nil
	}
}

// MaySendUnowned is MaySend for operators who only keep their users from writing
// as each other: an address that is nobody's here, of whatever domain, is for
// all. (Postfix's reject_known_sender_login_mismatch.)
func MaySendUnowned(dir Directory) func(ctx context.Context, account string, from smtp.ReversePath) (bool, error) {
	owns := MaySend(dir)
	return func(ctx context.Context, account string, from smtp.ReversePath) (bool, error) {
		e, err := LookupOne(ctx, dir, smtp.ForwardPath(from))
		if err != nil {
			return false, err
		}
		if e.Kind == Unknown || e.Kind == Remote || e.CatchAll {
			return true, nil
		}
		return owns(ctx, account, from)
	}
}

// expandsTo looks one step further: an alias of an alias is nobody's own.
func expandsTo(ctx context.Context, dir Directory, paths []smtp.ForwardPath, id store.AccountID) (bool, error) {
	entries, err := dir.Lookup(ctx, paths)
	if err != nil {
		return false, err
	}
	var failed error
	for _, e := range entries {
		switch {
		case e.Err != nil:
			failed = e.Err
		case e.Kind == Local && e.Account == id && !e.CatchAll:
			return true, nil
		}
	}
	return false, failed
}
