package imapwire

// Pattern is a compiled mailbox pattern of LIST (RFC 9051 §6.3.9): "*" stands
// for any octets, "%" for any octets but the hierarchy delimiter, anything
// else for itself. It is an automaton that keeps all its states at once as
// bits: Match takes len(name) steps of len(pattern)/64 words, whatever the
// wildcards are.
//
// A Pattern is not changed by Match and may be used by several goroutines. The
// zero Pattern matches nothing. RFC 9051 §5.1 makes INBOX case-insensitive;
// callers match that name against the pattern in upper case.
type Pattern struct {
	states   int         // states 0..states-1; the last one accepts
	rows     [][]uint64  // rows[row[c]] has a bit for each state that octet c leaves
	row      [256]uint16 // row 0: octets that stand nowhere in the pattern
	star     []uint64    // states that are "*"
	percent  []uint64    // states that are "%"
	delim    byte
	hasDelim bool
}

// CompilePattern prepares a pattern. delim is the hierarchy delimiter; 0 stands
// for a flat name space, in which "%" equals "*".
func CompilePattern(pattern string, delim byte) *Pattern {
	steps := collapse(pattern)
	words := len(steps)/64 + 1
	p := &Pattern{
		states: len(steps) + 1, delim: delim, hasDelim: delim != 0,
		star: make([]uint64, words), percent: make([]uint64, words),
		rows: [][]uint64{make([]uint64, words)},
	}
	for i, c := range []byte(steps) {
		switch c {
		case '*':
			p.star[i/64] |= 1 << (i % 64)
		case '%':
			p.percent[i/64] |= 1 << (i % 64)
		default:
			if p.row[c] == 0 {
				p.rows = append(p.rows, make([]uint64, words))
				p.row[c] = uint16(len(p.rows) - 1)
			}
			p.rows[p.row[c]][i/64] |= 1 << (i % 64)
		}
	}
	return p
}

// collapse replaces each run of wildcards by the strongest of them, so that no
// two wildcards follow each other.
func collapse(pattern string) []byte {
	out := make([]byte, 0, len(pattern))
	for _, c := range []byte(pattern) {
		last := len(out) - 1
		if (c == '*' || c == '%') && last >= 0 && (out[last] == '*' || out[last] == '%') {
			if c == '*' {
				out[last] = '*'
			}
			continue
		}
		out = append(out, c)
	}
	return out
}

// Match reports whether the pattern matches the whole name.
func (p *Pattern) Match(name string) bool {
	if p.states == 0 {
		return false
	}
	var small [4]uint64
	cur := small[:]
	if len(p.star) > len(small) {
		cur = make([]uint64, len(p.star))
	}
	cur = cur[:len(p.star)]
	cur[0] = 1
	p.skipWildcards(cur)
	for i := range len(name) {
		if !p.step(cur, name[i]) {
			return false
		}
	}
	last := p.states - 1
	return cur[last/64]&(1<<(last%64)) != 0
}

// step moves every state over one octet and reports whether any is left.
func (p *Pattern) step(cur []uint64, c byte) bool {
	row := p.rows[p.row[c]]
	stays := !p.hasDelim || c != p.delim // "%" takes c
	var carry, any uint64
	for w, s := range cur {
		next := s & p.star[w]
		if stays {
			next |= s & p.percent[w]
		}
		moved := s & row[w]
		next |= moved<<1 | carry
		carry = moved >> 63
		cur[w] = next
		any |= next
	}
	if any != 0 {
		p.skipWildcards(cur)
	}
	return any != 0
}

// skipWildcards adds, for each state that is a wildcard, the state behind it.
func (p *Pattern) skipWildcards(cur []uint64) {
	var carry uint64
	for w, s := range cur {
		wild := s & (p.star[w] | p.percent[w])
		cur[w] = s | wild<<1 | carry
		carry = wild >> 63
	}
}
