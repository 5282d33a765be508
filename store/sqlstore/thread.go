package sqlstore

import (
	"cmp"
	"database/sql"
	"slices"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/sqldb"
)

// threadMax bounds the rows that are looked at for a message.
const threadMax = 256

// The statements for n keys, 1..MaxThreadKeys, at the index n.
var threadQueries, threadPuts = forKeys(threadQuery), forKeys(threadPut)

func forKeys(statement func(n int) string) (all [store.MaxThreadKeys + 1]string) {
	for n := 1; n < len(all); n++ {
		all[n] = statement(n)
	}
	return all
}

func threadQuery(n int) string {
	return `SELECT thread, arrival, mailbox, uid FROM thread WHERE account = ? AND subject = ? AND hash IN (` +
		list("?", n) + `) LIMIT CAST(? AS {int})`
}

func threadPut(n int) string {
	return `INSERT INTO thread (account, hash, subject, thread, arrival, mailbox, uid) VALUES ` + list("(?, ?, ?, ?, ?, ?, ?)", n) +
		` ON CONFLICT (account, hash, subject, thread) DO UPDATE SET
		arrival = excluded.arrival, mailbox = excluded.mailbox, uid = excluded.uid`
}

func list(one string, n int) string {
	s := one
	for range n - 1 {
		s += ", " + one
	}
	return s
}

// candidate is a thread that a message may join, with its newest message.
type candidate struct {
	thread  store.ThreadID
	arrival int64
	mailbox int64
	uid     store.UID
}

func scanCandidate(r *sql.Rows) (c candidate, err error) {
	var thread sqldb.Octets
	var uid sqldb.Number
	err = r.Scan(&thread, &c.arrival, &c.mailbox, &uid)
	copy(c.thread[:], thread)
	c.uid = store.UID(uid)
	return c, err
}

// findThread returns the thread of the newest message with a common key and
// the same subject; zero when there is none. Where several threads fit, those
// whose newest message still lies where it was delivered come first.
func (c *change) findThread(op *store.Append) (t store.ThreadID, err error) {
	if len(op.ThreadKeys) == 0 {
		return t, nil
	}
	args := []any{c.a.num, int64(op.SubjectHash)}
	for _, k := range op.ThreadKeys {
		args = append(args, int64(k))
	}
	found, err := sqldb.Collect(c.tx.Context(), c.tx, scanCandidate,
		threadQueries[len(op.ThreadKeys)], append(args, int64(threadMax))...)
	if err != nil || len(found) == 0 {
		return t, err
	}
	if !several(found) {
		return found[0].thread, nil
	}
	slices.SortFunc(found, func(x, y candidate) int { return cmp.Compare(y.arrival, x.arrival) })
	for _, f := range found {
		there, err := c.isThere(f)
		if err != nil {
			return t, err
		}
		if there {
			return f.thread, nil
		}
	}
	return found[0].thread, nil
}

func several(list []candidate) bool {
	for _, x := range list {
		if x.thread != list[0].thread {
			return true
		}
	}
	return false
}

// isThere reports whether the candidate's message was not expunged.
func (c *change) isThere(x candidate) (bool, error) {
	for _, b := range c.a.boxes {
		if b.num != x.mailbox || b.Gone {
			continue
		}
		reader, err := c.blocks(b, store.UIDs(x.uid))
		if err != nil {
			return false, err
		}
		var r store.OpResult
		err = collectClaims(c.tx.Context(), reader, &r)
		return r.Changed.Contains(x.uid), err
	}
	return false, nil
}

// indexThread makes the message the newest one of its keys.
func (c *change) indexThread(b *box, f *fact) error {
	c.a.arrivals++
	n := 0
	var args []any
	for i, k := range f.ThreadKeys {
		if !slices.Contains(f.ThreadKeys[:i], k) {
			n++
			args = append(args, c.a.num, int64(k), int64(f.SubjectHash), f.thread[:], c.a.arrivals, b.num, int64(f.uid))
		}
	}
	if n == 0 {
		return nil
	}
	_, err := c.tx.Exec(threadPuts[n], args...)
	return err
}
