package imapserver

// feature is a set of what the client turned on for the rest of the session, by
// ENABLE or by a command that implies it.
type feature uint8

// The features.
const (
	rev2       feature = 1 << iota // IMAP4rev2 (RFC 9051)
	condstore                      // RFC 7162 §3.1
	qresync                        // RFC 7162 §3.2; never without condstore
	uidOnly                        // RFC 9586
	utf8Accept                     // RFC 6855
	metadata                       // RFC 5464 §4.4.2
)

// has reports whether one of the features is on.
func (s *session) has(f feature) bool { return s.features&f != 0 }

// turnOn turns features on, for good.
func (s *session) turnOn(f feature) {
	if f&qresync != 0 {
		f |= condstore
	}
	first := f&condstore != 0 && !s.has(condstore)
	s.features |= f
	if f&rev2 != 0 && s.sel != nil {
		s.sel.recent = nil
	}
	if first && s.sel != nil { // RFC 7162 §3.1
		s.tellHighest(nil)
	}
}

// asUTF8 reports whether mailbox names are UTF-8 both ways, not modified UTF-7
// (RFC 9051 §5.1, RFC 6855 §3).
func (s *session) asUTF8() bool { return s.has(rev2 | utf8Accept) }
