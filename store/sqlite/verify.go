package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/blob"
	"github.com/mailstead/mailstead/store/blob/segment"
	"github.com/mailstead/mailstead/store/sqldb"
	"github.com/mailstead/mailstead/store/sqlstore"
)

// VerifyReport is what Verify found beside the problems of messages.
type VerifyReport struct {
	Problems int64                // reported
	Bodies   segment.VerifyReport // every record of the segment files
	Files    error                // of segment files that cannot be read as a whole, and of the damaged places

	// Unreferenced counts bodies that no message refers to. They are no
	// fault: a queue may hold them, or the collector frees them.
	Unreferenced int64
}

// Verify checks everything against everything: the database in itself, the
// checksum of every body, every reference from a message to its body, every
// counter, and from the bodies back to the messages. It changes nothing. Each
// message that is hit goes to report, one after the other, with its account,
// mailbox and UID; also one that was expunged and is kept for 24 hours. The
// error is that of Verify itself, or store.ErrCorrupt where the database is so
// damaged that no more can be said.
func (e *Engine) Verify(ctx context.Context, report func(*sqlstore.Problem)) (VerifyReport, error) {
	var rep VerifyReport
	if err := e.checkDatabase(ctx); err != nil {
		return rep, err
	}
	rep.Bodies, rep.Files = e.blobs.Verify(ctx)
	if err := ctx.Err(); err != nil {
		return rep, err
	}
	v := verifier{e: e, rep: &rep, report: report, seen: map[hit]bool{}}
	if err := e.store.Verify(ctx, v.problem); err != nil {
		return rep, err
	}
	for _, d := range rep.Bodies.Damaged {
		if err := v.damaged(ctx, d); err != nil {
			return rep, err
		}
	}
	return rep, v.unreferenced(ctx)
}

// checkDatabase asks SQLite.
func (e *Engine) checkDatabase(ctx context.Context) error {
	said, err := sqldb.Collect(ctx, e.db, func(r *sql.Rows) (s string, err error) {
		err = r.Scan(&s)
		return s, err
	}, `PRAGMA integrity_check(10)`)
	if err != nil {
		return known(err)
	}
	if len(said) != 1 || said[0] != "ok" {
		return fmt.Errorf("%w: %s: %q; restore it from a backup, or save what is left with sqlite3's .recover", store.ErrCorrupt, dbName, said)
	}
	return nil
}

// hit names a message.
type hit struct {
	account store.AccountID
	mailbox string
	uid     store.UID
}

// verifier reports each message once.
type verifier struct {
	e      *Engine
	rep    *VerifyReport
	report func(*sqlstore.Problem)
	seen   map[hit]bool
}

func (v *verifier) problem(p *sqlstore.Problem) {
	h := hit{p.Account, p.Mailbox, p.UID}
	if p.UID != 0 && v.seen[h] {
		return
	}
	v.seen[h] = true
	v.rep.Problems++
	v.report(p)
}

// damaged reports the messages whose body this is.
func (v *verifier) damaged(ctx context.Context, d segment.Damage) error {
	if d.Ref == "" {
		return nil // which records stood there follows from the messages that miss theirs
	}
	list, err := v.e.store.Referrers(ctx, []blob.Ref{d.Ref})
	if err != nil {
		return err
	}
	for _, r := range list {
		v.problem(&sqlstore.Problem{
			Account: r.Account, Mailbox: r.Mailbox, UID: r.UID,
			Err: fmt.Errorf("%w: body at octet %d of %s", store.ErrCorrupt, d.Offset, d.File),
		})
	}
	return nil
}

// unreferenced counts the bodies that no message holds.
func (v *verifier) unreferenced(ctx context.Context) error {
	batch := make([]blob.Ref, 0, 1000)
	flush := func() error {
		held, err := v.e.store.Holds(ctx, batch)
		v.rep.Unreferenced += int64(len(batch) - len(held))
		batch = batch[:0]
		return err
	}
	for info, err := range v.e.blobs.List(ctx, "") {
		if errors.Is(err, blob.ErrCorrupt) {
			continue // is in Files
		}
		if err != nil {
			return err
		}
		if batch = append(batch, info.Ref); len(batch) == cap(batch) {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	return flush()
}
