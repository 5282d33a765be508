package backup

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/backup/format"
)

// BackupOptions say what is backed up. The zero value takes every account,
// each with what changed since the last backup.
type BackupOptions struct {
	// Accounts are the ones to take; empty = all. What the last backup has of
	// others is part of the new one, as it is.
	Accounts []store.AccountID

	// Mailbox, when not "", is the name of the only mailbox that is taken. It
	// needs exactly one account. Such a backup has a chain of its own.
	Mailbox string

	// Full takes everything again, apart from bodies that are there.
	Full bool

	// FullAfter is how many logs a chain may have; then the account is taken
	// in full. Zero = 50, negative = as many as Limits.Chain allows.
	FullAfter int

	// DryRun says in the Report which accounts would be taken, and how, and
	// writes nothing.
	DryRun bool

	// Holder keeps bodies from being collected meanwhile. Without one, a body
	// is safe for the 24 hours for which a store holds what was expunged.
	Holder *Holder

	// Progress and Problem must not block for long. Problem hears of every
	// message whose body cannot be read, and of damage in the archive that
	// makes this backup take more; neither ends the backup.
	Progress func(Progress)
	Problem  func(*Problem)
}

// Progress is how far a backup, a restore or a verification is.
type Progress struct {
	Account  store.AccountID // the current one
	Done     int             // accounts, or objects, that are finished
	Total    int             // of how many
	Messages int64           // looked at
	Bodies   int64           // copied
	Bytes    int64           // octets of these
}

// Report is what a backup did.
type Report struct {
	Manifest    *Manifest
	Resumed     bool // it went on where an earlier one was interrupted
	Full        int  // accounts
	Incremental int
	Unchanged   int
	Messages    int64 // rows of messages and tombstones that were written
	Bodies      int64 // that were new
	Bytes       int64 // octets of these
	Missing     int64 // bodies that could not be read
}

const (
	defaultFullAfter = 50
	packSize         = 256 << 20 // a pack is ended when it is this long
	packEntries      = 1 << 18   // or has so many bodies

	// resumeFor is how long an interrupted backup can be gone on with: for so
	// long a store keeps what was expunged since.
	resumeFor = 24 * time.Hour
)

// Backup makes a backup of s. It is consistent for each account, at the ModSeq
// that its Entry says, while others go on to write. What an interrupted Backup
// of the same options did in the last 24 hours is not done again.
// store.ErrInUse: another Backup or Prune is under way.
func (a *Archive) Backup(ctx context.Context, s store.Store, o BackupOptions) (*Report, error) {
	if o.Mailbox != "" && len(o.Accounts) != 1 {
		return nil, fmt.Errorf("%w: one mailbox needs one account", store.ErrInvalid)
	}
	if !o.DryRun {
		lock, err := a.Target.Lock(ctx)
		if err != nil {
			return nil, err
		}
		defer lock.Close()
	}
	defer o.Holder.begin()()
	r, err := a.newRun(ctx, s, o)
	if err != nil {
		return nil, err
	}
	defer r.close()
	if err := r.all(ctx); err != nil {
		return nil, err
	}
	if o.DryRun {
		return &r.report, nil
	}
	return &r.report, r.finish(ctx)
}

// run is one Backup.
type run struct {
	*Archive
	listener
	s       store.Store
	o       BackupOptions
	limits  Limits
	c       *format.Codec
	id      string
	started time.Time
	prev    *Manifest // nil = none
	packs   []Object
	numbers int               // logs that have a name
	resumed map[string]string // what logs of an interrupted run are of → their names
	bodies  *format.Bodies
	pack    *format.PackWriter
	inPack  map[Hash]bool
	entries []Entry
	report  Report
	buf     []byte
}

// runFile is what is kept of a backup on its way.
type runFile struct {
	ID      string    `json:"id"`
	Started time.Time `json:"started"`
	Scope   runScope  `json:"scope"`
}

type runScope struct {
	Accounts []store.AccountID `json:"accounts,omitempty"`
	Mailbox  string            `json:"mailbox,omitempty"`
	Full     bool              `json:"full,omitempty"`
}

func (x runScope) equal(y runScope) bool {
	return slices.Equal(x.Accounts, y.Accounts) && x.Mailbox == y.Mailbox && x.Full == y.Full
}

func (a *Archive) newRun(ctx context.Context, s store.Store, o BackupOptions) (_ *run, err error) {
	o.Accounts = slices.Clone(o.Accounts)
	slices.Sort(o.Accounts)
	r := &run{
		Archive: a, listener: listener{onProgress: o.Progress, onProblem: o.Problem}, s: s, o: o, limits: a.Limits.WithDefaults(),
		resumed: make(map[string]string), inPack: make(map[Hash]bool),
	}
	if r.c, err = format.NewCodec(); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			r.close()
		}
	}()
	ids, err := a.IDs(ctx)
	if err != nil {
		return nil, err
	}
	if err := r.findPrevious(ctx, ids); err != nil {
		return nil, err
	}
	if o.DryRun {
		return r, nil
	}
	if err := r.begin(ctx, ids); err != nil {
		return nil, err
	}
	r.bodies, err = a.openBodies(ctx, r.c, r.packs, func(err error) error { r.problem(err); return nil })
	return r, err
}

