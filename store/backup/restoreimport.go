package backup

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/backup/format"
)

// The entries of an account that is being restored, or was. Their value is the
// log that it was restored from.
const (
	restoringKey = "backup/restoring"
	restoredKey  = "backup/restored"
)

// opsAtOnce bounds the operations of one Change.
const opsAtOnce = 500

// importer makes one account what it was.
type importer struct {
	*restore
	ch    *format.Chain
	id    store.AccountID
	acct  store.Account
	inbox store.MailboxID // of acct
	since store.ModSeq    // acct knows its tombstones from here on
	boxes []store.Mailbox
	gone  []store.Mailbox
	ops   []store.Op
}

func (r *restore) importAccount(ctx context.Context, id store.AccountID, ch *format.Chain) error {
	i := &importer{restore: r, ch: ch, id: id}
	done, err := i.prepare(ctx)
	if err != nil || done {
		return err
	}
	if i.boxes, i.gone, err = ch.Mailboxes(); err != nil {
		return err
	}
	if r.o.DryRun {
		return i.dryRun()
	}
	if err := i.makeMailboxes(ctx); err != nil {
		return err
	}
	for n := range i.boxes {
		if i.boxes[n].NoSelect {
			continue
		}
		if err := i.messages(ctx, &i.boxes[n]); err != nil {
			return err
		}
	}
	if err := i.entries(ctx); err != nil {
		return err
	}
	if err := i.tombstones(ctx); err != nil {
		return err
	}
	if err := i.finish(ctx); err != nil {
		return err
	}
	r.report.Accounts++
	return nil
}

// dryRun counts.
func (i *importer) dryRun() error {
	for n := range i.boxes {
		for m, err := range i.ch.Messages(i.boxes[n]) {
			if err != nil {
				return err
			}
			if m.Gone {
				continue
			}
			ok, err := i.usable(i.ch, &i.boxes[n], m)
			if err != nil {
				return err
			}
			if ok {
				i.report.Messages++
				i.report.Bytes += m.Size - int64(len(m.Prefix))
			}
		}
		i.report.Mailboxes++
	}
	i.report.Accounts++
	return nil
}

// source names what is restored.
func (i *importer) source() []byte { return []byte(i.ch.Entry.Log.Rows.Name) }

// prepare sees to it that the account is there, empty or begun by the same
// restore, and importing. done: it was restored before.
func (i *importer) prepare(ctx context.Context) (done bool, err error) {
	info, err := infoOf(ctx, i.s, i.id)
	if err != nil || info == nil && i.o.DryRun {
		return false, err
	}
	if info == nil {
		err := i.s.Create(ctx, i.id, store.AccountInfo{ID: i.id, State: store.AccountImporting})
		if err != nil {
			return false, err
		}
	}
	if i.acct, err = i.s.Open(ctx, i.id); err != nil {
		return false, err
	}
	if info != nil {
		if done, err = i.judge(ctx, info); done || err != nil {
			return done, err
		}
	}
	inbox, err := store.MailboxByName(ctx, i.acct, store.Inbox)
	if err != nil || i.o.DryRun {
		return false, err
	}
	i.inbox = inbox.ID
	state := store.AccountImporting
	return false, i.apply(ctx,
		store.PutAccount{State: &state, Limits: &store.Limits{}},
		store.PutEntry{Key: restoringKey, Value: i.source()})
}

// judge looks at an account that is there.
func (i *importer) judge(ctx context.Context, info *store.AccountInfo) (done bool, err error) {
	marks, err := i.marks(ctx)
	if err != nil {
		return false, err
	}
	usage, err := i.acct.Usage(ctx)
	if err != nil {
		return false, err
	}
	switch {
	case string(marks[restoringKey]) == string(i.source()):
		return false, nil
	case string(marks[restoredKey]) == string(i.source()):
		i.report.Already++
		return true, nil
	case usage.Messages > 0, marks[restoringKey] != nil:
		return false, &Problem{Account: i.id, Err: ErrNotEmpty}
	case info.State == store.AccountImporting && i.modSeqBeyondFresh(ctx):
		return false, &Problem{Account: i.id, Err: fmt.Errorf("%w, or is being imported", ErrNotEmpty)}
	}
	return false, nil
}

// modSeqBeyondFresh reports whether something was done in the account: one
// that Create just made, before a crash, is taken up.
func (i *importer) modSeqBeyondFresh(ctx context.Context) bool {
	boxes, _, err := i.acct.Mailboxes(ctx, 0)
	return err != nil || len(boxes) != 1 || boxes[0].UIDNext > 1
}

