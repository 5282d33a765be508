package oauthclient

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/mailstead/mailstead/auth/login"
)

// RefreshStore keeps one refresh token. A Refresh calls it from one goroutine
// at a time.
type RefreshStore interface {
	// Load returns the token that was saved last. ErrNoToken: none.
	Load(ctx context.Context) (login.Password, error)
	// Save keeps the token instead of the one before. It is on stable storage
	// when Save returns nil; otherwise Load returns the old one or the new one.
	Save(ctx context.Context, token login.Password) error
}

// FileStore keeps a refresh token in a file of its own, as one line. Only its
// owner may read the file. One process uses it at a time: two would spend each
// other's token.
type FileStore struct {
	// Path is the file. Its directory has to exist and be writable, since the
	// file is replaced rather than written over. A symbolic link is followed.
	Path string

	disk *disk // nil: the real one
}

var _ RefreshStore = (*FileStore)(nil)

// ErrOpenToOthers: the token's file may be read by others than its owner.
var ErrOpenToOthers = errors.New("oauth: the file of the refresh token is open to others (want mode 0600)")

// Load implements RefreshStore. ErrOpenToOthers.
func (s *FileStore) Load(context.Context) (login.Password, error) {
	f, err := os.Open(s.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return login.Password{}, ErrNoToken
	case err != nil:
		return login.Password{}, err
	}
	defer f.Close() // only read: nothing to lose
	info, err := f.Stat()
	if err != nil {
		return login.Password{}, err
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return login.Password{}, fmt.Errorf("%w: %s", ErrOpenToOthers, s.Path)
	}
	data, err := io.ReadAll(io.LimitReader(f, maxToken+2))
	if err != nil {
		return login.Password{}, err
	}
	text := strings.TrimSpace(string(data))
	switch {
	case text == "":
		return login.Password{}, ErrNoToken
	case !isToken(text):
		return login.Password{}, fmt.Errorf("%s: %w", s.Path, errBadToken)
	}
	return login.NewPassword(text), nil
}

// Save implements RefreshStore.
func (s *FileStore) Save(_ context.Context, token login.Password) error {
	text := token.Reveal()
	if !isToken(text) {
		return errBadToken
	}
	path := s.Path
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	d := s.disk
	if d == nil {
		d = realDisk()
	}
	return d.replace(path, []byte(text+"\n"))
}

// disk is all writing access to files, so that tests can fail each step.
type disk struct {
	create  func(dir, pattern string) (*os.File, error)
	write   func(f *os.File, data []byte) error
	sync    func(f *os.File) error
	rename  func(from, to string) error
	syncDir func(dir string) error
}

func realDisk() *disk {
	return &disk{
		create: os.CreateTemp, // mode 0600
		write: func(f *os.File, data []byte) error {
			_, err := f.Write(data)
			return err
		},
		sync:   (*os.File).Sync,
		rename: os.Rename,
		syncDir: func(dir string) error {
			d, err := os.Open(dir)
			if err != nil {
				return err
			}
			return errors.Join(d.Sync(), d.Close())
		},
	}
}

// replace makes data the content of path: after a power cut the file has the
// old content or the new one, and when replace returned nil the new.
func (d *disk) replace(path string, data []byte) error {
	dir := filepath.Dir(path)
	tmp, err := d.create(dir, "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	if err = d.write(tmp, data); err == nil {
		err = d.sync(tmp)
	}
	err = errors.Join(err, tmp.Close())
	if err == nil {
		err = d.rename(tmp.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(tmp.Name()))
	}
	return d.syncDir(dir)
}