// findPrevious reads the newest manifest that can be read.
func (r *run) findPrevious(ctx context.Context, ids []string) error {
	for _, id := range slices.Backward(ids) {
		m, err := r.Manifest(ctx, id)
		if err == nil {
			r.prev, r.packs = m, slices.Clone(m.Packs)
			return nil
		}
		if !format.IsDamage(err) {
			return err
		}
		r.problem(err)
	}
	return nil
}

// begin takes up an interrupted run of the same scope, or begins a new one.
// Other interrupted runs are removed.
func (r *run) begin(ctx context.Context, ids []string) error {
	runs, err := r.ids(ctx, format.RunsAt)
	if err != nil {
		return err
	}
	scope := runScope{r.o.Accounts, r.o.Mailbox, r.o.Full}
	var last string
	if len(ids) > 0 {
		last = ids[len(ids)-1]
	}
	for _, id := range runs {
		var f runFile
		name := format.RunsAt + id + format.Suffix
		err := format.ReadHeaded(ctx, r.Target, name, r.limits.Manifest, &f)
		if err != nil && !format.IsDamage(err) {
			return err
		}
		age := time.Since(f.Started)
		if err == nil && r.id == "" && id > last && f.ID == id && f.Scope.equal(scope) && age >= 0 && age < resumeFor {
			r.id, r.started = id, f.Started
			continue
		}
		if err := r.abandon(ctx, id, slices.Contains(ids, id)); err != nil {
			return err
		}
	}
	if r.id != "" {
		r.report.Resumed = true
		return r.resume(ctx)
	}
	r.started = time.Now()
	r.id = newID(last, r.started)
	return format.WriteHeaded(ctx, r.Target, format.RunsAt+r.id+format.Suffix, runFile{ID: r.id, Started: r.started, Scope: scope})
}

// abandon removes what an interrupted run left; of one that was whole its mark
// alone.
func (r *run) abandon(ctx context.Context, id string, whole bool) error {
	if !whole {
		for _, at := range [...]string{format.LogsAt + id + "/", format.PacksAt + id + "/"} {
			if err := r.removeAll(ctx, at); err != nil {
				return err
			}
		}
	}
	return r.Target.Remove(ctx, format.RunsAt+id+format.Suffix)
}

func (a *Archive) removeAll(ctx context.Context, prefix string) error {
	var names []string
	for info, err := range a.Target.List(ctx, prefix) {
		if err != nil {
			return err
		}
		names = append(names, info.Name)
	}
	for _, name := range names {
		if err := a.Target.Remove(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) close() {
	if r.pack != nil {
		r.pack.Abort()
	}
	if r.bodies != nil {
		r.bodies.Close()
	}
	r.c.Close()
}

// all takes the accounts one after the other.
func (r *run) all(ctx context.Context) error {
	infos, err := r.accounts(ctx)
	if err != nil {
		return err
	}
	r.progress.Total = len(infos)
	for i := range infos {
		r.progress.Account, r.progress.Done = infos[i].ID, i
		r.tell()
		e, err := r.account(ctx, &infos[i])
		if errors.Is(err, store.ErrNoAccount) && len(r.o.Accounts) == 0 {
			continue // it was dropped meanwhile
		}
		if err != nil {
			return err
		}
		if r.o.DryRun {
			continue
		}
		r.entries = append(r.entries, *e)
		r.bodies.Trim()
	}
	r.progress.Done = len(infos)
	r.tell()
	return nil
}

// accounts are those to take.
func (r *run) accounts(ctx context.Context) (out []store.AccountInfo, err error) {
	for info, err := range r.s.Accounts(ctx, "") {
		if err != nil {
			return nil, err
		}
		if _, wanted := slices.BinarySearch(r.o.Accounts, info.ID); wanted || len(r.o.Accounts) == 0 {
			out = append(out, info)
		}
	}
	for _, id := range r.o.Accounts {
		if !slices.ContainsFunc(out, func(i store.AccountInfo) bool { return i.ID == id }) {
			return nil, &store.Error{Op: "backup", Account: id, Err: store.ErrNoAccount}
		}
	}
	return out, nil
}

// finish writes the manifest, behind everything that it names.
func (r *run) finish(ctx context.Context) error {
	if err := r.endPack(ctx); err != nil {
		return err
	}
	if r.prev != nil && len(r.o.Accounts) > 0 {
		r.carryOver()
	}
	slices.SortFunc(r.entries, func(x, y Entry) int { return x.Compare(&y) })
	slices.SortFunc(r.packs, func(x, y Object) int { return cmp.Compare(x.Name, y.Name) })
	m := &Manifest{ID: r.id, Started: r.started.UTC(), Finished: time.Now().UTC(), Accounts: r.entries, Packs: r.packs}
	if err := format.WriteHeaded(ctx, r.Target, format.ManifestName(r.id), m); err != nil {
		return err
	}
	r.report.Manifest = m
	return r.Target.Remove(context.WithoutCancel(ctx), format.RunsAt+r.id+format.Suffix)
}

// carryOver adds what the last backup has and this one did not look at. A
// mailbox on its own is not needed beside its whole account.
func (r *run) carryOver() {
	taken := make(map[store.AccountID]string, len(r.entries))
	for i := range r.entries {
		taken[r.entries[i].Account] = r.entries[i].Mailbox
	}
	for _, e := range r.prev.Accounts {
		mailbox, ok := taken[e.Account]
		if !ok || mailbox != "" && mailbox != e.Mailbox {
			r.entries = append(r.entries, e)
		}
	}
}
