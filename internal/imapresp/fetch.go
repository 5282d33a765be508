package imapresp

import (
	"bytes"
	"errors"
	"io"
	"strings"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/internal/imapwire"
)

// MaxFlags bounds the keywords of one list.
const MaxFlags = 10_000

// Fetch reads the items of FETCH responses into Data (RFC 9051 §7.5.2).
type Fetch struct {
	Data *imap.Fetched
	Word func([]byte) string // makes strings of keywords; nil = new ones
	Text SectionValue        // of the item that Item found last
	more bool
	text bool
}

// SectionValue is the text of a section: a string that is here, or a literal whose
// octets come behind the announcement that ends the piece.
type SectionValue struct {
	Section imap.Section
	Size    int64 // octets announced
	IsNil   bool  // NIL: there is no such part
	Binary  bool  // sent as literal8: it may hold NUL
	Here    []byte
	Behind  bool // Size octets follow
}

// Begin reads "(" of a response and forgets what was read before. seq is the
// number in front of its name; uid: it is the UID (RFC 9586 §3.3).
func (f *Fetch) Begin(b []byte, seq uint32, uid bool) (n int, err error) {
	d := f.Data
	*d = imap.Fetched{Flags: imap.FlagList{Keywords: d.Flags.Keywords[:0]}, Extra: d.Extra[:0], Seq: seq}
	if uid {
		d.Seq, d.UID = 0, imap.UID(seq)
		d.Note(imap.FetchUID)
	}
	n = spaces(b)
	if n == len(b) || b[n] != '(' {
		return 0, syntax(n, "list expected")
	}
	return n + 1, nil
}

// Item takes one item and its value. more: b ends with the announcement of a
// literal. text: it is a section, whose text is in f.Text; else it is in Data.
func (f *Fetch) Item(b []byte, more bool) (n int, text bool, err error) {
	f.more, f.text = more, false
	n, err = f.item(b)
	return n, f.text, err
}

// item parses one data item and its value.
func (f *Fetch) item(b []byte) (int, error) {
	name, n, err := ConsumeWord(b, true)
	if err != nil {
		return 0, err
	}
	if b[n] == '[' {
		return f.sectionItem(b, name, n)
	}
	v := skip(b[n:])
	n = len(b) - len(v)
	if len(v) == 0 {
		return 0, io.ErrUnexpectedEOF
	}
	used, err := f.value(name, v)
	return n + used, err
}

// value parses the value of an item without a section.
func (f *Fetch) value(name, v []byte) (n int, err error) {
	d := f.Data
	var number int64
	switch known := itemNames[string(name)]; known {
	case imap.FetchUID:
		number, n, err = ConsumeNumber(v)
		d.UID = imap.UID(number)
		d.Note(known)
	case imap.FetchFlags:
		n, err = ConsumeFlags(v, &d.Flags, f.Word, MaxFlags)
		d.Note(known)
	case imap.FetchSize:
		d.Size, n, err = ConsumeNumber(v)
		d.Note(known)
	case imap.FetchModSeq:
		n, err = ConsumeList(v, func(b []byte) (n int, err error) {
			number, n, err = ConsumeNumber(b)
			return n, err
		})
		d.ModSeq = imap.ModSeq(number)
		d.Note(known)
	case imap.FetchInternalDate, imap.FetchSaveDate:
		n, err = f.date(known, v)
	case imap.FetchEnvelope, imap.FetchBody, imap.FetchBodyStructure:
		n, err = f.structure(known, name, v)
	case imap.FetchEmailID, imap.FetchThreadID, imap.FetchPreview:
		n, err = f.textItem(known, v)
	default:
		return f.otherItem(name, v)
	}
	return n, err
}

// itemNames are the items without a section, as servers write them.
var itemNames = map[string]imap.FetchItem{
	"UID": imap.FetchUID, "FLAGS": imap.FetchFlags, "RFC822.SIZE": imap.FetchSize, "MODSEQ": imap.FetchModSeq,
	"INTERNALDATE": imap.FetchInternalDate, "SAVEDATE": imap.FetchSaveDate, "ENVELOPE": imap.FetchEnvelope,
	"BODY": imap.FetchBody, "BODYSTRUCTURE": imap.FetchBodyStructure, "EMAILID": imap.FetchEmailID,
	"THREADID": imap.FetchThreadID, "PREVIEW": imap.FetchPreview,
}

