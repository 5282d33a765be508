package vfs

import (
	"io"
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// Mem is a file system in memory that keeps apart what is visible and what is
// durable (D1 and D2 of the package comment), so that a test can cut the
// power at any instant. It starts with an empty root directory.
type Mem struct {
	mu    sync.Mutex
	root  *node
	locks map[string]bool
	free  uint64
}

var _ FS = (*Mem)(nil)

// node is a file or a directory; its fields are guarded by Mem.mu.
type node struct {
	name  string // the last one it was given, for Stat
	mtime time.Time

	// A directory: the entries as seen, as durable, and what happened since.
	dir            bool
	entries        map[string]*node
	durableEntries map[string]*node
	dirOps         []dirOp

	// A file: the octets as seen, as durable, and what happened since.
	data    []byte
	durable []byte
	pending []fileOp
}

// dirOp is one step in a directory that happens whole or not at all. A nil
// node is a removal.
type dirOp []dirEntry

type dirEntry struct {
	name string
	node *node
}

// fileOp is a write, or a truncation where data is nil.
type fileOp struct {
	off  int64
	data []byte
}

// NewMem returns an empty file system.
func NewMem() *Mem {
	return &Mem{root: newDir("/"), locks: map[string]bool{}, free: math.MaxInt64}
}

func newDir(name string) *node {
	return &node{name: name, dir: true, entries: map[string]*node{}, durableEntries: map[string]*node{}}
}

func (n *node) apply(op dirOp) {
	for _, e := range op {
		if e.node == nil {
			delete(n.entries, e.name)
		} else {
			n.entries[e.name] = e.node
			e.node.name = e.name
		}
	}
	n.dirOps = append(n.dirOps, op)
}

// SetFree sets what Free returns.
func (m *Mem) SetFree(n uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.free = n
}

// lookupLocked walks to name; nil when it is not there.
func (m *Mem) lookupLocked(name string) *node {
	n := m.root
	for part := range strings.SplitSeq(filepath.ToSlash(filepath.Clean(name)), "/") {
		if part == "" || part == "." {
			continue
		}
		if !n.dir || n.entries[part] == nil {
			return nil
		}
		n = n.entries[part]
	}
	return n
}

// parentLocked returns the directory that holds name, or nil, and the last
// element of name.
func (m *Mem) parentLocked(name string) (*node, string) {
	d := m.lookupLocked(filepath.Dir(filepath.Clean(name)))
	if d == nil || !d.dir {
		return nil, ""
	}
	return d, filepath.Base(filepath.Clean(name))
}

func pathError(op, name string, err error) error {
	return &fs.PathError{Op: op, Path: name, Err: err}
}

// OpenFile implements FS.
func (m *Mem) OpenFile(name string, flag int, _ fs.FileMode) (File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := m.lookupLocked(name)
	switch {
	case n == nil && flag&os.O_CREATE == 0:
		return nil, pathError("open", name, fs.ErrNotExist)
	case n == nil:
		dir, base := m.parentLocked(name)
		if dir == nil {
			return nil, pathError("open", name, fs.ErrNotExist)
		}
		n = &node{mtime: time.Now()}
		dir.apply(dirOp{{base, n}})
	case flag&(os.O_CREATE|os.O_EXCL) == os.O_CREATE|os.O_EXCL:
		return nil, pathError("open", name, fs.ErrExist)
	case n.dir:
		return nil, pathError("open", name, fs.ErrInvalid)
	}
	if flag&os.O_TRUNC != 0 {
		n.truncate(0)
	}
	return &memFile{fs: m, node: n, path: name, flag: flag}, nil
}

// Rename implements FS. Across directories the two of them become durable
// each for itself.
func (m *Mem) Rename(oldName, newName string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	oldDir, oldBase := m.parentLocked(oldName)
	newDir, newBase := m.parentLocked(newName)
	if oldDir == nil || newDir == nil || oldDir.entries[oldBase] == nil {
		return pathError("rename", oldName, fs.ErrNotExist)
	}
	n := oldDir.entries[oldBase]
	if oldDir == newDir {
		oldDir.apply(dirOp{{oldBase, nil}, {newBase, n}})
		return nil
	}
	newDir.apply(dirOp{{newBase, n}})
	oldDir.apply(dirOp{{oldBase, nil}})
	return nil
}

// Link implements FS.
func (m *Mem) Link(oldName, newName string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := m.lookupLocked(oldName)
	dir, base := m.parentLocked(newName)
	switch {
	case n == nil || dir == nil:
		return pathError("link", oldName, fs.ErrNotExist)
	case dir.entries[base] != nil:
		return pathError("link", newName, fs.ErrExist)
	}
	dir.apply(dirOp{{base, n}})
	return nil
}

// Remove implements FS.
func (m *Mem) Remove(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	dir, base := m.parentLocked(name)
	if dir == nil || dir.entries[base] == nil {
		return pathError("remove", name, fs.ErrNotExist)
	}
	if n := dir.entries[base]; n.dir && len(n.entries) > 0 {
		return pathError("remove", name, fs.ErrInvalid)
	}
	dir.apply(dirOp{{base, nil}})
	return nil
}

// MkdirAll implements FS.
func (m *Mem) MkdirAll(name string, _ fs.FileMode) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := m.root
	for part := range strings.SplitSeq(filepath.ToSlash(filepath.Clean(name)), "/") {
		if part == "" || part == "." {
			continue
		}
		if n.entries[part] == nil {
			d := newDir(part)
			n.entries[part], n.durableEntries[part] = d, d
		}
		if n = n.entries[part]; !n.dir {
			return pathError("mkdir", name, fs.ErrExist)
		}
	}
	return nil
}

// ReadDir implements FS.
func (m *Mem) ReadDir(name string) ([]fs.DirEntry, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	d := m.lookupLocked(name)
	if d == nil || !d.dir {
		return nil, pathError("readdir", name, fs.ErrNotExist)
	}
	list := make([]fs.DirEntry, 0, len(d.entries))
	for base, n := range d.entries {
		list = append(list, fs.FileInfoToDirEntry(n.infoLocked(base)))
	}
	slices.SortFunc(list, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return list, nil
}

// Stat implements FS.
func (m *Mem) Stat(name string) (fs.FileInfo, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := m.lookupLocked(name)
	if n == nil {
		return nil, pathError("stat", name, fs.ErrNotExist)
	}
	return n.infoLocked(filepath.Base(name)), nil
}

// SyncDir implements FS.
func (m *Mem) SyncDir(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	d := m.lookupLocked(name)
	if d == nil || !d.dir {
		return pathError("sync", name, fs.ErrNotExist)
	}
	d.durableEntries = maps.Clone(d.entries)
	d.dirOps = nil
	return nil
}

// Lock implements FS. A lock belongs to this Mem: after a Crash it is free.
func (m *Mem) Lock(name string) (io.Closer, error) {
	f, err := m.OpenFile(name, os.O_RDWR|os.O_CREATE, 0)
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.locks[name] {
		return nil, &LockedError{Name: name, PID: os.Getpid()}
	}
	m.locks[name] = true
	return &memLock{File: f, fs: m, name: name}, nil
}

// Free implements FS.
func (m *Mem) Free(string) (uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.free, nil
}

type memLock struct {
	File
	fs   *Mem
	name string
}

func (l *memLock) Close() error {
	l.fs.mu.Lock()
	delete(l.fs.locks, l.name)
	l.fs.mu.Unlock()
	return l.File.Close()
}
