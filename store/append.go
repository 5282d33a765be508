package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/mailstead/mailstead/store/blob"
)

// NewMessage is a message on its way into a mailbox.
type NewMessage struct {
	Mailbox  MailboxID
	Flags    Flags
	Keywords []string
	Received time.Time // zero = now

	// Blob is the body, where it already lies in a blob store; From is that
	// store, nil = the Store's own. A body that lies elsewhere is copied. Key
	// opens it, see blob.Keyed; nil = none.
	Blob blob.Ref
	From blob.Blobs
	Key  []byte

	// Body is read to io.EOF when Blob is zero; BodySize is its length or -1.
	Body     io.Reader
	BodySize int64

	Prefix      []byte
	IgnoreQuota bool
}

// PrepareAppend makes the Op that adds m: it stores the body where it is not
// stored yet, and describes it. Every writer comes through here, so that Meta
// and threads are the same however a message arrived. The Op must be applied
// soon: until then only the store's grace period keeps the blob. ErrTemporary:
// the body could not be stored, on a full disk for instance; nothing of it is
// kept, and a later attempt may succeed.
func PrepareAppend(ctx context.Context, s Store, m NewMessage) (Append, error) {
	ref, key, err := ownBlob(ctx, s.Blobs(), m)
	if err != nil {
		return Append{}, err
	}
	b, err := blob.OpenKeyed(ctx, s.Blobs(), ref, key)
	if err != nil {
		return Append{}, err
	}
	defer b.Close()
	d, err := Describe(b, b.Size())
	if err != nil {
		return Append{}, err
	}
	return Append{
		Mailbox: m.Mailbox, EmailID: NewEmailID(), Flags: m.Flags, Keywords: m.Keywords,
		Received: m.Received, Blob: ref, Key: key, Size: b.Size(), Prefix: m.Prefix, Meta: d.Meta,
		ThreadKeys: d.ThreadKeys, SubjectHash: d.SubjectHash, IgnoreQuota: m.IgnoreQuota,
	}, nil
}

// AppendMessage stores, describes and applies one message. once is the
// Change's idempotency key, "" = none.
func AppendMessage(ctx context.Context, s Store, a Account, once string, m NewMessage) (Result, error) {
	op, err := PrepareAppend(ctx, s, m)
	if err != nil {
		return Result{}, err
	}
	return a.Apply(ctx, Change{Once: once, Ops: []Op{op}})
}

// ownBlob returns a Ref in dst for the body of m, and its key.
func ownBlob(ctx context.Context, dst blob.Blobs, m NewMessage) (blob.Ref, []byte, error) {
	if m.Blob == "" {
		return writeBlob(ctx, dst, m.Body, m.BodySize)
	}
	if m.From == nil || m.From == dst {
		return m.Blob, m.Key, nil
	}
	src, err := blob.OpenKeyed(ctx, m.From, m.Blob, m.Key)
	if err != nil {
		return "", nil, err
	}
	defer src.Close()
	return writeBlob(ctx, dst, io.NewSectionReader(src, 0, src.Size()), src.Size())
}

// writeBlob stores what r reads, and returns the Ref and the key of an encrypted
// blob. An error of r is returned as it is, one of the blobs (a full disk, a
// failed sync) is ErrTemporary too.
func writeBlob(ctx context.Context, dst blob.Blobs, r io.Reader, size int64) (blob.Ref, []byte, error) {
	if r == nil {
		return "", nil, errors.New("store: message without a body")
	}
	w, err := dst.Create(ctx, size)
	if err != nil {
		return "", nil, unstored(ctx, err)
	}
	defer w.Abort()
	sink := &failing{w: w}
	buf := copyBuffers.Get().(*[copyBuffer]byte)
	_, err = io.CopyBuffer(sink, r, buf[:])
	copyBuffers.Put(buf)
	if err != nil {
		if sink.err == nil {
			return "", nil, err
		}
		return "", nil, unstored(ctx, err)
	}
	ref, err := w.Commit(ctx)
	if err != nil {
		return "", nil, unstored(ctx, err)
	}
	return ref, blob.KeyOf(w), nil
}

// copyBuffer is what a message on its way into the blobs takes of memory.
const copyBuffer = 32 << 10

var copyBuffers = sync.Pool{New: func() any { return new([copyBuffer]byte) }}

// unstored is the error of a blob that could not be written.
func unstored(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil || errors.Is(err, blob.ErrSize):
		return err
	case errors.Is(err, blob.ErrClosed):
		return &Error{Op: "store body", Err: fmt.Errorf("%w: %w", ErrClosed, err)}
	case errors.Is(err, ErrTemporary):
		return err
	}
	return &Error{Op: "store body", Err: fmt.Errorf("%w: %w", ErrTemporary, err)}
}

// failing remembers that it was the writer that failed.
type failing struct {
	w   io.Writer
	err error
}

func (f *failing) Write(p []byte) (n int, err error) {
	n, f.err = f.w.Write(p)
	return n, f.err
}
