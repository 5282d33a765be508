package nfs

import (
	"errors"
	"io/fs"
	"os"
	"syscall"

	"github.com/mailstead/mailstead/internal/vfs"
)

// FS is a file system that may be NFS. What failed because the server has
// replaced the file or directory that a name stood for (ESTALE) is tried again,
// and a link that was made although its answer was lost is one that was made.
type FS struct{ vfs.FS }

const staleTries = 3

func again[T any](f func() (T, error)) (v T, err error) {
	for range staleTries {
		if v, err = f(); !errors.Is(err, syscall.ESTALE) {
			break
		}
	}
	return v, err
}

func againErr(f func() error) error {
	_, err := again(func() (struct{}, error) { return struct{}{}, f() })
	return err
}

func (r FS) OpenFile(name string, flag int, perm fs.FileMode) (vfs.File, error) {
	return again(func() (vfs.File, error) { return r.FS.OpenFile(name, flag, perm) })
}

func (r FS) ReadDir(name string) ([]fs.DirEntry, error) {
	return again(func() ([]fs.DirEntry, error) { return r.FS.ReadDir(name) })
}

func (r FS) Stat(name string) (fs.FileInfo, error) {
	return again(func() (fs.FileInfo, error) { return r.FS.Stat(name) })
}

func (r FS) MkdirAll(name string, perm fs.FileMode) error {
	return againErr(func() error { return r.FS.MkdirAll(name, perm) })
}

func (r FS) SyncDir(name string) error {
	return againErr(func() error { return r.FS.SyncDir(name) })
}

func (r FS) Rename(from, to string) error {
	return againErr(func() error { return r.FS.Rename(from, to) })
}

func (r FS) Remove(name string) error {
	return againErr(func() error { return r.FS.Remove(name) })
}

// Link believes the file and not the answer: a request that the client sent
// twice fails the second time (open(2) on O_EXCL and NFS).
func (r FS) Link(from, to string) error {
	err := againErr(func() error { return r.FS.Link(from, to) })
	if err == nil {
		return nil
	}
	a, aerr := r.Stat(from)
	b, berr := r.Stat(to)
	if aerr == nil && berr == nil && os.SameFile(a, b) {
		return nil
	}
	return err
}

// NoDirSync leaves directories unsynced, so that a power cut loses what was
// made in them.
type NoDirSync struct{ vfs.FS }

func (NoDirSync) SyncDir(string) error { return nil }
