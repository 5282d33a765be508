package mbox

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/mailstead/mailstead/internal/vfs"
)

// The note FILE.intent is one line: the size that the file had, a hash of its
// last octets before that, and what is written there first.
const (
	noteFormat = "mbox-intent-1 %d %x %q\n"
	noteTail   = 4 << 10 // octets that are hashed
)

func (t *Target) notePath() string { return t.Path + ".intent" }

// note writes the note and makes it durable, with the name of a file that may
// be new.
func (t *Target) note(f vfs.File, size int64, first string) error {
	if t.NoDotLock {
		return nil
	}
	sum, err := tailHash(f, size)
	if err != nil {
		return err
	}
	n, err := t.fs().OpenFile(t.notePath(), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(n, noteFormat, size, sum, first)
	if err == nil {
		err = n.Sync()
	}
	if err := errors.Join(err, n.Close()); err != nil {
		return err
	}
	return t.fs().SyncDir(t.dir())
}

// unnote takes the note away, durably: were it to come back, a message that
// was acknowledged would be cut off.
func (t *Target) unnote() error {
	if t.NoDotLock {
		return t.fs().SyncDir(t.dir())
	}
	if err := t.fs().Remove(t.notePath()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return t.fs().SyncDir(t.dir())
}

// recover cuts the file back to what a note says, where that loses nothing.
func (t *Target) recover(f vfs.File) error {
	if t.NoDotLock {
		return nil
	}
	n, err := t.fs().OpenFile(t.notePath(), os.O_RDONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	line, err := io.ReadAll(io.LimitReader(n, 4*maxFromLine))
	if err := errors.Join(err, n.Close()); err != nil {
		return err
	}
	var size int64
	var sum []byte
	var first string
	if _, err := fmt.Sscanf(string(line), noteFormat, &size, &sum, &first); err != nil {
		return t.unnote() // torn: nothing was appended yet
	}
	own, err := onlyOurs(f, size, sum, first)
	if err != nil {
		return err
	}
	if own {
		return t.cut(f, size)
	}
	return t.unnote()
}

// onlyOurs reports whether all behind size can be nothing but a part of the
// message that begins with first. Octets that the file system had not written
// yet are NUL.
func onlyOurs(f vfs.File, size int64, sum []byte, first string) (bool, error) {
	now, err := fileSize(f)
	if err != nil || size < 0 || now <= size {
		return false, err
	}
	have, err := tailHash(f, size)
	if err != nil || !bytes.Equal(have, sum) {
		return false, err
	}
	begin := make([]byte, min(now-size, int64(len(first))))
	if _, err := f.ReadAt(begin, size); err != nil && err != io.EOF {
		return false, err
	}
	for i, c := range begin {
		if c != first[i] && c != 0 {
			return false, nil
		}
	}
	size += int64(len(begin))
	found, err := anySeparator(io.NewSectionReader(f, size, now-size))
	return !found, err
}

// anySeparator looks for a separator, also behind a line that was cut off.
func anySeparator(r io.Reader) (bool, error) {
	for in := newLines(r); ; {
		line, _, err := in.read()
		if err == io.EOF {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		for i := bytes.Index(line, []byte(fromWord)); i >= 0; {
			if _, ok := parseSeparator(line[i:]); ok && (i == 0 || line[i-1] != '>') {
				return true, nil
			}
			next := bytes.Index(line[i+1:], []byte(fromWord))
			if next < 0 {
				break
			}
			i += 1 + next
		}
	}
}

// tailHash is a hash of the last octets before size.
func tailHash(f vfs.File, size int64) ([]byte, error) {
	tail := make([]byte, min(max(size, 0), noteTail))
	if _, err := f.ReadAt(tail, size-int64(len(tail))); err != nil && err != io.EOF {
		return nil, err
	}
	sum := sha256.Sum256(tail)
	return sum[:], nil
}
