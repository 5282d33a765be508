package imap

import (
	"fmt"
	"strings"
)

// Rights is a set of the access rights of RFC 4314 §2.1. The zero value is none.
type Rights uint16

// The rights, in the order in which they are written.
const (
	RightLookup     Rights = 1 << iota // l: visible to LIST
	RightRead                          // r: SELECT, FETCH, SEARCH, STATUS, COPY from it
	RightSeen                          // s: \Seen is kept
	RightWrite                         // w: flags other than \Seen and \Deleted
	RightInsert                        // i: APPEND, COPY into it
	RightPost                          // p: mail may be sent to its submission address
	RightCreate                        // k: CREATE below it, RENAME to below it
	RightDelete                        // x: DELETE, RENAME away
	RightDeleteMsg                     // t: \Deleted
	RightExpunge                       // e: EXPUNGE, CLOSE
	RightAdminister                    // a: SETACL, DELETEACL, GETACL, LISTRIGHTS

	RightsNone Rights = 0
	RightsAll  Rights = 1<<11 - 1
)

// rightLetters are the letters of the rights, from the lowest bit on.
const rightLetters = "lrswipkxtea"

// Has reports whether r holds all of want.
func (r Rights) Has(want Rights) bool { return r&want == want }

// String returns the letters.
func (r Rights) String() string {
	var b strings.Builder
	for i := range len(rightLetters) {
		if r&(1<<i) != 0 {
			b.WriteByte(rightLetters[i])
		}
	}
	return b.String()
}

// ParseRights reads letters. The obsolete c and d of RFC 2086 stand for k with
// x, and for t, e with x (RFC 4314 §2.1.1). An unknown letter is an error.
func ParseRights(s string) (r Rights, err error) {
	for i := range len(s) {
		switch c := s[i]; c {
		case 'c':
			r |= RightCreate | RightDelete
		case 'd':
			r |= RightDeleteMsg | RightExpunge | RightDelete
		default:
			n := strings.IndexByte(rightLetters, c)
			if n < 0 {
				return 0, fmt.Errorf("imap: unknown right %q", c)
			}
			r |= 1 << n
		}
	}
	return r, nil
}
