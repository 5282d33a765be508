package imapresp

import (
	"strings"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/internal/imapwire"
)

// maxParts is the depth of nested parts.
const maxParts = 200

// ConsumeBody takes the value of BODY or BODYSTRUCTURE (RFC 9051 §7.5.2). Fields
// that a server leaves out or gives in another shape stay empty.
func ConsumeBody(b []byte) (*imap.BodyPart, int, error) { return consumeBody(b, maxParts) }

func consumeBody(b []byte, depth int) (*imap.BodyPart, int, error) {
	if depth == 0 {
		return nil, 0, &imapwire.SyntaxError{Reason: "nested too deeply", Err: imapwire.ErrNesting}
	}
	p := &bodyParser{part: &imap.BodyPart{}, depth: depth}
	n, err := ConsumeList(b, p.item)
	if err != nil {
		return nil, 0, err
	}
	if len(p.part.Parts) > 0 {
		p.part.Type = "multipart"
	}
	return p.part, n, nil
}

// bodyParser reads the fields of a part, each by what came before it.
type bodyParser struct {
	part  *imap.BodyPart
	depth int
	field int
	rest  []restField
}

type restField func(p *bodyParser, b []byte) (int, error)

// item takes the next field.
func (p *bodyParser) item(b []byte) (n int, err error) {
	if b[0] == '(' && (p.field == 0 || p.field == len(p.part.Parts)) {
		var part *imap.BodyPart
		if part, n, err = consumeBody(b, p.depth-1); err != nil {
			return 0, err
		}
		p.part.Parts = append(p.part.Parts, part)
		p.field++
		return n, nil
	}
	if len(p.part.Parts) > 0 {
		return p.multipartField(b)
	}
	return p.singleField(b)
}

// multipartField: subtype, and the extension fields.
func (p *bodyParser) multipartField(b []byte) (int, error) {
	switch p.field++; p.field - len(p.part.Parts) {
	case 1:
		return p.text(b, &p.part.Subtype, true)
	case 2:
		return p.params(b, &p.part.Params)
	}
	if p.rest == nil {
		p.rest = extension()
	}
	return p.extended(b)
}

// singleField: the fields of a part that is no multipart.
func (p *bodyParser) singleField(b []byte) (int, error) {
	switch p.field++; p.field {
	case 1:
		return p.text(b, &p.part.Type, true)
	case 2:
		return p.text(b, &p.part.Subtype, true)
	case 3:
		return p.params(b, &p.part.Params)
	case 4:
		return p.text(b, &p.part.ID, false)
	case 5:
		return p.text(b, &p.part.Description, false)
	case 6:
		return p.text(b, &p.part.Encoding, true)
	case 7:
		n, err := p.count(b, &p.part.Size)
		p.rest = p.behindSize()
		return n, err
	}
	return p.extended(b)
}

// behindSize are the fields behind the size, by type.
func (p *bodyParser) behindSize() []restField {
	md5 := func(p *bodyParser, b []byte) (int, error) { return p.text(b, &p.part.MD5, false) }
	rest := append([]restField{md5}, extension()...)
	lines := func(p *bodyParser, b []byte) (int, error) { return p.count(b, &p.part.Lines) }
	switch {
	case p.part.Type == "text":
		return append([]restField{lines}, rest...)
	case p.part.Type == "message" && (p.part.Subtype == "rfc822" || p.part.Subtype == "global"):
		return append([]restField{(*bodyParser).envelope, (*bodyParser).message, lines}, rest...)
	}
	return rest
}

// extension are the fields that only BODYSTRUCTURE has, behind MD5 or the
// parameters of a multipart.
func extension() []restField {
	return []restField{
		(*bodyParser).disposition, (*bodyParser).language,
		func(p *bodyParser, b []byte) (int, error) { return p.text(b, &p.part.Location, false) },
	}
}

func (p *bodyParser) extended(b []byte) (int, error) {
	if len(p.rest) == 0 {
		return SkipValue(b)
	}
	take := p.rest[0]
	p.rest = p.rest[1:]
	return take(p, b)
}

// text takes a string; what is none is skipped.
func (p *bodyParser) text(b []byte, to *string, fold bool) (int, error) {
	if b[0] == '(' {
		return SkipValue(b)
	}
	s, n, err := consumeText(b)
	if fold {
		s = strings.ToLower(s)
	}
	*to = s
	return n, err
}

// count takes a number; what is none is skipped.
func (p *bodyParser) count(b []byte, to *int64) (int, error) {
	if b[0] == '(' {
		return SkipValue(b)
	}
	v, n, err := consumeCount(b)
	*to = v
	return n, err
}

// params takes a list of names and values; what is none is skipped.
func (p *bodyParser) params(b []byte, to *[]imap.Param) (int, error) {
	if b[0] != '(' {
		return SkipValue(b)
	}
	name, isName := "", true
	return ConsumeList(b, func(b []byte) (int, error) {
		if b[0] == '(' {
			return SkipValue(b)
		}
		s, n, err := consumeText(b)
		if isName {
			name = strings.ToLower(s)
		} else {
			*to = append(*to, imap.Param{Name: name, Value: s})
		}
		isName = !isName
		return n, err
	})
}

// disposition takes "(" type params ")", or a string.
func (p *bodyParser) disposition(b []byte) (int, error) {
	if b[0] != '(' {
		return p.text(b, &p.part.Disposition, true)
	}
	item := 0
	return ConsumeList(b, func(b []byte) (int, error) {
		switch item++; item {
		case 1:
			return p.text(b, &p.part.Disposition, true)
		case 2:
			return p.params(b, &p.part.DispositionParams)
		}
		return SkipValue(b)
	})
}

// language takes a string or a list of them.
func (p *bodyParser) language(b []byte) (int, error) {
	if b[0] != '(' {
		var one string
		n, err := p.text(b, &one, false)
		if one != "" {
			p.part.Language = []string{one}
		}
		return n, err
	}
	return ConsumeList(b, func(b []byte) (int, error) {
		if b[0] == '(' {
			return SkipValue(b)
		}
		s, n, err := consumeText(b)
		p.part.Language = append(p.part.Language, s)
		return n, err
	})
}

// envelope takes the envelope of a message within; where it is none, the message
// was told like any other part.
func (p *bodyParser) envelope(b []byte) (n int, err error) {
	if b[0] != '(' {
		return SkipValue(b)
	}
	p.part.Envelope, n, err = ConsumeEnvelope(b)
	return n, err
}

func (p *bodyParser) message(b []byte) (n int, err error) {
	if b[0] != '(' {
		return SkipValue(b)
	}
	p.part.Message, n, err = consumeBody(b, p.depth-1)
	return n, err
}
