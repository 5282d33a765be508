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

// Place is where a part lies, and how many lie below it.
type Place struct {
	Kind         Kind
	Below        int
	Header, Body Span
}

// Layout is the parts of a message in the order of the walk, each before those
// that it holds; the first one, which is always there, is the message. A [Tree]
// is one.
type Layout interface {
	Len() int
	At(i int) Place
}

// Find returns the number of the part that a list of part numbers names (RFC
// 9051 §6.4.5.1); false = there is none. Part 1 of a message that is no
// multipart is that message's own body. An empty path is the message. No part
// is looked at twice.
func Find(l Layout, path []uint32) (int, bool) {
	at := 0
	for i, n := range path {
		inMessage := i == 0 // at stands for a message, not for a part of one
		if i > 0 && l.At(at).Kind == Message {
			at, inMessage = at+1, true
		}
		p := l.At(at)
		switch {
		case p.Kind == Multipart:
			if n < 1 || uint64(n) > uint64(p.Below) {
				return 0, false
			}
			at++
			for range n - 1 {
				at = behind(l, at)
			}
		case n != 1 || !inMessage:
			return 0, false
		}
	}
	return at, true
}

// behind returns the number of the part behind part i and all below it.
func behind(l Layout, i int) int {
	for open := 1; open > 0; i++ {
		open += l.At(i).Below - 1
	}
	return i
}

// Section returns the octets of a message that a section specification names;
// false = the message has no such section.
func Section(l Layout, path []uint32, what Specifier) (Span, bool) {
	at, ok := Find(l, path)
	if !ok {
		return Span{}, false
	}
	p := l.At(at)
	if what == SectionMIME {
		return p.Header, len(path) > 0
	}
	if what == SectionAll {
		if len(path) > 0 {
			return p.Body, true
		}
		return Span{p.Header.Start, p.Body.End}, true
	}
	if len(path) > 0 {
		if p.Kind != Message {
			return Span{}, false
		}
		p = l.At(at + 1)
	}
	if what == SectionHeader {
		return p.Header, true
	}
	return p.Body, true
}
