package imapscope

import (
	"iter"
	"maps"

	"github.com/mailstead/mailstead/store"
)

// Mailbox is what is asked of a mailbox that is not open.
type Mailbox struct {
	Name       string // as the session writes it
	Own        bool   // lies in the personal namespace
	Subscribed bool
}

// Set is scopes in a form that is asked for each mailbox, at a cost that does not
// grow with the number of names. The zero value has no mailbox.
type Set struct {
	kinds                 [Mailboxes + 1]bool
	named, below, oneDown map[string]bool
}

// NewSet returns the mailboxes of scopes, whose names are clean.
func NewSet(scopes ...Scope) *Set {
	c := &Set{named: make(map[string]bool), below: make(map[string]bool), oneDown: make(map[string]bool)}
	for _, s := range scopes {
		c.kinds[s.Kind] = true
		for _, n := range s.Names {
			c.named[n] = true
			switch s.Kind {
			case Subtree:
				c.below[n] = true
			case SubtreeOne:
				c.oneDown[n] = true
			}
		}
	}
	return c
}

// Has reports whether one of the scopes is of a kind.
func (c *Set) Has(k Kind) bool { return c.kinds[k] }

// Names reports whether a mailbox is named itself.
func (c *Set) Names(name string) bool { return c.named[name] }

// Named is the names of the mailboxes that are named themselves, each once.
func (c *Set) Named() iter.Seq[string] { return maps.Keys(c.named) }

// Covers reports whether a mailbox is meant without being named. A filter may
// deliver to any of one's own, so "inboxes" means "personal" (RFC 5465 §6.3).
func (c *Set) Covers(m Mailbox) bool {
	if m.Own && (c.kinds[Personal] || c.kinds[Inboxes]) || m.Subscribed && c.kinds[Subscribed] {
		return true
	}
	up := store.ParentName(m.Name)
	if c.oneDown[up] {
		return true
	}
	if len(c.below) == 0 {
		return false
	}
	for ; up != ""; up = store.ParentName(up) {
		if c.below[up] {
			return true
		}
	}
	return false
}
