package table

import (
	"context"
	"crypto/rand"
	"strings"
	"sync"
	"time"

	"github.com/mailstead/mailstead/queue"
)

// List is the entries of one kind. The fields are set before the first use;
// Storage and Kind are required. Any number of goroutines may use it.
type List struct {
	Storage queue.Storage
	Kind    string           // of at most queue.MaxEntryKind − 4 octets
	Max     int              // entries kept in memory; zero = 5,000
	Every   time.Duration    // how old what is known may be; zero = 1 s
	Now     func() time.Time // the clock of Expires; nil = time.Now

	once sync.Once
	slot string // of this List in the generations

	mu     sync.Mutex
	read   time.Time // when gen was compared; zero = never
	gen    string
	large  bool // there are more than Max
	known  map[string]queue.Entry
	sorted []queue.Entry
	loads  uint64
}

const (
	defaultMax   = 5000
	defaultEvery = time.Second
	keepSlot     = 25 * time.Hour // the generation of a List that changes nothing
)

func (l *List) genKind() string { return l.Kind + ".gen" }

func (l *List) now() time.Time {
	if l.Now != nil {
		return l.Now()
	}
	return time.Now()
}

func (l *List) max() int {
	if l.Max > 0 {
		return l.Max
	}
	return defaultMax
}

// Changed appends to entries of this kind what tells all readers of the change: a
// value that was never there, also where that of the change before has expired.
// Both go into one commit.
func (l *List) Changed(entries ...queue.Entry) []queue.Entry {
	l.once.Do(func() { l.slot = rand.Text() })
	return append(entries, queue.Entry{Kind: l.genKind(), Key: l.slot, Value: []byte(rand.Text()), Expires: l.now().Add(keepSlot)})
}

// Put writes entries, durable when it returns; this List sees them at once.
func (l *List) Put(ctx context.Context, entries ...queue.Entry) error {
	for i := range entries {
		entries[i].Kind = l.Kind
	}
	err := l.Storage.PutEntries(ctx, l.Changed(entries...)...)
	l.mu.Lock()
	l.read = time.Time{}
	l.mu.Unlock()
	return err
}

// Get returns those of keys that there are.
func (l *List) Get(ctx context.Context, keys ...string) (map[string]queue.Entry, error) {
	known, large, err := l.current(ctx)
	if err != nil {
		return nil, err
	}
	if large {
		return l.look(ctx, keys)
	}
	var out map[string]queue.Entry
	now := l.now()
	for _, k := range keys {
		if e, ok := known[k]; ok && !e.Expired(now) {
			if out == nil {
				out = make(map[string]queue.Entry)
			}
			out[k] = e
		}
	}
	return out, nil
}

// current is what is known, which nobody changes any more.
func (l *List) current(ctx context.Context) (known map[string]queue.Entry, large bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	err = l.refreshLocked(ctx)
	return l.known, l.large, err
}

// look asks the storage.
func (l *List) look(ctx context.Context, keys []string) (map[string]queue.Entry, error) {
	out := make(map[string]queue.Entry)
	for e, err := range l.Storage.Entries(ctx, queue.EntryFilter{Kind: l.Kind, Keys: keys}) {
		if err != nil {
			return nil, err
		}
		out[e.Key] = *e
	}
	return out, nil
}

// All returns the entries by key, the first Max of them, and a number that is
// greater each time that they were read anew. The slice is not to be changed, and
// may have entries that have expired since.
func (l *List) All(ctx context.Context) (entries []queue.Entry, version uint64, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.refreshLocked(ctx); err != nil {
		return nil, 0, err
	}
	return l.sorted, l.loads, nil
}

// refreshLocked reads what has changed. Who asks meanwhile waits for it.
func (l *List) refreshLocked(ctx context.Context) error {
	every := l.Every
	if every <= 0 {
		every = defaultEvery
	}
	asked := time.Now()
	if !l.read.IsZero() && asked.Sub(l.read) < every {
		return nil
	}
	gen, err := l.generations(ctx)
	if err != nil {
		return err
	}
	if l.known == nil || gen != l.gen {
		if err := l.load(ctx); err != nil {
			return err
		}
		l.gen = gen // of before, so that what changed since is read next time
	}
	l.read = asked
	return nil
}

func (l *List) generations(ctx context.Context) (string, error) {
	var b strings.Builder
	for e, err := range l.Storage.Entries(ctx, queue.EntryFilter{Kind: l.genKind()}) {
		if err != nil {
			return "", err
		}
		b.WriteString(e.Key)
		b.WriteByte('=')
		b.Write(e.Value)
		b.WriteByte(' ')
	}
	return b.String(), nil
}

func (l *List) load(ctx context.Context) error {
	var all []queue.Entry
	for e, err := range l.Storage.Entries(ctx, queue.EntryFilter{Kind: l.Kind, Limit: l.max() + 1}) {
		if err != nil {
			return err
		}
		all = append(all, *e)
	}
	l.loads++
	l.large = len(all) > l.max()
	l.sorted = all[:min(len(all), l.max())]
	l.known = make(map[string]queue.Entry, len(l.sorted))
	if l.large {
		return nil
	}
	for _, e := range all {
		l.known[e.Key] = e
	}
	return nil
}
