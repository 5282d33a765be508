package login

import (
	"context"
	"errors"
	"iter"
	"maps"
	"slices"
	"sync"
	"time"
)

// Memory keeps its users in memory only, for tests and for programs that fill
// it at start. It is a CredentialEditor and an AppPasswordEditor. The zero value
// has no users.
type Memory struct {
	mu    sync.RWMutex
	users map[string]Record // by canonical name; slices in it are never changed
	count *Census           // nil: to be made
}

var (
	_ CredentialEditor  = (*Memory)(nil)
	_ AppPasswordEditor = (*Memory)(nil)
	_ Keeper            = (*Memory)(nil)
)

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

// Keeps implements Keeper.
func (m *Memory) Keeps(scheme string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.count == nil {
		m.count = &Census{}
		for _, rec := range m.users {
			m.count.Add(rec)
		}
	}
	return m.count.Keeps(scheme)
}

// Set implements Editor.
func (m *Memory) Set(ctx context.Context, username, hash string) error {
	return m.SetCredentials(ctx, username, Credentials{Hash: hash})
}

// SetCredentials implements CredentialEditor.
func (m *Memory) SetCredentials(_ context.Context, username string, c Credentials) error {
	if err := c.Check(); err != nil {
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
	rec.Account, rec.Hash, rec.Secrets = user, c.Hash, slices.Clone(c.Secrets)
	m.users[user], m.count = rec, nil
	return nil
}

// Rehash implements CredentialEditor.
func (m *Memory) Rehash(_ context.Context, username, old string, c Credentials) error {
	if err := c.Check(); err != nil {
		return err
	}
	return m.change(username, func(rec *Record) error {
		if rec.Hash != old {
			return ErrChanged
		}
		rec.Hash, rec.Secrets = c.Hash, slices.Clone(c.Secrets)
		return nil
	})
}

// Disable implements Editor.
func (m *Memory) Disable(_ context.Context, username string, disabled bool) error {
	return m.change(username, func(rec *Record) error {
		rec.Disabled = disabled
		return nil
	})
}

// Delete implements Editor.
func (m *Memory) Delete(_ context.Context, username string) error {
	user, err := Canonical(username)
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.users[user]; !ok {
		return ErrNoUser
	}
	delete(m.users, user)
	m.count = nil
	return nil
}

// AddAppPassword implements AppPasswordEditor.
func (m *Memory) AddAppPassword(_ context.Context, username string, p AppPassword) error {
	return m.change(username, func(rec *Record) error {
		if err := p.check(rec.AppPasswords); err != nil {
			return err
		}
		p.Protocols = slices.Clone(p.Protocols)
		rec.AppPasswords = append(slices.Clip(rec.AppPasswords), p)
		return nil
	})
}

// DeleteAppPassword implements AppPasswordEditor.
func (m *Memory) DeleteAppPassword(_ context.Context, username, name string) error {
	return m.change(username, func(rec *Record) error {
		i := indexApp(rec.AppPasswords, name)
		if i < 0 {
			return ErrNoAppPassword
		}
		rec.AppPasswords = slices.Delete(slices.Clone(rec.AppPasswords), i, i+1)
		return nil
	})
}

// UseAppPassword implements AppPasswordEditor.
func (m *Memory) UseAppPassword(_ context.Context, username, name string, at time.Time) error {
	err := m.change(username, func(rec *Record) error {
		i := indexApp(rec.AppPasswords, name)
		if i < 0 || !at.After(rec.AppPasswords[i].LastUsed) {
			return nil
		}
		rec.AppPasswords = slices.Clone(rec.AppPasswords)
		rec.AppPasswords[i].LastUsed = at
		return nil
	})
	if errors.Is(err, ErrNoUser) {
		return nil
	}
	return err
}

// SetAppPasswordsOnly implements AppPasswordEditor.
func (m *Memory) SetAppPasswordsOnly(_ context.Context, username string, only bool) error {
	return m.change(username, func(rec *Record) error {
		rec.AppPasswordsOnly = only
		return nil
	})
}

// indexApp returns the place of the app password of a name, or -1.
func indexApp(list []AppPassword, name string) int {
	return slices.IndexFunc(list, func(p AppPassword) bool { return p.Name == name })
}

// change runs f under the lock for a user that exists. What f did to the record
// counts when it returns nil.
func (m *Memory) change(username string, f func(rec *Record) error) error {
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
	if err := f(&rec); err != nil {
		return err
	}
	m.users[user], m.count = rec, nil
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
