package backup

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/backup/format"
)

// appender adds messages to an account that is in use.
type appender struct {
	*restore
	ch   *format.Chain
	id   store.AccountID
	acct store.Account

	box  *store.Mailbox // the current one, in the archive
	name string         // where its messages go
	dest store.MailboxID
}

func (r *restore) appendAccount(ctx context.Context, id store.AccountID, ch *format.Chain) error {
	acct, err := r.s.Open(ctx, id)
	if err != nil {
		return err
	}
	p := &appender{restore: r, ch: ch, id: id, acct: acct}
	boxes, _, err := ch.Mailboxes()
	if err != nil {
		return err
	}
	found := false
	for n := range boxes {
		p.box = &boxes[n]
		if p.box.NoSelect || r.o.Mailbox != "" && p.box.Name != r.o.Mailbox {
			continue
		}
		found = true
		if err := p.mailbox(ctx); err != nil {
			return err
		}
	}
	if !found && r.o.Mailbox != "" {
		return &Problem{Account: ch.Entry.Account, Mailbox: r.o.Mailbox, Err: fmt.Errorf("%w: the backup has no such mailbox", ErrNoBackup)}
	}
	r.report.Accounts++
	return nil
}

// destName is where the messages of the mailbox go.
func (p *appender) destName() string {
	switch {
	case p.o.Into == "":
		return p.box.Name
	case p.o.Mailbox != "":
		return p.o.Into
	}
	return p.o.Into + store.Separator + p.box.Name
}

// mailbox appends the messages of one mailbox.
func (p *appender) mailbox(ctx context.Context) (err error) {
	if p.name, err = store.CleanName(p.destName()); err != nil {
		return &store.Error{Op: "restore", Account: p.id, Mailbox: p.destName(), Err: err}
	}
	if err := p.findDest(ctx); err != nil {
		return err
	}
	b := &batch{restore: p.restore, ch: p.ch, box: p.box, put: func(ops []store.Append, ms []format.Message) error {
		return p.appendBatch(ctx, ops, ms)
	}}
	for m, err := range p.ch.Messages(*p.box) {
		if err != nil {
			return err
		}
		if m.Gone || len(p.o.UIDs) > 0 && !p.o.UIDs.Contains(m.UID) {
			continue
		}
		ok, err := p.usable(p.ch, p.box, m)
		if err != nil {
			return err
		}
		if ok {
			if err := p.one(ctx, m, b); err != nil {
				return err
			}
		}
	}
	return b.flush(ctx)
}

// one adds a message to the batch unless an earlier restore appended it.
func (p *appender) one(ctx context.Context, m *format.Message, b *batch) error {
	if p.o.DryRun {
		p.report.Messages++
		p.report.Bytes += m.Size - int64(len(m.Prefix))
		return nil
	}
	done, err := p.applied(ctx, p.once(m.UID))
	if err != nil {
		return err
	}
	if done {
		p.report.Skipped++
		return nil
	}
	return b.add(ctx, m)
}

// findDest finds or makes the mailbox of that name.
func (p *appender) findDest(ctx context.Context) error {
	m, err := store.MailboxByName(ctx, p.acct, p.name)
	switch {
	case err != nil && !errors.Is(err, store.ErrNoMailbox):
		return err
	case err == nil && !m.NoSelect:
		p.dest = m.ID
		return nil
	case p.o.DryRun:
		return nil
	}
	p.dest = store.NewMailboxID()
	op := store.PutMailbox{ID: p.dest, Create: true, Name: p.name, Subscribed: &p.box.Subscribed}
	if _, err := p.acct.Apply(ctx, store.Change{Ops: []store.Op{op}}); err != nil {
		return err
	}
	p.report.Mailboxes++
	return nil
}

// once is the same for every attempt at the same message and mailbox.
func (p *appender) once(uid store.UID) string {
	what := fmt.Sprintf("%s\x00%s\x00%s\x00%d\x00%d\x00%s", p.o.Run, p.ch.Entry.Account, p.box.ID, p.box.UIDValidity, uid, p.name)
	return fmt.Sprintf("restore\x00%x", sha256.Sum256([]byte(what)))
}

// applied asks whether a Change with this key was applied, with one that is
// refused when it was not.
func (p *appender) applied(ctx context.Context, once string) (bool, error) {
	never := store.ModSeq(math.MaxInt64)
	op := store.PutEntry{Key: restoringKey, Value: []byte{}, IfModSeq: &never}
	_, err := p.acct.Apply(ctx, store.Change{Once: once, Ops: []store.Op{op}})
	if errors.Is(err, store.ErrConflict) {
		return false, nil
	}
	return err == nil, err
}

// appendBatch appends the messages in the order of their UIDs. Those of a
// batch that was begun before find out by their Once.
func (p *appender) appendBatch(ctx context.Context, ops []store.Append, ms []format.Message) error {
	for n := range ops {
		op := ops[n]
		op.Mailbox, op.IgnoreQuota = p.dest, p.o.IgnoreQuota
		_, err := p.acct.Apply(ctx, store.Change{Once: p.once(ms[n].UID), Ops: []store.Op{op}})
		if err != nil {
			return err
		}
	}
	return nil
}
