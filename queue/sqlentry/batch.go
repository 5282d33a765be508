package sqlentry

import (
	"maps"
	"slices"
	"strings"

	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/store/sqldb"
)

// Batch is what one transaction does to entries; the zero value does nothing.
type Batch struct {
	changes map[name]*change
}

// change is of one entry: reset removes what is there, then put is written, nil
// = nothing is.
type change struct {
	reset bool
	put   *queue.Entry
}

// Note adds entries that were checked, in their order.
func (b *Batch) Note(tx *sqldb.Tx, entries []queue.Entry) {
	if len(entries) == 0 {
		return
	}
	if b.changes == nil {
		b.changes = make(map[name]*change)
	}
	tx.Wrote()
	for i := range entries {
		e := entries[i]
		n := name{e.Kind, e.Key}
		c := b.changes[n]
		if c == nil {
			c = &change{}
			b.changes[n] = c
		}
		if e.Remove {
			*c = change{reset: true}
			continue
		}
		if c.put != nil {
			e.Count += c.put.Count
		}
		c.put = &e
	}
}

// rowsAtOnce is the largest number of rows that one statement writes; a power of
// two, for each of which there is a text.
const rowsAtOnce = 8

// Flush writes what was noted; it is called before the commit.
func (b *Batch) Flush(tx *sqldb.Tx, t *Table) error {
	var puts []*queue.Entry
	for _, n := range slices.SortedFunc(maps.Keys(b.changes), name.compare) {
		c := b.changes[n]
		if c.reset {
			if err := t.putAll(tx, puts); err != nil { // those in front of it
				return err
			}
			puts = nil
			if _, err := tx.Exec(deleteRow, []byte(n.kind), []byte(n.key)); err != nil {
				return err
			}
		}
		if c.put != nil {
			puts = append(puts, c.put)
		}
	}
	return t.putAll(tx, puts)
}

// putAll writes entries of different names in their order.
func (t *Table) putAll(tx *sqldb.Tx, puts []*queue.Entry) error {
	for n := rowsAtOnce; len(puts) > 0; {
		for n > len(puts) {
			n /= 2
		}
		q := t.put(puts[:n]...)
		if _, err := tx.Exec(q.Query, q.Args...); err != nil {
			return err
		}
		puts = puts[n:]
	}
	return nil
}

// put writes entries of different names.
func (t *Table) put(entries ...*queue.Entry) Statement {
	args := make([]any, 0, 5*len(entries)+1)
	for _, e := range entries {
		value := e.Value
		if value == nil {
			value = []byte{} // NOT NULL
		}
		args = append(args, []byte(e.Kind), []byte(e.Key), value, e.Count, expiry(e.Expires))
	}
	return Statement{insertRow + strings.Repeat(furtherOf, len(entries)-1) + addToRow, append(args, t.Now().UnixNano())}
}
