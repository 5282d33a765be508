package maildir

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/mailstead/mailstead/internal/maildirfmt"
	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/blob"
)

// staged is a file in the account's tmp/, with its content on stable storage.
type staged struct {
	base string
	used bool // a message names it, or may do so
}

// stage writes the files of the messages that ops add, before any lock is
// taken. ErrNoBlob.
func (a *account) stage(ctx context.Context, ops []store.Op) (files []*staged, err error) {
	for _, op := range ops {
		if i, ok := op.(store.Import); ok && !i.Gone {
			op = i.Append
		}
		m, ok := op.(store.Append)
		if !ok {
			continue
		}
		f, err := a.stageOne(ctx, m)
		if err != nil {
			return files, err
		}
		files = append(files, f)
	}
	return files, nil
}

func (a *account) stageOne(ctx context.Context, m store.Append) (*staged, error) {
	body, err := blob.OpenKeyed(ctx, a.s.blobs, m.Blob, m.Key)
	if errors.Is(err, blob.ErrNoBlob) {
		return nil, errors.Join(store.ErrNoBlob, err)
	}
	if err != nil {
		return nil, err
	}
	c := store.NewContent(m.Prefix, body)
	defer c.Close()
	base := a.s.names.name(c.Size(), c.Size())
	path := a.path("tmp", base)
	f, err := a.s.fs.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrNotExist) && a.isDropped() {
		err = store.ErrNoAccount
	}
	if err != nil {
		return nil, err
	}
	_, err = io.Copy(f, io.NewSectionReader(c, 0, c.Size()))
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, errors.Join(err, a.s.fs.Remove(path))
	}
	return &staged{base: base}, nil
}

func (a *account) isDropped() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.dropped
}

// unstage removes what no message came to name.
func (a *account) unstage(files []*staged) {
	for _, f := range files {
		if !f.used {
			_ = a.s.fs.Remove(a.path("tmp", f.base)) // what stays is removed by the next scan at Open
		}
	}
}

// link makes another name, in tmp/, for the file of a message.
func (t *tx) link(b *box, m *message) (base string, err error) {
	base = t.a.s.names.name(m.Size, m.Size)
	old := t.a.filePath(b, m)
	err = t.a.s.fs.Link(old, t.a.path("tmp", base))
	if errors.Is(err, fs.ErrNotExist) { // another program renamed it
		if old, err = t.a.find(b, m); err == nil {
			err = t.a.s.fs.Link(old, t.a.path("tmp", base))
		}
	}
	if err != nil {
		return "", err
	}
	t.taken = append(t.taken, &staged{base: base})
	return base, nil
}

// filePath is where the file of m was last seen.
func (a *account) filePath(b *box, m *message) string {
	if m.staged {
		return a.path("tmp", m.base)
	}
	return a.path(b.dir, m.fileName())
}

// find looks for the file of m under any name.
func (a *account) find(b *box, m *message) (string, error) {
	for _, sub := range []string{"cur", "new"} {
		list, err := a.s.fs.ReadDir(a.path(b.dir, sub))
		if err != nil {
			return "", err
		}
		for _, e := range list {
			if base, _ := maildirfmt.SplitName(e.Name()); base == m.base {
				return a.path(b.dir, sub, e.Name()), nil
			}
		}
	}
	a.behind = true
	return "", fmt.Errorf("%w: the file of UID %d was removed by another program", store.ErrTemporary, m.UID)
}

// maxAccountDir leaves room below the usual limit of 255 octets.
const maxAccountDir = 200

// accountDir is the directory of an account: its id with all but harmless
// octets escaped, or a hash of it where that is too long.
func accountDir(id store.AccountID) string {
	name := strings.ReplaceAll(url.PathEscape(string(id)), ".", "%2E")
	if name = strings.ReplaceAll(name, "%2E", "."); name[0] == '.' {
		name = "%2E" + name[1:]
	}
	if len(name) > maxAccountDir {
		return fmt.Sprintf("%%hash-%x", sha256.Sum256([]byte(id)))
	}
	return name
}

// accountOf is the way back; false for a hash.
func accountOf(dir string) (store.AccountID, bool) {
	id, err := url.PathUnescape(dir)
	return store.AccountID(id), err == nil && store.AccountID(id).Check() == nil && accountDir(store.AccountID(id)) == filepath.Base(dir)
}
