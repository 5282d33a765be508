package view

import (
	"bytes"
	"slices"
	"sync"

	"github.com/mailstead/mailstead/store"
)

const (
	textSpan      = 512     // UIDs that a block is for
	maxText       = 2 << 10 // octets; a longer text is not kept
	textBlockSize = 160     // octets of a block beside its arrays
	textsSize     = 256     // octets of an empty Texts
	textsShare    = 4       // one Texts takes at most this part of Options.MaxBytes
)

// Texts keeps one text of each message of a mailbox that somebody had to read
// it from the store for: what of a message never changes, and is looked into
// again. It costs 6 octets a message and its text. What is not kept is unknown,
// which costs time and nothing else. It is safe for concurrent use; searches see
// blocks that never change.
type Texts struct {
	key  textsKey
	slot slot

	mu     sync.Mutex
	blocks []*textBlock // in ascending order
	n      int          // texts
	bytes  int64
}

// textsKey names a Texts within its account.
type textsKey struct {
	mailbox  store.MailboxID
	validity store.UIDValidity
	kind     uint8
}

// textBlock holds the texts of UIDs textSpan*number and following. It never
// changes.
type textBlock struct {
	number uint32
	uids   []uint16 // ascending, less the first of the block
	ends   []uint32 // where the text of each ends
	text   []byte   // one behind the other
}

func (b *textBlock) uid(i int) store.UID {
	return store.UID(b.number)*textSpan + store.UID(b.uids[i])
}

func (b *textBlock) at(i int) []byte {
	if i == 0 {
		return b.text[:b.ends[0]]
	}
	return b.text[b.ends[i-1]:b.ends[i]]
}

func (b *textBlock) add(uid store.UID, text []byte) {
	b.uids = append(b.uids, uint16(uid%textSpan))
	b.text = append(b.text, text...)
	b.ends = append(b.ends, uint32(len(b.text)))
}

func (b *textBlock) bytes() int64 {
	return textBlockSize + 2*int64(cap(b.uids)) + 4*int64(cap(b.ends)) + int64(cap(b.text))
}

// Texts returns the texts of one kind that are kept of a mailbox; what a kind
// is, is up to the callers, who all put and look for the same. Nil: the State
// known has no such mailbox.
func (a *Account) Texts(id store.MailboxID, kind uint8) *Texts {
	a.mu.Lock()
	var m *store.Mailbox
	if a.state != nil {
		m = a.state.Mailbox(id)
	}
	if m == nil {
		a.mu.Unlock()
		return nil
	}
	key := textsKey{id, m.UIDValidity, kind}
	t := a.texts[key]
	if t != nil {
		a.mu.Unlock()
		a.views.touch(&t.slot)
		return t
	}
	t = &Texts{key: key, bytes: textsSize}
	t.slot = slot{account: a, mailbox: id, texts: t}
	if a.texts == nil {
		a.texts = make(map[textsKey]*Texts)
	}
	a.texts[key] = t
	a.mu.Unlock()
	empty(a.views.use(&t.slot, textsSize))
	return t
}

// dropTexts forgets the texts of a mailbox.
func (a *Account) dropTexts(of func(store.MailboxID) bool) {
	var out []*Texts
	a.mu.Lock()
	for key, t := range a.texts {
		if of(key.mailbox) {
			delete(a.texts, key)
			out = append(out, t)
		}
	}
	a.mu.Unlock()
	for _, t := range out {
		a.views.forget(&t.slot)
	}
}

// Containing tells which messages of uids have a text with needle in it.
func (t *Texts) Containing(needle []byte, uids store.UIDSet) store.SearchHits {
	contains := func(text []byte) bool { return bytes.Contains(text, needle) }
	return t.match(uids, func(b *textBlock) func([]byte) bool {
		if contains(b.text) {
			return contains
		}
		return nil
	})
}

// Matching tells for which messages of uids the text is one that match wants.
func (t *Texts) Matching(match func(text []byte) bool, uids store.UIDSet) store.SearchHits {
	return t.match(uids, func(*textBlock) func([]byte) bool { return match })
}

// match asks about each block, then about the texts in it where there is a
// function for them: nil = none matches.
func (t *Texts) match(uids store.UIDSet, of func(*textBlock) func([]byte) bool) store.SearchHits {
	t.mu.Lock()
	blocks := t.blocks
	t.mu.Unlock()
	var known, match store.UIDSet
	for at := 0; len(blocks) > 0 && at < len(uids); blocks = blocks[1:] {
		b := blocks[0]
		if uids[at].First > b.uid(len(b.uids)-1) {
			continue
		}
		matches := of(b)
		for i := range b.uids {
			uid := b.uid(i)
			for at < len(uids) && uids[at].Last < uid {
				at++
			}
			if at == len(uids) {
				break
			}
			if uid < uids[at].First {
				continue
			}
			known = extend(known, uid)
			if matches != nil && matches(b.at(i)) {
				match = extend(match, uid)
			}
		}
	}
	return store.SearchHits{Match: match, Unknown: uids.Minus(known)}
}

