package passhash

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

// Bounds on what a stored hash may ask for.
const (
	maxMemoryKiB = 256 << 10 // 256 MiB
	maxTime      = 64
	maxThreads   = 16
	maxWork      = 4 << 20 // KiB × passes: about 4 s of one core
	minSalt      = 8       // RFC 9106 §3.1
	minKey       = 16
	maxSaltKey   = 64
)

// What New writes.
const (
	saltLength = 16 // octets, RFC 9106 §4
	keyLength  = 32
)

// Params are the cost of an argon2id hash (RFC 9106 §3.1).
type Params struct {
	// MemoryKiB is the memory in KiB: 8 for each thread up to 262144.
	MemoryKiB uint32
	// Time is the number of passes over the memory: 1..64.
	Time uint32
	// Threads is the number of lanes: 1..16.
	Threads uint8
}

// WithDefaults returns p with its zero fields set: 19 MiB, two passes, one lane.
func (p Params) WithDefaults() Params {
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

// Valid reports whether p is within the bounds.
func (p Params) Valid() bool {
	return p.Time >= 1 && p.Time <= maxTime &&
		p.Threads >= 1 && p.Threads <= maxThreads &&
		p.MemoryKiB >= 8*uint32(p.Threads) && p.MemoryKiB <= maxMemoryKiB &&
		uint64(p.MemoryKiB)*uint64(p.Time) <= maxWork
}

// argon2Hash is $argon2id$ or $argon2i$.
type argon2Hash struct {
	variant   string // as it is written
	params    Params
	salt, key []byte
}

const argon2id, argon2i = "argon2id", "argon2i"

// New returns the stored form of a prepared password with a fresh salt:
// {ARGON2ID}$argon2id$v=19$m=19456,t=2,p=1$salt$hash. p is valid.
func New(password []byte, p Params) string {
	h := argon2Hash{variant: argon2id, params: p, salt: make([]byte, saltLength)}
	_, _ = rand.Read(h.salt) // never fails
	h.key = h.derive(password, keyLength)
	return "{ARGON2ID}" + h.text()
}

// Dummy returns a hash that costs what p says and that nothing fits: its key is
// random, not derived.
func Dummy(p Params) Hash {
	h := argon2Hash{variant: argon2id, params: p, salt: make([]byte, saltLength), key: make([]byte, keyLength)}
	_, _ = rand.Read(h.salt)
	_, _ = rand.Read(h.key)
	return h
}

func (h argon2Hash) derive(password []byte, length uint32) []byte {
	f := argon2.IDKey
	if h.variant == argon2i {
		f = argon2.Key
	}
	return f(password, h.salt, h.params.Time, h.params.MemoryKiB, h.params.Threads, length)
}

func (h argon2Hash) Matches(password []byte) bool {
	key := h.derive(password, uint32(len(h.key)))
	runtime.KeepAlive(key) // the work is the point, also for a dummy
	return subtle.ConstantTimeCompare(key, h.key) == 1
}

func (h argon2Hash) Weaker(p Params) bool {
	p = p.WithDefaults()
	return h.variant != argon2id || h.params.MemoryKiB < p.MemoryKiB || h.params.Time < p.Time ||
		len(h.salt) < saltLength || len(h.key) < keyLength
}

func (argon2Hash) Fast() bool { return false }

// text returns the stored form without the name of the scheme.
func (h argon2Hash) text() string {
	return fmt.Sprintf("$%s$v=%d$m=%d,t=%d,p=%d$%s$%s", h.variant, argon2.Version,
		h.params.MemoryKiB, h.params.Time, h.params.Threads,
		base64.RawStdEncoding.EncodeToString(h.salt), base64.RawStdEncoding.EncodeToString(h.key))
}

// parseArgon2 reads $argon2id$v=19$m=…,t=…,p=…$salt$key, the parameters in this
// order and the octets in base64 without padding.
func parseArgon2(text string) (Hash, error) {
	fields := strings.Split(text, "$")
	if len(fields) != 6 || fields[2] != "v="+strconv.Itoa(argon2.Version) {
		return nil, ErrDamaged
	}
	p, ok := parseParams(fields[3])
	if !ok {
		return nil, ErrDamaged
	}
	if !p.Valid() {
		return nil, ErrCost
	}
	salt, ok1 := decodeOctets(fields[4], minSalt)
	key, ok2 := decodeOctets(fields[5], minKey)
	if !ok1 || !ok2 {
		return nil, ErrDamaged
	}
	return argon2Hash{fields[1], p, salt, key}, nil
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
