package mailsig

import (
	"encoding/base64"
	"errors"
)

// maxTags bounds a tag-list.
const maxTags = 32

var (
	errTags     = errors.New("mailsig: not a tag-list")
	errTagTwice = errors.New("mailsig: a tag stands twice")
	errManyTags = errors.New("mailsig: too many tags")
)

// Tag is one tag of a tag-list; Value has no white space at its ends.
type Tag struct {
	Name, Value []byte
	From, To    int // of what stands between "=" and ";", white space included
}

// Tags is a parsed tag-list (RFC 6376 §3.2).
type Tags struct {
	list [maxTags]Tag
	n    int

	// Gap: nothing stands between two ";", which the grammar forbids.
	Gap bool
}

// Get returns a value; ok is false where there is no such tag.
func (t *Tags) Get(name string) (value []byte, ok bool) {
	if i := t.Find(name); i >= 0 {
		return t.list[i].Value, true
	}
	return nil, false
}

// Find returns the place of a tag in the list, from 0; -1 = there is no such tag.
func (t *Tags) Find(name string) int {
	for i := range t.n {
		if string(t.list[i].Name) == name {
			return i
		}
	}
	return -1
}

// Parse parses a tag-list. Nothing between two ";" is no error, as key records
// in use have it, but leaves a Gap.
//
//	tag-list = tag-spec *( ";" tag-spec ) [ ";" ]
//	tag-spec = [FWS] tag-name [FWS] "=" [FWS] tag-value [FWS]
func (t *Tags) Parse(s []byte) error {
	t.n, t.Gap = 0, false
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
			if err := t.add(Tag{Name: Trim(s[at:eq]), Value: Trim(s[eq+1 : end]), From: eq + 1, To: end}); err != nil {
				return err
			}
		case len(Trim(spec)) > 0:
			return errTags
		case end < len(s):
			t.Gap = true
		}
		at = end + 1
	}
	if t.n == 0 {
		return errTags
	}
	return nil
}

// Tag returns the tag at a place that Find returned.
func (t *Tags) Tag(i int) Tag { return t.list[i] }

func (t *Tags) add(g Tag) error {
	for i, c := range g.Name {
		if !isAlpha(c) && (i == 0 || c != '_' && (c < '0' || c > '9')) {
			return errTags
		}
	}
	if len(g.Name) == 0 {
		return errTags
	}
	if t.Find(string(g.Name)) >= 0 {
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

// IsFWS reports whether c is folding white space.
func IsFWS(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

// Trim removes folding white space at both ends.
func Trim(s []byte) []byte {
	for len(s) > 0 && IsFWS(s[0]) {
		s = s[1:]
	}
	for len(s) > 0 && IsFWS(s[len(s)-1]) {
		s = s[:len(s)-1]
	}
	return s
}

// NextItem cuts the first item off a colon-separated list.
func NextItem(list []byte) (item, rest []byte, more bool) {
	for i, c := range list {
		if c == ':' {
			return Trim(list[:i]), list[i+1:], true
		}
	}
	return Trim(list), nil, false
}

// HasItem reports whether an item stands in a colon-separated list.
func HasItem(list []byte, want string) bool {
	for more := true; more; {
		var item []byte
		if item, list, more = NextItem(list); string(item) == want {
			return true
		}
	}
	return false
}

// Number is a decimal number; one of more than 12 digits is Huge, as good as
// infinite (RFC 6376 §3.5).
func Number(s []byte, most int) (n int64, ok bool) {
	if len(s) == 0 || len(s) > most {
		return 0, false
	}
	for _, c := range s {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = min(n*10+int64(c-'0'), Huge)
	}
	return n, true
}

// Huge is a number of more than 12 digits.
const Huge = 1_000_000_000_000

// Decode64 decodes base64 with white space anywhere (RFC 6376 §2.10) into dst,
// of which it must not need more.
func Decode64(dst, s []byte) ([]byte, bool) {
	var buf [4 << 10]byte
	n := 0
	for _, c := range s {
		if IsFWS(c) {
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
