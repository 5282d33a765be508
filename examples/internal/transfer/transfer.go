// Package transfer runs migrations between places that are named by URLs: those of
// mailctl's command line, and of the request that a server carries out for it.
package transfer

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"log/slog"
	"path/filepath"

	"github.com/mailstead/mailstead/deliver/migrate"
	"github.com/mailstead/mailstead/examples/internal/answer"
	"github.com/mailstead/mailstead/store"
)

// Env is where a migration runs.
type Env struct {
	// Store is that of "account:", and Name how it is called in what migrations
	// remember, see StoreName; nil = there is none.
	Store store.Store
	Name  string

	// State is the directory for what is remembered where the target cannot; each
	// migration has one of its own in it.
	State string

	Logger *slog.Logger

	// Log is told what Item tells, too; nil = nobody.
	Log *slog.Logger

	// Progress hears how far it is, and Item what it has to tell, one at a time.
	Progress func(answer.Migrating)
	Item     func(answer.MigrateItem)
}

// Run migrates. What was skipped, failed or differs is told, and counted in the
// result: it is no error.
func Run(ctx context.Context, env Env, in *answer.MigrateRequest) (out answer.Migrated, err error) {
	o, err := options(env, in)
	if err != nil {
		return out, err
	}
	src, err := env.open(ctx, in, false)
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, src.Close()) }()
	place, err := env.open(ctx, in, true)
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, place.Close()) }()
	dst, ok := place.Source.(migrate.Target)
	if !ok {
		return out, &UseError{"nothing can be copied into " + src.Name()}
	}
	if dst.Name() == src.Name() {
		return out, &UseError{"source and target are the same"}
	}
	if dst.Keeper() == nil {
		o.State = &migrate.DirKeeper{Dir: stateDir(env.State, in.State, src.Name(), dst.Name())}
	}
	if o.Rename = rename(in); in.Job == "" && in.Into != "" {
		o.Job = src.Name() + " into " + in.Into // what went elsewhere before is another migration
	}
	t := &teller{env: env}
	o.Progress = t.event
	r, err := migrate.Run(ctx, src, dst, o)
	return result(r, src.Name(), dst.Name(), err)
}

// StateName is the directory for Env.State in a data directory.
const StateName = "migrate"

// CodeFiles is the code of a server's answer where the migration failed at files.
const CodeFiles = "files"

// UseError is a fault of what was asked for.
type UseError struct{ Text string }

// Error is the text.
func (e *UseError) Error() string { return e.Text }

// stateDir is the directory of one migration.
func stateDir(base, given, src, dst string) string {
	if given != "" {
		return given
	}
	sum := sha256.Sum256([]byte(src + "\x00" + dst))
	return filepath.Join(base, hex.EncodeToString(sum[:12]))
}

var levels = map[string]migrate.Level{"": migrate.VerifyNone, "none": migrate.VerifyNone, "counts": migrate.VerifyCounts, "bodies": migrate.VerifyBodies}

func options(env Env, in *answer.MigrateRequest) (o migrate.Options, err error) {
	level, ok := levels[in.Verify]
	if !ok {
		return o, &UseError{"verify is none, counts or bodies"}
	}
	for name, n := range map[string]int64{
		"parallel": int64(in.Parallel), "max-message": in.MaxMessageBytes, "max-bytes": in.MaxBytes, "bytes-per-second": in.BytesPerSecond,
		"rate": int64(in.PerSecond),
	} {
		if n < 0 {
			return o, &UseError{name + " is negative"}
		}
	}
	return migrate.Options{
		Job: in.Job, Include: in.Include, Exclude: in.Exclude, Views: in.Views, Match: in.Match, Remove: in.Remove,
		SkipDeleted: in.SkipDeleted, Verify: level, Final: in.Final, DryRun: in.DryRun, Parallel: in.Parallel,
		MaxMessageBytes: in.MaxMessageBytes, MaxBytes: in.MaxBytes, BytesPerSecond: in.BytesPerSecond, PerSecond: in.PerSecond,
		Log: env.Log,
	}, nil
}

// result counts what a run did. An error that says no more than that something is
// missing is in the counters.
func result(r *migrate.Report, src, dst string, err error) (answer.Migrated, error) {
	out := answer.Migrated{
		Source: src, Target: dst, Mailboxes: int64(len(r.Boxes)), Made: r.Totals.Mailboxes, Copied: r.Copied, Matched: r.Matched, Present: r.Present,
		Flagged: r.Flagged, Removed: r.Removed, Kept: r.Kept, Gone: int64(len(r.Gone)), Doubles: r.Doubles, Skipped: r.Skipped, Bytes: r.Bytes, Expected: r.Expected.Copied,
		Verified: r.Verified, Different: r.Different, Milliseconds: r.Took.Milliseconds(),
	}
	for i := range r.Boxes {
		if err := r.Boxes[i].Err; err != nil && !errors.Is(err, migrate.ErrLimit) {
			out.Failed++
		}
	}
	if errors.Is(err, migrate.ErrLimit) {
		out.Limited, err = true, nil
	}
	if errors.Is(err, migrate.ErrLoss) && out.Skipped+out.Failed > 0 || errors.Is(err, migrate.ErrDiffers) && out.Different > 0 {
		err = nil
	}
	return out, err
}

// teller turns events into what clients read.
type teller struct {
	env  Env
	seen int64 // messages that were verified
}

func (t *teller) event(e migrate.Event) {
	switch e.Kind {
	case migrate.Skipped:
		t.env.Item(answer.MigrateItem{Skipped: skipOf(&e)})
	case migrate.Retrying:
		t.env.Item(answer.MigrateItem{Retrying: skipOf(&e)})
	case migrate.Differs:
		t.env.Item(answer.MigrateItem{Differs: skipOf(&e)})
	case migrate.WentAway:
		t.env.Item(answer.MigrateItem{Gone: &answer.GoneMailbox{
			Source: e.Mailbox, Target: e.Target, Removed: e.Totals.Removed, Kept: e.Totals.Kept,
		}})
		return
	case migrate.Ended:
		x := &answer.MigratedMailbox{
			Source: e.Mailbox, Target: e.Target, Copied: e.Totals.Copied, Present: e.Totals.Present, Skipped: e.Totals.Skipped, Bytes: e.Totals.Bytes,
		}
		if e.Err != nil {
			x.Error = e.Err.Error()
		}
		t.env.Item(answer.MigrateItem{Mailbox: x})
		return
	case migrate.Checked:
		t.seen++
		t.env.Progress(answer.Migrating{Phase: "verify", Mailbox: e.Mailbox, Done: t.seen, Total: e.Totals.Copied + e.Totals.Present + e.Totals.Matched})
		return
	case migrate.Begun, migrate.Finished:
		return
	}
	t.env.Progress(answer.Migrating{
		Mailbox: e.Mailbox, Done: e.Totals.Copied + e.Totals.Matched, Total: e.Expected.Copied, Bytes: e.Totals.Bytes, TotalBytes: e.Expected.Bytes,
	})
}

func skipOf(e *migrate.Event) *answer.Skip {
	s := &answer.Skip{Mailbox: e.Mailbox, Message: e.ID, Size: e.Size, Reason: string(e.Reason)}
	if e.Err != nil {
		s.Text = e.Err.Error()
	}
	return s
}
