package sqllogin

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/mailstead/mailstead/auth/login"
)

// Guard is a login.GuardStore in the database of a Backend, for nodes that share
// it. Reads and successes that are remembered already take no lock; a failure
// is one short transaction.
type Guard struct {
	// Backend says which database. Its Migrate makes the tables. Required.
	Backend *Backend

	mu     sync.Mutex
	pruned time.Time
}

var _ login.GuardStore = (*Guard)(nil)

// How often a Guard removes what is too old, and how long it keeps what
// succeeded. The last login of a user is kept for good.
const (
	pruneEvery = 10 * time.Minute
	keepPairs  = 90 * 24 * time.Hour
)

// Tallies implements login.GuardStore.
func (g *Guard) Tallies(ctx context.Context, subjects []login.Subject, since time.Time) ([]login.Tally, error) {
	if err := g.Backend.check(); err != nil {
		return nil, err
	}
	if len(subjects) == 0 {
		return nil, nil
	}
	var args []any
	for _, s := range subjects {
		args = append(args, s.User, prefixText(s.Prefix))
	}
	where := strings.TrimSuffix(strings.Repeat(`username = ? AND prefix = ? OR `, len(subjects)), " OR ")
	found, err := g.read(ctx, `WHERE `+where, since, args)
	if err != nil {
		return nil, err
	}
	list := make([]login.Tally, len(subjects))
	for _, x := range found {
		if i := slices.Index(subjects, x.Subject); i >= 0 {
			list[i] = x.Tally
		}
	}
	return list, nil
}

// Worst implements login.GuardStore.
func (g *Guard) Worst(ctx context.Context, since time.Time, n int) ([]login.Suspect, error) {
	if err := g.Backend.check(); err != nil {
		return nil, err
	}
	return g.read(ctx, `WHERE (username = '' OR prefix = '') AND failures > 0 AND failed >= ?
		ORDER BY failures DESC, username, prefix LIMIT ?`, since, []any{since.UnixMicro(), n})
}

