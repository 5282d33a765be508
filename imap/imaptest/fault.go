package imaptest

import (
	"bytes"
	"regexp"
	"strings"
)

// Outcome says what a client owes when a server misbehaves.
type Outcome uint8

// The outcomes. With none of them may a client wait for ever, panic, or take
// something for mail that the server does not hold.
const (
	// MayFail: an error, or the right result.
	MayFail Outcome = iota

	// MustFail: an error.
	MustFail

	// MustWork: the right result. What the server does is allowed, or harmless.
	MustWork
)

// Fault is one way in which a server misbehaves.
type Fault struct {
	Name    string // "literal one octet short"
	Outcome Outcome

	// New spoils what a connection is sent; called for each connection, and again
	// behind STARTTLS. nil = nothing is spoilt.
	New func() Mangle

	// Setup changes the server before it serves; nil = nothing.
	Setup func(s *Server)

	// TLS: the client is told to use STARTTLS.
	TLS bool
}

// pass sends a piece as it is.
func pass(s *Stream, p Piece) error {
	_, err := s.Write(p.Data)
	return err
}

// HangAt sends n pieces (lines, or octets of literals) and then nothing.
func HangAt(n int) func() Mangle {
	return func() Mangle {
		left := n
		return func(s *Stream, p Piece) error {
			if left--; left < 0 {
				return s.Hang()
			}
			return pass(s, p)
		}
	}
}

// CutAfter sends n octets and closes the connection.
func CutAfter(n int) func() Mangle {
	return func() Mangle {
		left := n
		return func(s *Stream, p Piece) error {
			cut := p.Data[:min(left, len(p.Data))]
			left -= len(cut)
			if _, err := s.Write(cut); err != nil {
				return err
			}
			if left == 0 {
				return ErrClose
			}
			return nil
		}
	}
}

// Bytewise sends each octet in a write of its own.
func Bytewise() Mangle {
	return func(s *Stream, p Piece) error {
		for i := range p.Data {
			if _, err := s.Write(p.Data[i : i+1]); err != nil {
				return err
			}
		}
		return nil
	}
}

// OnLine calls f, in place of sending it, with the first line of each
// connection that matches the regular expression, or with each such line.
func OnLine(expr string, always bool, f Mangle) func() Mangle {
	re := regexp.MustCompile(expr)
	return func() Mangle {
		done := false
		return func(s *Stream, p Piece) error {
			if p.Literal || done && !always || !re.Match(p.Data) {
				return pass(s, p)
			}
			done = true
			return f(s, p)
		}
	}
}

// Before sends text in front of a line.
func Before(text string) Mangle {
	return func(s *Stream, p Piece) error {
		if err := s.Text(text); err != nil {
			return err
		}
		return pass(s, p)
	}
}

// Instead sends text in place of a line.
func Instead(text string) Mangle {
	return func(s *Stream, _ Piece) error { return s.Text(text) }
}

// announced is the size in the header of a literal.
var announced = regexp.MustCompile(`\{(\d+)\}`)

// Announce puts another size into the header of the first literal.
func Announce(size string) func() Mangle {
	return OnLine(`\{\d+\}\r\n$`, false, func(s *Stream, p Piece) error {
		return s.Text(announced.ReplaceAllString(string(p.Data), size))
	})
}

// endless is how much an endless server sends before it only hangs: more than a
// client should take, and little enough for a test.
const endless = 32 << 20

// Endless sends head, then text again and again for 32 MiB, then nothing.
func Endless(head, text string) Mangle {
	return func(s *Stream, _ Piece) error {
		if err := s.Text(head); err != nil {
			return err
		}
		if err := s.Repeat(text, endless); err != nil {
			return err
		}
		return s.Hang()
	}
}

// tagged matches the end of a command that a client of TestClient sends; bodies
// are inside the answer to FETCH.
const (
	anyTagged   = `^[^*+ ]+ OK`
	fetchLine   = `^\* \d+ FETCH \(.*\{\d+\}\r\n$`
	selectLine  = `^\* \d+ EXISTS\r\n$`
	listLine    = `^\* LIST `
	greeting    = `^\* OK \[CAPABILITY`
	startTLSEnd = `OK begin TLS\r\n$`
)

// Faults are the ways of misbehaving by name. TestClient goes through them.
func Faults() []Fault {
	return append(append(append(harmless(), literalFaults()...), lineFaults()...), stateFaults()...)
}

