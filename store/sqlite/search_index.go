package sqlite

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/searchtext"
)

// The bounds of the index's work.
const (
	maxIndexed   = 1 << 20         // octets of header, and of body, of a message
	batchRows    = 200             // messages in a transaction
	batchBytes   = 4 << 20         // octets of text in a transaction
	sliceTime    = 2 * time.Second // for one account before the next has its turn
	dropRows     = 500             // documents or messages forgotten in a transaction
	noMore, more = false, true
)

// errSlice: the account has had its turn.
var errSlice = errors.New("sqlite: the next account's turn")

// accountRow is what the index has of an account.
type accountRow struct {
	num    int64
	name   string
	modseq store.ModSeq
	next   int64 // number of the next document
}

// boxRow is what the index has of a mailbox.
type boxRow struct {
	num         int64
	validity    store.UIDValidity
	known, weak store.UIDSet
}

// follower brings one account up to date.
type follower struct {
	x    *searchIndex
	a    store.Account
	row  accountRow
	ends time.Time // of its turn
}

// account brings an account up to date, or as far as its turn goes: then it has
// more to do.
func (x *searchIndex) account(id store.AccountID) (again bool, err error) {
	a, err := x.store.Open(x.ctx, id)
	if errors.Is(err, store.ErrNoAccount) {
		return noMore, x.forget(id)
	}
	if err != nil {
		return noMore, err
	}
	f := &follower{x: x, a: a, ends: time.Now().Add(sliceTime)}
	if f.row, err = x.accountRow(id); err != nil {
		return noMore, err
	}
	err = f.follow()
	switch {
	case errors.Is(err, errSlice):
		return more, nil
	case errors.Is(err, store.ErrNoAccount):
		return noMore, x.forget(id)
	case errors.Is(err, store.ErrResync):
		return more, x.clear(x.ctx, f.row.num) // from the start, then
	}
	return noMore, err
}

// follow indexes what changed since the row's ModSeq, and then writes the new
// one. Ended before, it finds what it did in the mailboxes' known UIDs.
func (f *follower) follow() error {
	boxes, now, err := f.a.Mailboxes(f.x.ctx, f.row.modseq)
	if err != nil {
		return err
	}
	if now < f.row.modseq {
		return store.ErrResync // another account of this name
	}
	for i := range boxes {
		if err := f.mailbox(&boxes[i]); err != nil && !errors.Is(err, store.ErrNoMailbox) {
			return err
		}
	}
	if now != f.row.modseq {
		err = f.x.tx(f.x.ctx, func(tx *sql.Tx) error {
			_, err := tx.Exec(`UPDATE account SET modseq = ? WHERE id = ?`, int64(now), f.row.num)
			return err
		})
	}
	return errors.Join(err, f.x.dropOrphans(f.x.ctx, f.row.num))
}

// mailbox brings one mailbox up to date.
func (f *follower) mailbox(m *store.Mailbox) error {
	b, ok, err := f.x.boxRow(f.row.num, m.ID)
	if err != nil {
		return err
	}
	if ok && (m.Gone || m.NoSelect || b.validity != m.UIDValidity) {
		if err := f.x.dropBox(f.x.ctx, b.num); err != nil {
			return err
		}
		ok = false
	}
	if m.Gone || m.NoSelect {
		return nil
	}
	since := f.row.modseq
	if !ok { // new here, whatever the log says
		since = 0
		if b, err = f.x.newBox(f.row.num, m); err != nil {
			return err
		}
	}
	there, gone, err := f.changed(m.ID, since)
	if err != nil {
		return err
	}
	if since == 0 {
		gone = b.known.Minus(there)
	}
	if err := f.x.remove(f.x.ctx, &b, gone.Intersect(b.known)); err != nil {
		return err
	}
	return f.add(m.ID, &b, there.Minus(b.known))
}

// changed are the messages that changed, and those that are gone.
func (f *follower) changed(id store.MailboxID, since store.ModSeq) (there, gone store.UIDSet, err error) {
	for m, err := range f.a.Messages(f.x.ctx, id, store.Query{Since: since}) {
		if err != nil {
			return nil, nil, err
		}
		if m.Gone {
			gone.Add(m.UID)
		} else {
			there.Add(m.UID)
		}
	}
	return there, gone, nil
}

