package sqlstore

import (
	"context"
	"fmt"

	"github.com/mailstead/mailstead/store"
)

// Problem is something that Verify found wrong.
type Problem struct {
	Account store.AccountID
	Mailbox string
	UID     store.UID // 0 = the mailbox as a whole
	Err     error
}

// Error is a text for logs and reports.
func (p *Problem) Error() string {
	return fmt.Sprintf("account %q mailbox %q message %d: %v", p.Account, p.Mailbox, p.UID, p.Err)
}

// Unwrap returns the cause.
func (p *Problem) Unwrap() error { return p.Err }

// Verify reads every message of every account, its body included, and compares
// the counters of each mailbox with what is there. Each fault goes to report;
// the error is that of Verify itself. Counters of a mailbox that changes
// meanwhile are not judged.
func (s *Store) Verify(ctx context.Context, report func(*Problem)) error {
	for info, err := range s.Accounts(ctx, "") {
		if err != nil {
			return err
		}
		a, err := s.Open(ctx, info.ID)
		if err != nil {
			return err
		}
		list, _, err := a.Mailboxes(ctx, 0)
		if err != nil {
			return err
		}
		for i := range list {
			v := verifier{a: a, m: &list[i], problem: Problem{Account: info.ID, Mailbox: list[i].Name}, report: report}
			if err := v.mailbox(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// verifier looks at one mailbox.
type verifier struct {
	a       store.Account
	m       *store.Mailbox
	problem Problem
	report  func(*Problem)

	seen store.Mailbox // counters of what was met
}

func (v *verifier) fault(uid store.UID, err error) {
	p := v.problem
	p.UID, p.Err = uid, err
	v.report(&p)
}

func (v *verifier) mailbox(ctx context.Context) error {
	fields := store.FieldDates | store.FieldIDs | store.FieldContent | store.FieldMeta
	for m, err := range v.a.Messages(ctx, v.m.ID, store.Query{Fields: fields}) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			v.fault(0, err)
			return nil
		}
		v.message(ctx, m)
	}
	return v.counters(ctx)
}

func (v *verifier) message(ctx context.Context, m *store.Message) {
	s := &v.seen
	s.Messages++
	s.Bytes += m.Size
	if m.Flags&store.Seen == 0 {
		s.Unseen++
	}
	if m.Flags&store.Deleted != 0 {
		s.Deleted++
	}
	s.UIDNext = max(s.UIDNext, m.UID+1)
	s.HighestModSeq = max(s.HighestModSeq, m.ModSeq)
	c, err := v.a.Content(ctx, v.m.ID, m.UID)
	if err != nil {
		v.fault(m.UID, err)
		return
	}
	defer c.Close()
	if c.Size() != m.Size {
		v.fault(m.UID, fmt.Errorf("%w: content of %d octets, want %d", store.ErrCorrupt, c.Size(), m.Size))
	}
}

// counters compares what was met with the mailbox's row, unless it changed.
func (v *verifier) counters(ctx context.Context) error {
	now, err := store.MailboxByID(ctx, v.a, v.m.ID)
	if err != nil || now.HighestModSeq != v.m.HighestModSeq {
		return nil
	}
	m, s := v.m, &v.seen
	if s.Messages != m.Messages || s.Bytes != m.Bytes || s.Unseen != m.Unseen || s.Deleted != m.Deleted {
		v.fault(0, fmt.Errorf("%w: %d messages, %d unseen, %d deleted, %d octets, but the counters say %d, %d, %d, %d",
			store.ErrCorrupt, s.Messages, s.Unseen, s.Deleted, s.Bytes, m.Messages, m.Unseen, m.Deleted, m.Bytes))
	}
	if s.UIDNext > m.UIDNext || s.HighestModSeq > m.HighestModSeq {
		v.fault(0, fmt.Errorf("%w: UID or ModSeq beyond UIDNEXT %d or HIGHESTMODSEQ %d", store.ErrCorrupt, m.UIDNext, m.HighestModSeq))
	}
	return nil
}
