package filelogin

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/mailstead/mailstead/auth/login"
)

// changing runs f while nobody else changes the files.
func (f *File) changing(ctx context.Context, do func() error) error {
	f.change.Lock()
	defer f.change.Unlock()
	unlock, err := lockPath(ctx, f.files(), f.Path)
	if err != nil {
		return err
	}
	defer unlock()
	if !f.tidied {
		if err := errors.Join(removeTemps(f.files(), f.Path), removeTemps(f.files(), f.appPath())); err != nil {
			return err
		}
		f.tidied = true
	}
	return do()
}

// edit replaces the user's line by what to returns; nil removes it. old has the
// user's name also where there is no line.
func (f *File) edit(ctx context.Context, username string, to func(old passwdLine, found bool) (*passwdLine, error)) error {
	user, err := fileUser(username)
	if err != nil {
		return err
	}
	return f.changing(ctx, func() error {
		data, _, err := readFile(f.files(), f.Path)
		if err != nil && !missing(err) {
			return err
		}
		t := parsePasswd(string(data))
		old, found := t.users[user]
		old.user = user
		line, err := to(old.passwdLine, found)
		if err != nil {
			return err
		}
		if err := replaceFile(f.files(), f.Path, t.text(user, line)); err != nil {
			return err
		}
		f.users.forget() // whatever the file's times say
		return nil
	})
}

// editUser is edit for a user that exists.
func (f *File) editUser(ctx context.Context, username string, to func(old passwdLine) (*passwdLine, error)) error {
	return f.edit(ctx, username, func(old passwdLine, found bool) (*passwdLine, error) {
		if !found {
			return nil, login.ErrNoUser
		}
		return to(old)
	})
}

// fileUser canonicalises a name that a line can begin with.
func fileUser(username string) (string, error) {
	user, err := login.Canonical(username)
	if err != nil {
		return "", err
	}
	if strings.ContainsRune(user, ':') || user[0] == '#' {
		return "", login.ErrUsername
	}
	return user, nil
}

// editApps replaces the app passwords of a user that exists.
func (f *File) editApps(ctx context.Context, username string, to func([]login.AppPassword) ([]login.AppPassword, error)) error {
	user, err := fileUser(username)
	if err != nil {
		return err
	}
	return f.changing(ctx, func() error {
		f.users.forget() // another process may have deleted the user
		users, err := f.load()
		if err != nil {
			return err
		}
		if _, ok := users.users[user]; !ok {
			return login.ErrNoUser
		}
		return f.writeApps(func(t *appTable) (map[string][]login.AppPassword, error) {
			list, err := to(t.users[user])
			return map[string][]login.AppPassword{user: list}, err
		})
	})
}

// dropApps removes all app passwords of a user. The caller is in changing.
func (f *File) dropApps(user string) error {
	return f.writeApps(func(t *appTable) (map[string][]login.AppPassword, error) {
		if len(t.users[user]) == 0 {
			return nil, nil
		}
		return map[string][]login.AppPassword{user: nil}, nil
	})
}

// writeApps writes the file of app passwords with what to changes and with the
// uses that wait. The caller is in changing.
func (f *File) writeApps(to func(*appTable) (map[string][]login.AppPassword, error)) error {
	data, _, err := readFile(f.files(), f.appPath())
	if err != nil && !missing(err) {
		return err
	}
	t := parseApps(string(data))
	changed, err := to(t)
	if err != nil {
		return err
	}
	if changed == nil {
		changed = make(map[string][]login.AppPassword)
	}
	waiting := f.used.all()
	for use := range waiting {
		list, ok := changed[use.user]
		if !ok {
			list = t.users[use.user]
		}
		if len(list) > 0 {
			changed[use.user] = f.used.over(use.user, list)
		}
	}
	if len(changed) > 0 {
		if err := replaceFile(f.files(), f.appPath(), t.text(changed)); err != nil {
			return err
		}
		f.apps.forget()
	}
	f.used.written(waiting)
	return nil
}

// use names an app password.
type use struct{ user, name string }

// maxUses bounds the uses that wait to be written.
const maxUses = 4096

// uses are times of use that are not in the file yet.
type uses struct {
	mu      sync.Mutex
	waiting map[use]time.Time
	next    time.Time // earliest writing
}

// note remembers a use and reports whether it is time to write.
func (u *uses) note(user, name string, at time.Time) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.waiting == nil {
		u.waiting = make(map[use]time.Time)
	}
	key := use{user, name}
	if at.After(u.waiting[key]) {
		u.waiting[key] = at
	}
	now := time.Now()
	if now.Before(u.next) && len(u.waiting) < maxUses {
		return false
	}
	u.next = now.Add(login.UsePeriod)
	return true
}

// over returns a user's list with the later times of use. list stays as it is.
func (u *uses) over(user string, list []login.AppPassword) []login.AppPassword {
	u.mu.Lock()
	defer u.mu.Unlock()
	copied := false
	for i, p := range list {
		at, ok := u.waiting[use{user, p.Name}]
		if !ok || !at.After(p.LastUsed) {
			continue
		}
		if !copied {
			list, copied = slices.Clone(list), true
		}
		list[i].LastUsed = at
	}
	return list
}

func (u *uses) pending() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return len(u.waiting) > 0
}

func (u *uses) all() map[use]time.Time {
	u.mu.Lock()
	defer u.mu.Unlock()
	return maps.Clone(u.waiting)
}

// written forgets the uses that are in the file now.
func (u *uses) written(done map[use]time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for key, at := range done {
		if u.waiting[key].Equal(at) {
			delete(u.waiting, key)
		}
	}
}
