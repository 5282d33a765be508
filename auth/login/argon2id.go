package login

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/crypto/argon2"
)

// Bounds on what a stored hash may ask for (invariant I5).
const (
	maxMemoryKiB = 256 << 10 // 256 MiB
	maxTime      = 64
	maxThreads   = 16
	maxWork      = 4 << 20 // KiB × passes: about 4 s of one core
	minSalt      = 8       // RFC 9106 §3.1
	minKey       = 16
	maxSaltKey   = 64
)

// What HashPassword writes.
const (
	saltLength = 16 // octets, RFC 9106 §4
	keyLength  = 32
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

func (p Params) withDefaults() Params {
	if p.MemoryKiB == 0 {
		p.MemoryKiB = 19456
	}
	if p.Time == 0 {
		p.Time = 2
	}
	if p.Threads == 0 {
		p.Threads = 1
	}
	return p
}

// valid reports whether p is within the bounds.
func (p Params) valid() bool {
	return p.Time >= 1 && p.Time <= maxTime &&
		p.Threads >= 1 && p.Threads <= maxThreads &&
		p.MemoryKiB >= 8*uint32(p.Threads) && p.MemoryKiB <= maxMemoryKiB &&
		uint64(p.MemoryKiB)*uint64(p.Time) <= maxWork
}

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
	h := argon2id{params: p, salt: make([]byte, saltLength)}
	_, _ = rand.Read(h.salt) // never fails
	h.key = h.derive([]byte(prepared), keyLength)
	return h.String(), nil
}

// argon2id is a parsed hash.
type argon2id struct {
	params    Params
	salt, key []byte
}

// dummyArgon2id returns a hash that costs what p says and that nothing fits:
// its key is random, not derived.
func dummyArgon2id(p Params) argon2id {
	h := argon2id{params: p, salt: make([]byte, saltLength), key: make([]byte, keyLength)}
	_, _ = rand.Read(h.salt)
	_, _ = rand.Read(h.key)
	return h
}

func (h argon2id) derive(password []byte, length uint32) []byte {
	return argon2.IDKey(password, h.salt, h.params.Time, h.params.MemoryKiB, h.params.Threads, length)
}

func (h argon2id) matches(password []byte) bool {
	key := h.derive(password, uint32(len(h.key)))
	runtime.KeepAlive(key) // the work is the point, also for a dummy
	return subtle.ConstantTimeCompare(key, h.key) == 1
}

func (h argon2id) outdated(p Params) bool {
	p = p.withDefaults()
	return h.params.MemoryKiB < p.MemoryKiB || h.params.Time < p.Time ||
		len(h.salt) < saltLength || len(h.key) < keyLength
}

// String returns the stored form.
func (h argon2id) String() string {
	return fmt.Sprintf("{ARGON2ID}$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version,
		h.params.MemoryKiB, h.params.Time, h.params.Threads,
		base64.RawStdEncoding.EncodeToString(h.salt), base64.RawStdEncoding.EncodeToString(h.key))
}

// parseArgon2id reads $argon2id$v=19$m=…,t=…,p=…$salt$key, the parameters in
// this order and the octets in base64 without padding.
func parseArgon2id(text string) (parsedHash, error) {
	fields := strings.Split(text, "$")
	if len(fields) != 6 || fields[0] != "" || fields[1] != "argon2id" ||
		fields[2] != "v="+strconv.Itoa(argon2.Version) {
		return nil, ErrHash
	}
	p, ok := parseParams(fields[3])
	if !ok || !p.valid() {
		return nil, ErrHash
	}
	salt, ok1 := decodeOctets(fields[4], minSalt)
	key, ok2 := decodeOctets(fields[5], minKey)
	if !ok1 || !ok2 {
		return nil, ErrHash
	}
	return argon2id{params: p, salt: salt, key: key}, nil
}

// parseParams reads "m=19456,t=2,p=1".
func parseParams(text string) (p Params, ok bool) {
	var n [3]uint64
	fields := strings.Split(text, ",")
	if len(fields) != len(n) {
		return p, false
	}
	for i, name := range [...]string{"m=", "t=", "p="} {
		digits, found := strings.CutPrefix(fields[i], name)
		bits := 32
		if i == 2 {
			bits = 8
		}
		v, err := strconv.ParseUint(digits, 10, bits)
		if !found || err != nil {
			return p, false
		}
		n[i] = v
	}
	return Params{MemoryKiB: uint32(n[0]), Time: uint32(n[1]), Threads: uint8(n[2])}, true
}

func decodeOctets(text string, least int) ([]byte, bool) {
	b, err := base64.RawStdEncoding.Strict().DecodeString(text)
	return b, err == nil && len(b) >= least && len(b) <= maxSaltKey
}
