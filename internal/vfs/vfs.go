package vfs

import (
	"errors"
	"io"
	"io/fs"
)

// FS is a file system. Names are paths of the machine (package path/filepath).
// All methods may be called from any number of goroutines. Errors match the
// sentinels of io/fs with errors.Is.
type FS interface {
	// OpenFile opens a file with the flags of os.OpenFile.
	OpenFile(name string, flag int, perm fs.FileMode) (File, error)

	// Rename replaces newName, if it exists, in one step. Durable after
	// SyncDir of the directory (of both, where they differ).
	Rename(oldName, newName string) error

	// Link makes newName another name of the file oldName; it fails with
	// fs.ErrExist where newName exists.
	Link(oldName, newName string) error

	// Remove removes a file or an empty directory. Open handles stay usable.
	Remove(name string) error

	// MkdirAll makes a directory and the missing ones above it, and makes
	// their names durable.
	MkdirAll(name string, perm fs.FileMode) error

	// ReadDir returns the entries of a directory, sorted by name.
	ReadDir(name string) ([]fs.DirEntry, error)

	// Stat describes a file or directory.
	Stat(name string) (fs.FileInfo, error)

	// SyncDir makes the entries of a directory durable.
	SyncDir(name string) error

	// Lock takes an exclusive advisory lock on the file name, which it makes
	// where it is missing, and writes the process id of the owner into it.
	// It does not wait: a *LockedError (errors.Is ErrLocked) says who owns
	// it. Close releases the lock and leaves the file; so does the end of
	// the process.
	Lock(name string) (io.Closer, error)

	// Free returns the octets that an unprivileged writer may still use on
	// the file system that holds name. errors.ErrUnsupported where the
	// system cannot tell.
	Free(name string) (uint64, error)
}

// File is an open file. ReadAt and WriteAt may be called from several
// goroutines.
type File interface {
	io.Reader
	io.Writer
	io.ReaderAt
	io.WriterAt
	io.Closer

	// Sync makes the content and the size durable. After an error nothing is
	// known about what was written since the last Sync that succeeded.
	Sync() error

	// Truncate changes the size.
	Truncate(size int64) error

	// Stat describes the file.
	Stat() (fs.FileInfo, error)
}

// ErrLocked: another owner holds the lock.
var ErrLocked = errors.New("vfs: locked by another owner")

// LockedError is what [FS.Lock] returns when another owner has the lock.
// errors.Is(err, ErrLocked) holds for it.
type LockedError struct {
	Name string
	PID  int // of the owner; 0 unknown
}
