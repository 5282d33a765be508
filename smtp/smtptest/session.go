package smtptest

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/mailstead/mailstead/smtp"
)

// reply sends the reply that Options wants, or usual; false: the session ends.
func (se *serverSession) reply(command, usual string) bool {
	return se.send(se.decide(command, usual))
}

// answer also reports whether a 2xx or 3xx was sent.
func (se *serverSession) answer(command, usual string) (positive, ok bool) {
	text := se.decide(command, usual)
	return accepts(text), se.send(text)
}

func (se *serverSession) decide(command, usual string) string {
	if se.s.opts.Reply != nil {
		if own := se.s.opts.Reply(command); own != "" {
			return own
		}
	}
	return usual
}

func accepts(text string) bool { return text[0] == '2' || text[0] == '3' }

func (se *serverSession) send(text string) bool {
	switch text {
	case "close":
		return false
	case "hang":
		if se.w.Flush() == nil {
			io.Copy(io.Discard, se.r)
		}
		return false
	}
	fmt.Fprintf(se.w, "%s\r\n", text)
	if se.r.Buffered() == 0 && se.w.Flush() != nil {
		return false
	}
	return !strings.HasPrefix(text, "421") && !strings.HasPrefix(text, "221")
}

// command serves one command; false: the session ends.
func (se *serverSession) command() bool {
	line, err := se.r.ReadString('\n')
	if err != nil {
		return false
	}
	line = strings.TrimRight(line, "\r\n")
	verb, arg, _ := strings.Cut(line, " ")
	switch strings.ToUpper(verb) {
	case "EHLO", "LHLO", "HELO":
		return se.hello(line, arg)
	case "STARTTLS":
		return se.starttls(line)
	case "AUTH":
		return se.auth(line, arg)
	case "MAIL":
		return se.mail(line)
	case "RCPT":
		return se.rcpt(line)
	case "DATA":
		return se.data(line)
	case "BDAT":
		return se.bdat(line, arg)
	case "RSET":
		se.reset()
		return se.reply(line, "250 2.0.0 OK")
	case "NOOP":
		return se.reply(line, "250 2.0.0 OK")
	case "QUIT":
		return se.reply(line, "221 2.0.0 Bye")
	}
	return se.reply(line, "500 5.5.1 Command unrecognized")
}

func (se *serverSession) hello(line, arg string) bool {
	se.m.Hello = arg
	se.reset()
	if strings.HasPrefix(strings.ToUpper(line), "HELO") {
		return se.reply(line, "250 smtptest.example")
	}
	return se.reply(line, se.extensions())
}

func (se *serverSession) starttls(line string) bool {
	if se.s.server == nil || se.m.TLS {
		return se.reply(line, "502 5.5.1 TLS is not offered")
	}
	positive, ok := se.answer(line, "220 2.0.0 Go ahead")
	return ok && (!positive || se.startTLS())
}

// auth: PLAIN (RFC 4616) and LOGIN, with and without an initial response.
func (se *serverSession) auth(line, arg string) bool {
	mech, ir, _ := strings.Cut(arg, " ")
	if se.s.opts.Auth == nil {
		return se.reply(line, "502 5.5.1 AUTH is not offered")
	}
	var user, password string
	var ok bool
	switch strings.ToUpper(mech) {
	case "PLAIN":
		var text string
		if text, ok = se.response(ir, ""); ok {
			if parts := strings.Split(text, "\x00"); len(parts) == 3 {
				user, password = parts[1], parts[2]
			}
		}
	case "LOGIN":
		if user, ok = se.response(ir, "VXNlcm5hbWU6"); ok {
			password, ok = se.response("", "UGFzc3dvcmQ6")
		}
	default:
		return se.reply(line, "504 5.5.4 Unknown mechanism")
	}
	if !ok {
		return false
	}
	if !se.s.opts.Auth(user, password) {
		return se.reply(line, "535 5.7.8 Bad credentials")
	}
	positive, ok := se.answer(line, "235 2.7.0 OK")
	if positive {
		se.m.User = user
	}
	return ok
}

// response is the initial response, or the answer to a challenge. What is no
// base64 is empty.
func (se *serverSession) response(ir, challenge string) (text string, ok bool) {
	if ir == "" {
		if !se.send("334 " + challenge) {
			return "", false
		}
		line, err := se.r.ReadString('\n')
		if err != nil {
			return "", false
		}
		ir = strings.TrimRight(line, "\r\n")
	}
	raw, err := base64.StdEncoding.DecodeString(ir)
	if err != nil {
		return "", true
	}
	return string(raw), true
}

