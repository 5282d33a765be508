package postgres_test

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/blob/memblob"
	"github.com/mailstead/mailstead/store/postgres"
	"github.com/mailstead/mailstead/store/postgres/pgtest"
	"github.com/mailstead/mailstead/store/sqlstore"
)

func one(o *postgres.Options) { o.Readers = 1 }

// sound fails the test for every fault that Verify finds.
func sound(t *testing.T, o *opened) {
	t.Helper()
	if err := o.engine.Store().Verify(t.Context(), func(p *sqlstore.Problem) { t.Error(p) }); err != nil {
		t.Error(err)
	}
}

// run runs a statement as another program would.
func run(t *testing.T, dsn, statement string) {
	t.Helper()
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(statement); err != nil {
		t.Fatal(err)
	}
}

// TestOpenRefuses: what cannot be opened is refused with a named error that has
// no password in it.
func TestOpenRefuses(t *testing.T) {
	s := pg.Server(t) // with fsync=off
	durable := pgtest.Start(t)
	newer := pgtest.Database(t, durable)
	open(t, newer, memblob.New()).Close()
	run(t, newer, `UPDATE schema_version SET version = 99 WHERE component = 'store'`)
	latin := durable.DSN("latin")
	run(t, durable.DSN("postgres"), `CREATE DATABASE latin ENCODING LATIN1 LOCALE 'C' TEMPLATE template0`)
	for _, c := range []struct {
		name, dsn string
		want      error
		text      string
	}{
		{"fsync", pgtest.Database(t, s), postgres.ErrNotDurable, "fsync"},
		{"synchronous_commit", pgtest.Database(t, durable) + "&synchronous_commit=off", postgres.ErrNotDurable, "synchronous_commit"},
		{"newer schema", newer, store.ErrVersion, "99"},
		{"encoding", latin, nil, "LATIN1"},
		{"no server", "postgres://me:secret@127.0.0.1:1/mail", store.ErrTemporary, ""},
		{"no database", durable.DSN("missing"), nil, "missing"},
		{"malformed", "postgres://me:secret@[::1/mail", nil, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			e, err := postgres.Open(t.Context(), c.dsn, postgres.Options{Blobs: memblob.New(), Logger: slog.New(slog.DiscardHandler)})
			if err == nil {
				e.Close()
				t.Fatal("opened")
			}
			if c.want != nil && !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.text) || strings.Contains(err.Error(), "secret") {
				t.Errorf("Open: %v; want %v with %q", err, c.want, c.text)
			}
		})
	}
}

