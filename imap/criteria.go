package imap

import "time"

// Criteria say which messages are searched; all fields together. The zero value
// is ALL.
type Criteria struct {
	Seq         NumSet
	UIDs        UIDSet
	Flags       Flags
	NotFlags    Flags
	Keywords    []string
	NotKeywords []string

	// Days of INTERNALDATE, of the Date field and of SAVEDATE (RFC 8514). The time
	// of the day does not count; zero = any.
	Since, Before, On             time.Time
	SentSince, SentBefore, SentOn time.Time
	SavedSince, SavedBefore       time.Time

	Younger, Older  time.Duration // RFC 5032; zero = any
	Larger, Smaller int64         // octets; zero = any

	From, To, Cc, Bcc, Subject []string
	Header                     []Param // Value "" = the field is there
	Body, Text                 []string

	ModSeq            ModSeq // at least (RFC 7162 §3.1.5); zero = any
	EmailID, ThreadID string // RFC 8474; "" = any
	Fuzzy             bool   // RFC 6203

	Not []Criteria
	Or  [][2]Criteria

	// Raw is one more key as the protocol has it: "X-GM-RAW \"has:attachment\"".
	Raw string
}

// ASCII reports whether no string of q needs a charset.
func (q *Criteria) ASCII() bool {
	for _, list := range [][]string{q.From, q.To, q.Cc, q.Bcc, q.Subject, q.Body, q.Text, {q.Raw}} {
		for _, s := range list {
			if !isASCII(s) {
				return false
			}
		}
	}
	for _, h := range q.Header {
		if !isASCII(h.Name) || !isASCII(h.Value) {
			return false
		}
	}
	for i := range q.Not {
		if !q.Not[i].ASCII() {
			return false
		}
	}
	for i := range q.Or {
		if !q.Or[i][0].ASCII() || !q.Or[i][1].ASCII() {
			return false
		}
	}
	return true
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// SearchOptions say how a client searches and sorts.
type SearchOptions struct {
	// Return says what is wanted; zero = all UIDs. Where ESEARCH (of Sort: ESORT)
	// is not offered, it is found from all UIDs on this side.
	Return  SearchReturn
	Partial PartialRange // with ReturnPartial

	// Charset of the strings; "" = UTF-8 where one needs it.
	Charset string
}

// SearchResult has what Return asked for.
type SearchResult struct {
	UIDs     UIDSet // of Search
	Order    []UID  // of Sort: in that order
	Min, Max UID    // of Sort: the first and the last one; 0 = nothing was found
	Count    int64
	ModSeq   ModSeq // highest of those found, where mod-sequences were asked for (RFC 7162 §3.1.5)
}

// SearchUpdate is news of a context (RFC 5267 §4.3).
type SearchUpdate struct {
	Tag  string
	Data []Item
}
