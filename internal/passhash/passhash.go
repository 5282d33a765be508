package passhash

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// MaxStored is the longest stored hash in octets, scheme included.
const MaxStored = 4096

// Why a stored hash is not usable. The texts never hold parts of it.
var (
	// ErrScheme: no scheme is named, or one that is not read here.
	ErrScheme = errors.New("unknown scheme")
	// ErrDamaged: the text does not follow the scheme.
	ErrDamaged = errors.New("damaged")
	// ErrCost: checking would take more memory or time than allowed.
	ErrCost = errors.New("asks for too much work")
)

var (
	errDES      = fmt.Errorf("%w: DES looks at 8 octets of a password", ErrScheme)
	errYescrypt = fmt.Errorf("%w: yescrypt", ErrScheme)
)

// Hash is a stored hash whose parameters are within the bounds.
type Hash interface {
	// Matches compares in constant time. The password is prepared (RFC 8265).
	Matches(password []byte) bool
	// Weaker reports whether a hash made now with p would be of another kind
	// or stronger.
	Weaker(p Params) bool
	// Fast reports whether Matches takes microseconds.
	Fast() bool
}

// scheme is one way to store a password.
type scheme struct {
	names  []string // as in {NAME}, upper case
	prefix []string // of the modular crypt format, where {NAME} is absent
	enc    encoding // where the name has no suffix
	size   int      // of the octets that are encoded; 0: not fixed
	parse  func(text string) (Hash, error)
}

// schemes lists what Parse reads.
var schemes = [...]scheme{
	{names: []string{"ARGON2ID", "ARGON2I", "ARGON2"}, prefix: []string{"$argon2id$", "$argon2i$"}, parse: parseArgon2},
	{names: []string{"BCRYPT", "BLF-CRYPT"}, prefix: []string{"$2"}, parse: parseBcrypt},
	{names: []string{"SHA512-CRYPT"}, prefix: []string{"$6$"}, parse: parseSHACrypt},
	{names: []string{"SHA256-CRYPT"}, prefix: []string{"$5$"}, parse: parseSHACrypt},
	{names: []string{"MD5-CRYPT", "MD5"}, prefix: []string{"$1$"}, parse: parseMD5Crypt},
	{names: []string{"PBKDF2"}, parse: parsePBKDF2},
	{names: []string{"SSHA512"}, enc: inBase64, parse: salted(sha512.New)},
	{names: []string{"SSHA256"}, enc: inBase64, parse: salted(sha256.New)},
	{names: []string{"SSHA"}, enc: inBase64, parse: salted(sha1.New)},
	{names: []string{"SMD5"}, enc: inBase64, parse: salted(md5.New)},
	{names: []string{"SHA512"}, enc: inBase64, size: sha512.Size, parse: unsalted(sha512.New)},
	{names: []string{"SHA256"}, enc: inBase64, size: sha256.Size, parse: unsalted(sha256.New)},
	{names: []string{"SHA", "SHA1"}, enc: inBase64, size: sha1.Size, parse: unsalted(sha1.New)},
	{names: []string{"LDAP-MD5", "PLAIN-MD5"}, enc: inBase64, size: md5.Size, parse: unsalted(md5.New)},
	{names: []string{"PLAIN", "CLEARTEXT", "CLEAR"}, parse: parsePlain},
}

// Split cuts "{NAME.enc}text" into its parts, the name in upper case. name is
// empty where there is none.
func Split(stored string) (name, suffix, text string, err error) {
	rest, ok := strings.CutPrefix(stored, "{")
	if !ok {
		return "", "", stored, nil
	}
	if name, text, ok = strings.Cut(rest, "}"); !ok {
		return "", "", "", ErrDamaged
	}
	name, suffix, _ = strings.Cut(strings.ToUpper(name), ".")
	return name, suffix, text, nil
}

// Parse reads a stored hash: "{SCHEME}text", or the text alone. The errors wrap
// one of ErrScheme, ErrDamaged and ErrCost.
func Parse(stored string) (Hash, error) {
	if len(stored) > MaxStored {
		return nil, ErrDamaged
	}
	name, suffix, text, err := Split(stored)
	if err != nil {
		return nil, err
	}
	if name == "CRYPT" || name == "" {
		if text, err = decode(text, suffix, asIs, 0); err != nil {
			return nil, err
		}
		return parseCrypt(text)
	}
	for _, s := range schemes {
		if !slices.Contains(s.names, name) {
			continue
		}
		if text, err = decode(text, suffix, s.enc, s.size); err != nil {
			return nil, err
		}
		if len(s.prefix) > 0 && !s.begins(text) {
			return nil, ErrDamaged
		}
		return s.parse(text)
	}
	if name == "DES-CRYPT" {
		return nil, errDES
	}
	return nil, ErrScheme
}

// begins reports whether text has a prefix of the scheme.
func (s scheme) begins(text string) bool {
	return slices.ContainsFunc(s.prefix, func(p string) bool { return strings.HasPrefix(text, p) })
}

// parseCrypt reads a text of the modular crypt format, whose prefix says what
// it is.
func parseCrypt(text string) (Hash, error) {
	for _, s := range schemes {
		if s.begins(text) {
			return s.parse(text)
		}
	}
	switch {
	case strings.HasPrefix(text, "$y$"):
		return nil, errYescrypt
	case len(text) == desLength && allIn(text, cryptDigits) || strings.HasPrefix(text, "_"):
		return nil, errDES
	}
	return nil, ErrScheme
}
