package pipe

import (
	"bytes"
	"io"
	"time"

	"github.com/mailstead/mailstead/internal/rebody"
	"github.com/mailstead/mailstead/smtp"
)

// input is the message as a program reads it.
func (x *transaction) input(rcpts []*smtp.Recipient, src *rebody.Source) io.Reader {
	var head []byte
	f := x.t.Fields
	if f&FromLine != 0 {
		head = append(append(head, "From "...), fromSender(x.mail.ReversePath)...)
		at := x.mail.Received
		if at.IsZero() {
			at = time.Now()
		}
		head = append(at.UTC().AppendFormat(append(head, ' '), time.ANSIC), "\r\n"...)
	}
	if f&ReturnPath != 0 {
		head = append(append(append(head, "Return-Path: <"...), x.mail.ReversePath.String()...), ">\r\n"...)
	}
	if f&DeliveredTo != 0 {
		head = append(append(append(head, "Delivered-To: "...), rcpts[0].ForwardPath.String()...), "\r\n"...)
	}
	var message io.Reader = io.MultiReader(bytes.NewReader(src.Trace()), src.Body())
	if f&QuoteFrom != 0 {
		message = &lines{r: message, quote: true, crlf: true}
	}
	message = io.MultiReader(bytes.NewReader(head), message)
	if !x.t.CRLF {
		message = &lines{r: message}
	}
	return message
}

// fromSender is the reverse-path in a From_ line, which is of words.
func fromSender(p smtp.ReversePath) []byte {
	s := []byte(p.String())
	if len(s) == 0 {
		return []byte("MAILER-DAEMON")
	}
	for i, c := range s {
		if c <= ' ' {
			s[i] = '-'
		}
	}
	return s
}

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
		for _, c := range l.in[:n] {
			l.octet(c)
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
		case len(rest) < len(from) && string(rest) == from[:len(rest)] && len(l.pending) < maxElement:
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
