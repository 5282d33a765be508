package migrate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/mailstead/mailstead/internal/vfs"
)

// DirKeeper keeps state in files of a directory, one a key, which is made where it
// is missing. A file is written beside its place, synced and renamed, so that it is
// whole or as it was, whatever ends the process.
type DirKeeper struct {
	Dir string

	// FS is the file system; nil = the machine's. It is there for tests.
	FS vfs.FS

	mu   sync.Mutex
	made map[string]bool // directories
}

func (k *DirKeeper) fs() vfs.FS {
	if k.FS == nil {
		return vfs.OS{}
	}
	return k.FS
}

// path is the file of a key; ErrState: it is none.
func (k *DirKeeper) path(key string) (string, error) {
	ok := key != "" && len(key) <= 200
	for level := range strings.SplitSeq(key, "/") {
		ok = ok && level != "" && level[0] != '.' && !strings.ContainsFunc(level, notInKey) && !strings.HasSuffix(level, tmpSuffix)
	}
	if !ok {
		return "", fmt.Errorf("%w: key %q", ErrState, key)
	}
	return filepath.Join(k.Dir, "state", filepath.FromSlash(key)), nil
}

const tmpSuffix = ".tmp"

func notInKey(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '.'
}

// Acquire locks the directory, for any job: ErrBusy.
func (k *DirKeeper) Acquire(_ context.Context, _ string) (release func() error, err error) {
	if err := k.fs().MkdirAll(k.Dir, 0o700); err != nil {
		return nil, err
	}
	lock, err := k.fs().Lock(filepath.Join(k.Dir, "lock"))
	if errors.Is(err, vfs.ErrLocked) {
		return nil, fmt.Errorf("%w: %w", ErrBusy, err)
	}
	if err != nil {
		return nil, err
	}
	return lock.Close, nil
}

// Get returns one value; nil = there is none.
func (k *DirKeeper) Get(_ context.Context, key string) ([]byte, error) {
	path, err := k.path(key)
	if err != nil {
		return nil, err
	}
	b, err := k.read(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return b, err
}

func (k *DirKeeper) read(path string) ([]byte, error) {
	f, err := k.fs().OpenFile(path, os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, MaxNote+1))
	if err == nil && len(b) > MaxNote {
		err = fmt.Errorf("%w: %s is too long", ErrState, path)
	}
	return b, err
}

// Load yields the values whose keys begin with prefix, which ends in "/".
func (k *DirKeeper) Load(ctx context.Context, prefix string) iter.Seq2[Note, error] {
	return func(yield func(Note, error) bool) {
		dir, err := k.path(strings.TrimSuffix(prefix, "/"))
		if err != nil {
			yield(Note{}, err)
			return
		}
		_, err = k.walk(ctx, dir, prefix, yield)
		if err != nil {
			yield(Note{}, err)
		}
	}
}

func (k *DirKeeper) walk(ctx context.Context, dir, prefix string, yield func(Note, error) bool) (more bool, err error) {
	list, err := k.fs().ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	// A directory is in the order of what is in it: "a/" stands behind "a-" and
	// "a.", which are smaller than "/".
	sortKey := func(e fs.DirEntry) string {
		if e.IsDir() {
			return e.Name() + "/"
		}
		return e.Name()
	}
	slices.SortFunc(list, func(a, b fs.DirEntry) int { return strings.Compare(sortKey(a), sortKey(b)) })
	for _, e := range list {
		if err := ctx.Err(); err != nil {
			return false, err
		}
		path := filepath.Join(dir, e.Name())
		if e.IsDir() {
			if more, err := k.walk(ctx, path, prefix+e.Name()+"/", yield); err != nil || !more {
				return more, err
			}
			continue
		}
		if strings.HasSuffix(e.Name(), tmpSuffix) {
			continue
		}
		b, err := k.read(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return false, err
		}
		if !yield(Note{prefix + e.Name(), b}, nil) {
			return false, nil
		}
	}
	return true, nil
}

// Save writes all notes, each whole or not at all.
func (k *DirKeeper) Save(ctx context.Context, notes []Note) error {
	dirs := make(map[string]bool)
	for _, n := range notes {
		if err := ctx.Err(); err != nil {
			return err
		}
		path, err := k.path(n.Key)
		if err != nil {
			return err
		}
		if err := k.makeDir(filepath.Dir(path)); err != nil {
			return err
		}
		if err := k.write(path, n.Value); err != nil {
			return err
		}
		dirs[filepath.Dir(path)] = true
	}
	for dir := range dirs {
		if err := k.fs().SyncDir(dir); err != nil {
			return err
		}
	}
	return nil
}

func (k *DirKeeper) makeDir(dir string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.made[dir] {
		return nil
	}
	if err := k.fs().MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if k.made == nil {
		k.made = make(map[string]bool)
	}
	k.made[dir] = true
	return nil
}

func (k *DirKeeper) write(path string, value []byte) error {
	if value == nil {
		if err := k.fs().Remove(path); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	if len(value) > MaxNote {
		return fmt.Errorf("%w: a value of %d octets", ErrState, len(value))
	}
	f, err := k.fs().OpenFile(path+tmpSuffix, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(value)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return k.fs().Rename(path+tmpSuffix, path)
}
