package postgres_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"io"
	"net"
	"regexp"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/postgres/pgtest"
	"github.com/mailstead/mailstead/store/sqldb"
)

// cutter is a TCP proxy that cuts a connection at a COMMIT on demand.
type cutter struct {
	server string
	listen net.Listener
	wg     sync.WaitGroup

	before, after atomic.Bool // cut before the next COMMIT, or before its answer
	away          atomic.Bool // new connections are closed at once
}

func startCutter(t *testing.T, server string) *cutter {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cutter{server: server, listen: l}
	c.wg.Go(c.accept)
	t.Cleanup(func() { l.Close(); c.wg.Wait() })
	return c
}

func (c *cutter) accept() {
	for {
		client, err := c.listen.Accept()
		if err != nil {
			return
		}
		c.wg.Go(func() { c.serve(client) })
	}
}

func (c *cutter) serve(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", c.server)
	if err != nil || c.away.Load() {
		return
	}
	defer server.Close()
	var name []byte // of the prepared COMMIT
	prepared := regexp.MustCompile(`(stmt_[0-9a-f]+)\x00COMMIT\x00`)
	done := make(chan struct{})
	go func() { // ends when one of the connections does
		defer close(done)
		copyUntil(server, client, func(b []byte) bool {
			if m := prepared.FindSubmatch(b); m != nil {
				name = bytes.Clone(m[1])
				return false
			}
			return name != nil && bytes.Contains(b, name) && c.before.CompareAndSwap(true, false)
		})
		client.Close()
		server.Close()
	}()
	copyUntil(client, server, func(b []byte) bool {
		return bytes.Contains(b, []byte("\x0bCOMMIT\x00")) && c.after.CompareAndSwap(true, false)
	})
	client.Close()
	server.Close()
	<-done
}

// copyUntil copies until cut says so of what was read, which is dropped.
func copyUntil(dst io.Writer, src io.Reader, cut func([]byte) bool) {
	buf := make([]byte, 64<<10)
	for {
		n, err := src.Read(buf)
		if err != nil || cut(buf[:n]) {
			return
		}
		if _, err := dst.Write(buf[:n]); err != nil {
			return
		}
	}
}

// TestCommitCut: the connection is cut before the server has COMMIT, or before
// its answer arrives. With Once the true outcome is found; without it the
// outcome is unknown, and what is there then is whole.
func TestCommitCut(t *testing.T) {
	s := pg.Server(t)
	name := pgtest.Name(t, s)
	c := startCutter(t, s.Addr())
	o := open(t, "postgres://postgres@"+c.listen.Addr().String()+"/"+name+"?sslmode=disable", refBlobs{})
	a, inbox := account(t, o, "alice")
	for _, at := range []struct {
		name      string
		cut       *atomic.Bool
		committed int64
	}{{"before", &c.before, 0}, {"after", &c.after, 1}} {
		t.Run(at.name, func(t *testing.T) {
			have := messages(t, a, inbox)
			at.cut.Store(true)
			r, err := a.Apply(t.Context(), store.Change{Once: at.name, Ops: []store.Op{appendTo(t, o.blobs, inbox, "x")}})
			if err != nil || at.cut.Load() {
				t.Errorf("with Once: %v, not cut: %v", err, at.cut.Load())
			}
			if now := messages(t, a, inbox); now != have+1 || r.Ops[0].Dest.Len() != 1 {
				t.Errorf("with Once: %d messages, want %d; %+v", now, have+1, r)
			}
			at.cut.Store(true)
			_, err = a.Apply(t.Context(), store.Change{Ops: []store.Op{appendTo(t, o.blobs, inbox, "y")}})
			if !errors.Is(err, store.ErrUnknown) || at.cut.Load() {
				t.Errorf("without Once: %v, want ErrUnknown", err)
			}
			// The next Change waits until the server has decided.
			if _, err = a.Apply(t.Context(), store.Change{Ops: []store.Op{appendTo(t, o.blobs, inbox, "z")}}); err != nil {
				t.Error(err)
			}
			if now := messages(t, a, inbox); now != have+2+at.committed {
				t.Errorf("%d messages, want %d", now, have+2+at.committed)
			}
			sound(t, o)
		})
	}
}