func (se *serverSession) mail(line string) bool {
	_, arg, _ := strings.Cut(line, ":")
	path, n, err := smtp.ConsumeReversePath([]byte(arg), true)
	if err != nil {
		return se.reply(line, "501 5.1.7 Syntax error")
	}
	params, err := smtp.ParseMailParams([]byte(arg[n:]))
	if err != nil {
		return se.reply(line, "501 5.5.4 Syntax error")
	}
	positive, ok := se.answer(line, "250 2.1.0 OK")
	se.reset()
	if positive {
		se.m.ReversePath, se.m.Params = path, params
	}
	return ok
}

func (se *serverSession) rcpt(line string) bool {
	_, arg, _ := strings.Cut(line, ":")
	path, n, err := smtp.ConsumeForwardPath([]byte(arg), true)
	if err != nil {
		return se.reply(line, "501 5.1.3 Syntax error")
	}
	params, err := smtp.ParseRcptParams([]byte(arg[n:]))
	if err != nil {
		return se.reply(line, "501 5.5.4 Syntax error")
	}
	positive, ok := se.answer(line, "250 2.1.5 OK")
	if positive {
		se.m.Recipients = append(se.m.Recipients, smtp.Recipient{ForwardPath: path, Params: params})
	}
	return ok
}

func (se *serverSession) data(line string) bool {
	if len(se.m.Recipients) == 0 {
		return se.reply(line, "503 5.5.1 No valid recipients")
	}
	go354 := se.decide(line, "354 Go ahead")
	if ok := se.send(go354); !ok || go354[0] != '3' {
		return ok
	}
	if se.w.Flush() != nil {
		return false
	}
	var err error
	if se.m.Data, err = readDots(se.r); err != nil {
		return false
	}
	return se.endOfBody()
}

// bdat: RFC 3030 §2. The chunk is read whatever becomes of it.
func (se *serverSession) bdat(line, arg string) bool {
	digits, tail, _ := strings.Cut(arg, " ")
	n, err := strconv.ParseInt(digits, 10, 32)
	if err != nil || n < 0 {
		se.send("501 5.5.4 Syntax error")
		return false
	}
	chunk := make([]byte, n)
	if _, err := io.ReadFull(se.r, chunk); err != nil {
		return false
	}
	if len(se.m.Recipients) == 0 {
		return se.reply(line, "503 5.5.1 No valid recipients")
	}
	se.m.Data, se.m.Chunked = append(se.m.Data, chunk...), true
	if strings.EqualFold(tail, "LAST") {
		return se.endOfBody()
	}
	positive, ok := se.answer(line, "250 2.0.0 OK")
	if !positive {
		se.reset()
	}
	return ok
}

const queued = "250 2.0.0 OK queued as smtptest"

// endOfBody answers a whole body and keeps it for those who are told so.
func (se *serverSession) endOfBody() bool {
	m := se.m
	se.reset()
	prdr := m.Params.PRDR && len(m.Recipients) > 1
	if !se.s.opts.LMTP && !prdr {
		text := se.decide(".", queued)
		if accepts(text) {
			se.s.keep(m)
		}
		return se.send(text)
	}
	var replies []string
	if prdr {
		replies = append(replies, "353 Content analysis")
	}
	var kept []smtp.Recipient
	for _, r := range m.Recipients {
		text := se.decide(". <"+r.ForwardPath.String()+">", "250 2.0.0 OK")
		if accepts(text) {
			kept = append(kept, r)
		}
		replies = append(replies, text)
	}
	if prdr {
		text := se.decide(".", queued)
		if !accepts(text) {
			kept = nil
		}
		replies = append(replies, text)
	}
	if m.Recipients = kept; len(kept) > 0 {
		se.s.keep(m)
	}
	for _, text := range replies {
		if !se.send(text) {
			return false
		}
	}
	return true
}

// readDots reads up to CRLF "." CRLF and removes dot-stuffing (RFC 5321 §4.5.2).
func readDots(r *bufio.Reader) ([]byte, error) {
	var body bytes.Buffer
	for start := true; ; {
		line, err := r.ReadBytes('\n')
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
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
