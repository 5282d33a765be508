package delivertest

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/mailstead/mailstead/internal/netpipe"
	"github.com/mailstead/mailstead/smtp"
)

// session is one connection to a Host.
type session struct {
	h          *Host
	raw        *netpipe.Conn
	c          net.Conn // raw, or TLS over it
	r          *bufio.Reader
	w          *bufio.Writer
	conn       int
	mails      int
	tls        *tls.Config
	extensions []string
	secure     bool
	m          *Taken // the transaction; nil = none
}

func (s *session) use(c net.Conn) { s.c, s.r, s.w = c, bufio.NewReader(c), bufio.NewWriter(c) }

// run serves until one side has enough.
func (s *session) run() {
	defer func() { s.c.Close() }()
	if _, ok := s.say(Step{Stage: Greeting}, "220 "+s.h.Name+" ESMTP"); !ok {
		return
	}
	for s.command() {
	}
}

// step asks the script.
func (s *session) step(st Step) Answer {
	st.Conn, st.Mails = s.conn, s.mails
	return s.h.ask(st)
}

// say answers a step; positive reports a 2xx or 3xx, ok that the session goes
// on.
func (s *session) say(st Step, usual string) (positive, ok bool) {
	a := s.step(st)
	return s.answer(a, usual)
}

func (s *session) answer(a Answer, usual string) (positive, ok bool) {
	if a.Delay > 0 {
		if s.w.Flush() != nil {
			return false, false
		}
		time.Sleep(a.Delay)
	}
	switch {
	case a.Hang:
		s.hang()
		return false, false
	case a.Drop:
		s.w.Flush()
		return false, false
	case a.Reply != "":
		usual = a.Reply
	}
	for i := range a.Lines {
		fmt.Fprintf(s.w, "%.3s-%d\r\n", usual, i)
	}
	err := s.write(usual+"\r\n", a.Pace)
	positive = usual[0] == '2' || usual[0] == '3'
	return positive, err == nil && !strings.HasPrefix(usual, "421") && !strings.HasPrefix(usual, "221")
}

// hang waits for the client to close.
func (s *session) hang() {
	if s.w.Flush() == nil {
		io.Copy(io.Discard, s.r)
	}
}

func (s *session) write(text string, pace time.Duration) error {
	if pace == 0 {
		s.w.WriteString(text)
		if s.r.Buffered() > 0 {
			return nil // the client sent more: the replies leave together
		}
		return s.w.Flush()
	}
	for i := range len(text) {
		s.w.WriteByte(text[i])
		if err := s.w.Flush(); err != nil {
			return err
		}
		time.Sleep(pace)
	}
	return nil
}

// command serves one command; false: the session ends.
func (s *session) command() bool {
	line, err := s.r.ReadString('\n')
	if err != nil {
		return false
	}
	line = strings.TrimRight(line, "\r\n")
	verb, arg, _ := strings.Cut(line, " ")
	switch verb = strings.ToUpper(verb); verb {
	case "EHLO", "HELO":
		return s.hello(line, verb)
	case "STARTTLS":
		return s.startTLS(line)
	case "MAIL":
		return s.mail(line)
	case "RCPT":
		return s.rcpt(line)
	case "DATA":
		return s.data(line)
	case "BDAT":
		return s.bdat(line, arg)
	case "RSET":
		s.m = nil
	case "QUIT":
		s.say(Step{Stage: Other, Line: line}, "221 2.0.0 Bye")
		return false
	}
	_, ok := s.say(Step{Stage: Other, Line: line}, "250 2.0.0 OK")
	return ok
}

func (s *session) hello(line, verb string) bool {
	s.m = nil
	lines := []string{s.h.Name}
	if verb == "EHLO" {
		lines = append(lines, s.extensions...)
		if s.tls != nil && !s.secure {
			lines = append(lines, "STARTTLS")
		}
	}
	last := len(lines) - 1
	var b strings.Builder
	for _, l := range lines[:last] {
		b.WriteString("250-" + l + "\r\n")
	}
	_, ok := s.say(Step{Stage: Hello, Line: line}, b.String()+"250 "+lines[last])
	return ok
}

func (s *session) startTLS(line string) bool {
	if s.tls == nil || s.secure {
		_, ok := s.say(Step{Stage: Other, Line: line}, "502 5.5.1 TLS is not offered")
		return ok
	}
	positive, ok := s.say(Step{Stage: StartTLS, Line: line}, "220 2.0.0 Go ahead")
	if !ok || !positive {
		return ok
	}
	switch a := s.step(Step{Stage: Handshake}); {
	case a.Hang:
		s.hang()
		return false
	case a.Drop:
		return false
	case a.Reply != "":
		s.write(a.Reply+"\r\n", 0) // no TLS at all
		return false
	}
	tc := tls.Server(s.c, s.tls)
	if tc.Handshake() != nil {
		return false
	}
	s.use(tc)
	s.secure, s.m = true, nil
	return true
}

