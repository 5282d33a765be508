package imapserver

import (
	"bytes"
	"io"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/internal/imapwire"
)

// maxSections bounds the BODY[...] items of one FETCH.
const maxSections = 1000

// fetchPlan is what a FETCH asks for, decided once for all messages.
type fetchPlan struct {
	items    imap.FetchItem
	sections []imap.Section
	seen     bool // marks messages \Seen
}

// fetchMacros are the macros of RFC 3501 §6.4.5.
var fetchMacros = map[string]imap.FetchItem{
	"FAST": macroFast,
	"ALL":  macroFast | imap.FetchEnvelope,
	"FULL": macroFast | imap.FetchEnvelope | imap.FetchBody,
}

const macroFast = imap.FetchFlags | imap.FetchInternalDate | imap.FetchSize

// fetchItems are the items that are one word.
var fetchItems = map[string]imap.FetchItem{
	"UID":           imap.FetchUID,
	"FLAGS":         imap.FetchFlags,
	"INTERNALDATE":  imap.FetchInternalDate,
	"ENVELOPE":      imap.FetchEnvelope,
	"BODYSTRUCTURE": imap.FetchBodyStructure,
	"RFC822.SIZE":   imap.FetchSize,
}

// readFetch takes
//
//	SP sequence-set SP ("ALL" / "FULL" / "FAST" / fetch-att / "(" fetch-att *(SP fetch-att) ")") CRLF
func (s *session) readFetch() (imap.NumSet, *fetchPlan, error) {
	if err := s.dec.SP(); err != nil {
		return nil, nil, err
	}
	set, err := imapwire.Take(s.dec, imapwire.ConsumeSeqSet)
	if err != nil {
		return nil, nil, err
	}
	if err := s.dec.SP(); err != nil {
		return nil, nil, err
	}
	p := &fetchPlan{}
	if s.dec.Peek() == '(' {
		err = s.dec.List(func() error { return s.readItem(p, false) })
		if err == nil && p.items == 0 && len(p.sections) == 0 {
			err = bad("Nothing to fetch")
		}
	} else {
		err = s.readItem(p, true)
	}
	if err != nil {
		return nil, nil, err
	}
	return imap.NumSet(set), p, s.dec.End()
}

// readItem takes one fetch-att; a macro only where it stands alone.
func (s *session) readItem(p *fetchPlan, alone bool) error {
	name, err := s.itemName()
	if err != nil {
		return err
	}
	if items, ok := fetchMacros[name]; ok && alone {
		p.items = items
		return nil
	}
	if item, ok := fetchItems[name]; ok {
		p.items |= item
		return nil
	}
	switch name {
	case "RFC822", "RFC822.HEADER", "RFC822.TEXT":
		return p.add(oldSection(name))
	case "BODY", "BODY.PEEK":
		return s.readBody(p, name == "BODY.PEEK")
	}
	return bad("Unknown item of FETCH")
}

// readBody takes what follows BODY or BODY.PEEK.
func (s *session) readBody(p *fetchPlan, peek bool) error {
	if s.dec.Peek() != '[' {
		if peek {
			return bad("Section expected")
		}
		p.items |= imap.FetchBody
		return nil
	}
	sec, err := s.readSection()
	if err != nil {
		return err
	}
	sec.Peek = peek
	return p.add(sec)
}

// add puts a section into the plan.
func (p *fetchPlan) add(sec imap.Section) error {
	if len(p.sections) == maxSections {
		return no(imap.CodeLimit, "Too many sections")
	}
	p.sections = append(p.sections, sec)
	p.seen = p.seen || !sec.Peek
	return nil
}

// oldSection is what the items of RFC 1730 stand for (RFC 3501 §6.4.5).
func oldSection(name string) imap.Section {
	switch name {
	case "RFC822.HEADER":
		return imap.Section{Name: name, Text: imap.TextHeader, Peek: true}
	case "RFC822.TEXT":
		return imap.Section{Name: name, Text: imap.TextText}
	}
	return imap.Section{Name: name}
}

// itemName takes the name of an item or of a section text, in upper case.
func (s *session) itemName() (string, error) {
	name, err := imapwire.Take(s.dec, consumeItemName)
	return string(bytes.ToUpper(name)), err
}

// consumeItemName takes 1*(ALPHA / DIGIT / ".").
func consumeItemName(b []byte) ([]byte, int, error) {
	n := 0
	for n < len(b) && isItemChar(b[n]) {
		n++
	}
	switch n {
	case len(b):
		return nil, 0, io.ErrUnexpectedEOF
	case 0:
		return nil, 0, &imapwire.SyntaxError{Reason: "name of an item expected"}
	}
	return b[:n], n, nil
}

func isItemChar(c byte) bool {
	return c == '.' || '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z'
}

// readSection takes section ["<" number "." nz-number ">"]:
//
//	section = "[" [section-msgtext / (section-part ["." section-text])] "]"
func (s *session) readSection() (sec imap.Section, err error) {
	if err = s.dec.Expect('['); err != nil {
		return sec, err
	}
	more := s.dec.Peek() != ']'
	for more && '0' <= s.dec.Peek() && s.dec.Peek() <= '9' {
		n, err := imapwire.Take(s.dec, imapwire.ConsumeNZNumber)
		if err != nil {
			return sec, err
		}
		sec.Part = append(sec.Part, n)
		more = s.dec.Accept('.')
	}
	if more {
		if err = s.readSectionText(&sec); err != nil {
			return sec, err
		}
	}
	if err = s.dec.Expect(']'); err != nil {
		return sec, err
	}
	if s.dec.Accept('<') {
		err = s.readPartial(&sec)
	}
	return sec, err
}

// readSectionText takes section-text.
func (s *session) readSectionText(sec *imap.Section) error {
	name, err := s.itemName()
	if err != nil {
		return err
	}
	switch name {
	case "HEADER":
		sec.Text = imap.TextHeader
		return nil
	case "TEXT":
		sec.Text = imap.TextText
		return nil
	case "MIME":
		if len(sec.Part) == 0 {
			return bad("MIME needs a part number")
		}
		sec.Text = imap.TextMIME
		return nil
	case "HEADER.FIELDS":
		sec.Text = imap.TextFields
	case "HEADER.FIELDS.NOT":
		sec.Text = imap.TextFieldsNot
	default:
		return bad("Unknown section")
	}
	if err := s.dec.SP(); err != nil {
		return err
	}
	err = s.dec.List(func() error {
		f, err := s.dec.AString()
		sec.Fields = append(sec.Fields, f)
		return err
	})
	if err == nil && len(sec.Fields) == 0 {
		return bad("Field names expected")
	}
	return err
}

// readPartial takes number "." nz-number ">".
func (s *session) readPartial(sec *imap.Section) (err error) {
	sec.Partial = true
	if sec.Offset, err = imapwire.Take(s.dec, imapwire.ConsumeNumber); err != nil {
		return err
	}
	if err = s.dec.Expect('.'); err != nil {
		return err
	}
	if sec.Count, err = imapwire.Take(s.dec, imapwire.ConsumeNZNumber); err != nil {
		return err
	}
	return s.dec.Expect('>')
}