// TestOpenAtOnce: nodes that make the tables at the same time do not hinder
// each other.
func TestOpenAtOnce(t *testing.T) {
	s := pg.Server(t)
	dsn := pgtest.Database(t, s)
	var wg sync.WaitGroup
	for range 5 {
		wg.Go(func() {
			e, err := postgres.Open(context.Background(), dsn,
				postgres.Options{Blobs: memblob.New(), Unsafe: true, Logger: slog.New(slog.DiscardHandler)})
			if err != nil {
				t.Error(err)
				return
			}
			if err := e.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

// TestWaitByBus and TestWaitByAsking: who waits at one node wakes within a
// second of a change at another, by either way alone.
func TestWaitByBus(t *testing.T) {
	never := func(o *postgres.Options) { o.Store.PollEvery = time.Hour }
	testWait(t, never)
}

func TestWaitByAsking(t *testing.T) {
	testWait(t, func(o *postgres.Options) { o.NoListen = true })
}

func testWait(t *testing.T, change func(*postgres.Options)) {
	first := fresh(t, change)
	second := open(t, first.dsn, first.blobs, change)
	a, inbox := account(t, first, "alice")
	b, _ := inboxOf(t, second, "alice")
	waitListening(t, first)
	for i := range 5 {
		_, at, err := b.Mailboxes(t.Context(), 0)
		if err != nil {
			t.Fatal(err)
		}
		woken := make(chan error, 1)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		go func() {
			_, err := b.Wait(ctx, at)
			woken <- err
		}()
		if _, err := a.Apply(t.Context(), store.Change{Ops: []store.Op{appendTo(t, first.blobs, inbox, "x")}}); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		if err := <-woken; err != nil {
			t.Fatal(err)
		}
		if d := time.Since(start); d > time.Second {
			t.Errorf("wake-up %d took %v", i, d)
		}
		cancel()
	}
}

// waitListening waits until both nodes listen, where they do.
func waitListening(t *testing.T, o *opened) {
	t.Helper()
	if o.noListen {
		return
	}
	db, err := sql.Open("pgx", o.dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for n := 0; n < 2; {
		if err := db.QueryRow(`SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND datname = current_database()`).Scan(&n); err != nil {
			t.Fatal(err)
		}
	}
}

// TestBusReconnects: hints come again after their connections were lost.
func TestBusReconnects(t *testing.T) {
	never := func(o *postgres.Options) { o.Store.PollEvery = time.Hour }
	first := fresh(t, never)
	second := open(t, first.dsn, first.blobs, never)
	a, inbox := account(t, first, "alice")
	b, _ := inboxOf(t, second, "alice")
	waitListening(t, first)
	run(t, first.dsn, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
		WHERE (query LIKE 'LISTEN%' OR query LIKE '%pg_notify%') AND pid <> pg_backend_pid() AND datname = current_database()`)
	waitListening(t, first)
	_, at, err := b.Mailboxes(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	woken := make(chan error, 1)
	go func() {
		_, err := b.Wait(t.Context(), at)
		woken <- err
	}()
	for i := 0; ; i++ { // the teller may still be about to connect
		if _, err := a.Apply(t.Context(), store.Change{Ops: []store.Op{appendTo(t, first.blobs, inbox, "x")}}); err != nil {
			t.Fatal(err)
		}
		select {
		case err := <-woken:
			if err != nil {
				t.Fatal(err)
			}
			return
		case <-time.After(100 * time.Millisecond):
			if i == 200 {
				t.Fatal("no hint after the connections were lost")
			}
		}
	}
}

// TestJump: after a failover that may have lost commits no number comes again.
func TestJump(t *testing.T) {
	o := fresh(t)
	other := open(t, o.dsn, o.blobs)
	a, inbox := account(t, o, "alice")
	apply := func(a store.Account) store.Result {
		r, err := a.Apply(t.Context(), store.Change{Ops: []store.Op{appendTo(t, o.blobs, inbox, "x")}})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	before := apply(a)
	if err := o.engine.Store().Jump(t.Context()); err != nil {
		t.Fatal(err)
	}
	b, _ := inboxOf(t, other, "alice")
	after := apply(b)
	if after.ModSeq < before.ModSeq+1<<20 || after.Ops[0].Dest.Min() < before.Ops[0].Dest.Min()+1<<20 {
		t.Errorf("before %v %v, after %v %v", before.ModSeq, before.Ops[0].Dest, after.ModSeq, after.Ops[0].Dest)
	}
	sound(t, other)
}

// TestLeaseByTheDatabase: a maildrop's lease ends by the clock that the nodes
// share.
func TestLeaseByTheDatabase(t *testing.T) {
	first := fresh(t)
	second := open(t, first.dsn, first.blobs)
	a, _ := account(t, first, "alice")
	b, _ := inboxOf(t, second, "alice")
	lock := func(a store.Account, who string) error {
		return any(a).(store.MaildropLocker).LockMaildrop(t.Context(), who, time.Hour)
	}
	if err := lock(a, "one"); err != nil {
		t.Fatal(err)
	}
	if err := lock(b, "two"); !errors.Is(err, store.ErrLocked) {
		t.Errorf("got %v, want ErrLocked", err)
	}
	run(t, first.dsn, `UPDATE maildrop SET until = CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT) - 1`)
	if err := lock(b, "two"); err != nil {
		t.Errorf("after the lease ended: %v", err)
	}
}
