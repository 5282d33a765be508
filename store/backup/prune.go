package backup

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/backup/format"
)

// Keep says which backups stay. A backup stays when one of the fields says so;
// the newest always does. The zero value is refused.
type Keep struct {
	Last   int           // so many of the newest
	Within time.Duration // those that began less than this ago
	DryRun bool          // remove nothing
}

// PruneReport is what was removed, or with DryRun would be.
type PruneReport struct {
	Kept     []string // ids
	Removed  []string
	Objects  int   // that were removed, beside manifests
	Bytes    int64 // octets of these
	Repacked int64 // bodies that moved into another pack
}

// sparse: a pack is rewritten when less than one in so many octets is needed.
const sparse = 2

// Prune removes backups and what no other one needs: what a backup that stays
// builds on stays too, so no chain is broken. Packs in which little is needed
// are written anew. A crash at any moment leaves every backup that stays whole,
// and the next Prune does the rest. It refuses with ErrDamaged when a backup
// that stays cannot be read. store.ErrInUse: see Backup.
func (a *Archive) Prune(ctx context.Context, k Keep) (*PruneReport, error) {
	if k.Last <= 0 && k.Within <= 0 {
		return nil, fmt.Errorf("%w: nothing says what to keep", store.ErrInvalid)
	}
	lock, err := a.Target.Lock(ctx)
	if err != nil {
		return nil, err
	}
	defer lock.Close()
	p := &pruner{Archive: a, k: k, limits: a.Limits.WithDefaults(), needed: make(map[string]bool)}
	if p.c, err = format.NewCodec(); err != nil {
		return nil, err
	}
	defer p.c.Close()
	if err := p.choose(ctx); err != nil {
		return nil, err
	}
	if err := p.mark(ctx); err != nil {
		return nil, err
	}
	defer p.bodies.Close()
	if k.DryRun {
		return &p.report, p.remove(ctx)
	}
	for _, id := range p.report.Removed {
		if err := a.Target.Remove(ctx, format.ManifestName(id)); err != nil {
			return nil, err
		}
	}
	if err := p.repack(ctx); err != nil {
		return nil, err
	}
	return &p.report, p.remove(ctx)
}

// pruner is one Prune.
type pruner struct {
	*Archive
	k      Keep
	limits Limits
	c      *format.Codec
	kept   []*Manifest
	bodies *format.Bodies
	used   []bool // by place in bodies.table
	needed map[string]bool
	report PruneReport
}

// choose reads the manifests that stay.
func (p *pruner) choose(ctx context.Context) error {
	ids, err := p.IDs(ctx)
	if err != nil {
		return err
	}
	for i, id := range ids {
		if len(ids)-i > max(p.k.Last, 1) && !p.young(id) {
			p.report.Removed = append(p.report.Removed, id)
			continue
		}
		m, err := p.Manifest(ctx, id)
		if err != nil {
			return err
		}
		p.kept = append(p.kept, m)
		p.report.Kept = append(p.report.Kept, id)
	}
	return nil
}

// young goes by the time in the id, which is that of Manifest.Started.
func (p *pruner) young(id string) bool {
	began, err := time.Parse("20060102t150405z", id[9:])
	return err == nil && time.Since(began) < p.k.Within
}

// mark finds the logs and bodies that are needed, and the packs that these lie
// in.
func (p *pruner) mark(ctx context.Context) (err error) {
	var packs []Object
	for _, m := range p.kept {
		for _, o := range m.Packs {
			if !slices.Contains(packs, o) {
				packs = append(packs, o)
			}
		}
	}
	if p.bodies, err = p.openBodies(ctx, p.c, packs, strict); err != nil {
		return err
	}
	p.used = make([]bool, len(p.bodies.Table))
	for _, m := range p.kept {
		for i := range m.Accounts {
			if err := p.chain(ctx, &m.Accounts[i].Log); err != nil {
				return err
			}
		}
	}
	for i, k := range p.bodies.Table {
		if p.used[i] {
			p.needed[p.bodies.Packs[k.Pack].Name] = true
		}
	}
	return nil
}

// chain marks a log and those that it builds on.
func (p *pruner) chain(ctx context.Context, l *Log) error {
	for n := 0; l != nil && !p.needed[l.Rows.Name]; n++ {
		if n == p.limits.Chain {
			return &Problem{Object: l.Rows.Name, Err: fmt.Errorf("%w: a chain of more than %d backups", ErrLimit, n)}
		}
		p.needed[l.Rows.Name] = true
		r, err := format.OpenLog(ctx, p.Target, l.Rows.Name, p.c, p.limits.Index)
		if err != nil {
			return err
		}
		parent := r.Meta.Parent
		r.Close()
		if l.Bodies != nil {
			p.needed[l.Bodies.Name] = true
			if err := p.names(ctx, l.Bodies.Name); err != nil {
				return err
			}
		}
		l = parent
	}
	return nil
}

