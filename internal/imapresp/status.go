package imapresp

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/internal/imapwire"
)

// maxText is how much of a text for people is kept, in octets.
const maxText = 512

// ParseStatus reads a status response behind its tag: "OK [CODE args] text",
// with or without its line end. ok: b begins with one of the conditions.
func ParseStatus(b []byte) (r imap.StatusResponse, ok bool) {
	b = trimLine(b)
	word, rest, _ := bytes.Cut(b, []byte{' '})
	switch c := imap.Condition(upper(word)); c {
	case imap.ConditionOK, imap.ConditionNo, imap.ConditionBad, imap.ConditionBye, imap.ConditionPreAuth:
		r.Condition = c
	default:
		return r, false
	}
	rest = bytes.TrimLeft(rest, " ")
	if len(rest) > 0 && rest[0] == '[' {
		if end := codeEnd(rest); end > 0 {
			name, args, _ := bytes.Cut(rest[1:end], []byte{' '})
			r.Code, r.Args = imap.Code(upper(name)), string(bytes.TrimSpace(args))
			rest = bytes.TrimLeft(rest[end+1:], " ")
		}
	}
	r.Text = Text(rest)
	return r, true
}

// codeEnd is the index of the "]" that ends the code; 0 = none. One within
// quotes, or in a flag such as "$x]y" before the last one of a list, does not
// end it.
func codeEnd(b []byte) int {
	depth := 0
	for i := 1; i < len(b); i++ {
		switch b[i] {
		case '"':
			_, n, err := ConsumeQuoted(b[i:])
			if err != nil {
				return 0
			}
			i += n - 1
		case '{':
			if _, n, err := ConsumeString(b[i:]); err == nil {
				i += n - 1
			}
		case '(':
			depth++
		case ')':
			depth--
		case ']':
			if depth <= 0 {
				return i
			}
		}
	}
	return 0
}

// Text is b as a text for people: UTF-8 without control characters, and not too
// long.
func Text(b []byte) string {
	b = trimLine(b)
	s := string(b[:min(len(b), maxText)])
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == utf8.RuneError {
			return '?'
		}
		return r
	}, s)
}

// trimLine is b without its line end.
func trimLine(b []byte) []byte {
	b = bytes.TrimSuffix(b, []byte{'\n'})
	return bytes.TrimSuffix(b, []byte{'\r'})
}

func upper(b []byte) string { return strings.ToUpper(string(b)) }

// end is args as a line, so that each token has an octet behind it.
func end(args string) []byte { return append([]byte(args), "\r\n"...) }

// ParseNumber reads the number that a code has; 0: it has none.
func ParseNumber(args string) int64 {
	v, _, _ := ConsumeNumber(end(args))
	return v
}

// ParseCopyUID reads the arguments of COPYUID (RFC 4315 §3).
func ParseCopyUID(args string) (c imap.CopyUID, ok bool) {
	b := end(args)
	v, n, err := imapwire.ConsumeNZNumber(b)
	if err != nil {
		return c, false
	}
	src, m, err := consumeSpaced(b[n:], consumeSet)
	if err != nil {
		return c, false
	}
	dst, _, err := consumeSpaced(b[n+m:], consumeSet)
	if err != nil {
		return c, false
	}
	return imap.CopyUID{UIDValidity: imap.UIDValidity(v), Source: src, Dest: dst}, true
}

// ParseAppendUID reads the arguments of APPENDUID (RFC 4315 §3).
func ParseAppendUID(args string) (a imap.AppendUID, ok bool) {
	b := end(args)
	v, n, err := imapwire.ConsumeNZNumber(b)
	if err != nil {
		return a, false
	}
	set, _, err := consumeSpaced(b[n:], consumeSet)
	if err != nil {
		return a, false
	}
	return imap.AppendUID{UIDValidity: imap.UIDValidity(v), UIDs: set}, true
}

func consumeSet(b []byte) (imap.NumSet, int, error) {
	set, n, err := imapwire.ConsumeSeqSet(b)
	return imap.NumSet(set), n, err
}

// ParseUIDSet reads a set of UIDs of up to maxRanges ranges, such as that of
// MODIFIED; false: it is none.
func ParseUIDSet(args string, maxRanges int) (imap.UIDSet, bool) {
	set, _, err := ConsumeUIDSet(end(args), maxRanges)
	return set, err == nil
}

func lower(b []byte) string { return strings.ToLower(string(b)) }

// ParseID reads what stands behind ID (RFC 2971 §3.2): up to limit fields, their
// names in lower case.
func ParseID(b []byte, limit int) (map[string]string, error) {
	n := spaces(b)
	if isNilWord(b[n:]) {
		return nil, nil
	}
	fields := map[string]string{}
	key, isKey := "", true
	_, err := ConsumeList(b[n:], func(b []byte) (int, error) {
		s, n, err := consumeText(b)
		switch {
		case isKey:
			key = strings.ToLower(s)
		case len(fields) == limit:
			return 0, ErrTooMany
		default:
			fields[key] = s
		}
		isKey = !isKey
		return n, err
	})
	return fields, err
}
