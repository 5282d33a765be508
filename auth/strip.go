package auth

import (
	"bytes"

	"github.com/mailstead/mailstead/auth/authres"
)

// maxHeld is how long a field may be that is held back; a longer one is removed,
// whoever wrote it.
const maxHeld = 256 << 10

// maxJudged is how many fields of that name are looked at; what comes behind them
// is removed.
const maxJudged = 500

// stripper passes a message on without the Authentication-Results fields that a
// reader may take for ours (RFC 8601 §5). It keeps one field at a time, and of
// those only such with that name. Everything up to the first empty line is a
// header, also lines that are no fields. LF ends a line; a bare CR may begin a
// field for some readers, and what stands behind it is judged as one. With below,
// lines at the top that begin with white space are removed: they would go on with
// the results that are put in front of them.
type stripper struct {
	id      string
	below   bool // results are put in front
	state   stripState
	begun   bool   // there was an octet that is not CR
	start   bool   // the last octet ended a line
	cr      bool   // the last octet was CR
	bare    bool   // what is held began behind a bare CR
	held    []byte // the beginning of a field, until it is known whose it is
	judged  int
	removed int
}

// stripState is what becomes of the octets of a field.
type stripState uint8

const (
	naming   stripState = iota // they are held: the name is not whole yet
	passing                    // it is another field
	holding                    // they are held: it is Authentication-Results
	dropping                   // it is too long, or goes on with what is put in front
	inBody
)

// feed takes octets, and appends to out what is passed on now.
func (s *stripper) feed(out, p []byte) []byte {
	for len(p) > 0 && s.state != inBody {
		n := 0
		switch {
		case s.state == naming:
			n, out = s.name(out, p)
		case s.begins(p[0]):
			out = s.end(out)
		default:
			n, out = s.value(out, p)
		}
		p = p[n:]
	}
	return append(out, p...)
}

// begins reports whether a field begins with c, behind the one that is open.
func (s *stripper) begins(c byte) bool {
	if c == ' ' || c == '\t' {
		return false
	}
	return s.start || s.state == passing && s.cr && c != '\n'
}

// name takes octets until it is known whether they begin the name, and returns
// how many.
func (s *stripper) name(out, p []byte) (int, []byte) {
	for n, c := range p {
		if s.below && !s.begun && (c == ' ' || c == '\t') {
			s.state, s.begun, s.held = dropping, true, s.held[:0]
			return n + 1, out
		}
		s.begun = s.begun || c != '\r'
		if len(s.held) == 1 && s.held[0] == '\r' && c != '\n' {
			return n, s.pass(out) // the field begins behind it
		}
		s.held = append(s.held, c)
		switch i := len(s.held) - 1; {
		case c == '\n' && (i == 0 || i == 1 && s.held[0] == '\r'):
			out = s.pass(out)
			if !s.bare {
				s.state = inBody
			}
			return n + 1, out
		case c == '\r' && i == 0:
		case i < len(authres.Name) && c|0x20 == authres.Name[i]|0x20 && (c == '-') == (authres.Name[i] == '-'):
		case i == len(authres.Name) && (c == ':' || c == ' ' || c == '\t' || c == '\r' || c == '\n'):
			s.state, s.start = holding, c == '\n'
			return n + 1, out
		default:
			return n + 1, s.pass(out)
		}
	}
	return len(p), out
}

// pass lets go what is held: it is another field.
func (s *stripper) pass(out []byte) []byte {
	s.state = passing
	last := s.held[len(s.held)-1]
	s.start, s.cr = last == '\n', last == '\r'
	out = append(out, s.held...)
	s.held = s.held[:0]
	return out
}

// value takes octets up to the end of a line; of other fields, up to what may
// begin one with the name, or the body.
func (s *stripper) value(out, p []byte) (int, []byte) {
	n := 1
	if s.state == passing {
		for n < len(p) && !mayBegin(p[n-1], p[n]) {
			n++
		}
		out = append(out, p[:n]...)
	} else if n = bytes.IndexByte(p, '\n') + 1; n == 0 {
		n = len(p)
	}
	s.start, s.cr = p[n-1] == '\n', p[n-1] == '\r'
	if s.state == holding {
		if s.held = append(s.held, p[:n]...); len(s.held) > maxHeld {
			s.state, s.held = dropping, s.held[:0]
		}
	}
	return n, out
}

// mayBegin reports whether c, behind last, may begin a field with the name, or be
// the empty line behind a header.
func mayBegin(last, c byte) bool {
	if last > '\r' || last != '\n' && (last != '\r' || c == '\n') {
		return false
	}
	return c == 'a' || c == 'A' || c == '\r' || c == '\n'
}

// end ends the field that is open, and the next one begins.
func (s *stripper) end(out []byte) []byte {
	drop := s.state == dropping
	if s.state == holding {
		s.judged++
		drop = s.judged > maxJudged || forged(s.held, s.id)
	}
	switch {
	case !drop:
		out = append(out, s.held...)
	case s.bare:
		out = append(out, '\n') // of the line of which it was a part
	}
	if drop {
		s.removed++
	}
	behindCR := s.state == passing && !s.start
	s.state, s.bare, s.start, s.cr, s.held = naming, behindCR, false, false, s.held[:0]
	return out
}

// finish is the end of the message.
func (s *stripper) finish(out []byte) []byte {
	if s.state == inBody {
		return out
	}
	return s.end(out)
}

// maxParts is how many parts of one field are judged that begin behind a bare CR
// with its name.
const maxParts = 4

// forged reports whether a reader may take a field for one of the host with this
// id: the field, or what follows a bare CR in it.
func forged(field []byte, id string) bool {
	parts := 0
	for rest, begins := field, true; ; {
		if begins {
			if value, ok := resultsOf(rest); ok {
				if parts++; parts > maxParts || authres.Claims(value, id) {
					return true
				}
			}
		}
		i := bytes.IndexByte(rest, '\r')
		if i < 0 {
			return false
		}
		rest = rest[i+1:]
		begins = len(rest) > 0 && rest[0] != '\n'
	}
}

// resultsOf is the value of an Authentication-Results field.
func resultsOf(field []byte) (string, bool) {
	n := len(authres.Name)
	if len(field) < n || !bytes.EqualFold(field[:n], []byte(authres.Name)) {
		return "", false
	}
	rest := bytes.TrimLeft(field[n:], " \t\r\n")
	if len(rest) == 0 || rest[0] != ':' {
		return "", false
	}
	return string(rest[1:]), true
}
