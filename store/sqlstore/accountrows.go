package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/sqldb"
)

// Create implements store.Store.
func (s *Store) Create(ctx context.Context, id store.AccountID, info store.AccountInfo) error {
	if err := s.create(ctx, id, info); err != nil {
		return fail("create", id, err)
	}
	return nil
}

func (s *Store) create(ctx context.Context, id store.AccountID, info store.AccountInfo) error {
	if s.wake.closed() {
		return store.ErrClosed
	}
	if err := id.Check(); err != nil {
		return err
	}
	put := store.PutAccount{Limits: &info.Limits, State: &info.State}
	if err := (store.Change{Ops: []store.Op{put}}).Check(); err != nil {
		return err
	}
	info.ID = id
	return s.db.Commit(ctx, s.work(id, 0, func(tx *sqldb.Tx) error { return s.createIn(tx, info) }))
}

func (s *Store) createIn(tx *sqldb.Tx, info store.AccountInfo) error {
	switch _, err := s.load(tx, info.ID); {
	case err == nil:
		return store.ErrExists
	case err != store.ErrNoAccount:
		return err
	}
	num, err := s.newNumber(tx)
	if err != nil {
		return err
	}
	// A name that comes back is given no UIDVALIDITY that it had before.
	validity, _, err := sqldb.One(tx.Context(), tx, sqldb.Int64,
		`SELECT COALESCE(MAX(validity), 0) FROM account WHERE name = ? AND dropped = 1`, string(info.ID))
	if err != nil {
		return err
	}
	now := time.Now()
	info.Created = time.Unix(now.Unix(), 0)
	a := &account{
		num: num, id: info.ID, info: info, modSeq: 1,
		validity: store.UIDValidity(validity),
		boxes:    make(map[store.MailboxID]*box), names: make(map[string]*box),
	}
	a.addBox(newMailbox(store.NewMailboxID(), store.Inbox, a.newValidity(now, 0), 1))
	if err := s.insertAccount(tx, a); err != nil {
		return err
	}
	s.remember(a.id, a)
	s.touch(tx, a)
	return nil
}

// newNumber is the number of a new account: the next one, or where nodes would
// have to wait for each other to know it, a random one.
func (s *Store) newNumber(tx *sqldb.Tx) (int64, error) {
	if s.shared() {
		return rand.Int64N(math.MaxInt64) + 1, nil
	}
	last, _, err := sqldb.One(tx.Context(), tx, sqldb.Int64, `SELECT COALESCE(MAX(id), 0) FROM account`)
	return last + 1, err
}

// insertAccount writes the row. ErrExists: another node made one of that name
// just now.
func (s *Store) insertAccount(tx *sqldb.Tx, a *account) error {
	l := a.info.Limits
	r, err := tx.Exec(`INSERT INTO account (id, name, state, created, max_bytes, max_messages, max_mailboxes,
		modseq, purged, validity, boxes, arrivals, dropped, version) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?)
		ON CONFLICT DO NOTHING`,
		a.num, string(a.id), int64(a.info.State), a.info.Created.Unix(), l.Bytes, l.Messages, l.Mailboxes,
		int64(a.modSeq), int64(a.purged), int64(a.validity), a.boxNum, a.arrivals, a.version)
	if err != nil {
		return err
	}
	if n, err := r.RowsAffected(); err != nil || n == 0 {
		return first(err, store.ErrExists)
	}
	return nil
}

// load returns the working state of an account. It runs on the committer, in a
// Work made by Store.work for this account.
func (s *Store) load(tx *sqldb.Tx, id store.AccountID) (*account, error) {
	s.mu.RLock()
	a := s.accounts[id]
	s.mu.RUnlock()
	if a != nil {
		if a.dropped {
			return nil, store.ErrNoAccount
		}
		return a, nil
	}
	a, err := readAccount(tx.Context(), tx, id)
	if err != nil {
		return nil, err
	}
	if a.held, err = readHolds(tx.Context(), tx, a.num); err != nil {
		return nil, err
	}
	s.publish(a)
	s.remember(id, a)
	return a, nil
}

// sqlAccount reads an account with its mailboxes, at least INBOX, in one
// statement, so that they fit together.
const sqlAccount = `SELECT a.name, a.state, a.created, a.max_bytes, a.max_messages, a.max_mailboxes,
	a.id, a.version, a.modseq, a.purged, a.validity, a.boxes, a.arrivals,
	m.num, m.id, m.name, m.validity, m.uidnext, m.modseq, m.highest,
	m.messages, m.unseen, m.deleted, m.bytes, m.recent, m.role, m.subscribed, m.noselect, m.gone
	FROM account a JOIN mailbox m ON m.account = a.id WHERE a.name = ? AND a.dropped = 0`

