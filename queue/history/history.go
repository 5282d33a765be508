package history

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"sync"
	"time"

	"github.com/mailstead/mailstead/queue"
)

// The kinds of entries, see the package comment.
const (
	Kind      = "history"
	kindCount = "history.n"
)

// MaxReply is how much of a reply is kept, in octets.
const MaxReply = 400

const bucketTime = 10 * time.Minute

// Record is one outcome: recipients of a job that were finished by one attempt.
type Record struct {
	Message     string      `json:"m"`           // Job.Message
	Job         string      `json:"j"`           // Job.ID
	Sender      string      `json:"s"`           // the reverse-path; "" = the null sender
	Identity    string      `json:"i,omitempty"` // who submitted it; "" = nobody did
	Destination string      `json:"d"`           // Job.Destination
	Accepted    time.Time   `json:"a"`           // Job.Created
	Finished    time.Time   `json:"f"`           // end of the attempt
	Attempts    int         `json:"n"`           // with this one
	Octets      int64       `json:"o"`           // of the message
	Recipients  []Recipient `json:"r"`           // at least one
}

// Recipient is one of a Record.
type Recipient struct {
	Address string `json:"a"`           // the forward-path
	State   string `json:"s"`           // as queue.EventKind: "delivered", "failed", "expired"
	Reply   string `json:"r,omitempty"` // the final one
	NextHop string `json:"h,omitempty"` // who gave it; "" = this host
}

// History writes and reads records. The fields are set before the first use;
// Storage is required. Any number of goroutines may use it.
type History struct {
	Storage queue.Storage

	Keep      time.Duration // how long a record stays; zero = 7 days
	MaxRows   int64         // zero = 1,000,000, negative = no limit
	MaxOctets int64         // of all records; zero = 1 GiB, negative = no limit
	Logger    *slog.Logger  // nil = slog.Default

	once sync.Once
	slot string
}

func (h *History) log() *slog.Logger {
	if h.Logger != nil {
		return h.Logger
	}
	return slog.Default()
}

func defaultTo[T time.Duration | int64](v, def T) T {
	if v == 0 {
		return def
	}
	return v
}

// Record makes the entries of an outcome; none where it finishes nobody.
func (h *History) Record(j *queue.Job, results []queue.Result, now time.Time) []queue.Entry {
	var rs []Recipient
	for i, r := range results {
		if r.State != queue.Delivered && r.State != queue.Failed {
			continue
		}
		rs = append(rs, Recipient{
			Address: j.Recipients[i].ForwardPath.String(), State: stateOf(&r),
			Reply: cut(r.Reply.String(), r.Reply.IsZero()), NextHop: cut(r.NextHop, false),
		})
	}
	if len(rs) == 0 {
		return nil
	}
	rec := &Record{
		Message: j.Message, Job: j.ID, Identity: j.Identity, Destination: j.Destination,
		Accepted: j.Created.UTC(), Finished: now.UTC(), Attempts: j.Attempts, Octets: j.Size + int64(len(j.Prefix)), Recipients: rs,
	}
	if !j.ReversePath.IsNull() {
		rec.Sender = j.ReversePath.String()
	}
	out := h.encode(nil, rec, 0)
	return h.counted(out, now)
}

func stateOf(r *queue.Result) string {
	switch {
	case r.Expired:
		return queue.EventExpired.String()
	case r.State == queue.Failed:
		return queue.EventFailed.String()
	}
	return queue.EventDelivered.String()
}

func cut(s string, zero bool) string {
	if zero {
		return ""
	}
	return s[:min(len(s), MaxReply)]
}

// encode makes the entry of a record, or several where it is too long for one.
func (h *History) encode(out []queue.Entry, rec *Record, part int) []queue.Entry {
	value, err := json.Marshal(rec)
	if n := len(rec.Recipients); err == nil && len(value) > queue.MaxEntryValue && n > 1 {
		first, second := *rec, *rec
		first.Recipients, second.Recipients = rec.Recipients[:n/2], rec.Recipients[n/2:]
		out = h.encode(out, &first, 2*part+1)
		return h.encode(out, &second, 2*part+2)
	}
	key := keyOf(rec.Finished) + "/" + rec.Job
	if part > 0 {
		key += fmt.Sprint("/", part)
	}
	if err != nil || len(value) > queue.MaxEntryValue || len(key) > queue.MaxEntryKey {
		return out // an address that no peer can have given
	}
	return append(out, queue.Entry{
		Kind: Kind, Key: key, Value: value,
		Expires: rec.Finished.Add(defaultTo(h.Keep, 7*24*time.Hour)),
	})
}

