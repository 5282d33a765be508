package blob

import (
	"context"
	"errors"
	"io"
	"iter"
	"time"
)

// Ref names one committed blob for ever. It is opaque to everyone but the
// Blobs that made it: printable ASCII, at most 128 octets, compared with ==.
// The zero Ref names nothing.
//
// A Ref is never reused for other bytes (invariant I1).
type Ref string

// Blobs keeps immutable sequences of octets. All methods may be called from
// any number of goroutines.
type Blobs interface {
	// Create starts a blob. size is its length in octets, or -1 where it is
	// not known yet; a Writer that receives more or fewer octets than
	// announced fails its Commit with ErrSize.
	Create(ctx context.Context, size int64) (Writer, error)

	// Open returns the blob. ErrNoBlob: never committed, or collected.
	// ErrCorrupt: the stored octets do not match their checksum.
	Open(ctx context.Context, ref Ref) (Blob, error)

	// Delete removes blobs; a Ref that is not there is not an error. Only a
	// Collector calls it (see "Blob life" in the package comment). An open
	// Blob stays readable until it is closed.
	Delete(ctx context.Context, refs ...Ref) error

	// List yields every blob with a Ref greater than after, in Ref order;
	// the zero Ref starts at the beginning. Blobs committed or deleted while
	// the sequence runs may or may not be seen. No lock is held while the
	// loop body runs.
	List(ctx context.Context, after Ref) iter.Seq2[Info, error]
}

// Writer receives the octets of one new blob. It is used by one goroutine.
// Exactly one of Commit and Abort ends it; Abort after Commit does nothing,
// so `defer w.Abort()` is the usual form.
type Writer interface {
	io.Writer

	// Commit makes the blob durable and returns its Ref: when Commit returns
	// nil, the blob survives a power cut. Once the octets were handed to the
	// engine, a cancelled ctx no longer cancels: Commit returns the outcome.
	Commit(ctx context.Context) (Ref, error)

	// Abort gives up the blob and frees what it holds. Idempotent.
	Abort()
}

// Blob is one open blob. ReadAt may be called from several goroutines.
type Blob interface {
	io.ReaderAt
	io.Closer

	// Size is the length in octets.
	Size() int64
}

// Info describes one blob in a listing.
type Info struct {
	Ref Ref

	// Size is the number of octets, or of those that are stored where a
	// wrapper makes them fewer and could tell only by reading.
	Size int64

	// Created is when the engine took the octets for commit, rounded up to
	// the second: never earlier than the true time, so that a Collector errs
	// on the side of keeping.
	Created time.Time
}

// Holder knows blobs that must not be collected.
type Holder interface {
	// Holds returns those of refs that it holds now, or released less than
	// the collector's MinAge ago. An error means "unknown": nothing of refs
	// may be collected then.
	Holds(ctx context.Context, refs []Ref) ([]Ref, error)
}

// Errors of Blobs; tested with errors.Is.
var (
	// ErrNoBlob: the Ref was never committed here, or was collected.
	ErrNoBlob = errors.New("blob: no such blob")
	// ErrCorrupt: the stored octets do not match their checksum.
	ErrCorrupt = errors.New("blob: stored octets do not match their checksum")
	// ErrSize: the Writer received another number of octets than announced.
	ErrSize = errors.New("blob: octets written differ from the announced size")
	// ErrClosed: the Blobs (or the Writer) was closed.
	ErrClosed = errors.New("blob: closed")
	// ErrPoisoned: an earlier fsync failed, so nothing more is acknowledged
	// until the process opens the directory again.
	ErrPoisoned = errors.New("blob: an earlier sync failed; reopen to go on")
	// ErrInUse: another process owns the directory.
	ErrInUse = errors.New("blob: directory in use by another process")
	// ErrVersion: written by a newer version of this package.
	ErrVersion = errors.New("blob: format of a newer version")
)

// Stored says that a body already lies in a blob store: what smtp.Body.Stored
// carries. A receiver on the same Blobs takes the Ref and copies nothing.
type Stored struct {
	In  Blobs
	Ref Ref
	Key []byte // see Keyed; nil = none
}
