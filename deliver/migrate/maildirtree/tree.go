package maildirtree

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/mailstead/mailstead/deliver/migrate"
	"github.com/mailstead/mailstead/deliver/migrate/internal/filetree"
	"github.com/mailstead/mailstead/internal/imapwire"
	"github.com/mailstead/mailstead/internal/maildirfmt"
	"github.com/mailstead/mailstead/internal/vfs"
	"github.com/mailstead/mailstead/store"
)

// Options of a Tree. The zero value is right for Dovecot and Courier.
type Options struct {
	// UTF8 reads and writes names of folders in UTF-8 instead of modified UTF-7.
	UTF8 bool

	// FS is the file system; nil = the machine's. It is there for tests.
	FS vfs.FS
}

// Tree is a Maildir tree. Its methods may be called from any number of goroutines.
type Tree struct {
	side
	subs sync.Mutex // held while the file of subscriptions is written
	o    Options
}

type side = filetree.Side

// New is the tree at dir. As a target it is made when something is written.
func New(dir string, o Options) *Tree {
	return &Tree{side: side{Files: filetree.New(o.FS, dir), Kind: "maildir"}, o: o}
}

// Rules are those of file systems: a folder is one directory.
func (t *Tree) Rules() migrate.Rules {
	return migrate.Rules{
		Forbidden: "/\\", MaxName: 240, Role: func(string) bool { return false },
		Length: func(level string) int { return len(maildirfmt.DirName(level, t.o.UTF8)) },
	}
}

// Mailboxes lists the folders. ErrPermission: the root cannot be read.
func (t *Tree) Mailboxes(ctx context.Context) ([]migrate.Mailbox, error) {
	subscribed, err := t.subscriptions()
	if err != nil {
		return nil, filetree.Answer(err)
	}
	var out []migrate.Mailbox
	if err := t.walk(ctx, ".", nil, &out); err != nil {
		return nil, filetree.Answer(err)
	}
	for i := range out {
		out[i].Subscribed = subscribed[out[i].Name()]
	}
	return out, nil
}

// maxDepth bounds how deep directories are looked into.
const maxDepth = 32

// walk adds the folder at dir, and those below it. There being no tree is no error.
func (t *Tree) walk(ctx context.Context, dir string, path []string, out *[]migrate.Mailbox) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	list, err := t.Files.FS.ReadDir(filepath.Join(t.Files.Root, dir))
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(path) > maxDepth {
		return nil
	}
	if err != nil {
		return err
	}
	if slices.ContainsFunc(list, func(e fs.DirEntry) bool { return e.Name() == "cur" && e.IsDir() }) {
		name := path
		if dir == "." {
			name = []string{store.Inbox}
		}
		*out = append(*out, t.mailbox(dir, name))
	}
	for _, e := range list {
		name := e.Name()
		if !e.IsDir() || name == "cur" || name == "new" || name == "tmp" || name == filetree.StateDir {
			continue
		}
		sub := filepath.Join(dir, name)
		if name[0] != '.' {
			if err := t.walk(ctx, sub, append(path[:len(path):len(path)], t.level(name)), out); err != nil && !errors.Is(err, fs.ErrPermission) {
				return err
			}
			continue
		}
		if full, ok := maildirfmt.MailboxName(name, t.o.UTF8); ok && t.isMaildir(sub) {
			levels := append(path[:len(path):len(path)], strings.Split(full, store.Separator)...)
			*out = append(*out, t.mailbox(sub, levels))
		}
	}
	return nil
}

func (t *Tree) level(name string) string {
	if !t.o.UTF8 {
		if s, err := imapwire.DecodeUTF7([]byte(name)); err == nil {
			return s
		}
	}
	return name
}

func (t *Tree) isMaildir(dir string) bool {
	info, err := t.Files.FS.Stat(filepath.Join(t.Files.Root, dir, "cur"))
	return err == nil && info.IsDir() || errors.Is(err, fs.ErrPermission)
}

func (t *Tree) mailbox(dir string, path []string) migrate.Mailbox {
	return migrate.Mailbox{
		Path: path, Key: filepath.ToSlash(dir), State: t.state(dir), Messages: -1, Bytes: -1, Hint: dir,
	}
}

// state is made of the times of the directories; "" = they are too new to tell.
func (t *Tree) state(dir string) string {
	dir = filepath.Join(t.Files.Root, dir)
	return filetree.State(t.Files.FS, filepath.Join(dir, "cur"), filepath.Join(dir, "new"), filepath.Join(dir, maildirfmt.KeywordsFile))
}

// Put makes a folder, or subscribes to it.
func (t *Tree) Put(_ context.Context, m migrate.Mailbox) (migrate.Mailbox, error) {
	dir := t.dirOf(m.Path)
	for _, sub := range [...]string{"new", "cur", "tmp"} {
		if err := t.Files.FS.MkdirAll(filepath.Join(t.Files.Root, dir, sub), 0o700); err != nil {
			return m, filetree.Answer(err)
		}
	}
	if dir != "." {
		f, err := t.Files.FS.OpenFile(filepath.Join(t.Files.Root, dir, "maildirfolder"), createFlags, 0o600)
		if err != nil {
			return m, filetree.Answer(err)
		}
		if err := f.Close(); err != nil {
			return m, filetree.Answer(err)
		}
	}
	if m.Subscribed {
		if err := t.subscribe(m.Path); err != nil {
			return m, filetree.Answer(err)
		}
	}
	out := t.mailbox(dir, m.Path)
	out.Subscribed = m.Subscribed
	return out, nil
}

// dirOf is the directory of a name below the root. One that another layout has
// stays there.
func (t *Tree) dirOf(path []string) string {
	if len(path) == 1 && path[0] == store.Inbox {
		return "."
	}
	return maildirfmt.DirName(strings.Join(path, store.Separator), t.o.UTF8)
}
