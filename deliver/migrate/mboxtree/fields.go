package mboxtree

import (
	"bufio"
	"bytes"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/mailstead/mailstead/store"
)

// maxHeader bounds the part of a header in which fields of the file are looked for.
const maxHeader = 1 << 20

// meta is what the header fields of a file tell of a message.
type meta struct {
	flags    store.Flags
	keywords []string
	id       string // of X-Migrate-Id; "" = another program's
	skip     bool   // no message: deleted, or the file's own
}

// ownFields stand in front of each message that this package writes, in this order.
func ownFields() []string { return []string{"Status", "X-Status", "X-Keywords", "X-Migrate-Id"} }

// split takes the fields of the file out of a message: what is read of body is the
// message itself. Those of this package stand in front; then all others stay.
func split(r *bufio.Reader) (m meta, body io.Reader, err error) {
	var kept bytes.Buffer
	state := &fieldState{own: true}
	for total := 0; total < maxHeader; {
		line, err := r.ReadSlice('\n')
		if err != nil && err != io.EOF && err != bufio.ErrBufferFull {
			return m, nil, err
		}
		total += len(line)
		if !state.take(line, &m) {
			kept.Write(line)
		}
		if err == io.EOF || len(bytes.TrimRight(line, "\r\n")) == 0 {
			break
		}
	}
	state.end(&m)
	return m, io.MultiReader(&kept, r), nil
}

// fieldState goes through a header line by line.
type fieldState struct {
	n    int  // lines seen
	own  bool // so far the header is what this package writes
	in   bool // the line before belongs to a field of the file
	base bool // X-IMAP or X-IMAPbase was there

	internal bool // the subject of a server's own message
	status   bool // Status or X-Mozilla-Status was there
	labels   string
}

// take looks at a line and reports whether it is no part of the message.
func (s *fieldState) take(line []byte, m *meta) bool {
	s.n++
	if len(line) > 0 && (line[0] == ' ' || line[0] == '\t') {
		return s.in
	}
	name, value, ok := strings.Cut(strings.TrimRight(string(line[:min(len(line), 8<<10)]), "\r\n"), ":")
	s.in = false
	if !ok {
		return false
	}
	value = strings.TrimSpace(value)
	if own := ownFields(); s.own && s.n <= len(own) {
		if name == own[s.n-1] {
			s.in = true
			m.field(strings.ToLower(name), value)
			return true
		}
		s.own = false
	}
	if m.id != "" {
		return false // all others belong to the message
	}
	s.in = s.foreign(strings.ToLower(name), value, m)
	return s.in
}

// foreign looks at a field as other programs write it.
func (s *fieldState) foreign(name, value string, m *meta) bool {
	switch name {
	case "status", "x-mozilla-status":
		s.status = true
	case "subject":
		s.internal = strings.HasPrefix(value, "DON'T DELETE THIS MESSAGE")
	case "x-imap", "x-imapbase":
		s.base = true
		return true
	case "x-gmail-labels":
		s.labels = value
	case "x-uid", "x-mozilla-status2":
		return true
	}
	return m.field(name, value)
}

// end concludes what several fields tell together.
func (s *fieldState) end(m *meta) {
	m.skip = m.skip || s.base && s.internal
	if s.labels == "" || s.status {
		return
	}
	m.flags |= store.Seen
	for label := range strings.SplitSeq(s.labels, ",") {
		switch strings.ToLower(strings.TrimSpace(label)) {
		case "unread":
			m.flags &^= store.Seen
		case "starred":
			m.flags |= store.Flagged
		case "drafts":
			m.flags |= store.Draft
		}
	}
}

// field reads one field; false: it is none of those that a file has.
func (m *meta) field(name, value string) bool {
	switch name {
	case "status", "x-status":
		for _, c := range value {
			m.flags |= statusFlag(c)
		}
	case "x-keywords", "x-mozilla-keys":
		for k := range strings.FieldsSeq(value) {
			if k = strings.Trim(k, ","); k != "" && !store.HasKeyword(m.keywords, k) {
				m.keywords = append(m.keywords, k)
			}
		}
		slices.Sort(m.keywords)
	case "x-migrate-id":
		m.id = value
	case "x-mozilla-status":
		n, err := strconv.ParseUint(value, 16, 32)
		if err != nil {
			return false
		}
		m.mozilla(n)
	default:
		return false
	}
	return true
}

// mozilla reads the bits of X-Mozilla-Status.
func (m *meta) mozilla(bits uint64) {
	for _, b := range [...]struct {
		bit  uint64
		flag store.Flags
	}{{1, store.Seen}, {2, store.Answered}, {4, store.Flagged}} {
		if bits&b.bit != 0 {
			m.flags |= b.flag
		}
	}
	if bits&0x1000 != 0 && !store.HasKeyword(m.keywords, "$Forwarded") {
		m.keywords = append(m.keywords, "$Forwarded")
	}
	m.skip = m.skip || bits&8 != 0 // deleted, and not yet compacted
}

func statusFlag(c rune) store.Flags {
	switch c {
	case 'R':
		return store.Seen
	case 'A':
		return store.Answered
	case 'F':
		return store.Flagged
	case 'D':
		return store.Deleted
	case 'T':
		return store.Draft
	}
	return 0
}

// appendFields writes the fields in front of a message.
func appendFields(dst []byte, flags store.Flags, keywords []string, id string) []byte {
	dst = append(dst, "Status: "...)
	if flags&store.Seen != 0 {
		dst = append(dst, 'R')
	}
	dst = append(dst, "O\nX-Status: "...)
	for _, c := range "AFDT" {
		if flags&statusFlag(c) != 0 {
			dst = append(dst, byte(c))
		}
	}
	dst = append(dst, "\nX-Keywords: "...)
	dst = append(dst, strings.Join(keywords, " ")...)
	dst = append(dst, "\nX-Migrate-Id: "...)
	return append(append(dst, id...), '\n')
}
