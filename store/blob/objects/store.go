package objects

import (
	"context"
	"errors"
	"io"
	"iter"
	"time"
)

// Object is what is known about one object.
type Object struct {
	// Key is 1 to 900 octets: lower-case letters, digits, '.', '-' and '/'.
	// No key is the part of another one before a '/'.
	Key string

	// Size is the length in octets.
	Size int64

	// Sums are the checksums of the octets; List leaves them out.
	Sums Sums

	// Modified is when the store says that it was stored; Put ignores it.
	Modified time.Time
}

// Store is an object store: one bucket, or a part of one. All methods may be
// called from any number of goroutines. What passes by itself (overload, a lost
// connection) an implementation retries a few times, until ctx ends; its
// errors say what an operator can do.
type Store interface {
	// Put stores the o.Size octets of r under o.Key, with o.Sums as
	// metadata, and returns when they are durable. The key was never used
	// before: where it is taken by an object of the same size and checksum
	// that is this one, stored by a call whose reply was lost; otherwise
	// ErrExists. r may be read several times.
	Put(ctx context.Context, o Object, r io.ReaderAt) error

	// Get fills p with the octets from off on, which the caller knows to be
	// there. ErrNoObject; io.ErrUnexpectedEOF: the object is shorter.
	Get(ctx context.Context, key string, p []byte, off int64) error

	// Stat describes an object. ErrNoObject.
	Stat(ctx context.Context, key string) (Object, error)

	// Delete removes objects; one that is not there is not an error.
	Delete(ctx context.Context, keys ...string) error
}

// Lister is a Store that can list its objects.
type Lister interface {
	Store

	// List yields the objects whose key begins with prefix and is greater
	// than after, in ascending order of octets.
	List(ctx context.Context, prefix, after string) iter.Seq2[Object, error]
}

// Errors of a Store; tested with errors.Is.
var (
	// ErrNoObject: there is no object under this key.
	ErrNoObject = errors.New("objects: no such object")
	// ErrExists: the key of a Put is taken by another object.
	ErrExists = errors.New("objects: the key is taken by another object")
)
