package encrypt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"filippo.io/age"

	"github.com/mailstead/mailstead/store/blob"
)

// Bodies are files in the age format (c2sp.org/age). Its header names one
// recipient of a type of our own, without content: the file key stands in the
// rows that refer to the blob.
const (
	stanzaType = "mailstead"
	chunkLen   = 64 << 10 // octets of content
)

// Wrap implements age.Recipient: it learns the file key that age has chosen.
func (key *dataKey) Wrap(fileKey []byte) ([]*age.Stanza, error) {
	if copy(key[:], fileKey) != len(fileKey) || len(fileKey) != dataKeyLen {
		return nil, fmt.Errorf("encrypt: a file key of %d octets", len(fileKey))
	}
	return []*age.Stanza{{Type: stanzaType}}, nil
}

// identity gives the file key back.
type identity dataKey

// Unwrap implements age.Identity.
func (i identity) Unwrap(stanzas []*age.Stanza) ([]byte, error) {
	if len(stanzas) != 1 || stanzas[0].Type != stanzaType {
		return nil, age.ErrIncorrectIdentity
	}
	return i[:], nil
}

// headLen measures what stands in front of the first chunk: it is the same for
// every blob.
func headLen() (int64, error) {
	var b bytes.Buffer
	w, err := age.Encrypt(&b, &dataKey{})
	if err != nil {
		return 0, err
	}
	return int64(b.Len()), w.Close()
}

// ours is how an encrypted body begins.
const ours = "age-encryption.org/v1\n-> " + stanzaType + "\n"

// notOurs returns ErrNoKey for a blob that is encrypted by this package.
func notOurs(b blob.Blob) error {
	head := make([]byte, len(ours))
	n, err := b.ReadAt(head, 0)
	switch {
	case string(head[:n]) == ours:
		return ErrNoKey
	case err != nil && err != io.EOF:
		return err
	}
	return nil
}

// storedLen is the length of a body of n octets as it is stored.
func (b *Blobs) storedLen(n int64) int64 {
	if n < 0 {
		return -1
	}
	return b.head + n + tagLen*max(1, (n+chunkLen-1)/chunkLen)
}

// plainLen is the length of the content of n stored octets.
func (b *Blobs) plainLen(n int64) int64 {
	n -= b.head
	chunks := (n + chunkLen + tagLen - 1) / (chunkLen + tagLen)
	return max(0, n-chunks*tagLen)
}

// writer encrypts on the way to the store below.
type writer struct {
	below blob.Writer
	enc   io.WriteCloser
	wrap  *wrapper
	data  dataKey

	size     int64 // announced; -1 unknown
	written  int64
	key      []byte // wrapped, after Commit
	err      error  // sticky
	finished bool
}

func (w *writer) Write(p []byte) (int, error) {
	switch {
	case w.finished:
		return 0, blob.ErrClosed
	case w.err != nil:
		return 0, w.err
	case w.size >= 0 && w.written+int64(len(p)) > w.size:
		w.err = blob.ErrSize
		return 0, w.err
	}
	n, err := w.enc.Write(p)
	w.written += int64(n)
	w.err = err
	return n, err
}

// Commit implements blob.Writer.
func (w *writer) Commit(ctx context.Context) (blob.Ref, error) {
	if w.finished {
		return "", blob.ErrClosed
	}
	defer w.Abort()
	switch {
	case ctx.Err() != nil:
		return "", ctx.Err()
	case w.err != nil:
		return "", w.err
	case w.size >= 0 && w.written != w.size:
		return "", blob.ErrSize
	}
	if err := w.enc.Close(); err != nil {
		return "", err
	}
	ref, err := w.below.Commit(ctx)
	if err != nil {
		return "", err
	}
	w.key = w.wrap.wrap(w.data, ref, 0)
	return ref, nil
}

// Key implements blob.KeyedWriter: the data key, wrapped under the queue's.
func (w *writer) Key() []byte { return w.key }

// Abort implements blob.Writer.
func (w *writer) Abort() {
	w.finished = true
	w.below.Abort()
	clear(w.data[:])
}

// reader decrypts. It keeps the chunk that was read last.
type reader struct {
	below blob.Blob
	plain io.ReaderAt
	size  int64

	mu     sync.Mutex // guards what follows
	at     int64      // where chunk begins; -1 = there is none
	chunk  []byte
	closed bool
}

// newReader checks the header and the last chunk, and thereby the length.
func newReader(below blob.Blob, id age.Identity) (*reader, error) {
	plain, size, err := age.DecryptReaderAt(source{below}, below.Size(), id)
	if err != nil {
		return nil, damage(err)
	}
	return &reader{below: below, plain: plain, size: size, at: -1}, nil
}

// source marks the errors of the store below.
type source struct{ blob.Blob }

type sourceError struct{ error }

func (e sourceError) Unwrap() error { return e.error }

func (s source) ReadAt(p []byte, off int64) (int, error) {
	n, err := s.Blob.ReadAt(p, off)
	if err != nil && err != io.EOF {
		err = sourceError{err}
	}
	return n, err
}

// damage tells errors of the store below from octets that are not those that
// were written.
func damage(err error) error {
	if e, ok := errors.AsType[sourceError](err); ok {
		return e.error
	}
	return corrupt(err.Error())
}

// Size implements blob.Blob.
func (r *reader) Size() int64 { return r.size }

// ReadAt implements io.ReaderAt.
func (r *reader) ReadAt(p []byte, off int64) (n int, err error) {
	if off < 0 {
		return 0, errors.New("encrypt: negative offset")
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return 0, blob.ErrClosed
	}
	for n < len(p) && off < r.size {
		if err := r.load(off - off%chunkLen); err != nil {
			return n, err
		}
		k := copy(p[n:], r.chunk[off-r.at:])
		n, off = n+k, off+int64(k)
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// load brings the chunk at an offset into memory: age makes a buffer for each
// read, however short.
func (r *reader) load(at int64) error {
	if r.at == at {
		return nil
	}
	n := min(chunkLen, r.size-at)
	if r.chunk == nil {
		r.chunk = make([]byte, min(chunkLen, r.size))
	}
	r.at = -1
	r.chunk = r.chunk[:n]
	if k, err := r.plain.ReadAt(r.chunk, at); int64(k) != n {
		if err == nil || err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return damage(err)
	}
	r.at = at
	return nil
}

// Close implements blob.Blob.
func (r *reader) Close() error {
	r.mu.Lock()
	r.closed, r.chunk = true, nil
	r.mu.Unlock()
	return r.below.Close()
}
