package encrypt

import (
	"context"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"sync"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/mailstead/mailstead/store/blob"
)

// A data key is the file key of one blob in the age format.
const dataKeyLen = 16

type dataKey [dataKeyLen]byte

// The form of a wrapped data key: what blob.KeyOf returns, and the start of
// Message.Key in the store below.
//
//	1 octet   version, 1
//	1 octet   flags: isPlain
//	string    scope: the account, "" = the queue
//	string    id of the master key
//	24 octets nonce
//	32 octets the data key, XChaCha20-Poly1305 under the key of the scope;
//	          associated data: keyContext, all the octets before the nonce, the Ref
//
// A string is its length in one octet and its octets.
const (
	keyVersion = 1
	isPlain    = 1 << 0 // the body is not encrypted; the key is the row's alone

	nonceLen = chacha20poly1305.NonceSizeX
	tagLen   = chacha20poly1305.Overhead
	keyTail  = nonceLen + dataKeyLen + tagLen
	maxScope = 255
)

// Labels of keys and contexts of ciphertexts: none is the start of another.
const (
	labelQueue   = "mailstead/1/wrap/queue"
	labelAccount = "mailstead/1/wrap/account/"
	labelEntry   = "mailstead/1/entry/account/"
	labelThread  = "mailstead/1/thread/account/"

	keyContext    = "mailstead/1/key"
	rowInfo       = "mailstead/1/row"
	prefixContext = "mailstead/1/prefix"
	metaContext   = "mailstead/1/meta"
	entryContext  = "mailstead/1/entry"
)

func corrupt(what string) error { return fmt.Errorf("%w: encrypt: %s", blob.ErrCorrupt, what) }

// keys derives keys, and keeps what it derived.
type keys struct {
	ring KeyRing

	mu    sync.Mutex // guards known
	known map[question][32]byte
}

type question struct {
	id    KeyID
	label string
}

// maxKnown bounds what keys keeps: 2 MiB or so.
const maxKnown = 20_000

// derive asks the ring, once. The lock is not held meanwhile.
func (k *keys) derive(ctx context.Context, id KeyID, label string) ([32]byte, error) {
	q := question{id, label}
	k.mu.Lock()
	key, ok := k.known[q]
	k.mu.Unlock()
	if ok {
		return key, nil
	}
	key, err := k.ring.Derive(ctx, id, label)
	if err != nil {
		return key, fmt.Errorf("encrypt: key %q: %w", id, err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.known == nil || len(k.known) >= maxKnown {
		k.known = make(map[question][32]byte)
	}
	k.known[q] = key
	return key, nil
}

func (k *keys) aead(ctx context.Context, id KeyID, label string) (cipher.AEAD, error) {
	key, err := k.derive(ctx, id, label)
	if err != nil {
		return nil, err
	}
	return chacha20poly1305.NewX(key[:])
}

// scopeLabel is the label of the key that wraps the data keys of a scope.
func scopeLabel(scope string) string {
	if scope == "" {
		return labelQueue
	}
	return labelAccount + scope
}

// wrapper wraps data keys for one scope under the current key.
type wrapper struct {
	scope string
	id    KeyID
	aead  cipher.AEAD
}

func (k *keys) wrapper(ctx context.Context, scope string) (*wrapper, error) {
	id, err := k.ring.Current(ctx)
	if err != nil {
		return nil, fmt.Errorf("encrypt: current key: %w", err)
	}
	if !id.valid() || len(scope) > maxScope {
		return nil, fmt.Errorf("encrypt: key id %q or account %q is too long or not allowed", id, scope)
	}
	aead, err := k.aead(ctx, id, scopeLabel(scope))
	return &wrapper{scope, id, aead}, err
}

// wrap returns the wrapped form of a data key, with room for more behind it.
func (w *wrapper) wrap(key dataKey, ref blob.Ref, flags byte) []byte {
	head := 4 + len(w.scope) + len(w.id)
	b := make([]byte, 0, head+keyTail+nonceLen+tagLen)
	b = append(b, keyVersion, flags, byte(len(w.scope)))
	b = append(b, w.scope...)
	b = append(b, byte(len(w.id)))
	b = append(b, w.id...)
	b = b[:head+nonceLen]
	rand.Read(b[head:])
	return w.aead.Seal(b, b[head:], key[:], keyData(b[:head], ref))
}

// keyData is the associated data of a wrapped key.
func keyData(head []byte, ref blob.Ref) []byte {
	ad := make([]byte, 0, len(keyContext)+len(head)+len(ref))
	ad = append(append(ad, keyContext...), head...)
	return append(ad, ref...)
}

// wrapped is a wrapped data key. Its octets are those that it was read from.
type wrapped struct {
	flags byte
	scope string
	id    KeyID
	head  []byte
	nonce []byte
	box   []byte
	size  int // octets in all
}

// consumeKey reads a wrapped data key off b. blob.ErrCorrupt, blob.ErrVersion.
func consumeKey(b []byte) (w wrapped, err error) {
	if len(b) < 2 {
		return w, corrupt("a key of no length")
	}
	if b[0] > keyVersion {
		return w, fmt.Errorf("%w: encrypt: key of version %d", blob.ErrVersion, b[0])
	}
	rest := b[2:]
	scope, rest, ok := consumeString(rest)
	id, rest, ok2 := consumeString(rest)
	if b[0] != keyVersion || b[1]&^isPlain != 0 || !ok || !ok2 || len(rest) < keyTail || !KeyID(id).valid() {
		return w, corrupt("a key that nobody writes")
	}
	head := b[:len(b)-len(rest)]
	return wrapped{
		flags: b[1], scope: string(scope), id: KeyID(id), head: head,
		nonce: rest[:nonceLen], box: rest[nonceLen:keyTail], size: len(head) + keyTail,
	}, nil
}

func consumeString(b []byte) (s, rest []byte, ok bool) {
	if len(b) == 0 || len(b) < 1+int(b[0]) {
		return nil, nil, false
	}
	n := 1 + int(b[0])
	return b[1:n], b[n:], true
}

// unwrap returns the data key of the blob ref. ErrNoKey; blob.ErrCorrupt: it
// is damaged, or belongs to another blob.
func (k *keys) unwrap(ctx context.Context, w *wrapped, ref blob.Ref) (key dataKey, err error) {
	aead, err := k.aead(ctx, w.id, scopeLabel(w.scope))
	if err != nil {
		return key, err
	}
	if _, err := aead.Open(key[:0], w.nonce, w.box, keyData(w.head, ref)); err != nil {
		return key, corrupt("the key is damaged, or that of another blob")
	}
	return key, nil
}

// row returns the AEAD of what stands beside the blob of a data key.
func (key *dataKey) row() (cipher.AEAD, error) {
	sub, err := hkdf.Key(sha256.New, key[:], nil, rowInfo, chacha20poly1305.KeySize)
	if err != nil {
		return nil, err
	}
	return chacha20poly1305.NewX(sub)
}

// KeyIDOf returns the id of the master key under which a key of a blob is
// wrapped: blob.KeyOf, store.Message.Key, queue.Job.Key.
func KeyIDOf(key []byte) (KeyID, error) {
	w, err := consumeKey(key)
	return w.id, err
}
