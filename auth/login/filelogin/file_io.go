package filelogin

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/mailstead/mailstead/internal/vfs"
)

// All file access of the package stands here.

// maxFile bounds a password file in octets: about half a million users.
const maxFile = 64 << 20

// settled is how much older than its reading a file must be for its time to
// prove that nothing changed since: file systems keep times in steps of up to
// two seconds, and two changes may fall into one step.
const settled = 2 * time.Second

// How long a change waits for one of another process, and how often it looks.
const (
	lockTimeout = 5 * time.Second
	lockPoll    = 10 * time.Millisecond
)

var errFileSize = fmt.Errorf("login: password file larger than %d octets", maxFile)

// fileState says which incarnation of a file was looked at, and when.
type fileState struct {
	info fs.FileInfo // nil: there is no file
	at   time.Time
}

// covers reports whether what was read at s is what the file holds at now.
func (s fileState) covers(now fileState) bool {
	if s.info == nil || now.info == nil {
		return s.info == nil && now.info == nil
	}
	return os.SameFile(s.info, now.info) && s.info.Size() == now.info.Size() &&
		s.info.ModTime().Equal(now.info.ModTime()) && s.at.Sub(s.info.ModTime()) >= settled
}

func statFile(fsys vfs.FS, path string) (fileState, error) {
	now := time.Now()
	info, err := fsys.Stat(path)
	return fileState{info, now}, err
}

// readFile returns the octets and the state from before they were read.
func readFile(fsys vfs.FS, path string) (_ []byte, s fileState, err error) {
	f, err := fsys.OpenFile(path, os.O_RDONLY, 0)
	if err != nil {
		return nil, s, err
	}
	defer f.Close() // only read: nothing to lose
	s.at = time.Now()
	if s.info, err = f.Stat(); err != nil {
		return nil, s, err
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(data) > maxFile {
		err = errFileSize
	}
	return data, s, err
}

// replaceFile makes data the content of path: after a power cut the file has
// the old content or the new one, and when replaceFile returned nil the new.
func replaceFile(fsys vfs.FS, path string, data []byte) error {
	if len(data) > maxFile {
		return errFileSize
	}
	dir := filepath.Dir(path)
	name := tempPrefix(path) + rand.Text()
	tmp, err := fsys.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = tmp.Write(data)
	err = errors.Join(err, tmp.Sync())
	err = errors.Join(err, tmp.Close())
	if err == nil {
		err = fsys.Rename(name, path)
	}
	if err != nil {
		return errors.Join(err, fsys.Remove(name))
	}
	return fsys.SyncDir(dir)
}

// tempPrefix is what the names of new contents of a file begin with.
func tempPrefix(path string) string {
	return filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".new-")
}

// removeTemps removes the new contents that a crash left beside a file. The
// caller holds the lock of the file.
func removeTemps(fsys vfs.FS, path string) error {
	prefix := tempPrefix(path)
	entries, err := fsys.ReadDir(filepath.Dir(path))
	if err != nil {
		return err
	}
	for _, e := range entries {
		if name := filepath.Join(filepath.Dir(path), e.Name()); strings.HasPrefix(name, prefix) {
			err = errors.Join(err, fsys.Remove(name))
		}
	}
	return err
}

// lockPath takes the lock beside a file, which keeps changes of several
// processes apart. Where the system has none, nothing does.
func lockPath(ctx context.Context, fsys vfs.FS, path string) (unlock func(), err error) {
	ctx, cancel := context.WithTimeout(ctx, lockTimeout)
	defer cancel()
	for {
		held, err := fsys.Lock(path + ".lock")
		switch {
		case err == nil:
			return func() { _ = held.Close() }, nil
		case errors.Is(err, errors.ErrUnsupported):
			return func() {}, nil
		case !errors.Is(err, vfs.ErrLocked):
			return nil, err
		}
		select {
		case <-time.After(lockPoll):
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: %w", ctx.Err(), err)
		}
	}
}

// watched is what a file says, read again when it has changed.
type watched[T any] struct {
	mu    sync.Mutex
	state fileState
	value *T // nil: not read yet
}

// load returns what the file says now. absent is what a missing file says; nil
// makes that an error.
func (w *watched[T]) load(fsys vfs.FS, path string, parse func(data string) *T, absent *T) (*T, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now, err := statFile(fsys, path)
	if errors.Is(err, fs.ErrNotExist) && absent != nil {
		w.state, w.value = fileState{}, absent
		return absent, nil
	}
	if err != nil {
		return nil, err
	}
	if w.value != nil && w.state.covers(now) {
		return w.value, nil
	}
	data, state, err := readFile(fsys, path)
	if err != nil {
		return nil, err
	}
	w.state, w.value = state, parse(string(data))
	return w.value, nil
}

// forget makes the next load read the file, whatever its times say.
func (w *watched[T]) forget() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.value = nil
}
