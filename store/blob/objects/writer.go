package objects

import (
	"context"

	"github.com/mailstead/mailstead/store/blob"
)

// Writer is a blob.Writer that keeps a body until its end, and then hands it
// over as a whole, with its size and its checksums.
type Writer struct {
	spool  *Spool
	size   int64 // announced; -1 unknown
	commit func(context.Context, *Spool) (blob.Ref, error)
	err    error // what Commit will say
	done   bool
}

var _ blob.Writer = (*Writer)(nil)

// NewWriter returns a Writer for a body of size octets, -1 = unknown. commit
// is called once at most, by Commit, and must not keep the Spool.
func (s *Spools) NewWriter(size int64, commit func(context.Context, *Spool) (blob.Ref, error)) *Writer {
	return &Writer{spool: &Spool{from: s}, size: size, commit: commit}
}

// Write implements io.Writer.
func (w *Writer) Write(p []byte) (int, error) {
	switch {
	case w.done:
		return 0, blob.ErrClosed
	case w.err != nil:
		return 0, w.err
	case w.size >= 0 && w.spool.size+int64(len(p)) > w.size:
		w.err = blob.ErrSize
	default:
		w.err = w.spool.write(p)
	}
	if w.err != nil {
		return 0, w.err
	}
	return len(p), nil
}

// Commit implements blob.Writer.
func (w *Writer) Commit(ctx context.Context) (blob.Ref, error) {
	if w.done {
		return "", blob.ErrClosed
	}
	defer w.Abort()
	if err := ctx.Err(); err != nil {
		return "", err
	}
	if w.err == nil && w.size >= 0 && w.spool.size != w.size {
		w.err = blob.ErrSize
	}
	if w.err != nil {
		return "", w.err
	}
	return w.commit(ctx, w.spool)
}

// Abort implements blob.Writer.
func (w *Writer) Abort() {
	if !w.done {
		w.done = true
		w.spool.close()
	}
}
