package store

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"time"
)

// SortBy is a sort key of RFC 5256 §3.
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
)

// SortKey is one criterion.
type SortKey struct {
	By      SortBy
	Reverse bool
}

// DefaultMaxSort is the SortQuery.Max of a query that names none.
const DefaultMaxSort = 100_000

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
// Texts compare octet by octet after a-z became A-Z (i;ascii-casemap,
// RFC 4790 §9.2); what has no such field comes first. Without a Sorter the
// order is made from Meta, at most q.Max messages (ErrLimit), some hundred
// octets of memory each.
func Sort(ctx context.Context, a Account, q SortQuery) ([]UID, error) {
	if s, ok := As[Sorter](a); ok {
		return s.SortMessages(ctx, q)
	}
	rows, err := sortRows(ctx, a, q)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(rows, func(x, y sortRow) int {
		for i, k := range q.Keys {
			c := cmp.Or(cmp.Compare(x.values[i].number, y.values[i].number), bytes.Compare(x.values[i].text, y.values[i].text))
			if k.Reverse {
				c = -c
			}
			if c != 0 {
				return c
			}
		}
		return cmp.Compare(x.uid, y.uid)
	})
	uids := make([]UID, len(rows))
	for i, r := range rows {
		uids[i] = r.uid
	}
	return uids, nil
}

type sortRow struct {
	uid    UID
	values []sortValue // one a key
}

type sortValue struct {
	number int64
	text   []byte
}

func sortRows(ctx context.Context, a Account, q SortQuery) ([]sortRow, error) {
	limit := q.Max
	if limit == 0 {
		limit = DefaultMaxSort
	}
	fields := FieldDates
	if slices.ContainsFunc(q.Keys, func(k SortKey) bool { return k.By != SortArrival && k.By != SortSize }) {
		fields |= FieldMeta | FieldContent
	}
	var rows []sortRow
	for m, err := range a.Messages(ctx, q.Mailbox, Query{UIDs: q.UIDs, Fields: fields}) {
		if err != nil {
			return nil, err
		}
		if limit > 0 && len(rows) == limit {
			return nil, &Error{Op: "sort", Mailbox: q.Mailbox.String(), Err: ErrLimit}
		}
		var meta Meta
		if fields&FieldMeta != 0 {
			if meta, err = LoadMeta(ctx, a, q.Mailbox, m); err != nil {
				return nil, err
			}
		}
		row := sortRow{uid: m.UID, values: make([]sortValue, len(q.Keys))}
		for i, k := range q.Keys {
			row.values[i] = sortValueOf(k.By, m, &meta)
		}
		rows = append(rows, row)
	}
	return rows, nil
}

func sortValueOf(by SortBy, m *Message, meta *Meta) sortValue {
	switch by {
	case SortArrival:
		return sortValue{number: m.Received.Unix()}
	case SortDate:
		return sortValue{number: sortDate(m.Received, meta.SentDate)}
	case SortSize:
		return sortValue{number: m.Size}
	case SortSubject:
		return sortValue{text: upper(meta.BaseSubject)}
	case SortFrom:
		return sortValue{text: upper(firstMailbox(meta.Envelope, envelopeFrom))}
	case SortTo:
		return sortValue{text: upper(firstMailbox(meta.Envelope, envelopeTo))}
	case SortCc:
		return sortValue{text: upper(firstMailbox(meta.Envelope, envelopeCc))}
	}
	return sortValue{}
}

func sortDate(received, sent time.Time) int64 {
	if sent.IsZero() {
		return received.Unix()
	}
	return sent.Unix()
}

// upper is a copy of b with a-z as A-Z.
func upper(b []byte) []byte {
	b = bytes.Clone(b)
	for i, c := range b {
		if 'a' <= c && c <= 'z' {
			b[i] = c - 'a' + 'A'
		}
	}
	return b
}
