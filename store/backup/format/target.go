package format

import (
	"context"
	"io"
	"iter"
	"strings"
)

// Target is where an archive lies: a directory, or a bucket of an object
// store. Names have the form that CheckName describes. All methods may be
// called from any number of goroutines.
type Target interface {
	// Create starts an object. It is there, whole and on stable storage, when
	// Commit returns nil, in place of an earlier one of that name; until then
	// nobody sees it.
	Create(ctx context.Context, name string) (Writer, error)

	// Open opens an object. fs.ErrNotExist.
	Open(ctx context.Context, name string) (Reader, error)

	// List yields the objects whose names begin with prefix, in order of
	// name. prefix is "" or ends in "/".
	List(ctx context.Context, prefix string) iter.Seq2[Info, error]

	// Remove removes an object, durable when it returns; that there is none
	// of that name is no error.
	Remove(ctx context.Context, name string) error

	// Lock keeps other writers away until the Closer is closed.
	// store.ErrInUse. A target that cannot lock returns a Closer that does
	// nothing, and its owner sees to it that there is one writer.
	Lock(ctx context.Context) (io.Closer, error)
}

// Writer receives an object. Exactly one of Commit and Abort ends it; Abort
// after Commit does nothing.
type Writer interface {
	io.Writer
	Commit(ctx context.Context) error
	Abort()
}

// Reader is an open object. ReadAt may be called from several goroutines.
type Reader interface {
	io.ReaderAt
	io.Closer
	Size() int64
}

// Info describes an object in a listing.
type Info struct {
	Name string
	Size int64
}

// maxName bounds the name of an object.
const maxName = 200

// CheckName refuses what no object of an archive is called: a name has one to
// three levels of lower-case letters, digits, "-" and ".", separated by "/",
// and none begins with ".". ErrName. A Target that checks names so cannot be
// led elsewhere by an archive.
func CheckName(name string) error {
	levels := strings.Split(name, "/")
	if len(name) > maxName || len(levels) > 3 {
		return ErrName
	}
	for _, l := range levels {
		if l == "" || l[0] == '.' || strings.Trim(l, "abcdefghijklmnopqrstuvwxyz0123456789-.") != "" {
			return ErrName
		}
	}
	return nil
}
