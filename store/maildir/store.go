package maildir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/mailstead/mailstead/internal/nfs"
	"github.com/mailstead/mailstead/internal/vfs"
	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/blob"
	"github.com/mailstead/mailstead/store/rows"
)

// Options of a Store. The zero value is for use.
type Options struct {
	// KeepBlobs lets messages refer to the blob that Append named for as long
	// as they are there, and 24 h more: Message.Blob is set and an expunged
	// message stays readable, at the price of keeping bodies twice. Otherwise
	// the blobs serve only until Append has copied them.
	KeepBlobs bool

	// ScanInterval is how long what other programs do to an account in use
	// may stay unseen; 0 = 1 s, negative = every call looks.
	ScanInterval time.Duration

	// UTF8 lets directories have the names of their mailboxes in UTF-8, as
	// Dovecot does with ":UTF-8" in mail_location; otherwise in modified
	// UTF-7. It must not change for a tree.
	UTF8 bool

	// UnsafeNoDirSync leaves the directories unsynced, so that a power cut
	// loses acknowledged mail. It is for checks that must see that loss.
	UnsafeNoDirSync bool

	// Logger receives what an operator needs; nil = nothing is logged.
	Logger *slog.Logger

	files     vfs.FS
	lockStale time.Duration
}

const (
	newPrefix    = ".new-"  // an account that is being created
	gonePrefix   = ".gone-" // an account that was dropped
	controlDir   = "mailstead"
	journalName  = "index"
	validityName = ".validity"
)

// Store keeps each account in a Maildir++ tree below one directory. Make one
// with Open.
type Store struct {
	fs    vfs.FS
	root  string
	blobs blob.Blobs
	opts  Options
	log   *slog.Logger
	names *namer
	owner *nfs.Lock
	done  chan struct{}

	mu           sync.Mutex
	closed       bool
	accounts     map[store.AccountID]*account
	lastValidity store.UIDValidity      // the greatest that was given out
	reserved     store.UIDValidity      // greatest that may be; durable, as it must outlive accounts and their indexes
	released     map[blob.Ref]time.Time // by dropped accounts, in this process
}

var _ store.Store = (*Store)(nil)

// Open opens the store below dir, which it makes where it is missing. blobs
// takes bodies on their way in. ErrInUse: another process has it open.
func Open(dir string, blobs blob.Blobs, o Options) (*Store, error) {
	s := &Store{
		fs: o.files, root: dir, blobs: blobs, opts: o, log: o.Logger, names: newNamer(), done: make(chan struct{}),
		accounts: make(map[store.AccountID]*account), released: make(map[blob.Ref]time.Time),
	}
	if s.fs == nil {
		s.fs = vfs.OS{}
	}
	s.fs = nfs.FS{FS: s.fs}
	if o.UnsafeNoDirSync {
		s.fs = nfs.NoDirSync{FS: s.fs}
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.opts.ScanInterval == 0 {
		s.opts.ScanInterval = time.Second
	}
	if err := s.fs.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	var err error
	s.owner, err = nfs.TakeLock(s.fs, filepath.Join(dir, ".lock"), o.lockStale)
	if errors.Is(err, vfs.ErrLocked) {
		err = fmt.Errorf("%w: %w", store.ErrInUse, err)
	}
	if err != nil {
		return nil, err
	}
	if err := s.load(); err != nil {
		return nil, errors.Join(err, s.owner.Release())
	}
	return s, nil
}

// load opens all accounts.
func (s *Store) load() error {
	b, err := nfs.ReadFile(s.fs, filepath.Join(s.root, validityName))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	v, _ := strconv.ParseUint(strings.TrimSpace(string(b)), 10, 32)
	s.lastValidity, s.reserved = store.UIDValidity(v), store.UIDValidity(v)
	list, err := s.fs.ReadDir(s.root)
	if err != nil {
		return err
	}
	var found []*account
	for _, e := range list {
		name, path := e.Name(), filepath.Join(s.root, e.Name())
		switch {
		case strings.HasPrefix(name, newPrefix), strings.HasPrefix(name, gonePrefix):
			if err := nfs.RemoveTree(s.fs, path); err != nil {
				return err
			}
		case e.IsDir() && name[0] != '.':
			a, err := s.openAccount(path)
			if err != nil {
				return fmt.Errorf("account in %s: %w", path, err)
			}
			found = append(found, a)
		}
	}
	for _, a := range found {
		a.mu.Lock()
		err := a.scanLocked()
		a.mu.Unlock()
		if err != nil {
			return fmt.Errorf("account %q: %w", string(a.id), err)
		}
	}
	return nil
}

// openAccount reads the index; where there is none, the account begins again
// with what lies in its tree.
func (s *Store) openAccount(dir string) (*account, error) {
	a := s.newAccount(dir)
	j, st, err := openJournal(s.fs, filepath.Join(dir, controlDir, journalName))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		id, ok := accountOf(filepath.Base(dir))
		if !ok {
			return nil, fmt.Errorf("%w: no index, and the name of the account is not in that of its directory", store.ErrCorrupt)
		}
		s.log.Warn("maildir: no index; the account gets new UIDs", "account", id)
		if st, err = s.freshState(id, store.AccountInfo{}); err != nil {
			return nil, err
		}
		if err = s.fs.MkdirAll(filepath.Join(dir, controlDir), 0o700); err == nil {
			j, _, err = rewriteJournal(s.fs, filepath.Join(dir, controlDir, journalName), st)
		}
		if err != nil {
			return nil, err
		}
	case err != nil:
		return nil, err
	}
	a.id, a.journal, a.now, a.behind = st.Info.ID, j, st, true
	a.threads.load(st)
	s.accounts[a.id] = a
	return a, nil
}

