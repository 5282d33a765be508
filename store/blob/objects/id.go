package objects

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/binary"
	"time"
)

// idLen is the length of an ID in characters.
const idLen = 26

// idEncoding keeps the order of octets.
func idEncoding() *base32.Encoding {
	return base32.NewEncoding("0123456789abcdefghijklmnopqrstuv").WithPadding(base32.NoPadding)
}

// NewID makes a name that nobody else makes: 26 characters of lower-case
// base32, 48 bits of milliseconds since 1970 and 80 bits of chance. Names that
// are made later mostly are greater.
func NewID(now time.Time) string {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], uint64(now.UnixMilli())<<16)
	rand.Read(b[6:])
	return idEncoding().EncodeToString(b[:])
}

// idTime is when an ID was made, rounded up to the second; ok is false for what
// is not an ID.
func idTime(id string) (t time.Time, ok bool) {
	b, err := idEncoding().DecodeString(id)
	if err != nil || len(b) != 16 || idEncoding().EncodeToString(b) != id {
		return t, false
	}
	ms := int64(binary.BigEndian.Uint64(b[:8]) >> 16)
	return time.UnixMilli(ms).Add(time.Second - 1).Truncate(time.Second), true
}

// ValidID reports whether NewID can have made id.
func ValidID(id string) bool {
	_, ok := idTime(id)
	return ok
}
