package login

import "golang.org/x/crypto/bcrypt"

// maxBcryptCost bounds the work of a stored bcrypt hash: 2^15 rounds take
// about two seconds (invariant I5).
const maxBcryptCost = 15

// bcryptLength is the length of every bcrypt hash in octets.
const bcryptLength = 60

// bcryptHash is a hash made elsewhere; new ones are argon2id. bcrypt looks at
// the first 72 octets of a password only.
type bcryptHash string

// parseBcrypt reads $2a$, $2b$ or $2y$, two digits of cost, '$', 53 characters.
func parseBcrypt(text string) (parsedHash, error) {
	if len(text) != bcryptLength || text[:2] != "$2" || text[3] != '$' || text[6] != '$' {
		return nil, ErrHash
	}
	if v := text[2]; v != 'a' && v != 'b' && v != 'y' {
		return nil, ErrHash
	}
	for i := 7; i < len(text); i++ {
		if !isBcryptDigit(text[i]) {
			return nil, ErrHash
		}
	}
	cost, err := bcrypt.Cost([]byte(text))
	if err != nil || cost > maxBcryptCost {
		return nil, ErrHash
	}
	return bcryptHash(text), nil
}

// isBcryptDigit reports whether c is of bcrypt's own base64 alphabet.
func isBcryptDigit(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '/'
}

func (h bcryptHash) matches(password []byte) bool {
	return bcrypt.CompareHashAndPassword([]byte(h), password) == nil
}

func (h bcryptHash) outdated(Params) bool { return true }
