package imapclient

import (
	"time"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/internal/imapwire"
)

// Criteria say which messages are searched; all fields together. The zero value
// is ALL.
type Criteria struct {
	Seq         imap.NumSet
	UIDs        imap.UIDSet
	Flags       imap.Flags
	NotFlags    imap.Flags
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
	Header                     []imap.Param // Value "" = the field is there
	Body, Text                 []string

	ModSeq            imap.ModSeq // at least (RFC 7162 §3.1.5); zero = any
	EmailID, ThreadID string      // RFC 8474; "" = any
	Fuzzy             bool        // RFC 6203

	Not []Criteria
	Or  [][2]Criteria

	// Raw is one more key as the protocol has it: "X-GM-RAW \"has:attachment\"".
	Raw string
}

// maxCriteria bounds the nesting of Not and Or.
const maxCriteria = 50

// criteria adds a space and the keys, in parentheses where nested is set.
func (l *line) criteria(q *Criteria, nested bool, depth int) {
	if depth > maxCriteria {
		l.fail(errTooDeep)
		return
	}
	l.b = append(l.b, ' ')
	if q.Fuzzy {
		l.text("FUZZY ")
		nested = true
	}
	if nested {
		l.b = append(l.b, '(')
	}
	start := len(l.b)
	l.setKeys(q)
	l.flagKeys(q)
	l.dateKeys(q)
	l.textKeys(q)
	if q.Raw != "" {
		l.raw(q.Raw)
	}
	for i := range q.Not {
		l.sp("NOT").criteria(&q.Not[i], true, depth+1)
	}
	for i := range q.Or {
		l.sp("OR").criteria(&q.Or[i][0], true, depth+1)
		l.criteria(&q.Or[i][1], true, depth+1)
	}
	if len(l.b) == start {
		l.sp("ALL")
	}
	l.shift(start)
	if nested {
		l.b = append(l.b, ')')
	}
}

// shift takes out the space at an index.
func (l *line) shift(at int) {
	l.b = append(l.b[:at], l.b[at+1:]...)
	for i := range l.cuts {
		if l.cuts[i] > at {
			l.cuts[i]--
		}
	}
	for i := range l.lits {
		if l.lits[i][0] > at {
			l.lits[i][0]--
			l.lits[i][1]--
		}
	}
}

func (l *line) setKeys(q *Criteria) {
	if len(q.Seq) > 0 {
		l.sp(q.Seq.String())
	}
	if len(q.UIDs) > 0 {
		l.sp("UID").uids(q.UIDs)
	}
	if q.Larger > 0 {
		l.sp("LARGER").number(q.Larger)
	}
	if q.Smaller > 0 {
		l.sp("SMALLER").number(q.Smaller)
	}
	if q.ModSeq > 0 {
		l.sp("MODSEQ").number(int64(q.ModSeq))
	}
	if q.EmailID != "" {
		l.sp("EMAILID").atom(q.EmailID)
	}
	if q.ThreadID != "" {
		l.sp("THREADID").atom(q.ThreadID)
	}
}

// flagKey pairs a system flag with its key.
type flagKey struct {
	bit imap.Flags
	key string
}

func (l *line) flagKeys(q *Criteria) {
	seen, _ := imap.SystemFlag(`\Seen`)
	answered, _ := imap.SystemFlag(`\Answered`)
	flagged, _ := imap.SystemFlag(`\Flagged`)
	deleted, _ := imap.SystemFlag(`\Deleted`)
	draft, _ := imap.SystemFlag(`\Draft`)
	for _, k := range []flagKey{{seen, "SEEN"}, {answered, "ANSWERED"}, {flagged, "FLAGGED"}, {deleted, "DELETED"}, {draft, "DRAFT"}} {
		if q.Flags&k.bit != 0 {
			l.sp(k.key)
		}
		if q.NotFlags&k.bit != 0 {
			l.sp("UN" + k.key)
		}
	}
	for _, k := range q.Keywords {
		l.sp("KEYWORD ").flag(k)
	}
	for _, k := range q.NotKeywords {
		l.sp("UNKEYWORD ").flag(k)
	}
}

func (l *line) dateKeys(q *Criteria) {
	for _, k := range []struct {
		key string
		day time.Time
	}{
		{"SINCE ", q.Since},
		{"BEFORE ", q.Before},
		{"ON ", q.On},
		{"SENTSINCE ", q.SentSince},
		{"SENTBEFORE ", q.SentBefore},
		{"SENTON ", q.SentOn},
		{"SAVEDSINCE ", q.SavedSince},
		{"SAVEDBEFORE ", q.SavedBefore},
	} {
		if !k.day.IsZero() {
			l.sp(k.key)
			l.b = imapwire.AppendDate(l.b, k.day)
		}
	}
	if q.Younger > 0 {
		l.sp("YOUNGER").number(int64(max(q.Younger/time.Second, 1)))
	}
	if q.Older > 0 {
		l.sp("OLDER").number(int64(max(q.Older/time.Second, 1)))
	}
}

func (l *line) textKeys(q *Criteria) {
	for _, k := range []struct {
		key    string
		values []string
	}{
		{"FROM", q.From},
		{"TO", q.To},
		{"CC", q.Cc},
		{"BCC", q.Bcc},
		{"SUBJECT", q.Subject},
		{"BODY", q.Body},
		{"TEXT", q.Text},
	} {
		for _, v := range k.values {
			l.sp(k.key).str(v)
		}
	}
	for _, h := range q.Header {
		l.sp("HEADER").str(h.Name).str(h.Value)
	}
}

// ascii reports whether no string needs a charset.
func (q *Criteria) ascii() bool {
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
		if !q.Not[i].ascii() {
			return false
		}
	}
	for i := range q.Or {
		if !q.Or[i][0].ascii() || !q.Or[i][1].ascii() {
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
