package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"

	"modernc.org/sqlite"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/sqldb"
)

// applicationID marks our databases in their header ("MSTD").
const applicationID = 0x4d535444

// OpenDB opens the database in the file path alone, and makes it where it is
// missing: for a store whose bodies do not lie beside it. It uses the options of
// the database, and checks that it syncs as it must. Nobody but one process
// may use the file; the caller sees to that.
func OpenDB(ctx context.Context, path string, o Options) (*sqldb.DB, error) {
	o.setDefaults()
	return openDB(ctx, path, &o)
}

// openDB opens the database and checks that it is ours and syncs as it must.
func openDB(ctx context.Context, path string, o *Options) (*sqldb.DB, error) {
	if err := makeFile(path); err != nil {
		return nil, err
	}
	if err := rewriteLog(path); err != nil {
		return nil, err
	}
	write, err := handle(path, o, o.CacheBytes, "journal_mode(WAL)")
	if err != nil {
		return nil, err
	}
	write.SetMaxOpenConns(1)
	read, err := handle(path, o, o.CacheBytes/8, "query_only(1)")
	if err != nil {
		write.Close()
		return nil, err
	}
	read.SetMaxOpenConns(o.Readers)
	read.SetMaxIdleConns(o.Readers)
	dialect := Dialect()
	dialect.Path = path
	db, err := sqldb.New(sqldb.Options{Dialect: dialect, Write: write, Read: read, Logger: o.Logger})
	if err != nil {
		write.Close()
		read.Close()
		return nil, err
	}
	if err := prepare(ctx, db, o); err != nil {
		db.Close()
		return nil, explain(err, path)
	}
	return db, nil
}

// handle makes a pool whose connections have these settings.
func handle(path string, o *Options, cache int64, pragmas ...string) (*sql.DB, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	q := url.Values{"_pragma": {
		"busy_timeout(" + strconv.FormatInt(o.BusyTimeout.Milliseconds(), 10) + ")",
		"cache_size(" + strconv.FormatInt(-cache/1024, 10) + ")",
		"synchronous(" + strconv.Itoa(o.Synchronous.pragma()) + ")",
		"temp_store(MEMORY)",
		"trusted_schema(0)",
		"wal_autocheckpoint(2000)",
		"journal_size_limit(67108864)",
	}}
	q["_pragma"] = append(q["_pragma"], pragmas...)
	u := url.URL{Scheme: "file", Path: filepath.ToSlash(abs), RawQuery: q.Encode()}
	c, err := sqlite.NewConnector(u.String())
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(c), nil
}

// prepare checks the settings that durability rests on, by asking for them.
func prepare(ctx context.Context, db *sqldb.DB, o *Options) error {
	return db.Commit(ctx, sqldb.Work{Key: "open", Do: func(tx *sqldb.Tx) error {
		id, _, err := sqldb.One(ctx, tx, sqldb.Int64, `PRAGMA application_id`)
		if err != nil {
			return err
		}
		tables, _, err := sqldb.One(ctx, tx, sqldb.Int64, `SELECT COUNT(*) FROM sqlite_master`)
		if err != nil {
			return err
		}
		if id != applicationID && (id != 0 || tables > 0) {
			return fmt.Errorf("%w: it belongs to another program (application id %#x)", store.ErrCorrupt, id)
		}
		mode, _, err := sqldb.One(ctx, tx, text, `PRAGMA journal_mode`)
		if err != nil {
			return err
		}
		syncs, _, err := sqldb.One(ctx, tx, sqldb.Int64, `PRAGMA synchronous`)
		if err != nil {
			return err
		}
		if mode != "wal" || syncs != int64(o.Synchronous.pragma()) {
			return fmt.Errorf("settings do not hold: journal_mode %s, synchronous %d; does the file system support shared memory and locks?", mode, syncs)
		}
		if id == applicationID {
			return nil
		}
		_, err = tx.ExecOnce(`PRAGMA application_id = ` + strconv.Itoa(applicationID))
		return err
	}})
}

func text(r *sql.Rows) (s string, err error) {
	err = r.Scan(&s)
	return s, err
}

// explain says what to do about a database that cannot be used.
func explain(err error, path string) error {
	switch code(err) {
	case codeCorrupt, codeNotADB:
		return fmt.Errorf("%w: %s is damaged: restore it from a backup, or save what is left with `sqlite3 %s .recover`: %w",
			store.ErrCorrupt, filepath.Base(path), path, err)
	case codeFull:
		return fmt.Errorf("%w: the disk is full: %w", store.ErrTemporary, err)
	}
	return err
}

// makeFile makes an empty database file that has its name for good.
func makeFile(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		f.Close()
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// makeDir makes a directory whose name survives a power cut.
func makeDir(dir string) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	parent := filepath.Dir(abs)
	if err := makeDir(parent); err != nil {
		return err
	}
	if err := os.Mkdir(abs, 0o700); err != nil && !os.IsExist(err) {
		return err
	}
	return syncDir(parent)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
