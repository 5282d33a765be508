package imapthread

// forest is rooted trees in which the root of a node is found in logarithmic
// time however deep it is, amortized: a link-cut tree. Nodes are numbered from
// 1. Each path from a root down is kept as a splay tree in order of depth.
type forest struct {
	up, left, right []int32 // 0 = none; up of a path's own tree is where the path hangs
	steps           int     // rotations and jumps, for tests
}

// grow adds a node, which is a root.
func (f *forest) grow() {
	f.up, f.left, f.right = append(f.up, 0), append(f.left, 0), append(f.right, 0)
}

// isTop reports whether x is the top of its splay tree.
func (f *forest) isTop(x int32) bool {
	p := f.up[x]
	return p == 0 || f.left[p] != x && f.right[p] != x
}

// rotate lifts x above its parent in the splay tree.
func (f *forest) rotate(x int32) {
	f.steps++
	p := f.up[x]
	g := f.up[p]
	if !f.isTop(p) {
		if f.left[g] == p {
			f.left[g] = x
		} else {
			f.right[g] = x
		}
	}
	var moved int32
	if f.left[p] == x {
		moved = f.right[x]
		f.left[p], f.right[x] = moved, p
	} else {
		moved = f.left[x]
		f.right[p], f.left[x] = moved, p
	}
	if moved != 0 {
		f.up[moved] = p
	}
	f.up[p], f.up[x] = x, g
}

// splay makes x the top of its splay tree.
func (f *forest) splay(x int32) {
	for !f.isTop(x) {
		p := f.up[x]
		if !f.isTop(p) {
			g := f.up[p]
			if (f.left[p] == x) == (f.left[g] == p) {
				f.rotate(p)
			} else {
				f.rotate(x)
			}
		}
		f.rotate(x)
	}
}

// access makes the path from the root to x one splay tree with x on top.
func (f *forest) access(x int32) {
	var below int32
	for y := x; y != 0; y = f.up[y] {
		f.steps++
		f.splay(y)
		f.right[y] = below
		below = y
	}
	f.splay(x)
}

// root is the root of the tree that x is in.
func (f *forest) root(x int32) int32 {
	f.access(x)
	for f.left[x] != 0 {
		f.steps++
		x = f.left[x]
	}
	f.splay(x)
	return x
}

// link makes p the parent of the root c of another tree.
func (f *forest) link(c, p int32) {
	f.access(c)
	f.up[c] = p
}

// cut makes c, which is no root, a root.
func (f *forest) cut(c int32) {
	f.access(c)
	f.up[f.left[c]] = 0
	f.left[c] = 0
}
