package filelogin

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/mailstead/mailstead/auth/login"
	"github.com/mailstead/mailstead/internal/vfs"
)

// File keeps users in a text file with one of them per line. It is a
// CredentialEditor and an AppPasswordEditor.
//
//	# comment
//	alice@example.org:{ARGON2ID}$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA
//	bob@example.org:!{BCRYPT}$2y$10$…
//	carl@example.org:{SHA512-CRYPT}$6$…:5000:5000::/home/carl::userdb_quota_rule=*:bytes=1G allow_nets=192.0.2.0/24
//
// A "!" before the hash, a "*" instead of it, or no hash disables the user.
// Further fields are those of Dovecot's passwd-file and kept as they are. Of the
// extra fields these count: nologin and noauthenticate (disabled), user and
// userdb_user (the account), allow_nets; and of our own secret={SCHEME}…
// (Record.Secrets, may be repeated) and app_passwords_only.
//
// The files are read again when they have changed. A broken line is reported with
// its number and skipped: its user is unknown, all others are not touched.
//
// A file that cannot be read is a temporary failure, also where it does not
// exist; Set creates it. A file of app passwords that does not exist has none.
// Changes replace a whole file (temporary file, sync, rename, sync of the
// directory) with mode 0600. Several Files and processes may read and change one
// path: a lock beside it, Path with ".lock" behind, keeps changes apart.
type File struct {
	// Path of the file. A symbolic link is replaced by changes, not followed.
	Path string
	// AppPath is the file of app passwords, one per line. Empty means Path with
	// ".app" behind.
	AppPath string
	// Logger receives broken lines whenever a file is read. Nil means
	// slog.Default.
	Logger *slog.Logger

	fsys vfs.FS // nil: the machine's

	change sync.Mutex // serialises changes; taken before the locks of the others
	tidied bool       // what a crash left is removed

	users watched[passwdTable]
	apps  watched[appTable]
	used  uses
}

var (
	_ login.CredentialEditor  = (*File)(nil)
	_ login.AppPasswordEditor = (*File)(nil)
	_ login.Keeper            = (*File)(nil)
)

// Lookup implements Backend.
func (f *File) Lookup(_ context.Context, username string) (login.Record, error) {
	t, err := f.load()
	if err != nil {
		return login.Record{}, err
	}
	apps, err := f.loadApps() // also for an unknown user: it takes time
	if err != nil {
		return login.Record{}, err
	}
	u, ok := t.users[username]
	if !ok {
		return login.Record{}, login.ErrNoUser
	}
	rec := u.record()
	rec.AppPasswords = f.used.over(username, apps.users[username])
	return rec, nil
}

// Keeps implements Keeper. Where there are app passwords it is false.
func (f *File) Keeps(scheme string) bool {
	t, err := f.load()
	if err != nil {
		return false
	}
	apps, err := f.loadApps()
	return err == nil && len(apps.users) == 0 && t.census.Keeps(scheme)
}

// Broken returns the lines of the password file that are skipped.
func (f *File) Broken() ([]LineError, error) {
	t, err := f.load()
	if err != nil {
		return nil, err
	}
	return slices.Clone(t.broken), nil
}

// BrokenApps returns the lines of the file of app passwords that are skipped.
func (f *File) BrokenApps() ([]LineError, error) {
	t, err := f.loadApps()
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
	return yieldAll(slices.Sorted(maps.Keys(t.users)))
}

// Set implements Editor. A name with a colon is ErrUsername.
func (f *File) Set(ctx context.Context, username, hash string) error {
	return f.SetCredentials(ctx, username, login.Credentials{Hash: hash})
}

// SetCredentials implements CredentialEditor.
func (f *File) SetCredentials(ctx context.Context, username string, c login.Credentials) error {
	if err := checkStorable(c); err != nil {
		return err
	}
	return f.edit(ctx, username, func(old passwdLine, found bool) (*passwdLine, error) {
		// "user:" alone is disabled for want of a hash, which ends here.
		old.disabled = found && old.disabled && old.hash != ""
		if !found {
			if err := f.dropApps(old.user); err != nil { // of an earlier one of this name
				return nil, err
			}
		}
		return old.with(c), nil
	})
}

// Rehash implements CredentialEditor.
func (f *File) Rehash(ctx context.Context, username, old string, c login.Credentials) error {
	if err := checkStorable(c); err != nil {
		return err
	}
	return f.editUser(ctx, username, func(line passwdLine) (*passwdLine, error) {
		if line.hash != old {
			return nil, login.ErrChanged
		}
		return line.with(c), nil
	})
}

// checkStorable is Check, and that a line can hold the forms.
func checkStorable(c login.Credentials) error {
	if strings.ContainsAny(c.Hash, ":\r\n") {
		return fmt.Errorf("%w: with a colon", login.ErrHash)
	}
	return c.Check()
}

