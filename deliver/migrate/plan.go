package migrate

import (
	"context"
	"slices"
	"strconv"
	"strings"
)

// box is one mailbox on its way.
type box struct {
	*run
	from   Mailbox
	path   []string // in the target
	was    string   // its Key there, as it was; "" = not known
	to     *Mailbox // as the target has it; nil = it is to be made
	view   bool     // shows what other mailboxes have
	report *MailboxReport
	prints []Print // of what it has, where views need them (DryRun)
}

// plan lists both sides and gives every mailbox its place.
func (r *run) plan(ctx context.Context) error {
	list, err := r.src.Mailboxes(ctx)
	if err != nil {
		return err
	}
	guessRoles(list)
	there, err := r.dst.Mailboxes(ctx)
	if err != nil {
		return err
	}
	orderMailboxes(list, r.o.Views)
	for i := range list {
		m := &list[i]
		if m.NoSelect || !r.o.selected(m) {
			continue
		}
		r.boxes = append(r.boxes, &box{run: r, from: *m, view: !r.o.Views && isView(m.Role)})
	}
	if err := r.place(ctx, there); err != nil {
		return err
	}
	r.adjustRoles(there)
	r.there = there
	if err := r.loadRoster(ctx, list); err != nil {
		return err
	}
	r.report.Boxes = make([]MailboxReport, len(r.boxes))
	for i, b := range r.boxes {
		b.report = &r.report.Boxes[i]
		b.report.Source, b.report.Target = b.from.Name(), strings.Join(b.path, "/")
		r.report.Expected.Copied += max(0, b.from.Messages)
		r.report.Expected.Bytes += max(0, b.from.Bytes)
		r.report.Expected.Mailboxes++
	}
	return nil
}

// place gives paths: those of earlier passes first, so that none moves because
// another mailbox came.
func (r *run) place(ctx context.Context, there []Mailbox) error {
	p := newPlacer(r.dst.Rules())
	r.names = p
	for _, b := range r.boxes {
		l, found, err := loadLedger(ctx, r.keep, r.o.Job, b.from.key())
		if err != nil {
			return err
		}
		if found && len(l.Path) > 0 && p.claim(l.Path, b.from.key()) {
			b.path, b.was = l.Path, l.Target
		}
	}
	for _, b := range r.boxes {
		if b.path != nil {
			continue
		}
		path := b.from.Path
		if r.o.Rename != nil {
			path = r.o.Rename(b.from)
		}
		b.path = p.place(path, b.from.key())
	}
	byPath, byKey := make(map[string]*Mailbox, len(there)), make(map[string]*Mailbox, len(there))
	for i := range there {
		if m := &there[i]; !m.NoSelect {
			byPath[p.canonical(m.Path)], byKey[m.key()] = m, m
		}
	}
	for _, b := range r.boxes {
		if b.to = byKey[b.was]; b.to == nil {
			b.to = byPath[p.canonical(b.path)]
		}
	}
	return nil
}

// adjustRoles takes away the roles that the target cannot have, or has elsewhere.
func (r *run) adjustRoles(there []Mailbox) {
	allowed := r.dst.Rules().Role
	taken := make(map[string]bool)
	for _, m := range there {
		taken[m.Role] = true
	}
	for _, b := range r.boxes {
		switch {
		case b.from.Role == "" || b.to != nil && b.to.Role == b.from.Role:
		case taken[b.from.Role], allowed != nil && !allowed(b.from.Role):
			b.from.Role = ""
		default:
			taken[b.from.Role] = true
		}
	}
}

// doneToken is the State of a mailbox, with what the options say about what is
// done with it; "" = there is none.
func (b *box) doneToken() string {
	if b.from.State == "" {
		return ""
	}
	o := &b.o
	return strings.Join([]string{
		b.from.State, b.from.Validity, strconv.FormatBool(o.Remove), strconv.FormatBool(o.SkipDeleted), strconv.FormatBool(b.view),
	}, " ")
}

// skip notes what was not migrated.
func (b *box) skip(s Skip) {
	s.Mailbox = b.from.Name()
	b.mu.Lock()
	defer b.mu.Unlock()
	if s.Reason != Keyword {
		b.report.Skipped++
		b.run.report.Skipped++
	}
	if len(b.run.report.Skips) < MaxSkips {
		b.run.report.Skips = append(b.run.report.Skips, s)
	}
	b.tellLocked(Event{Kind: Skipped, Mailbox: s.Mailbox, Target: b.report.Target, ID: s.ID, Size: s.Size, Reason: s.Reason, Err: s.Err})
}

// count adds to the totals of the mailbox and of the run.
func (b *box) count(t Totals) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.report.add(t)
	b.run.report.add(t)
}

// done tells that messages were copied or matched, durably.
func (b *box) done(kind Kind, r *record) {
	t := Totals{Matched: 1}
	if kind == Copied {
		t = Totals{Copied: 1, Bytes: r.Size}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.report.add(t)
	b.run.report.add(t)
	b.tellLocked(Event{Kind: kind, Mailbox: b.report.Source, Target: b.report.Target, ID: r.ID, Size: r.Size})
}

// viewPrints are the Prints of what ordinary mailboxes have, sorted.
type viewPrints struct{ list []Print }

func (v *viewPrints) load(ctx context.Context, boxes []*box) error {
	for _, b := range boxes {
		v.list = append(v.list, b.prints...)
		b.prints = nil
		l, _, err := loadLedger(ctx, b.keep, b.o.Job, b.from.key())
		if err != nil {
			return err
		}
		for e, err := range l.all(ctx) {
			if err != nil {
				return err
			}
			v.list = append(v.list, e.Print)
		}
	}
	slices.Sort(v.list)
	v.list = slices.Compact(v.list)
	return nil
}

func (v *viewPrints) has(p Print) bool {
	_, ok := slices.BinarySearch(v.list, p)
	return p != 0 && ok
}
