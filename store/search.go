package store

import (
	"context"
	"errors"
)

// TextPart says where a text is looked for.
type TextPart uint8

// The parts of a message that SEARCH HEADER, BODY and TEXT look at
// (RFC 9051 §6.4.4).
const (
	TextAnywhere TextPart = iota // header and body
	TextHeader
	TextBody
)

// DefaultMaxScan is the SearchQuery.MaxScan of a query that names none.
const DefaultMaxScan = 10_000

// SearchQuery asks which messages of a mailbox contain a text.
type SearchQuery struct {
	Mailbox MailboxID
	UIDs    UIDSet // limits the answer to these; empty = all
	Text    string // UTF-8, compared without case; never empty
	In      TextPart

	// MaxScan bounds the messages that Search reads itself because no index
	// knows them. Zero = DefaultMaxScan, negative = none.
	MaxScan int
}

// SearchHits is what an index knows. A UID is in Match, in Unknown or in
// neither, which means that it does not match.
type SearchHits struct {
	Match   UIDSet // contain the text for sure
	Unknown UIDSet // the index cannot tell: not indexed yet, or a text it cannot look for
}

// Searcher is an Account with an index of texts. An index may lag behind and
// may be unable to look for some texts, but it never guesses: what it cannot
// tell is Unknown. Callers use Search.
type Searcher interface {
	// SearchText answers for the messages of q that are there. q.MaxScan is
	// ignored. ErrNoMailbox.
	SearchText(ctx context.Context, q SearchQuery) (SearchHits, error)
}

// Matcher judges one message that no index knows. m has FieldContent and
// FieldMeta, and is valid during the call; so is c.
type Matcher func(ctx context.Context, m *Message, c Content) (bool, error)

// Search returns the UIDs whose messages contain q.Text. Account a is asked
// for a Searcher; the messages that it cannot tell, all of them where there is
// none, are read and judged by match, q.MaxScan at most (ErrLimit: there are
// more, and nothing is returned). What contains a text after its encodings are
// undone is for match to say, which knows MIME. With match = nil Search uses
// an index alone: ErrUnsupported where that does not suffice. ErrInvalid: the
// text is empty.
func Search(ctx context.Context, a Account, q SearchQuery, match Matcher) (UIDSet, error) {
	if q.Text == "" {
		return nil, &Error{Op: "search", Mailbox: q.Mailbox.String(), Err: ErrInvalid}
	}
	hits, err := askIndex(ctx, a, q)
	if err != nil || len(hits.Unknown) == 0 {
		return hits.Match, err
	}
	if match == nil {
		return nil, &Error{Op: "search", Mailbox: q.Mailbox.String(), Err: ErrUnsupported}
	}
	found, err := scan(ctx, a, q, hits.Unknown, match)
	if err != nil {
		return nil, err
	}
	found.AddSet(hits.Match)
	return found, nil
}

// askIndex returns what the Searcher of a knows; without one nothing is known.
func askIndex(ctx context.Context, a Account, q SearchQuery) (SearchHits, error) {
	if s, ok := As[Searcher](a); ok {
		return s.SearchText(ctx, q)
	}
	var all UIDSet
	for m, err := range a.Messages(ctx, q.Mailbox, Query{UIDs: q.UIDs}) {
		if err != nil {
			return SearchHits{}, err
		}
		all.Add(m.UID)
	}
	return SearchHits{Unknown: all}, nil
}

// scan judges the messages of uids one by one.
func scan(ctx context.Context, a Account, q SearchQuery, uids UIDSet, match Matcher) (UIDSet, error) {
	limit := q.MaxScan
	if limit == 0 {
		limit = DefaultMaxScan
	}
	if limit > 0 && uids.Len() > int64(limit) {
		return nil, &Error{Op: "search", Mailbox: q.Mailbox.String(), Err: ErrLimit}
	}
	var found UIDSet
	for m, err := range a.Messages(ctx, q.Mailbox, Query{UIDs: uids, Fields: FieldContent | FieldMeta}) {
		if err != nil {
			return nil, err
		}
		ok, err := judge(ctx, a, q.Mailbox, m, match)
		if err != nil {
			return nil, err
		}
		if ok {
			found.Add(m.UID)
		}
	}
	return found, nil
}

// judge opens one message for match. One that was expunged meanwhile does not
// match.
func judge(ctx context.Context, a Account, id MailboxID, m *Message, match Matcher) (bool, error) {
	c, err := a.Content(ctx, id, m.UID)
	if errors.Is(err, ErrExpunged) || errors.Is(err, ErrNoMessage) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer c.Close()
	return match(ctx, m, c)
}
