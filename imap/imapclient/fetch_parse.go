package imapclient

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/internal/imapresp"
	"github.com/mailstead/mailstead/internal/imapwire"
)

// begin turns to a new FETCH response.
func (m *Message) begin(r *response) error {
	*m = Message{c: m.c, Flags: Flags{Keywords: m.Flags.Keywords[:0]}, Extra: m.Extra[:0], open: true}
	m.sec.c = m.c
	m.Seq, m.chunk, m.more = r.number, r.args, r.section
	if r.name == "UIDFETCH" { // RFC 9586 §3.3
		m.Seq, m.UID, m.items = 0, imap.UID(r.number), imap.FetchUID
	}
	m.chunk = skipSpace(m.chunk)
	if len(m.chunk) == 0 || m.chunk[0] != '(' {
		return m.broken(errors.New("list expected"))
	}
	m.chunk = m.chunk[1:]
	return nil
}

func (m *Message) broken(err error) error {
	return m.c.lost(tooMany(fmt.Errorf("FETCH response: %w", err)))
}

// advance parses up to a section, which is ready then, or to the end.
func (m *Message) advance() error {
	for m.open && !m.sec.ready {
		if len(m.chunk) == 0 {
			if err := m.nextChunk(); err != nil {
				return err
			}
		}
		m.chunk = skipSpace(m.chunk)
		switch {
		case len(m.chunk) == 0:
			return m.broken(io.ErrUnexpectedEOF)
		case m.chunk[0] == ')':
			m.open = false
			return nil
		}
		n, err := m.item(m.chunk)
		if err != nil {
			return m.broken(err)
		}
		m.chunk = m.chunk[n:]
	}
	return nil
}

// nextChunk reads on behind the text of a section.
func (m *Message) nextChunk() error {
	if !m.more {
		return m.broken(io.ErrUnexpectedEOF)
	}
	m.c.block, m.c.until = false, time.Time{}
	chunk, lit, section, err := m.c.in.next(true)
	if err != nil {
		return m.c.lost(err)
	}
	_ = lit
	m.chunk, m.more = chunk, section
	return nil
}

func skipSpace(b []byte) []byte {
	for len(b) > 0 && b[0] == ' ' {
		b = b[1:]
	}
	return b
}

// item parses one data item and its value.
func (m *Message) item(b []byte) (int, error) {
	name, n, err := imapresp.ConsumeWord(b, true)
	if err != nil {
		return 0, err
	}
	if b[n] == '[' {
		return m.sectionItem(b, name, n)
	}
	v := skipSpace(b[n:])
	n = len(b) - len(v)
	if len(v) == 0 {
		return 0, io.ErrUnexpectedEOF
	}
	used, err := m.value(name, v)
	return n + used, err
}

