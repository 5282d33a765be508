package dkim

import (
	"encoding/base64"
	"errors"
)

// maxTags bounds a tag-list.
const maxTags = 32

var (
	errTags     = errors.New("dkim: not a tag-list")
	errTagTwice = errors.New("dkim: a tag stands twice")
	errManyTags = errors.New("dkim: too many tags")
)

// tag is one tag of a tag-list; value has no white space at its ends.
type tag struct {
	name, value []byte
	from, to    int // of what stands between "=" and ";", white space included
}

// tags is a parsed tag-list (RFC 6376 §3.2).
type tags struct {
	list [maxTags]tag
	n    int
}

// get returns a value; ok is false where there is no such tag.
func (t *tags) get(name string) (value []byte, ok bool) {
	if i := t.find(name); i >= 0 {
		return t.list[i].value, true
	}
	return nil, false
}

func (t *tags) find(name string) int {
	for i := range t.n {
		if string(t.list[i].name) == name {
			return i
		}
	}
	return -1
}

// parse parses a tag-list. Nothing between two ";" is passed over, as key
// records in use have it.
//
//	tag-list = tag-spec *( ";" tag-spec ) [ ";" ]
//	tag-spec = [FWS] tag-name [FWS] "=" [FWS] tag-value [FWS]
func (t *tags) parse(s []byte) error {
	t.n = 0
	for at := 0; at <= len(s); {
		end := at
		eq := -1
		for ; end < len(s) && s[end] != ';'; end++ {
			switch c := s[end]; {
			case c == '=' && eq < 0:
				eq = end
			case c < ' ' && c != '\t' && c != '\r' && c != '\n', c == 0x7f:
				return errTags
			}
		}
		spec := s[at:end]
		switch {
		case eq >= 0:
			if err := t.add(tag{name: trim(s[at:eq]), value: trim(s[eq+1 : end]), from: eq + 1, to: end}); err != nil {
				return err
			}
		case len(trim(spec)) > 0:
			return errTags
		}
		at = end + 1
	}
	if t.n == 0 {
		return errTags
	}
	return nil
}

func (t *tags) add(g tag) error {
	for i, c := range g.name {
		if !isAlpha(c) && (i == 0 || c != '_' && (c < '0' || c > '9')) {
			return errTags
		}
	}
	if len(g.name) == 0 {
		return errTags
	}
	if t.find(string(g.name)) >= 0 {
		return errTagTwice
	}
	if t.n == maxTags {
		return errManyTags
	}
	t.list[t.n] = g
	t.n++
	return nil
}

func isAlpha(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

func isFWS(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

// trim removes folding white space at both ends.
func trim(s []byte) []byte {
	for len(s) > 0 && isFWS(s[0]) {
		s = s[1:]
	}
	for len(s) > 0 && isFWS(s[len(s)-1]) {
		s = s[:len(s)-1]
	}
	return s
}

// nextItem cuts the first item off a colon-separated list.
func nextItem(list []byte) (item, rest []byte, more bool) {
	for i, c := range list {
		if c == ':' {
			return trim(list[:i]), list[i+1:], true
		}
	}
	return trim(list), nil, false
}

// hasItem reports whether an item stands in a colon-separated list.
func hasItem(list []byte, want string) bool {
	for more := true; more; {
		var item []byte
		if item, list, more = nextItem(list); string(item) == want {
			return true
		}
	}
	return false
}

// number is a decimal number; one of more than 12 digits is huge, as good as
// infinite (RFC 6376 §3.5).
func number(s []byte, most int) (n int64, ok bool) {
	if len(s) == 0 || len(s) > most {
		return 0, false
	}
	for _, c := range s {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = min(n*10+int64(c-'0'), huge)
	}
	return n, true
}

const huge = 1_000_000_000_000

// decode64 decodes base64 with white space anywhere (RFC 6376 §2.10) into dst,
// of which it must not need more.
func decode64(dst, s []byte) ([]byte, bool) {
	var buf [4 << 10]byte
	n := 0
	for _, c := range s {
		if isFWS(c) {
			continue
		}
		if n == len(buf) || n == base64.StdEncoding.EncodedLen(len(dst)) {
			return nil, false
		}
		buf[n] = c
		n++
	}
	var out [3 << 10]byte
	m, err := base64.StdEncoding.Decode(out[:], buf[:n])
	if err != nil || m > len(dst) {
		return nil, false
	}
	return dst[:copy(dst, out[:m])], true
}
