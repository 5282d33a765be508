package mime

import (
	"bytes"
	"slices"
	"strings"
)

// segment is a parameter that is a piece of another one (RFC 2231 §3): number n
// of base, with percent signs where it is extended (§4.1).
type segment struct {
	at       int // in the list of parameters
	n        int
	extended bool
}

// joinContinuations puts the pieces of a parameter together, as IMAP servers do
// (RFC 2231 §6, RFC 9051 §7.5.2): "name*0" and "name*1" become "name". Where a piece
// is extended the result is too, with its charset, as "name*". Pieces that are
// not numbered from 0 on, each once, stand as they are.
func joinContinuations(params []Param) []Param {
	var runs map[string][]segment
	for i, p := range params {
		base, s, ok := cutSegment(p.Name)
		if !ok {
			continue
		}
		if runs == nil {
			runs = make(map[string][]segment)
		}
		s.at = i
		base = strings.ToLower(base)
		runs[base] = append(runs[base], s)
	}
	if runs == nil {
		return params
	}
	gone := make([]bool, len(params))
	for _, run := range runs {
		first := run[0].at
		slices.SortFunc(run, func(a, b segment) int { return a.n - b.n })
		if !consecutive(run) {
			continue
		}
		joined := join(params, run)
		for _, s := range run {
			gone[s.at] = true
		}
		params[first], gone[first] = joined, false
	}
	out := params[:0]
	for i, p := range params {
		if !gone[i] {
			out = append(out, p)
		}
	}
	return out
}

// cutSegment splits name into base "*" number ["*"].
func cutSegment(name []byte) (base string, s segment, ok bool) {
	star := bytes.IndexByte(name, '*')
	if star <= 0 {
		return "", s, false
	}
	number := name[star+1:]
	if number, s.extended = bytes.CutSuffix(number, []byte{'*'}); len(number) == 0 || len(number) > 4 || len(number) > 1 && number[0] == '0' {
		return "", s, false
	}
	for _, c := range number {
		if c < '0' || c > '9' {
			return "", s, false
		}
		s.n = 10*s.n + int(c-'0')
	}
	return string(name[:star]), s, true
}

func consecutive(run []segment) bool {
	for i, s := range run {
		if s.n != i {
			return false
		}
	}
	return true
}

// join makes one parameter of the pieces of a run.
func join(params []Param, run []segment) Param {
	base, _, _ := bytes.Cut(params[run[0].at].Name, []byte{'*'})
	p := Param{Name: base, Value: []byte{}}
	extended := slices.ContainsFunc(run, func(s segment) bool { return s.extended })
	if extended {
		p.Name = append(slices.Clip(base), '*')
		if !run[0].extended {
			p.Value = append(p.Value, "''"...)
		}
	}
	for _, s := range run {
		if extended && !s.extended {
			p.Value = appendPercent(p.Value, params[s.at].Value)
		} else {
			p.Value = append(p.Value, params[s.at].Value...)
		}
	}
	return p
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
