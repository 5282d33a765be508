package pop3

import (
	"bytes"
	"errors"
	"strings"
	"unicode"
)

// ErrReply: a line is no reply (RFC 1939 §3).
var ErrReply = errors.New("pop3: malformed reply")

// Reply is the first line of a reply: all of it, or what stands in front of
// the lines of a multi-line one (RFC 1939 §3).
type Reply struct {
	// OK is true for +OK and false for -ERR.
	OK bool

	// Code is the response code (RFC 2449 §8) in upper case, without brackets;
	// "" = none. A server announces with RESP-CODES that it sends them; what
	// looks like one is taken for one all the same.
	Code ResponseCode

	// Text is for people. It is valid UTF-8 without control characters, which
	// are shown as U+FFFD.
	Text string
}

// ParseReply parses a reply line without its end. ErrReply: it begins with
// neither +OK nor -ERR.
func ParseReply(line []byte) (Reply, error) {
	rest, ok := bytes.CutPrefix(line, []byte("+OK"))
	if !ok {
		var refused bool
		if rest, refused = bytes.CutPrefix(line, []byte("-ERR")); !refused {
			return Reply{}, ErrReply
		}
	}
	if len(rest) > 0 && !bytes.ContainsRune([]byte(" \t[<"), rune(rest[0])) { // a greeting needs no space (RFC 2449 §3)
		return Reply{}, ErrReply
	}
	r := Reply{OK: ok}
	rest = bytes.TrimLeft(rest, " \t")
	if code, n := consumeCode(rest); n > 0 {
		r.Code, rest = code, bytes.TrimLeft(rest[n:], " \t")
	}
	r.Text = printable(rest)
	return r, nil
}

// consumeCode: resp-code = "[" resp-level *("/" resp-level) "]" (RFC 2449 §3).
func consumeCode(b []byte) (code ResponseCode, n int) {
	if len(b) == 0 || b[0] != '[' {
		return "", 0
	}
	end := bytes.IndexByte(b, ']')
	if end < 0 {
		return "", 0
	}
	for level := range bytes.SplitSeq(b[1:end], []byte{'/'}) {
		if len(level) == 0 || bytes.ContainsFunc(level, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
			return "", 0
		}
	}
	return ResponseCode(bytes.ToUpper(b[1:end])), end + 1
}

func printable(b []byte) string {
	s := strings.ToValidUTF8(string(b), "\ufffd")
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return unicode.ReplacementChar
		}
		return r
	}, s)
}

// String is the reply as it stands on a line, without its end.
func (r Reply) String() string {
	s := "-ERR"
	if r.OK {
		s = "+OK"
	}
	if r.Code != "" {
		s += " [" + string(r.Code) + "]"
	}
	if r.Text != "" {
		s += " " + r.Text
	}
	return s
}
