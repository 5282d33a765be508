// Package filetree is what the targets of package migrate that are made of files
// have in common: a batch of new files, and the notes about it, happen as a whole.
//
// All of it lies in the directory StateDir of the tree: the state of migrations,
// files on their way (tmp/), and the journal of batches (redo/).
//
//	step                                             a crash before it leaves
//	1 write files into tmp/, sync them and tmp/      files in tmp/, which the next run removes
//	2 write the journal entry, sync it and redo/:    the same
//	  the batch has happened
//	3 rename files to their places, or append them,  a journal entry, which the next run carries
//	  and sync those directories                     out before it does anything else
//	4 write the notes                                the same
//	5 remove the entry, sync redo/                   the same; to do it again changes nothing
//
// One run works on a tree at a time: see Acquire. Who only reads needs no lock.
package filetree

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mailstead/mailstead/deliver/migrate"
	"github.com/mailstead/mailstead/internal/vfs"
)

// StateDir is the directory in a tree that belongs to migrations.
const StateDir = "mailstead-migrate"

// Tree is a directory that takes batches. Its methods may be called from several
// goroutines; batches of one name follow one another. Make one with New.
type Tree struct {
	Root string
	FS   vfs.FS

	migrate.DirKeeper
	count atomic.Uint64

	mu   sync.Mutex
	made map[string]bool

	// Entries whose batch may have happened and was not carried out: nothing is read
	// of the notes before they are.
	pendingMu sync.Mutex // held while they are carried out
	pending   map[string]bool
}

// New is a tree at root, which is made when something is written.
func New(files vfs.FS, root string) *Tree {
	if files == nil {
		files = vfs.OS{}
	}
	t := &Tree{Root: root, FS: files, made: make(map[string]bool), pending: make(map[string]bool)}
	t.Dir, t.DirKeeper.FS = filepath.Join(root, StateDir), files
	return t
}

func (t *Tree) tmp() string  { return filepath.Join(t.Dir, "tmp") }
func (t *Tree) redo() string { return filepath.Join(t.Dir, "redo") }

// Acquire locks the tree and carries out what a crash has left.
func (t *Tree) Acquire(ctx context.Context, job string) (func() error, error) {
	release, err := t.DirKeeper.Acquire(ctx, job)
	if err != nil {
		return nil, err
	}
	if err := t.recover(ctx); err != nil {
		return nil, errors.Join(err, release())
	}
	return release, nil
}

// recover carries out journal entries and removes files that no entry names.
func (t *Tree) recover(ctx context.Context) error {
	list, err := t.FS.ReadDir(t.redo())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, e := range list {
		path := filepath.Join(t.redo(), e.Name())
		if filepath.Ext(path) != ".json" {
			if err := t.FS.Remove(path); err != nil {
				return err
			}
			continue
		}
		if err := t.again(ctx, path); err != nil {
			return err
		}
	}
	list, err = t.FS.ReadDir(t.tmp())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, e := range list {
		if err := t.FS.Remove(filepath.Join(t.tmp(), e.Name())); err != nil {
			return err
		}
	}
	return err
}

// again carries out an entry, if it is there.
func (t *Tree) again(ctx context.Context, path string) error {
	b, err := t.readFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var x batch
	if err := json.Unmarshal(b, &x); err != nil {
		return fmt.Errorf("%w: %s: %w", migrate.ErrState, path, err)
	}
	return t.perform(ctx, path, &x)
}

// catchUp carries out what a Commit of this process has left.
func (t *Tree) catchUp(ctx context.Context) error {
	t.pendingMu.Lock()
	defer t.pendingMu.Unlock()
	for path := range t.pending {
		if err := t.again(ctx, path); err != nil {
			return err
		}
		delete(t.pending, path)
	}
	return nil
}

// Get returns one note, once all batches are carried out.
func (t *Tree) Get(ctx context.Context, key string) ([]byte, error) {
	if err := t.catchUp(ctx); err != nil {
		return nil, err
	}
	return t.DirKeeper.Get(ctx, key)
}

