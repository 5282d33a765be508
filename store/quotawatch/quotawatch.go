// Package quotawatch tells an operator, or the user, that an account fills up
// before its mail is refused. It wraps a store.Store: whatever changes an
// account through it, IMAP, POP3 or delivery, is followed by a look at
// [store.Usage.Percent].
//
// A threshold that is passed upwards is reported once, across restarts and
// nodes: how far an account was reported stands in an entry of its own
// ("quotawatch/level"), which the first to pass writes. When the account falls
// below a threshold again it is armed again. Of several thresholds that one
// Change passes the greatest alone is reported.
//
// Changes made past the wrapper are seen at the next one through it. Nothing is
// read or written for accounts without limits.
package quotawatch

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strconv"
	"sync"

	"github.com/mailstead/mailstead/store"
)

// Warning says that an account has passed a threshold.
type Warning struct {
	Account store.AccountID
	Percent int // the threshold
	Usage   store.Usage
}

// Options of a Store.
type Options struct {
	// Thresholds are percentages above zero, in any order. Nil = 80 and 95.
	Thresholds []int

	// Warn is called once the Change is durable, before Apply returns. It must
	// not block, and may be called from several goroutines. Nil = it is logged.
	Warn func(ctx context.Context, w Warning)

	// Logger hears of levels that cannot be kept; nil = slog.Default().
	Logger *slog.Logger
}

// Store is a store.Store that warns. Its methods may be called from any number
// of goroutines.
type Store struct {
	store.Store
	o Options

	mu     sync.Mutex
	levels map[store.AccountID]int // what was reported last, where it is known
}

// maxLevels bounds the accounts whose level is remembered; others are looked
// up.
const maxLevels = 10_000

// levelKey is the entry that has the threshold that was reported last.
const levelKey = "quotawatch/level"

// New wraps s. Closing the Store closes s.
func New(s store.Store, o Options) *Store {
	if o.Thresholds == nil {
		o.Thresholds = []int{80, 95}
	}
	o.Thresholds = slices.Clone(o.Thresholds)
	slices.Sort(o.Thresholds)
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Warn == nil {
		log := o.Logger
		o.Warn = func(_ context.Context, w Warning) {
			log.Warn("an account fills up", "account", w.Account, "percent", w.Percent,
				"bytes", w.Usage.Bytes, "messages", w.Usage.Messages, "limits", w.Usage.Limits)
		}
	}
	return &Store{Store: s, o: o, levels: make(map[store.AccountID]int)}
}

// Unwrap returns the store that is wrapped; see store.As.
func (s *Store) Unwrap() any { return s.Store }

// Open implements store.Store.
func (s *Store) Open(ctx context.Context, id store.AccountID) (store.Account, error) {
	a, err := s.Store.Open(ctx, id)
	if err != nil {
		return nil, err
	}
	return &account{Account: a, s: s, id: id}, nil
}

// account looks at the usage after each Change.
type account struct {
	store.Account
	s  *Store
	id store.AccountID
}

// Unwrap returns the account that is wrapped; see store.As.
func (a *account) Unwrap() any { return a.Account }

// Apply implements store.Account.
func (a *account) Apply(ctx context.Context, c store.Change) (store.Result, error) {
	r, err := a.Account.Apply(ctx, c)
	if err == nil && slices.ContainsFunc(c.Ops, moves) {
		a.s.look(context.WithoutCancel(ctx), a)
	}
	return r, err
}

// moves reports whether an Op may change what is used or allowed.
func moves(op store.Op) bool {
	switch op.(type) {
	case store.Append, store.Copy, store.Expunge, store.PutMailbox, store.PutAccount:
		return true
	}
	return false // an account that is being imported is not told
}

// look compares the level with the one that was reported last. What goes wrong
// is no matter of the Change, which is done.
func (s *Store) look(ctx context.Context, a *account) {
	u, err := a.Usage(ctx)
	if err != nil {
		return
	}
	limited := u.Limits != (store.Limits{})
	last, known := s.remembered(a.id)
	if !limited && (!known || last == 0) {
		return
	}
	level := s.level(u)
	if known && level == last {
		return
	}
	if err := s.move(ctx, a); err != nil {
		s.o.Logger.Warn("cannot keep how far an account was reported", "account", a.id, "error", err)
	}
}

// level is the greatest threshold that is passed; 0 = none.
func (s *Store) level(u store.Usage) (level int) {
	p := u.Percent()
	for _, t := range s.o.Thresholds {
		if p >= t {
			level = t
		}
	}
	return level
}

// move brings the entry to the level of now. Who writes it reports; a writer
// that lost against another one looks again. The usage is read behind the entry:
// one from before would take back what another Change has reported meanwhile.
func (s *Store) move(ctx context.Context, a *account) error {
	for {
		e, last, err := reported(ctx, a.Account)
		if err != nil {
			return err
		}
		u, err := a.Usage(ctx)
		if err != nil {
			return err
		}
		level := s.level(u)
		if last == level {
			s.remember(a.id, level)
			return nil
		}
		op := store.PutEntry{Key: levelKey, IfModSeq: &e.ModSeq}
		if level > 0 {
			op.Value = strconv.AppendInt(nil, int64(level), 10)
		}
		_, err = a.Account.Apply(ctx, store.Change{Ops: []store.Op{op}})
		if err == nil {
			s.remember(a.id, level)
			if level > last {
				s.o.Warn(ctx, Warning{Account: a.id, Percent: level, Usage: u})
			}
			return nil
		}
		if !errors.Is(err, store.ErrConflict) {
			return err
		}
	}
}

// reported is the entry, and the threshold that it names.
func reported(ctx context.Context, a store.Account) (found store.Entry, level int, err error) {
	for e, err := range a.Entries(ctx, store.EntryQuery{Prefix: levelKey}) {
		if err != nil {
			return found, 0, err
		}
		if e.Key == levelKey {
			found = e
			level, _ = strconv.Atoi(string(e.Value))
		}
	}
	return found, level, nil
}

func (s *Store) remembered(id store.AccountID) (level int, known bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	level, known = s.levels[id]
	return level, known
}

func (s *Store) remember(id store.AccountID, level int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.levels) >= maxLevels {
		clear(s.levels)
	}
	s.levels[id] = level
}