func messages(t *testing.T, a store.Account, inbox store.MailboxID) int64 {
	t.Helper()
	m, err := store.MailboxByID(t.Context(), a, inbox)
	if err != nil {
		t.Fatal(err)
	}
	return m.Messages
}

// TestUnknownStaysUnknown: a Change whose COMMIT was cut is not called undone
// while the server cannot be asked.
func TestUnknownStaysUnknown(t *testing.T) {
	s := pg.Server(t)
	c := startCutter(t, s.Addr())
	o := open(t, "postgres://postgres@"+c.listen.Addr().String()+"/"+pgtest.Name(t, s)+"?sslmode=disable", refBlobs{})
	a, inbox := account(t, o, "alice")
	change := store.Change{Once: "once", Ops: []store.Op{appendTo(t, o.blobs, inbox, "x")}}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	c.away.Store(true)
	c.after.Store(true)
	if _, err := a.Apply(ctx, change); !errors.Is(err, store.ErrUnknown) {
		t.Errorf("got %v, want ErrUnknown", err)
	}
	c.away.Store(false)
	r, err := a.Apply(t.Context(), change)
	if err != nil || !r.Repeated {
		t.Errorf("got %+v, %v; want the first Result", r, err)
	}
	if n := messages(t, a, inbox); n != 1 {
		t.Errorf("%d messages, want 1", n)
	}
}

// TestSerialization: a transaction that the server refused because of another
// one runs again.
func TestSerialization(t *testing.T) {
	o := fresh(t)
	db := o.engine.DB()
	before, runs := db.Stats().Reruns, 0
	err := db.Commit(t.Context(), sqldb.Work{Key: "x", Do: func(tx *sqldb.Tx) error {
		if runs++; runs > 2 {
			return nil
		}
		_, err := tx.ExecOnce(`DO $$ BEGIN RAISE EXCEPTION 'not now' USING ERRCODE = '40001'; END $$`)
		return err
	}})
	if err != nil || runs != 3 || db.Stats().Reruns != before+2 {
		t.Errorf("%d runs, %d reruns, %v", runs, db.Stats().Reruns-before, err)
	}
}

// TestDeadlock: two nodes whose batches wait for each other both come through.
func TestDeadlock(t *testing.T) {
	first := fresh(t)
	second := open(t, first.dsn, first.blobs)
	for _, id := range []store.AccountID{"a", "b"} {
		account(t, first, id)
	}
	update := `UPDATE account SET created = created WHERE name = ?`
	var both sync.WaitGroup
	both.Add(2)
	run := func(o *opened, names ...string) error {
		tries := 0
		return o.engine.DB().Commit(context.Background(), sqldb.Work{Key: "x", Do: func(tx *sqldb.Tx) error {
			tries++
			for i, name := range names {
				if _, err := tx.Exec(update, name); err != nil {
					return err
				}
				if i == 0 && tries == 1 {
					both.Done()
					both.Wait()
				}
			}
			return nil
		}})
	}
	errs := make(chan error, 2)
	go func() { errs <- run(first, "a", "b") }()
	go func() { errs <- run(second, "b", "a") }()
	for range 2 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if n := first.engine.DB().Stats().Reruns + second.engine.DB().Stats().Reruns; n == 0 {
		t.Error("nobody ran again: there was no deadlock")
	}
}

// TestCancelledRead: a read ends with its caller's context, and its connection
// serves the next one.
func TestCancelledRead(t *testing.T) {
	o := fresh(t, one)
	db := o.engine.DB()
	pid := func() int64 {
		n, _, err := sqldb.One(t.Context(), db, sqldb.Int64, `SELECT pg_backend_pid()`)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	before := pid()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	start := time.Now()
	_, _, err := sqldb.One(ctx, db, func(*sql.Rows) (int, error) { return 0, nil }, `SELECT pg_sleep(60)`)
	if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) > 20*time.Second {
		t.Errorf("%v after %v", err, time.Since(start))
	}
	if after := pid(); after != before {
		t.Error("the connection was given up")
	}
}
