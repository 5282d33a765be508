package suppress

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/queue/table"
	"github.com/mailstead/mailstead/smtp"
)

// Kind is the Kind of the list's entries.
const Kind = "suppress"

// Entry is one recipient, or all of a domain, that gets no mail.
type Entry struct {
	Address string    // "local@domain", or "@domain" for all of it; folded in what List yields
	Reason  string    // for the DSN and the operator; at most MaxReason octets
	Added   time.Time // zero = now
	Expires time.Time // zero = never
	Job     string    // whose bounce it was; "" = an operator added it
}

// MaxReason bounds Entry.Reason; what is longer is cut.
const MaxReason = 512

// ErrAddress is in the chain of the error of an address that is none.
var ErrAddress = errors.New("suppress: neither local@domain nor @domain")

// List is the suppression list of a queue. New makes one.
type List struct {
	table table.List
	o     Options
}

// Options of a List; the zero value is the recommended one.
type Options struct {
	// Bounced is for how long the address of a hard bounce is suppressed; zero
	// = 14 days, negative = such addresses are not recorded. It needs
	// List.Record in the Runner.
	Bounced time.Duration

	// Hard says which replies are hard bounces; nil = Hard.
	Hard func(smtp.Reply) bool

	Now func() time.Time // nil = time.Now
}

// New makes the list of a storage.
func New(s queue.Storage, o Options) *List {
	if o.Bounced == 0 {
		o.Bounced = 14 * 24 * time.Hour
	}
	if o.Hard == nil {
		o.Hard = Hard
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &List{table: table.List{Storage: s, Kind: Kind, Now: o.Now}, o: o}
}

// Hard reports that a reply says that the address does not exist, and will not
// (RFC 3463 §3.2, RFC 7505 §4.2): 5.1.1, 5.1.3, 5.1.6, 5.1.10. A domain that is
// not there (5.1.2) may have lapsed for an hour.
func Hard(r smtp.Reply) bool {
	if !r.Permanent() || r.Enhanced.Class != 5 || r.Enhanced.Subject != 1 {
		return false
	}
	switch r.Enhanced.Detail {
	case 1, 3, 6, 10:
		return true
	}
	return false
}

// row is the value of an entry.
type row struct {
	Reason string    `json:"reason,omitempty"`
	Added  time.Time `json:"added"`
	Job    string    `json:"job,omitempty"`
}

func (e *Entry) entry(now time.Time) (queue.Entry, error) {
	key, err := keyOf(e.Address)
	if err != nil {
		return queue.Entry{}, err
	}
	if e.Added.IsZero() {
		e.Added = now
	}
	value, err := json.Marshal(row{e.Reason[:min(len(e.Reason), MaxReason)], e.Added.UTC(), e.Job})
	return queue.Entry{Kind: Kind, Key: key, Value: value, Expires: e.Expires}, err
}

// keyOf is the key of an address.
func keyOf(address string) (string, error) {
	at := strings.LastIndexByte(address, '@')
	if at < 0 || at == len(address)-1 || len(address) > queue.MaxEntryKey {
		return "", fmt.Errorf("%w: %.100q", ErrAddress, address)
	}
	return queue.FoldPath(address), nil
}

// Add suppresses recipients, durable when it returns; fewer than
// queue.MaxEntries at once. ErrAddress, queue.ErrEntry: none was added.
func (l *List) Add(ctx context.Context, entries ...Entry) error {
	out := make([]queue.Entry, 0, len(entries)+1)
	for i := range entries {
		e, err := entries[i].entry(l.o.Now())
		if err != nil {
			return err
		}
		out = append(out, e)
	}
	return l.table.Put(ctx, out...)
}

// Remove ends suppressions.
func (l *List) Remove(ctx context.Context, addresses ...string) error {
	var out []queue.Entry
	for _, a := range addresses {
		key, err := keyOf(a)
		if err != nil {
			return err
		}
		out = append(out, queue.Entry{Key: key, Remove: true})
	}
	return l.table.Put(ctx, out...)
}

// Filter selects entries of a List; the zero value selects all.
type Filter struct {
	Prefix string // of the address, folded; "@" = the domains
	After  string // addresses greater than this, for pages
	Limit  int    // zero = no limit
}

// All yields the list by Address.
func (l *List) All(ctx context.Context, f Filter) iter.Seq2[*Entry, error] {
	q := queue.EntryFilter{Kind: Kind, Prefix: queue.FoldPath(f.Prefix), After: f.After, Limit: f.Limit}
	return func(yield func(*Entry, error) bool) {
		for e, err := range l.table.Storage.Entries(ctx, q) {
			if err != nil {
				yield(nil, err)
				return
			}
			if !yield(entryOf(e), nil) {
				return
			}
		}
	}
}

// entryOf reads an entry. What cannot be read of one suppresses all the same.
func entryOf(e *queue.Entry) *Entry {
	var r row
	if err := json.Unmarshal(e.Value, &r); err != nil {
		r.Reason = "unknown"
	}
	return &Entry{Address: e.Key, Reason: r.Reason, Added: r.Added, Job: r.Job, Expires: e.Expires}
}

// Lookup returns for each address its entry, that of its domain where it has
// none, or nil.
func (l *List) Lookup(ctx context.Context, paths ...smtp.Path) ([]*Entry, error) {
	keys := make([]string, 0, 2*len(paths))
	for _, p := range paths {
		domain := queue.FoldPath(p.Domain)
		keys = append(keys, queue.FoldPath(p.Local)+"@"+domain, "@"+domain)
	}
	found, err := l.table.Get(ctx, keys...)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	out := make([]*Entry, len(paths))
	for i := range paths {
		for _, k := range keys[2*i : 2*i+2] {
			if e, ok := found[k]; ok && out[i] == nil {
				out[i] = entryOf(&e)
			}
		}
	}
	return out, nil
}

// Record makes entries of hard bounces; a value for queue.Runner.Record.
func (l *List) Record(j *queue.Job, results []queue.Result, now time.Time) []queue.Entry {
	if l.o.Bounced < 0 || j.Kind != "" || isLocal(j.Destination) {
		return nil
	}
	var out []queue.Entry
	for i, r := range results {
		if r.State != queue.Failed || r.Expired || r.NextHop == "" || !l.o.Hard(r.Reply) {
			continue
		}
		e := Entry{
			Address: j.Recipients[i].ForwardPath.Local + "@" + j.Recipients[i].ForwardPath.Domain,
			Reason:  r.NextHop + ": " + r.Reply.String(), Added: now, Expires: now.Add(l.o.Bounced), Job: j.ID,
		}
		if entry, err := e.entry(now); err == nil {
			out = append(out, entry)
		}
	}
	if len(out) == 0 {
		return nil
	}
	return l.table.Changed(out...)
}

func isLocal(destination string) bool {
	rest, ok := strings.CutPrefix(destination, queue.Local)
	return ok && (rest == "" || rest[0] == '/')
}
