package passhash

import (
	"crypto/pbkdf2"
	"crypto/sha1"
	"crypto/subtle"
	"encoding/hex"
	"strconv"
	"strings"
)

// MaxIterations bounds what PBKDF2 may ask for: about half a second of one
// core.
const MaxIterations = 2_000_000

// pbkdf2Hash is $1$salt$rounds$key: HMAC-SHA-1, the salt as it is written.
type pbkdf2Hash struct {
	salt   string
	rounds int
	key    string
}

func parsePBKDF2(text string) (Hash, error) {
	fields := strings.Split(text, "$")
	if len(fields) != 5 || fields[0] != "" || fields[1] != "1" || fields[2] == "" || len(fields[2]) > maxSalt {
		return nil, ErrDamaged
	}
	rounds, err := strconv.ParseUint(fields[3], 10, 32)
	if err != nil || rounds == 0 {
		return nil, ErrDamaged
	}
	if rounds > MaxIterations {
		return nil, ErrCost
	}
	key, err := hex.DecodeString(fields[4])
	if err != nil || len(key) != sha1.Size {
		return nil, ErrDamaged
	}
	return pbkdf2Hash{fields[2], int(rounds), string(key)}, nil
}

func (h pbkdf2Hash) Matches(password []byte) bool {
	key, err := pbkdf2.Key(sha1.New, string(password), []byte(h.salt), h.rounds, len(h.key))
	return err == nil && subtle.ConstantTimeCompare(key, []byte(h.key)) == 1
}

func (pbkdf2Hash) Weaker(Params) bool { return true }
func (pbkdf2Hash) Fast() bool         { return false }
