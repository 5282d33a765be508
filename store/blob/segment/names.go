package segment

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/mailstead/mailstead/store/blob"
)

// Names inside the directory.
const (
	lockName      = "lock"
	quarantineDir = "quarantine"
	tmpSuffix     = ".tmp"
)

// ref is the meaning of a blob.Ref:
//
//	"s" number "." origin "." size "." checksum
//
// in hexadecimal digits of fixed width, so that the order of the texts is the
// order of the numbers.
type ref struct {
	number uint64
	origin int64
	size   int64
	sum    uint32
}

const refLen = 1 + 10 + 1 + 10 + 1 + 10 + 1 + 8

func (r ref) text() blob.Ref {
	b := make([]byte, 0, refLen)
	b = append(b, 's')
	b = appendHex(b, r.number, 10)
	b = append(b, '.')
	b = appendHex(b, uint64(r.origin), 10)
	b = append(b, '.')
	b = appendHex(b, uint64(r.size), 10)
	b = append(b, '.')
	b = appendHex(b, uint64(r.sum), 8)
	return blob.Ref(b)
}

func parseRef(t blob.Ref) (ref, bool) {
	if len(t) != refLen || t[0] != 's' || t[11] != '.' || t[22] != '.' || t[33] != '.' {
		return ref{}, false
	}
	number, ok1 := parseHex(string(t[1:11]))
	origin, ok2 := parseHex(string(t[12:22]))
	size, ok3 := parseHex(string(t[23:33]))
	sum, ok4 := parseHex(string(t[34:]))
	return ref{number, int64(origin), int64(size), uint32(sum)}, ok1 && ok2 && ok3 && ok4
}

func appendHex(b []byte, v uint64, width int) []byte {
	const digits = "0123456789abcdef"
	for i := width - 1; i >= 0; i-- {
		b = append(b, digits[v>>(4*i)&15])
	}
	return b
}

// parseHex reads lower-case digits only, so that each value has one text.
func parseHex(s string) (v uint64, ok bool) {
	for i := range len(s) {
		c := s[i]
		switch {
		case '0' <= c && c <= '9':
			v = v<<4 | uint64(c-'0')
		case 'a' <= c && c <= 'f':
			v = v<<4 | uint64(c-'a'+10)
		default:
			return 0, false
		}
	}
	return v, len(s) > 0
}

// fileName names a file: number, generation, and what it holds.
func fileName(k kind, number uint64, generation uint32) string {
	return fmt.Sprintf("%010x.%08x.%s", number, generation, k.suffix())
}

func (k kind) suffix() string {
	switch k {
	case shared:
		return "seg"
	case single:
		return "one"
	}
	return "del"
}

// parseFileName is the inverse of fileName.
func parseFileName(name string) (k kind, number uint64, generation uint32, ok bool) {
	parts := strings.Split(name, ".")
	if len(parts) != 3 || len(parts[0]) != 10 || len(parts[1]) != 8 {
		return 0, 0, 0, false
	}
	number, ok1 := parseHex(parts[0])
	gen, ok2 := parseHex(parts[1])
	for _, k := range [...]kind{shared, single, tombs} {
		if k.suffix() == parts[2] {
			return k, number, uint32(gen), ok1 && ok2
		}
	}
	return 0, 0, 0, false
}

func (s *Store) path(name string) string { return filepath.Join(s.dir, name) }

// tmpPath names a file that is not part of the store yet.
func (s *Store) tmpPath() string {
	return s.path("spool-" + strconv.FormatUint(s.tmpSeq.Add(1), 16) + tmpSuffix)
}
