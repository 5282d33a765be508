package mime

import (
	"bytes"
	"iter"
)

// AddressKind tells the elements of an address list apart.
type AddressKind uint8

const (
	// Mailbox is one address.
	Mailbox AddressKind = iota
	// GroupStart begins a group; Address.Name is its name.
	GroupStart
	// GroupEnd ends a group.
	GroupEnd
)

// Address is one element of an address list (RFC 5322 §3.4). Its slices are
// valid until the next element.
type Address struct {
	Kind AddressKind
	// Name is the display name without quotes; where there is none, the text
	// of the comment, as in "joe@example.org (Joe)". nil = none. Encoded words
	// are not decoded.
	Name []byte
	// Route is the obsolete source route, "@a,@b"; nil = none.
	Route []byte
	// Local and Domain are the two sides of the "@" without quotes. nil: the
	// text has no such side.
	Local, Domain []byte
}

// Addresses gives the elements of an unfolded address list. It takes the
// obsolete forms of RFC 5322 §4.4, 8-bit text and whatever else: a part of the
// list that is no address comes back as a Mailbox with what could be read of
// it, so that only white space and lone separators are ever passed over. Each
// GroupStart is followed by its GroupEnd.
func Addresses(list []byte) iter.Seq[Address] {
	return func(yield func(Address) bool) {
		p := addressParser{b: list}
		for {
			a, ok := p.next()
			if !ok || !yield(a) {
				return
			}
		}
	}
}

// addressParser splits a list at its separators and gathers the tokens between
// them in two forms: as a phrase and as an addr-spec.
type addressParser struct {
	b       []byte
	i       int
	inGroup bool

	text  []byte // tokens outside of angle brackets, quotes removed
	at    int    // index in text of the last "@" outside of quotes, -1 = none
	word  int    // index in text of the last word in front of the "@"
	space bool   // white space was seen and is not in text yet
	empty bool   // no token was seen

	angle   []byte // tokens within angle brackets
	angleAt int    // index in angle of the last "@" outside of quotes
	route   []byte
	hasAddr bool // angle brackets were seen
	note    []byte
}

func (p *addressParser) reset() {
	p.text, p.angle, p.route, p.note = p.text[:0], p.angle[:0], p.route[:0], nil
	p.at, p.angleAt, p.word = -1, -1, 0
	p.space, p.hasAddr, p.empty = false, false, true
}

// next returns the next element; false at the end of the list.
func (p *addressParser) next() (Address, bool) {
	p.reset()
	for p.i < len(p.b) {
		c := p.b[p.i]
		switch {
		case c == ',' || c == ';':
			if !p.empty {
				if c == ',' {
					p.i++
				} // a ";" is met again and ends the group
				return p.mailbox(), true
			}
			p.i++
			if c == ';' && p.inGroup {
				p.inGroup = false
				return Address{Kind: GroupEnd}, true
			}
		case c == ':' && !p.hasAddr && p.at < 0 && !p.inGroup:
			p.i++
			p.inGroup = true
			return Address{Kind: GroupStart, Name: p.text}, true
		default:
			p.token(c)
		}
	}
	if !p.empty {
		return p.mailbox(), true
	}
	if p.inGroup {
		p.inGroup = false
		return Address{Kind: GroupEnd}, true
	}
	return Address{}, false
}

// token takes one token of a mailbox.
func (p *addressParser) token(c byte) {
	switch {
	case isSpace(c):
		p.space = true
		p.i++
		return
	case c == '(':
		text, n := comment(p.b[p.i:])
		p.i += n
		if text = bytes.TrimSpace(text); len(text) > 0 {
			p.note = text
		}
		p.space, p.empty = true, false
		return
	case c == '<' && !p.hasAddr:
		p.hasAddr, p.empty = true, false
		p.i++
		p.angleAddr()
		p.space = true
		return
	}
	p.empty = false
	p.separate(c)
	switch c {
	case '"':
		if p.i > 0 && p.b[p.i-1] == '"' && len(p.text) > 0 && p.at < 0 {
			p.text = append(p.text, ' ') // two strings are two words
		}
		p.text = p.quoted(p.text)
	case '@':
		p.at = len(p.text)
		p.text = append(p.text, c)
		p.i++
	default:
		p.text = p.run(p.text)
	}
}

// separate puts one space between tokens, and notes where the last word in
// front of an "@" starts.
func (p *addressParser) separate(c byte) {
	n := len(p.text)
	if p.space && n > 0 {
		p.text = append(p.text, ' ')
		if p.at < 0 && !joins(c) && !joins(p.text[n-1]) {
			p.word = n + 1
		}
	}
	p.space = false
}

