package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/blob"
	"github.com/mailstead/mailstead/store/postgres"
	"github.com/mailstead/mailstead/store/postgres/pgtest"
	"github.com/mailstead/mailstead/store/s3"
	"github.com/mailstead/mailstead/store/s3/s3test"
	"github.com/mailstead/mailstead/store/sqlblob"
	"github.com/mailstead/mailstead/store/sqldb"
)

// openEngine opens a whole node: PostgreSQL, with bodies in a bucket.
func openEngine(t *testing.T, dsn string, c s3.Config) *postgres.Engine {
	t.Helper()
	e, err := postgres.Open(t.Context(), dsn, postgres.Options{
		Logger: quiet(), Unsafe: true, // pgtest does not sync
		OpenBlobs: func(ctx context.Context, db *sqldb.DB) (blob.Blobs, error) {
			s, err := s3.New(ctx, c)
			if err != nil {
				return nil, err
			}
			return sqlblob.New(ctx, db, s, sqlblob.Options{Logger: quiet()})
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

// TestEngines: a message that one node has taken is read on the other within a
// second, small or large.
func TestEngines(t *testing.T) {
	dsn, c := pgtest.Database(t, pg.Server(t)), s3test.Bucket(t, gw.Server(t))
	one, two := openEngine(t, dsn, c), openEngine(t, dsn, c)
	ctx := t.Context()
	if err := one.Store().Create(ctx, "alice", store.AccountInfo{}); err != nil {
		t.Fatal(err)
	}
	here, err := one.Store().Open(ctx, "alice")
	if err != nil {
		t.Fatal(err)
	}
	there, err := two.Store().Open(ctx, "alice")
	if err != nil {
		t.Fatal(err)
	}
	for i, size := range []int{100, 100_000, 2_000_000} {
		_, seen, err := there.Mailboxes(ctx, 0)
		if err != nil {
			t.Fatal(err)
		}
		text := "Subject: hello\r\n\r\n" + strings.Repeat(fmt.Sprintf("line %d of it\r\n", i), size/14)
		box, err := store.MailboxByName(ctx, here, "INBOX")
		if err != nil {
			t.Fatal(err)
		}
		m := store.NewMessage{Mailbox: box.ID, Body: strings.NewReader(text), BodySize: -1}
		if _, err := store.AppendMessage(ctx, one.Store(), here, "", m); err != nil {
			t.Fatal(err)
		}
		soon, cancel := context.WithTimeout(ctx, time.Second)
		if _, err := there.Wait(soon, seen); err != nil {
			t.Errorf("%d octets are not seen within a second: %v", size, err)
		}
		cancel()
		body, err := there.Content(ctx, box.ID, store.UID(i+1))
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(io.NewSectionReader(body, 0, body.Size()))
		if err != nil || string(got) != text {
			t.Errorf("%d octets of %d differ: %v", len(got), len(text), err)
		}
		body.Close()
	}
}

// TestEngineWithoutBucket: a node whose bodies cannot be opened does not start,
// and says why.
func TestEngineWithoutBucket(t *testing.T) {
	dsn, c := pgtest.Database(t, pg.Server(t)), s3test.Bucket(t, gw.Server(t))
	c.Bucket = "there-is-none"
	e, err := postgres.Open(t.Context(), dsn, postgres.Options{
		Logger: quiet(), Unsafe: true, // pgtest does not sync
		OpenBlobs: func(ctx context.Context, _ *sqldb.DB) (blob.Blobs, error) {
			_, err := s3.New(ctx, c)
			return nil, err
		},
	})
	if e != nil || !errors.Is(err, s3.ErrNoBucket) {
		t.Errorf("%v, want ErrNoBucket", err)
	}
}
