package format

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math"
	"time"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/blob"
)

// Hash is the SHA-256 of a body, by which it is kept once.
type Hash [sha256.Size]byte

// String is the hash in lower-case hexadecimal.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// The types of rows. A log has streams of rows, see the package comment.
const (
	RowMailbox = 'b'
	RowMessage = 'm' // facts and state
	RowState   = 's' // state of a message whose facts stand earlier in the chain
	RowGone    = 'g'
	RowEntry   = 'e'
	RowBody    = 'u'
	RowNoBody  = 'x' // the body could not be read when the backup was made
)

// Message is a message as the archive has it.
type Message struct {
	store.Message
	Body    Hash
	HasBody bool
	NoBody  bool // it could not be read when the backup was made
}

// The flags of a mailbox row.
const (
	boxSubscribed = 1 << iota
	boxNoSelect
	boxGone
)

// AppendMailbox adds the row of a mailbox.
func AppendMailbox(b []byte, m *store.Mailbox) []byte {
	var flags byte
	for _, f := range [...]struct {
		set bool
		bit byte
	}{{m.Subscribed, boxSubscribed}, {m.NoSelect, boxNoSelect}, {m.Gone, boxGone}} {
		if f.set {
			flags |= f.bit
		}
	}
	b = append(append(append(b, RowMailbox), m.ID[:]...), flags)
	b = appendString(b, m.Name)
	for _, v := range [...]uint64{
		uint64(m.UIDValidity), uint64(m.UIDNext), uint64(m.ModSeq), uint64(m.HighestModSeq),
		uint64(m.Messages), uint64(m.Unseen), uint64(m.Deleted), uint64(m.Bytes), uint64(m.RecentFrom),
	} {
		b = binary.AppendUvarint(b, v)
	}
	return appendString(b, m.Role)
}

func (in *input) mailbox() (m store.Mailbox) {
	copy(m.ID[:], in.take(uint64(len(m.ID))))
	flags := in.octet()
	m.Subscribed, m.NoSelect, m.Gone = flags&boxSubscribed != 0, flags&boxNoSelect != 0, flags&boxGone != 0
	m.Name = in.string()
	m.UIDValidity = store.UIDValidity(in.number(math.MaxUint32))
	m.UIDNext = store.UID(in.number(math.MaxUint32))
	m.ModSeq, m.HighestModSeq = in.modSeq(), in.modSeq()
	for _, n := range [...]*int64{&m.Messages, &m.Unseen, &m.Deleted, &m.Bytes} {
		*n = int64(in.number(math.MaxInt64))
	}
	m.RecentFrom = store.UID(in.number(math.MaxUint32))
	m.Role = in.string()
	if in.err == nil && (m.ID.IsZero() || store.ValidateName(m.Name) != nil) {
		in.fail()
	}
	return m
}

func (in *input) modSeq() store.ModSeq { return store.ModSeq(in.number(math.MaxInt64)) }

func (in *input) uid() store.UID {
	u := in.number(math.MaxUint32)
	if u == 0 {
		in.fail()
	}
	return store.UID(u)
}

// AppendState writes what all rows of messages begin with.
func AppendState(b []byte, kind byte, m *store.Message) []byte {
	b = binary.AppendUvarint(append(b, kind), uint64(m.UID))
	b = binary.AppendUvarint(b, uint64(m.ModSeq))
	if kind == RowGone {
		return b
	}
	b = binary.AppendUvarint(b, uint64(m.Flags))
	b = binary.AppendUvarint(b, uint64(len(m.Keywords)))
	for _, k := range m.Keywords {
		b = appendString(b, k)
	}
	return b
}

