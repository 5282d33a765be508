package history

import (
	"context"
	"encoding/json"
	"iter"
	"slices"
	"time"

	"github.com/mailstead/mailstead/queue"
)

// Filter selects records; a zero field selects all, several fields all have to
// hold.
type Filter struct {
	Message   string
	Sender    string // the reverse-path as written, without regard to ASCII case; "<>" = the null sender
	Recipient string // a forward-path, likewise; records have all of their recipients
	Identity  string
	Since     time.Time // finished at that time or later
	Until     time.Time // finished before
	Limit     int       // zero = no limit
}

// match reports whether f selects a record. The times are not looked at.
func (f *Filter) match(r *Record) bool {
	switch {
	case f.Message != "" && f.Message != r.Message,
		f.Sender == "<>" && r.Sender != "",
		f.Sender != "" && f.Sender != "<>" && queue.FoldPath(f.Sender) != queue.FoldPath(r.Sender),
		f.Identity != "" && f.Identity != r.Identity:
		return false
	case f.Recipient == "":
		return true
	}
	want := queue.FoldPath(f.Recipient)
	return slices.ContainsFunc(r.Recipients, func(x Recipient) bool { return queue.FoldPath(x.Address) == want })
}

// Query yields the records that f selects, the newest first. It reads all those
// of the time range until Limit is reached, by pages; nothing is held while the
// loop body runs. A record that cannot be read is passed over.
func (h *History) Query(ctx context.Context, f Filter) iter.Seq2[*Record, error] {
	q := queue.EntryFilter{Kind: Kind}
	if !f.Until.IsZero() {
		q.After = behind(keyOf(f.Until))
	}
	return func(yield func(*Record, error) bool) {
		n := 0
		for e, err := range h.Storage.Entries(ctx, q) {
			if err != nil {
				yield(nil, err)
				return
			}
			r := &Record{}
			if json.Unmarshal(e.Value, r) != nil {
				continue
			}
			if !f.Since.IsZero() && r.Finished.Before(f.Since) {
				return
			}
			if !f.match(r) {
				continue
			}
			if n++; !yield(r, nil) || n == f.Limit {
				return
			}
		}
	}
}
