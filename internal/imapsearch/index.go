package imapsearch

import (
	"github.com/mailstead/mailstead/store"
)

const (
	maxAsked    = 16 // leaves that the index, and what the view keeps, is asked about in one search
	worthAsking = 16 // messages; fewer are read sooner
)

// askIndex asks the account's index, where there is one, about the leaves that
// look into the octets of a message. It reports whether something was asked.
func (s *searcher) askIndex(doubt store.UIDSet) (bool, error) {
	if doubt.Len() < worthAsking {
		return false, nil
	}
	index, ok := store.As[store.Searcher](s.in.Account)
	if !ok {
		return false, nil
	}
	asked := 0
	for i := range s.program {
		n := &s.program[i]
		part, ok := textPart(n)
		if !ok || asked == maxAsked {
			continue
		}
		hits, err := index.SearchText(s.ctx, store.SearchQuery{Mailbox: s.in.ID, UIDs: doubt, Text: n.Text, In: part})
		if err != nil {
			return false, err
		}
		s.setHits(n, hits)
		asked++
	}
	return asked > 0, nil
}

// textPart is where an index is to look for the text of a leaf.
func textPart(n *Node) (store.TextPart, bool) {
	switch n.Op {
	case OpHeader:
		return store.TextHeader, n.Text != ""
	case OpBody:
		return store.TextBody, true
	case OpText:
		return store.TextAnywhere, true
	}
	return 0, false
}

// byIndex judges a leaf by what the index said, or what the view keeps. Of HEADER it knows only in
// which messages no field has the text.
func (s *searcher) byIndex(n *Node, uid store.UID) truth {
	hits, asked := s.hits[n]
	switch {
	case !asked, hits.Unknown.Contains(uid):
		return unknown
	case !hits.Match.Contains(uid):
		return refuted
	case n.Op == OpHeader:
		return unknown
	}
	return proved
}
