package store

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"slices"

	"github.com/mailstead/mailstead/internal/mime"
)

// threadKeys are the hashes of what a message is called and answers to: its
// own id, In-Reply-To, then References from the nearest ancestor on, at most
// MaxThreadKeys without duplicates.
func threadKeys(e *mime.Envelope) []uint64 {
	var keys []uint64
	add := func(h uint64) {
		if len(keys) < MaxThreadKeys && !slices.Contains(keys, h) {
			keys = append(keys, h)
		}
	}
	for id := range mime.MessageIDs(e.MessageID) {
		add(hash(id))
		break
	}
	for id := range mime.MessageIDs(e.InReplyTo) {
		add(hash(id))
	}
	var refs []uint64
	for id := range mime.MessageIDs(e.References) {
		if len(refs) == 2*MaxThreadKeys { // the last ones are the nearest
			refs = append(refs[:0], refs[MaxThreadKeys:]...)
		}
		refs = append(refs, hash(id))
	}
	for _, h := range slices.Backward(refs) {
		add(h)
	}
	return keys
}

// hashSubject is the hash of a base subject without regard to case (RFC 5256
// §2.1).
func hashSubject(base []byte) uint64 { return hash(bytes.ToUpper(base)) }

// hash is the start of SHA-256: the same in every process and version, and
// nobody finds an id that has the hash of a given one.
func hash(b []byte) uint64 {
	sum := sha256.Sum256(b)
	return binary.BigEndian.Uint64(sum[:8])
}
