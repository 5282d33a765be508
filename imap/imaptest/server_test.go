package imaptest

import (
	"net"
	"testing"
)

// dialogue plays a script against a server of its own.
func dialogue(t *testing.T, s *Server, text string) {
	t.Helper()
	script, err := Parse("dialogue.txt", text)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	p := Player{Dial: func() (net.Conn, error) { return s.DialContext(t.Context(), "", "") }}
	if err := p.Play(script); err != nil {
		t.Error(err)
	}
}

const loggedIn = "S~ \\* OK \\[CAPABILITY .*\nC: a LOGIN alice secret\nS~ a OK .*\n"

func TestServerDialogue(t *testing.T) {
	s := &Server{Account: NewAccount()}
	s.Account.Append("INBOX", "a: b\r\n\r\ncc\r\n", `\Seen`)
	s.Account.Append("INBOX", "a: b\r\n\r\ndd\r\n")
	s.Account.Create("Sent")
	dialogue(t, s, loggedIn+`
C: b ENABLE QRESYNC
S: * ENABLED QRESYNC
S: b OK done
C: c SELECT inbox (QRESYNC (1000 2))
S: * 2 EXISTS
S: * 0 RECENT
S~ \* FLAGS .*
S~ .*PERMANENTFLAGS.*
S: * OK [UIDVALIDITY 1000] valid
S: * OK [UIDNEXT 3] next
S: * OK [HIGHESTMODSEQ 3] highest
S: * 2 FETCH (UID 2 FLAGS () MODSEQ (3))
S: c OK [READ-WRITE] done
C: d UID FETCH 1:* (FLAGS BODY.PEEK[TEXT]<0.2>)
S: * 1 FETCH (UID 1 FLAGS (\Seen) BODY[TEXT]<0> {2}
S: cc)
S: * 2 FETCH (UID 2 FLAGS () BODY[TEXT]<0> {2}
S: dd)
S: d OK done
R: "e APPEND Sent (\\Draft) {4}\r\n"
S: + go on
R: "a: b\r\n"
S: e OK [APPENDUID 1001 1] done
C: f UID STORE 2 +FLAGS.SILENT (\Deleted)
S~ \* 2 FETCH .*MODSEQ \(4\)\)
S: f OK done
C: g UID COPY 1:2 Sent
S: g OK [COPYUID 1001 1:2 2:3] done
C: h UID EXPUNGE 1
S: h OK done
C: i UID EXPUNGE 2
S: * VANISHED 2
S: i OK done
C: j IDLE
S: + idling
2S~ \* OK .*
2C: a LOGIN alice secret
2S~ a OK .*
2R: "b APPEND INBOX {1+}\r\nx\r\n"
2S: b OK [APPENDUID 1000 3] done
S: * 2 EXISTS
C: DONE
S: j OK done
C: k UID SEARCH UID 1:2 SEEN
S: * SEARCH 1
S: k OK done
C: l UID MOVE 1 Sent
S: * OK [COPYUID 1001 1 4] moved
S: * VANISHED 1
S: l OK done
C: m UID FETCH 1:9 (FLAGS) (CHANGEDSINCE 1 VANISHED)
S: * VANISHED (EARLIER) 1:2
S~ \* 1 FETCH \(UID 3 FLAGS \(\) MODSEQ .*
S: m OK done
C: n STATUS Sent (MESSAGES UIDNEXT)
S: * STATUS Sent (MESSAGES 4 UIDNEXT 5)
S: n OK done
C: o LIST "" *
S: * LIST () "/" INBOX
S: * LIST () "/" Sent
S: o OK done
C: p FETCH 1 (ENVELOPE)
S~ \* 1 FETCH .*
S: p OK done
C: q X
S: q BAD unknown command
C: r LOGOUT
S~ \* BYE .*
S: r OK done
X:
`)
}

// TestServerVerbs: what a test decides goes in front of what the server does.
func TestServerVerbs(t *testing.T) {
	s := &Server{Caps: []string{"IMAP4rev1", "X"}, Verbs: map[string]Verb{
		"NOOP":  func(c *Conn, cmd *Command) error { return c.Tell(cmd, "NO [INUSE] never") },
		"CHECK": func(c *Conn, _ *Command) error { return ErrClose },
		"UID FETCH": func(c *Conn, cmd *Command) error {
			c.Send("* 9 FETCH (UID 9)")
			return c.Default(cmd)
		},
	}}
	dialogue(t, s, loggedIn+`
C: b NOOP
S: b NO [INUSE] never
C: c IDLE
S: c BAD unknown command
C: d EXAMINE INBOX
S: * 0 EXISTS
S: * 0 RECENT
S~ \* FLAGS .*
S~ .*PERMANENTFLAGS.*
S: * OK [UIDVALIDITY 1000] valid
S: * OK [UIDNEXT 1] next
S: d OK [READ-ONLY] done
C: e UID FETCH 1:* (FLAGS)
S: * 9 FETCH (UID 9)
S: e OK done
C: f CHECK
X:
`)
}