// harmless is what clients have to cope with.
func harmless() []Fault {
	unknown := "* X-NEWS (\"a\" {3}\r\nb\r\n NIL (1 2)) x\r\n"
	return []Fault{
		{Name: "octet by octet", Outcome: MustWork, New: Bytewise},
		{Name: "unknown responses between", Outcome: MustWork, New: OnLine(anyTagged, true, Before(unknown))},
		{Name: "unknown response codes", Outcome: MustWork, New: OnLine(anyTagged, true, Before("* OK [X-CODE (a \"b\") 1 {] text\r\n"))},
		{Name: "status responses of every kind", Outcome: MustWork, New: OnLine(anyTagged, true, Before("* NO slow\r\n* BAD hm\r\n* OK\r\n* OK \r\n"))},
		{Name: "unknown items of FETCH", Outcome: MustWork, New: OnLine(fetchLine, true, func(s *Stream, p Piece) error {
			return s.Text(strings.Replace(string(p.Data), "FETCH (", "FETCH (X-A NIL X-B (1 \"2\" ({2}\r\n)))) X.C[1]<2> 7 ", 1))
		})},
		{Name: "flags of another message meanwhile", Outcome: MustWork, New: OnLine(fetchLine, true, Before("* 2 FETCH (FLAGS (\\Seen))\r\n"))},
		{Name: "flood that ends", Outcome: MustWork, New: OnLine(anyTagged, false, Before(strings.Repeat("* OK still here\r\n", 1000)))},
		{Name: "wrong case of words", Outcome: MustWork, New: OnLine(fetchLine, true, func(s *Stream, p Piece) error {
			return s.Text(strings.Replace(string(p.Data), "FETCH (", "Fetch (", 1))
		})},
		{Name: "mailbox names from hell", Outcome: MustWork, New: OnLine(listLine, false, Before(evilNames()))},
	}
}

// evilNames are names of mailboxes that must not become names of files, nor
// break a client.
func evilNames() string {
	return "* LIST () \"/\" \"../../x\"\r\n" +
		"* LIST () \"/\" \"/etc/passwd\"\r\n" +
		"* LIST () \"/\" \"a/../../b\"\r\n" +
		"* LIST () \"\\\\\" \"C:\\\\x\"\r\n" +
		"* LIST () NIL \"\"\r\n" +
		"* LIST () \"/\" {5}\r\na\r\nb\x7f\r\n" +
		"* LIST () \"/\" \"&bad-utf7&\"\r\n" +
		"* LIST () \"/\" \"&AAoACg-\"\r\n" +
		"* LIST () \"/\" \"&2AE-\"\r\n" +
		"* LIST () \"/\" \"\xff\xfe\"\r\n" +
		"* LIST () \"/\" {4}\r\n\x1b[2J\r\n" +
		"* LIST (\\X-Attr \\Noselect) \"/\" \"" + strings.Repeat("a/", 2000) + "\"\r\n"
}

// literalFaults lie about literals.
func literalFaults() []Fault {
	shift := func(by int) func() Mangle {
		return OnLine(fetchLine, false, func(s *Stream, p Piece) error {
			n, _, _ := literalAtEnd(string(bytes.TrimRight(p.Data, "\r\n")))
			return s.Text(announced.ReplaceAllString(string(p.Data), "{"+itoa(n+int64(by))+"}"))
		})
	}
	return []Fault{
		{Name: "literal one octet short", Outcome: MustFail, New: shift(-1)},
		{Name: "literal one octet long", Outcome: MustFail, New: shift(1)},
		{Name: "literal that swallows the next responses", Outcome: MustFail, New: shift(100)},
		{Name: "literal of 10 GB announced", Outcome: MustFail, New: Announce("{10737418240}")},
		{Name: "literal of 2^63-1 announced", Outcome: MustFail, New: Announce("{9223372036854775807}")},
		{Name: "literal of 2^63 announced", Outcome: MustFail, New: Announce("{9223372036854775808}")},
		{Name: "literal of 40 digits announced", Outcome: MustFail, New: Announce("{" + strings.Repeat("9", 40) + "}")},
		{Name: "literal of negative size", Outcome: MustFail, New: Announce("{-1}")},
		{Name: "literal without a size", Outcome: MustFail, New: Announce("{}")},
		{Name: "endless literal", Outcome: MustFail, New: OnLine(fetchLine, false, func(s *Stream, p Piece) error {
			return Endless(announced.ReplaceAllString(string(p.Data), "{1099511627776}"), "0123456789abcde\n")(s, p)
		})},
		{Name: "large literal where a name belongs", Outcome: MustFail, New: OnLine(listLine, false, Endless("* LIST () \"/\" {1099511627776}\r\n", "x"))},
		{Name: "literal header without end", Outcome: MustFail, New: OnLine(fetchLine, false, Endless("* 1 FETCH (BODY[] {", "1"))},
	}
}