// extend adds a UID behind all of a set.
func extend(s store.UIDSet, uid store.UID) store.UIDSet {
	if n := len(s); n > 0 && s[n-1].Last+1 == uid {
		s[n-1].Last = uid
		return s
	}
	return append(s, store.UIDRange{First: uid, Last: uid})
}

// TextWriter puts texts of messages into a Texts; the zero value with To is
// ready. It is not safe for concurrent use.
type TextWriter struct {
	To *Texts

	b textBlock
}

// Add takes the text of a message, which is copied. Messages come in ascending
// order of UID; one that does not is left out.
func (w *TextWriter) Add(uid store.UID, text []byte) {
	number := uint32(uid / textSpan)
	if n := len(w.b.uids); n > 0 && number != w.b.number {
		w.Flush()
	} else if n > 0 && w.b.uid(n-1) >= uid {
		return
	}
	if len(text) <= maxText {
		w.b.number = number
		w.b.add(uid, text)
	}
}

// Flush puts what was added where searches find it.
func (w *TextWriter) Flush() {
	if len(w.b.uids) > 0 {
		w.To.put(&w.b)
		w.b = textBlock{uids: w.b.uids[:0], ends: w.b.ends[:0], text: w.b.text[:0]}
	}
}

// put takes in a block, unless there is no room, or t was put out meanwhile. It
// copies what it keeps.
func (t *Texts) put(add *textBlock) {
	views := t.slot.account.views
	t.mu.Lock()
	if views.max >= 0 && t.bytes+add.bytes() > views.max/textsShare {
		t.mu.Unlock()
		return
	}
	i, ok := slices.BinarySearchFunc(t.blocks, add.number, func(b *textBlock, n uint32) int { return int(int64(b.number) - int64(n)) })
	old := &textBlock{}
	n, bytes := t.n, t.bytes
	if ok {
		old = t.blocks[i]
		n -= len(old.uids)
		bytes -= old.bytes()
	}
	next := merge(old, add)
	n += len(next.uids)
	bytes += next.bytes()
	out, ok := views.grow(&t.slot, bytes)
	if ok {
		t.n, t.bytes = n, bytes
		t.blocks = slices.Clone(t.blocks)
		if len(old.uids) > 0 {
			t.blocks[i] = next
		} else {
			t.blocks = slices.Insert(t.blocks, i, next)
		}
	}
	t.mu.Unlock()
	empty(out)
}

// merge returns a block with the texts of both, of a just sufficient size.
func merge(x, y *textBlock) *textBlock {
	n := len(x.uids) + len(y.uids)
	out := &textBlock{
		number: y.number, uids: make([]uint16, 0, n), ends: make([]uint32, 0, n),
		text: make([]byte, 0, len(x.text)+len(y.text)),
	}
	for i, j := 0, 0; i < len(x.uids) || j < len(y.uids); {
		switch {
		case i == len(x.uids) || j < len(y.uids) && y.uids[j] < x.uids[i]:
			out.add(y.uid(j), y.at(j))
			j++
		case j < len(y.uids) && y.uids[j] == x.uids[i]:
			j++ // they are equal
		default:
			out.add(x.uid(i), x.at(i))
			i++
		}
	}
	return out
}

// Trim drops the texts of messages that are not in the Table, once they are
// more than those of others.
func (t *Texts) Trim(have *Table) {
	t.mu.Lock()
	if t.n <= 2*have.Len()+2*textSpan {
		t.mu.Unlock()
		return
	}
	var kept []*textBlock
	t.n, t.bytes = 0, textsSize
	for _, b := range t.blocks {
		live := &textBlock{number: b.number}
		for i := range b.uids {
			if have.Row(b.uid(i)) != nil {
				live.add(b.uid(i), b.at(i))
			}
		}
		if len(live.uids) > 0 {
			live = merge(&textBlock{}, live)
			kept = append(kept, live)
			t.n += len(live.uids)
			t.bytes += live.bytes()
		}
	}
	t.blocks = kept
	t.slot.account.views.resize(&t.slot, t.bytes)
	t.mu.Unlock()
}