// with returns the line with other forms of the password.
func (p passwdLine) with(c login.Credentials) *passwdLine {
	words := make([]string, len(c.Secrets))
	for i, s := range c.Secrets {
		words[i] = extraSecret + "=" + s
	}
	p.hash, p.rest = c.Hash, withExtra(p.rest, extraSecret, words...)
	return &p
}

// Disable implements Editor. A user without a hash stays disabled.
func (f *File) Disable(ctx context.Context, username string, disabled bool) error {
	return f.editUser(ctx, username, func(line passwdLine) (*passwdLine, error) {
		line.disabled = disabled || line.hash == ""
		if !disabled {
			line.rest = withExtra(withExtra(line.rest, extraNoLogin), extraNoAuth)
		}
		return &line, nil
	})
}

// Delete implements Editor. The app passwords go first: whatever a crash leaves,
// they are never those of a later user of this name.
func (f *File) Delete(ctx context.Context, username string) error {
	return f.editUser(ctx, username, func(line passwdLine) (*passwdLine, error) {
		return nil, f.dropApps(line.user)
	})
}

// SetAppPasswordsOnly implements AppPasswordEditor.
func (f *File) SetAppPasswordsOnly(ctx context.Context, username string, only bool) error {
	return f.editUser(ctx, username, func(line passwdLine) (*passwdLine, error) {
		var words []string
		if only {
			words = append(words, extraAppsOnly)
		}
		line.rest = withExtra(line.rest, extraAppsOnly, words...)
		return &line, nil
	})
}

// AddAppPassword implements AppPasswordEditor.
func (f *File) AddAppPassword(ctx context.Context, username string, p login.AppPassword) error {
	if strings.ContainsAny(p.Hash, ":\r\n") {
		return login.ErrAppPassword
	}
	p.Created, p.LastUsed = p.Created.UTC().Truncate(time.Second), p.LastUsed.UTC().Truncate(time.Second)
	return f.editApps(ctx, username, func(list []login.AppPassword) ([]login.AppPassword, error) {
		if err := login.CheckAppPassword(p, list); err != nil {
			return nil, err
		}
		return append(slices.Clip(list), p), nil
	})
}

// DeleteAppPassword implements AppPasswordEditor.
func (f *File) DeleteAppPassword(ctx context.Context, username, name string) error {
	return f.editApps(ctx, username, func(list []login.AppPassword) ([]login.AppPassword, error) {
		i := slices.IndexFunc(list, func(p login.AppPassword) bool { return p.Name == name })
		if i < 0 {
			return nil, login.ErrNoAppPassword
		}
		return slices.Delete(slices.Clone(list), i, i+1), nil
	})
}

// UseAppPassword implements AppPasswordEditor. The file is written at most once
// a minute; until then Lookup of this File knows better than the file.
func (f *File) UseAppPassword(ctx context.Context, username, name string, at time.Time) error {
	user, err := login.Canonical(username)
	if err != nil {
		return err
	}
	if !f.used.note(user, name, at.UTC().Truncate(time.Second)) {
		return nil
	}
	return f.Flush(ctx)
}

// Flush writes what UseAppPassword kept back.
func (f *File) Flush(ctx context.Context) error {
	if !f.used.pending() {
		return nil
	}
	return f.changing(ctx, func() error {
		return f.writeApps(func(*appTable) (map[string][]login.AppPassword, error) { return nil, nil })
	})
}

// load returns the table of the password file as it is now.
func (f *File) load() (*passwdTable, error) {
	return f.users.load(f.files(), f.Path, func(data string) *passwdTable {
		t := parsePasswd(data)
		f.report(f.Path, t.broken)
		return t
	}, nil)
}

// loadApps returns the table of the app passwords as it is now.
func (f *File) loadApps() (*appTable, error) {
	return f.apps.load(f.files(), f.appPath(), func(data string) *appTable {
		t := parseApps(data)
		f.report(f.appPath(), t.broken)
		return t
	}, &appTable{})
}

func (f *File) appPath() string {
	if f.AppPath != "" {
		return f.AppPath
	}
	return f.Path + ".app"
}

func (f *File) files() vfs.FS {
	if f.fsys != nil {
		return f.fsys
	}
	return vfs.OS{}
}

// maxReported bounds the records of one reading of the file.
const maxReported = 20

func (f *File) report(path string, broken []LineError) {
	logger := f.Logger
	if logger == nil {
		logger = slog.Default()
	}
	for i, b := range broken {
		if i == maxReported {
			logger.Warn("password file: more broken lines", "path", path, "lines", len(broken)-i)
			return
		}
		logger.Warn("password file: broken line skipped", "path", path, "line", b.Line, "error", b.Err)
	}
}

// missing reports whether err says that there is no file.
func missing(err error) bool { return errors.Is(err, fs.ErrNotExist) }

// yieldAll yields names without errors.
func yieldAll(names []string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for _, name := range names {
			if !yield(name, nil) {
				return
			}
		}
	}
}
