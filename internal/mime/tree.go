package mime

// Tree is the structure of a message: its parts in the order of the walk, each
// before those that it holds. Part 0 is the message. A Tree holds 40 octets for
// a part, and the fields of the message's own header. It is not changed once
// Walk has returned.
type Tree struct {
	root   fields
	limits Limits
	n      int
	first  [4]Part // most messages have no more
	more   []*[chunk]Part
}

const chunk = 128

// Len is the number of parts, at least 1.
func (t *Tree) Len() int { return t.n }

// Part returns part i.
func (t *Tree) Part(i int) *Part {
	if i < len(t.first) {
		return &t.first[i]
	}
	i -= len(t.first)
	return &t.more[i/chunk][i%chunk]
}

// At returns part i, as [Layout] has it.
func (t *Tree) At(i int) Place {
	p := t.Part(i)
	return Place{Kind: p.Kind(), Below: p.Below(), Header: p.Header(), Body: p.Body()}
}

// Root returns the header fields of the message. They are valid as long as the
// tree, and must not be changed.
func (t *Tree) Root() *Entity { return &t.root.entity }

// add makes a part that starts at an offset, and returns its number.
func (t *Tree) add(at int64, is traits) int {
	i := t.n
	t.n++
	if at := i - len(t.first); at >= 0 && at%chunk == 0 {
		t.more = append(t.more, new([chunk]Part))
	}
	*t.Part(i) = Part{start: at, body: at, end: at, is: is}
	return i
}
