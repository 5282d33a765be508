package imapfetch

import (
	"bytes"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/internal/imapwire"
)

// macros are the macros of RFC 3501 §6.4.5.
var macros = map[string]imap.FetchItem{
	"FAST": macroFast,
	"ALL":  macroFast | imap.FetchEnvelope,
	"FULL": macroFast | imap.FetchEnvelope | imap.FetchBody,
}

const macroFast = imap.FetchFlags | imap.FetchInternalDate | imap.FetchSize

// items are the items that are one word.
var items = map[string]imap.FetchItem{
	"UID":           imap.FetchUID,
	"FLAGS":         imap.FetchFlags,
	"INTERNALDATE":  imap.FetchInternalDate,
	"ENVELOPE":      imap.FetchEnvelope,
	"BODYSTRUCTURE": imap.FetchBodyStructure,
	"RFC822.SIZE":   imap.FetchSize,
	"MODSEQ":        imap.FetchModSeq,
	"SAVEDATE":      imap.FetchSaveDate,
	"EMAILID":       imap.FetchEmailID,
	"THREADID":      imap.FetchThreadID,
}

// Parse takes what FETCH asks for, up to the end of the line:
//
//	("ALL" / "FULL" / "FAST" / fetch-att / "(" fetch-att *(SP fetch-att) ")") [SP fetch-modifiers]
//
// Errors are *[imapwire.SyntaxError], [ErrTooManySections] and those of the
// Decoder.
func Parse(dec *imapwire.Decoder, d Dialect) (*Plan, error) {
	p := &parser{dec: dec, plan: &Plan{Decoded: d.Rev2}, dialect: d}
	if err := p.items(); err != nil {
		return p.plan, err
	}
	return p.plan, p.modifiers()
}

// parser reads one plan.
type parser struct {
	dec     *imapwire.Decoder
	plan    *Plan
	dialect Dialect
}

// Dialect is what the client enabled, as far as the grammar of FETCH depends on
// it. The zero value is IMAP4rev1.
type Dialect struct {
	// Rev2 takes partials of 63 bits (RFC 9051 §9), and has parameter values in
	// UTF-8 (§7.5.2).
	Rev2 bool
}

// items takes what is asked for of each message.
func (p *parser) items() error {
	if p.dec.Peek() != '(' {
		return p.item(true)
	}
	err := p.dec.List(func() error { return p.item(false) })
	if err == nil && p.plan.Items == 0 && len(p.plan.Sections) == 0 {
		err = imapwire.Bad("Nothing to fetch")
	}
	return err
}

// item takes one fetch-att; a macro only where it stands alone.
func (p *parser) item(alone bool) error {
	name, err := p.itemName()
	if err != nil {
		return err
	}
	if macro, ok := macros[name]; ok && alone {
		p.plan.Items = macro
		return nil
	}
	if item, ok := items[name]; ok {
		p.plan.Items |= item
		return nil
	}
	switch name {
	case "RFC822", "RFC822.HEADER", "RFC822.TEXT":
		return p.plan.add(oldSection(name))
	case "BODY", "BODY.PEEK":
		return p.body(name == "BODY.PEEK")
	case "BINARY", "BINARY.PEEK", "BINARY.SIZE":
		return p.binary(name)
	case "PREVIEW":
		return p.preview()
	}
	return imapwire.Bad("Unknown item of FETCH")
}

// body takes what follows BODY or BODY.PEEK.
func (p *parser) body(peek bool) error {
	if p.dec.Peek() != '[' {
		if peek {
			return imapwire.Bad("Section expected")
		}
		p.plan.Items |= imap.FetchBody
		return nil
	}
	sec, err := p.section()
	if err != nil {
		return err
	}
	sec.Peek = peek
	return p.plan.add(sec)
}

// binary takes section-binary [partial] behind BINARY, BINARY.PEEK and
// BINARY.SIZE (RFC 3516 §7).
func (p *parser) binary(name string) error {
	sec := imap.Section{Form: imap.FormBinary, Peek: name != "BINARY"}
	if name == "BINARY.SIZE" {
		sec.Form = imap.FormBinarySize
	}
	if err := p.dec.Expect('['); err != nil {
		return err
	}
	if more, err := p.part(&sec); err != nil || more {
		return imapwire.OrBad(err, "Part number expected")
	}
	if err := p.dec.Expect(']'); err != nil {
		return err
	}
	if sec.Form == imap.FormBinary && p.dec.Accept('<') {
		if err := p.partial(&sec); err != nil {
			return err
		}
	}
	return p.plan.add(sec)
}