func (s *Store) newAccount(dir string) *account {
	return &account{
		s: s, dir: dir, threads: make(threads), stamps: make(map[store.MailboxID]stamp), warned: make(map[string]bool),
	}
}

// freshState is that of an account with an empty INBOX.
func (s *Store) freshState(id store.AccountID, info store.AccountInfo) (*state, error) {
	info.ID, info.Created = id, time.Now().Truncate(time.Second)
	v, err := s.validityLocked(0, false)
	if err != nil {
		return nil, err
	}
	st := newState(info)
	st.ModSeq = 1
	in := store.NewMailboxID()
	st.boxes[in] = &box{dir: ".", Mailbox: store.Mailbox{
		ID: in, Name: store.Inbox, UIDValidity: v, UIDNext: 1, RecentFrom: 1, ModSeq: 1, HighestModSeq: 1,
	}}
	return st, nil
}

// Open implements store.Store.
func (s *Store) Open(ctx context.Context, id store.AccountID) (store.Account, error) {
	s.mu.Lock()
	a, closed := s.accounts[id], s.closed
	s.mu.Unlock()
	err := ctx.Err()
	switch {
	case err != nil:
	case closed:
		err = store.ErrClosed
	case a == nil:
		err = store.ErrNoAccount
	}
	if err != nil {
		return nil, &store.Error{Op: "open", Account: id, Err: err}
	}
	return a, nil
}

// Create implements store.Store. The tree is made under another name, so that
// a crash leaves the account or nothing.
func (s *Store) Create(ctx context.Context, id store.AccountID, info store.AccountInfo) error {
	if err := s.create(ctx, id, info); err != nil {
		return &store.Error{Op: "create", Account: id, Err: err}
	}
	return nil
}

func (s *Store) create(ctx context.Context, id store.AccountID, info store.AccountInfo) error {
	put := store.PutAccount{Limits: &info.Limits, State: &info.State}
	if err := errors.Join(ctx.Err(), id.Check(), store.Change{Ops: []store.Op{put}}.Check()); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return store.ErrClosed
	}
	if s.accounts[id] != nil {
		return store.ErrExists
	}
	st, err := s.freshState(id, info)
	if err != nil {
		return err
	}
	tmp, dir := filepath.Join(s.root, newPrefix+store.NewMailboxID().String()), filepath.Join(s.root, accountDir(id))
	for _, sub := range []string{"cur", "new", "tmp", controlDir} {
		if err := s.fs.MkdirAll(filepath.Join(tmp, sub), 0o700); err != nil {
			return err
		}
	}
	j, _, err := rewriteJournal(s.fs, filepath.Join(tmp, controlDir, journalName), st)
	if err != nil {
		return err
	}
	if err := errors.Join(s.fs.Rename(tmp, dir)); err != nil {
		return errors.Join(err, j.file.Close())
	}
	if err := s.fs.SyncDir(s.root); err != nil {
		return errors.Join(err, j.file.Close())
	}
	j.path = filepath.Join(dir, controlDir, journalName)
	a := s.newAccount(dir)
	a.id, a.journal, a.now = id, j, st
	s.accounts[id] = a
	return nil
}

