package migrate

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/mailstead/mailstead/store"
)

// record is what is remembered of one message that was migrated.
type record struct {
	ID       string
	Ref      string // in the target; "" = not known
	State    recordState
	Flags    store.Flags // as the source had them when they were last looked at
	Keywords []string
	Size     int64 // with CRLF
	Print    Print
	Digest   Digest
	Received time.Time // to the second, UTC; zero = not known
}

// recordState says what Ref is.
type recordState uint8

const (
	settled     recordState = iota // Ref is what List has
	provisional                    // Ref is what Add returned, see Writer.Resolve
	double                         // nothing was copied: another mailbox has the message
	matched                        // as settled; the message was there already
	vanishing                      // about to be removed; never written
)

// A page holds records in ascending order of ID. It is written whole.
type page struct {
	records []record
	size    int // of the encoding, about
	dirty   bool
}

const (
	pageVersion = 1
	maxPage     = 40 << 10 // octets; below MaxNote by what one record may take
	maxRecords  = 512
	maxRecordID = 255
)

// full reports whether no further record should come into p.
func (p *page) full() bool { return len(p.records) >= maxRecords || p.size >= maxPage }

func (p *page) add(r record) {
	p.records = append(p.records, r)
	p.size += 48 + len(r.ID) + len(r.Ref)
	for _, k := range r.Keywords {
		p.size += len(k) + 1
	}
}

// without is p without the records in one state.
func (p *page) without(state recordState) *page {
	q := &page{}
	for i := range p.records {
		if p.records[i].State != state {
			q.add(p.records[i])
		}
	}
	return q
}

// encode writes p as octet 1, the number of records, and for each: the octets
// that its ID and Ref share with those before, the rest of both, state and flags,
// keywords, size, time, Print, Digest.
func (p *page) encode() []byte {
	b := binary.AppendUvarint([]byte{pageVersion}, uint64(len(p.records)))
	var last record
	for i := range p.records {
		r := &p.records[i]
		b = appendSuffix(b, last.ID, r.ID)
		b = appendSuffix(b, last.Ref, r.Ref)
		b = append(b, byte(r.State), byte(r.Flags))
		b = binary.AppendUvarint(b, uint64(len(r.Keywords)))
		for _, k := range r.Keywords {
			b = appendSuffix(b, "", k)
		}
		b = binary.AppendVarint(b, r.Size)
		b = binary.AppendVarint(b, unixOf(r.Received))
		b = binary.BigEndian.AppendUint64(b, uint64(r.Print))
		b = append(b, r.Digest[:]...)
		last = *r
	}
	return b
}

func unixOf(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}

func appendSuffix(b []byte, last, s string) []byte {
	n := 0
	for n < len(last) && n < len(s) && last[n] == s[n] {
		n++
	}
	b = binary.AppendUvarint(b, uint64(n))
	b = binary.AppendUvarint(b, uint64(len(s)-n))
	return append(b, s[n:]...)
}

// pageReader reads an encoding; the first fault stays.
type pageReader struct {
	b   []byte
	bad bool
}

func (r *pageReader) bytes(n uint64) []byte {
	if n > uint64(len(r.b)) {
		r.bad, n = true, uint64(len(r.b))
	}
	out := r.b[:n]
	r.b = r.b[n:]
	return out
}

func (r *pageReader) octet() byte {
	if b := r.bytes(1); len(b) == 1 {
		return b[0]
	}
	return 0
}

func (r *pageReader) uint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *pageReader) int() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *pageReader) suffix(last string) string {
	n := r.uint()
	if n > uint64(len(last)) {
		r.bad, n = true, 0
	}
	return last[:n] + string(r.bytes(r.uint()))
}

// decodePage reads what encode has written. ErrState.
func decodePage(b []byte) (*page, error) {
	if len(b) == 0 || b[0] != pageVersion {
		return nil, fmt.Errorf("%w: a page of an unknown version", ErrState)
	}
	r := &pageReader{b: b[1:]}
	n := r.uint()
	p := &page{}
	if n <= uint64(len(b)) {
		p.records = make([]record, 0, n)
	}
	var last record
	for i := uint64(0); i < n && !r.bad; i++ {
		x := record{ID: r.suffix(last.ID), Ref: r.suffix(last.Ref)}
		x.State, x.Flags = recordState(r.octet()), store.Flags(r.octet())
		x.Keywords = r.keywords()
		x.Size = r.int()
		if t := r.int(); t != 0 {
			x.Received = time.Unix(t, 0).UTC()
		}
		if u := r.bytes(8); len(u) == 8 {
			x.Print = Print(binary.BigEndian.Uint64(u))
		}
		copy(x.Digest[:], r.bytes(uint64(len(x.Digest))))
		if r.bad || x.ID <= last.ID || x.State > matched || x.Flags&^store.AllFlags != 0 {
			return nil, fmt.Errorf("%w: record %d of a page", ErrState, i)
		}
		p.add(x)
		last = x
	}
	if r.bad || len(r.b) > 0 {
		return nil, fmt.Errorf("%w: a page", ErrState)
	}
	return p, nil
}

func (r *pageReader) keywords() []string {
	n := r.uint()
	if n > store.MaxKeywords {
		r.bad = true
		return nil
	}
	var out []string
	for range n {
		out = append(out, r.suffix(""))
	}
	return out
}
