package migrate

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/mailstead/mailstead/store"
)

// header is what is remembered of one mailbox of the source, as JSON.
type header struct {
	Version        int    `json:"v"`
	Source         string `json:"source"` // Mailbox.Key
	Target         string `json:"target"` // Mailbox.Key in the target
	Path           []string
	SourceValidity string `json:"sourceValidity"`
	TargetValidity string `json:"targetValidity"`

	// Done is the source's State after a pass that left nothing out, with what the
	// options say about it; "" = read again.
	Done string `json:"done"`

	// Match: a pass that had to look in the target for what is not noted, or whose
	// batches are not atomic, did not come to its end.
	Match bool `json:"match"`

	// Open: a run was begun and not finished; records may have provisional refs.
	Open bool `json:"open"`

	Subscribed bool   `json:"subscribed"` // what Target.Put was told
	Role       string `json:"role"`

	Generation int `json:"generation"` // of the pages
	Runs       int `json:"runs"`       // that were begun

	// Before are the pages of the Validity before this one, whose messages are still
	// being recognised; Runs zero = none.
	Before struct {
		Generation, Runs int
	} `json:"before"`
}

const headerVersion = 1

// A ledger is what is remembered of one mailbox: a header, and runs of pages. Each
// pass that copies writes one run; within a run IDs ascend, over all runs each ID
// is there once. It is read by merging the runs, so that memory grows with their
// number alone. When there are too many they become one, in the next generation.
type ledger struct {
	header
	keep Keeper
	box  string // the prefix of its keys

	run   int // that is being written; 0 = none yet
	pages int // of it that are full
	open  *page
	slots []slot  // of the last put
	late  []keyed // full pages whose refs were settled after they were written
}

// keyed is a page under its key.
type keyed struct {
	key string
	*page
}

// slot is where a record of the last put lies.
type slot struct {
	*page
	at int
}

// hexHash is a short name for something long.
func hexHash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:12])
}

func jobKey(job string) string { return hexHash(job) }

func boxKey(job, mailbox string) string { return jobKey(job) + "/" + hexHash(mailbox) }

func (l *ledger) headerKey() string { return l.box + "/header" }

func (l *ledger) runKey(generation, run int) string {
	return fmt.Sprintf("%s/%06d/%06d/", l.box, generation, run)
}

func (l *ledger) pageKey(run, n int) string {
	return fmt.Sprintf("%s%08d", l.runKey(l.Generation, run), n)
}

// loadLedger reads the header of a mailbox; found is false for a new one.
func loadLedger(ctx context.Context, keep Keeper, job, mailbox string) (l *ledger, found bool, err error) {
	l = &ledger{keep: keep, box: boxKey(job, mailbox)}
	b, err := keep.Get(ctx, l.headerKey())
	if err != nil {
		return nil, false, err
	}
	if b == nil {
		l.header = header{Version: headerVersion, Source: mailbox}
		return l, false, nil
	}
	if err := json.Unmarshal(b, &l.header); err != nil {
		return nil, false, fmt.Errorf("%w: header of mailbox %q: %w", ErrState, mailbox, err)
	}
	if l.Version != headerVersion || l.Source != mailbox || l.Runs < 0 || l.Generation < 0 {
		return nil, false, fmt.Errorf("%w: header of mailbox %q", ErrState, mailbox)
	}
	return l, true, nil
}

func (l *ledger) headerNote() Note {
	b, err := json.Marshal(&l.header)
	if err != nil { // strings, numbers and booleans
		b = []byte("{}")
	}
	return Note{Key: l.headerKey(), Value: b}
}

func (l *ledger) saveHeader(ctx context.Context) error {
	return l.keep.Save(ctx, []Note{l.headerNote()})
}

// restart forgets all records, durably once the header is saved.
func (l *ledger) restart(ctx context.Context) error {
	if err := l.clean(ctx); err != nil {
		return err
	}
	l.Generation = max(l.Generation, l.Before.Generation) + 1
	l.Runs, l.Done = 0, ""
	l.run, l.pages, l.open = 0, 0, nil
	return nil
}

