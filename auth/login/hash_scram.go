package login

import (
	"strings"

	"github.com/mailstead/mailstead/auth/login/saslmech"
)

// HashSCRAM returns a verifier to store, with a fresh salt, of the mechanism
// SCRAM-SHA-256, SCRAM-SHA-512 or SCRAM-SHA-1: with it the user can log in by
// that mechanism and by those that show the password.
//
//	{SCRAM-SHA-256}65536,salt,StoredKey,ServerKey
//
// Zero iterations mean saslmech.DefaultIterations. ErrPassword: the text cannot
// be a password of SCRAM (SASLprep, RFC 4013). ErrHash: an unknown mechanism,
// or iterations out of bounds.
func HashSCRAM(mechanism string, password Password, iterations int) (string, error) {
	hash, plus, ok := saslmech.SCRAMOf(mechanism)
	if !ok || plus {
		return "", ErrHash
	}
	prepared, err := preparePassword(password)
	if err != nil {
		return "", err
	}
	switch v, err := saslmech.NewVerifier(hash, prepared, iterations); err {
	case nil:
		return "{" + hash.Mechanism() + "}" + v.String(), nil
	case saslmech.ErrPassword:
		return "", ErrPassword
	default:
		return "", ErrHash
	}
}

// scramHash judges a shown password by a verifier.
type scramHash struct{ saslmech.Verifier }

func (h scramHash) matches(password []byte) bool { return h.Matches(string(password)) }

// outdated: what replaced it could not serve SCRAM.
func (scramHash) outdated(Params) bool { return false }

// cramHash judges a shown password by what CRAM-MD5 needs.
type cramHash struct{ saslmech.CRAMSecret }

func (h cramHash) matches(password []byte) bool { return h.Matches(string(password)) }

// outdated: see scramHash.
func (cramHash) outdated(Params) bool { return false }

// parseSecret reads what a mechanism needs that does not show the password:
// {SCRAM-SHA-256}iterations,salt,StoredKey,ServerKey and its siblings, and
// {CRAM-MD5} with 64 hexadecimal digits. It is nil for another scheme.
func parseSecret(stored string) (parsedHash, error) {
	name, text, ok := cutScheme(stored)
	if !ok {
		return nil, nil
	}
	if hash, plus, scram := saslmech.SCRAMOf(name); scram && !plus {
		if v, err := saslmech.ParseVerifier(hash, text); err == nil {
			return scramHash{v}, nil
		}
		return nil, ErrHash
	}
	if name != saslmech.CRAMMD5 {
		return nil, nil
	}
	if secret, err := saslmech.ParseCRAMSecret(text); err == nil {
		return cramHash{secret}, nil
	}
	return nil, ErrHash
}

// cutScheme splits "{NAME}text"; the name is returned in upper case.
func cutScheme(stored string) (name, text string, ok bool) {
	rest, ok := strings.CutPrefix(stored, "{")
	if !ok {
		return "", "", false
	}
	name, text, ok = strings.Cut(rest, "}")
	return strings.ToUpper(name), text, ok
}
