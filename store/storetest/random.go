package storetest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/mailstead/mailstead/store"
)

func randomChecks() []check {
	return []check{
		{name: "RandomModel", rule: "I7, I8: after any Changes state, counters and results are what the contract says (naive model)", run: randomModel},
		{name: "RandomReplay", rule: "I8: the changes since any earlier ModSeq lead from the state then to the state now", run: randomReplay},
	}
}

// seeds of the random checks; a failure names its own.
func (e *env) seeds() []uint64 {
	if e.c.small {
		return []uint64{1}
	}
	if testing.Short() {
		return []uint64{1, 2}
	}
	return []uint64{1, 2, 3, 4, 5, 6, 7, 8}
}

// player makes random Changes and holds the store against the model.
type player struct {
	e     *env
	h     *handle
	rand  *rand.Rand
	model model
	ids   []store.MailboxID // those that are there
	last  store.ModSeq
	seed  uint64
	step  int
}

func newPlayer(e *env, seed uint64) *player {
	p := &player{e: e, seed: seed, rand: rand.New(rand.NewPCG(seed, seed)), model: model{boxes: map[store.MailboxID]*modelBox{}}}
	p.h = e.account(store.AccountID(fmt.Sprintf("player%d", seed)))
	p.know(p.h.inbox, store.Inbox)
	for _, name := range []string{"b", "c"} {
		p.know(p.h.create(name), name)
	}
	p.last = p.h.modSeq()
	return p
}

func (p *player) know(id store.MailboxID, name string) {
	p.model.boxes[id] = &modelBox{name: name, next: 1, msgs: map[store.UID]*modelMessage{}}
	p.ids = append(p.ids, id)
}

func (p *player) errorf(format string, args ...any) {
	p.e.r.Helper()
	p.e.errorf("seed %d step %d: %s", p.seed, p.step, fmt.Sprintf(format, args...))
}

func (p *player) pick() (store.MailboxID, *modelBox) {
	id := p.ids[p.rand.IntN(len(p.ids))]
	return id, p.model.boxes[id]
}

// someUIDs is a random set in and around what b has.
func (p *player) someUIDs(b *modelBox) store.UIDSet {
	var set store.UIDSet
	for range 1 + p.rand.IntN(4) {
		first := store.UID(1 + p.rand.IntN(int(b.next)+1))
		set.AddRange(first, first+store.UID(p.rand.IntN(4)))
	}
	return set
}

var someKeywords = []string{"$Junk", "$junk", "a", "A", "b", "$Forwarded"}

func (p *player) someFlags() (f store.Flags, kw []string) {
	for range p.rand.IntN(3) {
		kw = append(kw, someKeywords[p.rand.IntN(len(someKeywords))])
	}
	return store.Flags(p.rand.IntN(int(store.AllFlags) + 1)), kw
}

// play makes one random Change.
func (p *player) play() {
	p.step++
	switch n := p.rand.IntN(100); {
	case n < 30:
		p.append()
	case n < 65:
		p.setFlags()
	case n < 78:
		p.expunge()
	case n < 92:
		p.copy()
	case n < 96 && len(p.ids) < 6:
		name := fmt.Sprintf("box%d", p.step)
		p.know(p.h.create(name), name)
	default:
		p.renameOrDelete()
	}
	p.last = p.h.modSeq()
}

// changed holds the ModSeq of a Result against whether anything changed.
func (p *player) changed(r store.Result, changed bool) {
	p.e.r.Helper()
	if changed && r.ModSeq <= p.last || !changed && r.ModSeq != p.last {
		p.errorf("ModSeq %d after %d; changed: %v", r.ModSeq, p.last, changed)
	}
}

func (p *player) append() {
	id, b := p.pick()
	op := p.h.message(id, long(p.rand.IntN(50)))
	op.Flags, op.Keywords = p.someFlags()
	r := p.h.do(op)
	p.changed(r, true)
	uid := r.Ops[0].Dest.Min()
	if uid < b.next {
		p.errorf("UID %d is below UIDNEXT %d", uid, b.next)
	}
	m := &modelMessage{keywords: map[string]string{}, size: op.Size, modSeq: r.ModSeq, email: op.EmailID}
	m.apply(store.SetFlags{Flags: op.Flags, Keywords: op.Keywords})
	b.msgs[uid], b.next = m, uid+1
}

