// Package nfs is for files on a file system that may be NFS: what failed because
// the server replaced a file is tried again, names are locked without flock or
// fcntl, and small files are replaced in one step.
package nfs

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/mailstead/mailstead/internal/vfs"
)

// ReadFile reads a small file, again where it was replaced meanwhile.
func ReadFile(f vfs.FS, name string) ([]byte, error) {
	return again(func() ([]byte, error) {
		file, err := f.OpenFile(name, os.O_RDONLY, 0)
		if err != nil {
			return nil, err
		}
		b, err := io.ReadAll(io.LimitReader(file, 1<<20))
		return b, errors.Join(err, file.Close())
	})
}

// WriteFile replaces a small file in one step, durably.
func WriteFile(f vfs.FS, name, text string) error {
	file, err := f.OpenFile(name+".tmp", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = io.WriteString(file, text)
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return err
	}
	if err := f.Rename(name+".tmp", name); err != nil {
		return err
	}
	return f.SyncDir(filepath.Dir(name))
}

// RemoveTree removes a directory with all in it.
func RemoveTree(f vfs.FS, dir string) error {
	list, err := f.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range list {
		path := filepath.Join(dir, e.Name())
		if e.IsDir() {
			err = RemoveTree(f, path)
		} else {
			err = f.Remove(path)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return f.Remove(dir)
}

// IgnoreMissing is err, or nil where it says that there is no such file.
func IgnoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
