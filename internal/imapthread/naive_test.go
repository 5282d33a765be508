package imapthread

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/mailstead/mailstead/store"
)

// naive is REFERENCES as RFC 5256 §3 tells it, step by step, for a mailbox that
// is small.
type naive struct {
	msg      *message // nil for a dummy
	parent   *naive
	children []*naive
}

// message is a Message with its references in a slice.
type message struct {
	Message
	refs []string
}

func (m *message) references(yield func([]byte) bool) {
	for _, r := range m.refs {
		if !yield([]byte(r)) {
			return
		}
	}
}

func (n *naive) under(a *naive) bool {
	for ; n != nil; n = n.parent {
		if n == a {
			return true
		}
	}
	return false
}

func (n *naive) unlink() {
	if n.parent != nil {
		n.parent.children = slices.DeleteFunc(n.parent.children, func(c *naive) bool { return c == n })
		n.parent = nil
	}
}

func (n *naive) adopt(c *naive) {
	c.unlink()
	c.parent = n
	n.children = append(n.children, c)
}

// dated is the message that a node is sorted by.
func (n *naive) dated() *message {
	if n.msg != nil {
		return n.msg
	}
	sortNaive(n.children)
	return n.children[0].dated()
}

func sortNaive(list []*naive) {
	slices.SortFunc(list, func(a, b *naive) int {
		x, y := a.dated(), b.dated()
		return cmp.Or(x.Sent.Compare(y.Sent), cmp.Compare(x.UID, y.UID))
	})
}

func naiveThreads(msgs []*message, a Algorithm) string {
	root := &naive{}
	var all []*naive
	ids := map[string]*naive{}
	lookup := func(id string) *naive {
		if ids[id] == nil {
			ids[id] = &naive{}
			all = append(all, ids[id])
		}
		return ids[id]
	}
	for _, m := range msgs {
		var n *naive
		if len(m.ID) > 0 {
			n = lookup(string(m.ID))
		}
		if n == nil || n.msg != nil {
			n = &naive{}
			all = append(all, n)
		}
		n.msg = m
		var last *naive
		for _, id := range m.refs {
			r := lookup(id)
			if last != nil && r.parent == nil && !last.under(r) {
				last.adopt(r)
			}
			last = r
		}
		n.unlink()
		if last != nil && !last.under(n) {
			last.adopt(n)
		}
	}
	for _, n := range all { // (2)
		if n.parent == nil {
			root.adopt(n)
		}
	}
	for again := true; again; { // (3)
		again = false
		for _, n := range all {
			if n.msg != nil || n.parent == nil || n.parent == root && len(n.children) > 1 {
				continue
			}
			p := n.parent
			for _, c := range slices.Clone(n.children) {
				p.adopt(c)
			}
			n.unlink()
			again = true
		}
	}
	if a == References {
		sortNaive(root.children) // (4)
		naiveMerge(root)
	}
	var b strings.Builder
	sortAll(root) // (6)
	if a == Refs {
		newest := func(n *naive) (m *message) { return newestOf(n) }
		slices.SortFunc(root.children, func(x, y *naive) int {
			a, b := newest(x), newest(y)
			return cmp.Or(a.Sent.Compare(b.Sent), cmp.Compare(a.UID, b.UID))
		})
	}
	for _, n := range root.children {
		b.WriteString("(" + n.text() + ")")
	}
	return b.String()
}

func newestOf(n *naive) (m *message) {
	m = n.msg
	for _, c := range n.children {
		o := newestOf(c)
		if m == nil || cmp.Or(o.Sent.Compare(m.Sent), cmp.Compare(o.UID, m.UID)) > 0 {
			m = o
		}
	}
	return m
}

// naiveMerge is step 5.
func naiveMerge(root *naive) {
	table := map[string]*naive{}
	subject := func(n *naive) string { return strings.ToUpper(string(n.dated().Subject)) }
	subjects := map[*naive]string{}
	list := slices.Clone(root.children)
	for _, n := range list {
		s := subject(n)
		subjects[n] = s
		if s == "" {
			continue
		}
		t := table[s]
		if t == nil || t.msg != nil && (n.msg == nil || t.msg.Reply && !n.msg.Reply) {
			table[s] = n
		}
	}
	for _, n := range list {
		s := subjects[n]
		t := table[s]
		if s == "" || t == n {
			continue
		}
		switch {
		case t.msg == nil && n.msg == nil:
			for _, c := range slices.Clone(n.children) {
				t.adopt(c)
			}
			n.unlink()
		case t.msg == nil, n.msg.Reply && !t.msg.Reply:
			t.adopt(n)
		default:
			d := &naive{}
			root.adopt(d)
			d.adopt(n)
			d.adopt(t)
			table[s] = d
		}
	}
}

func sortAll(n *naive) {
	for _, c := range n.children {
		sortAll(c)
	}
	sortNaive(n.children)
}

func (n *naive) text() string {
	s := ""
	if n.msg != nil {
		s = fmt.Sprint(n.msg.UID)
	}
	switch {
	case len(n.children) == 1:
		return s + " " + n.children[0].text()
	case len(n.children) > 1 && s != "":
		s += " "
	}
	for _, c := range n.children {
		s += "(" + c.text() + ")"
	}
	return s
}

// run is what a Threader makes of the messages.
func run(msgs []*message, a Algorithm) (string, *Threader) {
	t := New(a)
	for _, m := range msgs {
		m.References = m.references
		t.Add(m.Message)
	}
	th := t.Threads()
	var out []byte
	for i := range th.Len() {
		out = th.Append(out, i, func(u store.UID) uint32 { return uint32(u) })
	}
	return string(out), t
}
