package filetree

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/mailstead/mailstead/deliver/migrate"
	"github.com/mailstead/mailstead/internal/crlf"
	"github.com/mailstead/mailstead/internal/vfs"
)

// Message is a file that holds one message, with CRLF line ends.
type Message struct {
	crlf.Content
	f vfs.File
}

// OpenMessage opens a file. migrate.ErrBroken: it is none.
func OpenMessage(files vfs.FS, path string) (*Message, error) {
	f, err := files.OpenFile(path, os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%w: %s is no file", migrate.ErrBroken, path)
	}
	m := &Message{f: f}
	if err == nil {
		m.Content, _, err = crlf.Wire(f, info.Size())
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return m, nil
}

// Close closes the file.
func (m *Message) Close() error { return m.f.Close() }

// Reader reads the message.
func (m *Message) Reader() io.Reader { return io.NewSectionReader(m, 0, m.Size()) }

// Print fills x.Size and x.Print, and x.Received where it is zero.
func (m *Message) Print(x *migrate.Message) error {
	head, err := migrate.ReadHeader(m.Reader())
	if err != nil {
		return err
	}
	if x.Received.IsZero() {
		x.Received = migrate.DateOf(head)
	}
	x.Size = m.Size()
	x.Print = migrate.MakePrint(head, x.Size, x.Received)
	return nil
}

// Unreadable is the error of one message: what the disk cannot read will not be
// read by trying again.
func Unreadable(err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w: %w", migrate.ErrGone, err)
	case errors.Is(err, fs.ErrPermission), errors.Is(err, migrate.ErrBroken):
		return Answer(err)
	}
	return fmt.Errorf("%w: %w", migrate.ErrBroken, err)
}

// settledAfter is how old a change must be so that a further one shows in the time
// of a file or directory.
const settledAfter = 2 * time.Second

// State is a migrate.Mailbox.State made of the times and sizes of files and
// directories; "" = they are too new to tell, or cannot be read. Those that are not
// there do not count, apart from the first.
func State(files vfs.FS, paths ...string) string {
	var b strings.Builder
	for i, path := range paths {
		info, err := files.Stat(path)
		switch {
		case errors.Is(err, fs.ErrNotExist) && i > 0:
			continue
		case err != nil, time.Since(info.ModTime()) < settledAfter:
			return ""
		}
		size := info.Size()
		if info.IsDir() {
			size = 0
		}
		fmt.Fprintf(&b, "%d:%d.%d/", i, info.ModTime().UnixNano(), size)
	}
	return b.String()
}
