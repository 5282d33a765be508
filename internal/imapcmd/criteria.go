package imapcmd

import (
	"fmt"
	"time"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/internal/imapwire"
)

var errTooDeep = fmt.Errorf("%w: criteria are nested too deeply", ErrArgument)

// Criteria adds a space and the keys of a search.
func (l *Line) Criteria(q *imap.Criteria) *Line {
	l.criteria(q, false, 0)
	return l
}

// maxCriteria bounds the nesting of Not and Or.
const maxCriteria = 50

// criteria adds a space and the keys, in parentheses where nested is set.
func (l *Line) criteria(q *imap.Criteria, nested bool, depth int) {
	if depth > maxCriteria {
		l.Fail(errTooDeep)
		return
	}
	l.B = append(l.B, ' ')
	if q.Fuzzy {
		l.Text("FUZZY ")
		nested = true
	}
	if nested {
		l.B = append(l.B, '(')
	}
	start := len(l.B)
	l.setKeys(q)
	l.flagKeys(q)
	l.dateKeys(q)
	l.textKeys(q)
	if q.Raw != "" {
		l.Raw(q.Raw)
	}
	for i := range q.Not {
		l.SP("NOT").criteria(&q.Not[i], true, depth+1)
	}
	for i := range q.Or {
		l.SP("OR").criteria(&q.Or[i][0], true, depth+1)
		l.criteria(&q.Or[i][1], true, depth+1)
	}
	if len(l.B) == start {
		l.SP("ALL")
	}
	l.shift(start)
	if nested {
		l.B = append(l.B, ')')
	}
}

// shift takes out the space at an index.
func (l *Line) shift(at int) {
	l.B = append(l.B[:at], l.B[at+1:]...)
	for i := range l.Cuts {
		if l.Cuts[i] > at {
			l.Cuts[i]--
		}
	}
	for i := range l.Lits {
		if l.Lits[i][0] > at {
			l.Lits[i][0]--
			l.Lits[i][1]--
		}
	}
}

func (l *Line) setKeys(q *imap.Criteria) {
	if len(q.Seq) > 0 {
		l.SP(q.Seq.String())
	}
	if len(q.UIDs) > 0 {
		l.SP("UID").UIDs(q.UIDs)
	}
	if q.Larger > 0 {
		l.SP("LARGER").Number(q.Larger)
	}
	if q.Smaller > 0 {
		l.SP("SMALLER").Number(q.Smaller)
	}
	if q.ModSeq > 0 {
		l.SP("MODSEQ").Number(int64(q.ModSeq))
	}
	if q.EmailID != "" {
		l.SP("EMAILID").Atom(q.EmailID)
	}
	if q.ThreadID != "" {
		l.SP("THREADID").Atom(q.ThreadID)
	}
}

// flagKey pairs a system flag with its key.
type flagKey struct {
	bit imap.Flags
	key string
}

func (l *Line) flagKeys(q *imap.Criteria) {
	seen, _ := imap.SystemFlag(`\Seen`)
	answered, _ := imap.SystemFlag(`\Answered`)
	flagged, _ := imap.SystemFlag(`\Flagged`)
	deleted, _ := imap.SystemFlag(`\Deleted`)
	draft, _ := imap.SystemFlag(`\Draft`)
	for _, k := range []flagKey{{seen, "SEEN"}, {answered, "ANSWERED"}, {flagged, "FLAGGED"}, {deleted, "DELETED"}, {draft, "DRAFT"}} {
		if q.Flags&k.bit != 0 {
			l.SP(k.key)
		}
		if q.NotFlags&k.bit != 0 {
			l.SP("UN" + k.key)
		}
	}
	for _, k := range q.Keywords {
		l.SP("KEYWORD ").Flag(k)
	}
	for _, k := range q.NotKeywords {
		l.SP("UNKEYWORD ").Flag(k)
	}
}

func (l *Line) dateKeys(q *imap.Criteria) {
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
			l.SP(k.key)
			l.B = imapwire.AppendDate(l.B, k.day)
		}
	}
	if q.Younger > 0 {
		l.SP("YOUNGER").Number(int64(max(q.Younger/time.Second, 1)))
	}
	if q.Older > 0 {
		l.SP("OLDER").Number(int64(max(q.Older/time.Second, 1)))
	}
}

func (l *Line) textKeys(q *imap.Criteria) {
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
			l.SP(k.key).Str(v)
		}
	}
	for _, h := range q.Header {
		l.SP("HEADER").Str(h.Name).Str(h.Value)
	}
}
