package backup

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
	rowMailbox = 'b'
	rowMessage = 'm' // facts and state
	rowState   = 's' // state of a message whose facts stand earlier in the chain
	rowGone    = 'g'
	rowEntry   = 'e'
	rowBody    = 'u'
	rowNoBody  = 'x' // the body could not be read when the backup was made
)

// message is a message as the archive has it.
type message struct {
	store.Message
	body    Hash
	hasBody bool
	noBody  bool // it could not be read when the backup was made
}

// The flags of a mailbox row.
const (
	boxSubscribed = 1 << iota
	boxNoSelect
	boxGone
)

func appendMailbox(b []byte, m *store.Mailbox) []byte {
	var flags byte
	for _, f := range [...]struct {
		set bool
		bit byte
	}{{m.Subscribed, boxSubscribed}, {m.NoSelect, boxNoSelect}, {m.Gone, boxGone}} {
		if f.set {
			flags |= f.bit
		}
	}
	b = append(append(append(b, rowMailbox), m.ID[:]...), flags)
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

// appendState writes what all rows of messages begin with.
func appendState(b []byte, kind byte, m *store.Message) []byte {
	b = binary.AppendUvarint(append(b, kind), uint64(m.UID))
	b = binary.AppendUvarint(b, uint64(m.ModSeq))
	if kind == rowGone {
		return b
	}
	b = binary.AppendUvarint(b, uint64(m.Flags))
	b = binary.AppendUvarint(b, uint64(len(m.Keywords)))
	for _, k := range m.Keywords {
		b = appendString(b, k)
	}
	return b
}

// appendMessage writes a message whole. Meta is kept where the body is
// encrypted; elsewhere a restore computes it again.
func appendMessage(b []byte, m *store.Message) []byte {
	b = appendState(b, rowMessage, m)
	b = binary.AppendUvarint(b, uint64(m.Size))
	b = binary.AppendVarint(appendTime(b, m.Received), m.Saved.Unix())
	b = append(append(b, m.EmailID[:]...), m.ThreadID[:]...)
	b = appendString(appendString(appendString(b, m.Blob), m.Key), m.Prefix)
	if len(m.Key) == 0 {
		return appendString(b, "")
	}
	return appendString(b, m.Meta)
}

// maxKeywords bounds the keywords of one message.
const maxKeywords = 100_000

// uidRow reads a row of a message of type kind.
func (in *input) uidRow(kind byte, m *message) {
	*m = message{Message: store.Message{UID: in.uid(), Keywords: m.Keywords[:0]}}
	switch kind {
	case rowBody:
		m.hasBody = true
		copy(m.body[:], in.take(sha256.Size))
		m.Size = int64(in.number(math.MaxInt64))
		return
	case rowNoBody:
		m.noBody = true
		return
	}
	m.ModSeq = in.modSeq()
	if kind == rowGone {
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
	if kind == rowMessage {
		in.facts(&m.Message)
	}
}

func (in *input) facts(m *store.Message) {
	m.Size = int64(in.number(math.MaxInt64))
	m.Received, m.Saved = in.time(), time.Unix(in.varint(), 0).UTC()
	copy(m.EmailID[:], in.take(uint64(len(m.EmailID))))
	copy(m.ThreadID[:], in.take(uint64(len(m.ThreadID))))
	m.Blob = blob.Ref(in.bytes())
	m.Key, m.Prefix, m.Meta = none(in.bytes()), none(in.bytes()), none(in.bytes())
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

func appendBody(b []byte, uid store.UID, h Hash, size int64) []byte {
	b = binary.AppendUvarint(append(b, rowBody), uint64(uid))
	return binary.AppendUvarint(append(b, h[:]...), uint64(size))
}

func appendNoBody(b []byte, uid store.UID) []byte {
	return binary.AppendUvarint(append(b, rowNoBody), uint64(uid))
}

// The flags of an entry row.
const (
	entryGone = 1 << iota
	entryExpires
)

func appendEntry(b []byte, e *store.Entry) []byte {
	var flags byte
	if e.Gone {
		flags |= entryGone
	}
	if !e.Expires.IsZero() {
		flags |= entryExpires
	}
	b = append(append(append(b, rowEntry), e.Mailbox[:]...), flags)
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