// AppendMessage writes a message whole. The archive has the content itself, so
// it keeps no Key, nor a Ref that opens with one, which another store could not
// use; a restore gets its own. Meta is computed again.
func AppendMessage(b []byte, m *store.Message) []byte {
	b = AppendState(b, RowMessage, m)
	b = binary.AppendUvarint(b, uint64(m.Size))
	b = binary.AppendVarint(appendTime(b, m.Received), m.Saved.Unix())
	b = append(append(b, m.EmailID[:]...), m.ThreadID[:]...)
	ref := m.Blob
	if len(m.Key) > 0 {
		ref = ""
	}
	b = appendString(appendString(b, ref), "")
	return appendString(appendString(b, m.Prefix), "")
}

// maxKeywords bounds the keywords of one message.
const maxKeywords = 100_000

// uidRow reads a row of a message of type kind.
func (in *input) uidRow(kind byte, m *Message) {
	*m = Message{Message: store.Message{UID: in.uid(), Keywords: m.Keywords[:0]}}
	switch kind {
	case RowBody:
		m.HasBody = true
		copy(m.Body[:], in.take(sha256.Size))
		m.Size = int64(in.number(math.MaxInt64))
		return
	case RowNoBody:
		m.NoBody = true
		return
	}
	m.ModSeq = in.modSeq()
	if kind == RowGone {
		m.Gone = true
		return
	}
	m.Flags = store.Flags(in.number(uint64(store.AllFlags)))
	for range in.number(maxKeywords) {
		if in.err != nil {
			return
		}
		m.Keywords = append(m.Keywords, in.string())
	}
	if kind == RowMessage {
		in.facts(&m.Message)
	}
}

func (in *input) facts(m *store.Message) {
	m.Size = int64(in.number(math.MaxInt64))
	m.Received, m.Saved = in.time(), time.Unix(in.varint(), 0).UTC()
	copy(m.EmailID[:], in.take(uint64(len(m.EmailID))))
	copy(m.ThreadID[:], in.take(uint64(len(m.ThreadID))))
	m.Blob = blob.Ref(in.bytes())
	in.bytes() // Key and Meta, which nobody writes
	m.Prefix = none(in.bytes())
	in.bytes()
	if m.Size < int64(len(m.Prefix)) {
		in.fail()
	}
}

// none makes nil of no octets.
func none(b []byte) []byte {
	if len(b) == 0 {
		return nil
	}
	return b
}

// AppendBody adds the row that says which body a message has.
func AppendBody(b []byte, uid store.UID, h Hash, size int64) []byte {
	b = binary.AppendUvarint(append(b, RowBody), uint64(uid))
	return binary.AppendUvarint(append(b, h[:]...), uint64(size))
}

// AppendNoBody adds the row of a message whose body could not be read.
func AppendNoBody(b []byte, uid store.UID) []byte {
	return binary.AppendUvarint(append(b, RowNoBody), uint64(uid))
}

// The flags of an entry row.
const (
	entryGone = 1 << iota
	entryExpires
)

// AppendEntry adds the row of an entry.
func AppendEntry(b []byte, e *store.Entry) []byte {
	var flags byte
	if e.Gone {
		flags |= entryGone
	}
	if !e.Expires.IsZero() {
		flags |= entryExpires
	}
	b = append(append(append(b, RowEntry), e.Mailbox[:]...), flags)
	b = binary.AppendUvarint(appendString(b, e.Key), uint64(e.ModSeq))
	if flags&entryExpires != 0 {
		b = binary.AppendVarint(b, e.Expires.UnixNano())
	}
	return appendString(b, e.Value)
}

func (in *input) entry() (e store.Entry) {
	copy(e.Mailbox[:], in.take(uint64(len(e.Mailbox))))
	flags := in.octet()
	e.Gone = flags&entryGone != 0
	e.Key, e.ModSeq = in.string(), in.modSeq()
	if flags&entryExpires != 0 {
		e.Expires = time.Unix(0, in.varint())
	}
	value := in.bytes()
	if !e.Gone {
		e.Value = append([]byte{}, value...)
	}
	if e.Key == "" || len(e.Key) > store.MaxEntryKey || len(value) > store.MaxEntryValue {
		in.fail()
	}
	return e
}