func (i *importer) marks(ctx context.Context) (map[string][]byte, error) {
	out := make(map[string][]byte)
	for e, err := range i.acct.Entries(ctx, store.EntryQuery{Prefix: "backup/"}) {
		if err != nil {
			return nil, err
		}
		out[e.Key] = e.Value
	}
	return out, nil
}

func (i *importer) apply(ctx context.Context, ops ...store.Op) error {
	_, err := i.acct.Apply(ctx, store.Change{Ops: ops})
	if errors.Is(err, store.ErrNotImporting) {
		return fmt.Errorf("the store cannot import; append instead: %w", err)
	}
	return err
}

// queue adds an operation to those that go together.
func (i *importer) queue(ctx context.Context, ops ...store.Op) error {
	i.ops = append(i.ops, ops...)
	if len(i.ops) < opsAtOnce {
		return nil
	}
	return i.flush(ctx)
}

func (i *importer) flush(ctx context.Context) error {
	if len(i.ops) == 0 {
		return nil
	}
	err := i.apply(ctx, i.ops...)
	i.ops = i.ops[:0]
	return err
}

// at is the id that a mailbox of the archive has in the account.
func (i *importer) at(m *store.Mailbox) store.MailboxID {
	if m.Name == store.Inbox {
		return i.inbox
	}
	return m.ID
}

// makeMailboxes makes those that are missing. INBOX, which is there, is given
// the ModSeq of the backup first, so that whatever the restore itself does has
// a greater one, and no reader misses it.
func (i *importer) makeMailboxes(ctx context.Context) error {
	there, now, err := i.acct.Mailboxes(ctx, 0)
	if err != nil {
		return err
	}
	if i.since, err = purgeMark(ctx, i.acct, now); err != nil {
		return err
	}
	byName := make(map[string]*store.Mailbox, len(there))
	for n := range there {
		byName[there[n].Name] = &there[n]
	}
	for n := range i.boxes {
		m := &i.boxes[n]
		old := byName[m.Name]
		if m.Name == store.Inbox {
			op := store.PutMailbox{ID: i.inbox, Role: &m.Role, Subscribed: &m.Subscribed, HighestModSeq: i.ch.Entry.ModSeq}
			if m.UIDValidity != old.UIDValidity {
				op.UIDValidity = m.UIDValidity
			}
			if err := i.apply(ctx, op); err != nil {
				return err
			}
			continue
		}
		if old != nil && (old.ID == m.ID || m.NoSelect) {
			continue
		}
		if old != nil && !old.NoSelect { // empty, as the account is
			if err := i.queue(ctx, store.PutMailbox{ID: old.ID, Delete: true}); err != nil {
				return err
			}
		}
		op := store.PutMailbox{ID: m.ID, Create: true, Name: m.Name, Subscribed: &m.Subscribed, UIDValidity: m.UIDValidity}
		if !m.NoSelect {
			op.Role = &m.Role
			i.report.Mailboxes++
		}
		if err := i.queue(ctx, op); err != nil {
			return err
		}
	}
	return i.flush(ctx)
}

// messages imports the messages of a mailbox that are not there yet.
func (i *importer) messages(ctx context.Context, box *store.Mailbox) error {
	id := i.at(box)
	present, err := i.present(ctx, id)
	if err != nil {
		return err
	}
	b := &batch{restore: i.restore, ch: i.ch, box: box, put: func(ops []store.Append, ms []format.Message) error {
		return i.importBatch(ctx, id, ops, ms)
	}}
	for m, err := range i.ch.Messages(*box) {
		if err != nil {
			return err
		}
		if present.Contains(m.UID) {
			i.report.Skipped++
			continue
		}
		if !m.Gone {
			ok, err := i.usable(i.ch, box, m)
			if err != nil {
				return err
			}
			if !ok {
				continue
			}
		}
		if err := b.add(ctx, m); err != nil {
			return err
		}
	}
	return b.flush(ctx)
}

// present are the UIDs that a mailbox has or had.
func (i *importer) present(ctx context.Context, id store.MailboxID) (set store.UIDSet, err error) {
	for _, q := range [...]store.Query{{}, {Since: i.since}} {
		for m, err := range i.acct.Messages(ctx, id, q) {
			if err != nil {
				return nil, err
			}
			set.Add(m.UID)
		}
	}
	return set, nil
}