// entry is a message on its way into the index.
type entry struct {
	uid  store.UID
	hash []byte
	weak bool
	copy bool // of a text that is indexed already
	text searchtext.Text
}

// add indexes messages.
func (f *follower) add(id store.MailboxID, b *boxRow, uids store.UIDSet) error {
	if len(uids) == 0 {
		return nil
	}
	var batch []entry
	size := 0
	q := store.Query{UIDs: uids, Fields: store.FieldIDs | store.FieldContent | store.FieldMeta}
	for m, err := range f.a.Messages(f.x.ctx, id, q) {
		if err != nil {
			return err
		}
		e, ok, err := f.entry(id, m)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		batch = append(batch, e)
		size += len(e.text.Header) + len(e.text.Body)
		if len(batch) < batchRows && size < batchBytes && time.Now().Before(f.ends) {
			continue
		}
		if err := f.write(b, batch); err != nil {
			return err
		}
		if batch, size = batch[:0], 0; time.Now().After(f.ends) {
			return errSlice
		}
	}
	return f.write(b, batch)
}

// entry reads a message. One that was expunged meanwhile is left out; one that
// cannot be read is kept as weak, so that a search meets it itself.
func (f *follower) entry(id store.MailboxID, m *store.Message) (e entry, ok bool, err error) {
	e = entry{uid: m.UID, hash: f.hash(m)}
	if e.copy, err = f.x.hasDoc(e.hash); err != nil || e.copy {
		return e, err == nil, err
	}
	if len(m.Key) > 0 { // encrypted by a wrapper: there is no text here
		e.weak = true
		return e, true, nil
	}
	e.text, err = f.text(id, m)
	switch {
	case err == nil:
		e.weak = e.text.Cut
	case errors.Is(err, store.ErrExpunged), errors.Is(err, store.ErrNoMessage):
		return e, false, nil
	case f.x.ctx.Err() != nil, errors.Is(err, store.ErrTemporary), errors.Is(err, store.ErrClosed):
		return e, false, err
	default:
		e.weak = true
		f.x.log.Warn("cannot index a message", "account", f.row.name, "mailbox", id.String(), "uid", uint32(m.UID), "error", err)
	}
	return e, true, nil
}

// hash names the octets of a message in its account. It has all that they are
// made of, so that an EmailID that stands for several is not believed.
func (f *follower) hash(m *store.Message) []byte {
	h := sha256.New()
	var n [8]byte
	for _, part := range [...][]byte{binary.BigEndian.AppendUint64(nil, uint64(f.row.num)), m.EmailID[:], []byte(m.Blob), m.Key, m.Prefix} {
		binary.BigEndian.PutUint64(n[:], uint64(len(part)))
		h.Write(n[:])
		h.Write(part)
	}
	return h.Sum(nil)[:16]
}

// text reads the texts of a message. A fault of the reader costs one message,
// not the process.
func (f *follower) text(id store.MailboxID, m *store.Message) (t searchtext.Text, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	c, err := store.OpenContent(f.x.ctx, f.a, id, m)
	if err != nil {
		return t, err
	}
	defer c.Close()
	prefix := int64(len(m.Prefix))
	meta, ok := store.DecodeMeta(m.Meta)
	if !ok {
		size := c.Size() - prefix
		if meta, err = store.ComputeMeta(io.NewSectionReader(c, prefix, size), size); err != nil {
			return t, err
		}
	}
	return searchtext.Extract(c, prefix, &meta, f.x.limit)
}

// write puts messages into the index.
func (f *follower) write(b *boxRow, batch []entry) error {
	if len(batch) == 0 {
		return nil
	}
	known, weak, next := b.known.Clone(), b.weak.Clone(), f.row.next
	err := f.x.tx(f.x.ctx, func(tx *sql.Tx) error {
		for i := range batch {
			e := &batch[i]
			doc, isWeak, err := docOf(tx, e, &next, f.row.num)
			if err != nil {
				return err
			}
			if _, err := tx.Exec(`INSERT OR REPLACE INTO place (box, uid, doc) VALUES (?, ?, ?)`, b.num, int64(e.uid), doc); err != nil {
				return err
			}
			known.Add(e.uid)
			if isWeak {
				weak.Add(e.uid)
			}
		}
		if _, err := tx.Exec(`UPDATE account SET next = ? WHERE id = ?`, next, f.row.num); err != nil {
			return err
		}
		return saveBox(tx, b.num, known, weak)
	})
	if err == nil {
		b.known, b.weak, f.row.next = known, weak, next
	}
	return err
}

