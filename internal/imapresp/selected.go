package imapresp

import "github.com/mailstead/mailstead/imap"

// NoteCode puts what a response code says about the selected mailbox into m. word
// makes strings of keywords; permanent: it said PERMANENTFLAGS.
func NoteCode(m *imap.SelectedMailbox, s imap.StatusResponse, word func([]byte) string) (permanent bool) {
	n := ParseNumber(s.Args)
	switch s.Code {
	case imap.CodeUIDValidity:
		m.UIDValidity = imap.UIDValidity(n)
	case imap.CodeUIDNext:
		m.UIDNext = imap.UID(n)
	case imap.CodeUnseen:
		m.FirstUnseen = uint32(n)
	case imap.CodeHighestMod:
		m.HighestModSeq, m.NoModSeq = imap.ModSeq(n), false
	case imap.CodeNoModSeq:
		m.HighestModSeq, m.NoModSeq = 0, true
	case imap.CodeUIDNotSticky:
		m.UIDNotSticky = true
	case imap.CodeReadOnly:
		m.ReadOnly = true
	case imap.CodeReadWrite:
		m.ReadOnly = false
	case imap.CodeMailboxID:
		m.MailboxID = ParseObjectID(s.Args)
	case imap.CodePermanentFlags:
		var f imap.FlagList
		if _, err := ConsumeFlags(end(s.Args), &f, word, MaxFlags); err == nil {
			m.PermanentFlags = f
			return true
		}
	}
	return false
}