// preview takes [SP "(" preview-mod *(SP preview-mod) ")"] behind PREVIEW (RFC
// 8970 §6).
func (p *parser) preview() error {
	lazy := false
	if p.dec.Follows(" (") {
		if err := p.dec.SP(); err != nil {
			return err
		}
		err := p.dec.List(func() error {
			word, err := p.dec.Word()
			lazy = true
			if err != nil || word != "LAZY" {
				return imapwire.OrBad(err, "Unknown modifier of PREVIEW")
			}
			return nil
		})
		if err != nil || !lazy {
			return imapwire.OrBad(err, "LAZY expected")
		}
	}
	p.plan.Lazy = lazy && (p.plan.Lazy || p.plan.Items&imap.FetchPreview == 0)
	p.plan.Items |= imap.FetchPreview
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
func (p *parser) itemName() (string, error) {
	name, err := imapwire.Take(p.dec, imapwire.ConsumeItemName)
	return string(bytes.ToUpper(name)), err
}

// section takes section ["<" number "." nz-number ">"]:
//
//	section = "[" [section-msgtext / (section-part ["." section-text])] "]"
func (p *parser) section() (sec imap.Section, err error) {
	if err = p.dec.Expect('['); err != nil {
		return sec, err
	}
	more, err := p.part(&sec)
	if err != nil {
		return sec, err
	}
	if more {
		if err = p.sectionText(&sec); err != nil {
			return sec, err
		}
	}
	if err = p.dec.Expect(']'); err != nil {
		return sec, err
	}
	if p.dec.Accept('<') {
		err = p.partial(&sec)
	}
	return sec, err
}

// part takes [section-part]; more says that something has to follow.
func (p *parser) part(sec *imap.Section) (more bool, err error) {
	more = p.dec.Peek() != ']'
	for more && '0' <= p.dec.Peek() && p.dec.Peek() <= '9' {
		n, err := imapwire.Take(p.dec, imapwire.ConsumeNZNumber)
		if err != nil {
			return false, err
		}
		sec.Part = append(sec.Part, n)
		more = p.dec.Accept('.')
	}
	return more, nil
}

// sectionText takes section-text.
func (p *parser) sectionText(sec *imap.Section) error {
	name, err := p.itemName()
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
			return imapwire.Bad("MIME needs a part number")
		}
		sec.Text = imap.TextMIME
		return nil
	case "HEADER.FIELDS":
		sec.Text = imap.TextFields
	case "HEADER.FIELDS.NOT":
		sec.Text = imap.TextFieldsNot
	default:
		return imapwire.Bad("Unknown section")
	}
	if err := p.dec.SP(); err != nil {
		return err
	}
	err = p.dec.List(func() error {
		f, err := p.dec.AString()
		sec.Fields = append(sec.Fields, f)
		return err
	})
	if err == nil && len(sec.Fields) == 0 {
		return imapwire.Bad("Field names expected")
	}
	return err
}

// partial takes number "." nz-number ">".
func (p *parser) partial(sec *imap.Section) (err error) {
	sec.Partial = true
	if sec.Offset, err = p.number(); err != nil {
		return err
	}
	if err = p.dec.Expect('.'); err != nil {
		return err
	}
	if p.dec.Peek() == '0' {
		return imapwire.Bad("Octets of a partial start at 1")
	}
	if sec.Count, err = p.number(); err != nil {
		return err
	}
	return p.dec.Expect('>')
}

// number takes number, which has 32 bits in IMAP4rev1 and 63 in IMAP4rev2.
func (p *parser) number() (int64, error) {
	if p.dialect.Rev2 {
		return imapwire.Take(p.dec, imapwire.ConsumeNumber64)
	}
	n, err := imapwire.Take(p.dec, imapwire.ConsumeNumber)
	return int64(n), err
}
