package activity

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/mailstead/mailstead/auth/login"
)

// Bounds of a Log.
const (
	maxAccounts = 16384
	maxRecent   = 256
	maxUser     = 256 // octets of a name in Recent
)

// quiet is how long a login from the same place is not stored again.
const quiet = time.Hour

// ErrNoAccount is what a Store returns for a name that has no account.
var ErrNoAccount = errors.New("activity: no such account")

// Store keeps a value of each account. Its methods may be called from any
// number of goroutines.
type Store interface {
	// Load returns the value; nil without an error where there is none yet.
	// ErrNoAccount.
	Load(ctx context.Context, account string) ([]byte, error)
	// Save replaces the value. ErrNoAccount.
	Save(ctx context.Context, account string, value []byte) error
}

// Log remembers. Its zero value does so in memory only.
type Log struct {
	// Store keeps what Flush is given. Nil means memory only.
	Store Store

	mu       sync.Mutex
	accounts map[string]*state
	recent   []Failure // a ring
	next     int       // into it, once it is full
}

// state is what is not stored yet, and what was stored last.
type state struct {
	pending Account
	saved   Entry // the login; zero = none by this Log
}

func (s *state) empty() bool { return s.pending.Last == nil && len(s.pending.Failures) == 0 }

// Observe is for login.Service.Observe.
func (l *Log) Observe(_ context.Context, e login.Event) {
	entry := Entry{Time: e.Time.UTC(), Addr: e.Peer, Protocol: e.Protocol, Mechanism: e.Mechanism, AppPassword: e.Identity.AppPassword}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case e.Err == nil:
		s := l.stateLocked(e.Identity.Account)
		s.pending.Last, s.pending.Failed = &entry, 0
	case errors.Is(e.Err, login.ErrRejected), errors.Is(e.Err, login.ErrTooMany):
		entry.Reason = e.Reason
		l.failedLocked(e.Username, entry)
	}
}

func (l *Log) failedLocked(user string, entry Entry) {
	if user == "" {
		return
	}
	f := Failure{User: user[:min(len(user), maxUser)], Entry: entry}
	if len(l.recent) < maxRecent {
		l.recent = append(l.recent, f)
	} else {
		l.recent[l.next] = f
		l.next = (l.next + 1) % maxRecent
	}
	if len(user) > maxUser {
		return
	}
	s := l.stateLocked(user)
	s.pending.add(Account{Failed: 1, Failures: []Entry{entry}})
}

// stateLocked is the account's state. Where there are too many, one that is
// stored goes, or else any.
func (l *Log) stateLocked(account string) *state {
	if s := l.accounts[account]; s != nil {
		return s
	}
	if l.accounts == nil {
		l.accounts = make(map[string]*state)
	}
	if len(l.accounts) >= maxAccounts {
		l.evictLocked()
	}
	s := &state{}
	l.accounts[account] = s
	return s
}

func (l *Log) evictLocked() {
	victim, looked := "", 0
	for name, s := range l.accounts {
		victim = name
		if looked++; s.empty() || looked == 16 {
			break
		}
	}
	delete(l.accounts, victim)
}

// Account returns what is known of an account, stored or not. ErrNoAccount of
// the Store.
func (l *Log) Account(ctx context.Context, name string) (Account, error) {
	a, err := l.load(ctx, name)
	if err != nil {
		return a, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if s := l.accounts[name]; s != nil {
		a.add(s.pending)
	}
	return a, nil
}

// Recent returns the latest failures of all users, known or not, newest first.
func (l *Log) Recent() []Failure {
	l.mu.Lock()
	defer l.mu.Unlock()
	list := slices.Concat(l.recent[l.next:], l.recent[:l.next])
	slices.Reverse(list)
	return list
}

// load reads a stored value. One that cannot be read is as good as none.
func (l *Log) load(ctx context.Context, name string) (a Account, err error) {
	if l.Store == nil {
		return a, nil
	}
	value, err := l.Store.Load(ctx, name)
	if err != nil || value == nil {
		return a, err
	}
	if json.Unmarshal(value, &a) != nil {
		a = Account{}
	}
	return a, nil
}

// Flush stores what was observed since the last time; all stores also what
// could wait for an hour. What cannot be stored is kept, and the error returned
// after all others were tried. One Flush runs at a time.
func (l *Log) Flush(ctx context.Context, all bool) error {
	if l.Store == nil {
		return nil
	}
	var errs []error
	for name, pending := range l.take(all) {
		err := l.save(ctx, name, pending)
		if err == nil || errors.Is(err, ErrNoAccount) {
			continue
		}
		errs = append(errs, err)
		l.mu.Lock()
		s := l.stateLocked(name)
		later := s.pending
		s.pending = pending
		s.pending.add(later)
		s.saved = Entry{}
		l.mu.Unlock()
	}
	return errors.Join(errs...)
}

// take returns what is to be stored, and takes it for stored.
func (l *Log) take(all bool) map[string]Account {
	l.mu.Lock()
	defer l.mu.Unlock()
	due := make(map[string]Account)
	for name, s := range l.accounts {
		if s.empty() || !all && !s.due() {
			continue
		}
		due[name] = s.pending
		if s.pending.Last != nil {
			s.saved = *s.pending.Last
		}
		s.pending = Account{}
	}
	return due
}

// due reports whether the state has more to say than that somebody is still
// there.
func (s *state) due() bool {
	return len(s.pending.Failures) > 0 || !s.pending.Last.samePlace(s.saved) || s.pending.Last.Time.Sub(s.saved.Time) >= quiet
}

func (l *Log) save(ctx context.Context, name string, pending Account) error {
	a, err := l.load(ctx, name)
	if err != nil {
		return err
	}
	a.add(pending)
	value, err := json.Marshal(a)
	if err != nil {
		return err
	}
	return l.Store.Save(ctx, name, value)
}
