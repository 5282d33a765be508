package sqlite_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailstead/mailstead/store"
)

// lock locks the maildrop for ten minutes, or expects to be refused.
func lock(t *testing.T, a store.Account, holder string, want error) {
	t.Helper()
	l, ok := store.As[store.MaildropLocker](a)
	if !ok {
		t.Fatal("no MaildropLocker")
	}
	if err := l.LockMaildrop(t.Context(), holder, 10*time.Minute); !errors.Is(err, want) {
		t.Errorf("LockMaildrop by %s: %v, want %v", holder, err, want)
	}
}

// TestLease: a lock lasts as long as its lease, then another session takes it
// over; the end of the process, whose directory nobody else can have, frees it.
func TestLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, t.TempDir())
		a := newWriter(t, s, "alice").a
		lock(t, a, "one", nil)
		time.Sleep(10*time.Minute - time.Second)
		lock(t, a, "two", store.ErrLocked)
		time.Sleep(time.Second)
		lock(t, a, "two", nil)
		lock(t, a, "one", store.ErrLocked)
		if n := rows(t, s, "maildrop"); n != 1 {
			t.Errorf("%d rows, want the one of two", n)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = open(t, s.dir)
		a, err := s.Open(t.Context(), "alice")
		if err != nil {
			t.Fatal(err)
		}
		lock(t, a, "one", nil)
	})
}
