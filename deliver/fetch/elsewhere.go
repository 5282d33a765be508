package fetch

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Elsewhere is a message that another program has fetched, as that program
// remembers it.
type Elsewhere struct {
	// ID is what Item.ID will be.
	ID string

	// Loose says that the program writes a "-" or a "." where the ID has one of
	// "/:;<>|" (getmail). A message counts where no other one on the server reads
	// the same then.
	Loose bool

	// Fetched is when it fetched the message; zero = now. Keep.For counts from it.
	Fetched time.Time
}

// Marks is what MarkElsewhere did.
type Marks struct {
	Marked int `json:"marked"` // new ones
	Known  int `json:"known"`  // were marked before, or fetched here
}

// ErrNoID: a mark without an ID.
var ErrNoID = errors.New("fetch: a message without an ID cannot be marked")

// MarkElsewhere remembers messages of a source that another program has fetched
// and left on the server: they are not fetched again, and stay there unless
// Keep.Elsewhere lets them go. Messages without a unique ID cannot be marked so. A
// second call with the same messages does nothing; after an error a part may be
// marked. Marks of messages that the server does not have are forgotten with time,
// as all records are. No Collector uses the source meanwhile.
func MarkElsewhere(ctx context.Context, st State, source string, messages []Elsewhere) (Marks, error) {
	known, err := marked(ctx, st, source)
	if err != nil {
		return Marks{}, err
	}
	var m Marks
	var records []Record
	now := time.Now()
	for _, e := range messages {
		if e.ID == "" {
			return m, ErrNoID
		}
		k := e.key()
		if known[k] {
			m.Known++
			continue
		}
		known[k] = true
		r := Record{Key: k, Size: -1, Fetched: e.Fetched, Elsewhere: true}
		if r.Fetched.IsZero() || r.Fetched.After(now) {
			r.Fetched = now
		}
		records = append(records, r)
	}
	for chunk := range slices.Chunk(records, MaxPut) {
		if err := st.Put(ctx, source, chunk...); err != nil {
			return m, fmt.Errorf("fetch: %d of %d messages are marked: %w", m.Marked, len(records), err)
		}
		m.Marked += len(chunk)
	}
	return m, nil
}

// marked are the keys of marks that would be of no use: of what is marked, and of
// what was fetched.
func marked(ctx context.Context, st State, source string) (map[Key]bool, error) {
	known := make(map[Key]bool)
	for r, err := range st.Records(ctx, source) {
		if err != nil {
			return nil, err
		}
		switch r.Kind {
		case KindElsewhere, KindLoose:
			known[r.Key] = true
		case KindMessage:
			known[Key{KindElsewhere, r.ID}] = true
			if id, short := strings.CutPrefix(r.ID, "="); short {
				known[Key{KindLoose, shortID(looseID(id))}] = true
			}
		default:
		}
	}
	return known, nil
}

func (e *Elsewhere) key() Key {
	if e.Loose {
		return Key{KindLoose, shortID(looseID(e.ID))}
	}
	return Key{KindElsewhere, shortID(e.ID)}
}

// looseID is an ID of which is forgotten which of some signs stand in it.
func looseID(id string) string {
	return strings.Join(strings.FieldsFunc(id, func(c rune) bool { return strings.ContainsRune("/:;<>|-.", c) }), "-")
}

// takeMarks makes of the marks of messages that are listed records of messages.
func (p *pass) takeMarks() error {
	if !p.haveMarks() {
		return nil
	}
	loose := make(map[string]int)
	for i := range p.items {
		loose[looseID(p.items[i].ID)]++
	}
	var records []Record
	var taken []Key
	for i := range p.items {
		l := &p.items[i]
		if l.ID == "" || l.id != shortID(l.ID) { // its ID is not its own
			continue
		}
		mark := p.known[Key{KindElsewhere, l.id}]
		if id := looseID(l.ID); mark == nil && loose[id] == 1 {
			mark = p.known[Key{KindLoose, shortID(id)}]
		}
		if mark == nil {
			continue
		}
		taken = append(taken, mark.Key)
		if p.known[Key{KindMessage, l.id}] != nil {
			continue
		}
		r := Record{Key: Key{KindMessage, l.id}, Size: l.Size, Fetched: mark.Fetched, Elsewhere: true}
		if err := p.printElsewhere(l, &r); err != nil {
			return err
		}
		records = append(records, r)
	}
	if err := p.put(records...); err != nil {
		return err
	}
	return p.remove(taken...)
}

func (p *pass) haveMarks() bool {
	for k := range p.known {
		if k.Kind == KindElsewhere || k.Kind == KindLoose {
			return true
		}
	}
	return false
}

// printElsewhere notes the header of a message that Keep may let go, so that
// another one under its ID is known (C2).
func (p *pass) printElsewhere(l *listed, r *Record) error {
	if !p.s.Keep.Elsewhere {
		return nil
	}
	head, err := p.ses.Head(p.ctx, &l.Item)
	if errors.Is(err, ErrGone) {
		return nil
	}
	if err != nil {
		return err
	}
	p.touch()
	r.Print = printOf(head)
	return nil
}