// value parses the value of an item without a section.
func (m *Message) value(name, v []byte) (n int, err error) {
	var number int64
	switch known := itemNames[string(name)]; known {
	case imap.FetchUID:
		number, n, err = imapresp.ConsumeNumber(v)
		m.UID = imap.UID(number)
		m.items |= known
	case imap.FetchFlags:
		n, err = imapresp.ConsumeFlags(v, &m.Flags, m.c.word, maxFlags)
		m.items |= known
	case imap.FetchSize:
		m.Size, n, err = imapresp.ConsumeNumber(v)
		m.items |= known
	case imap.FetchModSeq:
		n, err = imapresp.ConsumeList(v, func(b []byte) (n int, err error) {
			number, n, err = imapresp.ConsumeNumber(b)
			return n, err
		})
		m.ModSeq = imap.ModSeq(number)
		m.items |= known
	case imap.FetchInternalDate, imap.FetchSaveDate:
		n, err = m.date(known, v)
	case imap.FetchEnvelope, imap.FetchBody, imap.FetchBodyStructure:
		n, err = m.structure(known, name, v)
	case imap.FetchEmailID, imap.FetchThreadID, imap.FetchPreview:
		n, err = m.text(known, v)
	default:
		return m.otherItem(name, v)
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
func (m *Message) otherItem(name, v []byte) (int, error) {
	up := strings.ToUpper(string(name))
	if _, ok := itemNames[up]; ok && up != string(name) {
		return m.value([]byte(up), v)
	}
	switch up {
	case "RFC822", "RFC822.HEADER", "RFC822.TEXT":
		text := map[string]imap.SectionText{"RFC822.HEADER": imap.TextHeader, "RFC822.TEXT": imap.TextText}[up]
		return m.text8(imap.Section{Name: up, Text: text}, v)
	}
	return m.extra(up, v)
}

// extra keeps a value as it is.
func (m *Message) extra(name string, v []byte) (int, error) {
	n, err := imapresp.SkipValue(v)
	if err != nil {
		return 0, err
	}
	m.Extra = append(m.Extra, Item{Name: name, Value: bytes.Clone(v[:n])})
	return n, nil
}

// date parses INTERNALDATE or SAVEDATE. One that cannot be read is as one that
// was not said.
func (m *Message) date(item imap.FetchItem, v []byte) (int, error) {
	t, n, err := imapwire.ConsumeDateTime(v)
	if err != nil {
		if n, err = imapresp.SkipValue(v); err != nil {
			return 0, err
		}
		if item == imap.FetchSaveDate {
			m.items |= item // NIL
		}
		return n, nil
	}
	if item == imap.FetchSaveDate {
		m.SaveDate = t
	} else {
		m.InternalDate = t
	}
	m.items |= item
	return n, nil
}

// structure parses ENVELOPE, BODY or BODYSTRUCTURE. What cannot be read, but
// ends, goes to Extra, so that one message does not keep out all others.
func (m *Message) structure(item imap.FetchItem, name, v []byte) (n int, err error) {
	if item == imap.FetchEnvelope {
		m.Envelope, n, err = imapresp.ConsumeEnvelope(v)
	} else {
		m.BodyStructure, n, err = imapresp.ConsumeBody(v)
	}
	if err == nil {
		m.items |= item
		return n, nil
	}
	if errors.Is(err, imapresp.ErrTooMany) || errors.Is(err, imapwire.ErrNesting) {
		if item == imap.FetchEnvelope {
			m.Envelope = nil
		} else {
			m.BodyStructure = nil
		}
	}
	return m.extra(string(name), v)
}

// text parses EMAILID, THREADID or PREVIEW.
func (m *Message) text(item imap.FetchItem, v []byte) (n int, err error) {
	var s string
	if item == imap.FetchPreview {
		var b []byte
		b, n, err = imapresp.ConsumeNString(v)
		s = string(b)
	} else {
		s, n, err = imapresp.ConsumeObjectID(v)
	}
	if err != nil {
		return 0, err
	}
	switch item {
	case imap.FetchEmailID:
		m.EmailID = s
	case imap.FetchThreadID:
		m.ThreadID = s
	default:
		m.Preview = s
	}
	m.items |= item
	return n, nil
}

// sectionItem parses BODY[…], BINARY[…] or BINARY.SIZE[…]; the bracket is at n.
func (m *Message) sectionItem(b, name []byte, n int) (int, error) {
	sec, used, err := consumeSection(b[n:])
	if err != nil {
		return 0, err
	}
	full := n + used
	v := skipSpace(b[full:])
	if len(v) == 0 {
		return 0, io.ErrUnexpectedEOF
	}
	n = len(b) - len(v)
	up := upperName(name)
	switch up {
	case "BODY":
	case "BINARY":
		sec.Form = imap.FormBinary
	default: // BINARY.SIZE, and what else there may be
		used, err := m.extra(up+strings.ToUpper(string(b[len(name):full])), v)
		return n + used, err
	}
	used, err = m.text8(sec, v)
	return n + used, err
}

// text8 parses the text of a section: NIL, a string within the chunk, or the
// announcement of a literal at its end, whose octets come next.
func (m *Message) text8(sec imap.Section, v []byte) (int, error) {
	m.sec = SectionReader{Section: sec, c: m.c, ready: true}
	if v[0] == '{' || v[0] == '~' {
		lit, n, err := imapwire.ConsumeLiteralHeader(v)
		if err != nil {
			return 0, err
		}
		m.sec.Size, m.sec.Binary = lit.Size, lit.Binary
		if m.more && n == len(v) {
			m.sec.left = lit.Size
			return n, nil
		}
	}
	s, n, err := imapresp.ConsumeNString(v)
	if err != nil {
		return 0, err
	}
	m.sec.IsNil, m.sec.text, m.sec.Size = s == nil, s, int64(len(s))
	return n, nil
}

// consumeSection takes
//
//	section = "[" [section-spec] "]" ["<" number ">"]
func consumeSection(b []byte) (sec imap.Section, n int, err error) {
	n = 1
	for n < len(b) && '0' <= b[n] && b[n] <= '9' {
		v, m, err := imapwire.ConsumeNZNumber(b[n:])
		if err != nil {
			return sec, 0, err
		}
		sec.Part = append(sec.Part, v)
		if n += m; b[n] != '.' {
			break
		}
		n++
	}
	if n == len(b) {
		return sec, 0, io.ErrUnexpectedEOF
	}
	if b[n] != ']' {
		m, err := sectionText(&sec, b[n:])
		if err != nil {
			return sec, 0, err
		}
		n += m
	}
	if n >= len(b) || b[n] != ']' {
		return sec, 0, errors.New("section does not end")
	}
	n++
	if n < len(b) && b[n] == '<' {
		v, m, err := imapwire.ConsumeNumber64(b[n+1:])
		if err != nil {
			return sec, 0, err
		}
		if n += 1 + m; b[n] != '>' {
			return sec, 0, errors.New("origin does not end")
		}
		n++
		sec.Partial, sec.Offset = true, v
	}
	return sec, n, nil
}

// sectionText takes section-text.
func sectionText(sec *imap.Section, b []byte) (int, error) {
	word, n, err := imapwire.ConsumeItemName(b)
	if err != nil {
		return 0, err
	}
	switch strings.ToUpper(string(word)) {
	case "HEADER":
		sec.Text = imap.TextHeader
		return n, nil
	case "TEXT":
		sec.Text = imap.TextText
		return n, nil
	case "MIME":
		sec.Text = imap.TextMIME
		return n, nil
	case "HEADER.FIELDS":
		sec.Text = imap.TextFields
	case "HEADER.FIELDS.NOT":
		sec.Text = imap.TextFieldsNot
	default:
		return 0, errors.New("unknown section " + strconv.Quote(string(word)))
	}
	v := skipSpace(b[n:])
	n = len(b) - len(v)
	m, err := imapresp.ConsumeList(v, func(b []byte) (int, error) {
		s, n, err := imapresp.ConsumeAString(b)
		sec.Fields = append(sec.Fields, string(s))
		return n, err
	})
	return n + m, err
}