// joins reports whether c makes one word of its neighbours in an obsolete
// addr-spec (RFC 5322 §4.4).
func joins(c byte) bool { return c == '.' || c == '@' }

// compact removes the spaces next to dots and "@" from the text of an addr-spec
// without angle brackets.
func (p *addressParser) compact() {
	out, at, word := 0, p.at, p.word
	for i, c := range p.text {
		if i == p.at {
			at = out
		}
		if i == p.word {
			word = out
		}
		if c == ' ' && (i > 0 && joins(p.text[i-1]) || i+1 < len(p.text) && joins(p.text[i+1])) {
			continue
		}
		p.text[out] = c
		out++
	}
	p.text, p.at, p.word = p.text[:out], at, word
}

// run takes octets up to the next one that has a meaning.
func (p *addressParser) run(dst []byte) []byte {
	start := p.i
	for p.i++; p.i < len(p.b); p.i++ {
		switch c := p.b[p.i]; c {
		case ',', ';', ':', '<', '>', '(', '"', '@', '[', '.', ' ', '\t', '\r', '\n':
			return append(dst, p.b[start:p.i]...)
		}
	}
	return append(dst, p.b[start:]...)
}

// quoted takes a quoted string and removes quotes and escapes. One that is not
// closed ends with the list.
func (p *addressParser) quoted(dst []byte) []byte {
	for p.i++; p.i < len(p.b); p.i++ {
		c := p.b[p.i]
		if c == '"' {
			p.i++
			return dst
		}
		if c == '\\' && p.i+1 < len(p.b) {
			p.i++
			c = p.b[p.i]
		}
		dst = append(dst, c)
	}
	return dst
}

// angleAddr takes [obs-route] addr-spec ">". Without the ">", it ends at the
// next separator.
func (p *addressParser) angleAddr() {
	for p.i < len(p.b) && isSpace(p.b[p.i]) {
		p.i++
	}
	if p.i < len(p.b) && p.b[p.i] == '@' {
		n := bytes.IndexAny(p.b[p.i:], ":><")
		if n > 0 && p.b[p.i+n] == ':' {
			p.route = append(p.route, bytes.TrimSpace(p.b[p.i:p.i+n])...)
			p.i += n + 1
		}
	}
	for p.i < len(p.b) {
		switch c := p.b[p.i]; {
		case c == '>':
			p.i++
			return
		case c == ',' || c == ';' || c == '<':
			return
		case isSpace(c):
			p.i++
		case c == '(':
			text, n := comment(p.b[p.i:])
			p.note = bytes.TrimSpace(text)
			p.i += n
		case c == '"':
			p.angle = p.quoted(p.angle)
		case c == '@':
			p.angleAt = len(p.angle)
			p.angle = append(p.angle, c)
			p.i++
		default:
			p.angle = p.run(p.angle)
		}
	}
}

// mailbox makes an Address of the tokens that were gathered.
func (p *addressParser) mailbox() Address {
	a := Address{Route: orNil(p.route)}
	switch {
	case p.hasAddr:
		a.Name = orNil(p.text)
		a.Local, a.Domain = sides(p.angle, p.angleAt)
	case p.at >= 0: // the last word before the "@" and the first one behind it
		p.compact()
		a.Local, a.Domain = sides(p.text, p.at)
		if p.word > 0 {
			a.Name, a.Local = orNil(bytes.TrimRight(p.text[:p.word], " ")), orNil(p.text[p.word:p.at])
		}
		if domain, rest, ok := bytes.Cut(a.Domain, []byte{' '}); ok {
			a.Domain = domain
			if a.Name == nil {
				a.Name = orNil(rest)
			}
		}
	case p.word > 0: // several words
		a.Name = orNil(p.text)
	default:
		a.Local = orNil(p.text)
	}
	if a.Name == nil {
		a.Name = orNil(unescape(p.note))
	}
	return a
}

// sides splits an addr-spec at its "@".
func sides(spec []byte, at int) (local, domain []byte) {
	if at < 0 {
		return orNil(spec), nil
	}
	return orNil(spec[:at]), orNil(spec[at+1:])
}

// unescape removes the backslashes of quoted pairs.
func unescape(b []byte) []byte {
	if bytes.IndexByte(b, '\\') < 0 {
		return b
	}
	out := make([]byte, 0, len(b))
	for i := 0; i < len(b); i++ {
		if b[i] == '\\' && i+1 < len(b) {
			i++
		}
		out = append(out, b[i])
	}
	return out
}

func orNil(b []byte) []byte {
	if len(b) == 0 {
		return nil
	}
	return b
}