// readAccount reads the working state of an account, but for its holds.
func readAccount(ctx context.Context, q sqldb.Querier, id store.AccountID) (*account, error) {
	a := &account{boxes: make(map[store.MailboxID]*box), names: make(map[string]*box)}
	err := sqldb.Each(ctx, q, a.scan, sqlAccount, string(id))
	if err == nil && len(a.boxes) == 0 {
		err = store.ErrNoAccount
	}
	return a, err
}

// scan reads one row of sqlAccount.
func (a *account) scan(r *sql.Rows) error {
	var created int64
	var id sql.RawBytes
	i, b := &a.info, new(box)
	err := r.Scan((*string)(&i.ID), &i.State, &created, &i.Limits.Bytes, &i.Limits.Messages, &i.Limits.Mailboxes,
		&a.num, &a.version, &a.modSeq, &a.purged, &a.validity, &a.boxNum, &a.arrivals,
		&b.num, &id, &b.Name, &b.UIDValidity, &b.UIDNext, &b.ModSeq, &b.HighestModSeq,
		&b.Messages, &b.Unseen, &b.Deleted, &b.Bytes, &b.RecentFrom, &b.Role, &b.Subscribed, &b.NoSelect, &b.Gone)
	if err == nil && len(id) != len(b.ID) {
		err = fmt.Errorf("%w: mailbox id of %d octets", store.ErrCorrupt, len(id))
	}
	if err != nil {
		return err
	}
	copy(b.ID[:], id)
	i.Created, a.id = time.Unix(created, 0), i.ID
	a.mark(b) // so that it is published
	a.boxes[b.ID] = b
	if !b.Gone {
		a.names[b.Name] = b
		a.usage.Mailboxes++
		a.usage.Messages += b.Messages
		a.usage.Bytes += b.Bytes
	}
	return nil
}

func scanInfo(r *sql.Rows) (i store.AccountInfo, err error) {
	var created int64
	err = r.Scan((*string)(&i.ID), &i.State, &created, &i.Limits.Bytes, &i.Limits.Messages, &i.Limits.Mailboxes)
	i.Created = time.Unix(created, 0)
	return i, err
}

// flush writes the rows that the batch changed in memory.
func (s *Store) flush(tx *sqldb.Tx, a *account) error {
	l := a.info.Limits
	a.version++
	_, err := tx.Exec(`UPDATE account SET state = ?, max_bytes = ?, max_messages = ?, max_mailboxes = ?,
		modseq = ?, purged = ?, validity = ?, boxes = ?, arrivals = ?, dropped = ?, version = ? WHERE id = ?`,
		int64(a.info.State), l.Bytes, l.Messages, l.Mailboxes,
		int64(a.modSeq), int64(a.purged), int64(a.validity), a.boxNum, a.arrivals, flag(a.dropped), a.version, a.num)
	if err != nil {
		return err
	}
	for _, b := range a.dirty {
		if err := a.flushBox(tx, b); err != nil {
			return err
		}
	}
	return nil
}

func (a *account) flushBox(tx *sqldb.Tx, b *box) error {
	if !b.Gone {
		b.RecentFrom = max(b.RecentFrom, a.claimed(b.ID))
	}
	if err := a.flushTail(tx, b); err != nil {
		return err
	}
	if !b.isNew {
		_, err := tx.Exec(`UPDATE mailbox SET name = ?, validity = ?, uidnext = ?, modseq = ?, highest = ?,
			messages = ?, unseen = ?, deleted = ?, bytes = ?, recent = ?,
			role = ?, subscribed = ?, noselect = ?, gone = ? WHERE account = ? AND num = ?`,
			b.Name, int64(b.UIDValidity), int64(b.UIDNext), int64(b.ModSeq), int64(b.HighestModSeq),
			b.Messages, b.Unseen, b.Deleted, b.Bytes, int64(b.RecentFrom),
			b.Role, flag(b.Subscribed), flag(b.NoSelect), flag(b.Gone), a.num, b.num)
		return err
	}
	b.isNew = false
	_, err := tx.Exec(`INSERT INTO mailbox (account, num, id, name, validity, uidnext, modseq, highest,
		messages, unseen, deleted, bytes, recent, role, subscribed, noselect, gone)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		a.num, b.num, b.ID[:], b.Name, int64(b.UIDValidity), int64(b.UIDNext), int64(b.ModSeq), int64(b.HighestModSeq),
		b.Messages, b.Unseen, b.Deleted, b.Bytes, int64(b.RecentFrom),
		b.Role, flag(b.Subscribed), flag(b.NoSelect), flag(b.Gone))
	return err
}

func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}
