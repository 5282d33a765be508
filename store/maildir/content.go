package maildir

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"

	"github.com/mailstead/mailstead/internal/crlf"
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
	m := b.get(uid)
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
		info, err := f.Stat()
		var c *crlf.Reader
		if err == nil {
			c, err = crlf.NewReader(f, info.Size())
		}
		if err != nil {
			return nil, errors.Join(err, f.Close())
		}
		return &crlfContent{c, f}, nil
	}
	return &fileContent{File: f, size: m.Size}, nil
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

// crlfContent is a message of another program, with the line ends of mail.
type crlfContent struct {
	*crlf.Reader
	io.Closer
}
