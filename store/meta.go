package store

import (
	"io"
	"time"
)

// MetaVersion is the first octet of the Meta that this version writes. A
// reader that meets another one computes the Meta again.
const MetaVersion = 1

// MaxMeta is the length in octets beyond which Meta is not stored but
// computed again when it is asked for.
const MaxMeta = 8 << 10

// Description is what Describe finds in a message.
type Description struct {
	Meta        []byte   // encoded; nil when it would be longer than MaxMeta
	ThreadKeys  []uint64 // see Append.ThreadKeys
	SubjectHash uint64
}

// Meta is the decoded form of Message.Meta. All offsets count from the start
// of the blob. Its slices lie in the encoded form.
type Meta struct {
	HeaderSize    int64     // octets of the header with its empty line
	Lines         int64     // lines of the body behind the header
	SentDate      time.Time // Date field (RFC 5256 §2.2); zero = none or unreadable
	BaseSubject   []byte    // RFC 5256 §2.1, UTF-8
	Preview       []byte    // RFC 8970, UTF-8, at most 256 characters
	Envelope      []byte    // ENVELOPE, parenthesised, ready to send
	Body          []byte    // BODY, ready to send
	BodyStructure []byte    // BODYSTRUCTURE, ready to send
	HasAttachment bool      // a part with Content-Disposition: attachment
	Parts         []Span    // every part in the order of the walk
}

// Span is where one part of a message lies, as octets from the blob's start.
type Span struct {
	Header, Body, End int64 // [Header,Body) is its header, [Body,End) its body
}

// Describe reads a message once and computes its Description. It fails only
// when r does: a broken message has a description too.
func Describe(r io.ReaderAt, size int64) (Description, error) {
	return Description{}, nil
}

// DecodeMeta decodes b; ok is false for a Meta that has to be computed again.
func DecodeMeta(b []byte) (m Meta, ok bool) { return Meta{}, false }
