package mime

// Specifier is the last word of a section specification (RFC 9051 §6.4.5.1).
type Specifier uint8

const (
	// SectionAll is no word: the whole message, or the body of a part.
	SectionAll Specifier = iota
	// SectionHeader is HEADER, and what HEADER.FIELDS and HEADER.FIELDS.NOT
	// filter: the header of a message.
	SectionHeader
	// SectionText is TEXT: the body of a message.
	SectionText
	// SectionMIME is MIME: the header of a part.
	SectionMIME
)

// Find returns the part that a list of part numbers names in the message p
// (RFC 9051 §6.4.5.1); nil = there is none. Part 1 of a message that is no
// multipart is that message's own body. An empty path is p.
func (p *Part) Find(path []uint32) *Part {
	cur := p
	for i, n := range path {
		inMessage := i == 0 // cur stands for a message, not for a part of one
		if i > 0 && cur.Message != nil {
			cur, inMessage = cur.Message, true
		}
		switch {
		case cur.IsMultipart():
			if n < 1 || uint64(n) > uint64(len(cur.Children)) {
				return nil
			}
			cur = cur.Children[n-1]
		case n != 1 || !inMessage:
			return nil
		}
	}
	return cur
}

// Section returns the octets of the message p that a section specification
// names; false = the message has no such section.
func (p *Part) Section(path []uint32, what Specifier) (Span, bool) {
	part := p.Find(path)
	if part == nil {
		return Span{}, false
	}
	if what == SectionMIME {
		return part.Header, len(path) > 0
	}
	if what == SectionAll {
		if len(path) > 0 {
			return part.Body, true
		}
		return Span{part.Header.Start, part.Body.End}, true
	}
	if len(path) > 0 {
		if part = part.Message; part == nil {
			return Span{}, false
		}
	}
	if what == SectionHeader {
		return part.Header, true
	}
	return part.Body, true
}
