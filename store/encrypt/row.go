package encrypt

import (
	"context"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/blob"
)

// A row of the store below:
//
//	Key     the wrapped data key, see keys.go; where there is a Prefix then
//	        24 octets nonce and 16 octets tag of it
//	Prefix  encrypted, as long as it is
//	Meta    its first octet, the version, as it is; 24 octets nonce; the rest
//	        encrypted, with its tag
//
// both XChaCha20-Poly1305 under a key made of the data key. Their associated
// data is the context, the account, the EmailID and the Ref; of Meta also the
// version.

// rowID is what does not change of a message.
type rowID struct {
	account store.AccountID
	email   store.EmailID
	ref     blob.Ref
}

func (id *rowID) data(context string, version []byte) []byte {
	b := make([]byte, 0, len(context)+len(version)+1+len(id.account)+len(id.email)+len(id.ref))
	b = append(append(b, context...), version...)
	b = append(b, byte(len(id.account)))
	b = append(b, id.account...)
	b = append(b, id.email[:]...)
	return append(b, id.ref...)
}

// sealPrefix encrypts in place of a copy; seal is what has to be kept beside.
func (id *rowID) sealPrefix(aead cipher.AEAD, prefix []byte) (secret, seal []byte) {
	nonce := newNonce()
	box := aead.Seal(nil, nonce, prefix, id.data(prefixContext, nil))
	return box[:len(prefix):len(prefix)], append(nonce, box[len(prefix):]...)
}

func (id *rowID) openPrefix(aead cipher.AEAD, secret, seal []byte) ([]byte, error) {
	if len(seal) != nonceLen+tagLen {
		return nil, corrupt("a prefix without its seal")
	}
	box := append(append(make([]byte, 0, len(secret)+tagLen), secret...), seal[nonceLen:]...)
	out, err := aead.Open(box[:0], seal[:nonceLen], box, id.data(prefixContext, nil))
	if err != nil {
		return nil, corrupt("the prefix is damaged, or that of another message")
	}
	return out, nil
}

func (id *rowID) sealMeta(aead cipher.AEAD, meta []byte) []byte {
	version := meta[:1]
	b := append(make([]byte, 0, len(meta)+nonceLen+tagLen), version...)
	nonce := newNonce()
	return aead.Seal(append(b, nonce...), nonce, meta[1:], id.data(metaContext, version))
}

func (id *rowID) openMeta(aead cipher.AEAD, b []byte) ([]byte, error) {
	if len(b) < 1+nonceLen+tagLen {
		return nil, corrupt("a Meta that nobody writes")
	}
	out := append(make([]byte, 0, len(b)), b[0])
	out, err := aead.Open(out, b[1:1+nonceLen], b[1+nonceLen:], id.data(metaContext, b[:1]))
	if err != nil {
		return nil, corrupt("the Meta is damaged, or that of another message")
	}
	return out, nil
}

func newNonce() []byte {
	b := make([]byte, nonceLen)
	rand.Read(b)
	return b
}

// The value of an entry in the store below:
//
//	5 octets  entryMagic, which ends with the version
//	string    id of the master key
//	24 octets nonce
//	          the value, XChaCha20-Poly1305 under the account's key of entries;
//	          associated data: entryContext, the account, the mailbox, the key
const entryMagic = "\x00mse\x01"

// entryOverhead is the most that a value grows by.
const entryOverhead = len(entryMagic) + 1 + MaxKeyID + nonceLen + tagLen

// entryOf says where an entry stands.
type entryOf struct {
	account store.AccountID
	box     store.MailboxID
	key     string
}

func (e *entryOf) data() []byte {
	b := append([]byte(entryContext), byte(len(e.account)))
	b = append(append(b, e.account...), e.box[:]...)
	return append(b, e.key...)
}

// sealEntry encrypts under the current key.
func (k *keys) sealEntry(ctx context.Context, e entryOf, value []byte) ([]byte, error) {
	id, err := k.ring.Current(ctx)
	if err != nil {
		return nil, fmt.Errorf("encrypt: current key: %w", err)
	}
	if !id.valid() {
		return nil, fmt.Errorf("encrypt: key id %q is not allowed", id)
	}
	aead, err := k.aead(ctx, id, labelEntry+string(e.account))
	if err != nil {
		return nil, err
	}
	b := append(make([]byte, 0, len(value)+entryOverhead), entryMagic...)
	b = append(append(b, byte(len(id))), id...)
	nonce := newNonce()
	return aead.Seal(append(b, nonce...), nonce, value, e.data()), nil
}

// entryKey returns the key of a value, and what follows it. ErrPlain: it is
// not encrypted.
func entryKey(b []byte) (id KeyID, rest []byte, err error) {
	n := len(entryMagic) - 1
	switch {
	case len(b) <= n || string(b[:n]) != entryMagic[:n]:
		return "", nil, ErrPlain
	case b[n] > entryMagic[n]:
		return "", nil, fmt.Errorf("%w: encrypt: entry of version %d", blob.ErrVersion, b[n])
	}
	name, rest, ok := consumeString(b[n+1:])
	if !ok || b[n] != entryMagic[n] || !KeyID(name).valid() || len(rest) < nonceLen+tagLen {
		return "", nil, corrupt("an entry that nobody writes")
	}
	return KeyID(name), rest, nil
}

// openEntry is the reverse. Entries from before are ErrPlain.
func (k *keys) openEntry(ctx context.Context, e entryOf, b []byte) ([]byte, error) {
	id, rest, err := entryKey(b)
	if err != nil {
		return nil, err
	}
	aead, err := k.aead(ctx, id, labelEntry+string(e.account))
	if err != nil {
		return nil, err
	}
	out, err := aead.Open([]byte{}, rest[:nonceLen], rest[nonceLen:], e.data())
	if err != nil {
		return nil, corrupt("the value is damaged, or that of another entry")
	}
	return out, nil
}

// hasher hides the hashes by which messages join threads: equal ones stay
// equal within an account.
func (k *keys) hasher(ctx context.Context, account store.AccountID) (func(uint64) uint64, error) {
	id, err := k.ring.Index(ctx)
	if err != nil {
		return nil, fmt.Errorf("encrypt: index key: %w", err)
	}
	key, err := k.derive(ctx, id, labelThread+string(account))
	if err != nil {
		return nil, err
	}
	mac := hmac.New(sha256.New, key[:])
	return func(h uint64) uint64 {
		var b [8]byte
		binary.BigEndian.PutUint64(b[:], h)
		mac.Reset()
		mac.Write(b[:])
		return binary.BigEndian.Uint64(mac.Sum(nil))
	}, nil
}