func (i *importer) importBatch(ctx context.Context, id store.MailboxID, ops []store.Append, ms []format.Message) error {
	list := make([]store.Op, len(ops))
	for n := range ops {
		m := &ms[n]
		op := store.Import{Append: ops[n], UID: m.UID, ModSeq: m.ModSeq, Saved: m.Saved, ThreadID: m.ThreadID, Gone: m.Gone}
		op.Mailbox, op.IgnoreQuota = id, true
		list[n] = op
	}
	return i.apply(ctx, list...)
}

// entries writes the small values that are there and not expired.
func (i *importer) entries(ctx context.Context) error {
	at := make(map[store.MailboxID]store.MailboxID, len(i.boxes)+1)
	at[store.MailboxID{}] = store.MailboxID{}
	for n := range i.boxes {
		if !i.boxes[n].NoSelect {
			at[i.boxes[n].ID] = i.at(&i.boxes[n])
		}
	}
	now, size := time.Now(), 0
	for e, err := range i.ch.Entries() {
		if err != nil {
			return err
		}
		id, ok := at[e.Mailbox]
		if !ok || !e.Present(now) || id.IsZero() && strings.HasPrefix(e.Key, "backup/") {
			continue
		}
		if err := i.queue(ctx, store.PutEntry{Mailbox: id, Key: e.Key, Value: e.Value, Expires: e.Expires}); err != nil {
			return err
		}
		if size += len(e.Value); size > format.MaxBlock {
			size = 0
			if err := i.flush(ctx); err != nil {
				return err
			}
		}
	}
	return i.flush(ctx)
}

// tombstones makes and deletes the mailboxes that were deleted, and those
// whose place is a name without messages.
func (i *importer) tombstones(ctx context.Context) error {
	all, _, err := i.acct.Mailboxes(ctx, i.since)
	if err != nil {
		return err
	}
	known := make(map[store.MailboxID]bool, len(all))
	names := make(map[string]bool, len(all))
	for n := range all {
		known[all[n].ID] = true
		if !all[n].Gone {
			names[all[n].Name] = true
		}
	}
	for n := range i.gone {
		m := &i.gone[n]
		if known[m.ID] {
			continue
		}
		name, parent := m.Name, store.ParentName(m.Name)
		if names[name] || parent != "" && !names[parent] {
			name = "deleted-" + m.ID.String()
		}
		err := i.queue(ctx, store.PutMailbox{ID: m.ID, Create: true, Name: name}, store.PutMailbox{ID: m.ID, Delete: true})
		if err != nil {
			return err
		}
	}
	for n := range i.boxes {
		m := &i.boxes[n]
		if !m.NoSelect || !known[m.ID] {
			continue
		}
		now, err := store.MailboxByName(ctx, i.acct, m.Name)
		if err != nil {
			return err
		}
		if now.ID == m.ID && !now.NoSelect {
			if err := i.queue(ctx, store.PutMailbox{ID: m.ID, Delete: true}); err != nil {
				return err
			}
		}
	}
	return i.flush(ctx)
}

// finish sets numbers, holds and limits, and opens the account.
func (i *importer) finish(ctx context.Context) error {
	for n := range i.boxes {
		m := &i.boxes[n]
		if m.NoSelect {
			continue
		}
		if err := i.queue(ctx, store.PutMailbox{ID: i.at(m), UIDNext: m.UIDNext, HighestModSeq: m.HighestModSeq}); err != nil {
			return err
		}
	}
	if err := i.flush(ctx); err != nil {
		return err
	}
	if err := i.holds(ctx); err != nil {
		return err
	}
	e := i.ch.Entry
	return i.apply(ctx,
		store.PutEntry{Key: restoringKey},
		store.PutEntry{Key: restoredKey, Value: i.source(), Expires: time.Now().Add(restoredFor)},
		store.PutAccount{State: &e.State, Limits: &e.Limits})
}

func (i *importer) holds(ctx context.Context) error {
	inbox, _ := format.ParseMailboxID(i.ch.Entry.Inbox)
	for n := range i.ch.Entry.Holds {
		h, ok := i.ch.Entry.Holds[n].Stored()
		if !ok {
			if err := i.ch.Fault(format.Damage(format.ManifestName(i.m.ID), "a hold of account %q makes no sense", string(i.id))); err != nil {
				return err
			}
			continue
		}
		if h.Mailbox == inbox && !inbox.IsZero() {
			h.Mailbox = i.inbox
		}
		err := store.PutHold(ctx, i.acct, h)
		if errors.Is(err, store.ErrUnsupported) || errors.Is(err, store.ErrNoMailbox) {
			i.problem(&Problem{Account: i.id, Err: fmt.Errorf("hold %q: %w", h.Name, err)})
			continue
		}
		if err != nil {
			return err
		}
	}
	return nil
}
