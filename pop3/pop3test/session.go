package pop3test

import (
	"bufio"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/mailstead/mailstead/pop3"
)

// session is one connection.
type session struct {
	s       *Server
	conn    int
	c       net.Conn
	r       *bufio.Reader
	w       *bufio.Writer
	tls     bool
	user    string
	open    bool
	drop    []Message
	deleted map[int]bool // by index
	closing bool         // after the reply that is being written
}

func (se *session) use(c net.Conn) {
	se.c, se.r, se.w = c, bufio.NewReader(c), bufio.NewWriter(c)
}

func (se *session) run(c net.Conn) {
	se.use(c)
	defer se.leave()
	if se.s.opts.ImplicitTLS && !se.startTLS() {
		return
	}
	if !se.override("greeting", func() { se.line("+OK pop3test ready") }) {
		return
	}
	for se.command() {
	}
	se.w.Flush()
}

func (se *session) startTLS() bool {
	se.w.Flush()
	tc := tls.Server(se.c, se.s.opts.TLSConfig)
	if tc.Handshake() != nil {
		return false
	}
	se.use(tc)
	se.tls = true
	return true
}

// leave gives the maildrop back.
func (se *session) leave() {
	if se.open {
		se.s.mu.Lock()
		se.s.inUse = false
		se.s.mu.Unlock()
	}
}

func (se *session) line(text string) { io.WriteString(se.w, text+"\r\n") }

// override sends the reply that Options want, or the usual one; false: the
// session ends.
func (se *session) override(command string, usual func()) bool {
	text := ""
	if se.s.opts.Reply != nil {
		text = se.s.opts.Reply(se.conn, command)
	}
	switch text {
	case "":
		usual()
	case "close":
		return false
	case "hang":
		se.w.Flush()
		io.Copy(io.Discard, se.c)
		return false
	case "lose":
		se.w.Flush()
		usual()
		se.w.Reset(io.Discard)
		return false
	default:
		se.line(text)
	}
	if se.r.Buffered() == 0 && se.w.Flush() != nil {
		return false
	}
	return !se.closing
}

// command serves one command; false: the session ends.
func (se *session) command() bool {
	line, err := se.r.ReadString('\n')
	if err != nil {
		return false
	}
	line = strings.TrimRight(line, "\r\n")
	se.s.mu.Lock()
	se.s.commands = append(se.s.commands, line)
	se.s.mu.Unlock()
	verb, arg, _ := strings.Cut(line, " ")
	verb = strings.ToUpper(verb)
	stls := false
	ok := se.override(line, func() {
		stls = verb == "STLS" && se.s.opts.StartTLS && !se.tls
		se.serve(verb, arg)
	})
	return ok && (!stls || se.startTLS())
}

func (se *session) serve(verb, arg string) {
	switch verb {
	case "CAPA":
		se.capa()
	case "STLS", "NOOP":
		se.line("+OK")
	case "USER":
		se.user = arg
		se.line("+OK")
	case "PASS":
		se.login(se.user, arg)
	case "AUTH":
		se.auth(arg)
	case "QUIT":
		se.quit()
	default:
		se.transaction(verb, arg)
	}
}

func (se *session) capa() {
	lines := se.s.opts.Capabilities
	if len(lines) == 0 {
		se.line("-ERR unknown command")
		return
	}
	se.line("+OK")
	for _, l := range lines {
		se.line(l)
	}
	if se.s.opts.StartTLS && !se.tls {
		se.line(pop3.CapSTLS)
	}
	se.line(".")
}

// auth: PLAIN only.
func (se *session) auth(arg string) {
	mechanism, response, initial := strings.Cut(arg, " ")
	if !strings.EqualFold(mechanism, "PLAIN") {
		se.line("-ERR unknown mechanism")
		return
	}
	if !initial {
		se.line("+ ")
		se.w.Flush()
		response, _ = se.r.ReadString('\n')
	}
	raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(response))
	parts := strings.Split(string(raw), "\x00")
	if err != nil || len(parts) != 3 {
		se.line("-ERR malformed")
		return
	}
	se.login(parts[1], parts[2])
}

func (se *session) login(user, password string) {
	s := se.s
	if s.opts.Login != nil && !s.opts.Login(user, password) {
		se.line("-ERR [AUTH] no")
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.inUse && !s.opts.Shared {
		se.line("-ERR [IN-USE] the maildrop is locked")
		return
	}
	s.inUse, se.open, se.drop, se.deleted = true, true, slices.Clone(s.messages), map[int]bool{}
	se.line("+OK")
}

// quit deletes what is marked, by its place in the maildrop.
func (se *session) quit() {
	se.closing = true
	s := se.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if se.open {
		for i := len(se.drop) - 1; i >= 0; i-- {
			if j := slices.Index(s.messages, se.drop[i]); se.deleted[i] && j >= 0 {
				s.messages = slices.Delete(s.messages, j, j+1)
			}
		}
	}
	se.line("+OK")
}

// transaction serves the commands that need a login.
func (se *session) transaction(verb, arg string) {
	if !se.open {
		se.line("-ERR not logged in")
		return
	}
	number, rest, _ := strings.Cut(arg, " ")
	i, err := strconv.Atoi(number)
	i--
	there := err == nil && i >= 0 && i < len(se.drop) && !se.deleted[i]
	switch {
	case verb == "STAT":
		count, octets := 0, int64(0)
		se.each(func(_ int, m Message) { count, octets = count+1, octets+m.Size })
		se.line(fmt.Sprintf("+OK %d %d", count, octets))
	case verb == "RSET":
		clear(se.deleted)
		se.line("+OK")
	case (verb == "LIST" || verb == "UIDL") && arg == "":
		se.line("+OK")
		se.each(func(i int, m Message) { se.line(entry(verb, i, m)) })
		se.line(".")
	case !there:
		se.line("-ERR no such message")
	case verb == "LIST" || verb == "UIDL":
		se.line("+OK " + entry(verb, i, se.drop[i]))
	case verb == "DELE":
		se.deleted[i] = true
		se.line("+OK")
	case verb == "RETR":
		se.send(se.drop[i].Text)
	case verb == "TOP":
		n, _ := strconv.Atoi(rest)
		se.send(head(complete(se.drop[i].Text), n))
	default:
		se.line("-ERR unknown command")
	}
}

func (se *session) each(f func(i int, m Message)) {
	for i, m := range se.drop {
		if !se.deleted[i] {
			f(i, m)
		}
	}
}

func entry(verb string, i int, m Message) string {
	if verb == "LIST" {
		return fmt.Sprintf("%d %d", i+1, m.Size)
	}
	return fmt.Sprintf("%d %s", i+1, m.ID)
}

func (se *session) send(text string) {
	se.line("+OK")
	io.WriteString(se.w, stuff(text))
	se.line(".")
}

// stuff puts a dot in front of each line that begins with one.
func stuff(text string) string {
	text = strings.ReplaceAll(complete(text), "\n.", "\n..")
	if strings.HasPrefix(text, ".") {
		text = "." + text
	}
	return text
}

// complete ends a text in CRLF.
func complete(text string) string {
	if text == "" || strings.HasSuffix(text, "\r\n") {
		return text
	}
	return text + "\r\n"
}

// head is the header and n lines.
func head(text string, n int) string {
	header, body, _ := strings.Cut(text, "\r\n\r\n")
	lines := strings.SplitAfter(body, "\r\n")
	return header + "\r\n\r\n" + strings.Join(lines[:min(n, len(lines))], "")
}
