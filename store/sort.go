package store

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/mailstead/mailstead/internal/casemap"
)

// SortBy is a sort key of RFC 5256 §3 and RFC 5957 §4.
type SortBy uint8

// The sort keys.
const (
	SortArrival SortBy = iota // Received
	SortCc                    // mailbox of the first address
	SortDate                  // Date field, else Received (RFC 5256 §2.2)
	SortFrom
	SortSize
	SortSubject // base subject
	SortTo
	SortDisplayFrom // name of the first address, else the address (RFC 5957 §3)
	SortDisplayTo
)

// SortKey is one criterion.
type SortKey struct {
	By      SortBy
	Reverse bool
}

// DefaultMaxSort is the SortQuery.Max of a query that names none.
const DefaultMaxSort = 100_000

// MaxSortText is how many octets of a text Sort compares, in the form of its
// collation. Texts that are equal as far as that count as equal.
const MaxSortText = 512

// SortQuery asks for messages of a mailbox in an order.
type SortQuery struct {
	Mailbox MailboxID
	UIDs    UIDSet    // which; empty = all
	Keys    []SortKey // what is equal in all of them comes in order of UID

	// Max bounds the messages that Sort sorts itself. Zero = DefaultMaxSort,
	// negative = none.
	Max int
}

// Sorter is an Account that sorts, by an index. Callers use Sort.
type Sorter interface {
	// SortMessages returns the UIDs of q that are there, in the order that
	// Sort documents. q.Max is ignored. ErrNoMailbox.
	SortMessages(ctx context.Context, q SortQuery) ([]UID, error)
}

// Sort returns the messages of q that are there in the order of its keys.
// Texts compare by i;unicode-casemap (RFC 5051), as RFC 5256 §6 asks; what has
// no such field comes first. Without a Sorter the order is made from Meta, at
// most q.Max messages (ErrLimit): for each 12 octets of memory, for each key 8,
// and the texts.
func Sort(ctx context.Context, a Account, q SortQuery) ([]UID, error) {
	if s, ok := As[Sorter](a); ok {
		return s.SortMessages(ctx, q)
	}
	s := newSorter(q)
	if err := s.read(ctx, a, q); err != nil {
		return nil, err
	}
	return s.sorted(), nil
}

// sorter has the values of messages in columns.
type sorter struct {
	keys    []SortKey
	columns []sortColumn // one a key
	uids    []UID
	scratch []byte

	compared int // pairs of messages
}

// sortColumn is the values of one key: numbers, or texts one behind the other.
type sortColumn struct {
	numbers []int64
	text    []byte
	ends    []int // of the text of each message
}

func newSorter(q SortQuery) *sorter {
	return &sorter{keys: q.Keys, columns: make([]sortColumn, len(q.Keys))}
}

// read takes in the messages of q.
func (s *sorter) read(ctx context.Context, a Account, q SortQuery) error {
	limit := q.Max
	if limit == 0 {
		limit = DefaultMaxSort
	}
	fields := FieldDates
	if slices.ContainsFunc(q.Keys, func(k SortKey) bool { return k.By != SortArrival && k.By != SortSize }) {
		fields |= FieldMeta | FieldContent // the content where Meta is missing
	}
	for m, err := range a.Messages(ctx, q.Mailbox, Query{UIDs: q.UIDs, Fields: fields}) {
		if err != nil {
			return err
		}
		if limit > 0 && len(s.uids) == limit {
			return &Error{Op: "sort", Mailbox: q.Mailbox.String(), Err: ErrLimit}
		}
		var meta Meta
		if fields&FieldMeta != 0 {
			var ok bool
			if meta, ok = DecodeMetaHead(m.Meta); !ok {
				meta, err = LoadMeta(ctx, a, q.Mailbox, m)
			}
			if errors.Is(err, ErrExpunged) || errors.Is(err, ErrNoMessage) {
				continue
			}
			if err != nil {
				return err
			}
		}
		s.add(m, &meta)
	}
	return nil
}

// add takes in one message.
func (s *sorter) add(m *Message, meta *Meta) {
	s.uids = append(s.uids, m.UID)
	for i, k := range s.keys {
		c := &s.columns[i]
		switch k.By {
		case SortArrival:
			c.numbers = append(c.numbers, m.Received.Unix())
		case SortDate:
			c.numbers = append(c.numbers, sortDate(m.Received, meta.SentDate))
		case SortSize:
			c.numbers = append(c.numbers, m.Size)
		default:
			s.scratch = appendSortText(s.scratch[:0], k.By, meta)
			start := len(c.text)
			c.text = casemap.AppendKey(c.text, s.scratch)
			c.text = c.text[:min(len(c.text), start+MaxSortText)]
			c.ends = append(c.ends, len(c.text))
		}
	}
}

// appendSortText adds the text of a key.
func appendSortText(dst []byte, by SortBy, meta *Meta) []byte {
	switch by {
	case SortSubject:
		return append(dst, meta.BaseSubject...)
	case SortFrom:
		return append(dst, firstAddress(meta.Envelope, envelopeFrom).mailbox...)
	case SortTo:
		return append(dst, firstAddress(meta.Envelope, envelopeTo).mailbox...)
	case SortCc:
		return append(dst, firstAddress(meta.Envelope, envelopeCc).mailbox...)
	case SortDisplayFrom:
		return firstAddress(meta.Envelope, envelopeFrom).appendDisplay(dst)
	case SortDisplayTo:
		return firstAddress(meta.Envelope, envelopeTo).appendDisplay(dst)
	}
	return dst
}

// sorted returns the UIDs in the order of the keys.
func (s *sorter) sorted() []UID {
	order := make([]int32, len(s.uids))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortFunc(order, s.compare)
	uids := make([]UID, len(order))
	for i, at := range order {
		uids[i] = s.uids[at]
	}
	return uids
}

// compare compares two messages; they came in the order of their UIDs.
func (s *sorter) compare(x, y int32) int {
	s.compared++
	for i := range s.columns {
		c := s.columns[i].compare(x, y)
		if s.keys[i].Reverse {
			c = -c
		}
		if c != 0 {
			return c
		}
	}
	return cmp.Compare(x, y)
}

func (c *sortColumn) compare(x, y int32) int {
	if c.numbers != nil {
		return cmp.Compare(c.numbers[x], c.numbers[y])
	}
	return bytes.Compare(c.at(x), c.at(y))
}

// at is the text of a message.
func (c *sortColumn) at(i int32) []byte {
	start := 0
	if i > 0 {
		start = c.ends[i-1]
	}
	return c.text[start:c.ends[i]]
}

func sortDate(received, sent time.Time) int64 {
	if sent.IsZero() {
		return received.Unix()
	}
	return sent.Unix()
}