// names marks the bodies that a log names.
func (p *pruner) names(ctx context.Context, name string) error {
	l, err := format.OpenLog(ctx, p.Target, name, p.c, p.limits.Index)
	if err != nil {
		return err
	}
	defer l.Close()
	for part := range l.Parts {
		for _, x := range l.Ordered(part) {
			c := l.Section(part, x.Mailbox)
			for err := range c.All() {
				if err != nil {
					return err
				}
				if !c.Row.HasBody {
					continue
				}
				_, at, ok, err := p.bodies.Lookup(ctx, c.Row.Body)
				if err != nil {
					return err
				}
				if ok {
					p.used[at] = true
				}
			}
		}
	}
	return nil
}

// repack copies what is needed of packs that are mostly not, and lets the
// manifests name the packs that are needed and no others.
func (p *pruner) repack(ctx context.Context) error {
	live, all := make([]int64, len(p.bodies.Packs)), make([]int64, len(p.bodies.Packs))
	for i, k := range p.bodies.Table {
		e, err := p.bodies.Entry(ctx, int(k.Pack), int(k.Entry))
		if err != nil {
			return err
		}
		all[k.Pack] += e.Stored
		if p.used[i] {
			live[k.Pack] += e.Stored
		}
	}
	thin := func(pack uint32) bool { return live[pack] > 0 && live[pack] < all[pack]/sparse }
	w := &repacker{pruner: p}
	defer w.abort()
	for i, k := range p.bodies.Table {
		if !p.used[i] || !thin(k.Pack) {
			continue
		}
		if err := w.copy(ctx, int(k.Pack), int(k.Entry)); err != nil {
			return err
		}
	}
	added, err := w.end(ctx)
	if err != nil {
		return err
	}
	for i := range p.bodies.Packs {
		if thin(uint32(i)) {
			delete(p.needed, p.bodies.Packs[i].Name)
		}
	}
	return p.rewrite(ctx, added)
}

// rewrite replaces manifests whose list of packs has changed.
func (p *pruner) rewrite(ctx context.Context, added []Object) error {
	for _, o := range added {
		p.needed[o.Name] = true
	}
	for _, m := range p.kept {
		before := len(m.Packs)
		m.Packs = slices.DeleteFunc(m.Packs, func(o Object) bool { return !p.needed[o.Name] })
		if len(m.Packs) == before && len(added) == 0 {
			continue
		}
		m.Packs = append(m.Packs, added...)
		if err := format.WriteHeaded(ctx, p.Target, format.ManifestName(m.ID), m); err != nil {
			return err
		}
	}
	return nil
}

// remove removes what is not needed; what belongs to an interrupted backup
// that may be gone on with stays.
func (p *pruner) remove(ctx context.Context) error {
	runs, err := p.ids(ctx, format.RunsAt)
	if err != nil {
		return err
	}
	var gone []Info
	for info, err := range p.Target.List(ctx, "") {
		if err != nil {
			return err
		}
		of := func(id string) bool { return strings.Contains(info.Name, "/"+id) }
		if p.needed[info.Name] || strings.HasPrefix(info.Name, format.RunsAt) || strings.HasPrefix(info.Name, format.ManifestsAt) || slices.ContainsFunc(runs, of) {
			continue
		}
		gone = append(gone, info)
	}
	for _, info := range gone {
		if !p.k.DryRun {
			if err := p.Target.Remove(ctx, info.Name); err != nil {
				return err
			}
		}
		p.report.Objects++
		p.report.Bytes += info.Size
	}
	return nil
}

// repacker writes bodies into new packs, as they are packed.
type repacker struct {
	*pruner
	w    *format.PackWriter
	n    int
	done []Object
}

func (w *repacker) copy(ctx context.Context, pack, entry int) (err error) {
	e, err := w.bodies.Entry(ctx, pack, entry)
	if err != nil {
		return err
	}
	if w.w == nil {
		w.n++
		id := w.kept[len(w.kept)-1].ID
		name := fmt.Sprintf("%s%s-%s/%08d%s", format.PacksAt, id, time.Now().UTC().Format("20060102t150405z"), w.n, packSuffix)
		if w.w, err = format.NewPackWriter(ctx, w.Target, name, w.c); err != nil {
			return err
		}
	}
	if err := w.w.Raw(ctx, w.bodies, e, pack); err != nil {
		return err
	}
	w.report.Repacked++
	if w.w.Written() < packSize {
		return nil
	}
	return w.commit(ctx)
}

func (w *repacker) commit(ctx context.Context) error {
	o, err := w.w.Commit(ctx)
	if err != nil {
		return err
	}
	w.w = nil
	w.done = append(w.done, o)
	return nil
}

func (w *repacker) end(ctx context.Context) ([]Object, error) {
	if w.w != nil {
		if err := w.commit(ctx); err != nil {
			return nil, err
		}
	}
	return w.done, nil
}

func (w *repacker) abort() {
	if w.w != nil {
		w.w.Abort()
	}
}
