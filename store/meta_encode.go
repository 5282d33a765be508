package store

import (
	"encoding/binary"
	"time"
)

// The encoded form of a Meta, version 2, where a number is an unsigned varint
// and a string is its length and its octets:
//
//	version   1 octet
//	flags     1 octet, see below
//	          numbers HeaderSize, Lines
//	date      with metaHasDate: signed varints seconds since 1970 and zone in minutes
//	          strings BaseSubject, Preview, Envelope, Body, BodyStructure
//	parts     number of parts, then for each the numbers kind + 4×Parts,
//	          Header - Body of the part before (0 for the first), Body - Header, End - Body

const (
	metaHasDate       = 1 << iota // a Date field that could be read
	metaHasAttachment             // Meta.HasAttachment
)

// kept is the encoded form where a store keeps it; nil = it is computed again
// each time.
func (m *Meta) kept() []byte {
	if m.BodyStructure == nil {
		return nil
	}
	if b := m.encode(); len(b) <= MaxMeta {
		return b
	}
	return nil
}

func (m *Meta) encode() []byte {
	b := make([]byte, 0, 64+len(m.BaseSubject)+len(m.Preview)+len(m.Envelope)+len(m.Body)+len(m.BodyStructure)+8*len(m.Parts))
	var flags byte
	if !m.SentDate.IsZero() {
		flags |= metaHasDate
	}
	if m.HasAttachment {
		flags |= metaHasAttachment
	}
	b = append(b, MetaVersion, flags)
	b = binary.AppendUvarint(b, uint64(m.HeaderSize))
	b = binary.AppendUvarint(b, uint64(m.Lines))
	if flags&metaHasDate != 0 {
		_, offset := m.SentDate.Zone()
		b = binary.AppendVarint(b, m.SentDate.Unix())
		b = binary.AppendVarint(b, int64(offset/60))
	}
	for _, s := range [][]byte{m.BaseSubject, m.Preview, m.Envelope, m.Body, m.BodyStructure} {
		b = binary.AppendUvarint(b, uint64(len(s)))
		b = append(b, s...)
	}
	b = binary.AppendUvarint(b, uint64(len(m.Parts)))
	at := int64(0)
	for _, p := range m.Parts {
		b = binary.AppendUvarint(b, uint64(p.Kind)|uint64(p.Parts)<<2)
		b = binary.AppendUvarint(b, uint64(p.Header-at))
		b = binary.AppendUvarint(b, uint64(p.Body-p.Header))
		b = binary.AppendUvarint(b, uint64(p.End-p.Body))
		at = p.Body
	}
	return b
}

// DecodeMeta decodes b; ok is false for a Meta that has to be computed again:
// missing, of another version, or damaged.
func DecodeMeta(b []byte) (m Meta, ok bool) {
	d, ok := m.decode(b)
	if !ok {
		return Meta{}, false
	}
	m.Parts = d.parts()
	if !d.ok || len(d.b) > 0 || !validTree(m.Parts) {
		return Meta{}, false
	}
	return m, true
}

// DecodeMetaHead is DecodeMeta without the parts, for who looks at texts and
// dates of many messages. Damage of the parts is not seen.
func DecodeMetaHead(b []byte) (m Meta, ok bool) {
	if _, ok := m.decode(b); !ok {
		return Meta{}, false
	}
	return m, true
}

// decode takes all that stands before the parts.
func (m *Meta) decode(b []byte) (d metaDecoder, ok bool) {
	if len(b) < 2 || b[0] != MetaVersion {
		return d, false
	}
	d = metaDecoder{b: b[2:], ok: true}
	flags := b[1]
	m.HasAttachment = flags&metaHasAttachment != 0
	m.HeaderSize = d.number()
	m.Lines = d.number()
	if flags&metaHasDate != 0 {
		m.SentDate = d.time()
	}
	for _, s := range [...]*[]byte{&m.BaseSubject, &m.Preview, &m.Envelope, &m.Body, &m.BodyStructure} {
		*s = d.string()
	}
	return d, d.ok
}

// metaDecoder takes values off b. After the first fault ok is false, and every
// value is zero.
type metaDecoder struct {
	b  []byte
	ok bool
}

// number takes a length or an offset.
func (d *metaDecoder) number() int64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 || v > 1<<62 {
		d.b, d.ok = nil, false
		return 0
	}
	d.b = d.b[n:]
	return int64(v)
}

func (d *metaDecoder) signed() int64 {
	v, n := binary.Varint(d.b)
	if n <= 0 {
		d.b, d.ok = nil, false
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *metaDecoder) string() []byte {
	n := d.number()
	if n > int64(len(d.b)) {
		d.b, d.ok = nil, false
		return nil
	}
	s := d.b[:n:n]
	d.b = d.b[n:]
	return s
}

func (d *metaDecoder) time() time.Time {
	seconds, zone := d.signed(), d.signed()
	if zone <= -100*60 || zone >= 100*60 { // a zone is ±hhmm
		d.ok = false
		return time.Time{}
	}
	loc := time.UTC
	if zone != 0 {
		loc = time.FixedZone("", int(zone)*60)
	}
	return time.Unix(seconds, 0).In(loc)
}

func (d *metaDecoder) parts() []Span {
	n := d.number()
	if n > int64(len(d.b)/4) { // each takes 4 octets at least
		d.ok = false
		return nil
	}
	parts := make([]Span, n)
	at := int64(0)
	for i := range parts {
		kind := d.number()
		p := Span{Kind: PartKind(kind & 3), Parts: int(kind >> 2)}
		p.Header = at + d.number()
		p.Body = p.Header + d.number()
		p.End = p.Body + d.number()
		if p.Header < at || p.Body < p.Header || p.End < p.Body || p.Parts > len(parts) {
			d.ok = false
			return nil
		}
		parts[i], at = p, p.Body
	}
	return parts
}

// validTree reports whether the parts are one tree in the order of the walk.
func validTree(parts []Span) bool {
	open := 1 // parts that have to come
	for _, p := range parts {
		if open == 0 {
			return false
		}
		switch {
		case p.Kind == PartMultipart:
		case p.Kind == PartMessage && p.Parts == 1:
		case p.Kind == PartLeaf && p.Parts == 0:
		default:
			return false
		}
		open += p.Parts - 1
	}
	return open == 0
}
