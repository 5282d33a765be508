package main

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"

	"go.etcd.io/bbolt"
	_ "modernc.org/sqlite"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/sqlite"
)

// sqliteKeeper keeps messages in rows of one table.
type sqliteKeeper struct{ db *sql.DB }

func openSQLite(dir, synchronous string) (keeper, error) {
	name := filepath.Join(dir, "messages.db")
	if f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o600); err != nil {
		return nil, err
	} else if err := errors.Join(f.Sync(), f.Close(), syncDir(dir)); err != nil {
		return nil, err
	}
	db, err := sql.Open("sqlite", "file:"+name+"?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous("+synchronous+")")
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	if _, err := db.Exec(`CREATE TABLE IF NOT EXISTS message (id INTEGER PRIMARY KEY, body BLOB NOT NULL)`); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return sqliteKeeper{db}, nil
}

func (k sqliteKeeper) put(id uint64, body []byte) error {
	_, err := k.db.Exec(`INSERT INTO message VALUES (?, ?)`, int64(id), body)
	return err
}

func (k sqliteKeeper) get(id uint64) (body []byte, err error) {
	err = k.db.QueryRow(`SELECT body FROM message WHERE id = ?`, int64(id)).Scan(&body)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return body, err
}

func (k sqliteKeeper) close() error { return k.db.Close() }

// boltKeeper keeps messages in one bucket.
type boltKeeper struct{ db *bbolt.DB }

func openBolt(dir string, noSync bool) (keeper, error) {
	db, err := bbolt.Open(filepath.Join(dir, "messages.bolt"), 0o600, &bbolt.Options{NoSync: noSync})
	if err != nil {
		return nil, err
	}
	if err := syncDir(dir); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		_, err := tx.CreateBucketIfNotExists([]byte("message"))
		return err
	})
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return boltKeeper{db}, nil
}

func boltKey(id uint64) []byte { return binary.BigEndian.AppendUint64(nil, id) }

func (k boltKeeper) put(id uint64, body []byte) error {
	return k.db.Update(func(tx *bbolt.Tx) error { return tx.Bucket([]byte("message")).Put(boltKey(id), body) })
}

func (k boltKeeper) get(id uint64) (body []byte, err error) {
	defer func() { // a damaged file makes bbolt panic
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	err = k.db.View(func(tx *bbolt.Tx) error {
		if b := tx.Bucket([]byte("message")); b != nil {
			body = bytes.Clone(b.Get(boltKey(id)))
		}
		return nil
	})
	return body, err
}

func (k boltKeeper) close() error { return k.db.Close() }

// fileKeeper keeps each message in a file of its own: written under another
// name, synced and renamed, as queues do.
type fileKeeper struct {
	dir      string
	syncsDir bool
}

func openFiles(dir string, syncsDir bool) (keeper, error) { return fileKeeper{dir, syncsDir}, nil }

func (k fileKeeper) path(id uint64) string { return filepath.Join(k.dir, strconv.FormatUint(id, 10)) }

func (k fileKeeper) put(id uint64, body []byte) error {
	f, err := os.OpenFile(k.path(id)+".tmp", os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if _, err := f.Write(body); err != nil {
		return errors.Join(err, f.Close())
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), k.path(id)); err != nil || !k.syncsDir {
		return err
	}
	return syncDir(k.dir)
}

func (k fileKeeper) get(id uint64) ([]byte, error) {
	b, err := os.ReadFile(k.path(id))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	return b, err
}

func (k fileKeeper) close() error { return nil }

// mailstead is the embedded engine with its defaults.
type mailstead struct {
	engine *sqlite.Engine
	a      store.Account
	inbox  store.MailboxID
	uids   map[uint64]store.UID // of what is there, for get
}

func openMailstead(dir string) (keeper, error) {
	ctx := context.Background()
	e, err := sqlite.Open(ctx, dir, sqlite.Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, err
	}
	k := &mailstead{engine: e}
	if err := k.begin(ctx); err != nil {
		return nil, errors.Join(err, e.Close())
	}
	return k, nil
}

func (k *mailstead) begin(ctx context.Context) error {
	err := k.engine.Store().Create(ctx, "alice", store.AccountInfo{})
	if err != nil && !errors.Is(err, store.ErrExists) {
		return err
	}
	if k.a, err = k.engine.Store().Open(ctx, "alice"); err != nil {
		return err
	}
	box, err := store.MailboxByName(ctx, k.a, store.Inbox)
	k.inbox = box.ID
	return err
}

func (k *mailstead) put(_ uint64, body []byte) error {
	_, err := store.AppendMessage(context.Background(), k.engine.Store(), k.a, "",
		store.NewMessage{Mailbox: k.inbox, Body: bytes.NewReader(body), BodySize: int64(len(body))})
	return err
}

func (k *mailstead) get(id uint64) ([]byte, error) {
	if k.uids == nil {
		k.uids = map[uint64]store.UID{}
		for m, err := range k.a.Messages(context.Background(), k.inbox, store.Query{}) {
			if err != nil {
				return nil, err
			}
			b, err := k.read(m.UID)
			if err != nil {
				return nil, err
			}
			var id uint64
			if _, err := fmt.Sscanf(string(b), "Subject: %d", &id); err != nil {
				return nil, err
			}
			k.uids[id] = m.UID
		}
	}
	if k.uids[id] == 0 {
		return nil, nil
	}
	return k.read(k.uids[id])
}

func (k *mailstead) read(uid store.UID) ([]byte, error) {
	c, err := k.a.Content(context.Background(), k.inbox, uid)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	return io.ReadAll(io.NewSectionReader(c, 0, c.Size()))
}

func (k *mailstead) close() error { return k.engine.Close() }
