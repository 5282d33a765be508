package mbox

import (
	"bytes"
	"strconv"
)

// contentLength reads a Content-Length field.
func contentLength(line []byte) (int64, bool) {
	name, value, ok := bytes.Cut(line, []byte(":"))
	if !ok || !bytes.EqualFold(bytes.TrimRight(name, " \t"), []byte("Content-Length")) {
		return 0, false
	}
	n, err := strconv.ParseInt(string(bytes.TrimSpace(value)), 10, 64)
	return n, err == nil && n >= 0
}

// endsAfter reports whether a message can end n octets ahead: the file ends
// there, or an empty line and a separator follow.
func (l *lines) endsAfter(n int64) bool {
	tail, eof, ok := l.ahead(n)
	if !ok {
		return false
	}
	text := bytes.TrimLeft(tail, "\r\n")
	if len(text) == 0 {
		return eof
	}
	if len(text) == len(tail) {
		return false // no empty line
	}
	line, _, _ := bytes.Cut(text, []byte("\n"))
	_, ok = parseSeparator(line)
	return ok
}

// ahead returns what stands n octets ahead, up to a few lines, and whether the
// file ends with it.
func (l *lines) ahead(n int64) (tail []byte, eof, ok bool) {
	const look = maxFromLine + 16
	if l.at == nil {
		if n > readerBuffer-look {
			return nil, false, false
		}
		p, err := l.r.Peek(int(n) + look)
		if int64(len(p)) < n {
			return nil, false, false
		}
		return p[n:], err != nil, true
	}
	if n > 0 { // the last octet of the body must be there
		if k, _ := l.at.ReadAt(make([]byte, 1), l.pos+n-1); k != 1 {
			return nil, false, false
		}
	}
	p := make([]byte, look)
	k, err := l.at.ReadAt(p, l.pos+n)
	return p[:k], err != nil, true
}
