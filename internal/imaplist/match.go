package imaplist

import (
	"slices"
	"strings"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/internal/imapwire"
)

// Match returns a function that reports whether a name, in UTF-8, matches one of
// the patterns (RFC 3501 §6.3.8). Patterns are in UTF-8, or without asUTF8 also in
// modified UTF-7; one that is neither matches nothing. INBOX matches in any case (§5.1).
func Match(patterns []string, asUTF8 bool) func(name string) bool {
	var any, inbox []*imapwire.Pattern
	for _, p := range patterns {
		if !asUTF8 {
			decoded, err := imapwire.DecodeMailbox(p)
			if err != nil {
				continue
			}
			p = decoded
		}
		if len(p) >= len(imap.Inbox) && strings.EqualFold(p[:len(imap.Inbox)], imap.Inbox) {
			p = imap.Inbox + p[len(imap.Inbox):]
		}
		any = append(any, imapwire.CompilePattern(p, imap.Delimiter))
		inbox = append(inbox, imapwire.CompilePattern(strings.ToUpper(p), imap.Delimiter))
	}
	return func(name string) bool {
		set := any
		if name == imap.Inbox {
			set = inbox
		}
		return slices.ContainsFunc(set, func(p *imapwire.Pattern) bool { return p.Match(name) })
	}
}