// clean removes the pages of all other generations.
func (l *ledger) clean(ctx context.Context) error {
	own := fmt.Sprintf("%s/%06d/", l.box, l.Generation)
	before := own
	if l.Before.Runs > 0 {
		before = fmt.Sprintf("%s/%06d/", l.box, l.Before.Generation)
	}
	var notes []Note
	for n, err := range l.keep.Load(ctx, l.box+"/") {
		if err != nil {
			return err
		}
		if n.Key == l.headerKey() || strings.HasPrefix(n.Key, own) || strings.HasPrefix(n.Key, before) {
			continue
		}
		if notes = append(notes, Note{Key: n.Key}); len(notes) >= 64 {
			if err := l.keep.Save(ctx, notes); err != nil {
				return err
			}
			notes = notes[:0]
		}
	}
	if len(notes) == 0 {
		return nil
	}
	return l.keep.Save(ctx, notes)
}

// beginRun opens a run for new records, unless one is open. It is noted first, so
// that no later pass writes into it.
func (l *ledger) beginRun(ctx context.Context) error {
	if l.run > 0 {
		return nil
	}
	l.Runs++
	l.Done, l.Open = "", true
	if err := l.saveHeader(ctx); err != nil {
		return err
	}
	l.run, l.pages, l.open = l.Runs, 0, &page{}
	return nil
}

// put adds records in ascending order of ID to the open run, and returns the pages
// that changed.
func (l *ledger) put(records []record) (notes []Note) {
	l.slots = l.slots[:0]
	for _, p := range l.late {
		notes = append(notes, Note{Key: p.key, Value: p.encode()})
	}
	l.late = l.late[:0]
	for _, r := range records {
		if l.open.full() {
			full := keyed{l.pageKey(l.run, l.pages), l.open}
			notes = append(notes, Note{Key: full.key, Value: full.encode()})
			l.late = append(l.late, full)
			l.pages++
			l.open = &page{}
		}
		l.open.add(r)
		l.slots = append(l.slots, slot{l.open, len(l.open.records) - 1})
	}
	return append(notes, l.openNote())
}

func (l *ledger) openNote() Note {
	return Note{Key: l.pageKey(l.run, l.pages), Value: l.open.encode()}
}

// settle notes where the records of the last put came to lie. It is written with
// the next put, or by finish.
func (l *ledger) settle(placed []Placed) {
	for i, s := range l.slots {
		if i < len(placed) && placed[i].Ref != "" {
			r := &s.records[s.at]
			r.Ref = placed[i].Ref
			if r.State == provisional {
				r.State = settled
			}
		}
	}
}

// finish writes what settle has left, and ends the run.
func (l *ledger) finish(ctx context.Context) error {
	if l.run == 0 {
		return nil
	}
	if err := l.keep.Save(ctx, l.put(nil)); err != nil {
		return err
	}
	l.run = 0
	return nil
}

// mark is where a ledger stands.
type mark struct {
	pages int
	open  *page
	n     int
	size  int
	late  []keyed
}

func (l *ledger) mark() mark {
	return mark{l.pages, l.open, len(l.open.records), l.open.size, slices.Clone(l.late)}
}

// rewind takes back the last put, as nothing of it was written. Pages that were
// settled before it stay to be written.
func (l *ledger) rewind(m mark) {
	l.pages, l.open, l.late = m.pages, m.open, m.late
	l.open.records, l.open.size = l.open.records[:m.n], m.size
}

// cursor reads the records of a ledger in ascending order of ID.
type cursor struct {
	runs []*runCursor
}

type runCursor struct {
	next func() (Note, error, bool)
	stop func()
	key  string // of page
	page *page
	at   int
}

// read opens a cursor over the runs that are there. It is closed after use.
func (l *ledger) read(ctx context.Context, generation, runs int) (*cursor, error) {
	c := &cursor{}
	for run := 1; run <= runs; run++ {
		next, stop := iter.Pull2(l.keep.Load(ctx, l.runKey(generation, run)))
		r := &runCursor{next: next, stop: stop}
		if err := r.advance(); err != nil {
			stop()
			c.close()
			return nil, err
		}
		if r.page == nil {
			stop()
			continue
		}
		c.runs = append(c.runs, r)
	}
	return c, nil
}

