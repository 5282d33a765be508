package store

import (
	"context"
	"crypto/rand"
	"sync"
	"time"
)

// DefaultMaildropLease is how long a maildrop stays locked for a session that
// says nothing: longer than the ten minutes after which a POP3 server may
// close an idle session (RFC 1939 §3).
const DefaultMaildropLease = 15 * time.Minute

// MaildropLocker is an Account that keeps the lock of its maildrop (RFC 1939
// §4) where all nodes see it. The lock is a lease: it ends by itself when its
// holder says nothing, so a crashed node locks nobody out for long. It is
// advisory: QUIT deletes by UID and is right without it. It takes no ModSeq
// and may be lost in a crash. Callers use Maildrops.Lock.
type MaildropLocker interface {
	// LockMaildrop takes the lock for holder until lease has passed, or
	// prolongs it where holder has it. ErrLocked: another one has it. holder
	// is any string that no other session uses; lease is positive.
	LockMaildrop(ctx context.Context, holder string, lease time.Duration) error

	// UnlockMaildrop gives the lock back. It does nothing where holder does
	// not have it.
	UnlockMaildrop(ctx context.Context, holder string) error
}

// Maildrops locks maildrops for the servers that share it. An account without
// a MaildropLocker is locked here, within the process. The zero value is ready
// for use; it must not be copied. Its methods may be called from any number of
// goroutines.
type Maildrops struct {
	// Lease is how long a lock lasts without a call of Keep. Zero or less =
	// DefaultMaildropLease. Locks within the process have no lease.
	Lease time.Duration

	mu   sync.Mutex // guards held
	held map[AccountID]bool
}

// MaildropLock is a locked maildrop. It is used by one goroutine.
type MaildropLock struct {
	owner  *Maildrops
	id     AccountID
	remote MaildropLocker // nil = locked in the process
	holder string
	kept   time.Time // when the lease began
}

// Lock locks the maildrop of account a, whose id is id. ErrLocked: another
// session has it. The caller calls Unlock at the end, and Keep meanwhile.
func (l *Maildrops) Lock(ctx context.Context, a Account, id AccountID) (*MaildropLock, error) {
	m := &MaildropLock{owner: l, id: id, holder: rand.Text(), kept: time.Now()}
	if remote, ok := As[MaildropLocker](a); ok {
		if err := remote.LockMaildrop(ctx, m.holder, l.lease()); err != nil {
			return nil, err
		}
		m.remote = remote
		return m, nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.held[id] {
		return nil, &Error{Op: "lock maildrop", Account: id, Err: ErrLocked}
	}
	if l.held == nil {
		l.held = make(map[AccountID]bool)
	}
	l.held[id] = true
	return m, nil
}

func (l *Maildrops) lease() time.Duration {
	if l.Lease <= 0 {
		return DefaultMaildropLease
	}
	return l.Lease
}

// Keep prolongs the lease when a third of it has passed, and costs nothing
// before that: a session calls it with every command. ErrLocked: the lease had
// ended and another session took the maildrop.
func (m *MaildropLock) Keep(ctx context.Context) error {
	if m.remote == nil || time.Since(m.kept) < m.owner.lease()/3 {
		return nil
	}
	if err := m.remote.LockMaildrop(ctx, m.holder, m.owner.lease()); err != nil {
		return err
	}
	m.kept = time.Now()
	return nil
}

// Unlock gives the maildrop back, also when ctx is cancelled. It is called
// once. A lock that cannot be given back ends with its lease.
func (m *MaildropLock) Unlock(ctx context.Context) error {
	if m.remote != nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		return m.remote.UnlockMaildrop(ctx, m.holder)
	}
	m.owner.mu.Lock()
	defer m.owner.mu.Unlock()
	delete(m.owner.held, m.id)
	return nil
}