func (t *Tree) readFile(path string) ([]byte, error) {
	f, err := t.FS.OpenFile(path, os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(f)
}

// MakeDir makes a directory, once.
func (t *Tree) MakeDir(dir string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.made[dir] {
		return nil
	}
	if err := t.FS.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	t.made[dir] = true
	return nil
}

// Temp makes a file in tmp/ and returns its name there. Who asked for it syncs and
// closes it.
func (t *Tree) Temp() (vfs.File, string, error) {
	if err := t.MakeDir(t.tmp()); err != nil {
		return nil, "", err
	}
	name := strconv.Itoa(os.Getpid()) + "-" + strconv.FormatUint(t.count.Add(1), 10)
	f, err := t.FS.OpenFile(filepath.Join(t.tmp(), name), os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	return f, name, err
}

// Drop removes a file in tmp/.
func (t *Tree) Drop(name string) { _ = t.FS.Remove(filepath.Join(t.tmp(), name)) } // the next Acquire does it too

// SetTime sets the time of a file in tmp/, where the system can.
func (t *Tree) SetTime(name string, at time.Time) error {
	err := vfs.SetTime(t.FS, filepath.Join(t.tmp(), name), at)
	if errors.Is(err, errors.ErrUnsupported) {
		return nil
	}
	return err
}

// Step brings one file of tmp/ to its place.
type Step struct {
	Temp string `json:"temp"`
	To   string `json:"to"` // below Root

	// Append adds the content behind At octets of To; Replace takes the place of To.
	// Without both To is new.
	Append  bool  `json:"append,omitempty"`
	At      int64 `json:"at,omitempty"`
	Replace bool  `json:"replace,omitempty"`
}

// batch is a journal entry.
type batch struct {
	Steps []Step         `json:"steps"`
	Notes []migrate.Note `json:"notes"`
}

// Commit carries out steps and writes notes, as a whole. The files in tmp/ are
// synced. name is that of the mailbox: one of it is at work at a time. After an error
// the batch may have happened; the next Get finds out.
func (t *Tree) Commit(ctx context.Context, name string, steps []Step, notes []migrate.Note) error {
	if err := t.MakeDir(t.redo()); err != nil {
		return err
	}
	if err := t.MakeDir(t.tmp()); err != nil {
		return err
	}
	if err := t.FS.SyncDir(t.tmp()); err != nil {
		return err
	}
	x := &batch{steps, notes}
	path := filepath.Join(t.redo(), name)
	err := t.writeEntry(path, x)
	if err == nil {
		err = t.perform(context.WithoutCancel(ctx), path+".json", x)
	}
	if err != nil {
		t.pendingMu.Lock()
		defer t.pendingMu.Unlock()
		t.pending[path+".json"] = true
	}
	return err
}

func (t *Tree) writeEntry(path string, x *batch) error {
	b, err := json.Marshal(x)
	if err != nil {
		return err
	}
	f, err := t.FS.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	if _, err = f.Write(b); err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := t.FS.Rename(path+".new", path+".json"); err != nil {
		return err
	}
	return t.FS.SyncDir(t.redo())
}

// perform does what an entry says; what was done already stays as it is.
func (t *Tree) perform(ctx context.Context, path string, x *batch) error {
	dirs := make(map[string]bool)
	for _, s := range x.Steps {
		to := filepath.Join(t.Root, filepath.FromSlash(s.To))
		dirs[filepath.Dir(to)] = true
		if err := t.step(s, to); err != nil {
			return err
		}
	}
	for dir := range dirs {
		if err := t.FS.SyncDir(dir); err != nil {
			return err
		}
	}
	for _, s := range x.Steps {
		t.Drop(s.Temp)
	}
	if len(x.Notes) > 0 {
		if err := t.Save(ctx, x.Notes); err != nil {
			return err
		}
	}
	if err := t.FS.Remove(path); err != nil {
		return err
	}
	return t.FS.SyncDir(t.redo())
}

func (t *Tree) step(s Step, to string) error {
	from := filepath.Join(t.tmp(), s.Temp)
	if _, err := t.FS.Stat(from); errors.Is(err, fs.ErrNotExist) {
		return nil // it was done
	}
	switch {
	case s.Append:
		return t.append(from, to, s.At)
	case s.Replace:
		if err := t.link(from, to+replacing); err != nil {
			return err
		}
		return t.FS.Rename(to+replacing, to)
	}
	return t.link(from, to)
}

// replacing is behind the name of a file that is about to take the place of
// another.
const replacing = ".migrate-new"

// link gives a file its name. It keeps the one in tmp/ until the new one is
// durable; where there are no links it is renamed.
func (t *Tree) link(from, to string) error {
	err := t.FS.Link(from, to)
	switch {
	case errors.Is(err, fs.ErrExist):
		return nil // names are unique: it was done
	case errors.Is(err, errors.ErrUnsupported), errors.Is(err, fs.ErrPermission):
		return t.FS.Rename(from, to)
	}
	return err
}

// append writes the content of a file behind at octets of another one.
func (t *Tree) append(from, to string, at int64) error {
	in, err := t.FS.OpenFile(from, os.O_RDONLY, 0)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := t.FS.OpenFile(to, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	info, err := out.Stat()
	if err == nil && info.Size() > at {
		at, err = t.where(in, out, at, info.Size())
	}
	if err == nil {
		_, err = io.Copy(&WriterAt{F: out, Off: at}, in)
	}
	if err == nil {
		err = out.Sync()
	}
	return errors.Join(err, out.Close())
}

// where is where the content of in begins in out, which is longer than it should
// be: at, when what lies there is a part of in, else the end, as somebody else has
// written.
func (t *Tree) where(in, out io.ReaderAt, at, size int64) (int64, error) {
	a, b := make([]byte, 32<<10), make([]byte, 32<<10)
	for off := int64(0); at+off < size; off += int64(len(a)) {
		n, err := out.ReadAt(b[:min(int64(len(b)), size-at-off)], at+off)
		if err != nil && err != io.EOF {
			return 0, err
		}
		m, err := in.ReadAt(a[:n], off)
		if err != nil && err != io.EOF {
			return 0, err
		}
		if string(a[:m]) != string(b[:m]) {
			return size, nil
		}
		if m < n {
			return at, nil // all of in is there
		}
	}
	return at, nil
}

// WriterAt writes a file from an offset on.
type WriterAt struct {
	F   io.WriterAt
	Off int64
}

// Write implements io.Writer.
func (w *WriterAt) Write(p []byte) (int, error) {
	n, err := w.F.WriteAt(p, w.Off)
	w.Off += int64(n)
	return n, err
}
