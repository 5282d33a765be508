package inflate

import (
	"errors"
	"io"
)

// model inflates a whole stream bit by bit, the slow and obvious way, and notes
// with which bit each octet was known.
type model struct {
	in   []byte
	bit  int // the next
	out  []byte
	when []int // of out: how many bits of in tell it
}

var errModel = errors.New("corrupt")

// errCut is behind the last bit.
type errCut struct{}

func (m *model) bits(n int) int {
	v := 0
	for i := range n {
		if m.bit == 8*len(m.in) {
			panic(errCut{})
		}
		v |= int(m.in[m.bit/8]>>(m.bit%8)&1) << i
		m.bit++
	}
	return v
}

func (m *model) put(b byte) {
	m.out = append(m.out, b)
	m.when = append(m.when, m.bit)
}

// modelCode maps the bits of a code, with a 1 before them, to its symbol.
type modelCode map[int]int

func newModelCode(lengths []int, single bool) modelCode {
	code, next, left := modelCode{}, 0, 1<<15
	for n := 1; n <= 15; n++ {
		for s, l := range lengths {
			if l == n {
				code[1<<n|next] = s
				next++
				left -= 1 << (15 - n)
			}
		}
		next <<= 1
	}
	if left < 0 || left > 0 && (!single || left != 1<<15 && (len(code) != 1 || left != 1<<14)) {
		panic(errModel)
	}
	return code
}

func (m *model) symbol(c modelCode) int {
	for v := 1; ; {
		v = v<<1 | m.bits(1)
		if s, ok := c[v]; ok {
			return s
		}
		if len(c) < 2 || v >= 1<<15 {
			panic(errModel)
		}
	}
}

// inflate returns nil at the end of the stream, io.ErrUnexpectedEOF where in does
// not have it, and errModel.
func (m *model) inflate() (err error) {
	defer func() {
		switch r := recover(); r {
		case nil:
		case errCut{}:
			err = io.ErrUnexpectedEOF
		case errModel:
			err = errModel
		default:
			panic(r)
		}
	}()
	for last := 0; last == 0; {
		last = m.bits(1)
		switch m.bits(2) {
		case 0:
			m.bits(-m.bit & 7)
			n := m.bits(16)
			if m.bits(16) != n^0xffff {
				panic(errModel)
			}
			for range n {
				m.put(byte(m.bits(8)))
			}
		case 1:
			var lit [288]int
			for i := range lit {
				lit[i] = 8
				if i >= 144 && i < 256 {
					lit[i] = 9
				} else if i >= 256 && i < 280 {
					lit[i] = 7
				}
			}
			dist := make([]int, 32)
			for i := range dist {
				dist[i] = 5
			}
			m.data(newModelCode(lit[:], true), newModelCode(dist, true))
		case 2:
			m.dynamic()
		default:
			panic(errModel)
		}
	}
	return nil
}

func (m *model) dynamic() {
	lits, dists, codes := m.bits(5)+257, m.bits(5)+1, m.bits(4)+4
	if lits > 286 || dists > 30 {
		panic(errModel)
	}
	order := []int{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}
	first := make([]int, 19)
	for i := range codes {
		first[order[i]] = m.bits(3)
	}
	code := newModelCode(first, false)
	var lengths []int
	for len(lengths) < lits+dists {
		s, repeat, of := m.symbol(code), 1, 0
		switch {
		case s == 16 && len(lengths) == 0:
			panic(errModel)
		case s == 16:
			repeat, of = 3+m.bits(2), lengths[len(lengths)-1]
		case s == 17:
			repeat = 3 + m.bits(3)
		case s == 18:
			repeat = 11 + m.bits(7)
		default:
			of = s
		}
		for range repeat {
			lengths = append(lengths, of)
		}
	}
	if len(lengths) > lits+dists || lengths[256] == 0 {
		panic(errModel)
	}
	m.data(newModelCode(lengths[:lits], true), newModelCode(lengths[lits:], true))
}

func (m *model) data(lit, dist modelCode) {
	for {
		s := m.symbol(lit)
		if s == 256 {
			return
		}
		if s < 256 {
			m.put(byte(s))
			continue
		}
		if s > 285 {
			panic(errModel)
		}
		length := 258
		if s < 285 {
			length = 3
			for i := 257; i < s; i++ {
				length += 1 << max(0, (i-257)/4-1)
			}
			length += m.bits(max(0, (s-257)/4-1))
		}
		s = m.symbol(dist)
		if s > 29 {
			panic(errModel)
		}
		distance := 1
		for i := range s {
			distance += 1 << max(0, i/2-1)
		}
		distance += m.bits(max(0, s/2-1))
		if distance > len(m.out) {
			panic(errModel)
		}
		for range length {
			m.put(m.out[len(m.out)-distance])
		}
	}
}
