package mime

import (
	"bytes"
	"cmp"
	"slices"
)

// segment is a parameter that is a piece of another one (RFC 2231 §3): number n
// of base, with percent signs where it is extended (§4.1).
type segment struct {
	base     []byte
	at       int // in the list of parameters
	n        int
	extended bool
}

// join puts the pieces of a parameter together (RFC 2231 §3, RFC 9051 §7.5.2):
// "name*0" and "name*1" become "name". Where a piece is extended the result is
// too, with its charset, as "name*". Pieces that are not numbered from 0 on, each
// once, stand as they are. The list is changed in place.
func (f *fields) join(params []Param) []Param {
	f.segments = f.segments[:0]
	for i, p := range params {
		if s, ok := cutSegment(p.Name); ok {
			s.at = i
			f.segments = append(f.segments, s)
		}
	}
	if len(f.segments) == 0 {
		return params
	}
	slices.SortFunc(f.segments, func(a, b segment) int {
		return cmp.Or(compareFold(a.base, b.base), a.n-b.n, a.at-b.at)
	})
	for rest := f.segments; len(rest) > 0; {
		n := 1
		for n < len(rest) && compareFold(rest[n].base, rest[0].base) == 0 {
			n++
		}
		f.joinRun(params, rest[:n])
		rest = rest[n:]
	}
	return slices.DeleteFunc(params, func(p Param) bool { return p.Name == nil })
}

// joinRun makes one parameter of the pieces of a run, in the place of the one
// that stands first, and leaves the others without a name.
func (f *fields) joinRun(params []Param, run []segment) {
	first, extended := run[0].at, false
	for i, s := range run {
		if s.n != i {
			return
		}
		first, extended = min(first, s.at), extended || s.extended
	}
	joined := f.joined(params, run, extended)
	for _, s := range run {
		params[s.at] = Param{}
	}
	params[first] = joined
}

func (f *fields) joined(params []Param, run []segment, extended bool) Param {
	name := run[0].base
	b := f.octets
	start := len(b)
	if extended {
		b = append(append(b, name...), '*')
		name = b[start:len(b):len(b)]
		if start = len(b); !run[0].extended {
			b = append(b, "''"...)
		}
	}
	for _, s := range run {
		if extended && !s.extended {
			b = appendPercent(b, params[s.at].Value)
		} else {
			b = append(b, params[s.at].Value...)
		}
	}
	f.octets = b
	return Param{Name: name, Value: b[start:len(b):len(b)]}
}

// cutSegment splits name into base "*" number ["*"].
func cutSegment(name []byte) (s segment, ok bool) {
	star := bytes.IndexByte(name, '*')
	if star <= 0 {
		return s, false
	}
	number := name[star+1:]
	if number, s.extended = bytes.CutSuffix(number, []byte{'*'}); len(number) == 0 || len(number) > 4 || len(number) > 1 && number[0] == '0' {
		return s, false
	}
	for _, c := range number {
		if c < '0' || c > '9' {
			return s, false
		}
		s.n = 10*s.n + int(c-'0')
	}
	s.base = name[:star]
	return s, true
}

// compareFold orders names without regard to the case of US-ASCII letters.
func compareFold(a, b []byte) int {
	for i := range min(len(a), len(b)) {
		if c := int(lower(a[i])) - int(lower(b[i])); c != 0 {
			return c
		}
	}
	return len(a) - len(b)
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		c |= 0x20
	}
	return c
}

// appendPercent adds a plain value to an extended one (RFC 2231 §7,
// attribute-char).
func appendPercent(dst, value []byte) []byte {
	const digits = "0123456789ABCDEF"
	for _, c := range value {
		if isToken(c) && c < 0x80 && c != '*' && c != '\'' && c != '%' {
			dst = append(dst, c)
		} else {
			dst = append(dst, '%', digits[c>>4], digits[c&15])
		}
	}
	return dst
}
