package login

import (
	"context"
	"iter"
	"maps"
	"slices"
	"sync"
)

// Memory is an Editor that keeps its users in memory only, for tests and for
// programs that fill it at start. The zero value has no users.
type Memory struct {
	mu    sync.RWMutex
	users map[string]Record // by canonical name
}

var _ Editor = (*Memory)(nil)

// Lookup implements Backend.
func (m *Memory) Lookup(_ context.Context, username string) (Record, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	rec, ok := m.users[username]
	if !ok {
		return Record{}, ErrNoUser
	}
	return rec, nil
}

// Set implements Editor.
func (m *Memory) Set(_ context.Context, username, hash string) error {
	if err := CheckHash(hash); err != nil {
		return err
	}
	user, err := Canonical(username)
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.users == nil {
		m.users = make(map[string]Record)
	}
	rec := m.users[user]
	rec.Account, rec.Hash = user, hash
	m.users[user] = rec
	return nil
}

// Disable implements Editor.
func (m *Memory) Disable(_ context.Context, username string, disabled bool) error {
	return m.change(username, func(user string, rec Record) {
		rec.Disabled = disabled
		m.users[user] = rec
	})
}

// Delete implements Editor.
func (m *Memory) Delete(_ context.Context, username string) error {
	return m.change(username, func(user string, _ Record) { delete(m.users, user) })
}

// change runs f under the lock for a user that exists.
func (m *Memory) change(username string, f func(user string, rec Record)) error {
	user, err := Canonical(username)
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	rec, ok := m.users[user]
	if !ok {
		return ErrNoUser
	}
	f(user, rec)
	return nil
}

// Accounts implements Editor. It yields the users of the moment it is called.
func (m *Memory) Accounts(context.Context) iter.Seq2[string, error] {
	m.mu.RLock()
	names := slices.Sorted(maps.Keys(m.users))
	m.mu.RUnlock()
	return allNames(names)
}

// allNames yields names without errors.
func allNames(names []string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for _, name := range names {
			if !yield(name, nil) {
				return
			}
		}
	}
}
