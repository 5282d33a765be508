package maildir

import (
	"errors"
	"io/fs"
	"syscall"

	"github.com/mailstead/mailstead/internal/vfs"
)

// retryFS tries again what failed because an NFS server has replaced the file
// or directory that a name stood for (ESTALE).
type retryFS struct{ vfs.FS }

const staleTries = 3

func again[T any](f func() (T, error)) (v T, err error) {
	for range staleTries {
		if v, err = f(); !errors.Is(err, syscall.ESTALE) {
			break
		}
	}
	return v, err
}

func (r retryFS) OpenFile(name string, flag int, perm fs.FileMode) (vfs.File, error) {
	return again(func() (vfs.File, error) { return r.FS.OpenFile(name, flag, perm) })
}

func (r retryFS) ReadDir(name string) ([]fs.DirEntry, error) {
	return again(func() ([]fs.DirEntry, error) { return r.FS.ReadDir(name) })
}

func (r retryFS) Stat(name string) (fs.FileInfo, error) {
	return again(func() (fs.FileInfo, error) { return r.FS.Stat(name) })
}

func (r retryFS) Rename(from, to string) error {
	_, err := again(func() (struct{}, error) { return struct{}{}, r.FS.Rename(from, to) })
	return err
}

func (r retryFS) Link(from, to string) error {
	_, err := again(func() (struct{}, error) { return struct{}{}, r.FS.Link(from, to) })
	return err
}
