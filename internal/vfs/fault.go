package vfs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
)

// ErrCrashed is what every operation returns from the one on at which a
// [CrashAt] hook cut the power.
var ErrCrashed = errors.New("vfs: the power is cut")

// ErrSkipped, from a Hook, makes a Sync or SyncDir report success without doing
// it: a program that forgets it, or a disk that ignores flushes. It fails any
// other operation.
var ErrSkipped = errors.New("vfs: left out")

// Kind says what an operation does.
type Kind string

// The kinds of operations, one per method of FS and File; OpCreate is an
// OpenFile that may make the file.
const (
	OpOpen     Kind = "open"
	OpCreate   Kind = "create"
	OpRename   Kind = "rename"
	OpLink     Kind = "link"
	OpRemove   Kind = "remove"
	OpMkdir    Kind = "mkdir"
	OpReadDir  Kind = "readdir"
	OpStat     Kind = "stat"
	OpSyncDir  Kind = "syncdir"
	OpLock     Kind = "lock"
	OpFree     Kind = "free"
	OpRead     Kind = "read"
	OpWrite    Kind = "write"
	OpSync     Kind = "sync"
	OpTruncate Kind = "truncate"
	OpClose    Kind = "close"
)

// Mutates reports whether an operation of this kind changes what a crash
// leaves.
func (k Kind) Mutates() bool {
	switch k {
	case OpCreate, OpRename, OpLink, OpRemove, OpMkdir, OpSyncDir, OpWrite, OpSync, OpTruncate:
		return true
	}
	return false
}

// Op is one operation, as a Hook sees it before it happens.
type Op struct {
	N    int // counts from 1
	Kind Kind
	Name string // base name; "old -> new" of a rename or link
	Off  int64  // of a read or write at an offset; the size of a truncate
	Len  int    // of a read or write
}

// String renders an operation as one line of a trace.
func (o Op) String() string {
	switch o.Kind {
	case OpRead, OpWrite:
		return fmt.Sprintf("%s %s %d+%d", o.Kind, o.Name, o.Off, o.Len)
	case OpTruncate:
		return fmt.Sprintf("%s %s %d", o.Kind, o.Name, o.Off)
	}
	return string(o.Kind) + " " + o.Name
}

// Hook judges an operation before it happens: nil lets it pass, an error is
// returned instead of doing it. It is called with operations in their order,
// one at a time.
type Hook func(Op) error

// PartialError makes a write do its first N octets and then return Err.
type PartialError struct {
	N   int
	Err error
}

// Error implements error.
func (e *PartialError) Error() string { return e.Err.Error() }

// Unwrap returns Err.
func (e *PartialError) Unwrap() error { return e.Err }

// Fault is an FS that asks a Hook before each operation of another FS.
type Fault struct {
	fs FS

	mu   sync.Mutex
	n    int
	hook Hook
}

var _ FS = (*Fault)(nil)

// NewFault wraps f. A nil hook lets everything pass and only counts.
func NewFault(f FS, hook Hook) *Fault { return &Fault{fs: f, hook: hook} }

// Count returns how many operations there were.
func (f *Fault) Count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.n
}

func (f *Fault) ask(op Op) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.n++
	op.N = f.n
	if f.hook == nil {
		return nil
	}
	return f.hook(op)
}

func (f *Fault) askName(kind Kind, name string) error {
	if err := f.ask(Op{Kind: kind, Name: filepath.Base(name)}); err != nil {
		return pathError(string(kind), name, err)
	}
	return nil
}

// OpenFile implements FS.
func (f *Fault) OpenFile(name string, flag int, perm fs.FileMode) (File, error) {
	kind := OpOpen
	if flag&os.O_CREATE != 0 {
		kind = OpCreate
	}
	if err := f.askName(kind, name); err != nil {
		return nil, err
	}
	file, err := f.fs.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err
	}
	return &faultFile{File: file, fault: f, name: filepath.Base(name)}, nil
}

// Rename implements FS.
func (f *Fault) Rename(oldName, newName string) error {
	if err := f.askName(OpRename, filepath.Base(oldName)+" -> "+filepath.Base(newName)); err != nil {
		return err
	}
	return f.fs.Rename(oldName, newName)
}

// Link implements FS.
func (f *Fault) Link(oldName, newName string) error {
	if err := f.askName(OpLink, filepath.Base(oldName)+" -> "+filepath.Base(newName)); err != nil {
		return err
	}
	return f.fs.Link(oldName, newName)
}

// Remove implements FS.
func (f *Fault) Remove(name string) error {
	if err := f.askName(OpRemove, name); err != nil {
		return err
	}
	return f.fs.Remove(name)
}

// MkdirAll implements FS.
func (f *Fault) MkdirAll(name string, perm fs.FileMode) error {
	if err := f.askName(OpMkdir, name); err != nil {
		return err
	}
	return f.fs.MkdirAll(name, perm)
}

// ReadDir implements FS.
func (f *Fault) ReadDir(name string) ([]fs.DirEntry, error) {
	if err := f.askName(OpReadDir, name); err != nil {
		return nil, err
	}
	return f.fs.ReadDir(name)
}

// Stat implements FS.
func (f *Fault) Stat(name string) (fs.FileInfo, error) {
	if err := f.askName(OpStat, name); err != nil {
		return nil, err
	}
	return f.fs.Stat(name)
}

// SyncDir implements FS.
func (f *Fault) SyncDir(name string) error {
	if err := f.askName(OpSyncDir, name); err != nil {
		if errors.Is(err, ErrSkipped) {
			return nil
		}
		return err
	}
	return f.fs.SyncDir(name)
}

// Lock implements FS.
func (f *Fault) Lock(name string) (io.Closer, error) {
	if err := f.askName(OpLock, name); err != nil {
		return nil, err
	}
	return f.fs.Lock(name)
}

// Free implements FS.
func (f *Fault) Free(name string) (uint64, error) {
	if err := f.askName(OpFree, name); err != nil {
		return 0, err
	}
	return f.fs.Free(name)
}