func (s *session) mail(line string) bool {
	_, arg, _ := strings.Cut(line, ":")
	path, n, err := smtp.ConsumeReversePath([]byte(arg), true)
	if err != nil {
		return s.malformed()
	}
	params, err := smtp.ParseMailParams([]byte(arg[n:]))
	if err != nil {
		return s.malformed()
	}
	positive, ok := s.say(Step{Stage: Mail, Line: line, Path: path.String()}, "250 2.1.0 OK")
	s.mails++
	if s.m = nil; positive {
		s.m = &Taken{TLS: s.secure, ReversePath: path, Params: params}
	}
	return ok
}

func (s *session) malformed() bool {
	_, ok := s.answer(Answer{}, "501 5.5.4 Syntax error")
	return ok
}

func (s *session) rcpt(line string) bool {
	_, arg, _ := strings.Cut(line, ":")
	path, n, err := smtp.ConsumeForwardPath([]byte(arg), true)
	if err != nil {
		return s.malformed()
	}
	params, err := smtp.ParseRcptParams([]byte(arg[n:]))
	if err != nil {
		return s.malformed()
	}
	if s.m == nil {
		_, ok := s.answer(Answer{}, "503 5.5.1 MAIL first")
		return ok
	}
	positive, ok := s.say(Step{Stage: Rcpt, Line: line, Path: path.String()}, "250 2.1.5 OK")
	if positive {
		s.m.Recipients = append(s.m.Recipients, smtp.Recipient{ForwardPath: path, Params: params})
	}
	return ok
}

func (s *session) nobody() bool { return s.m == nil || len(s.m.Recipients) == 0 }

func (s *session) data(line string) bool {
	if s.nobody() {
		_, ok := s.answer(Answer{}, "503 5.5.1 No valid recipients")
		return ok
	}
	positive, ok := s.say(Step{Stage: Data, Line: line}, "354 Go ahead")
	if !ok || !positive {
		return ok
	}
	if s.w.Flush() != nil || !s.body() {
		return false
	}
	var err error
	if s.m.Data, err = readDots(s.r); err != nil {
		return false
	}
	return s.dot()
}

// body breaks off in the middle of a body, where the script says so.
func (s *session) body() bool {
	a := s.step(Step{Stage: Body})
	if !a.Drop && !a.Hang {
		return true
	}
	if _, err := s.r.ReadByte(); err == nil && a.Hang {
		<-s.raw.PeerGone() // nothing more is read: the window fills up
	}
	return false
}

// bdat: RFC 3030 §2. The chunk is read whatever becomes of it.
func (s *session) bdat(line, arg string) bool {
	digits, tail, _ := strings.Cut(arg, " ")
	n, err := strconv.ParseInt(digits, 10, 32)
	if err != nil || n < 0 || !s.body() {
		return false
	}
	chunk := make([]byte, n)
	if _, err := io.ReadFull(s.r, chunk); err != nil {
		return false
	}
	if s.nobody() {
		_, ok := s.answer(Answer{}, "503 5.5.1 No valid recipients")
		return ok
	}
	s.m.Data = append(s.m.Data, chunk...)
	if strings.EqualFold(tail, "LAST") {
		return s.dot()
	}
	positive, ok := s.say(Step{Stage: Data, Line: line}, "250 2.0.0 OK")
	if !positive {
		s.m = nil
	}
	return ok
}

// dot answers a whole body. What the reply accepts is kept before it is sent.
func (s *session) dot() bool {
	m, a := s.m, s.step(Step{Stage: Dot})
	s.m = nil
	usual := "250 2.0.0 OK"
	silent := a.Drop || a.Hang
	refused := a.Reply != "" && a.Reply[0] != '2'
	if refused || silent && a.Lose {
		_, ok := s.answer(a, usual)
		return ok
	}
	m.Time = time.Now()
	s.h.mu.Lock()
	s.h.taken = append(s.h.taken, m)
	s.h.mu.Unlock()
	_, ok := s.answer(a, usual)
	s.h.mu.Lock()
	m.Told = !silent
	s.h.mu.Unlock()
	return ok
}

// readDots reads up to CRLF "." CRLF and removes dot-stuffing (RFC 5321 §4.5.2).
func readDots(r *bufio.Reader) ([]byte, error) {
	var body bytes.Buffer
	for start := true; ; {
		line, err := r.ReadBytes('\n')
		if err != nil {
			return nil, err
		}
		if start && line[0] == '.' {
			if string(line) == ".\r\n" {
				return body.Bytes(), nil
			}
			line = line[1:]
		}
		body.Write(line)
		start = bytes.HasSuffix(line, []byte("\r\n"))
	}
}
