package smtpserver

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"testing"
)

// replies are the last lines of the replies in out.
func replies(t *testing.T, out string) []string {
	t.Helper()
	var all []string
	for line := range strings.Lines(out) {
		if len(line) < 6 || !strings.HasSuffix(line, "\r\n") {
			t.Fatalf("bad reply line %q", line)
		}
		if line[3] == ' ' {
			all = append(all, line[:len(line)-2])
		}
	}
	return all
}

// converse sends the pieces of in behind EHLO, and returns what came back.
func converse(cfg Config, in ...string) string {
	hello := "EHLO c\r\n"
	if cfg.LMTP {
		hello = "LHLO c\r\n"
	}
	f := &flights{hello: hello, in: in, rounds: 1, keep: true}
	New(cfg).ServeConn(context.Background(), f)
	return f.out.String()
}

// naiveAnswers are the codes that a command line may have in reply, behind
// EHLO and outside of a transaction: RFC 5321 §4.1 read aloud.
func naiveAnswers(line string) string {
	line = strings.TrimRight(line, " \t")
	verb, arg, hasArg := strings.Cut(line, " ")
	arg = strings.TrimLeft(arg, " ")
	bare := func(code string) string {
		if hasArg {
			return "501"
		}
		return code
	}
	// Only ASCII letters fold: "ſ" is no S.
	switch fold := strings.Map(func(r rune) rune {
		if 'a' <= r && r <= 'z' {
			return r - 32
		}
		return r
	}, verb); fold {
	case "NOOP":
		return "250"
	case "RSET":
		return bare("250")
	case "QUIT":
		return bare("221")
	case "HELP":
		return "214"
	case "EXPN":
		return "502"
	case "VRFY":
		return "252 501 553"
	case "RCPT", "DATA":
		return "503"
	case "BDAT":
		return "503 501 552"
	case "STARTTLS":
		return bare("502")
	case "AUTH":
		return "502"
	case "EHLO", "HELO":
		if arg == "" || len(arg) > 255 || strings.ContainsFunc(arg, func(r rune) bool { return r <= ' ' || r > '~' }) {
			return "501"
		}
		return "250"
	case "MAIL":
		return "250 501 553 555 552"
	case "GET", "POST", "PUT", "HEAD", "OPTIONS", "CONNECT", "DELETE", "PATCH", "TRACE", "PRI":
		return "554"
	}
	return "500"
}

// FuzzCommandLine: a line has one reply, of a code that the naive reading
// allows, and the line behind it is the next command.
func FuzzCommandLine(f *testing.F) {
	for _, s := range []string{
		"NOOP x", "noop", "RſET", "RSET x", "QUIT", "MAIL FROM:<a@b> SIZE=1", "mail from:<a@b>", "VRFY \xff", "EHLO a b", "HELO",
		"BDAT x", "BDAT 5", "GET / HTTP/1.0", "", " ", "\tNOOP", "NOOP\t", "DATA ", "STARTTLS", "MAIL\x00FROM:<a@b>", "VRFY a SMTPUTF8",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, line string) {
		if strings.ContainsAny(line, "\n") || strings.HasSuffix(line, "\r") || len(line) > 2000 {
			return
		}
		const mark = "XMARK"
		got := replies(t, converse(scriptConfig("utf8", nil), line+"\r\n"+mark+"\r\n"+strings.Repeat("NOOP\r\n", 400)))
		if len(got) < 3 {
			t.Fatalf("%q: %q", line, got)
		}
		want := naiveAnswers(line)
		if !strings.Contains(want, got[2][:3]) {
			t.Fatalf("%q: %q, want one of %s", line, got[2], want)
		}
		verb, _, _ := strings.Cut(strings.ToUpper(line), " ")
		if ended := len(got) == 3; ended {
			if !strings.Contains("221 554 501 552", got[2][:3]) {
				t.Fatalf("%q ended the session: %q", line, got)
			}
		} else if verb != "BDAT" && !strings.HasPrefix(got[3], "500") {
			t.Fatalf("%q: %q behind it, want 500", line, got[3])
		}
	})
}

// ids are what differs between two runs of one dialogue.
var ids = regexp.MustCompile(`[0-9a-v]{26}`)

