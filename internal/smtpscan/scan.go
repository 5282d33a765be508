// Package smtpscan tells the content of a body in DATA or BDAT from what
// surrounds it on the wire, and judges the words of commands. It is pure: octets
// in, pieces and verdicts out.
package smtpscan

import "bytes"

// Policy says what becomes of a CR or LF that stands alone. The values are
// those of smtpserver.NewlinePolicy.
type Policy uint8

// The policies.
const (
	Reject    Policy = iota // sets Fault, also for NUL
	Normalise               // makes a CRLF of each
	Preserve                // passes the octets on
)

// Scanner tells the content of a body from what surrounds it on the wire. It
// keeps its place in two facts about the octet before, so a body may arrive
// in pieces of any size.
type Scanner struct {
	dots   bool // DATA: a dot at the start of a line is special (RFC 5321 §4.5.2)
	policy Policy

	lineStart bool // at the start, or right behind a CRLF
	afterCR   bool // right behind a CR

	// Fault: a bare CR or LF, or NUL, was met under Reject.
	Fault bool
}

// New makes a Scanner for a body from its first octet on. dots: DATA.
func New(dots bool, policy Policy) Scanner {
	return Scanner{dots: dots, policy: policy, lineStart: true}
}

// A Piece is what Scanner.Next found: b[:Run] is content, then Insert, and
// b[Run:Run+Drop] is none.
type Piece struct {
	Run, Drop int
	Insert    string
	End       bool // the end mark was dropped
}

// Next looks at b, which is not empty, and returns the first piece of it. A
// piece of no length asks for more input: b is a part of an end mark, of at
// most two octets.
func (s *Scanner) Next(b []byte) Piece {
	if s.lineStart && s.dots && b[0] == '.' {
		return s.dot(b)
	}
	if s.afterCR && b[0] != '\n' {
		s.afterCR = false
		if p, stop := s.bareCR(0); stop {
			return p
		}
	}
	if s.policy == Normalise {
		return s.normalise(b)
	}
	if p, ok := s.even(b); ok {
		return p
	}
	return s.run(b)
}

// dot judges a dot at the start of a line: the end mark, or one to remove.
func (s *Scanner) dot(b []byte) Piece {
	switch {
	case len(b) == 1, len(b) == 2 && b[1] == '\r':
		return Piece{}
	case b[1] == '\r' && b[2] == '\n':
		return Piece{Drop: 3, End: true}
	}
	s.lineStart = false
	return Piece{Drop: 1}
}

// bareCR handles a CR that is not followed by LF, behind run octets.
func (s *Scanner) bareCR(run int) (p Piece, stop bool) {
	switch s.policy {
	case Reject:
		s.Fault = true
	case Normalise:
		s.lineStart = false
		return Piece{Run: run, Insert: "\n"}, true
	}
	return Piece{}, false
}

// sameWidth is how many lines in a row have one length before even believes that
// the next one has it too.
const sameWidth = 4

// even is run for lines of which many have the same length, as in base64: it
// looks where the next line should end before it searches. What it may have
// jumped over shows when all LFs are counted. Anything else than CRLFs, and lines
// of many lengths, are left to run.
func (s *Scanner) even(b []byte) (p Piece, ok bool) {
	pos, lines, searches, width, same := 0, 0, 0, 2, 0
	for {
		end := pos + width
		if same < sameWidth || end > len(b) || b[end-1] != '\n' || b[end-2] != '\r' {
			i := bytes.IndexByte(b[pos:], '\n')
			if i < 0 {
				break
			}
			end = pos + i + 1
			if end > 1 && b[end-2] != '\r' || end == 1 && !s.afterCR {
				return Piece{}, false
			}
			if same++; width != i+1 {
				width, same = max(2, i+1), 0
			}
			if searches++; searches > 2*sameWidth && searches > lines/2 {
				return Piece{}, false // it does not pay
			}
		}
		lines++
		if pos = end; pos == len(b) || s.dots && b[pos] == '.' {
			break
		}
	}
	whole := lines > 0 && (pos == len(b) || s.dots && b[pos] == '.')
	if !whole {
		pos = len(b)
	}
	if searches < lines && bytes.Count(b[:pos], []byte{'\n'}) != lines {
		return Piece{}, false
	}
	s.lineStart = whole
	s.check(b[:pos], lines)
	return Piece{Run: pos}, true
}

// run takes all lines up to one that starts with a dot. Each line costs one
// search for its LF; bare CRs are found by counting.
func (s *Scanner) run(b []byte) Piece {
	pos, crlfs := 0, 0
	for {
		i := bytes.IndexByte(b[pos:], '\n')
		if i < 0 {
			pos = len(b)
			s.lineStart = false
			break
		}
		at := pos + i
		pos = at + 1
		if at > 0 && b[at-1] == '\r' || at == 0 && s.afterCR {
			crlfs++
			s.lineStart = true
			if pos == len(b) || s.dots && b[pos] == '.' {
				break
			}
			continue
		}
		s.lineStart = false
		if s.policy == Reject {
			s.Fault = true
		}
		if pos == len(b) {
			break
		}
	}
	s.check(b[:pos], crlfs)
	return Piece{Run: pos}
}

// check finds a bare CR or NUL in a run with crlfs CRLFs, and sets afterCR.
func (s *Scanner) check(run []byte, crlfs int) {
	before := s.afterCR
	s.afterCR = len(run) > 0 && run[len(run)-1] == '\r'
	if s.policy != Reject || s.Fault {
		return
	}
	crs := bytes.Count(run, []byte{'\r'})
	if before {
		crs++
	}
	if s.afterCR {
		crs--
	}
	s.Fault = crs != crlfs || bytes.IndexByte(run, 0) >= 0
}

// normalise takes lines as long as each ends in CRLF, or one that does not,
// whose end it mends.
func (s *Scanner) normalise(b []byte) Piece {
	if s.afterCR { // b[0] is its LF
		s.afterCR, s.lineStart = false, true
		return Piece{Run: 1}
	}
	s.lineStart = false
	for pos := 0; ; {
		line := b[pos:]
		i := bytes.IndexByte(line, '\n')
		if i >= 0 {
			line = line[:i]
		}
		cr := bytes.IndexByte(line, '\r')
		switch {
		case cr >= 0 && cr < len(line)-1:
			return Piece{Run: pos + cr + 1, Insert: "\n"}
		case i < 0:
			s.afterCR = cr >= 0
			return Piece{Run: len(b)}
		case cr < 0:
			return Piece{Run: pos + i, Drop: 1, Insert: "\r\n"}
		}
		if pos += i + 1; pos == len(b) || s.dots && b[pos] == '.' {
			s.lineStart = true
			return Piece{Run: pos}
		}
	}
}

// Finish is called at the end of a body without end mark (BDAT): a CR there is
// a bare one. It returns what has to be added.
func (s *Scanner) Finish() string {
	if !s.afterCR {
		return ""
	}
	s.afterCR = false
	p, _ := s.bareCR(0)
	return p.Insert
}
