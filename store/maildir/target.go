package maildir

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/mailstead/mailstead/internal/maildirfmt"
	"github.com/mailstead/mailstead/internal/vfs"
)

// Target is one Maildir that takes deliveries from this process, among other
// programs that deliver, read and change: a mailbox of the system, without a store.
// Its methods may be called from any number of goroutines. The zero value needs a
// Path.
//
// A crash leaves a file in tmp/, which no program shows, or the whole message.
type Target struct {
	// Path is the directory with cur/, new/ and tmp/; they are made where they are
	// missing, with mode 0700.
	Path string

	once  sync.Once
	files vfs.FS // nil = the machine's
	names *namer
}

func (t *Target) init() {
	t.once.Do(func() {
		if t.names = newNamer(); t.files == nil {
			t.files = vfs.OS{}
		}
	})
}

// Deliver puts one message, read from body to io.EOF, into new/. When it returns
// nil the message survives a power cut; when it returns an error nothing of it
// is in new/, unless its name could not be made durable and could not be taken back.
func (t *Target) Deliver(ctx context.Context, body io.Reader) error {
	t.init()
	f, name, err := t.create()
	if err != nil {
		return err
	}
	tmp := filepath.Join(t.Path, "tmp", name)
	n := &maildirfmt.Size{}
	_, err = io.Copy(io.MultiWriter(f, n), body)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close(), ctx.Err()); err == nil {
		err = t.publish(tmp, t.names.name(n.File, n.Wire))
	}
	_ = t.files.Remove(tmp) // what stays there is removed by who cleans tmp/
	return err
}

// create makes a file in tmp/, and the directories first where they are missing.
func (t *Target) create() (vfs.File, string, error) {
	name := t.names.name(0, 0)
	path := filepath.Join(t.Path, "tmp", name)
	f, err := t.files.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrNotExist) {
		for _, sub := range []string{"new", "cur", "tmp"} { // tmp last: who finds it finds the others
			if err := t.files.MkdirAll(filepath.Join(t.Path, sub), 0o700); err != nil {
				return nil, "", err
			}
		}
		f, err = t.files.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	}
	return f, name, err
}

// publish links a whole file into new/, and makes its name durable.
func (t *Target) publish(tmp, name string) error {
	dir := filepath.Join(t.Path, "new")
	path := filepath.Join(dir, name)
	if err := t.files.Link(tmp, path); err != nil {
		return err
	}
	if err := t.files.SyncDir(dir); err != nil {
		return errors.Join(err, t.files.Remove(path))
	}
	return nil
}
