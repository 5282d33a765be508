package login

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// All file access of the package stands here.

// maxFile bounds a password file in octets: about half a million users.
const maxFile = 64 << 20

// settled is how much older than its reading a file must be for its time to
// prove that nothing changed since: file systems keep times in steps of up to
// two seconds, and two changes may fall into one step.
const settled = 2 * time.Second

var errFileSize = fmt.Errorf("login: password file larger than %d octets", maxFile)

// fileState says which incarnation of a file was looked at, and when.
type fileState struct {
	info fs.FileInfo
	at   time.Time
}

// covers reports whether what was read at s is what the file holds at now.
func (s fileState) covers(now fileState) bool {
	return os.SameFile(s.info, now.info) && s.info.Size() == now.info.Size() &&
		s.info.ModTime().Equal(now.info.ModTime()) && s.at.Sub(s.info.ModTime()) >= settled
}

func statFile(path string) (fileState, error) {
	now := time.Now()
	info, err := os.Stat(path)
	return fileState{info, now}, err
}

// readFile returns the octets and the state from before they were read.
func readFile(path string) (_ []byte, s fileState, err error) {
	f, err := os.Open(path)
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
func replaceFile(path string, data []byte) error {
	if len(data) > maxFile {
		return errFileSize
	}
	dir := filepath.Dir(path)
	tmp, err := os.CreateTemp(dir, "."+filepath.Base(path)+".*") // mode 0600
	if err != nil {
		return err
	}
	_, err = tmp.Write(data)
	err = errors.Join(err, tmp.Sync())
	err = errors.Join(err, tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(tmp.Name()))
	}
	return syncDir(dir)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