// docOf is the document of a message, which is made where there is none.
func docOf(tx *sql.Tx, e *entry, next *int64, account int64) (doc int64, weak bool, err error) {
	err = tx.QueryRow(`SELECT id, weak FROM doc WHERE hash = ?`, e.hash).Scan(&doc, &weak)
	if !errors.Is(err, sql.ErrNoRows) {
		return doc, weak, err
	}
	if e.copy {
		return 0, false, errors.New("sqlite: a document went while a copy was indexed")
	}
	doc = account<<docShift | *next
	*next++
	if _, err = tx.Exec(`INSERT INTO doc (id, hash, weak) VALUES (?, ?, ?)`, doc, e.hash, e.weak); err != nil {
		return 0, false, err
	}
	if _, err = tx.Exec(`INSERT INTO head (rowid, text) VALUES (?, ?)`, doc, string(e.text.Header)); err != nil {
		return 0, false, err
	}
	_, err = tx.Exec(`INSERT INTO body (rowid, text) VALUES (?, ?)`, doc, string(e.text.Body))
	return doc, e.weak, err
}

func saveBox(tx *sql.Tx, num int64, known, weak store.UIDSet) error {
	_, err := tx.Exec(`UPDATE box SET known = ?, weak = ? WHERE num = ?`, appendSet([]byte{}, known), appendSet([]byte{}, weak), num)
	return err
}

// hasDoc reports whether a text is indexed already.
func (x *searchIndex) hasDoc(hash []byte) (ok bool, err error) {
	err = x.write.QueryRowContext(x.ctx, `SELECT EXISTS (SELECT 1 FROM doc WHERE hash = ?)`, hash).Scan(&ok)
	return ok, err
}

// accountRow is the row of an account, which is made where there is none.
func (x *searchIndex) accountRow(id store.AccountID) (r accountRow, err error) {
	err = x.tx(x.ctx, func(tx *sql.Tx) error {
		if _, err := tx.Exec(`INSERT OR IGNORE INTO account (name, modseq, next) VALUES (?, 0, 1)`, string(id)); err != nil {
			return err
		}
		return tx.QueryRow(`SELECT id, name, modseq, next FROM account WHERE name = ?`, string(id)).Scan(&r.num, &r.name, &r.modseq, &r.next)
	})
	return r, err
}

// accounts are all rows.
func (x *searchIndex) accounts(ctx context.Context) (list []accountRow, err error) {
	rows, err := x.write.QueryContext(ctx, `SELECT id, name, modseq, next FROM account`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var r accountRow
		if err := rows.Scan(&r.num, &r.name, &r.modseq, &r.next); err != nil {
			return nil, err
		}
		list = append(list, r)
	}
	return list, rows.Err()
}

// newBox makes the row of a mailbox.
func (x *searchIndex) newBox(account int64, m *store.Mailbox) (b boxRow, err error) {
	b.validity = m.UIDValidity
	err = x.tx(x.ctx, func(tx *sql.Tx) error {
		return tx.QueryRow(`INSERT INTO box (account, id, validity, known, weak) VALUES (?, ?, ?, x'', x'') RETURNING num`,
			account, m.ID[:], int64(m.UIDValidity)).Scan(&b.num)
	})
	return b, err
}

func (x *searchIndex) boxRow(account int64, id store.MailboxID) (boxRow, bool, error) {
	return scanBox(x.write.QueryRowContext(x.ctx, boxQuery, account, id[:]))
}

const boxQuery = `SELECT num, validity, known, weak FROM box WHERE account = ? AND id = ?`

// scanBox reads the row of boxQuery; false: there is none.
func scanBox(r *sql.Row) (b boxRow, ok bool, err error) {
	var known, weak []byte
	err = r.Scan(&b.num, &b.validity, &known, &weak)
	if errors.Is(err, sql.ErrNoRows) {
		return b, false, nil
	}
	if err == nil {
		b.known, err = readSet(known)
	}
	if err == nil {
		b.weak, err = readSet(weak)
	}
	return b, err == nil, err
}
