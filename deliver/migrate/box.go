package migrate

import (
	"context"
	"errors"
	"time"
)

// migrate does what is to be done of one mailbox, again after an error that may
// pass. It returns what ends the whole run.
func (b *box) migrate(ctx context.Context) error {
	b.tell(Event{Kind: Begun, Mailbox: b.report.Source, Target: b.report.Target, Totals: b.totals()})
	err := b.attempts(ctx)
	if cause := context.Cause(ctx); err != nil && cause != nil && !errors.Is(err, cause) {
		err = errors.Join(cause, err) // another mailbox has ended the run, by MaxBytes for instance
	}
	b.mu.Lock()
	b.report.Err = err
	b.mu.Unlock()
	switch {
	case err == nil:
	case fatal(ctx, err):
		return err
	default:
		b.log.Warn("migrate: a mailbox is not whole", "mailbox", b.report.Source, "error", err)
		b.mu.Lock()
		b.tellLocked(Event{Kind: Skipped, Mailbox: b.report.Source, Target: b.report.Target, Reason: reasonOf(err), Err: err})
		b.mu.Unlock()
	}
	b.tell(Event{Kind: Ended, Mailbox: b.report.Source, Target: b.report.Target, Totals: b.totals(), Err: err})
	return nil
}

func (b *box) totals() Totals {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.report.Totals
}

func (b *box) attempts(ctx context.Context) error {
	wait := b.o.Backoff
	for n := 1; ; n++ {
		before := b.totals()
		err := b.pass(ctx)
		if err == nil || permanent(err) || ctx.Err() != nil {
			return err
		}
		if now := b.totals(); now.Copied+now.Matched > before.Copied+before.Matched {
			n, wait = 1, b.o.Backoff // it gets on
		}
		if n >= b.o.Attempts {
			return err
		}
		b.log.Info("migrate: trying a mailbox again", "mailbox", b.report.Source, "attempt", n+1, "error", err)
		b.tell(Event{Kind: Retrying, Mailbox: b.report.Source, Target: b.report.Target, Err: err})
		if serr := sleep(ctx, wait); serr != nil {
			return errors.Join(err, serr)
		}
		wait = min(2*wait, 5*time.Minute)
		b.forget()
	}
}

// forget takes the skips of an attempt out of the totals, as the next one finds
// them again.
func (b *box) forget() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.run.report.Skipped -= b.report.Skipped
	b.run.report.Present -= b.report.Present
	b.report.Skipped, b.report.Present = 0, 0
	kept := b.run.report.Skips[:0]
	for _, s := range b.run.report.Skips {
		if s.Mailbox != b.report.Source {
			kept = append(kept, s)
		}
	}
	b.run.report.Skips = kept
}

// pass goes through the mailbox once.
func (b *box) pass(ctx context.Context) error {
	l, _, err := loadLedger(ctx, b.keep, b.o.Job, b.from.key())
	if err != nil {
		return err
	}
	p := &pass{box: b, led: l}
	p.line.work = p.carry
	if err := p.prepare(ctx); err != nil {
		return err
	}
	if !l.Match && l.Done != "" && l.Done == b.doneToken() {
		b.mu.Lock()
		b.report.Unchanged = true
		b.mu.Unlock()
		b.count(Totals{Present: max(0, b.from.Messages)})
		return nil
	}
	err = p.run(ctx)
	return errors.Join(err, p.close())
}

// prepare makes the mailbox in the target, and judges what the ledger still says
// of both sides.
func (p *pass) prepare(ctx context.Context) error {
	l := p.led
	change := false
	if p.to == nil && (l.Runs > 0 || l.Before.Runs > 0) {
		// It is gone, and what was copied with it. This is noted before there is another.
		if err := p.forgetRefs(ctx); err != nil {
			return err
		}
	}
	if err := p.put(ctx); err != nil {
		return err
	}
	if p.to != nil && (l.Runs > 0 || l.Before.Runs > 0) && l.TargetValidity != p.to.Validity {
		if err := p.forgetRefs(ctx); err != nil {
			return err
		}
		l.Match, change = p.to.Messages != 0, true
	}
	if l.Runs > 0 && l.SourceValidity != p.from.Validity {
		if l.Before.Runs == 0 {
			l.Before.Generation, l.Before.Runs = l.Generation, l.Runs
		}
		if err := p.restart(ctx); err != nil {
			return err
		}
		change = true
	}
	change = change || l.SourceValidity != p.from.Validity || p.to != nil && l.TargetValidity != p.to.Validity ||
		len(l.Path) == 0 || l.Subscribed != p.from.Subscribed || l.Role != p.from.Role
	l.SourceValidity, l.Path = p.from.Validity, p.path
	l.Subscribed, l.Role = p.from.Subscribed, p.from.Role
	if p.to != nil {
		l.TargetValidity, l.Target = p.to.Validity, p.to.key()
	}
	if err := p.enroll(ctx); err != nil {
		return err
	}
	if !change || p.o.DryRun {
		return nil
	}
	return l.saveHeader(ctx)
}

// forgetRefs drops all records: refs have no meaning any more.
func (p *pass) forgetRefs(ctx context.Context) error {
	p.led.Before.Runs = 0
	if err := p.restart(ctx); err != nil || p.o.DryRun {
		return err
	}
	return p.led.saveHeader(ctx)
}

// restart begins another generation; in a dry run it is only forgotten.
func (p *pass) restart(ctx context.Context) error {
	if p.o.DryRun {
		p.led.Generation, p.led.Runs, p.led.Done = p.led.Generation+1, 0, ""
		return nil
	}
	return p.led.restart(ctx)
}

// renumbers reports an empty mailbox, as INBOX of a new account, whose UIDVALIDITY
// has to become that of the source.
func (p *pass) renumbers() bool {
	return p.box.run.dst.Rules().KeepsUIDs && p.from.UIDValidity != 0 && p.to.UIDValidity != p.from.UIDValidity &&
		p.to.Messages == 0 && p.to.UIDNext <= 1
}

// put makes the mailbox where it is missing, and hands on roles and subscriptions
// that the source has and had not at the last pass, so that what the user has
// changed in the target stays.
func (p *pass) put(ctx context.Context) error {
	role, subscribed := p.from.Role, p.from.Subscribed
	if p.to != nil {
		if role == p.led.Role || role == p.to.Role {
			role = ""
		}
		subscribed = subscribed && !p.led.Subscribed && !p.to.Subscribed
		if role == "" && !subscribed && !p.renumbers() {
			return nil
		}
	}
	made := p.to == nil
	if p.o.DryRun {
		if made {
			p.count(Totals{Mailboxes: 1})
		}
		return nil
	}
	m, err := p.putNamed(ctx, role, subscribed)
	if made && (errors.Is(err, ErrName) || errors.Is(err, ErrRefused)) && p.plainer() {
		m, err = p.putNamed(ctx, role, subscribed)
	}
	if err != nil {
		return err
	}
	p.to = &m
	if made {
		p.count(Totals{Mailboxes: 1})
	}
	return nil
}

func (p *pass) putNamed(ctx context.Context, role string, subscribed bool) (Mailbox, error) {
	return p.box.run.dst.Put(ctx, Mailbox{
		Path: p.path, Role: role, Subscribed: subscribed,
		UIDValidity: p.from.UIDValidity, UIDNext: p.from.UIDNext,
	})
}
