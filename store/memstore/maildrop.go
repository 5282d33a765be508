package memstore

import (
	"context"
	"time"

	"github.com/mailstead/mailstead/store"
)

// lease is who has the maildrop, and until when.
type lease struct {
	holder string // "" = nobody
	until  time.Time
}

// LockMaildrop implements store.MaildropLocker.
func (a *account) LockMaildrop(ctx context.Context, holder string, d time.Duration) error {
	if err := a.enter(ctx); err != nil {
		return a.fail("lock maildrop", err)
	}
	defer a.mu.Unlock()
	now := time.Now()
	if a.maildrop.holder != "" && a.maildrop.holder != holder && now.Before(a.maildrop.until) {
		return a.fail("lock maildrop", store.ErrLocked)
	}
	a.maildrop = lease{holder, now.Add(d)}
	return nil
}

// UnlockMaildrop implements store.MaildropLocker.
func (a *account) UnlockMaildrop(ctx context.Context, holder string) error {
	if err := a.enter(ctx); err != nil {
		return a.fail("unlock maildrop", err)
	}
	defer a.mu.Unlock()
	if a.maildrop.holder == holder {
		a.maildrop = lease{}
	}
	return nil
}
