package login

import (
	"strings"
)

// maxHash is the longest stored hash in octets, scheme included.
const maxHash = 512

// parsedHash is a stored hash whose parameters are within bounds.
type parsedHash interface {
	// matches compares in constant time; password is prepared.
	matches(password []byte) bool
	// outdated: a hash made now with p would be another kind or stronger.
	outdated(p Params) bool
}

// scheme is one way to store a password.
type scheme struct {
	names  []string // as in {NAME}, upper case
	prefix []string // of the modular crypt format, where the {NAME} is absent
	parse  func(text string) (parsedHash, error)
}

// schemes lists what Verify reads. {CRYPT} names no algorithm: the prefix does.
var schemes = [...]scheme{
	{[]string{"ARGON2ID"}, []string{"$argon2id$"}, parseArgon2id},
	{[]string{"BCRYPT", "BLF-CRYPT"}, []string{"$2a$", "$2b$", "$2y$"}, parseBcrypt},
}

// parseHash reads "{SCHEME}text", or the text alone. ErrHash.
func parseHash(stored string) (parsedHash, error) {
	if len(stored) > maxHash {
		return nil, ErrHash
	}
	if h, err := parseSecret(stored); h != nil || err != nil {
		return h, err
	}
	name, text := "", stored
	if rest, ok := strings.CutPrefix(stored, "{"); ok {
		if name, text, ok = strings.Cut(rest, "}"); !ok {
			return nil, ErrHash
		}
		name = strings.ToUpper(name)
	}
	for _, s := range schemes {
		if s.handles(name, text) {
			return s.parse(text)
		}
	}
	return nil, ErrHash
}

// handles reports whether a hash with this {NAME} (or none) and text is s's.
func (s scheme) handles(name, text string) bool {
	if name != "" && name != "CRYPT" {
		for _, n := range s.names {
			if n == name {
				return true
			}
		}
		return false
	}
	for _, p := range s.prefix {
		if strings.HasPrefix(text, p) {
			return true
		}
	}
	return false
}

// Verify reports whether password fits a stored hash: {ARGON2ID}$argon2id$…,
// {BCRYPT}$2y$… ({BLF-CRYPT} and {CRYPT} too), or the same without the scheme
// in braces. It compares in constant time and prepares the password like
// HashPassword; one that cannot be prepared fits nothing. ErrHash.
//
// Each call takes the memory that the hash asks for (bounded, invariant I5);
// a Service bounds how many run at once.
func Verify(hash string, password Password) (bool, error) {
	h, err := parseHash(hash)
	if err != nil {
		return false, err
	}
	prepared, err := preparePassword(password)
	if err != nil {
		return false, nil
	}
	return h.matches([]byte(prepared)), nil
}

// CheckHash reports with ErrHash whether Verify could not use a stored hash.
// It does no hashing.
func CheckHash(hash string) error {
	_, err := parseHash(hash)
	return err
}

// NeedsRehash reports whether a hash should be replaced at the next chance,
// because it is of another scheme, weaker than p, or unusable.
func NeedsRehash(hash string, p Params) bool {
	h, err := parseHash(hash)
	return err != nil || h.outdated(p)
}
