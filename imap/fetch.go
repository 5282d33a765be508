package imap

import (
	"strconv"

	"github.com/mailstead/mailstead/internal/imapwire"
)

// FetchItem is one data item of FETCH that has no section (RFC 3501 §6.4.5).
type FetchItem uint16

// The items; a set of them is their sum.
const (
	FetchUID FetchItem = 1 << iota
	FetchFlags
	FetchInternalDate
	FetchSize
	FetchEnvelope
	FetchBody
	FetchBodyStructure
	FetchModSeq   // RFC 7162 §3.1.4.2
	FetchPreview  // RFC 8970
	FetchSaveDate // RFC 8514
	FetchEmailID  // RFC 8474 §5.1
	FetchThreadID // RFC 8474 §5.2
)

// SectionText says which text of a message or part a Section means.
type SectionText uint8

// The texts of a section (RFC 3501 §9, section-spec).
const (
	TextAll       SectionText = iota // the message or part itself
	TextHeader                       // HEADER
	TextFields                       // HEADER.FIELDS
	TextFieldsNot                    // HEADER.FIELDS.NOT
	TextText                         // TEXT
	TextMIME                         // MIME
)

// SectionForm says in which form a Section is wanted.
type SectionForm uint8

// The forms of a section.
const (
	FormBody       SectionForm = iota // BODY[...]: the octets of the message
	FormBinary                        // BINARY[...]: without the transfer encoding (RFC 3516 §4.2)
	FormBinarySize                    // BINARY.SIZE[...]: the length of FormBinary
)

// Section is BODY[...] or BINARY[...] of FETCH: a part of the message, a text
// of it, and a window on that text.
type Section struct {
	Form   SectionForm
	Part   []uint32 // empty = the message itself
	Text   SectionText
	Fields []string // of TextFields and TextFieldsNot, as they were written
	Peek   bool     // leaves \Seen as it is

	// Partial: Offset and Count of "<offset.count>" (RFC 3501 §6.4.5; 63 bits
	// in RFC 9051 §9).
	Partial bool
	Offset  int64
	Count   int64

	// Name is what the response calls the item where that is not BODY[...]:
	// "RFC822", "RFC822.HEADER" or "RFC822.TEXT".
	Name string
}

// AppendName adds the name of the item as a response has it.
func (s *Section) AppendName(dst []byte) []byte {
	if s.Name != "" {
		return append(dst, s.Name...)
	}
	switch s.Form {
	case FormBinary:
		dst = append(dst, "BINARY["...)
	case FormBinarySize:
		dst = append(dst, "BINARY.SIZE["...)
	default:
		dst = append(dst, "BODY["...)
	}
	for i, p := range s.Part {
		if i > 0 {
			dst = append(dst, '.')
		}
		dst = strconv.AppendUint(dst, uint64(p), 10)
	}
	if s.Text != TextAll && len(s.Part) > 0 {
		dst = append(dst, '.')
	}
	switch s.Text {
	case TextHeader:
		dst = append(dst, "HEADER"...)
	case TextFields:
		dst = appendFields(append(dst, "HEADER.FIELDS ("...), s.Fields)
	case TextFieldsNot:
		dst = appendFields(append(dst, "HEADER.FIELDS.NOT ("...), s.Fields)
	case TextText:
		dst = append(dst, "TEXT"...)
	case TextMIME:
		dst = append(dst, "MIME"...)
	}
	dst = append(dst, ']')
	if s.Partial {
		dst = append(dst, '<')
		dst = strconv.AppendInt(dst, s.Offset, 10)
		dst = append(dst, '>')
	}
	return dst
}

func appendFields(dst []byte, fields []string) []byte {
	for i, f := range fields {
		if i > 0 {
			dst = append(dst, ' ')
		}
		dst = imapwire.AppendAString(dst, []byte(f))
	}
	return append(dst, ')')
}

// Window cuts a text of size octets down to the partial range: the first octet
// and the number of octets, both within the text whatever was asked for.
func (s *Section) Window(size int64) (offset, count int64) {
	if !s.Partial {
		return 0, size
	}
	offset = min(s.Offset, size)
	return offset, min(s.Count, size-offset)
}