// lineFaults break the form of responses.
func lineFaults() []Fault {
	return []Fault{
		{Name: "endless greeting", Outcome: MustFail, New: OnLine(greeting, false, Endless("* OK ", "a"))},
		{Name: "endless line", Outcome: MustFail, New: OnLine(anyTagged, false, Endless("* OK [CAPABILITY ", "IMAP4rev1 "))},
		{Name: "endless flood", Outcome: MustFail, New: OnLine(anyTagged, false, Endless("", "* OK still here\r\n"))},
		{Name: "endless flood of LIST", Outcome: MustFail, New: OnLine(listLine, false, Endless("", "* LIST () \"/\" x\r\n"))},
		{Name: "endless nesting", Outcome: MustFail, New: OnLine(fetchLine, false, Endless("* 1 FETCH (X-A ", "("))},
		{Name: "deep nesting", Outcome: MayFail, New: OnLine(fetchLine, false, Before("* 1 FETCH (X-A "+strings.Repeat("(", 100000)+strings.Repeat(")", 100000)+")\r\n"))},
		{Name: "garbage for a greeting", Outcome: MustFail, New: OnLine(greeting, false, Instead("HTTP/1.1 400 Bad Request\r\n\r\n"))},
		{Name: "greeting BYE", Outcome: MustFail, New: OnLine(greeting, false, Instead("* BYE too many connections\r\n"))},
		{Name: "garbage between responses", Outcome: MayFail, New: OnLine(fetchLine, true, Before("\x00\x01\xff garbage\r\n"))},
		{Name: "an empty line", Outcome: MayFail, New: OnLine(fetchLine, true, Before("\r\n"))},
		{Name: "response that breaks off", Outcome: MayFail, New: OnLine(fetchLine, false, Before("* 1 FETCH (FLAGS (\r\n"))},
		{Name: "string that breaks off", Outcome: MayFail, New: OnLine(fetchLine, false, Before("* 1 FETCH (X-A \"abc\r\n"))},
		{Name: "NUL octets", Outcome: MayFail, New: OnLine(anyTagged, true, Before("* OK \x00\x00\r\n"))},
		{Name: "lines with LF only", Outcome: MayFail, New: func() Mangle {
			return func(s *Stream, p Piece) error {
				if p.Literal {
					return pass(s, p)
				}
				return s.Text(strings.ReplaceAll(string(p.Data), "\r\n", "\n"))
			}
		}},
		{Name: "answer with another tag", Outcome: MustFail, New: OnLine(anyTagged, true, Instead("zz999 OK done\r\n"))},
		{Name: "answer that comes twice", Outcome: MayFail, New: OnLine(anyTagged, true, func(s *Stream, p Piece) error {
			if err := pass(s, p); err != nil {
				return err
			}
			return pass(s, p)
		})},
		{Name: "BYE in the middle", Outcome: MustFail, New: OnLine(fetchLine, false, func(s *Stream, _ Piece) error {
			if err := s.Text("* BYE shutting down\r\n"); err != nil {
				return err
			}
			return ErrClose
		})},
	}
}

// stateFaults lie about the state of the mailbox or of the session.
func stateFaults() []Fault {
	return []Fault{
		{Name: "message number 0", Outcome: MayFail, New: OnLine(fetchLine, false, Before("* 0 FETCH (UID 1 FLAGS ())\r\n"))},
		{Name: "UID 0", Outcome: MayFail, New: OnLine(fetchLine, false, Before("* 1 FETCH (UID 0 FLAGS ())\r\n"))},
		{Name: "message that does not exist", Outcome: MayFail, New: OnLine(fetchLine, false, Before("* 4000000000 FETCH (UID 4000000000 FLAGS ())\r\n"))},
		{Name: "4,294,967,295 messages", Outcome: MayFail, New: OnLine(selectLine, false, Instead("* 4294967295 EXISTS\r\n"))},
		{Name: "number of 33 bits", Outcome: MayFail, New: OnLine(selectLine, false, Before("* 4294967296 EXISTS\r\n"))},
		{Name: "expunge of what is not there", Outcome: MayFail, New: OnLine(fetchLine, false, Before("* 4000000000 EXPUNGE\r\n* 0 EXPUNGE\r\n"))},
		{Name: "all UIDs vanish", Outcome: MayFail, New: OnLine(fetchLine, false, Before("* VANISHED 1:4294967295\r\n"))},
		{Name: "UIDVALIDITY changes in the middle", Outcome: MayFail, New: OnLine(fetchLine, false, Before("* OK [UIDVALIDITY 77] renumbered\r\n"))},
		{Name: "UIDVALIDITY 0", Outcome: MayFail, New: OnLine(`\[UIDVALIDITY`, true, Instead("* OK [UIDVALIDITY 0] none\r\n"))},
		{Name: "login refused", Outcome: MustFail, New: OnLine(`^[^*+ ]+ OK \[CAPABILITY .*welcome`, true, Instead("* OK bye\r\n* BYE go away\r\n"))},
		{Name: "octets behind STARTTLS", Outcome: MustFail, TLS: true, New: OnLine(startTLSEnd, false, func(s *Stream, p Piece) error {
			return s.Text(string(p.Data) + "* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] injected\r\n")
		})},
		{Name: "no STARTTLS", Outcome: MustFail, TLS: true, Setup: func(s *Server) { s.TLS = nil }},
		{Name: "greeting PREAUTH in front of STARTTLS", Outcome: MustFail, TLS: true, New: OnLine(greeting, false, Instead("* PREAUTH welcome\r\n"))},
		{Name: "certificate of another host", Outcome: MustFail, TLS: true, Setup: func(s *Server) { s.TLS, _ = Certificate("other.example") }},
		{Name: "certificate of an unknown authority", Outcome: MustFail, TLS: true, Setup: func(s *Server) { s.TLS, _ = Certificate(Host) }},
		{Name: "STARTTLS refused", Outcome: MustFail, TLS: true, New: OnLine(startTLSEnd, false, func(s *Stream, p Piece) error {
			return s.Text(strings.Replace(string(p.Data), " OK ", " NO ", 1))
		})},
	}
}
