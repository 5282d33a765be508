package passhash

import (
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"hash"
	"strconv"
	"strings"

	"github.com/go-crypt/x/crypt"
)

// Bounds of the crypt(3) schemes.
const (
	desLength       = 13
	md5CryptSalt    = 8
	md5CryptKey     = 22
	shaCryptSalt    = 16
	sha256CryptKey  = 43
	sha512CryptKey  = 86
	shaCryptDefault = 5000 // rounds, where the text does not say
	minSHARounds    = 1000
	maxSHARounds    = 1_000_000 // a second; libraries write up to 656,000
)

// md5Crypt is $1$salt$key.
type md5Crypt struct{ salt, key string }

func parseMD5Crypt(text string) (Hash, error) {
	salt, key, ok := strings.Cut(text[len("$1$"):], "$")
	if !ok || len(salt) > md5CryptSalt || len(key) != md5CryptKey || !allIn(key, cryptDigits) {
		return nil, ErrDamaged
	}
	return md5Crypt{salt, key}, nil
}

func (h md5Crypt) Matches(password []byte) bool {
	return subtle.ConstantTimeCompare(crypt.KeyMD5Crypt(password, []byte(h.salt)), []byte(h.key)) == 1
}

func (md5Crypt) Weaker(Params) bool { return true }
func (md5Crypt) Fast() bool         { return true }

// shaCrypt is $5$[rounds=N$]salt$key, or $6$ with SHA-512.
type shaCrypt struct {
	new       func() hash.Hash
	rounds    int
	salt, key string
}

func parseSHACrypt(text string) (Hash, error) {
	h := shaCrypt{new: sha256.New, rounds: shaCryptDefault}
	length := sha256CryptKey
	if text[1] == '6' {
		h.new, length = sha512.New, sha512CryptKey
	}
	rest := text[len("$6$"):]
	if after, ok := strings.CutPrefix(rest, "rounds="); ok {
		digits, more, _ := strings.Cut(after, "$")
		n, err := strconv.ParseUint(digits, 10, 32)
		switch {
		case err != nil || n < minSHARounds:
			return nil, ErrDamaged
		case n > maxSHARounds:
			return nil, ErrCost
		}
		h.rounds, rest = int(n), more
	}
	var ok bool
	h.salt, h.key, ok = strings.Cut(rest, "$")
	if !ok || len(h.salt) > shaCryptSalt || len(h.key) != length || !allIn(h.key, cryptDigits) {
		return nil, ErrDamaged
	}
	return h, nil
}

func (h shaCrypt) Matches(password []byte) bool {
	key := crypt.KeySHACrypt(h.new, password, []byte(h.salt), h.rounds)
	return subtle.ConstantTimeCompare(key, []byte(h.key)) == 1
}

func (shaCrypt) Weaker(Params) bool { return true }
func (shaCrypt) Fast() bool         { return false }
