package mime

import (
	"slices"
	"sync"
)

// maxPooledBlock is the largest header buffer that is kept for the next
// message: one that grew step by step to the default limit.
const maxPooledBlock = 2 * DefaultMaxHeader

var blocks = sync.Pool{New: func() any { b := make([]byte, 0, 4<<10); return &b }}

// Envelope holds the fields of a message header that ENVELOPE, SORT and THREAD
// look at: unfolded, otherwise as they were written. nil = absent. Where an
// address field stands more than once, its values are joined by commas, so that
// no reader sees another sender than the next. Of Date, Subject, In-Reply-To and
// Message-ID the last one counts, as other servers have it; of References the
// first.
type Envelope struct {
	Date, Subject                    []byte
	From, Sender, ReplyTo            []byte
	To, Cc, Bcc                      []byte
	InReplyTo, MessageID, References []byte
}

// kind says what is done with a field of a given name.
type kind uint8

const (
	kindNone kind = iota
	kindType
	kindID
	kindDescription
	kindEncoding
	kindMD5
	kindDisposition
	kindLanguage
	kindLocation
	kindDate // this one and those behind it: of messages only
	kindSubject
	kindInReplyTo
	kindMessageID
	kindReferences
	kindFrom // this one and those behind it: address lists
	kindSender
	kindReplyTo
	kindTo
	kindCc
	kindBcc
	kinds
)

// fieldKind finds the kind of a field name.
func fieldKind(name []byte) kind {
	if len(name) > len("content-transfer-encoding") {
		return kindNone
	}
	var buf [32]byte
	lower := buf[:len(name)]
	for i, c := range name {
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		lower[i] = c
	}
	switch string(lower) {
	case "content-type":
		return kindType
	case "content-id":
		return kindID
	case "content-description":
		return kindDescription
	case "content-transfer-encoding":
		return kindEncoding
	case "content-md5":
		return kindMD5
	case "content-disposition":
		return kindDisposition
	case "content-language":
		return kindLanguage
	case "content-location":
		return kindLocation
	}
	return messageFieldKind(string(lower))
}

func messageFieldKind(lower string) kind {
	switch lower {
	case "date":
		return kindDate
	case "subject":
		return kindSubject
	case "in-reply-to":
		return kindInReplyTo
	case "message-id":
		return kindMessageID
	case "references":
		return kindReferences
	case "from":
		return kindFrom
	case "sender":
		return kindSender
	case "reply-to":
		return kindReplyTo
	case "to":
		return kindTo
	case "cc":
		return kindCc
	case "bcc":
		return kindBcc
	}
	return kindNone
}

// Entity is what the header of a part says of it. Values are nil where the field
// is absent or unreadable, and empty where it is empty. They are octets of the
// message, unfolded, in whatever charset it uses.
type Entity struct {
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

	Envelope Envelope // of a message
}

// Param is one parameter of a media type or a disposition as it was written,
// with quotes and escapes removed. The pieces of RFC 2231 §3 are put together;
// charset and percent signs of its §4 stay. Duplicates and order are kept.
type Param struct{ Name, Value []byte }

// Param returns the value of the first parameter of that name in any case; nil
// = none.
func (e *Entity) Param(name string) []byte { return findParam(e.Params, name) }

func findParam(params []Param, name string) []byte {
	for _, a := range params {
		if equalFold(a.Name, name) {
			return a.Value
		}
	}
	return nil
}

// fields reads one header block after the other into the same memory.
type fields struct {
	entity   Entity
	values   [kinds][]byte
	room     [kinds][]byte // where in octets each value goes
	octets   []byte        // what the values lie in
	segments []segment
}

// read takes the fields of a block. The result is valid until the next call, and
// does not lie in the block.
func (f *fields) read(block []byte, is traits) *Entity {
	f.collect(block, is&isMessage != 0)
	v, e := &f.values, &f.entity
	e.Type, e.Subtype = nil, nil
	if is&inDigest != 0 {
		e.Type, e.Subtype = typeMessage, subtypeRFC822
	}
	s := scanner{b: v[kindType]}
	e.Params = e.Params[:0]
	if typ, subtype := s.mediaType(); typ != nil {
		e.Type, e.Subtype = typ, subtype
		e.Params = f.join(s.params(e.Params))
	}
	if e.Type == nil {
		e.Type, e.Subtype = typeText, subtypePlain
	}
	e.ID, e.Description = v[kindID], v[kindDescription]
	e.Location, e.MD5 = v[kindLocation], v[kindMD5]
	e.Encoding = parseToken(v[kindEncoding])
	e.Disposition, e.DispParams = nil, e.DispParams[:0]
	if b := v[kindDisposition]; b != nil {
		s := scanner{b: b}
		e.Disposition = s.disposition()
		e.DispParams = f.join(s.params(e.DispParams))
	}
	e.Language = appendLanguages(e.Language[:0], v[kindLanguage])
	e.Envelope = Envelope{
		Date: v[kindDate], Subject: v[kindSubject],
		From: v[kindFrom], Sender: v[kindSender], ReplyTo: v[kindReplyTo],
		To: v[kindTo], Cc: v[kindCc], Bcc: v[kindBcc],
		InReplyTo: v[kindInReplyTo], MessageID: v[kindMessageID],
		References: v[kindReferences],
	}
	return e
}

// The defaults of RFC 2045 §5.2 and RFC 2046 §5.1.5; nobody changes them.
var (
	typeText, subtypePlain     = []byte("text"), []byte("plain")
	typeMessage, subtypeRFC822 = []byte("message"), []byte("rfc822")
)

// collect copies the unfolded values that count. Those of a message's own fields
// are left out where the block is not of a message.
func (f *fields) collect(block []byte, ofMessage bool) {
	var need [kinds]int
	total := 1 // so that an empty value is not nil
	for fd := range Fields(block) {
		if k := fieldKind(fd.Name); k != kindNone && (ofMessage || k < kindDate) {
			need[k] += len(fd.Value) + len(", ")
			total += len(fd.Value) + len(", ")
		}
	}
	f.octets = slices.Grow(f.octets[:0], total)[:total]
	room := f.octets
	for k := range need {
		f.values[k] = nil
		if need[k] > 0 {
			f.room[k], room = room[:0:need[k]], room[need[k]:]
		}
	}
	for fd := range Fields(block) {
		k := fieldKind(fd.Name)
		if k == kindNone || !ofMessage && k >= kindDate {
			continue
		}
		v := f.values[k]
		switch {
		case v == nil || k >= kindDate && k < kindReferences:
			v = f.room[k]
		case k >= kindFrom:
			v = append(v, ", "...)
		default:
			continue
		}
		f.values[k] = AppendUnfolded(v, fd.Value)
	}
}
