package acl

import (
	"fmt"
	"strings"
)

// Rights is a set of the access rights of RFC 4314 §2.1. The zero value is none.
type Rights uint16

// The rights, in the order in which they are written.
const (
	Lookup     Rights = 1 << iota // l: visible to LIST
	Read                          // r: SELECT, FETCH, SEARCH, STATUS, COPY from it
	Seen                          // s: \Seen is kept
	Write                         // w: flags other than \Seen and \Deleted
	Insert                        // i: APPEND, COPY into it
	Post                          // p: mail may be sent to its submission address
	Create                        // k: CREATE below it, RENAME to below it
	Delete                        // x: DELETE, RENAME away
	DeleteMsg                     // t: \Deleted
	Expunge                       // e: EXPUNGE, CLOSE
	Administer                    // a: SETACL, DELETEACL, GETACL, LISTRIGHTS

	None Rights = 0
	All  Rights = 1<<11 - 1

	// Kept are the rights that an owner cannot lose.
	Kept = Lookup | Administer
)

// letters are those of the rights, from the lowest bit on.
const letters = "lrswipkxtea"

// Has reports whether r holds all of want.
func (r Rights) Has(want Rights) bool { return r&want == want }

// HasAny reports whether r holds one of some.
func (r Rights) HasAny(some Rights) bool { return r&some != 0 }

// String returns the letters.
func (r Rights) String() string {
	var b strings.Builder
	for i := range len(letters) {
		if r&(1<<i) != 0 {
			b.WriteByte(letters[i])
		}
	}
	return b.String()
}

// Compatible returns the letters with the obsolete ones of RFC 2086 that a
// response has to name too (RFC 4314 §2.1.1): c for k or x, d for t or e.
func (r Rights) Compatible() string {
	s := r.String()
	if r.HasAny(Create | Delete) {
		s += "c"
	}
	if r.HasAny(DeleteMsg | Expunge) {
		s += "d"
	}
	return s
}

// ParseRights reads letters. The obsolete c of RFC 2086 stands for k and x, d
// for t and e (RFC 4314 §2.1.1). An unknown letter is an error.
func ParseRights(s string) (r Rights, err error) {
	for i := range len(s) {
		switch c := s[i]; c {
		case 'c':
			r |= Create | Delete
		case 'd':
			r |= DeleteMsg | Expunge
		default:
			n := strings.IndexByte(letters, c)
			if n < 0 {
				return 0, fmt.Errorf("acl: unknown right %q", c)
			}
			r |= 1 << n
		}
	}
	return r, nil
}

// Modification is what SETACL does to the rights of an identifier (RFC 4314
// §3.1). The zero value takes all rights away, and keeps the identifier.
type Modification struct {
	Sign   byte // '+' adds Rights, '-' takes them away, 0 replaces by them
	Rights Rights
}

// ParseModification reads the third argument of SETACL.
func ParseModification(s string) (m Modification, err error) {
	if s != "" && (s[0] == '+' || s[0] == '-') {
		m.Sign, s = s[0], s[1:]
	}
	m.Rights, err = ParseRights(s)
	return m, err
}

// On is the rights that m leaves where old were.
func (m Modification) On(old Rights) Rights {
	switch m.Sign {
	case '+':
		return old | m.Rights
	case '-':
		return old &^ m.Rights
	}
	return m.Rights
}
