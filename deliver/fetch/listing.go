package fetch

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// maxItems bounds a listing: memory is about 300 octets a message.
const maxItems = 1_000_000

// maxID is the most octets of Record.ID.
const maxID = 64

// errItems: the server lists more than anybody could have.
var errItems = errors.New("fetch: the server lists too many messages")

// listed is one message on the server, and what is remembered of it.
type listed struct {
	Item
	id    string  // of the records
	rec   *Record // nil = nothing
	group string  // of messages that only their headers tell apart; "" = none
	fresh bool    // fetched, or compared, in this session: what is there is what is known
}

// done reports that all recipients have it.
func (l *listed) done() bool {
	return l.rec != nil && l.rec.Kind == KindMessage && !l.rec.Fetched.IsZero()
}

// shortID is an ID that fits into a record.
func shortID(id string) string {
	if len(id) < maxID && !strings.ContainsFunc(id, func(c rune) bool { return c < ' ' || c > '~' }) {
		return "=" + id
	}
	sum := sha256.Sum256([]byte(id))
	return "#" + hex.EncodeToString(sum[:24])
}

// list reads what the server has, and what is remembered of it.
func (p *pass) list() error {
	if err := p.loadRecords(); err != nil {
		return err
	}
	ids := make(map[string]int)
	for it, err := range p.ses.List(p.ctx) {
		if err != nil {
			return err
		}
		if len(p.items) >= maxItems {
			return errItems
		}
		p.touch()
		p.items = append(p.items, listed{Item: it})
		if it.ID != "" {
			ids[it.ID]++
		}
	}
	groups := make(map[string]int)
	for i := range p.items {
		l := &p.items[i]
		if l.ID != "" && ids[l.ID] == 1 {
			l.id = shortID(l.ID)
		} else if err := p.nameByHead(l, groups); err != nil {
			return err
		}
	}
	if err := p.takeMarks(); err != nil {
		return err
	}
	for i := range p.items {
		l := &p.items[i]
		l.rec = p.known[Key{KindMessage, l.id}]
		if l.rec == nil {
			l.rec = p.known[Key{KindSkipped, l.id}]
		}
	}
	if err := p.follow(); err != nil {
		return err
	}
	return p.noteMissing()
}

func (p *pass) loadRecords() error {
	p.known = make(map[Key]*Record)
	for r, err := range p.c.State.Records(p.ctx, p.s.Name) {
		if err != nil {
			return err
		}
		p.known[r.Key] = &r
	}
	return nil
}

// nameByHead gives a message without an ID one of its header and size. Those that
// are alike in both are numbered.
func (p *pass) nameByHead(l *listed, groups map[string]int) error {
	head, err := p.ses.Head(p.ctx, &l.Item)
	if errors.Is(err, ErrGone) {
		err = nil // the name is of no use then
	}
	if err != nil {
		return err
	}
	p.touch()
	print := printOf(head)
	l.group = fmt.Sprintf("h%x.%d", print[:], l.Size)
	groups[l.group]++
	l.id = fmt.Sprintf("%s.%d", l.group, groups[l.group])
	l.fresh = true
	return nil
}

// follow finds messages under new IDs whose folder has another generation than
// before, by their headers.
func (p *pass) follow() error {
	changed := make(map[string]string)
	for i := range p.items {
		l := &p.items[i]
		if l.Generation == "" {
			continue
		}
		if r := p.known[Key{KindFolder, shortID(l.Folder)}]; r == nil || r.Generation != l.Generation {
			changed[l.Folder] = l.Generation
		}
	}
	if len(changed) == 0 {
		return nil
	}
	lost := p.unlisted()
	for i := range p.items {
		l := &p.items[i]
		if changed[l.Folder] == "" || l.rec != nil || len(lost) == 0 {
			continue
		}
		if err := p.followOne(l, lost); err != nil {
			return err
		}
	}
	var records []Record
	for folder, generation := range changed {
		records = append(records, Record{Key: Key{KindFolder, shortID(folder)}, Generation: generation})
	}
	return p.put(records...)
}

// unlisted are the records whose messages the server does not list, by
// fingerprint.
func (p *pass) unlisted() map[Print][]*Record {
	here := make(map[string]bool, len(p.items))
	for i := range p.items {
		here[p.items[i].id] = true
	}
	lost := make(map[Print][]*Record)
	for k, r := range p.known {
		if k.Kind == KindMessage && !here[k.ID] && r.Print != (Print{}) {
			lost[r.Print] = append(lost[r.Print], r)
		}
	}
	return lost
}

func (p *pass) followOne(l *listed, lost map[Print][]*Record) error {
	head, err := p.ses.Head(p.ctx, &l.Item)
	if errors.Is(err, ErrGone) {
		return nil
	}
	if err != nil {
		return err
	}
	p.touch()
	print := printOf(head)
	i := slices.IndexFunc(lost[print], func(r *Record) bool { return r.Size < 0 || l.Size < 0 || r.Size == l.Size })
	if i < 0 {
		return nil
	}
	old := lost[print][i]
	lost[print] = slices.Delete(lost[print], i, i+1)
	r := *old
	r.ID, r.Missing = l.id, time.Time{}
	if err := p.put(r); err != nil {
		return err
	}
	l.rec, l.fresh = p.known[r.Key], true
	return p.remove(old.Key)
}

// noteMissing marks the records of messages that are not there any more, takes the
// mark from those that are back, and forgets what has been away for long.
func (p *pass) noteMissing() error {
	here := make(map[string]bool, len(p.items))
	for i := range p.items {
		here[p.items[i].id] = true
	}
	now := p.c.now()
	var write []Record
	var forget []Key
	for k, r := range p.known {
		switch {
		case k.Kind == KindFolder:
		case k.Kind == KindCopy:
			if now.Sub(r.Fetched) > p.c.forget() {
				forget = append(forget, k)
			}
		case here[k.ID] && !r.Missing.IsZero():
			back := *r
			back.Missing = time.Time{}
			write = append(write, back)
		case !here[k.ID] && r.Missing.IsZero():
			away := *r
			away.Missing = now
			write = append(write, away)
		case !here[k.ID] && now.Sub(r.Missing) > p.c.forget():
			forget = append(forget, k)
		}
	}
	if err := p.put(write...); err != nil {
		return err
	}
	return p.remove(forget...)
}

// put writes records, and knows them; remove forgets them.
func (p *pass) put(records ...Record) error {
	ctx := context.WithoutCancel(p.ctx)
	for chunk := range slices.Chunk(records, MaxPut) {
		if err := p.c.State.Put(ctx, p.s.Name, chunk...); err != nil {
			return err
		}
		for _, r := range chunk {
			if k := p.known[r.Key]; k != nil {
				*k = r
			} else {
				p.known[r.Key] = &r
			}
		}
	}
	return nil
}

func (p *pass) remove(keys ...Key) error {
	ctx := context.WithoutCancel(p.ctx)
	for chunk := range slices.Chunk(keys, MaxPut) {
		if err := p.c.State.Remove(ctx, p.s.Name, chunk...); err != nil {
			return err
		}
		for _, k := range chunk {
			delete(p.known, k)
		}
	}
	return nil
}
