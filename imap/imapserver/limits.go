package imapserver

import (
	"strconv"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/store"
)

// saveLimitValue is how many messages one COPY or APPEND may make (RFC 9738 §3).
func (s *session) saveLimitValue() string { return strconv.FormatInt(s.saveLimit(), 10) }

func (s *session) saveLimit() int64 {
	n := int64(s.srv.cfg.Limits.MaxSaved)
	if n < 0 || n > store.MaxWhole {
		n = store.MaxWhole
	}
	if all := int64(s.srv.cfg.Limits.MaxMessagesPerCommand); all > 0 {
		n = min(n, all)
	}
	return n
}

// limitsAll reports whether commands that save nothing have the same limit.
func (s *session) limitsAll() bool { return s.srv.cfg.Limits.MaxMessagesPerCommand > 0 }

func (s *session) limitsSaved() bool { return !s.limitsAll() }

// isOver reports whether a command looks at more messages than it may.
func (s *session) isOver(n int64) bool { return s.limitsAll() && n > s.saveLimit() }

// errOver refuses a command that cannot be done in parts.
func (s *session) errOver() error {
	return no(imap.Code(string(imap.CodeMessageLimit)+" "+s.saveLimitValue()), "Too many messages in one command")
}

// capped leaves the newest messages where a command names too many, and notes
// what its answer says of that (RFC 9738 §3.1).
func (s *session) capped(cmd *command, uids store.UIDSet) store.UIDSet {
	if s.isOver(uids.Len()) {
		uids = newest(uids, s.saveLimit())
		cmd.limit = limitCode(s.saveLimit(), uids.Min())
	}
	return uids
}

// tellLimit puts what capped noted into the answer: a response of its own where
// the answer has another code (RFC 9738 §3.1).
func (s *session) tellLimit(cmd *command, err error) {
	const text = "Only the newest messages were processed"
	switch {
	case cmd.limit == "":
	case err == nil && cmd.okCode == "":
		cmd.okCode, cmd.okText = cmd.limit, text
	case err == nil || !isBad(err):
		s.enc.Raw("* NO [").Raw(cmd.limit).Raw("] ").Raw(text).CRLF()
	}
}

// newest is the n greatest UIDs of a set that has more.
func newest(set store.UIDSet, n int64) store.UIDSet {
	for i := len(set) - 1; i >= 0; i-- {
		r := set[i]
		size := int64(r.Last-r.First) + 1
		if size >= n {
			r.First = r.Last - store.UID(n-1)
			return append(store.UIDSet{r}, set[i+1:]...)
		}
		n -= size
	}
	return set
}

// limitCode is the code of a command that went, or would go, no further down than
// a message (RFC 9738 §3.1).
func limitCode(n int64, lowest store.UID) string {
	return string(imap.CodeMessageLimit) + " " + strconv.FormatInt(n, 10) + " " + strconv.FormatUint(uint64(lowest), 10)
}
