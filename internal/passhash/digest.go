package passhash

import (
	"crypto/sha256"
	"crypto/subtle"
	"hash"

	"golang.org/x/text/secure/precis"
)

// maxSalt is the longest salt of a digest in octets.
const maxSalt = 64

// digest is one pass of a hash function over the password and a salt.
type digest struct {
	new       func() hash.Hash
	sum, salt string
}

// salted reads the octets of a digest with its salt behind.
func salted(f func() hash.Hash) func(string) (Hash, error) {
	size := f().Size()
	return func(octets string) (Hash, error) {
		if len(octets) <= size || len(octets) > size+maxSalt {
			return nil, ErrDamaged
		}
		return digest{f, octets[:size], octets[size:]}, nil
	}
}

// unsalted reads the octets of a digest.
func unsalted(f func() hash.Hash) func(string) (Hash, error) {
	return func(octets string) (Hash, error) { return digest{new: f, sum: octets}, nil }
}

func (d digest) Matches(password []byte) bool {
	h := d.new()
	h.Write(password)
	h.Write([]byte(d.salt))
	return subtle.ConstantTimeCompare(h.Sum(nil), []byte(d.sum)) == 1
}

func (digest) Weaker(Params) bool { return true }
func (digest) Fast() bool         { return true }

// plain is a password that is stored as it is.
type plain [sha256.Size]byte

func parsePlain(text string) (Hash, error) {
	prepared, err := precis.OpaqueString.String(text) // as the other one is
	if err != nil || prepared == "" {
		return nil, ErrDamaged
	}
	return plain(sha256.Sum256([]byte(prepared))), nil
}

func (p plain) Matches(password []byte) bool {
	sum := sha256.Sum256(password) // of one length, whatever the passwords'
	return subtle.ConstantTimeCompare(sum[:], p[:]) == 1
}

func (plain) Weaker(Params) bool { return true }
func (plain) Fast() bool         { return true }
