package imapurl

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
)

// Internal is the mechanism that every server with URLAUTH has (RFC 4467 §5).
const Internal = "INTERNAL"

// keySize is the length of a mailbox access key: that of the hash.
const keySize = sha256.Size

// NewKey returns a new mailbox access key: random octets.
func NewKey() []byte {
	key := make([]byte, keySize)
	rand.Read(key)
	return key
}

// Authorize adds the token of INTERNAL to a rump: HMAC-SHA-256 of its text under
// the mailbox access key.
func Authorize(rump string, key []byte) string {
	return rump + ":internal:" + hex.EncodeToString(token(rump, key))
}

// Verify reports whether the URL bears the token of INTERNAL that the key makes.
// It takes the same time for every token.
func (u URL) Verify(key []byte) bool {
	given, err := hex.DecodeString(u.Token)
	return err == nil && u.Mechanism == Internal && len(key) == keySize && hmac.Equal(given, token(u.Rump, key))
}

func token(rump string, key []byte) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(rump))
	return mac.Sum(nil)
}
