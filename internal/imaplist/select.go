package imaplist

import (
	"iter"
	"slices"
	"strings"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/store"
)

// Name is a mailbox name that a session may see.
type Name struct {
	Name       string
	Exists     bool // there is a mailbox: it is not \NonExistent
	NoSelect   bool // it is there, and this session may not open it
	Subscribed bool
	Role       string // special use; "" = none

	// Ref is the caller's, to find what the name stands for.
	Ref int

	level bool // only a part of other names
}

// Answer is one response of LIST or LSUB.
type Answer struct {
	*Name
	Attrs []string

	// ChildInfo are the selection options that a name below meets (RFC 5258
	// §3.5); nil = there is none, or it was not asked for.
	ChildInfo []string

	// Selected: the name itself meets the selection options, so that what else
	// was asked for is told of it (RFC 5819 §2, RFC 8440 §3).
	Selected bool
}

// Select yields what LIST tells of names, which are in order and without
// duplicates (RFC 5258 §3). asUTF8 says how the patterns are written.
func (r *Request) Select(names []Name, asUTF8 bool) iter.Seq[Answer] {
	return func(yield func(Answer) bool) {
		names := withLevels(names)
		match := Match(r.Patterns, asUTF8)
		levels := Match(slices.DeleteFunc(slices.Clone(r.Patterns), func(p string) bool { return !strings.HasSuffix(p, "%") }), asUTF8)
		below := r.below(names, match)
		exists := nextExisting(names)
		for i := range names {
			n := &names[i]
			children := hasChildren(names, exists, i)
			if !match(n.Name) || !n.Exists && !children && !r.Subscribed && !r.lsub {
				continue
			}
			a := Answer{Name: n, Selected: r.selects(n)}
			if !a.Selected && !below[i].hidden && (r.chooses() || !n.level || !levels(n.Name)) {
				continue
			}
			if below[i].any {
				a.ChildInfo = r.criteria()
			}
			a.Attrs = r.Attributes(n, children)
			if !yield(a) {
				return
			}
		}
	}
}

// chooses reports whether there are selection options.
func (r *Request) chooses() bool { return r.Subscribed || r.SpecialUse }

// selects reports whether a name meets them all. Without any, all names do that
// are more than a part of others.
func (r *Request) selects(n *Name) bool {
	return !n.level && (!r.Subscribed || n.Subscribed) && (!r.SpecialUse || n.Role != "")
}

func (r *Request) criteria() (list []string) {
	if r.Subscribed {
		list = append(list, "SUBSCRIBED")
	}
	if r.SpecialUse {
		list = append(list, "SPECIAL-USE")
	}
	return list
}

// descendants says what lies below a name: any that is selected, and one of
// them hidden, because no pattern matches it.
type descendants struct{ any, hidden bool }

// below is computed with RECURSIVEMATCH only. Each name is visited from below
// at most twice, as a walk up ends where nothing is new.
func (r *Request) below(names []Name, match func(string) bool) []descendants {
	out := make([]descendants, len(names))
	if !r.Recursive {
		return out
	}
	for i := range names {
		if !r.selects(&names[i]) {
			continue
		}
		add := descendants{any: true, hidden: !match(names[i].Name)}
		for up := store.ParentName(names[i].Name); up != ""; up = store.ParentName(up) {
			at, ok := find(names, up)
			if !ok || out[at].any && (out[at].hidden || !add.hidden) {
				break
			}
			out[at].any, out[at].hidden = true, out[at].hidden || add.hidden
		}
	}
	return out
}

// Attributes are what LIST says of a name (RFC 3501 §7.2.2, RFC 3348, RFC 5258
// §3, RFC 6154 §2). A client that speaks RFC 3501 alone knows only \Noselect.
func (r *Request) Attributes(n *Name, children bool) []string {
	attrs := make([]string, 0, 4)
	if !n.Exists && r.Extended {
		attrs = append(attrs, string(imap.AttrNonExistent))
	}
	if !n.Exists || n.NoSelect {
		attrs = append(attrs, string(imap.AttrNoSelect))
	}
	if children {
		attrs = append(attrs, string(imap.AttrHasChildren))
	} else {
		attrs = append(attrs, string(imap.AttrHasNoChildren))
	}
	if n.Role != "" {
		attrs = append(attrs, n.Role)
	}
	if n.Subscribed && (r.Subscribed || r.ReturnSubscribed) {
		attrs = append(attrs, string(imap.AttrSubscribed))
	}
	return attrs
}

// SelectSubscribed yields what LSUB tells of names. Where "%" cuts off a
// subscribed name, the level above is told with \Noselect (RFC 3501 §6.3.9).
func (r *Request) SelectSubscribed(names []Name, asUTF8 bool) iter.Seq[Answer] {
	list := slices.DeleteFunc(slices.Clone(names), func(n Name) bool { return !n.Subscribed })
	lsub := Request{Patterns: r.Patterns, lsub: true}
	return func(yield func(Answer) bool) {
		for a := range lsub.Select(list, asUTF8) {
			a.Attrs = nil
			if !a.Exists || a.NoSelect {
				a.Attrs = []string{string(imap.AttrNoSelect)}
			}
			if !yield(a) {
				return
			}
		}
	}
}

// nextExisting is, for each name, where the next one is that exists.
func nextExisting(names []Name) []int {
	next := make([]int, len(names)+1)
	next[len(names)] = len(names)
	for i, n := range slices.Backward(names) {
		next[i] = next[i+1]
		if n.Exists {
			next[i] = i
		}
	}
	return next
}

// hasChildren reports whether a mailbox lies below names[i].
func hasChildren(names []Name, exists []int, i int) bool {
	prefix := names[i].Name + store.Separator
	at, _ := find(names, prefix)
	at = exists[at]
	return at < len(names) && strings.HasPrefix(names[at].Name, prefix)
}

// find returns where name is, or would be.
func find(names []Name, name string) (int, bool) {
	return slices.BinarySearchFunc(names, name, func(n Name, s string) int { return strings.Compare(n.Name, s) })
}

// withLevels adds the levels that names only pass through.
func withLevels(names []Name) []Name {
	var levels map[string]bool
	for i := range names {
		for up := store.ParentName(names[i].Name); up != "" && !levels[up]; up = store.ParentName(up) {
			if _, ok := find(names, up); ok {
				break
			}
			if levels == nil {
				levels = make(map[string]bool)
			}
			levels[up] = true
		}
	}
	if len(levels) == 0 {
		return names
	}
	all := slices.Clone(names)
	for name := range levels {
		all = append(all, Name{Name: name, level: true, Ref: -1})
	}
	slices.SortFunc(all, func(a, b Name) int { return strings.Compare(a.Name, b.Name) })
	return all
}
