package mime

import (
	"bytes"
	"errors"
	"io"
	"strconv"

	"github.com/mailstead/mailstead/internal/imapwire"
)

// emptyPart stands in for the parts of a multipart that has none: the grammar
// wants one at least.
const emptyPart = `("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 0 0`

// ErrTooLong says that a form is longer than [Form] Max.
var ErrTooLong = errors.New("mime: form is too long")

// Form is the structure of a part as BODY or BODYSTRUCTURE (RFC 3501 §7.4.2, RFC
// 9051 §7.5.2). Names and values stand as they were written in the message;
// message/rfc822 and the defaults are in lower case. Sizes are those of the
// transfer-encoded octets. It is made while it is written: headers of parts are
// read again, and only one of them is held.
type Form struct {
	Tree     *Tree
	Content  io.ReaderAt // what Walk read
	Part     int
	Extended bool // BODYSTRUCTURE

	// Decode adds the text of an extended parameter value (RFC 2231 §4) of a
	// media type, as RFC 9051 §7.5.2 asks; nil = it stands as it was written.
	// Those of dispositions stand as they were written: of them the RFC has only
	// the pieces put together.
	Decode func(dst, value []byte) []byte

	// Max is the length in octets beyond which Append gives up; 0 = none.
	Max int
}

// Append adds the form. The error is ErrTooLong or that of Content.
func (f Form) Append(dst []byte) ([]byte, error) {
	h := f.Tree.Headers(f.Content)
	defer h.Close()
	w := former{Form: f, headers: h, out: dst, nested: MaxNestedAddresses}
	if f.Max > 0 {
		w.Max += len(dst)
	}
	w.body(f.Part)
	return w.out, w.err
}

// Write writes the form. The error is that of w or of Content.
func (f Form) Write(to io.Writer) error {
	h := f.Tree.Headers(f.Content)
	defer h.Close()
	w := former{Form: f, headers: h, out: h.out[:0], to: to, nested: MaxNestedAddresses}
	w.Max = 0
	w.body(f.Part)
	if w.err == nil {
		_, w.err = to.Write(w.out)
	}
	h.out = w.out
	return w.err
}

// former writes a Form.
type former struct {
	Form
	headers *Headers
	out     []byte
	to      io.Writer // nil = all of it stays in out
	nested  int       // addresses that may still be written
	err     error     // the first one; what is written then does not count
}

const flushAt = 4 << 10

// entity returns the fields of a part; none after an error.
func (w *former) entity(i int) *Entity {
	if w.Max > 0 && len(w.out) > w.Max {
		w.err = ErrTooLong
	}
	if w.err == nil && w.to != nil && len(w.out) > flushAt {
		_, w.err = w.to.Write(w.out)
		w.out = w.out[:0]
	}
	if w.err == nil {
		var e *Entity
		if e, w.err = w.headers.Entity(i); w.err == nil {
			return e
		}
	}
	return &Entity{}
}

// body writes part i and what is below it, and returns the number of the part
// behind.
func (w *former) body(i int) (next int) {
	p := w.Tree.Part(i)
	if p.Kind() == Multipart {
		return w.multipart(i)
	}
	e := w.entity(i)
	w.out = append(w.out, '(')
	w.basic(p, e)
	next = i + 1
	if p.Kind() == Message {
		w.envelope(next)
		w.out = append(w.out, ' ')
		next = w.body(next)
		e = w.entity(i)
	}
	if p.Kind() == Message || p.IsText() {
		w.out = append(w.out, ' ')
		w.out = strconv.AppendInt(w.out, p.Lines, 10)
	}
	if w.Extended {
		w.out = append(w.out, ' ')
		w.out = imapwire.AppendNString(w.out, e.MD5)
		w.extension(e)
	}
	w.out = append(w.out, ')')
	return next
}

// envelope writes that of a message within the message.
func (w *former) envelope(i int) {
	e := w.entity(i)
	w.out = append(w.out, ' ')
	w.out = appendEnvelope(w.out, &e.Envelope, &w.nested)
}

