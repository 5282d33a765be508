package login

import (
	"fmt"

	"github.com/mailstead/mailstead/internal/passhash"
)

// Params are the cost of an argon2id hash (RFC 9106 §3.1). A zero field means
// its default: 19 MiB, two passes, one lane.
type Params struct {
	// MemoryKiB is the memory in KiB: 8 for each thread up to 262144.
	MemoryKiB uint32
	// Time is the number of passes over the memory: 1..64.
	Time uint32
	// Threads is the number of lanes: 1..16.
	Threads uint8
}

func (p Params) withDefaults() Params { return Params(passhash.Params(p).WithDefaults()) }

// valid reports whether p is within the bounds.
func (p Params) valid() bool { return passhash.Params(p).Valid() }

// parsedHash is a stored hash whose parameters are within bounds.
type parsedHash interface {
	// matches compares in constant time; password is prepared.
	matches(password []byte) bool
	// outdated: a hash made now with p would be another kind or stronger.
	outdated(p Params) bool
}

// passwordHash is a hash that serves nothing but passwords.
type passwordHash struct{ passhash.Hash }

func (h passwordHash) matches(password []byte) bool { return h.Matches(password) }
func (h passwordHash) outdated(p Params) bool       { return h.Weaker(passhash.Params(p)) }

// isFast reports whether comparing with h takes microseconds.
func isFast(h parsedHash) bool {
	p, ok := h.(passwordHash)
	return ok && p.Fast()
}

// parseHash reads "{SCHEME}text", or the text alone. The error wraps ErrHash
// and says more, without a part of the hash.
func parseHash(stored string) (parsedHash, error) {
	if len(stored) <= passhash.MaxStored {
		if h, err := parseSecret(stored); h != nil || err != nil {
			return h, err
		}
	}
	h, err := passhash.Parse(stored)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrHash, err)
	}
	return passwordHash{h}, nil
}

// dummyHash returns a hash that costs what p says and that nothing fits.
func dummyHash(p Params) parsedHash { return passwordHash{passhash.Dummy(passhash.Params(p))} }

// HashPassword returns a hash to store, with a fresh salt:
// {ARGON2ID}$argon2id$v=19$m=19456,t=2,p=1$salt$hash. ErrPassword: the text
// cannot be a password. ErrHash: p is out of bounds.
func HashPassword(password Password, p Params) (string, error) {
	p = p.withDefaults()
	if !p.valid() {
		return "", fmt.Errorf("%w: parameters out of bounds", ErrHash)
	}
	prepared, err := preparePassword(password)
	if err != nil {
		return "", err
	}
	return passhash.New([]byte(prepared), passhash.Params(p)), nil
}

// Verify reports whether password fits a stored hash: {ARGON2ID}$argon2id$…,
// {SCRAM-SHA-256}…, or one of those that other servers write and that are only
// read here: ARGON2I, BCRYPT (BLF-CRYPT), SHA512-CRYPT, SHA256-CRYPT, MD5-CRYPT,
// CRYPT of these, PBKDF2, SSHA512, SSHA256, SSHA, SMD5, SHA512, SHA256, SHA1,
// LDAP-MD5, PLAIN-MD5, PLAIN. Names may end in .b64, .base64 or .hex. Where
// there is no scheme in braces the prefix of the text ($2y$, $6$, …) says what
// it is.
//
// Verify compares in constant time and prepares the password like HashPassword;
// one that cannot be prepared fits nothing. ErrHash.
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
// because it is of another scheme, weaker than p, or unusable. SCRAM's
// verifiers are left as they are: what replaced them could not serve SCRAM.
func NeedsRehash(hash string, p Params) bool {
	h, err := parseHash(hash)
	return err != nil || h.outdated(p.withDefaults())
}
