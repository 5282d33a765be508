package migrate

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/mailstead/mailstead/store"
)

// Gone is a mailbox that an earlier pass has migrated and the source has no more: it
// was deleted there, or renamed. Where Mailbox.Key outlives a rename, as in a store,
// the mailbox is known and goes on into the same one of the target; elsewhere it
// is migrated anew under its new name.
type Gone struct {
	Source, Target string // names, levels joined by "/"
	Removed, Kept  int64  // messages in the target, with Options.Remove
}

// rosterPrefix is in front of the keys of the mailboxes that a job has migrated.
func rosterPrefix(job string) string { return jobKey(job) + "/boxes/" }

// enroll notes that the job migrates a mailbox, so that it is missed when it is gone.
func (b *box) enroll(ctx context.Context) error {
	key := b.from.key()
	if b.roster[hexHash(key)] || b.o.DryRun {
		return nil
	}
	value, err := json.Marshal(enrolled{key, b.from.Name()})
	if err != nil {
		return err
	}
	return b.keep.Save(ctx, []Note{{Key: rosterPrefix(b.o.Job) + hexHash(key), Value: value}})
}

// enrolled is a mailbox of the source that is migrated.
type enrolled struct {
	Key  string `json:"key"`
	Name string `json:"name"`
}

// loadRoster reads what was enrolled, and finds what the source has no more of it.
func (r *run) loadRoster(ctx context.Context, list []Mailbox) error {
	there := make(map[string]bool, len(list))
	for i := range list {
		there[list[i].key()] = !list[i].NoSelect
	}
	r.roster = make(map[string]bool)
	known := false
	prefix := rosterPrefix(r.o.Job)
	for n, err := range r.keep.Load(ctx, prefix) {
		if err != nil {
			return err
		}
		var e enrolled
		if err := json.Unmarshal(n.Value, &e); err != nil {
			return fmt.Errorf("%w: the list of mailboxes: %w", ErrState, err)
		}
		r.roster[strings.TrimPrefix(n.Key, prefix)] = true
		if there[e.Key] {
			known = true
		} else {
			r.missing = append(r.missing, e)
		}
	}
	if !known { // a source that lists nothing that it had is not to be believed
		r.missing = nil
	}
	return nil
}

// goneBoxes reports the mailboxes that are gone, and empties them in the target of
// what was migrated where Options.Remove says so. All else was migrated by then, so
// that what was moved is there. The mailboxes stay: mail may be on its way to them.
func (r *run) goneBoxes(ctx context.Context, there []Mailbox) error {
	for _, e := range r.missing {
		l, found, err := loadLedger(ctx, r.keep, r.o.Job, e.Key)
		if err != nil || !found {
			if err != nil {
				return err
			}
			continue
		}
		g := Gone{Source: e.Name, Target: strings.Join(l.Path, "/")}
		if i := slices.IndexFunc(there, func(m Mailbox) bool { return !m.NoSelect && m.key() == l.Target }); i >= 0 && r.o.Remove && !r.shared(l.Target) {
			if err := r.empty(ctx, l, &there[i], &g); err != nil {
				return err
			}
		}
		r.mu.Lock()
		r.report.Gone = append(r.report.Gone, g)
		r.tellLocked(Event{Kind: WentAway, Mailbox: g.Source, Target: g.Target, Totals: Totals{Removed: g.Removed, Kept: g.Kept}})
		r.mu.Unlock()
	}
	return nil
}

// shared: another mailbox of the source goes there now.
func (r *run) shared(target string) bool {
	return slices.ContainsFunc(r.boxes, func(b *box) bool { return b.to != nil && b.to.key() == target })
}

// empty removes from a mailbox what was migrated into it.
func (r *run) empty(ctx context.Context, l *ledger, to *Mailbox, g *Gone) error {
	if l.TargetValidity != to.Validity || l.Before.Runs > 0 {
		return nil
	}
	report := &MailboxReport{Source: g.Source, Target: g.Target}
	p := &pass{box: &box{run: r, from: Mailbox{Path: l.Path, Key: l.Source}, path: l.Path, to: to, report: report}, led: l}
	p.line.work = p.carry
	err := p.emptied(ctx)
	err = errors.Join(err, p.close())
	g.Removed, g.Kept = report.Removed, report.Kept
	return err
}

func (p *pass) emptied(ctx context.Context) error {
	if err := p.settleRefs(ctx); err != nil {
		return err
	}
	for e, err := range p.led.all(ctx) {
		if err != nil {
			return err
		}
		if err := p.vanished(ctx, e); err != nil {
			return err
		}
	}
	return p.flushChanges(ctx)
}

// standing is how a message of the target is: hashes of its ref, and of its flags
// and keywords.
type standing struct{ ref, state uint64 }

func stateHash(flags store.Flags, keywords []string) uint64 {
	list := make([]string, len(keywords))
	for i, k := range keywords {
		list[i] = strings.ToLower(k)
	}
	slices.Sort(list)
	return hashRef(fmt.Sprintf("%d %s", flags, strings.Join(list, " ")))
}

// untouched reports whether a message is in the target as the last pass left it.
// What somebody has changed there since is not removed.
func (p *pass) untouched(ctx context.Context, r *record) (bool, error) {
	if p.standing == nil {
		if err := p.loadStanding(ctx); err != nil {
			return false, err
		}
	}
	i, found := slices.BinarySearchFunc(p.standing, hashRef(r.Ref), func(s standing, ref uint64) int { return cmp.Compare(s.ref, ref) })
	return !found || p.standing[i].state == stateHash(r.Flags, r.Keywords), nil
}

func (p *pass) loadStanding(ctx context.Context) error {
	p.standing = []standing{}
	if p.to == nil {
		return nil
	}
	r, err := p.box.run.dst.Open(ctx, p.to)
	if err != nil {
		return err
	}
	defer r.Close()
	for m, err := range r.List(ctx, false) {
		if err != nil {
			return err
		}
		p.standing = append(p.standing, standing{hashRef(m.ID), stateHash(m.Flags, m.Keywords)})
	}
	slices.SortFunc(p.standing, func(a, b standing) int { return cmp.Compare(a.ref, b.ref) })
	return nil
}
