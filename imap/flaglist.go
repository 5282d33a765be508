package imap

import (
	"slices"
	"strings"
)

// FlagList are the flags of a message, or those of a mailbox, as a response has
// them.
type FlagList struct {
	System Flags

	// Keywords are all others as the server wrote them: keywords, and system flags
	// of extensions, which begin with "\".
	Keywords []string

	Recent bool // \Recent (RFC 3501 §2.3.2)
	Any    bool // \*: keywords can be made (PERMANENTFLAGS only)
}

// Has reports whether a keyword is there, in any case.
func (f FlagList) Has(keyword string) bool {
	return slices.ContainsFunc(f.Keywords, func(k string) bool { return strings.EqualFold(k, keyword) })
}

// Clone is a copy that nothing else changes.
func (f FlagList) Clone() FlagList {
	f.Keywords = slices.Clone(f.Keywords)
	return f
}
