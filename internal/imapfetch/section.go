package imapfetch

import (
	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/internal/imapmsg"
	"github.com/mailstead/mailstead/internal/mime"
	"github.com/mailstead/mailstead/store"
)

// span finds the octets of a section; false = the message has no such section.
// size is that of the message. The fields in front of the blob belong to the header of the message.
func span(m *imapmsg.Message, meta *store.Meta, size int64, sec *imap.Section) (mime.Span, bool) {
	if len(sec.Part) == 0 {
		switch sec.Text {
		case imap.TextAll:
			return mime.Span{End: size}, true
		case imap.TextText:
			return mime.Span{Start: min(m.Prefix()+meta.HeaderSize, size), End: size}, true
		}
		return mime.Span{End: min(m.Prefix()+meta.HeaderSize, size)}, true
	}
	what := mime.SectionAll
	switch sec.Text {
	case imap.TextHeader, imap.TextFields, imap.TextFieldsNot:
		what = mime.SectionHeader
	case imap.TextText:
		what = mime.SectionText
	case imap.TextMIME:
		what = mime.SectionMIME
	}
	span, ok := m.Parts().Section(sec.Part, what)
	span.Start, span.End = min(span.Start+m.Prefix(), size), min(span.End+m.Prefix(), size)
	return span, ok
}
