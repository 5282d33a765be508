package sqlite

import (
	"context"
	"database/sql"
	"encoding/binary"
	"fmt"
	"strconv"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/sqldb"
)

// searchVersion is that of searchSchema and of what searchtext extracts. An
// index of another version is made anew.
const searchVersion = 1

// docShift: the documents of an account have the numbers from its own shifted
// by this, so that they stand together in the index.
const docShift = 32

// searchSchema is the index. A document is the text of a message; copies of a
// message in one account share it. The index of a document is the set of its
// trigrams without their places (detail=none), a sixth of one with places.
//
// modseq is what the change log was followed up to: all before it is indexed.
// known are the UIDs of a mailbox that are indexed, weak those of them whose
// text is not known as a whole. They change in one transaction with what they
// tell of.
var searchSchema = [...]string{
	`CREATE TABLE account (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, modseq INTEGER NOT NULL, next INTEGER NOT NULL)`,
	`CREATE TABLE box (num INTEGER PRIMARY KEY, account INTEGER NOT NULL, id BLOB NOT NULL, validity INTEGER NOT NULL,
		known BLOB NOT NULL, weak BLOB NOT NULL, UNIQUE (account, id))`,
	`CREATE TABLE place (box INTEGER NOT NULL, uid INTEGER NOT NULL, doc INTEGER NOT NULL, PRIMARY KEY (box, uid)) WITHOUT ROWID`,
	`CREATE INDEX place_doc ON place (doc, box)`,
	`CREATE TABLE doc (id INTEGER PRIMARY KEY, hash BLOB NOT NULL UNIQUE, weak INTEGER NOT NULL)`,
	`CREATE TABLE orphan (doc INTEGER PRIMARY KEY)`, // documents that may have lost their last place
	`CREATE VIRTUAL TABLE head USING fts5 (text, content='', contentless_delete=1, tokenize='trigram case_sensitive 1', detail=none)`,
	`CREATE VIRTUAL TABLE body USING fts5 (text, content='', contentless_delete=1, tokenize='trigram case_sensitive 1', detail=none)`,
	`PRAGMA user_version = ` + strconv.Itoa(searchVersion),
}

// openFile opens the database of the index. It need not be synced at each
// commit: after a power cut it is as it was earlier, and follows again.
func (x *searchIndex) openFile(ctx context.Context, o *Options) (err error) {
	so := *o
	so.Synchronous = UnsafeNormal
	if x.write, err = handle(x.path, &so, o.CacheBytes/4, "journal_mode(WAL)"); err != nil {
		return err
	}
	x.write.SetMaxOpenConns(1)
	if x.read, err = handle(x.path, &so, o.CacheBytes/16, "query_only(1)"); err != nil {
		x.write.Close()
		return err
	}
	x.read.SetMaxOpenConns(o.Readers)
	x.read.SetMaxIdleConns(o.Readers)
	if err = x.prepare(ctx); err != nil {
		x.read.Close()
		x.write.Close()
	}
	return err
}

// prepare makes the tables in a new file, and refuses those of another version.
func (x *searchIndex) prepare(ctx context.Context) error {
	return x.tx(ctx, func(tx *sql.Tx) error {
		var version, tables int
		if err := tx.QueryRow(`PRAGMA user_version`).Scan(&version); err != nil {
			return err
		}
		if err := tx.QueryRow(`SELECT COUNT(*) FROM sqlite_master`).Scan(&tables); err != nil {
			return err
		}
		if version == searchVersion {
			return nil
		}
		if tables > 0 {
			return fmt.Errorf("version %d, this one is %d", version, searchVersion)
		}
		for _, q := range searchSchema {
			if _, err := tx.Exec(q); err != nil {
				return err
			}
		}
		return nil
	})
}

// tx runs f in a transaction that writes.
func (x *searchIndex) tx(ctx context.Context, f func(*sql.Tx) error) error {
	tx, err := x.write.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if err := f(tx); err != nil {
		return err
	}
	return tx.Commit()
}

// compare forgets accounts that are not, or not that far, in the database: it
// was restored from an earlier state, and other messages may get the UIDs that
// the index knows.
func (x *searchIndex) compare(ctx context.Context, db *sqldb.DB) error {
	now := make(map[string]int64)
	err := sqldb.Each(ctx, db, func(r *sql.Rows) error {
		var name string
		var modseq int64
		err := r.Scan(&name, &modseq)
		now[name] = modseq
		return err
	}, `SELECT name, modseq FROM account WHERE dropped = 0`)
	if err != nil {
		return err
	}
	rows, err := x.accounts(ctx)
	if err != nil {
		return err
	}
	for _, a := range rows {
		if m, ok := now[a.name]; ok && m >= int64(a.modseq) {
			continue
		}
		if err := x.clear(ctx, a.num); err != nil {
			return err
		}
	}
	return nil
}

// appendSet adds a set in its stored form: for each range the distance from the
// one before and its length, as varints.
func appendSet(dst []byte, set store.UIDSet) []byte {
	var last store.UID
	for _, r := range set {
		dst = binary.AppendUvarint(dst, uint64(r.First-last))
		dst = binary.AppendUvarint(dst, uint64(r.Last-r.First))
		last = r.Last
	}
	return dst
}

// readSet is the inverse of appendSet.
func readSet(b []byte) (set store.UIDSet, err error) {
	var last uint64
	for len(b) > 0 {
		gap, n := binary.Uvarint(b)
		if n <= 0 {
			return nil, store.ErrCorrupt
		}
		length, m := binary.Uvarint(b[n:])
		if m <= 0 {
			return nil, store.ErrCorrupt
		}
		b = b[n+m:]
		first := last + gap
		if last = first + length; gap > 1<<32 || length > 1<<32 || last >= 1<<32 {
			return nil, store.ErrCorrupt
		}
		set.AddRange(store.UID(first), store.UID(last))
	}
	return set, nil
}
