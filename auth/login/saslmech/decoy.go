package saslmech

import (
	"crypto/hkdf"
	"crypto/sha256"
)

// Decoy makes verifiers for users who have none, so that a server's first
// answer does not tell them apart from others: the salt of a name is always
// the same, as a real one is. Nobody knows a password that fits.
type Decoy struct {
	// Key makes the salts. Whoever knows it can tell decoys from verifiers. It
	// has to stay the same over restarts and on all nodes.
	Key []byte
	// Iterations are those that real verifiers have. Zero means
	// DefaultIterations.
	Iterations int
}

// Verifier returns the decoy of a user.
func (d Decoy) Verifier(hash SCRAMHash, username string) (Verifier, error) {
	v := Verifier{Hash: hash, Iterations: d.Iterations}
	if v.Iterations == 0 {
		v.Iterations = DefaultIterations
	}
	for _, part := range [...]struct {
		name   string
		length int
		out    *[]byte
	}{{"salt", saltLength, &v.Salt}, {"stored", hash.size(), &v.StoredKey}, {"server", hash.size(), &v.ServerKey}} {
		b, err := hkdf.Key(sha256.New, d.Key, []byte(username), hash.Mechanism()+" "+part.name, part.length)
		if err != nil {
			return Verifier{}, err
		}
		*part.out = b
	}
	return v, nil
}
