package imap

import (
	"strings"

	"github.com/mailstead/mailstead/store"
)

// FlagRecent is \Recent (RFC 3501 §2.3.2), which no client can set.
const FlagRecent = `\Recent`

// systemFlags pairs the names with the bits of the store, in the order in
// which they are written.
var systemFlags = [...]struct {
	bit  store.Flags
	name string
}{
	{store.Answered, `\Answered`},
	{store.Flagged, `\Flagged`},
	{store.Deleted, `\Deleted`},
	{store.Seen, `\Seen`},
	{store.Draft, `\Draft`},
}

// SystemFlag returns the bit of a system flag's name in any case.
func SystemFlag(name string) (bit Flags, ok bool) {
	for _, f := range systemFlags {
		if strings.EqualFold(f.name, name) {
			return f.bit, true
		}
	}
	return 0, false
}

// AppendFlagNames adds the names of the flags in f behind dst, with spaces
// between them.
func AppendFlagNames(dst []byte, f Flags) []byte {
	first := true
	for _, s := range systemFlags {
		if f&s.bit == 0 {
			continue
		}
		if !first {
			dst = append(dst, ' ')
		}
		dst = append(dst, s.name...)
		first = false
	}
	return dst
}
