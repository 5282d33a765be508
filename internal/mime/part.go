package mime

// Span is a range of octets [Start, End) of a message.
type Span struct{ Start, End int64 }

// Len returns the number of octets.
func (s Span) Len() int64 { return s.End - s.Start }

// Kind says what a part holds.
type Kind uint8

// The kinds of parts.
const (
	Leaf      Kind = iota
	Multipart      // any number of parts, those below follow
	Message        // one message, which follows
)

// Part is where one entity lies: a message, or one part of a multipart. It is
// small, since a message has up to [Limits] MaxParts of them; the fields of its
// header are read again when they are asked for ([Headers]).
type Part struct {
	start, body, end int64

	// Lines is the number of line ends (CRLF or LF) in Body.
	Lines int64

	below int32 // parts directly below
	is    traits
}

// traits is what Walk saw in the header of a part.
type traits uint8

const (
	isMultipart  traits = 1 << iota // multipart/*
	holdsMessage                    // message/rfc822 or message/global; the message follows
	isText                          // text/*
	isOpaque
	isAttachment // Content-Disposition: attachment
	isMessage    // the root, and what a message/rfc822 holds: it has an ENVELOPE
	inDigest     // a part of a multipart/digest: message/rfc822 unless it says otherwise
)

// Header holds the header block with the empty line that ends it; in a
// multipart part that is the MIME header (BODY[1.MIME]).
func (p *Part) Header() Span { return Span{p.start, p.body} }

// Body holds the octets behind the header, transfer encoding and all. The line
// end in front of a boundary belongs to the boundary (RFC 2046 §5.1.1).
func (p *Part) Body() Span { return Span{p.body, p.end} }

// Kind says what the part holds.
func (p *Part) Kind() Kind {
	switch {
	case p.is&isOpaque != 0:
		return Leaf
	case p.is&isMultipart != 0:
		return Multipart
	case p.is&holdsMessage != 0:
		return Message
	}
	return Leaf
}

// Below is the number of parts directly below: any number of a multipart, 1 of
// a message, 0 of a leaf.
func (p *Part) Below() int { return int(p.below) }

// Opaque says that the part holds more structure than Limits allow to look at.
// It has no parts and is described as application/octet-stream.
func (p *Part) Opaque() bool { return p.is&isOpaque != 0 }

// IsText reports whether the media type is text/*.
func (p *Part) IsText() bool { return p.is&(isText|isOpaque) == isText }

// IsAttachment reports whether the disposition is attachment.
func (p *Part) IsAttachment() bool { return p.is&isAttachment != 0 }

// IsMessage reports whether the part is a message, with an ENVELOPE of its own:
// the root, and what lies within a part of the kind Message.
func (p *Part) IsMessage() bool { return p.is&isMessage != 0 }

// equalFold compares without regard to the case of US-ASCII letters. lower is
// in lower case.
func equalFold[S []byte | string](b S, lower string) bool {
	if len(b) != len(lower) {
		return false
	}
	for i := range len(lower) {
		c := b[i]
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}