func (p *player) setFlags() {
	id, b := p.pick()
	op := store.SetFlags{Mailbox: id, UIDs: p.someUIDs(b), Mode: store.FlagsMode(p.rand.IntN(3))}
	op.Flags, op.Keywords = p.someFlags()
	if p.rand.IntN(3) == 0 {
		since := store.ModSeq(p.rand.Uint64N(uint64(p.last) + 1))
		op.UnchangedSince = &since
	}
	r := p.h.do(op)
	want := b.setFlags(op, r.ModSeq)
	p.sameResult(r.Ops[0], want)
	p.changed(r, len(want.Changed) > 0)
}

func (p *player) expunge() {
	id, b := p.pick()
	op := store.Expunge{Mailbox: id, UIDs: p.someUIDs(b), OnlyDeleted: p.rand.IntN(2) == 0}
	r := p.h.do(op)
	want := b.expunge(op)
	p.sameResult(r.Ops[0], want)
	p.changed(r, len(want.Changed) > 0)
}

func (p *player) copy() {
	id, b := p.pick()
	to, dst := p.pick()
	op := store.Copy{Source: id, UIDs: p.someUIDs(b), Dest: to, Move: p.rand.IntN(2) == 0}
	r := p.h.do(op)
	dest := slices.Collect(r.Ops[0].Dest.All())
	want := b.copy(dst, op, r.ModSeq, dest)
	if int64(len(dest)) != want.Source.Len() || len(dest) > 0 && dest[0] < dst.next {
		p.errorf("Copy of %v gave UIDs %v, UIDNEXT was %d", want.Source, dest, dst.next)
	}
	if len(dest) > 0 {
		dst.next = dest[len(dest)-1] + 1
	}
	want.Dest = r.Ops[0].Dest
	p.sameResult(r.Ops[0], want)
	p.changed(r, len(dest) > 0)
}

func (p *player) renameOrDelete() {
	i := 1 + p.rand.IntN(len(p.ids)-1)
	id := p.ids[i]
	if p.rand.IntN(2) == 0 || len(p.ids) < 3 {
		b := p.model.boxes[id]
		b.name = fmt.Sprintf("renamed%d", p.step)
		p.h.rename(id, b.name)
		return
	}
	p.h.do(store.PutMailbox{ID: id, Delete: true})
	p.ids = slices.Delete(p.ids, i, i+1)
	delete(p.model.boxes, id)
}

func (p *player) sameResult(got, want store.OpResult) {
	p.e.r.Helper()
	show := func(r store.OpResult) string {
		return fmt.Sprintf("source %v dest %v changed %v modified %v missing %v", r.Source, r.Dest, r.Changed, r.Modified, r.Missing)
	}
	if show(got) != show(want) {
		p.errorf("the result is %s\n\twant %s", show(got), show(want))
	}
}

// compare holds all mailboxes against the model.
func (p *player) compare() {
	p.e.r.Helper()
	boxes, _, err := p.h.Mailboxes(p.e.ctx, 0)
	p.e.ok("Mailboxes", err)
	if len(boxes) != len(p.ids) {
		p.errorf("%d mailboxes, want %d", len(boxes), len(p.ids))
	}
	for _, m := range boxes {
		b := p.model.boxes[m.ID]
		if b == nil || b.name != m.Name {
			p.errorf("mailbox %s should not be there", m.Name)
			continue
		}
		messages, unseen, deleted, bytes := b.counters()
		if m.Messages != messages || m.Unseen != unseen || m.Deleted != deleted || m.Bytes != bytes {
			p.errorf("%s counts %d messages, %d unseen, %d deleted, %d octets; want %d, %d, %d, %d", m.Name,
				m.Messages, m.Unseen, m.Deleted, m.Bytes, messages, unseen, deleted, bytes)
		}
		got := []string{}
		for _, msg := range p.h.query(m.ID, store.Query{Fields: store.FieldIDs}) {
			got = append(got, stateLine(msg))
		}
		p.e.sameDump(fmt.Sprintf("seed %d step %d: %s", p.seed, p.step, m.Name), got, b.lines())
	}
	p.e.sameUsage(p.h)
}

func randomModel(e *env) {
	for _, seed := range e.seeds() {
		p := newPlayer(e, seed)
		for range 150 {
			p.play()
			if p.step%5 == 0 {
				p.compare()
			}
		}
		p.compare()
	}
}