// counted appends what counts the entries.
func (h *History) counted(entries []queue.Entry, now time.Time) []queue.Entry {
	h.once.Do(func() { h.slot = rand.Text() })
	octets := 0
	for i := range entries {
		octets += len(entries[i].Key) + len(entries[i].Value)
	}
	n := len(entries)
	bucket := keyOf(now.Truncate(bucketTime))
	expires := now.Add(defaultTo(h.Keep, 7*24*time.Hour) + bucketTime)
	return append(entries,
		queue.Entry{Kind: kindCount, Key: bucket + "/" + h.slot, Count: int64(n)<<32 + int64((octets+63)/64), Expires: expires})
}

// keyOf is a time from 1970 on, the later the lower.
func keyOf(t time.Time) string {
	var nanos int64
	if t.After(time.Unix(0, 0)) {
		nanos = t.UnixNano()
	}
	return fmt.Sprintf("%016x", math.MaxInt64-nanos)
}

// behind is behind all keys of what begins with a time's key and a slash.
func behind(key string) string { return key + "0" }

// Run keeps the history within its bounds until ctx ends.
func (h *History) Run(ctx context.Context) {
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	for {
		if n, err := h.Prune(ctx); err != nil && ctx.Err() == nil {
			h.log().ErrorContext(ctx, "history: cannot prune", "error", err)
		} else if n > 0 {
			h.log().InfoContext(ctx, "history: the oldest records were deleted", "records", n)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// buckets adds up what all nodes have counted, the newest first.
func (h *History) buckets(ctx context.Context) (out []bucket, err error) {
	for e, err := range h.Storage.Entries(ctx, queue.EntryFilter{Kind: kindCount}) {
		if err != nil {
			return nil, err
		}
		key, _, _ := strings.Cut(e.Key, "/")
		if len(out) == 0 || out[len(out)-1].key != key {
			out = append(out, bucket{key: key})
		}
		b := &out[len(out)-1]
		b.rows, b.octets = b.rows+e.Count>>32, b.octets+e.Count&math.MaxUint32*64
	}
	return out, nil
}

// Prune deletes the oldest records of a history that is too long, and returns
// how many.
func (h *History) Prune(ctx context.Context) (deleted int, err error) {
	buckets, err := h.buckets(ctx)
	if err != nil {
		return 0, err
	}
	var n, o int64
	for i, b := range buckets {
		n, o = n+b.rows, o+b.octets
		maxRows, maxOctets := defaultTo(h.MaxRows, 1_000_000), defaultTo(h.MaxOctets, 1<<30)
		if maxRows >= 0 && n > maxRows || maxOctets >= 0 && o > maxOctets {
			return h.cutOff(ctx, buckets, i)
		}
	}
	return 0, nil
}

// cutOff deletes the buckets from the i-th on.
func (h *History) cutOff(ctx context.Context, buckets []bucket, i int) (deleted int, err error) {
	// A bucket's name is the key of its beginning, and so behind all that is in
	// it, and in front of what is in the bucket before in time.
	after := ""
	if i > 0 {
		after = behind(buckets[i-1].key)
	}
	for _, kind := range []string{Kind, kindCount} {
		n, err := h.deleteAfter(ctx, kind, after)
		if err != nil {
			return deleted, err
		}
		if kind == Kind {
			deleted = n
		}
	}
	return deleted, nil
}

// bucket is how much was written in a time.
type bucket struct {
	key          string
	rows, octets int64
}

// deleteAfter removes all entries of a kind behind a key, in bounded commits.
func (h *History) deleteAfter(ctx context.Context, kind, after string) (n int, err error) {
	for {
		var gone []queue.Entry
		for e, err := range h.Storage.Entries(ctx, queue.EntryFilter{Kind: kind, After: after, Limit: queue.MaxEntries / 2}) {
			if err != nil {
				return n, err
			}
			gone = append(gone, queue.Entry{Kind: kind, Key: e.Key, Remove: true})
		}
		if len(gone) == 0 {
			return n, nil
		}
		if err := h.Storage.PutEntries(ctx, gone...); err != nil {
			return n, err
		}
		n += len(gone)
	}
}
