// Package naive is an SMTP server as it is often written: it says the right
// words to friendly clients and makes each mistake that the table of hostile
// dialogues is about. It exists to show that each row of the table can fail.
package naive

import (
	"bufio"
	"fmt"
	"net"
	"strconv"
	"strings"
)

// Serve talks to one client until it is gone.
func Serve(c net.Conn) {
	defer c.Close()
	s := &session{r: bufio.NewReader(c), c: c}
	s.say("220 mx.example ESMTP")
	for {
		line, ok := s.line()
		if !ok || !s.command(line) {
			return
		}
	}
}

type session struct {
	r     *bufio.Reader
	c     net.Conn
	hello bool
	from  bool
	rcpts int
}

func (s *session) say(format string, args ...any) {
	fmt.Fprintf(s.c, format+"\r\n", args...)
}

// line ends at CRLF, CR or LF, is as long as it likes, and loses what a
// careless trim takes.
func (s *session) line() (string, bool) {
	var b []byte
	for {
		c, err := s.r.ReadByte()
		if err != nil {
			return "", false
		}
		if c == '\r' {
			if next, err := s.r.Peek(1); err == nil && next[0] == '\n' {
				s.r.ReadByte()
			}
			break
		}
		if c == '\n' {
			break
		}
		if c != 0 {
			b = append(b, c)
		}
	}
	return strings.TrimSpace(string(b)), true
}

// path is what stands between the first pair of angle brackets.
func path(arg string) string {
	_, arg, _ = strings.Cut(arg, "<")
	arg, _, _ = strings.Cut(arg, ">")
	return arg
}

func (s *session) command(line string) bool {
	verb, arg, _ := strings.Cut(line, " ")
	switch strings.ToUpper(verb) {
	case "EHLO", "HELO", "LHLO":
		s.hello = true
		s.say("250-mx.example\r\n250-PIPELINING\r\n250-SIZE 100\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-ENHANCEDSTATUSCODES\r\n250-CHUNKING\r\n250 STARTTLS")
	case "MAIL":
		s.mail(path(arg))
	case "RCPT":
		s.rcpt(path(arg))
	case "DATA":
		s.data()
	case "BDAT":
		s.bdat(arg)
	case "RSET":
		s.from, s.rcpts = false, 0
		s.say("250 2.0.0 OK")
	case "NOOP", "XCLIENT", "XFORWARD", "PROXY":
		s.say("250 2.0.0 OK")
	case "VRFY":
		s.say("252 2.0.0 Cannot VRFY user")
	case "STARTTLS":
		s.say("220 2.0.0 Ready to start TLS")
	case "AUTH":
		s.say("334 ")
	case "QUIT":
		s.say("221 2.0.0 Bye")
		return false
	default:
		s.say("500 5.5.1 Command unrecognized")
	}
	return true
}

func (s *session) mail(path string) {
	local, _, _ := strings.Cut(path, "@")
	if local == "inject" {
		s.say("550 5.0.0 gotcha\r\n250 no")
		return
	}
	s.from, s.rcpts = true, 0
	s.say("250 2.1.0 OK")
}

func (s *session) rcpt(path string) {
	switch local, domain, _ := strings.Cut(path, "@"); {
	case path != "" && domain == "":
		s.say("501 5.1.3 Syntax error in the address")
	case local == "refused":
		s.say("550 5.1.1 no such user")
	default:
		s.rcpts++
		s.say("250 2.1.5 OK")
	}
}

// data ends at any line that is a dot once it has been trimmed.
func (s *session) data() {
	s.say("354 End data")
	for {
		line, ok := s.line()
		if !ok {
			return
		}
		if line == "." {
			break
		}
	}
	s.from, s.rcpts = false, 0
	s.say("250 2.0.0 OK queued as 1")
}

// bdat reads a chunk where it likes the command, and takes it for commands
// where it does not.
func (s *session) bdat(arg string) {
	fields := strings.Fields(arg)
	if !s.from || s.rcpts == 0 {
		s.say("503 5.5.1 Bad sequence of commands")
		return
	}
	n := 0
	if len(fields) > 0 {
		n, _ = strconv.Atoi(fields[0])
	}
	for range n {
		if _, err := s.r.ReadByte(); err != nil {
			return
		}
	}
	if len(fields) > 1 && strings.EqualFold(fields[1], "LAST") {
		s.from, s.rcpts = false, 0
		s.say("250 2.0.0 OK queued as 1")
		return
	}
	s.say("250 2.0.0 %d octets received", n)
}
