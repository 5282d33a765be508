package mboxtree

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/mailstead/mailstead/deliver/migrate"
	"github.com/mailstead/mailstead/deliver/migrate/internal/filetree"
	"github.com/mailstead/mailstead/internal/vfs"
	"github.com/mailstead/mailstead/store/mbox"
)

// Options of a Tree. The zero value reads and writes MboxRD.
type Options struct {
	// Format is that of the files that are read. A target is MboxRD.
	Format mbox.Format

	// Mailbox is the name of the mailbox where the path is one file, levels joined
	// by "/"; "" = the name of the file, and of a target the one mailbox that is
	// put there.
	Mailbox string

	// FS is the file system; nil = the machine's. It is there for tests.
	FS vfs.FS
}

// Tree is an mbox file or a tree of them. Its methods may be called from any number
// of goroutines.
type Tree struct {
	side // its File is the one file, where the tree is one
	o    Options

	mu    sync.Mutex
	holds []string // the mailbox that the one file was made for; guarded by mu
}

type side = filetree.Side

const extension = ".mbox"

// New is the file or directory at path. What is not there is a file when its name
// ends in ".mbox", else a directory, and made when something is written.
func New(path string, o Options) *Tree {
	t := &Tree{side: side{Files: filetree.New(o.FS, path), Kind: "mbox"}, o: o}
	info, err := t.Files.FS.Stat(path)
	switch {
	case err == nil && !info.IsDir(), errors.Is(err, fs.ErrNotExist) && strings.HasSuffix(path, extension):
		t.Files = filetree.New(o.FS, filepath.Dir(path))
		t.File = filepath.Base(path)
	}
	return t
}

// Rules are those of file systems, also of Windows and macOS.
func (t *Tree) Rules() migrate.Rules {
	return migrate.Rules{
		Forbidden: `/\:*?"<>|`, MaxLevel: 200, MaxName: 1000, FoldCase: true, AddsLineEnd: true, Reserved: filetree.StateDir,
		NoDot: true, MaxDepth: maxDepth - 4,
		Role: func(string) bool { return false },
	}
}

// Mailboxes lists the mbox files.
func (t *Tree) Mailboxes(ctx context.Context) ([]migrate.Mailbox, error) {
	if t.File != "" {
		if _, err := t.Files.FS.Stat(filepath.Join(t.Files.Root, t.File)); errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
		return []migrate.Mailbox{t.mailbox(t.File, t.single())}, nil
	}
	var out []migrate.Mailbox
	err := t.walk(ctx, "", nil, &out)
	return out, filetree.Answer(err)
}

// single is the name of the mailbox in the one file.
func (t *Tree) single() []string {
	if t.o.Mailbox != "" {
		return strings.Split(t.o.Mailbox, "/")
	}
	return []string{strings.TrimSuffix(t.File, extension)}
}

// maxDepth bounds how deep directories are looked into.
const maxDepth = 64

func (t *Tree) walk(ctx context.Context, dir string, path []string, out *[]migrate.Mailbox) error {
	list, err := t.Files.FS.ReadDir(filepath.Join(t.Files.Root, dir))
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(path) > maxDepth {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range list {
		if err := ctx.Err(); err != nil {
			return err
		}
		name := e.Name()
		if name[0] == '.' || name == filetree.StateDir {
			continue
		}
		rel := filepath.Join(dir, name)
		level := strings.TrimSuffix(strings.TrimSuffix(name, ".sbd"), extension)
		full := append(path[:len(path):len(path)], level)
		switch {
		case e.IsDir() && strings.HasSuffix(name, extension) && t.isMbox(filepath.Join(rel, "mbox")):
			*out = append(*out, t.mailbox(filepath.Join(rel, "mbox"), full))
		case e.IsDir():
			if err := t.walk(ctx, rel, full, out); err != nil && !errors.Is(err, fs.ErrPermission) {
				return err
			}
		case t.isMbox(rel):
			*out = append(*out, t.mailbox(rel, full))
		}
	}
	return nil
}

// isMbox looks at the beginning of a file. An empty one is a mailbox, too; one that
// may not be read is reported when it is opened.
func (t *Tree) isMbox(rel string) bool {
	for _, suffix := range [...]string{".lock", ".msf", ".intent", ".migrate-new", ".dat", ".json", ".plist"} {
		if strings.HasSuffix(rel, suffix) {
			return false
		}
	}
	f, err := t.Files.FS.OpenFile(filepath.Join(t.Files.Root, rel), os.O_RDONLY, 0)
	if err != nil {
		return errors.Is(err, fs.ErrPermission)
	}
	defer f.Close()
	var head [64]byte
	n, err := io.ReadFull(f, head[:])
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return false
	}
	text := strings.TrimLeft(string(head[:n]), "\r\n")
	return text == "" && n < len(head) || strings.HasPrefix(text, "From ")
}

func (t *Tree) mailbox(rel string, path []string) migrate.Mailbox {
	m := migrate.Mailbox{
		Path: path, Key: filepath.ToSlash(rel), Messages: -1, Bytes: -1, Hint: rel,
		State: filetree.State(t.Files.FS, filepath.Join(t.Files.Root, rel)),
	}
	if info, err := t.Files.FS.Stat(filepath.Join(t.Files.Root, rel)); err == nil {
		m.Bytes = info.Size()
	}
	return m
}

// claim has the one file hold a mailbox, the first that asks unless Options.Mailbox
// names one, and returns which it holds.
func (t *Tree) claim(path []string) []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.holds != nil:
	case t.o.Mailbox != "":
		t.holds = t.single()
	default:
		t.holds = slices.Clone(path)
	}
	return t.holds
}

// Put makes a file.
func (t *Tree) Put(ctx context.Context, m migrate.Mailbox) (migrate.Mailbox, error) {
	rel := filepath.Join(m.Path...) + extension
	if t.File != "" {
		if holds := t.claim(m.Path); !slices.Equal(m.Path, holds) {
			return m, fmt.Errorf("%w: one file holds one mailbox, %q: a directory holds more", migrate.ErrName, strings.Join(holds, "/"))
		}
		rel = t.File
	}
	list, err := t.Mailboxes(ctx)
	if err != nil {
		return m, err
	}
	for i := range list {
		if t.File != "" || strings.EqualFold(list[i].Name(), m.Name()) {
			list[i].Path = m.Path
			return list[i], nil
		}
	}
	path := filepath.Join(t.Files.Root, rel)
	if err := t.Files.FS.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return m, filetree.Answer(err)
	}
	f, err := t.Files.FS.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o600)
	if err == nil {
		err = errors.Join(f.Close(), t.Files.FS.SyncDir(filepath.Dir(path)))
	}
	if err != nil {
		return m, filetree.Answer(err)
	}
	return t.mailbox(rel, m.Path), nil
}
