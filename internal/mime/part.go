package mime

// Span is a range of octets [Start, End) of a message.
type Span struct{ Start, End int64 }

// Len returns the number of octets.
func (s Span) Len() int64 { return s.End - s.Start }

// Param is one parameter of a media type or a disposition as it was written,
// with quotes and escapes removed. The pieces of RFC 2231 §3 are put together;
// charset and percent signs of its §4 stay, as IMAP clients expect. Duplicates and order are kept.
type Param struct{ Name, Value []byte }

// Part is one entity: a message, or one part of a multipart. Field values are
// nil where the field is absent or unreadable, and empty where it is empty.
// They are octets of the message, unfolded, in whatever charset it uses, and
// must not be changed.
type Part struct {
	// Header holds the header block with the empty line that ends it; in a
	// multipart part that is the MIME header (BODY[1.MIME]).
	Header Span
	// Body holds the octets behind the header, transfer encoding and all. The
	// line end in front of a boundary belongs to the boundary (RFC 2046
	// §5.1.1).
	Body Span
	// Lines is the number of line ends (CRLF or LF) in Body.
	Lines int64

	// Type and Subtype are the media type as it was written, or the default:
	// text/plain, and message/rfc822 within multipart/digest.
	Type, Subtype []byte
	Params        []Param

	ID          []byte // Content-ID
	Description []byte // Content-Description
	Encoding    []byte // Content-Transfer-Encoding, one token
	MD5         []byte // Content-MD5
	Disposition []byte // Content-Disposition, its type
	DispParams  []Param
	Language    [][]byte // Content-Language, its tags
	Location    []byte   // Content-Location

	// Envelope is set for a message: the root and each Message below.
	Envelope *Envelope
	// Message is the message that a message/rfc822 or message/global holds.
	Message *Part
	// Children are the parts of a multipart.
	Children []*Part

	// Opaque says that the part holds more structure than Limits allow to look
	// at. It has no children and is described as application/octet-stream.
	Opaque bool
}

// IsMultipart reports whether the media type is multipart/*.
func (p *Part) IsMultipart() bool { return !p.Opaque && equalFold(p.Type, "multipart") }

// IsMessage reports whether the part holds a message of its own.
func (p *Part) IsMessage() bool { return p.Message != nil }

// IsText reports whether the media type is text/*.
func (p *Part) IsText() bool { return !p.Opaque && equalFold(p.Type, "text") }

// Param returns the value of the first parameter of that name in any case; nil
// = none.
func (p *Part) Param(name string) []byte { return findParam(p.Params, name) }

func findParam(params []Param, name string) []byte {
	for _, a := range params {
		if equalFold(a.Name, name) {
			return a.Value
		}
	}
	return nil
}

// All calls f for p and each part below it, in the order of the message, until
// f returns false. It reports whether all were visited.
func (p *Part) All(f func(*Part) bool) bool {
	if !f(p) {
		return false
	}
	if p.Message != nil {
		return p.Message.All(f)
	}
	for _, c := range p.Children {
		if !c.All(f) {
			return false
		}
	}
	return true
}

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
