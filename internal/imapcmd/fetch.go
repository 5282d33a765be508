package imapcmd

import (
	"fmt"
	"strconv"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/internal/imapwire"
)

// Fetch adds the items of FETCH and its modifiers (RFC 9051 §6.4.5, RFC 7162
// §3.1.4, RFC 9394 §3.3).
func (l *Line) Fetch(o *imap.FetchOptions) *Line {
	l.FetchItems(o)
	partial := o.Partial != (imap.PartialRange{})
	if o.ChangedSince == 0 && !partial {
		return l
	}
	l.Text(" (")
	if o.ChangedSince > 0 {
		l.Text("CHANGEDSINCE").Number(int64(o.ChangedSince))
		if o.Vanished {
			l.Text(" VANISHED")
		}
		if partial {
			l.Text(" ")
		}
	}
	if partial {
		l.Text("PARTIAL ").Text(o.Partial.String())
	}
	return l.Text(")")
}

// FetchItems adds a space and the items.
func (l *Line) FetchItems(o *imap.FetchOptions) *Line {
	l.Text(" (UID")
	for bit, name := range [...]string{
		"", "FLAGS", "INTERNALDATE", "RFC822.SIZE", "ENVELOPE", "BODY", "BODYSTRUCTURE", "MODSEQ", "PREVIEW", "SAVEDATE",
		"EMAILID", "THREADID",
	} {
		if o.Items&(1<<bit) != 0 && name != "" {
			l.SP(name)
		}
	}
	for i := range o.Sections {
		l.section(&o.Sections[i])
	}
	for _, e := range o.Extra {
		l.Raw(e)
	}
	return l.Text(")")
}

// section adds a space and BODY.PEEK[…] or the like.
func (l *Line) section(s *imap.Section) {
	switch s.Form {
	case imap.FormBinary:
		l.SP("BINARY")
	case imap.FormBinarySize:
		l.SP("BINARY.SIZE")
	default:
		l.SP("BODY")
	}
	if s.Peek && s.Form != imap.FormBinarySize {
		l.Text(".PEEK")
	}
	for _, f := range s.Fields {
		if _, n, err := imapwire.ConsumeAtom([]byte(f + " ")); err != nil || n != len(f) {
			l.Fail(fmt.Errorf("%w: header field %q", ErrArgument, f))
		}
	}
	name := imap.Section{Part: s.Part, Text: s.Text, Fields: s.Fields}
	l.B = append(l.B, name.AppendName(nil)[len("BODY"):]...)
	if s.Partial {
		if s.Offset < 0 || s.Count < 0 {
			l.Fail(fmt.Errorf("%w: %d octets from %d on", ErrArgument, s.Count, s.Offset))
		}
		l.Text("<" + strconv.FormatInt(s.Offset, 10) + "." + strconv.FormatInt(s.Count, 10) + ">")
	}
}
