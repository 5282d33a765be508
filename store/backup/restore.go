package backup

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/backup/format"
)

// RestoreOptions say what goes where. The zero value restores every account of
// the newest backup.
type RestoreOptions struct {
	// Backup is the id of the backup; "" = the newest.
	Backup string

	// Accounts are those to restore; empty = all that the backup has.
	Accounts []store.AccountID

	// As is the account to restore into, where it has another name. It needs
	// exactly one account.
	As store.AccountID

	// Append adds to an account that is in use: messages get new UIDs, and
	// nothing that is there is changed. Without it an account is restored as
	// it was, which needs one that is missing or holds no message.
	Append bool

	// Mailbox is the name, in the backup, of the only mailbox to restore, and
	// UIDs, when not empty, the only messages of it. It implies Append.
	Mailbox string
	UIDs    store.UIDSet

	// Into is the mailbox that takes the messages of Mailbox, or below which
	// all mailboxes come; "" = where they were. It implies Append.
	Into string

	// Run names this restore. What was appended is not appended again by a
	// restore with the same Run into the same mailbox, for the 30 days for
	// which a store remembers Once; one with another Run appends it again.
	Run string

	// IgnoreQuota appends beyond the limits of the account.
	IgnoreQuota bool

	// Partial restores what is not damaged. Otherwise the first damage ends
	// the restore; what was restored until then stays, and is gone on from.
	Partial bool

	// DryRun looks at the archive and the store, and writes nothing.
	DryRun bool

	// Progress and Problem must not block for long. Problem hears of all that
	// is not restored.
	Progress func(Progress)
	Problem  func(*Problem)
}

// RestoreReport is what a restore did, or with DryRun would do.
type RestoreReport struct {
	Backup    string
	Accounts  int   // that were restored
	Already   int   // that an earlier restore of this backup made whole
	Mailboxes int   // that were made
	Messages  int64 // that were restored
	Skipped   int64 // that an interrupted restore had restored
	Lost      int64 // that are damaged, or whose body the backup does not have
	Bytes     int64 // octets of the bodies that were written
}

// Restore writes accounts of a backup into s, whatever engine made the backup.
//
// An account that is not there, or holds no message, becomes what it was:
// mailboxes keep their ids (INBOX alone has the new account's), UIDVALIDITY,
// roles and subscriptions, messages their UIDs, ModSeqs, flags, dates and ids.
// Its counters then are 2^20 ahead, and who knows it from before gets
// store.ErrResync, see store.PutAccount. Until it is whole it
// is in state AccountImporting and takes no mail. ErrNotEmpty: there are
// messages, and neither Append nor Into was asked for.
//
// An interrupted Restore is gone on with by the same call, and restores nothing
// twice.
func (a *Archive) Restore(ctx context.Context, s store.Store, o RestoreOptions) (*RestoreReport, error) {
	o.Append = o.Append || o.Mailbox != "" || o.Into != ""
	if o.As != "" && len(o.Accounts) != 1 || len(o.UIDs) > 0 && o.Mailbox == "" || o.Mailbox != "" && len(o.Accounts) != 1 {
		return nil, fmt.Errorf("%w: options of Restore that do not go together", store.ErrInvalid)
	}
	m, err := a.Manifest(ctx, o.Backup)
	if err != nil {
		return nil, err
	}
	r := &restore{Archive: a, listener: listener{onProgress: o.Progress, onProblem: o.Problem}, s: s, o: o, m: m, limits: a.Limits.WithDefaults()}
	r.report.Backup = m.ID
	if r.c, err = format.NewCodec(); err != nil {
		return nil, err
	}
	defer r.c.Close()
	entries, err := r.entries()
	if err != nil {
		return nil, err
	}
	if r.bodies, err = a.openBodies(ctx, r.c, m.Packs, r.fault); err != nil {
		return nil, err
	}
	defer r.bodies.Close()
	r.progress.Total = len(entries)
	for i, e := range entries {
		r.progress.Account, r.progress.Done = e.Account, i
		r.tell()
		if err := r.account(ctx, e); err != nil {
			return &r.report, err
		}
		r.bodies.Trim()
	}
	r.progress.Done = len(entries)
	r.tell()
	return &r.report, nil
}

// restore is one Restore.
type restore struct {
	*Archive
	listener
	s      store.Store
	o      RestoreOptions
	m      *Manifest
	limits Limits
	c      *format.Codec
	bodies *format.Bodies
	refs   refCache
	report RestoreReport
}

// fault reports damage, and ends the restore unless it is Partial.
func (r *restore) fault(err error) error {
	if !r.o.Partial {
		return err
	}
	r.problem(err)
	return nil
}

// entries are those to restore. Of an account the entry as a whole, or of the
// mailboxes that were backed up alone.
func (r *restore) entries() ([]*Entry, error) {
	var out []*Entry
	found := make(map[store.AccountID]bool)
	for i := range r.m.Accounts {
		e := &r.m.Accounts[i]
		if len(r.o.Accounts) > 0 && !slices.Contains(r.o.Accounts, e.Account) {
			continue
		}
		if e.Mailbox != "" && (!r.o.Append || r.m.Entry(e.Account, "") != nil) {
			continue
		}
		found[e.Account] = true
		out = append(out, e)
	}
	for _, id := range r.o.Accounts {
		if !found[id] {
			return nil, fmt.Errorf("%w: nothing to restore of account %q", ErrNoBackup, string(id))
		}
	}
	return out, nil
}

func (r *restore) account(ctx context.Context, e *Entry) error {
	ch, err := format.OpenChain(ctx, r.Target, r.c, r.limits, e, r.fault)
	if err != nil {
		return err
	}
	defer ch.Close()
	id := e.Account
	if r.o.As != "" {
		id = r.o.As
	}
	if r.o.Append {
		return r.appendAccount(ctx, id, ch)
	}
	return r.importAccount(ctx, id, ch)
}

// infoOf finds the info of an account; nil = there is none.
func infoOf(ctx context.Context, s store.Store, id store.AccountID) (*store.AccountInfo, error) {
	after := id[:len(id)-1] // less than id, and not by much
	for info, err := range s.Accounts(ctx, after) {
		if err != nil {
			return nil, err
		}
		if info.ID >= id {
			if info.ID == id {
				return &info, nil
			}
			break
		}
	}
	return nil, nil
}

// usable reports whether a message has what a restore needs. What the backup
// does not have is reported and left out; damage may end the restore.
func (r *restore) usable(ch *format.Chain, box *store.Mailbox, m *format.Message) (bool, error) {
	if m.HasBody {
		return true, nil
	}
	r.report.Lost++
	if m.NoBody {
		err := fmt.Errorf("%w: its body could not be read when the backup was made", store.ErrCorrupt)
		r.problem(format.About(err, ch.Entry.Account, box.Name, m.UID))
		return false, nil
	}
	err := fmt.Errorf("%w: nothing says what its body is", ErrDamaged)
	return false, ch.Fault(format.About(err, ch.Entry.Account, box.Name, m.UID))
}

// restored marks an account that a restore made, for as long as somebody may
// run it again.
const restoredFor = 30 * 24 * time.Hour
