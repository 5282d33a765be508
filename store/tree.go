package store

// MailboxPlan is what a PutMailbox comes to: the rows that a backend writes.
type MailboxPlan struct {
	// Rows are the mailboxes that change, as they are afterwards. An ID that
	// was not there is a new mailbox. Gone: it becomes a tombstone, and its
	// messages and entries go with it. The backend sets ModSeq and
	// HighestModSeq, and where UIDValidity is zero and NoSelect is not set
	// it chooses one.
	Rows []Mailbox

	// Box is the mailbox that OpResult names.
	Box MailboxID

	// MoveFrom, when not zero, is INBOX: all its messages move to Box.
	MoveFrom MailboxID
}

// On plans op over rows, which are all mailboxes of the account that are there
// (no tombstones), in any order. It is the one place of the rules about
// levels, names, subscriptions and renames (RFC 9051 §6.3.4 to §6.3.7), as
// SetFlags.On is of those about flags. importing says whether the account is
// in state AccountImporting. rows is not changed. The number of mailboxes is
// for the backend to check, and that op.ID was never given out. Errors as
// PutMailbox documents them.
func (op PutMailbox) On(rows []Mailbox, importing bool) (MailboxPlan, error) {
	if !importing && (op.UIDNext != 0 || op.HighestModSeq != 0 || op.UIDValidity != 0 && !op.Create) {
		return MailboxPlan{}, ErrNotImporting
	}
	t := newTree(rows)
	n := t.byID(op.ID)
	var err error
	switch {
	case op.Create && n != nil:
		return MailboxPlan{}, ErrExists
	case op.Create:
		n, err = t.create(op)
	case n == nil:
		return MailboxPlan{}, ErrNoMailbox
	case op.Delete:
		if err := t.remove(n); err != nil {
			return MailboxPlan{}, err
		}
		return t.plan(op.ID, MailboxID{}), nil
	}
	if err != nil {
		return MailboxPlan{}, err
	}
	box, from := op.ID, MailboxID{}
	if !op.Create && op.Name != "" {
		dst, err := t.rename(n, op.Name)
		if err != nil {
			return MailboxPlan{}, err
		}
		if dst != n {
			box, from = dst.ID, n.ID
		}
	}
	if err := op.attributes(n); err != nil {
		return MailboxPlan{}, err
	}
	t.prune(n.Name)
	return t.plan(box, from), nil
}

// attributes sets what is not the name.
func (op PutMailbox) attributes(n *node) error {
	if op.Role != nil && *op.Role != n.Role {
		if n.NoSelect {
			return ErrNoMailbox
		}
		n.Role = *op.Role
	}
	if op.Subscribed != nil {
		n.Subscribed = *op.Subscribed
	}
	if op.UIDValidity != 0 {
		n.UIDValidity = op.UIDValidity
	}
	n.UIDNext = max(n.UIDNext, op.UIDNext)
	n.HighestModSeq = max(n.HighestModSeq, op.HighestModSeq)
	return nil
}

// node is a row on its way; was is the row before, zero for a new one.
type node struct {
	Mailbox
	was Mailbox
}

// tree is all nodes by name; gone are those that lost theirs.
type tree struct {
	nodes map[string]*node
	order []*node // as they came
}

func newTree(rows []Mailbox) *tree {
	t := &tree{nodes: make(map[string]*node, len(rows)+1)}
	for _, m := range rows {
		t.add(&node{Mailbox: m, was: m})
	}
	return t
}

func (t *tree) add(n *node) {
	t.nodes[n.Name] = n
	t.order = append(t.order, n)
}

func (t *tree) byID(id MailboxID) *node {
	for _, n := range t.order {
		if n.ID == id {
			return n
		}
	}
	return nil
}

// plan lists what differs from what was.
func (t *tree) plan(box, from MailboxID) MailboxPlan {
	p := MailboxPlan{Box: box, MoveFrom: from}
	for _, n := range t.order {
		if n.Mailbox != n.was && !(n.Gone && n.was.ID.IsZero()) {
			p.Rows = append(p.Rows, n.Mailbox)
		}
	}
	return p
}

func (t *tree) create(op PutMailbox) (*node, error) {
	name, err := CleanName(op.Name)
	if err != nil {
		return nil, err
	}
	return t.make(op.ID, name)
}

// make adds a mailbox and the levels above it that are missing.
func (t *tree) make(id MailboxID, name string) (*node, error) {
	if err := t.makeLevels(name); err != nil {
		return nil, err
	}
	n := &node{Mailbox: Mailbox{ID: id, Name: name, UIDNext: 1, RecentFrom: 1}}
	if err := t.claim(name, n); err != nil {
		return nil, err
	}
	t.add(n)
	return n, nil
}

func (t *tree) makeLevels(name string) error {
	parent := ParentName(name)
	if parent == "" || t.nodes[parent] != nil {
		return nil
	}
	_, err := t.make(NewMailboxID(), parent)
	return err
}

// claim takes name from a NoSelect mailbox, whose subscription n inherits.
func (t *tree) claim(name string, n *node) error {
	old := t.nodes[name]
	if old == nil {
		return nil
	}
	if !old.NoSelect {
		return ErrExists
	}
	n.Subscribed = n.Subscribed || old.Subscribed
	t.bury(old)
	return nil
}

// bury makes a tombstone.
func (t *tree) bury(n *node) {
	delete(t.nodes, n.Name)
	n.Mailbox = Mailbox{ID: n.ID, Name: n.Name, Gone: true}
}

// remove deletes n, and leaves a NoSelect name where something needs it.
func (t *tree) remove(n *node) error {
	if n.Name == Inbox {
		return ErrInbox
	}
	if n.NoSelect {
		return ErrNoMailbox
	}
	left := &node{Mailbox: Mailbox{ID: NewMailboxID(), Name: n.Name, NoSelect: true, Subscribed: n.Subscribed}}
	t.bury(n)
	if left.Subscribed || t.hasChildren(left.Name) {
		t.add(left)
	}
	t.prune(ParentName(left.Name))
	return nil
}

func (t *tree) hasChildren(name string) bool {
	for other := range t.nodes {
		if IsBelow(other, name) {
			return true
		}
	}
	return false
}

// prune takes away NoSelect names that nothing needs any more, from name up.
func (t *tree) prune(name string) {
	for ; name != ""; name = ParentName(name) {
		n := t.nodes[name]
		if n == nil || !n.NoSelect || n.Subscribed || t.hasChildren(name) {
			return
		}
		t.bury(n)
	}
}

// rename moves n and all below it. Of INBOX it makes the mailbox that its
// messages move to, and returns that one.
func (t *tree) rename(n *node, to string) (*node, error) {
	to, err := CleanName(to)
	from := n.Name
	switch {
	case err != nil:
		return nil, err
	case to == from:
		return n, nil
	case from == Inbox:
		return t.make(NewMailboxID(), to)
	case IsBelow(to, from):
		return nil, ErrName
	}
	var moved []*node
	for name, below := range t.nodes {
		if below == n || IsBelow(name, from) {
			moved = append(moved, below)
		}
	}
	for _, m := range moved { // they leave first: the new place may overlap the old
		delete(t.nodes, m.Name)
	}
	if err := t.makeLevels(to); err != nil {
		return nil, err
	}
	for _, m := range moved {
		name := to + m.Name[len(from):]
		if len(name) > MaxName {
			return nil, ErrName
		}
		if err := t.claim(name, m); err != nil {
			return nil, err
		}
		m.Name = name
		t.nodes[name] = m
	}
	t.prune(ParentName(from))
	return n, nil
}
