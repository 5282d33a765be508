package encrypt

import (
	"context"
	"errors"

	"github.com/mailstead/mailstead/store/blob"
)

// KeyID names a master key: 1 to MaxKeyID printable ASCII octets without
// space. It stands beside everything that was encrypted, and is no secret.
type KeyID string

// MaxKeyID is the greatest length of a KeyID.
const MaxKeyID = 32

func (id KeyID) valid() bool {
	for i := range len(id) {
		if id[i] <= ' ' || id[i] > '~' {
			return false
		}
	}
	return len(id) > 0 && len(id) <= MaxKeyID
}

// KeyRing is where the master keys are, several versions of them, one of
// which is current. A KeyFile is one; a key management service is another,
// whose keys never leave it: what is asked for is a MAC, which all of them
// compute. Its methods may be called from any number of goroutines.
type KeyRing interface {
	// Current is the id of the key under which new data keys are wrapped.
	Current(ctx context.Context) (KeyID, error)

	// Index is the id of the key of the hashes by which a store finds threads
	// without knowing them. It is none of the keys that change: hashes under
	// another key match no more.
	Index(ctx context.Context) (KeyID, error)

	// Derive returns HMAC-SHA-256 of label under the key. The same question
	// has the same answer for ever, and a Store asks it once for each account
	// and version. ErrNoKey: the key is not here (any more).
	Derive(ctx context.Context, id KeyID, label string) ([32]byte, error)
}

// Errors of this package, tested with errors.Is. Damage is blob.ErrCorrupt,
// and in a row of a store also store.ErrCorrupt.
var (
	// ErrNoKey: the key with which this was encrypted is not in the KeyRing.
	// It is blob.ErrNoKey.
	ErrNoKey = blob.ErrNoKey

	// ErrPlain: this is not encrypted, and Options.AllowPlain is not set.
	ErrPlain = errors.New("encrypt: not encrypted")
)
