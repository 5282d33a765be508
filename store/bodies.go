package store

import (
	"context"
	"errors"
	"io"

	"github.com/mailstead/mailstead/store/blob"
)

// NewContent reads prefix and then b as one; closing it closes b. prefix is
// not copied.
func NewContent(prefix []byte, b blob.Blob) Content {
	if len(prefix) == 0 {
		return b
	}
	return &prefixed{Blob: b, prefix: prefix}
}

type prefixed struct {
	blob.Blob
	prefix []byte
}

// Size is that of both.
func (c *prefixed) Size() int64 { return int64(len(c.prefix)) + c.Blob.Size() }

// ReadAt implements io.ReaderAt over the border between the two.
func (c *prefixed) ReadAt(p []byte, off int64) (n int, err error) {
	if off < 0 {
		return 0, errors.New("store: negative offset")
	}
	border := int64(len(c.prefix))
	if off < border {
		if n = copy(p, c.prefix[off:]); n == len(p) {
			return n, nil
		}
	}
	k, err := c.Blob.ReadAt(p[n:], off+int64(n)-border)
	if n += k; n == len(p) && err == io.EOF {
		err = nil
	}
	return n, err
}

// CheckBlobs looks for every blob that c refers to, so that no message is made
// whose body is not there (I11), or that its Key does not open. ErrNoBlob,
// blob.ErrNoKey.
func (c Change) CheckBlobs(ctx context.Context, b blob.Blobs) error {
	for _, op := range c.Ops {
		var m Append
		switch op := op.(type) {
		case Append:
			m = op
		case Import:
			if !op.Gone {
				m = op.Append
			}
		}
		if m.Blob == "" {
			continue
		}
		_, err := blob.StatKeyed(ctx, b, m.Blob, m.Key)
		if errors.Is(err, blob.ErrNoBlob) {
			return errors.Join(ErrNoBlob, err)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
