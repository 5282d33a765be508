package sqlite_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/sqldb"
	"github.com/mailstead/mailstead/store/sqlstore"
)

var errRefused = errors.New("refused after a write")

// TestFailingNeighbour: Work of others that fails after it wrote never takes
// acknowledged deliveries with it, and leaves nothing itself.
func TestFailingNeighbour(t *testing.T) {
	s := open(t, t.TempDir())
	db := s.engine.DB()
	if err := db.Migrate(t.Context(), "test", []sqldb.Migration{{`CREATE TABLE junk (n {int})`}}); err != nil {
		t.Fatal(err)
	}
	const writers, each = 8, 20
	var wg sync.WaitGroup
	for i := range writers {
		w := newWriter(t, s, store.AccountID(fmt.Sprint("a", i)))
		wg.Go(func() {
			for k := range each {
				w.deliver(t, body(100), uint64(100*i+k))
			}
		})
		wg.Go(func() {
			for range each {
				err := db.Commit(context.Background(), sqldb.Work{Key: "junk", Do: func(tx *sqldb.Tx) error {
					if _, err := tx.Exec(`INSERT INTO junk VALUES (1)`); err != nil {
						return err
					}
					return errRefused
				}})
				if !errors.Is(err, errRefused) {
					t.Errorf("failing Work: %v", err)
				}
			}
		})
	}
	wg.Wait()
	if n := rows(t, s, "junk"); n != 0 {
		t.Errorf("failed Work left %d rows", n)
	}
	if n := rows(t, s, "fact"); n != writers*each {
		t.Errorf("%d messages, want %d", n, writers*each)
	}
	if db.Stats().Reruns == 0 {
		t.Error("no batch was run again: the test tested nothing")
	}
	sound(t, s)
}

// sound fails the test for every fault that Verify finds.
func sound(t *testing.T, s *opened) {
	t.Helper()
	if err := s.engine.Store().Verify(t.Context(), func(p *sqlstore.Problem) { t.Error(p) }); err != nil {
		t.Error(err)
	}
}

// TestFull: a full disk refuses deliveries with ErrTemporary, loses nothing,
// and ends when there is room again.
func TestFull(t *testing.T) {
	s := open(t, t.TempDir())
	w := newWriter(t, s, "alice")
	w.deliver(t, body(100), 1)
	limit := func(pages string) {
		t.Helper()
		err := s.engine.DB().Commit(t.Context(), sqldb.Work{Do: func(tx *sqldb.Tx) error {
			_, _, err := sqldb.One(tx.Context(), tx, sqldb.Int64, `PRAGMA max_page_count = `+pages)
			return err
		}})
		if err != nil {
			t.Fatal(err)
		}
	}
	limit("1") // as few as there are
	stored, failed := 1, 0
	for k := range 100 {
		op := w.op(t, body(100), uint64(k+10))
		_, err := w.a.Apply(t.Context(), store.Change{Ops: []store.Op{op}})
		switch {
		case err == nil:
			stored++
		case errors.Is(err, store.ErrTemporary):
			failed++
		default:
			t.Fatal(err)
		}
	}
	if failed == 0 {
		t.Fatal("the disk was never full")
	}
	limit("1000000")
	w.deliver(t, body(100), 2)
	m, err := store.MailboxByID(t.Context(), w.a, w.inbox)
	if err != nil || m.Messages != int64(stored+1) {
		t.Errorf("%d messages, %v; %d were acknowledged", m.Messages, err, stored+1)
	}
	sound(t, s)
}

// TestVerifyFinds: Verify notices what it is there for.
func TestVerifyFinds(t *testing.T) {
	for name, damage := range map[string]string{
		"a counter":    `UPDATE mailbox SET unseen = unseen + 1`,
		"facts":        `DELETE FROM fact WHERE uid = 2`,
		"state":        `UPDATE state SET data = x'01ff'`,
		"a body":       `UPDATE fact SET blob = 's' || substr(blob, 2, 40) || '0' WHERE uid = 1`,
		"UIDNEXT":      `UPDATE mailbox SET uidnext = 2`,
		"the prefix":   `UPDATE fact SET prefix = NULL WHERE uid = 1`,
		"the last one": `DELETE FROM fact WHERE uid = 3`,
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, t.TempDir())
			w := newWriter(t, s, "alice")
			for k := range 3 {
				w.deliver(t, body(100), uint64(k))
			}
			sound(t, s)
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			shell(t, s.dir, damage)
			s = open(t, s.dir)
			n := 0
			err := s.engine.Store().Verify(t.Context(), func(p *sqlstore.Problem) { n++ })
			if err != nil || n == 0 {
				t.Errorf("%d problems found, %v", n, err)
			}
		})
	}
}
