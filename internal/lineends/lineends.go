// Package lineends changes a message on its way to a program or a file of this
// system.
package lineends

import (
	"bytes"
	"io"
)

// LF reads r with its CRLF as LF. A CR or LF alone stays.
func LF(r io.Reader) io.Reader { return &lines{r: r} }

// QuoteFrom reads r with ">" in front of the lines that begin with any number of
// ">" and "From ".
func QuoteFrom(r io.Reader) io.Reader { return &lines{r: r, quote: true, crlf: true} }

// FromSender is a reverse-path as a From_ line has it: a word, MAILER-DAEMON for
// the null sender.
func FromSender(path string) string {
	if path == "" {
		return "MAILER-DAEMON"
	}
	b := []byte(path)
	for i, c := range b {
		if c <= ' ' || c == 0x7f {
			b[i] = '-'
		}
	}
	return string(b)
}

// maxPending bounds what is held of a line that begins with ">".
const maxPending = 4096

// lines reads r with other line ends or quotes. CRLF becomes LF, unless crlf is
// set; a CR or LF alone stays.
type lines struct {
	r     io.Reader
	crlf  bool
	quote bool

	in      []byte
	out     bytes.Buffer
	err     error
	begun   bool   // of quote: the line is known not to begin with From_
	pending []byte // of quote: its beginning
	cr      bool   // a CR is held back
}

// Read implements io.Reader.
func (l *lines) Read(p []byte) (int, error) {
	for l.out.Len() == 0 && l.err == nil {
		if l.in == nil {
			l.in = make([]byte, 32<<10)
		}
		var n int
		n, l.err = l.r.Read(l.in)
		for rest := l.in[:n]; len(rest) > 0; {
			if run := l.run(rest); run > 0 {
				l.out.Write(rest[:run])
				rest = rest[run:]
				continue
			}
			l.octet(rest[0])
			rest = rest[1:]
		}
		if l.err != nil {
			l.end()
		}
	}
	if l.out.Len() > 0 {
		return l.out.Read(p)
	}
	return 0, l.err
}

// run is how many octets pass as they are.
func (l *lines) run(b []byte) int {
	end := byte('\r')
	if l.quote {
		if end = '\n'; !l.begun {
			return 0
		}
	} else if l.cr {
		return 0
	}
	if i := bytes.IndexByte(b, end); i >= 0 {
		return i
	}
	return len(b)
}

func (l *lines) octet(c byte) {
	if l.quote {
		l.quoted(c)
		return
	}
	switch {
	case l.cr && c == '\n':
		l.cr = false
	case l.cr:
		l.out.WriteByte('\r')
		l.cr = false
	}
	if c == '\r' && !l.crlf {
		l.cr = true
		return
	}
	l.out.WriteByte(c)
}

// quoted puts ">" in front of a line that begins with any number of ">" and
// "From ".
func (l *lines) quoted(c byte) {
	if !l.begun {
		l.pending = append(l.pending, c)
		rest := bytes.TrimLeft(l.pending, ">")
		const from = "From "
		switch {
		case string(rest) == from:
			l.out.WriteByte('>')
		case len(rest) < len(from) && string(rest) == from[:len(rest)] && len(l.pending) < maxPending:
			return
		}
		l.out.Write(l.pending)
		l.pending, l.begun = l.pending[:0], true
	} else {
		l.out.WriteByte(c)
	}
	if c == '\n' {
		l.begun = false
	}
}

func (l *lines) end() {
	l.out.Write(l.pending)
	l.pending = nil
	if l.cr {
		l.out.WriteByte('\r')
		l.cr = false
	}
}
