package sqlqueue

import (
	"context"

	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/store/sqldb"
)

// editPage is how many jobs one commit edits.
const editPage = 100

// Edit implements queue.Storage. Many jobs are edited in several commits.
func (s *Storage) Edit(ctx context.Context, f queue.Filter, e queue.Edit) (int, error) {
	total := 0
	var ids []string
	limit := f.Limit
	f.Limit = 0
	flush := func() error {
		ed := &editing{s: s, f: f, e: e, ids: ids}
		if len(ids) == 0 {
			return nil
		}
		err := s.commit(ctx, ids[0], len(ids), ed.do)
		if err == nil {
			total += ed.done
		}
		ids = nil
		return err
	}
	for j, err := range s.List(ctx, f) {
		if err != nil {
			return total, err
		}
		if limit > 0 && total+len(ids) >= limit {
			break
		}
		if ids = append(ids, j.ID); len(ids) == editPage {
			if err := flush(); err != nil {
				return total, err
			}
		}
	}
	return total, flush()
}

// editing is the Work of one commit of an Edit.
type editing struct {
	s    *Storage
	f    queue.Filter
	e    queue.Edit
	ids  []string
	done int // of the latest run of do

	marked []string        // in leases.editing
	leased []*lease        // that got the edit
	lanes  map[string]lane // of jobs that were changed
}

func (ed *editing) do(tx *sqldb.Tx) error {
	ed.done, ed.lanes = 0, make(map[string]lane)
	ed.mark()
	tx.OnRollback(ed.undo)
	b := ed.s.batch(tx)
	for _, id := range ed.ids {
		ok, err := ed.edit(b, id)
		if err != nil {
			ed.undo()
			return err
		}
		if ok {
			ed.done++
		}
	}
	tx.AfterCommit(ed.end)
	return nil
}

// edit changes one job, if it is still there and selected.
func (ed *editing) edit(b *batch, id string) (bool, error) {
	c, ok, err := b.load(id)
	if err != nil || !ok {
		return false, err
	}
	j, damage := ed.s.job(&c)
	if !ed.f.Match(j) {
		return false, nil
	}
	if ed.e.Drop {
		ed.remember(id)
		return true, b.forget(&c)
	}
	if damage != nil {
		return false, nil // I3
	}
	ed.remember(id)
	ed.e.Apply(j)
	ed.lanes[id] = lane{ed.s.text(j.Destination), j.Rank()}
	if err := b.replace(&c, j); err != nil || ed.s.nodes == nil {
		return true, err
	}
	return true, ed.s.nodes.noteEdit(b.tx, &c, &ed.e)
}

// mark keeps the jobs from being leased until the commit.
func (ed *editing) mark() {
	l := &ed.s.leases
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, id := range ed.ids {
		l.editing[id]++
	}
	ed.marked, ed.leased = ed.ids, nil
}

// remember gives the edit to the lease on the job, whose outcome it wins over.
func (ed *editing) remember(id string) {
	l := &ed.s.leases
	l.mu.Lock()
	defer l.mu.Unlock()
	if x := l.jobs[id]; x != nil {
		x.edits = append(x.edits, ed.e)
		ed.leased = append(ed.leased, x)
	}
}

func (ed *editing) undo() {
	l := &ed.s.leases
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, x := range ed.leased {
		x.edits = x.edits[:len(x.edits)-1]
	}
	ed.leased = nil
	ed.unmarkLocked()
}

func (ed *editing) end() {
	l := &ed.s.leases
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, id := range ed.marked {
		l.changedLocked(id)
	}
	for _, x := range ed.leased {
		if to, ok := ed.lanes[x.job]; ok && l.jobs[x.job] == x {
			l.moveLocked(x, to)
		}
	}
	ed.unmarkLocked()
}

func (ed *editing) unmarkLocked() {
	l := &ed.s.leases
	for _, id := range ed.marked {
		if l.editing[id]--; l.editing[id] == 0 {
			delete(l.editing, id)
		}
	}
	ed.marked = nil
}