// Accounts implements store.Store.
func (s *Store) Accounts(ctx context.Context, after store.AccountID) iter.Seq2[store.AccountInfo, error] {
	return func(yield func(store.AccountInfo, error) bool) {
		s.mu.Lock()
		list, closed := maps.Clone(s.accounts), s.closed
		s.mu.Unlock()
		if closed {
			yield(store.AccountInfo{}, &store.Error{Op: "accounts", Err: store.ErrClosed})
			return
		}
		for _, id := range slices.Sorted(maps.Keys(list)) {
			if id <= after {
				continue
			}
			st, err := list[id].look(ctx)
			if errors.Is(err, store.ErrNoAccount) {
				continue // dropped meanwhile
			}
			if err != nil {
				yield(store.AccountInfo{}, &store.Error{Op: "accounts", Account: id, Err: err})
				return
			}
			if !yield(st.Info, nil) {
				return
			}
		}
	}
}

// Blobs implements store.Store.
func (s *Store) Blobs() blob.Blobs { return s.blobs }

// Holds implements store.Store. Without Options.KeepBlobs it holds nothing.
func (s *Store) Holds(ctx context.Context, refs []blob.Ref) ([]blob.Ref, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	closed, accounts := s.closed, maps.Clone(s.accounts)
	held := make(map[blob.Ref]bool)
	for ref, at := range s.released {
		held[ref] = time.Since(at) < rows.HoldFor
	}
	s.mu.Unlock() // an account's lock comes first
	if closed {
		return nil, store.ErrClosed
	}
	for _, a := range accounts {
		a.mu.Lock()
		st := a.now
		a.mu.Unlock()
		for _, b := range st.boxes {
			for _, m := range b.msgs {
				held[m.ref] = held[m.ref] || !m.Gone || time.Since(m.goneAt) < rows.HoldFor
			}
		}
	}
	return slices.DeleteFunc(slices.Clone(refs), func(ref blob.Ref) bool { return ref == "" || !held[ref] }), nil
}

// Close implements store.Store.
func (s *Store) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	list := s.accounts
	close(s.done)
	s.mu.Unlock()
	var errs []error
	for _, a := range list {
		a.mu.Lock()
		if a.broken == nil {
			_ = a.compactLocked() // what was seen of the tree since the last record
		}
		errs = append(errs, a.journal.file.Close())
		a.mu.Unlock()
	}
	return errors.Join(append(errs, s.owner.Release())...)
}

// validityStep is how many UIDVALIDITYs are reserved at once.
const validityStep = 100

// validity gives out a UIDVALIDITY greater than all before, or the one wanted.
func (s *Store) validity(want store.UIDValidity, importing bool) (store.UIDValidity, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.validityLocked(want, importing)
}

func (s *Store) validityLocked(want store.UIDValidity, importing bool) (store.UIDValidity, error) {
	want, err := rows.NextValidity(s.lastValidity, want, importing)
	if err != nil {
		return 0, err
	}
	if want > s.reserved {
		ahead := want + min(validityStep, 1<<32-1-want)
		if err := nfs.WriteFile(s.fs, filepath.Join(s.root, validityName), strconv.FormatUint(uint64(ahead), 10)+"\n"); err != nil {
			return 0, err
		}
		s.reserved = ahead
	}
	s.lastValidity = max(s.lastValidity, want)
	return want, nil
}

// forget takes a dropped account out, and keeps its blobs a while.
func (s *Store) forget(st *state, a *account) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.accounts, a.id)
	for _, b := range st.boxes {
		for _, m := range b.msgs {
			if m.ref != "" {
				s.released[m.ref] = time.Now()
			}
		}
	}
}
