package imapsearch

import "strings"

// keywordSets has a bit for each set of keywords of a view.Table. nil is none.
type keywordSets []uint64

func (k keywordSets) has(set int) bool { return set>>6 < len(k) && k[set>>6]&(1<<(set&63)) != 0 }

// findKeywords finds for all KEYWORD leaves together which sets have theirs: each
// set is walked through once, however many leaves there are.
func (s *searcher) findKeywords() {
	wanted := make(map[string]keywordSets)
	for i := range s.program {
		if s.program[i].Op == OpKeyword {
			wanted[strings.ToLower(s.program[i].Text)] = nil
		}
	}
	n := s.in.Table.KeywordSets()
	for set := range n {
		for _, kw := range s.in.Table.Keywords(set) {
			kw = strings.ToLower(kw)
			have, ok := wanted[kw]
			if !ok {
				continue
			}
			if have == nil {
				have = make(keywordSets, (n+63)/64)
				wanted[kw] = have
			}
			have[set>>6] |= 1 << (set & 63)
		}
	}
	for i := range s.program {
		if s.program[i].Op == OpKeyword {
			s.keywords[i] = wanted[strings.ToLower(s.program[i].Text)]
		}
	}
}
