package imap

import (
	"encoding/hex"

	"github.com/mailstead/mailstead/store"
)

// An objectid (RFC 8474 §4, §5) is a letter that says what it names, F, M or T,
// and the 128 bits in hexadecimal: no two of different kinds are equal.

// FormatMailboxID is a mailbox's objectid, MAILBOXID.
func FormatMailboxID(id store.MailboxID) string { return "F" + id.String() }

// FormatEmailID is the objectid of a message's content, EMAILID.
func FormatEmailID(id store.EmailID) string { return "M" + id.String() }

// FormatThreadID is a conversation's objectid, THREADID.
func FormatThreadID(id store.ThreadID) string { return "T" + id.String() }

// ParseEmailID reads an EMAILID; false: no message has it.
func ParseEmailID(s string) (id store.EmailID, ok bool) {
	ok = parseObjectID('M', s, id[:])
	return id, ok
}

// ParseThreadID reads a THREADID; false: no message has it.
func ParseThreadID(s string) (id store.ThreadID, ok bool) {
	ok = parseObjectID('T', s, id[:])
	return id, ok
}

// parseObjectID fills in dst.
func parseObjectID(kind byte, s string, dst []byte) bool {
	if len(s) != 1+2*len(dst) || s[0] != kind {
		return false
	}
	for i := 1; i < len(s); i++ {
		if 'A' <= s[i] && s[i] <= 'F' {
			return false // ids are case-sensitive
		}
	}
	_, err := hex.Decode(dst, []byte(s[1:]))
	return err == nil
}
