package mime

import (
	"bytes"
	"strconv"

	"github.com/mailstead/mailstead/internal/imapwire"
)

// emptyPart stands in for the parts of a multipart that has none: the grammar
// wants one at least.
const emptyPart = `("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 0 0`

// AppendBody adds the structure of p as BODY, or, with extended set, as
// BODYSTRUCTURE (RFC 3501 §7.4.2, RFC 9051 §7.5.2). Names and values stand as
// they were written in the message; message/rfc822 and the defaults are in lower
// case. Sizes are
// those of the transfer-encoded octets.
func AppendBody(dst []byte, p *Part, extended bool) []byte {
	if p.IsMultipart() {
		return appendMultipart(dst, p, extended)
	}
	dst = append(dst, '(')
	dst = appendBasic(dst, p)
	switch {
	case p.Message != nil:
		dst = append(dst, ' ')
		dst = AppendEnvelope(dst, p.Message.Envelope)
		dst = append(dst, ' ')
		dst = AppendBody(dst, p.Message, extended)
		dst = append(dst, ' ')
		dst = strconv.AppendInt(dst, p.Lines, 10)
	case p.IsText():
		dst = append(dst, ' ')
		dst = strconv.AppendInt(dst, p.Lines, 10)
	}
	if extended {
		dst = append(dst, ' ')
		dst = imapwire.AppendNString(dst, p.MD5)
		dst = appendExtension(dst, p)
	}
	return append(dst, ')')
}

func appendMultipart(dst []byte, p *Part, extended bool) []byte {
	dst = append(dst, '(')
	for _, c := range p.Children {
		dst = AppendBody(dst, c, extended)
	}
	if len(p.Children) == 0 {
		dst = append(dst, emptyPart...)
		if extended {
			dst = append(dst, " NIL NIL NIL NIL"...)
		}
		dst = append(dst, ')')
	}
	dst = append(dst, ' ')
	dst = imapwire.AppendString(dst, p.Subtype)
	if extended {
		dst = append(dst, ' ')
		dst = appendParams(dst, p.Params, false)
		dst = appendExtension(dst, p)
	}
	return append(dst, ')')
}

// appendBasic adds the fields that every part without children has: type,
// subtype, parameters, id, description, encoding, size.
func appendBasic(dst []byte, p *Part) []byte {
	if p.Opaque {
		dst = append(dst, `"application" "octet-stream" NIL`...)
	} else {
		typ, subtype := p.Type, p.Subtype
		if p.Message != nil { // what clients look for
			typ, subtype = bytes.ToLower(typ), bytes.ToLower(subtype)
		}
		dst = imapwire.AppendString(dst, typ)
		dst = append(dst, ' ')
		dst = imapwire.AppendString(dst, subtype)
		dst = append(dst, ' ')
		dst = appendParams(dst, p.Params, p.IsText())
	}
	dst = append(dst, ' ')
	dst = imapwire.AppendNString(dst, p.ID)
	dst = append(dst, ' ')
	dst = imapwire.AppendNString(dst, p.Description)
	dst = append(dst, ' ')
	if len(p.Encoding) > 0 {
		dst = imapwire.AppendString(dst, p.Encoding)
	} else {
		dst = append(dst, `"7bit"`...)
	}
	dst = append(dst, ' ')
	return strconv.AppendInt(dst, p.Body.Len(), 10)
}

// appendParams adds a body-fld-param. A text part without a charset gets the
// default of RFC 2045 §5.2.
func appendParams(dst []byte, params []Param, text bool) []byte {
	charset := !text || findParam(params, "charset") != nil
	if len(params) == 0 && charset {
		return append(dst, "NIL"...)
	}
	dst = append(dst, '(')
	for i, a := range params {
		if i > 0 {
			dst = append(dst, ' ')
		}
		dst = imapwire.AppendString(dst, a.Name)
		dst = append(dst, ' ')
		dst = imapwire.AppendString(dst, a.Value)
	}
	if !charset {
		if len(params) > 0 {
			dst = append(dst, ' ')
		}
		dst = append(dst, `"charset" "us-ascii"`...)
	}
	return append(dst, ')')
}

// appendExtension adds disposition, language and location, a space in front of
// each.
func appendExtension(dst []byte, p *Part) []byte {
	if p.Disposition == nil {
		dst = append(dst, " NIL"...)
	} else {
		dst = append(dst, " ("...)
		dst = imapwire.AppendString(dst, p.Disposition)
		dst = append(dst, ' ')
		dst = appendParams(dst, p.DispParams, false)
		dst = append(dst, ')')
	}
	if len(p.Language) == 0 {
		dst = append(dst, " NIL"...)
	} else {
		separator := " ("
		for _, tag := range p.Language {
			dst = append(dst, separator...)
			dst = imapwire.AppendString(dst, tag)
			separator = " "
		}
		dst = append(dst, ')')
	}
	dst = append(dst, ' ')
	return imapwire.AppendNString(dst, p.Location)
}
