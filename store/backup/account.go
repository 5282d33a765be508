package backup

import (
	"context"
	"errors"
	"time"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/backup/format"
)

// importJump is how far the counters of an account move when an import ends
// (store.PutAccount). Numbers from before may come later there, so that a log
// from then on would not be whole.
const importJump = 1 << 20

// take is one account on its way into the archive.
type take struct {
	*run
	info  *store.AccountInfo
	acct  store.Account
	only  store.MailboxID // zero = all
	inbox store.Mailbox
	prev  *Entry // what it goes on from; nil = full
	next  map[store.MailboxID]knownBox
	meta  format.LogMeta
}

// knownBox is a mailbox as the chain has it: messages below next are known.
type knownBox struct {
	validity store.UIDValidity
	next     store.UID
}

// account takes one account.
func (r *run) account(ctx context.Context, info *store.AccountInfo) (*Entry, error) {
	t := &take{run: r, info: info}
	var err error
	if t.acct, err = r.s.Open(ctx, info.ID); err != nil {
		return nil, err
	}
	if t.inbox, err = store.MailboxByName(ctx, t.acct, store.Inbox); err != nil {
		return nil, err
	}
	if r.o.Mailbox != "" {
		m, err := store.MailboxByName(ctx, t.acct, r.o.Mailbox)
		if err != nil {
			return nil, err
		}
		t.only, t.meta.Mailbox = m.ID, m.ID.String()
	}
	t.meta.Account = info.ID
	unchanged, err := t.plan(ctx)
	if err != nil {
		return nil, err
	}
	e, err := t.entry(ctx)
	if err != nil {
		return nil, err
	}
	switch {
	case unchanged:
		r.report.Unchanged++
		e.ModSeq, e.Log = t.prev.ModSeq, t.prev.Log
		return e, nil
	case r.o.DryRun && t.prev == nil:
		r.report.Full++
		return e, nil
	case r.o.DryRun:
		r.report.Incremental++
		return e, nil
	}
	return e, t.write(ctx, e)
}

// entry is all of the Entry but the log.
func (t *take) entry(ctx context.Context) (*Entry, error) {
	usage, err := t.acct.Usage(ctx)
	if err != nil {
		return nil, err
	}
	holds, err := store.ListHolds(ctx, t.acct)
	if err != nil {
		return nil, err
	}
	return &Entry{
		Account: t.info.ID, Mailbox: t.meta.Mailbox, State: t.info.State, Limits: t.info.Limits, Created: t.info.Created.UTC(),
		Holds: holdsOf(holds), Taken: time.Now().UTC(), Messages: usage.Messages, Bytes: usage.Bytes,
		Inbox: t.inbox.ID.String(), InboxValidity: t.inbox.UIDValidity,
	}, nil
}

// plan finds out what to go on from. unchanged: nothing happened since.
func (t *take) plan(ctx context.Context) (unchanged bool, err error) {
	if t.run.prev == nil || t.o.Full {
		return false, nil
	}
	e := t.run.prev.Entry(t.info.ID, t.meta.Mailbox)
	if e == nil || e.Missing > 0 || e.ModSeq == 0 || !t.same(e) {
		return false, nil
	}
	boxes, now, err := t.acct.Mailboxes(ctx, e.ModSeq)
	if errors.Is(err, store.ErrResync) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if now < e.ModSeq || now-e.ModSeq >= importJump {
		return false, nil
	}
	if now == e.ModSeq && len(boxes) == 0 {
		t.prev = e
		return true, nil
	}
	return false, t.goOn(ctx, e)
}

// same reports whether e is of this account and not of an earlier one of that
// id, nor of one that was being imported.
func (t *take) same(e *Entry) bool {
	return e.Inbox == t.inbox.ID.String() && e.InboxValidity == t.inbox.UIDValidity &&
		e.State != store.AccountImporting && t.info.State != store.AccountImporting
}

// goOn prepares an incremental log behind e, unless the chain is damaged or
// long enough.
func (t *take) goOn(ctx context.Context, e *Entry) error {
	ch, err := format.OpenChain(ctx, t.Target, t.c, t.limits, e, strict)
	if err != nil {
		return t.full(err)
	}
	defer ch.Close()
	longest := t.o.FullAfter
	switch {
	case longest == 0:
		longest = defaultFullAfter
	case longest < 0:
		longest = t.limits.Chain
	}
	if len(ch.Logs) >= min(longest, t.limits.Chain) {
		return nil
	}
	list, _, err := ch.Mailboxes()
	if err != nil {
		return t.full(err)
	}
	t.next = make(map[store.MailboxID]knownBox, len(list))
	for i := range list {
		t.next[list[i].ID] = knownBox{list[i].UIDValidity, list[i].UIDNext}
	}
	t.prev = e
	t.meta.Since, t.meta.Parent, t.meta.Chain = e.ModSeq, &e.Log, len(ch.Logs)+1
	return nil
}

// full reports damage, and lets the account be taken in full.
func (t *take) full(err error) error {
	if format.IsDamage(err) {
		t.problem(err)
		return nil
	}
	return err
}

// write makes the log, or goes on with that of an interrupted run.
func (t *take) write(ctx context.Context, e *Entry) error {
	name := t.resumed[logKey(&t.meta)]
	var err error
	if name != "" {
		e.Log.Rows, err = t.describe(ctx, name+rowsSuffix)
	} else {
		t.numbers++
		name = logName(t.id, t.numbers)
		e.Log.Rows, err = t.takeRows(ctx, name+rowsSuffix)
	}
	if err != nil {
		return err
	}
	rows, err := format.OpenLog(ctx, t.Target, e.Log.Rows.Name, t.c, t.limits.Index)
	if err != nil {
		return err
	}
	defer rows.Close()
	e.ModSeq, e.Taken = rows.Meta.ModSeq, rows.Meta.Taken
	if rows.Meta.Since == 0 {
		t.report.Full++
	} else {
		t.report.Incremental++
	}
	e.Log.Bodies, e.Missing, err = t.takeBodies(ctx, rows, name+bodiesSuffix)
	return err
}

