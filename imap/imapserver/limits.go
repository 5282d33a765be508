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
		return store.MaxWhole
	}
	return n
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
