package emltree

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/mailstead/mailstead/deliver/migrate"
	"github.com/mailstead/mailstead/deliver/migrate/internal/filetree"
	"github.com/mailstead/mailstead/internal/vfs"
	"github.com/mailstead/mailstead/store"
)

// Options of a Tree.
type Options struct {
	// FS is the file system; nil = the machine's. It is there for tests.
	FS vfs.FS
}

// Tree is a tree of .eml files. Its methods may be called from any number of
// goroutines.
type Tree struct{ side }

type side = filetree.Side

// New is the tree at dir. As a target it is made when something is written.
func New(dir string, o Options) *Tree {
	return &Tree{side{Files: filetree.New(o.FS, dir), Kind: "eml"}}
}

// Rules are those of file systems, also of Windows and macOS.
func (t *Tree) Rules() migrate.Rules {
	return migrate.Rules{
		Forbidden: `/\:*?"<>|`, MaxLevel: 200, MaxName: 1000, FoldCase: true, Reserved: filetree.StateDir,
		NoDot: true, MaxDepth: maxDepth - 4,
		Role: func(string) bool { return false },
	}
}

// Mailboxes lists the directories. The root is INBOX, unless it holds no message and
// another directory has that name.
func (t *Tree) Mailboxes(ctx context.Context) ([]migrate.Mailbox, error) {
	var out []migrate.Mailbox
	err := t.walk(ctx, ".", nil, &out)
	return out, filetree.Answer(err)
}

// maxDepth bounds how deep directories are looked into.
const maxDepth = 64

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
	var subs []string
	messages, inbox := int64(0), false
	for _, e := range list {
		switch {
		case e.Name()[0] == '.' || e.Name() == filetree.StateDir:
		case e.IsDir():
			subs = append(subs, e.Name())
			inbox = inbox || dir == "." && strings.EqualFold(e.Name(), store.Inbox)
		case parseName(e.Name()).id != "":
			messages++
		}
	}
	if dir != "." || !inbox || messages > 0 {
		name := path
		if dir == "." {
			name = []string{store.Inbox}
		}
		m := t.mailbox(dir, name)
		m.Messages = messages
		*out = append(*out, m)
	}
	for _, sub := range subs {
		if err := t.walk(ctx, filepath.Join(dir, sub), append(path[:len(path):len(path)], sub), out); err != nil && !errors.Is(err, fs.ErrPermission) {
			return err
		}
	}
	return nil
}

func (t *Tree) mailbox(dir string, path []string) migrate.Mailbox {
	return migrate.Mailbox{
		Path: path, Key: filepath.ToSlash(dir), Messages: -1, Bytes: -1, Hint: dir,
		State: filetree.State(t.Files.FS, filepath.Join(t.Files.Root, dir)),
	}
}

// Put makes a directory.
func (t *Tree) Put(ctx context.Context, m migrate.Mailbox) (migrate.Mailbox, error) {
	list, err := t.Mailboxes(ctx)
	if err != nil {
		return m, err
	}
	for i := range list {
		if strings.EqualFold(list[i].Name(), m.Name()) {
			return list[i], nil // INBOX may be the root
		}
	}
	dir := filepath.Join(m.Path...)
	if err := t.Files.FS.MkdirAll(filepath.Join(t.Files.Root, dir), 0o700); err != nil {
		return m, filetree.Answer(err)
	}
	return t.mailbox(dir, m.Path), nil
}
