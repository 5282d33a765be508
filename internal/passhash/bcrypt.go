package passhash

import "golang.org/x/crypto/bcrypt"

// maxBcryptCost bounds the work of a stored bcrypt hash: 2^15 rounds take
// about two seconds.
const maxBcryptCost = 15

// bcryptLength is the length of every bcrypt hash in octets.
const bcryptLength = 60

// bcryptHash is a hash made elsewhere; new ones are argon2id. bcrypt looks at
// the first 72 octets of a password only.
type bcryptHash string

// parseBcrypt reads $2a$, $2b$ or $2y$, two digits of cost, '$', 53 characters.
func parseBcrypt(text string) (Hash, error) {
	if len(text) != bcryptLength || text[:2] != "$2" || text[3] != '$' || text[6] != '$' {
		return nil, ErrDamaged
	}
	if v := text[2]; v != 'a' && v != 'b' && v != 'y' {
		return nil, ErrScheme
	}
	if !allIn(text[7:], cryptDigits) {
		return nil, ErrDamaged
	}
	cost, err := bcrypt.Cost([]byte(text))
	if err != nil {
		return nil, ErrDamaged
	}
	if cost > maxBcryptCost {
		return nil, ErrCost
	}
	return bcryptHash(text), nil
}

func (h bcryptHash) Matches(password []byte) bool {
	return bcrypt.CompareHashAndPassword([]byte(h), password) == nil
}

func (bcryptHash) Weaker(Params) bool { return true }
func (bcryptHash) Fast() bool         { return false }