// advance goes to the next page; page is nil at the end.
func (r *runCursor) advance() error {
	for {
		n, err, ok := r.next()
		if !ok {
			r.page = nil
			return nil
		}
		if err != nil {
			return err
		}
		p, err := decodePage(n.Value)
		if err != nil {
			return err
		}
		if r.key, r.page, r.at = n.Key, p, 0; len(p.records) > 0 {
			return nil
		}
	}
}

func (c *cursor) close() {
	for _, r := range c.runs {
		r.stop()
	}
	c.runs = nil
}

// entry is one record where it lies.
type entry struct {
	*record
	key  string
	page *page
}

// next returns the next record; nil at the end.
func (c *cursor) next() (*entry, error) {
	var first *runCursor
	for _, r := range c.runs {
		if r.page != nil && (first == nil || r.page.records[r.at].ID < first.page.records[first.at].ID) {
			first = r
		}
	}
	if first == nil {
		return nil, nil
	}
	e := &entry{&first.page.records[first.at], first.key, first.page}
	if first.at++; first.at == len(first.page.records) {
		if err := first.advance(); err != nil {
			return nil, err
		}
	}
	return e, nil
}

// all yields every record.
func (l *ledger) all(ctx context.Context) iter.Seq2[*entry, error] {
	return l.allOf(ctx, l.Generation, l.Runs)
}

// allOf yields those of one generation.
func (l *ledger) allOf(ctx context.Context, generation, runs int) iter.Seq2[*entry, error] {
	return func(yield func(*entry, error) bool) {
		c, err := l.read(ctx, generation, runs)
		if err != nil {
			yield(nil, err)
			return
		}
		defer c.close()
		for {
			e, err := c.next()
			if err != nil || e == nil {
				if err != nil {
					yield(nil, err)
				}
				return
			}
			if !yield(e, nil) {
				return
			}
		}
	}
}

// maxRuns is how many runs are merged before they are made one.
const maxRuns = 12

// compact makes one run of many, in a new generation, which counts from the moment
// the header says so.
func (l *ledger) compact(ctx context.Context) error {
	if l.Runs <= maxRuns || l.Before.Runs > 0 {
		return nil
	}
	if err := l.clean(ctx); err != nil {
		return err
	}
	next := &ledger{header: l.header, keep: l.keep, box: l.box, run: 1, open: &page{}}
	next.Generation, next.Runs = l.Generation+1, 1
	for e, err := range l.all(ctx) {
		if err != nil {
			return err
		}
		if !next.open.full() {
			next.open.add(*e.record)
			continue
		}
		if err := l.keep.Save(ctx, []Note{next.openNote()}); err != nil {
			return err
		}
		next.pages, next.open = next.pages+1, &page{}
		next.open.add(*e.record)
	}
	if err := l.keep.Save(ctx, []Note{next.openNote()}); err != nil {
		return err
	}
	if err := next.saveHeader(ctx); err != nil {
		return err
	}
	*l = *next
	l.run = 0
	return l.clean(ctx)
}

// changedFlags is what the source has changed of a message since r was written.
func (r *record) changedFlags(m *Message) (a Alteration, changed bool) {
	a = Alteration{Ref: r.Ref, Add: m.Flags &^ r.Flags, Clear: r.Flags &^ m.Flags}
	for _, k := range m.Keywords {
		if !store.HasKeyword(r.Keywords, k) {
			a.AddKeywords = append(a.AddKeywords, k)
		}
	}
	for _, k := range r.Keywords {
		if !store.HasKeyword(m.Keywords, k) {
			a.ClearKeywords = append(a.ClearKeywords, k)
		}
	}
	return a, a.Add|a.Clear != 0 || len(a.AddKeywords)+len(a.ClearKeywords) > 0
}
