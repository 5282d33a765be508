package smtpserver

import "bytes"

// scanner tells the content of a body from what surrounds it on the wire. It
// keeps its place in two facts about the octet before, so a body may arrive
// in pieces of any size.
type scanner struct {
	dots   bool // DATA: a dot at the start of a line is special (RFC 5321 §4.5.2)
	policy NewlinePolicy

	lineStart bool // at the start, or right behind a CRLF
	afterCR   bool // right behind a CR
	fault     bool // a bare CR or LF, or NUL, was met under RejectNewlines
}

func newScanner(dots bool, policy NewlinePolicy) scanner {
	return scanner{dots: dots, policy: policy, lineStart: true}
}

// A piece is what scanner.next found: b[:run] is content, then insert, and
// b[run:run+drop] is none.
type piece struct {
	run, drop int
	insert    string
	end       bool // the end mark was dropped
}

// next looks at b, which is not empty, and returns the first piece of it. A
// piece of no length asks for more input: b is a part of an end mark, of at
// most two octets.
func (s *scanner) next(b []byte) piece {
	if s.lineStart && s.dots && b[0] == '.' {
		return s.dot(b)
	}
	if s.afterCR && b[0] != '\n' {
		s.afterCR = false
		if p, stop := s.bareCR(0); stop {
			return p
		}
	}
	if s.policy == NormaliseNewlines {
		return s.normalise(b)
	}
	return s.run(b)
}

// dot judges a dot at the start of a line: the end mark, or one to remove.
func (s *scanner) dot(b []byte) piece {
	switch {
	case len(b) == 1, len(b) == 2 && b[1] == '\r':
		return piece{}
	case b[1] == '\r' && b[2] == '\n':
		return piece{drop: 3, end: true}
	}
	s.lineStart = false
	return piece{drop: 1}
}

// bareCR handles a CR that is not followed by LF, behind run octets.
func (s *scanner) bareCR(run int) (p piece, stop bool) {
	switch s.policy {
	case RejectNewlines:
		s.fault = true
	case NormaliseNewlines:
		s.lineStart = false
		return piece{run: run, insert: "\n"}, true
	}
	return piece{}, false
}

// run takes all lines up to one that starts with a dot. Each line costs one
// search for its LF; bare CRs are found by counting.
func (s *scanner) run(b []byte) piece {
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
		if s.policy == RejectNewlines {
			s.fault = true
		}
		if pos == len(b) {
			break
		}
	}
	s.check(b[:pos], crlfs)
	return piece{run: pos}
}

// check finds a bare CR or NUL in a run with crlfs CRLFs, and sets afterCR.
func (s *scanner) check(run []byte, crlfs int) {
	before := s.afterCR
	s.afterCR = len(run) > 0 && run[len(run)-1] == '\r'
	if s.policy != RejectNewlines || s.fault {
		return
	}
	crs := bytes.Count(run, []byte{'\r'})
	if before {
		crs++
	}
	if s.afterCR {
		crs--
	}
	s.fault = crs != crlfs || bytes.IndexByte(run, 0) >= 0
}

// normalise takes lines as long as each ends in CRLF, or one that does not,
// whose end it mends.
func (s *scanner) normalise(b []byte) piece {
	if s.afterCR { // b[0] is its LF
		s.afterCR, s.lineStart = false, true
		return piece{run: 1}
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
			return piece{run: pos + cr + 1, insert: "\n"}
		case i < 0:
			s.afterCR = cr >= 0
			return piece{run: len(b)}
		case cr < 0:
			return piece{run: pos + i, drop: 1, insert: "\r\n"}
		}
		if pos += i + 1; pos == len(b) || s.dots && b[pos] == '.' {
			s.lineStart = true
			return piece{run: pos}
		}
	}
}

// finish is called at the end of a body without end mark (BDAT): a CR there is
// a bare one. It returns what has to be added.
func (s *scanner) finish() string {
	if !s.afterCR {
		return ""
	}
	s.afterCR = false
	p, _ := s.bareCR(0)
	return p.insert
}