func (w *former) multipart(i int) (next int) {
	w.out = append(w.out, '(')
	below := w.Tree.Part(i).Below()
	next = i + 1
	for range below {
		if next = w.body(next); w.err != nil {
			return next
		}
	}
	if below == 0 {
		w.out = append(w.out, emptyPart...)
		if w.Extended {
			w.out = append(w.out, " NIL NIL NIL NIL"...)
		}
		w.out = append(w.out, ')')
	}
	e := w.entity(i)
	w.out = append(w.out, ' ')
	w.out = imapwire.AppendString(w.out, e.Subtype)
	if w.Extended {
		w.out = append(w.out, ' ')
		w.params(e.Params, false, w.Decode)
		w.extension(e)
	}
	w.out = append(w.out, ')')
	return next
}

// basic writes the fields that every part without children has: type, subtype,
// parameters, id, description, encoding, size.
func (w *former) basic(p *Part, e *Entity) {
	if p.Opaque() {
		w.out = append(w.out, `"application" "octet-stream" NIL`...)
	} else {
		typ, subtype := e.Type, e.Subtype
		if p.Kind() == Message { // what clients look for
			typ, subtype = bytes.ToLower(typ), bytes.ToLower(subtype)
		}
		w.out = imapwire.AppendString(w.out, typ)
		w.out = append(w.out, ' ')
		w.out = imapwire.AppendString(w.out, subtype)
		w.out = append(w.out, ' ')
		w.params(e.Params, p.IsText(), w.Decode)
	}
	w.out = append(w.out, ' ')
	w.out = imapwire.AppendNString(w.out, e.ID)
	w.out = append(w.out, ' ')
	w.out = imapwire.AppendNString(w.out, e.Description)
	w.out = append(w.out, ' ')
	if len(e.Encoding) > 0 {
		w.out = imapwire.AppendString(w.out, e.Encoding)
	} else {
		w.out = append(w.out, `"7bit"`...)
	}
	w.out = append(w.out, ' ')
	w.out = strconv.AppendInt(w.out, p.Body().Len(), 10)
}

// params writes a body-fld-param. A text part without a charset gets the default
// of RFC 2045 §5.2.
func (w *former) params(params []Param, text bool, decode func(dst, value []byte) []byte) {
	charset := !text || findParam(params, "charset") != nil
	if len(params) == 0 && charset {
		w.out = append(w.out, "NIL"...)
		return
	}
	w.out = append(w.out, '(')
	for i, a := range params {
		if i > 0 {
			w.out = append(w.out, ' ')
		}
		w.out = imapwire.AppendString(w.out, a.Name)
		w.out = append(w.out, ' ')
		if decode != nil && len(a.Name) > 1 && a.Name[len(a.Name)-1] == '*' {
			a.Value = decode(nil, a.Value)
		}
		w.out = imapwire.AppendString(w.out, a.Value)
	}
	if !charset {
		if len(params) > 0 {
			w.out = append(w.out, ' ')
		}
		w.out = append(w.out, `"charset" "us-ascii"`...)
	}
	w.out = append(w.out, ')')
}

// extension writes disposition, language and location, a space in front of each.
func (w *former) extension(e *Entity) {
	if e.Disposition == nil {
		w.out = append(w.out, " NIL"...)
	} else {
		w.out = append(w.out, " ("...)
		w.out = imapwire.AppendString(w.out, e.Disposition)
		w.out = append(w.out, ' ')
		w.params(e.DispParams, false, nil)
		w.out = append(w.out, ')')
	}
	if len(e.Language) == 0 {
		w.out = append(w.out, " NIL"...)
	} else {
		separator := " ("
		for _, tag := range e.Language {
			w.out = append(w.out, separator...)
			w.out = imapwire.AppendString(w.out, tag)
			separator = " "
		}
		w.out = append(w.out, ')')
	}
	w.out = append(w.out, ' ')
	w.out = imapwire.AppendNString(w.out, e.Location)
}
