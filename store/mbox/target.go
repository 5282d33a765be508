package mbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/mailstead/mailstead/internal/vfs"
)

// Target is an mbox file that takes deliveries. Its methods may be called from
// any number of goroutines; deliveries follow one another. The zero value
// needs a Path.
type Target struct {
	// Path is the file; it is made where it is missing, with mode 0600.
	Path string

	// LockTimeout is how long a delivery waits for the locks; 0 = 30 s,
	// negative = until ctx ends.
	LockTimeout time.Duration

	// StaleLock is the age at which FILE.lock is taken for left behind by a
	// program that died; 0 = 15 min, negative = never.
	StaleLock time.Duration

	// NoDotLock leaves FILE.lock out, for directories where no file can be
	// made. A crash may then leave a part of a message: there is no note
	// either.
	NoDotLock bool

	files vfs.FS     // nil = the machine's
	mu    sync.Mutex // an fcntl lock keeps no goroutine out
}

func (t *Target) fs() vfs.FS {
	if t.files == nil {
		return vfs.OS{}
	}
	return t.files
}

// Deliver appends one message, read from body to io.EOF, in MboxRD. When it
// returns nil the message survives a power cut; when it returns an error the
// file holds nothing of it, or will not once Recover or the next Deliver has
// run. ErrLocked: another program held a lock for too long. ErrSender.
func (t *Target) Deliver(ctx context.Context, sender string, date time.Time, body io.Reader) error {
	line, err := appendSeparator(nil, sender, date)
	if err != nil {
		return err
	}
	return t.locked(ctx, os.O_RDWR|os.O_CREATE, func(f vfs.File) error {
		size, err := fileSize(f)
		if err != nil {
			return err
		}
		gap, err := missingLineEnds(f, size)
		if err != nil {
			return err
		}
		if err := t.note(f, size, gap+string(line)); err != nil {
			return err
		}
		err = appendMessage(&offsetWriter{f: f, off: size}, gap, sender, date, body)
		if err == nil {
			err = t.unnote()
		}
		if err != nil {
			return errors.Join(err, t.cut(f, size))
		}
		return nil
	})
}

// Recover takes away what a crash left of a delivery. Deliver does it too.
func (t *Target) Recover(ctx context.Context) error {
	err := t.locked(ctx, os.O_RDWR, func(vfs.File) error { return nil })
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// locked opens and recovers the file under both locks.
func (t *Target) locked(ctx context.Context, flag int, work func(vfs.File) error) (err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	timeout := t.LockTimeout
	if timeout == 0 {
		timeout = 30 * time.Second
	}
	caller := ctx
	if timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, timeout, ErrLocked)
		defer cancel()
	}
	unlock, err := t.dotLock(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	f, err := t.fs().OpenFile(t.Path, flag, 0o600)
	if err != nil {
		return err
	}
	defer f.Close() // ends the fcntl lock
	if err := lockFile(ctx, f); err != nil {
		return err
	}
	if caller.Err() != nil { // a lock came too late: who gave up delivers again
		return context.Cause(caller)
	}
	if err := t.recover(f); err != nil {
		return err
	}
	return work(f)
}

func fileSize(f vfs.File) (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// appendMessage writes a message and makes it durable.
func appendMessage(out *offsetWriter, gap, sender string, date time.Time, body io.Reader) error {
	if gap != "" {
		if _, err := io.WriteString(out, gap); err != nil {
			return err
		}
	}
	w := NewWriter(out)
	m, err := w.Create(sender, date)
	if err != nil {
		return err
	}
	if _, err := io.Copy(m, body); err != nil {
		return fmt.Errorf("mbox: reading the message: %w", err)
	}
	if err := w.Close(); err != nil {
		return err
	}
	return out.f.Sync()
}

// missingLineEnds is what a file of this size needs before a separator.
func missingLineEnds(f vfs.File, size int64) (string, error) {
	end := make([]byte, min(size, 3))
	if _, err := f.ReadAt(end, size-int64(len(end))); err != nil && err != io.EOF {
		return "", err
	}
	switch s := string(end); {
	case s == "" || len(s) > 1 && s[len(s)-2:] == "\n\n" || s == "\n\r\n" || s == "\n":
		return "", nil
	case s[len(s)-1] == '\n':
		return "\n", nil
	}
	return "\n\n", nil
}

// offsetWriter writes a file from an offset on.
type offsetWriter struct {
	f   vfs.File
	off int64
}

func (w *offsetWriter) Write(p []byte) (int, error) {
	n, err := w.f.WriteAt(p, w.off)
	w.off += int64(n)
	return n, err
}

// cut takes back what was appended, and then the note. Where that fails the
// note stays, and the next delivery does it.
func (t *Target) cut(f vfs.File, size int64) error {
	if err := f.Truncate(size); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	return t.unnote()
}

func (t *Target) dir() string { return filepath.Dir(t.Path) }