// FuzzSegments: however the octets arrive, the dialogue is the same, and so
// are the bodies.
func FuzzSegments(f *testing.F) {
	f.Add("MAIL FROM:<a@b>\r\nRCPT TO:<a@b>\r\nDATA\r\n..x\r\n.\r\nQUIT\r\n", []byte{0, 3}, byte(0))
	f.Add("MAIL FROM:<a@b>\r\nRCPT TO:<a@b>\r\nBDAT 3\r\na\r\nBDAT 2 LAST\r\n\r\nNOOP\r\n", []byte{1}, byte(1))
	f.Add("AUTH PLAIN\r\nAGEAcw==\r\nMAIL FROM:<who@b>\r\n", []byte{7, 0}, byte(2))
	f.Add("MAIL FROM:<a@b> PRDR\r\nRCPT TO:<late@b>\r\nRCPT TO:<a@b>\r\nBDAT 1 LAST\r\nxRSET\r\n", []byte{0}, byte(4))
	f.Add("BDAT 9999\r\nQUIT\r\n", []byte{0}, byte(0))
	f.Fuzz(func(t *testing.T, in string, cuts []byte, mode byte) {
		config := func() (Config, *actor) {
			cfg := scriptConfig("auth plaintext utf8 dsn binary prdr", nil)
			cfg.LMTP = mode&1 != 0
			cfg.Newlines = NewlinePolicy(mode >> 1 % 3)
			return cfg, cfg.Receiver.(*actor)
		}
		var pieces []string
		for rest, i := in, 0; rest != ""; i++ {
			n := 1
			if len(cuts) > 0 {
				n += int(cuts[i%len(cuts)])
			}
			n = min(n, len(rest))
			pieces = append(pieces, rest[:n])
			rest = rest[n:]
		}
		cfg, a := config()
		whole := ids.ReplaceAllString(converse(cfg, in), "ID")
		cfg, b := config()
		cut := ids.ReplaceAllString(converse(cfg, pieces...), "ID")
		if whole != cut || strings.Join(a.bodies, "|") != strings.Join(b.bodies, "|") {
			t.Fatalf("%q, mode %d, in pieces %q:\n%s%q\nwhole:\n%s%q", in, mode, pieces, cut, b.bodies, whole, a.bodies)
		}
	})
}

// chunkModel is RFC 3030 §2 and §4.2, and RFC 5321 §4.1.4, for a naive mind: it
// says what each command of a sequence has in reply.
type chunkModel struct {
	mail, rcpt, chunks bool
	body               string
	bodies             []string
}

// step runs one command, and returns its octets and the code of its reply.
func (m *chunkModel) step(op byte, n int) (in, code string) {
	payload := strings.Repeat("QUIT\r\n", n/6+1)[:n]
	switch op % 8 {
	case 0:
		in = "MAIL FROM:<a@b>\r\n"
		if m.mail {
			return in, "503"
		}
		*m = chunkModel{mail: true, bodies: m.bodies}
		return in, "250"
	case 1:
		in = "RCPT TO:<a@b>\r\n"
		if !m.mail || m.chunks {
			return in, "503"
		}
		m.rcpt = true
		return in, "250"
	case 2, 3:
		in = fmt.Sprintf("BDAT %d\r\n%s", n, payload)
		if !m.rcpt {
			return in, "503"
		}
		m.chunks = true
		m.body += payload
		return in, "250"
	case 4:
		in = fmt.Sprintf("BDAT %d LAST\r\n%s", n, payload)
		if !m.rcpt {
			return in, "503"
		}
		*m = chunkModel{bodies: append(m.bodies, m.body+payload)}
		return in, "250"
	case 5:
		in = fmt.Sprintf("BDAT %d FAST\r\n%s", n, payload)
		if !m.mail {
			return in, "503"
		}
		if m.chunks { // the body is lost with its chunk
			*m = chunkModel{bodies: m.bodies}
		}
		return in, "501"
	case 6:
		*m = chunkModel{bodies: m.bodies}
		return "RSET\r\n", "250"
	}
	if m.chunks || !m.rcpt {
		return "DATA\r\n", "503"
	}
	*m = chunkModel{bodies: append(m.bodies, "x\r\n")}
	return "DATA\r\nx\r\n.\r\n", "354 250"
}

// FuzzBDATSequence holds any mix of chunks and other verbs against the model.
func FuzzBDATSequence(f *testing.F) {
	f.Add([]byte{0, 1, 2, 3, 4}, []byte{0, 0, 5, 0, 7})
	f.Add([]byte{2, 0, 4, 1, 5, 2, 7, 6, 4}, []byte{6, 6, 6, 6, 6, 6, 6, 6, 6})
	f.Add([]byte{0, 1, 2, 5, 4, 0, 1, 7, 0, 1, 2, 6, 7}, []byte{1})
	f.Add([]byte{0, 5, 1, 5, 4}, []byte{48})
	f.Fuzz(func(t *testing.T, ops, sizes []byte) {
		if len(ops) > 200 || len(sizes) == 0 {
			return
		}
		var m chunkModel
		var in strings.Builder
		want := []string{"220", "250"}
		for i, op := range ops {
			text, codes := m.step(op, int(sizes[i%len(sizes)]))
			in.WriteString(text)
			want = append(want, strings.Fields(codes)...)
		}
		a := &actor{}
		cfg := quiet(Config{Receiver: a, Newlines: PreserveNewlines, Limits: Limits{Errors: -1, SoftErrors: -1}})
		out := converse(cfg, in.String()+"QUIT\r\n")
		var got []string
		for _, r := range replies(t, out) {
			got = append(got, r[:3])
		}
		want = append(want, "221")
		if strings.Join(got, " ") != strings.Join(want, " ") || strings.Join(a.bodies, "|") != strings.Join(m.bodies, "|") {
			t.Fatalf("%q:\n%v\nwant\n%v\nbodies %q, want %q", in.String(), got, want, a.bodies, m.bodies)
		}
	})
}
