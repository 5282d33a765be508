package login

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"hash"
	"strconv"
	"strings"

	"github.com/mailstead/mailstead/internal/passhash"
)

// scramVerifier judges a password by what SCRAM keeps of it (RFC 5802 §3).
type scramVerifier struct {
	hash       func() hash.Hash
	salt       []byte
	iterations int
	storedKey  []byte
}

// parseSecret reads {SCRAM-SHA-256}iterations,salt,StoredKey,ServerKey and its
// siblings; nil for another scheme.
func parseSecret(stored string) (parsedHash, error) {
	name, suffix, text, err := passhash.Split(stored)
	if err != nil || !strings.HasPrefix(name, "SCRAM-") {
		return nil, nil
	}
	v := scramVerifier{}
	switch name {
	case "SCRAM-SHA-1":
		v.hash = sha1.New
	case "SCRAM-SHA-256":
		v.hash = sha256.New
	case "SCRAM-SHA-512":
		v.hash = sha512.New
	default:
		return nil, ErrHash
	}
	fields := strings.Split(text, ",")
	if len(fields) != 4 || suffix != "" || len(stored) > passhash.MaxStored {
		return nil, ErrHash
	}
	n, err := strconv.ParseUint(fields[0], 10, 32)
	if err != nil || n == 0 {
		return nil, ErrHash
	}
	if n > passhash.MaxIterations {
		return nil, ErrHash
	}
	v.iterations = int(n)
	var serverKey []byte
	for i, to := range []*[]byte{&v.salt, &v.storedKey, &serverKey} {
		if *to, err = base64.StdEncoding.Strict().DecodeString(fields[i+1]); err != nil || len(*to) == 0 {
			return nil, ErrHash
		}
	}
	if size := v.hash().Size(); len(v.storedKey) != size || len(serverKey) != size {
		return nil, ErrHash
	}
	return v, nil
}

func (v scramVerifier) matches(password []byte) bool {
	salted, err := pbkdf2.Key(v.hash, string(password), v.salt, v.iterations, v.hash().Size())
	if err != nil {
		return false
	}
	mac := hmac.New(v.hash, salted)
	mac.Write([]byte("Client Key"))
	stored := v.hash()
	stored.Write(mac.Sum(nil))
	return subtle.ConstantTimeCompare(stored.Sum(nil), v.storedKey) == 1
}

// outdated: what replaced it could not serve SCRAM.
func (scramVerifier) outdated(Params) bool { return false }
