package storetest

import (
	"fmt"

	"github.com/mailstead/mailstead/store"
)

// replica is a reader's copy of an account at one ModSeq, kept up by deltas.
type replica struct {
	at    store.ModSeq
	boxes map[store.MailboxID]store.Mailbox
	msgs  map[store.MailboxID]map[store.UID]string
}

func (p *player) replica() *replica {
	r := &replica{boxes: map[store.MailboxID]store.Mailbox{}, msgs: map[store.MailboxID]map[store.UID]string{}}
	r.catchUp(p)
	return r
}

// catchUp reads what changed since r.at, or all when that is zero.
func (r *replica) catchUp(p *player) {
	list, now, err := p.h.Mailboxes(p.e.ctx, r.at)
	p.e.ok("Mailboxes", err)
	for _, m := range list {
		if m.Gone {
			delete(r.boxes, m.ID)
			delete(r.msgs, m.ID)
			continue
		}
		r.boxes[m.ID] = m
		if r.msgs[m.ID] == nil {
			r.msgs[m.ID] = map[store.UID]string{}
		}
		for _, msg := range p.h.query(m.ID, store.Query{Since: r.at, Fields: store.FieldIDs}) {
			if msg.Gone {
				delete(r.msgs[m.ID], msg.UID)
			} else {
				r.msgs[m.ID][msg.UID] = stateLine(msg)
			}
		}
	}
	r.at = now
}

func (r *replica) lines() []string {
	var out []string
	for id, m := range r.boxes {
		m.RecentFrom = 0
		out = append(out, fmt.Sprintf("%+v", m))
		for _, l := range r.msgs[id] {
			out = append(out, m.Name+" "+l)
		}
	}
	return out
}

// randomReplay keeps a replica of every step, and at the end brings each up to
// date by one delta.
func randomReplay(e *env) {
	for _, seed := range e.seeds() {
		p := newPlayer(e, seed+100)
		var old []*replica
		for range 100 {
			old = append(old, p.replica())
			p.play()
		}
		want := set(p.replica().lines())
		for _, r := range old {
			from := r.at
			r.catchUp(p)
			e.sameSet(fmt.Sprintf("seed %d: the state replayed from ModSeq %d to %d", p.seed, from, r.at), set(r.lines()), want)
		}
	}
}

func set(lines []string) map[string]bool {
	m := make(map[string]bool, len(lines))
	for _, l := range lines {
		m[l] = true
	}
	return m
}

func (e *env) sameSet(what string, got, want map[string]bool) {
	e.r.Helper()
	for l := range want {
		if !got[l] {
			e.errorf("%s lacks: %s", what, l)
			return
		}
	}
	for l := range got {
		if !want[l] {
			e.errorf("%s has too much: %s", what, l)
			return
		}
	}
}
