package login

import (
	"context"
	"errors"
	"io/fs"
	"iter"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
)

// File is an Editor over a text file with one user per line:
//
//	# comment
//	alice@example.org:{ARGON2ID}$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA
//	bob@example.org:!{BCRYPT}$2y$10$…:further:fields are kept
//
// A "!" before the hash, a "*" instead of it, or no hash disables the user. The
// file is read again when it has changed. A broken line is reported with its
// number and skipped: its user is unknown, all others are not touched.
//
// A file that cannot be read is a temporary failure, also where it does not
// exist; Set creates it. Changes replace the whole file (temporary file, sync,
// rename, sync of the directory) with mode 0600. Several Files or processes may
// read one path; only one may change it at a time.
type File struct {
	// Path of the file. A symbolic link is replaced by changes, not followed.
	Path string
	// Logger receives broken lines whenever the file is read. Nil means
	// slog.Default.
	Logger *slog.Logger

	change sync.Mutex // serialises changes; taken before mu

	mu    sync.Mutex
	state fileState
	table *passwdTable // nil: not read yet
}

var _ Editor = (*File)(nil)

// Lookup implements Backend.
func (f *File) Lookup(_ context.Context, username string) (Record, error) {
	t, err := f.load()
	if err != nil {
		return Record{}, err
	}
	u, ok := t.users[username]
	if !ok {
		return Record{}, ErrNoUser
	}
	return u.record(), nil
}

// Broken returns the lines of the file that are skipped.
func (f *File) Broken() ([]LineError, error) {
	t, err := f.load()
	if err != nil {
		return nil, err
	}
	return slices.Clone(t.broken), nil
}

// Accounts implements Editor. It yields the users of the moment it is called.
func (f *File) Accounts(context.Context) iter.Seq2[string, error] {
	t, err := f.load()
	if err != nil {
		return func(yield func(string, error) bool) { yield("", err) }
	}
	return allNames(slices.Sorted(maps.Keys(t.users)))
}

// Set implements Editor. A name with a colon is ErrUsername.
func (f *File) Set(_ context.Context, username, hash string) error {
	if strings.ContainsAny(hash, ":\r\n") {
		return ErrHash
	}
	if err := CheckHash(hash); err != nil {
		return err
	}
	return f.edit(username, func(old passwdLine, found bool) (*passwdLine, error) {
		// "user:" alone is disabled for want of a hash, which ends here.
		old.disabled = found && old.disabled && old.hash != ""
		old.hash = hash
		return &old, nil
	})
}

// Disable implements Editor. A user without a hash stays disabled.
func (f *File) Disable(_ context.Context, username string, disabled bool) error {
	return f.edit(username, func(old passwdLine, found bool) (*passwdLine, error) {
		if !found {
			return nil, ErrNoUser
		}
		old.disabled = disabled || old.hash == ""
		return &old, nil
	})
}

// Delete implements Editor.
func (f *File) Delete(_ context.Context, username string) error {
	return f.edit(username, func(_ passwdLine, found bool) (*passwdLine, error) {
		if !found {
			return nil, ErrNoUser
		}
		return nil, nil
	})
}

// edit replaces the user's line by what to returns; nil removes it.
func (f *File) edit(username string, to func(old passwdLine, found bool) (*passwdLine, error)) error {
	user, err := Canonical(username)
	if err != nil {
		return err
	}
	if strings.ContainsRune(user, ':') || user[0] == '#' {
		return ErrUsername
	}
	f.change.Lock()
	defer f.change.Unlock()
	data, _, err := readFile(f.Path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	t := parsePasswd(string(data))
	old, found := t.users[user]
	old.user = user
	line, err := to(old.passwdLine, found)
	if err != nil {
		return err
	}
	if err := replaceFile(f.Path, t.text(user, line)); err != nil {
		return err
	}
	f.mu.Lock()
	f.table = nil // whatever the file's times say
	f.mu.Unlock()
	return nil
}

// load returns the table of the file as it is now.
func (f *File) load() (*passwdTable, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now, err := statFile(f.Path)
	if err != nil {
		return nil, err
	}
	if f.table != nil && f.state.covers(now) {
		return f.table, nil
	}
	data, state, err := readFile(f.Path)
	if err != nil {
		return nil, err
	}
	t := parsePasswd(string(data))
	f.state, f.table = state, t
	f.report(t)
	return t, nil
}

// maxReported bounds the records of one reading of the file.
const maxReported = 20

func (f *File) report(t *passwdTable) {
	logger := f.Logger
	if logger == nil {
		logger = slog.Default()
	}
	for i, broken := range t.broken {
		if i == maxReported {
			logger.Warn("password file: more broken lines", "path", f.Path, "lines", len(t.broken)-i)
			return
		}
		logger.Warn("password file: broken line skipped", "path", f.Path, "line", broken.Line, "error", broken.Err)
	}
}
