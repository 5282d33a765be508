package maildir

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"

	"github.com/mailstead/mailstead/internal/vfs"
	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/blob"
)

// Content implements store.Account. An open file stays readable whatever
// happens to its name; on NFS the client keeps it (".nfs" files).
func (a *account) Content(ctx context.Context, id store.MailboxID, uid store.UID) (store.Content, error) {
	c, err := a.content(ctx, id, uid)
	if err != nil {
		return nil, &store.Error{Op: "content", Account: a.id, Mailbox: id.String(), Err: err}
	}
	return c, nil
}

func (a *account) content(ctx context.Context, id store.MailboxID, uid store.UID) (store.Content, error) {
	st, err := a.look(ctx)
	if err != nil {
		return nil, err
	}
	b := st.boxes[id]
	if b == nil {
		return nil, store.ErrNoMailbox
	}
	m := b.msgs[uid]
	switch {
	case m == nil && (uid == 0 || uid >= b.UIDNext):
		return nil, store.ErrNoMessage
	case m == nil:
		return nil, store.ErrExpunged
	case m.Gone:
		return a.expunged(ctx, m)
	}
	return a.openFile(b, m)
}

// expunged reads what KeepBlobs has kept.
func (a *account) expunged(ctx context.Context, m *message) (store.Content, error) {
	if m.ref == "" {
		return nil, store.ErrExpunged
	}
	body, err := blob.OpenKeyed(ctx, a.s.blobs, m.ref, m.Key)
	if errors.Is(err, blob.ErrNoBlob) {
		return nil, store.ErrExpunged
	}
	if err != nil {
		return nil, err
	}
	return store.NewContent(m.prefix, body), nil
}

func (a *account) openFile(b *box, m *message) (store.Content, error) {
	f, err := a.s.fs.OpenFile(a.filePath(b, m), os.O_RDONLY, 0)
	if errors.Is(err, fs.ErrNotExist) { // another program, or a later change, renamed it
		a.mu.Lock()
		path, ferr := a.find(b, m)
		a.mu.Unlock()
		if ferr != nil {
			return nil, ferr
		}
		f, err = a.s.fs.OpenFile(path, os.O_RDONLY, 0)
	}
	if err != nil {
		return nil, err
	}
	if m.lf {
		c, err := crlf(f)
		if err = errors.Join(err, f.Close()); err != nil {
			return nil, err
		}
		return memContent{c}, nil
	}
	return &fileContent{File: f, size: m.Size}, nil
}

type sized interface {
	io.ReaderAt
	Size() int64
}

// fileContent is a message as its file has it.
type fileContent struct {
	vfs.File
	size int64
}

// Size implements store.Content.
func (c *fileContent) Size() int64 { return c.size }

// ReadAt implements store.Content.
func (c *fileContent) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, errors.New("maildir: negative offset")
	}
	return c.File.ReadAt(p, off)
}

type memContent struct{ *bytes.Reader }

// Close implements store.Content.
func (memContent) Close() error { return nil }

// bareLF reports whether a line ends in LF alone.
func bareLF(r io.Reader) (bool, error) {
	in := bufio.NewReaderSize(r, 32<<10)
	cr := false
	for {
		p, err := in.ReadSlice('\n')
		if n := len(p); n > 0 && p[n-1] == '\n' {
			if n == 1 && !cr || n > 1 && p[n-2] != '\r' {
				return true, nil
			}
		}
		cr = len(p) > 0 && p[len(p)-1] == '\r'
		if err == io.EOF {
			return false, nil
		}
		if err != nil && err != bufio.ErrBufferFull {
			return false, err
		}
	}
}

// crlf reads r to its end and turns each LF alone into CRLF.
func crlf(r io.Reader) (*bytes.Reader, error) {
	raw, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	out := make([]byte, 0, len(raw)+len(raw)/32)
	for i, c := range raw {
		if c == '\n' && (i == 0 || raw[i-1] != '\r') {
			out = append(out, '\r')
		}
		out = append(out, c)
	}
	return bytes.NewReader(out), nil
}