// otherItem parses RFC822 and its parts, names in another case, and what is not
// known, which goes to Extra.
func (f *Fetch) otherItem(name, v []byte) (int, error) {
	up := strings.ToUpper(string(name))
	if _, ok := itemNames[up]; ok && up != string(name) {
		return f.value([]byte(up), v)
	}
	switch up {
	case "RFC822", "RFC822.HEADER", "RFC822.TEXT":
		text := map[string]imap.SectionText{"RFC822.HEADER": imap.TextHeader, "RFC822.TEXT": imap.TextText}[up]
		return f.text8(imap.Section{Name: up, Text: text}, v)
	}
	return f.extra(up, v)
}

// extra keeps a value as it is.
func (f *Fetch) extra(name string, v []byte) (int, error) {
	d := f.Data
	n, err := SkipValue(v)
	if err != nil {
		return 0, err
	}
	d.Extra = append(d.Extra, imap.Item{Name: name, Value: bytes.Clone(v[:n])})
	return n, nil
}

// date parses INTERNALDATE or SAVEDATE. One that cannot be read is as one that
// was not said.
func (f *Fetch) date(item imap.FetchItem, v []byte) (int, error) {
	d := f.Data
	t, n, err := imapwire.ConsumeDateTime(v)
	if err != nil {
		if n, err = SkipValue(v); err != nil {
			return 0, err
		}
		if item == imap.FetchSaveDate {
			d.Note(item) // NIL
		}
		return n, nil
	}
	if item == imap.FetchSaveDate {
		d.SaveDate = t
	} else {
		d.InternalDate = t
	}
	d.Note(item)
	return n, nil
}

// structure parses ENVELOPE, BODY or BODYSTRUCTURE. What cannot be read, but
// ends, goes to Extra, so that one message does not keep out all others.
func (f *Fetch) structure(item imap.FetchItem, name, v []byte) (n int, err error) {
	d := f.Data
	if item == imap.FetchEnvelope {
		d.Envelope, n, err = ConsumeEnvelope(v)
	} else {
		d.BodyStructure, n, err = ConsumeBody(v)
	}
	if err == nil {
		d.Note(item)
		return n, nil
	}
	if errors.Is(err, ErrTooMany) || errors.Is(err, imapwire.ErrNesting) {
		if item == imap.FetchEnvelope {
			d.Envelope = nil
		} else {
			d.BodyStructure = nil
		}
	}
	return f.extra(string(name), v)
}

// textItem parses EMAILID, THREADID or PREVIEW.
func (f *Fetch) textItem(item imap.FetchItem, v []byte) (n int, err error) {
	d := f.Data
	var s string
	if item == imap.FetchPreview {
		var b []byte
		b, n, err = ConsumeNString(v)
		s = string(b)
	} else {
		s, n, err = ConsumeObjectID(v)
	}
	if err != nil {
		return 0, err
	}
	switch item {
	case imap.FetchEmailID:
		d.EmailID = s
	case imap.FetchThreadID:
		d.ThreadID = s
	default:
		d.Preview = s
	}
	d.Note(item)
	return n, nil
}

// sectionItem parses BODY[…], BINARY[…] or BINARY.SIZE[…]; the bracket is at n.
func (f *Fetch) sectionItem(b, name []byte, n int) (int, error) {
	sec, used, err := consumeSection(b[n:])
	if err != nil {
		return 0, err
	}
	full := n + used
	v := skip(b[full:])
	if len(v) == 0 {
		return 0, io.ErrUnexpectedEOF
	}
	n = len(b) - len(v)
	switch {
	case equalWord(name, "BODY"):
	case equalWord(name, "BINARY"):
		sec.Form = imap.FormBinary
	default: // BINARY.SIZE, and what else there may be
		used, err := f.extra(upper(b[:full]), v)
		return n + used, err
	}
	used, err = f.text8(sec, v)
	return n + used, err
}

// text8 parses the text of a section: NIL, a string within b, or the announcement
// of a literal at its end, whose octets come next.
func (f *Fetch) text8(sec imap.Section, v []byte) (int, error) {
	text, n, err := consumeSectionValue(v, f.more)
	text.Section = sec
	f.text, f.Text = true, text
	return n, err
}

// skip is b behind its spaces.
func skip(b []byte) []byte { return b[spaces(b):] }
