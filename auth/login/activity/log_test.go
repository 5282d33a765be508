package activity

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailstead/mailstead/auth/login"
)

// memory is a Store that knows alice and bob.
type memory struct {
	mu     sync.Mutex
	values map[string][]byte
	saves  int
	err    error
}

func newMemory() *memory { return &memory{values: map[string][]byte{"alice": nil, "bob": nil}} }

func (m *memory) Load(_ context.Context, account string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	v, ok := m.values[account]
	if !ok {
		return nil, ErrNoAccount
	}
	return v, nil
}

func (m *memory) Save(_ context.Context, account string, value []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.saves++
	if m.err != nil {
		return m.err
	}
	m.values[account] = value
	return nil
}

func event(user, addr string, err error) login.Event {
	e := login.Event{Time: time.Now(), Err: err, Reason: "wrong password"}
	e.Username, e.Peer, e.Protocol, e.Mechanism = user, netip.MustParseAddr(addr), login.IMAP, "PLAIN"
	if err == nil {
		e.Identity, e.Reason = login.Identity{Account: user, User: user}, ""
	}
	return e
}

func describe(t *testing.T, l *Log, name string) string {
	t.Helper()
	a, err := l.Account(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	last := "never"
	if a.Last != nil {
		last = a.Last.Addr.String()
	}
	failures := ""
	for _, f := range a.Failures {
		failures += " " + f.Addr.String()
	}
	return fmt.Sprintf("last %s, %d failed:%s", last, a.Failed, failures)
}

func TestLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newMemory()
		l := &Log{Store: store}
		observe := func(e login.Event) {
			time.Sleep(time.Second)
			e.Time = time.Now()
			l.Observe(t.Context(), e)
		}
		flush := func(all bool) {
			t.Helper()
			if err := l.Flush(t.Context(), all); err != nil {
				t.Fatal(err)
			}
		}
		want := func(text string) {
			t.Helper()
			if got := describe(t, l, "alice"); got != text {
				t.Errorf("got  %s\nwant %s", got, text)
			}
		}
		want("last never, 0 failed:")
		observe(event("alice", "10.0.0.1", login.ErrRejected))
		observe(event("alice", "10.0.0.2", login.ErrTooMany))
		observe(event("alice", "10.0.0.3", login.ErrTemporary)) // nobody's fault
		want("last never, 2 failed: 10.0.0.2 10.0.0.1")
		flush(false)
		want("last never, 2 failed: 10.0.0.2 10.0.0.1")
		observe(event("alice", "10.0.0.4", nil))
		want("last 10.0.0.4, 0 failed: 10.0.0.2 10.0.0.1")
		observe(event("alice", "10.0.0.5", login.ErrRejected))
		want("last 10.0.0.4, 1 failed: 10.0.0.5 10.0.0.2 10.0.0.1")
		flush(false)
		want("last 10.0.0.4, 1 failed: 10.0.0.5 10.0.0.2 10.0.0.1")

		// Another node knows of later failures.
		other := &Log{Store: store}
		time.Sleep(time.Second)
		other.Observe(t.Context(), event("alice", "10.0.0.6", login.ErrRejected))
		if err := other.Flush(t.Context(), false); err != nil {
			t.Fatal(err)
		}
		want("last 10.0.0.4, 2 failed: 10.0.0.6 10.0.0.5 10.0.0.2 10.0.0.1")
		for range 20 {
			observe(event("alice", "10.0.0.7", login.ErrRejected))
		}
		want("last 10.0.0.4, 22 failed:" + strings.Repeat(" 10.0.0.7", maxFailures))

		// What cannot be stored is kept.
		store.err = errors.New("disk full")
		if err := l.Flush(t.Context(), false); !errors.Is(err, store.err) {
			t.Error(err)
		}
		store.err = nil
		want("last 10.0.0.4, 22 failed:" + strings.Repeat(" 10.0.0.7", maxFailures))
		flush(false)
		want("last 10.0.0.4, 22 failed:" + strings.Repeat(" 10.0.0.7", maxFailures))
	})
}

// Who comes every minute is stored once an hour, and at the end.
func TestQuiet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newMemory()
		l := &Log{Store: store}
		for range 180 {
			time.Sleep(time.Minute)
			l.Observe(t.Context(), event("alice", "10.0.0.1", nil))
			if err := l.Flush(t.Context(), false); err != nil {
				t.Fatal(err)
			}
		}
		if store.saves != 3 {
			t.Errorf("%d saves in three hours", store.saves)
		}
		if a, _ := l.Account(t.Context(), "alice"); !a.Last.Time.Equal(time.Now()) {
			t.Errorf("last login %v, now %v", a.Last.Time, time.Now())
		}
		if err := l.Flush(t.Context(), true); err != nil || store.saves != 4 {
			t.Errorf("%v, %d saves", err, store.saves)
		}
	})
}

func TestUnknownUsersAndBounds(t *testing.T) {
	store := newMemory()
	l := &Log{Store: store}
	for i := range maxAccounts + 1000 {
		l.Observe(t.Context(), event(fmt.Sprintf("user%d", i), "10.0.0.1", login.ErrRejected))
	}
	l.Observe(t.Context(), event(strings.Repeat("x", 10000), "10.0.0.1", login.ErrRejected))
	if len(l.accounts) > maxAccounts {
		t.Errorf("%d accounts", len(l.accounts))
	}
	recent := l.Recent()
	if len(recent) != maxRecent || recent[0].User != strings.Repeat("x", maxUser) || recent[1].User != fmt.Sprintf("user%d", maxAccounts+999) {
		t.Errorf("%d recent failures, the latest of %q and %q", len(recent), recent[0].User, recent[1].User)
	}
	if err := l.Flush(t.Context(), true); err != nil || store.saves != 0 || len(maps.Collect(maps.All(store.values))) != 2 {
		t.Errorf("%v, %d saves", err, store.saves)
	}
	if _, err := l.Account(t.Context(), "nobody"); !errors.Is(err, ErrNoAccount) {
		t.Error(err)
	}
}
