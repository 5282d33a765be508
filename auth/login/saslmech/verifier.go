package saslmech

import (
	"crypto/hmac"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"strconv"
	"strings"

	"github.com/xdg-go/scram"
)

// Bounds of iteration counts, for what servers keep and what clients do.
const (
	// MinIterations is what RFC 5802 §5.1 and RFC 7677 §4 ask for at least.
	MinIterations = 4096
	// MaxIterations costs a client about a second. A server that asks for more
	// is after its time.
	MaxIterations = 1 << 20
	// DefaultIterations is for new verifiers.
	DefaultIterations = 1 << 16
)

// saltLength of new verifiers in octets; Dovecot's have the same.
const saltLength = 16

// ErrVerifier: the text is no verifier, or one with bounds not kept.
var ErrVerifier = errors.New("saslmech: unusable SCRAM verifier")

// ErrPassword: SASLprep refuses the password, or nothing is left of it.
var ErrPassword = errors.New("saslmech: not a password")

// SCRAMHash is a hash function of SCRAM: what stands in the mechanism's name.
type SCRAMHash string

// The hash functions.
const (
	SHA1   SCRAMHash = "SHA-1"   // RFC 5802
	SHA256 SCRAMHash = "SHA-256" // RFC 7677
	SHA512 SCRAMHash = "SHA-512" // registered with IANA; draft-melnikov-scram-sha-512
)

// Mechanism returns the mechanism's name, which is also that of the scheme that
// verifiers are stored under.
func (h SCRAMHash) Mechanism() string { return "SCRAM-" + string(h) }

// size is the length of a hash in octets, 0 for an unknown function.
func (h SCRAMHash) size() int {
	switch h {
	case SHA1:
		return 20
	case SHA256:
		return 32
	case SHA512:
		return 64
	}
	return 0
}

func (h SCRAMHash) generator() scram.HashGeneratorFcn {
	switch h {
	case SHA1:
		return scram.SHA1
	case SHA512:
		return scram.SHA512
	}
	return scram.SHA256
}

// Verifier is what a server keeps to judge a password by SCRAM (RFC 5802 §3).
// It does not let anybody log in, but passwords can be guessed with it.
type Verifier struct {
	Hash       SCRAMHash
	Iterations int
	Salt       []byte
	StoredKey  []byte
	ServerKey  []byte
}

// NewVerifier makes a verifier with a new salt. Zero iterations mean
// DefaultIterations. ErrPassword, ErrVerifier (bounds, unknown hash).
func NewVerifier(hash SCRAMHash, password string, iterations int) (Verifier, error) {
	if iterations == 0 {
		iterations = DefaultIterations
	}
	v := Verifier{Hash: hash, Iterations: iterations, Salt: make([]byte, saltLength)}
	_, _ = rand.Read(v.Salt) // never fails
	if hash.size() == 0 || !boundedIterations(iterations) {
		return Verifier{}, ErrVerifier
	}
	keys, err := v.derive(password)
	if err != nil {
		return Verifier{}, err
	}
	v.StoredKey, v.ServerKey = keys.StoredKey, keys.ServerKey
	return v, nil
}

// derive computes the keys of a password with v's salt and iterations.
func (v Verifier) derive(password string) (scram.StoredCredentials, error) {
	prepared, err := prepare(password)
	if err != nil {
		return scram.StoredCredentials{}, ErrPassword
	}
	// The Client's constructor would put the password into its error.
	c, err := v.Hash.generator().NewClientUnprepped("", prepared, "")
	if err != nil {
		return scram.StoredCredentials{}, ErrPassword
	}
	return c.GetStoredCredentialsWithError(v.factors())
}

func (v Verifier) factors() scram.KeyFactors {
	return scram.KeyFactors{Salt: string(v.Salt), Iters: v.Iterations}
}

// Matches reports whether v is of this password. It costs v.Iterations.
func (v Verifier) Matches(password string) bool {
	keys, err := v.derive(password)
	return err == nil && hmac.Equal(keys.StoredKey, v.StoredKey)
}

// String returns the text that ParseVerifier reads: iterations, salt, stored
// key and server key, joined by commas, as Dovecot has them after
// "{SCRAM-SHA-256}".
func (v Verifier) String() string {
	text := strconv.Itoa(v.Iterations)
	for _, part := range [...][]byte{v.Salt, v.StoredKey, v.ServerKey} {
		text += "," + base64.StdEncoding.EncodeToString(part)
	}
	return text
}

// ParseVerifier reads what String writes, without the scheme in braces.
// ErrVerifier: not of that form, keys of another length, or an iteration count
// out of bounds.
func ParseVerifier(hash SCRAMHash, text string) (Verifier, error) {
	parts := strings.Split(text, ",")
	if len(parts) != 4 || hash.size() == 0 {
		return Verifier{}, ErrVerifier
	}
	v := Verifier{Hash: hash}
	var ok bool
	if v.Iterations, ok = parseIterations(parts[0]); !ok || !boundedIterations(v.Iterations) {
		return Verifier{}, ErrVerifier
	}
	for i, field := range [...]*[]byte{&v.Salt, &v.StoredKey, &v.ServerKey} {
		b, err := base64.StdEncoding.Strict().DecodeString(parts[i+1])
		if err != nil || strings.ContainsAny(parts[i+1], "\r\n") {
			return Verifier{}, ErrVerifier
		}
		*field = b
	}
	if len(v.Salt) == 0 || len(v.Salt) > maxSalt || len(v.StoredKey) != hash.size() || len(v.ServerKey) != hash.size() {
		return Verifier{}, ErrVerifier
	}
	return v, nil
}

func boundedIterations(n int) bool { return n >= MinIterations && n <= MaxIterations }