// takeRows writes what changed, or all. No body is read meanwhile, so a
// snapshot is short.
func (t *take) takeRows(ctx context.Context, name string) (Object, error) {
	w, err := format.NewLogWriter(ctx, t.Target, name, t.c)
	if err != nil {
		return Object{}, err
	}
	o, err := t.rows(ctx, w)
	if err != nil {
		w.Abort()
	}
	if errors.Is(err, store.ErrResync) && t.prev != nil { // the mark moved since
		t.prev, t.next = nil, nil
		t.meta.Since, t.meta.Parent = 0, nil
		return t.takeRows(ctx, name)
	}
	return o, err
}

func (t *take) rows(ctx context.Context, w *format.LogWriter) (Object, error) {
	var err error
	t.meta.Taken = time.Now().UTC()
	if t.meta.ModSeq, err = store.ReadAccount(ctx, t.acct, t.meta.Since, t.visitor(w)); err != nil {
		return Object{}, err
	}
	if t.prev == nil {
		t.meta.Chain = 1
		if err := t.tombstones(ctx, w); err != nil {
			return Object{}, err
		}
	}
	return w.Commit(ctx, &t.meta)
}

const everyField = store.FieldDates | store.FieldIDs | store.FieldContent | store.FieldMeta

// visitor writes what is read.
func (t *take) visitor(w *format.LogWriter) store.Visitor {
	var known knownBox
	var in store.MailboxID
	return store.Visitor{
		Fields: everyField,
		Pass:   func() error { in = store.MailboxID{}; return w.NextPart() },
		Wants:  func(m store.Mailbox) bool { return t.wants(m.ID) },
		Mailbox: func(m store.Mailbox) error {
			if !t.wants(m.ID) {
				return nil
			}
			if known = t.next[m.ID]; known.validity != m.UIDValidity {
				known = knownBox{}
			}
			return w.Put(format.StreamMailboxes, func(b []byte) []byte { return format.AppendMailbox(b, &m) })
		},
		Message: func(id store.MailboxID, m *store.Message) error {
			if in != id {
				in = id
				w.Begin(id)
			}
			t.count()
			return w.PutMessage(func(b []byte) []byte {
				switch {
				case m.Gone:
					return format.AppendState(b, format.RowGone, m)
				case m.UID < known.next:
					return format.AppendState(b, format.RowState, m)
				}
				return format.AppendMessage(b, m)
			})
		},
		Entry: func(e store.Entry) error {
			if !t.wants(e.Mailbox) {
				return nil
			}
			return w.Put(format.StreamEntries, func(b []byte) []byte { return format.AppendEntry(b, &e) })
		},
	}
}

func (t *take) wants(id store.MailboxID) bool { return t.only.IsZero() || t.only == id }

// count notes a row of a message.
func (t *take) count() {
	t.report.Messages++
	t.progress.Messages++
	if t.progress.Messages%1000 == 0 {
		t.tell()
	}
}

// tombstones adds to a full log those that the account still has: their UIDs
// and ids are taken after a restore, too.
func (t *take) tombstones(ctx context.Context, w *format.LogWriter) error {
	since, err := purgeMark(ctx, t.acct, t.meta.ModSeq)
	if err != nil {
		return err
	}
	var in store.MailboxID
	old := func(gone bool, at store.ModSeq) bool { return gone && at <= t.meta.ModSeq }
	v := store.Visitor{
		Pass:  func() error { in = store.MailboxID{}; return w.NextPart() },
		Wants: func(m store.Mailbox) bool { return t.wants(m.ID) },
		Mailbox: func(m store.Mailbox) error {
			if !old(m.Gone, m.ModSeq) || !t.wants(m.ID) {
				return nil
			}
			return w.Put(format.StreamMailboxes, func(b []byte) []byte { return format.AppendMailbox(b, &m) })
		},
		Message: func(id store.MailboxID, m *store.Message) error {
			if !old(m.Gone, m.ModSeq) {
				return nil
			}
			if in != id {
				in = id
				w.Begin(id)
			}
			return w.PutMessage(func(b []byte) []byte { return format.AppendState(b, format.RowGone, m) })
		},
		Entry: func(e store.Entry) error {
			if !old(e.Gone, e.ModSeq) || !t.wants(e.Mailbox) {
				return nil
			}
			return w.Put(format.StreamEntries, func(b []byte) []byte { return format.AppendEntry(b, &e) })
		},
	}
	_, err = store.ReadAccount(ctx, t.acct, since, v)
	if errors.Is(err, store.ErrResync) { // the mark moved meanwhile: what is there is enough
		return nil
	}
	return err
}

// purgeMark is the lowest ModSeq since which the account knows its changes, at
// most now, its ModSeq.
func purgeMark(ctx context.Context, a store.Account, now store.ModSeq) (store.ModSeq, error) {
	knows := func(since store.ModSeq) (bool, error) {
		_, _, err := a.Mailboxes(ctx, since)
		if errors.Is(err, store.ErrResync) {
			return false, nil
		}
		return true, err
	}
	low, high := store.ModSeq(1), now
	ok, err := knows(low)
	if ok || err != nil {
		return low, err
	}
	for low < high { // what is below low is not known
		mid := low + (high-low)/2
		ok, err := knows(mid)
		if err != nil {
			return 0, err
		}
		if ok {
			high = mid
		} else {
			low = mid + 1
		}
	}
	return low, nil
}