// read returns the rows that a condition picks.
func (g *Guard) read(ctx context.Context, where string, since time.Time, args []any) (list []login.Suspect, err error) {
	rows, err := g.Backend.DB.QueryContext(ctx, g.Backend.query(
		`SELECT username, prefix, failures, failed, attempts, attempted, succeeded, peer FROM ~login_guard `+where), args...)
	if err != nil {
		return nil, fmt.Errorf("sqllogin: read tallies: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var x login.Suspect
		var prefix, peer string
		var failed, attempted, succeeded int64
		err := rows.Scan(&x.Subject.User, &prefix, &x.Tally.Failures, &failed, &x.Tally.Attempts, &attempted, &succeeded, &peer)
		if err != nil {
			return nil, fmt.Errorf("sqllogin: read tallies: %w", err)
		}
		x.Subject.Prefix, _ = netip.ParsePrefix(prefix) // zero where there is none
		x.Tally.Peer, _ = netip.ParseAddr(peer)
		x.Tally.LastFailure, x.Tally.LastAttempt, x.Tally.LastSuccess = instant(failed), instant(attempted), instant(succeeded)
		if failed < since.UnixMicro() {
			x.Tally.Failures = 0
		}
		list = append(list, x)
	}
	return list, rows.Err()
}

func instant(micro int64) time.Time {
	if micro == 0 {
		return time.Time{}
	}
	return time.UnixMicro(micro)
}

func prefixText(p netip.Prefix) string {
	if !p.IsValid() {
		return ""
	}
	return p.String()
}

// tallyRow is what a failure adds to a subject.
type tallyRow struct {
	user, prefix       string
	failures, attempts int
}

// failRows returns what a failure changes, in the order in which every
// transaction takes its locks.
func failRows(f login.Failure, distinct bool) (rows []tallyRow) {
	if distinct {
		for _, s := range f.Subjects {
			rows = append(rows, tallyRow{user: s.User, prefix: prefixText(s.Prefix), failures: 1})
		}
	}
	if f.User.User != "" {
		i := slices.IndexFunc(rows, func(r tallyRow) bool { return r.user == f.User.User && r.prefix == "" })
		if i < 0 {
			i = len(rows)
			rows = append(rows, tallyRow{user: f.User.User})
		}
		rows[i].attempts = 1
	}
	slices.SortFunc(rows, func(a, b tallyRow) int {
		return cmp.Or(strings.Compare(a.user, b.user), strings.Compare(a.prefix, b.prefix))
	})
	return rows
}

// Fail implements login.GuardStore.
func (g *Guard) Fail(ctx context.Context, f login.Failure) (distinct bool, err error) {
	b := g.Backend
	if err := b.check(); err != nil {
		return false, err
	}
	err = b.transact(ctx, func(ctx context.Context, tx *sql.Tx) error {
		if distinct, err = g.isDistinct(ctx, tx, f); err != nil {
			return err
		}
		rows := failRows(f, distinct)
		if len(rows) == 0 {
			return nil
		}
		at := f.At.UnixMicro()
		var args []any
		for _, r := range rows {
			args = append(args, r.user, r.prefix, r.failures, at*int64(r.failures), r.attempts, at*int64(r.attempts))
		}
		_, err := tx.ExecContext(ctx, b.query(
			`INSERT INTO ~login_guard (username, prefix, failures, failed, attempts, attempted) VALUES `+
				strings.TrimSuffix(strings.Repeat(`(?, ?, ?, ?, ?, ?), `, len(rows)), ", ")+
				` ON CONFLICT (username, prefix) DO UPDATE SET
				failures = CASE WHEN excluded.failures > 0 AND ~login_guard.failed < ?
					THEN excluded.failures ELSE ~login_guard.failures + excluded.failures END,
				failed = CASE WHEN excluded.failed > ~login_guard.failed THEN excluded.failed ELSE ~login_guard.failed END,
				attempts = ~login_guard.attempts + excluded.attempts,
				attempted = CASE WHEN excluded.attempted > ~login_guard.attempted
					THEN excluded.attempted ELSE ~login_guard.attempted END`), append(args, f.Since.UnixMicro())...)
		if err != nil {
			return fmt.Errorf("sqllogin: count failure: %w", err)
		}
		return nil
	})
	if err != nil {
		return false, err
	}
	return distinct, g.prune(ctx, f)
}

// isDistinct remembers a wrong password and reports whether it is a new one.
func (g *Guard) isDistinct(ctx context.Context, tx *sql.Tx, f login.Failure) (bool, error) {
	if f.Wrong == (login.Digest{}) {
		return true, nil
	}
	digest, at := hex.EncodeToString(f.Wrong[:]), f.At.UnixMicro()
	res, err := tx.ExecContext(ctx, g.Backend.query(
		`INSERT INTO ~login_guard_wrong (digest, seen) VALUES (?, ?)
		ON CONFLICT (digest) DO UPDATE SET seen = excluded.seen WHERE ~login_guard_wrong.seen < ?`),
		digest, at, f.Since.UnixMicro())
	if err != nil {
		return false, fmt.Errorf("sqllogin: remember wrong password: %w", err)
	}
	if n, err := res.RowsAffected(); err != nil || n > 0 {
		return n > 0, err
	}
	_, err = tx.ExecContext(ctx, g.Backend.query(`UPDATE ~login_guard_wrong SET seen = ? WHERE digest = ?`), at, digest)
	if err != nil {
		return false, fmt.Errorf("sqllogin: remember wrong password: %w", err)
	}
	return false, nil
}

// Succeed implements login.GuardStore.
func (g *Guard) Succeed(ctx context.Context, s login.Success) error {
	b := g.Backend
	if err := b.check(); err != nil {
		return err
	}
	before, err := g.Tallies(ctx, []login.Subject{s.Pair}, s.Since)
	if err != nil {
		return err
	}
	subjects := []login.Subject{s.Pair}
	if before[0].Failures > 0 {
		subjects = append(subjects, s.Others...)
	}
	if s.User.User != "" && !slices.Contains(subjects, s.User) {
		subjects = append(subjects, s.User)
	}
	slices.SortFunc(subjects, func(x, y login.Subject) int {
		return cmp.Or(strings.Compare(x.User, y.User), strings.Compare(prefixText(x.Prefix), prefixText(y.Prefix)))
	})
	return b.transact(ctx, func(ctx context.Context, tx *sql.Tx) error {
		for _, x := range subjects {
			if err := g.forgive(ctx, tx, s, x, before[0].Failures); err != nil {
				return err
			}
		}
		return nil
	})
}

// forgive takes so many failures from a subject, and remembers the success where
// it is the pair or the user.
func (g *Guard) forgive(ctx context.Context, tx *sql.Tx, s login.Success, x login.Subject, failures int) error {
	at, peer := int64(0), ""
	if x == s.Pair || x == s.User {
		at = s.At.UnixMicro()
	}
	if x == s.User && s.Peer.IsValid() {
		peer = s.Peer.String()
	}
	if x == s.User && !slices.Contains(s.Others, x) {
		failures = 0
	}
	_, err := tx.ExecContext(ctx, g.Backend.query(
		`INSERT INTO ~login_guard (username, prefix, succeeded, peer) VALUES (?, ?, ?, ?)
		ON CONFLICT (username, prefix) DO UPDATE SET
		failures = CASE WHEN ~login_guard.failures > ? THEN ~login_guard.failures - ? ELSE 0 END,
		attempts = CASE WHEN excluded.succeeded > 0 THEN 0 ELSE ~login_guard.attempts END,
		succeeded = CASE WHEN excluded.succeeded > 0 THEN excluded.succeeded ELSE ~login_guard.succeeded END,
		peer = CASE WHEN excluded.succeeded > 0 THEN excluded.peer ELSE ~login_guard.peer END`),
		x.User, prefixText(x.Prefix), at, peer, failures, failures)
	if err != nil {
		return fmt.Errorf("sqllogin: remember success: %w", err)
	}
	return nil
}

// prune removes what is too old, once in a while.
func (g *Guard) prune(ctx context.Context, f login.Failure) error {
	g.mu.Lock()
	due := f.At.Sub(g.pruned) >= pruneEvery
	if due {
		g.pruned = f.At
	}
	g.mu.Unlock()
	if !due {
		return nil
	}
	since := f.Since.UnixMicro()
	for _, q := range []struct {
		text string
		args []any
	}{
		{`DELETE FROM ~login_guard_wrong WHERE seen < ?`, []any{since}},
		{`DELETE FROM ~login_guard WHERE failed < ? AND attempted < ? AND succeeded < ?
			AND (prefix <> '' OR succeeded = 0)`, []any{since, since, f.At.Add(-keepPairs).UnixMicro()}},
	} {
		if _, err := g.Backend.DB.ExecContext(ctx, g.Backend.query(q.text), q.args...); err != nil {
			return fmt.Errorf("sqllogin: prune tallies: %w", err)
		}
	}
	return nil
}
