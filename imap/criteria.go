package imap

import "time"

// Criteria say which messages are searched (RFC 9051 §6.4.4): those that fulfil all
// fields, and of a field with several values each. A field that is zero says
// nothing; the zero value finds all messages. It is not changed, and may be used by
// many goroutines. What has no form in the protocol is an error of the client.
type Criteria struct {
	Seq         NumSet   // sequence numbers
	UIDs        UIDSet   // empty, it says nothing either
	Flags       Flags    // all of them are set
	NotFlags    Flags    // none of them is
	Keywords    []string // as Flags: "$Forwarded"
	NotKeywords []string

	// Days of INTERNALDATE, of the Date field and of SAVEDATE (RFC 8514), each as
	// its Location has it. Since is that day or later. The time of the day does not
	// count; zero = any.
	Since, Before, On             time.Time
	SentSince, SentBefore, SentOn time.Time
	SavedSince, SavedBefore       time.Time

	// Age by INTERNALDATE (RFC 5032), in whole seconds, one at least; zero = any.
	Younger, Older time.Duration

	Larger, Smaller int64 // octets, and not as many; zero = any

	// Parts of fields, of the body, and of fields or body, in UTF-8 and any case.
	From, To, Cc, Bcc, Subject []string
	Header                     []Param // Value "" = the field is there
	Body, Text                 []string

	ModSeq            ModSeq // at least (RFC 7162 §3.1.5); zero = any
	EmailID, ThreadID string // RFC 8474; "" = any
	Fuzzy             bool   // what is like it counts, too (RFC 6203)

	Not []Criteria    // none of them is fulfilled
	Or  [][2]Criteria // of each pair one is; 50 levels at most, as of Not

	// Raw is one more key as the protocol has it: "X-GM-RAW \"has:attachment\"".
	// Quotes and parentheses have to match, and "{" stands in quotes only.
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

// SearchOptions say how a client searches and sorts. The zero value asks for all
// UIDs.
type SearchOptions struct {
	// Return says what is wanted; zero = all UIDs. Where ESEARCH (of Sort: ESORT)
	// is not offered, it is found from all UIDs on this side.
	Return  SearchReturn
	Partial PartialRange // with ReturnPartial

	// Charset of the strings; "" = UTF-8 where one needs it.
	Charset string
}

// SearchResult has what Return asked for; what it did not ask for may be zero. With
// ReturnPartial, UIDs and Order are those of the window.
type SearchResult struct {
	UIDs     UIDSet // of Search; nil = nothing was found
	Order    []UID  // of Sort: in that order
	Min, Max UID    // of Sort: the first and the last one; 0 = nothing was found
	Count    int64  // messages
	ModSeq   ModSeq // highest of those found, where mod-sequences were asked for (RFC 7162 §3.1.5)
}

// SearchUpdate is news of a context (RFC 5267 §4.3).
type SearchUpdate struct {
	Tag  string // of the command that began the context; "" = not said
	Data []Item // "ADDTO", "REMOVEFROM", with their values
}
