package format

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/mailstead/mailstead/internal/vfs"
	"github.com/mailstead/mailstead/store"
)

// lockName is the file that the writer of a Dir holds.
const lockName = ".lock"

// Dir is a Target in a directory of a local file system. An object is a file
// that is written under another name, synced and renamed, and its directory
// synced. The lock is flock(2).
type Dir struct {
	path string
	fs   vfs.FS
}

var _ Target = (*Dir)(nil)

// NewDir returns the Target in a directory, which the first Create or Lock
// makes.
func NewDir(path string) *Dir { return NewDirOn(vfs.OS{}, path) }

// NewDirOn is NewDir on another file system, one with faults in tests.
func NewDirOn(fs vfs.FS, path string) *Dir { return &Dir{path: path, fs: fs} }

// file is where an object lies.
func (d *Dir) file(name string) (string, error) {
	if err := CheckName(name); err != nil {
		return "", fmt.Errorf("%w: %q", err, name)
	}
	return filepath.Join(d.path, filepath.FromSlash(name)), nil
}

// Create implements Target.
func (d *Dir) Create(ctx context.Context, name string) (Writer, error) {
	final, err := d.file(name)
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := d.fs.MkdirAll(filepath.Dir(final), 0o700); err != nil {
		return nil, err
	}
	tmp := filepath.Join(filepath.Dir(final), "."+filepath.Base(final)+".tmp")
	f, err := d.fs.OpenFile(tmp, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	return &dirWriter{d: d, f: f, tmp: tmp, final: final}, nil
}

type dirWriter struct {
	d          *Dir
	f          vfs.File // nil = ended
	tmp, final string
}

// Write implements io.Writer.
func (w *dirWriter) Write(p []byte) (int, error) { return w.f.Write(p) }

// Commit implements Writer.
func (w *dirWriter) Commit(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	err := w.f.Sync()
	if cerr := w.f.Close(); err == nil {
		err = cerr
	}
	w.f = nil
	if err == nil {
		err = w.d.fs.Rename(w.tmp, w.final)
	}
	if err != nil {
		_ = w.d.fs.Remove(w.tmp)
		return err
	}
	return w.d.fs.SyncDir(filepath.Dir(w.final))
}

// Abort implements Writer.
func (w *dirWriter) Abort() {
	if w.f != nil {
		w.f.Close()
		w.f = nil
		_ = w.d.fs.Remove(w.tmp)
	}
}

// Open implements Target.
func (d *Dir) Open(ctx context.Context, name string) (Reader, error) {
	file, err := d.file(name)
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	f, err := d.fs.OpenFile(file, os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("backup: %s is no file", file)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return &dirReader{f, info.Size()}, nil
}

type dirReader struct {
	vfs.File
	size int64
}

// Size implements Reader.
func (r *dirReader) Size() int64 { return r.size }

// List implements Target.
func (d *Dir) List(ctx context.Context, prefix string) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		if prefix != "" && CheckName(strings.TrimSuffix(prefix, "/")) != nil {
			yield(Info{}, fmt.Errorf("%w: %q", ErrName, prefix))
			return
		}
		d.walk(ctx, strings.TrimSuffix(prefix, "/"), yield)
	}
}

// walk yields what lies below a level; false = the caller has enough. What
// cannot be an object, such as a file that is being written, is left out.
func (d *Dir) walk(ctx context.Context, level string, yield func(Info, error) bool) bool {
	if err := ctx.Err(); err != nil {
		yield(Info{}, err)
		return false
	}
	entries, err := d.fs.ReadDir(filepath.Join(d.path, filepath.FromSlash(level)))
	if errors.Is(err, fs.ErrNotExist) {
		return true
	}
	if err != nil {
		yield(Info{}, err)
		return false
	}
	for _, e := range entries {
		name := path.Join(level, e.Name())
		if CheckName(name) != nil {
			continue
		}
		if e.IsDir() {
			if !d.walk(ctx, name, yield) {
				return false
			}
			continue
		}
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			yield(Info{}, err)
			return false
		}
		if info.Mode().IsRegular() && !yield(Info{Name: name, Size: info.Size()}, nil) {
			return false
		}
	}
	return true
}

// Remove implements Target. A directory that is empty then is removed too.
func (d *Dir) Remove(ctx context.Context, name string) error {
	file, err := d.file(name)
	if err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := d.fs.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	dir := filepath.Dir(file)
	if err := d.fs.SyncDir(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if strings.Count(name, "/") == 2 {
		_ = d.fs.Remove(dir) // fails while something is left
	}
	return nil
}

// Lock implements Target, and removes what an earlier writer left unfinished.
func (d *Dir) Lock(ctx context.Context) (io.Closer, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := d.fs.MkdirAll(d.path, 0o700); err != nil {
		return nil, err
	}
	lock, err := d.fs.Lock(filepath.Join(d.path, lockName))
	if errors.Is(err, vfs.ErrLocked) {
		return nil, fmt.Errorf("%w: %w", store.ErrInUse, err)
	}
	if err != nil {
		return nil, err
	}
	if err := d.sweep(d.path, 3); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return lock, nil
}

// sweep removes unfinished files in a directory and depth levels below.
func (d *Dir) sweep(dir string, depth int) error {
	entries, err := d.fs.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		name := filepath.Join(dir, e.Name())
		switch {
		case e.IsDir() && depth > 1 && e.Name()[0] != '.':
			err = d.sweep(name, depth-1)
		case !e.IsDir() && e.Name()[0] == '.' && strings.HasSuffix(e.Name(), ".tmp"):
			err = d.fs.Remove(name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
