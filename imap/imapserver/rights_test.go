package imapserver

import (
	"fmt"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/acl"
	"github.com/mailstead/mailstead/store/memstore"
)

// need is a row of the matrix of RFC 4314 §4: what a command on alice's mailbox
// "box" takes of bob, and how it shows whether he may.
type need struct {
	name    string
	rights  string // all that are needed
	setup   string // commands before, separated by "|"; "" = none
	command string
	denied  string // starts the answer, or is part of an untagged one, without one of the rights
	granted string // with them
}

// matrix has every command and each right that it takes. The selected mailbox
// takes r besides.
var matrix = []need{
	{"LIST", "l", "", `LIST "" "Other Users/alice/box"`, "OK LIST", "* LIST ("},
	{"LIST STATUS", "r", "", `LIST "" "Other Users/alice/box" RETURN (STATUS (MESSAGES))`, `* LIST (\Noselect`, "* STATUS"},
	{"SUBSCRIBE", "l", "", `SUBSCRIBE "Other Users/alice/box"`, "NO", "OK"},
	{"UNSUBSCRIBE", "", "", `UNSUBSCRIBE "Other Users/alice/box"`, "", "OK"},
	{"CREATE", "k", "", `CREATE "Other Users/alice/box/new"`, "NO", "OK"},
	{"DELETE", "x", "", `DELETE "Other Users/alice/box"`, "NO", "OK"},
	{"RENAME away", "x", "", `RENAME "Other Users/alice/box" "Other Users/alice/yard/b"`, "NO", "OK"},
	{"RENAME to", "k", "", `RENAME "Other Users/alice/yard" "Other Users/alice/box/y"`, "NO", "OK"},
	{"SELECT", "r", "", `SELECT "Other Users/alice/box"`, "NO", "OK"},
	{"EXAMINE", "r", "", `EXAMINE "Other Users/alice/box"`, "NO", "OK"},
	{"STATUS", "r", "", `STATUS "Other Users/alice/box" (MESSAGES)`, "NO", "OK"},
	{"SETACL", "a", "", `SETACL "Other Users/alice/box" carol l`, "NO", "OK"},
	{"DELETEACL", "a", "", `DELETEACL "Other Users/alice/box" carol`, "NO", "OK"},
	{"GETACL", "a", "", `GETACL "Other Users/alice/box"`, "NO", "OK"},
	{"LISTRIGHTS", "a", "", `LISTRIGHTS "Other Users/alice/box" carol`, "NO", "OK"},
	{"APPEND", "i", "", "APPEND \"Other Users/alice/box\" {8+}\r\na: b\r\n\r\n", "NO", "OK"},
	{"COPY to", "i", "SELECT INBOX", `COPY 1 "Other Users/alice/box"`, "NO", "OK"},
	{"MOVE to", "i", "SELECT INBOX", `MOVE 1 "Other Users/alice/box"`, "NO", "OK"},
	{"MOVE away", "rte", `SELECT "Other Users/alice/box"`, "MOVE 1 INBOX", "NO|BAD", "OK"},
	{"EXPUNGE", "re", `SELECT "Other Users/alice/box"`, "EXPUNGE", "NO|BAD", "OK"},
	{"UID EXPUNGE", "re", `SELECT "Other Users/alice/box"`, "UID EXPUNGE 1:*", "NO|BAD", "OK"},
	{"CLOSE", "re", `SELECT "Other Users/alice/box"|CLOSE`, `STATUS "Other Users/alice/box" (MESSAGES)`, "MESSAGES 2|NO", "MESSAGES 1"},
	{"FETCH", "rs", `SELECT "Other Users/alice/box"|FETCH 1 BODY[]`, `FETCH 1 FLAGS`, "FLAGS (|BAD", `FLAGS (\Seen`},
	{"STORE seen", "rs", `SELECT "Other Users/alice/box"`, `STORE 1 +FLAGS (\Seen)`, "NO|BAD", `FLAGS (\Seen`},
	{"STORE deleted", "rt", `SELECT "Other Users/alice/box"`, `STORE 1 +FLAGS (\Deleted)`, "NO|BAD", `FLAGS (\Deleted`},
	{"STORE flagged", "rw", `SELECT "Other Users/alice/box"`, `STORE 1 +FLAGS (\Flagged)`, "NO|BAD", `FLAGS (\Flagged`},
	{"STORE keyword", "rw", `SELECT "Other Users/alice/box"`, `STORE 1 +FLAGS (kw)`, "NO|BAD", `FLAGS (kw`},
	{"STORE both", "rwt", `SELECT "Other Users/alice/box"`, `STORE 1 FLAGS (\Flagged \Deleted)`, `FLAGS (\Deleted|FLAGS (\Flagged \Recent)|BAD`, `FLAGS (\Flagged \Deleted`},
	{"STORE remove", "rt", `SELECT "Other Users/alice/box"`, `STORE 2 -FLAGS (\Deleted)`, "NO|BAD", `2 FETCH (FLAGS (`},
	{"REPLACE away", "rte", `SELECT "Other Users/alice/box"`, "REPLACE 1 INBOX {8+}\r\na: b\r\n\r\n", "NO|BAD", "OK"},
	{"REPLACE to", "i", "SELECT INBOX", "REPLACE 1 \"Other Users/alice/box\" {8+}\r\na: b\r\n\r\n", "NO", "OK"},
	{"ESEARCH", "r", "", `ESEARCH IN (mailboxes "Other Users/alice/box") ALL`, "OK", "* ESEARCH"},
	{"ESEARCH unnamed", "lr", "", `ESEARCH IN (subtree "Other Users/alice") UNSEEN`, "OK", `alice/box" UID`},
	{"CATENATE from", "r", "", `APPEND INBOX CATENATE (URL "/Other%20Users/alice/box/;UID=1")`, "NO", "OK"},
	{"GETQUOTAROOT", "r", "", `GETQUOTAROOT "Other Users/alice/box"`, "NO", "OK"},
	{"GETMETADATA", "lr", "", `GETMETADATA "Other Users/alice/box" /shared/comment`, "NO", "OK"},
	{"SETMETADATA private", "lr", "", `SETMETADATA "Other Users/alice/box" (/private/comment "x")`, "NO", "OK"},
	{"SETMETADATA shared", "lw", "", `SETMETADATA "Other Users/alice/box" (/shared/comment "x")`, "NO", "OK"},
}

// TestRightsMatrix: each command works with exactly the rights that it takes, and
// not without one of them, whatever other rights there are.
func TestRightsMatrix(t *testing.T) {
	for _, n := range matrix {
		t.Run(n.name, func(t *testing.T) {
			t.Parallel()
			if got := n.try(t, n.rights+n.visible()); !contains(got, n.granted) {
				t.Errorf("with %q:\n%s", n.rights, got)
			}
			for _, letter := range n.rights {
				rest := strings.ReplaceAll("lrswipkxtea", string(letter), "")
				if n.name == "GETMETADATA" || strings.HasPrefix(n.name, "SETMETADATA") {
					rest = strings.Map(keep("l"), n.rights) // any other right would do
					if letter == 'l' {
						rest = "rswip"
					} else if n.name == "SETMETADATA shared" {
						rest = "lrsip"
					}
				}
				if got := n.try(t, rest); !contains(got, n.denied) || contains(got, n.granted) {
					t.Errorf("without %c:\n%s", letter, got)
				}
			}
		})
	}
}

// visible are rights that only keep the mailbox from being hidden.
func (n *need) visible() string {
	if n.name == "LIST STATUS" {
		return "l"
	}
	return ""
}

func keep(letters string) func(rune) rune {
	return func(r rune) rune {
		if strings.ContainsRune(letters, r) {
			return r
		}
		return -1
	}
}

// contains reports whether text has one of the alternatives.
func contains(text, alternatives string) bool {
	for want := range strings.SplitSeq(alternatives, "|") {
		if strings.Contains(text, want) {
			return true
		}
	}
	return false
}

// try runs the command as bob with these rights on the box, on a new server.
func (n *need) try(t *testing.T, rights string) string {
	st := testStore(t)
	shareBox(t, st, rights)
	cfg := testConfig(st)
	cfg.Sharing = &Sharing{}
	c := dialClient(t, testServer(t, cfg))
	c.do("LOGIN bob secret")
	if n.setup != "" {
		for command := range strings.SplitSeq(n.setup, "|") {
			c.do(command)
		}
	}
	return c.do(n.command)
}

// shareBox makes alice's mailboxes box, with two messages, the second one
// \Deleted, and yard, which is all bob's, and a message in bob's INBOX.
func shareBox(t *testing.T, st *memstore.Store, rights string) {
	t.Helper()
	a, err := st.Open(t.Context(), "alice")
	if err != nil {
		t.Fatal(err)
	}
	box, yard := store.NewMailboxID(), store.NewMailboxID()
	ops := []store.Op{store.PutMailbox{ID: box, Create: true, Name: "box"}, store.PutMailbox{ID: yard, Create: true, Name: "yard"}}
	if _, err := a.Apply(t.Context(), store.Change{Ops: ops}); err != nil {
		t.Fatal(err)
	}
	r, err := acl.ParseRights(rights)
	if err != nil {
		t.Fatal(err)
	}
	for id, rights := range map[store.MailboxID]imap.Rights{box: r, yard: imap.RightsAll} {
		if err := acl.Set(t.Context(), st, "alice", id, "bob", acl.Modification{Rights: rights}); err != nil {
			t.Fatal(err)
		}
	}
	deliver(t, st, "alice", "box", "a: b\r\n\r\n", 0)
	deliver(t, st, "alice", "box", "a: b\r\n\r\n", store.Deleted)
	deliver(t, st, "bob", "INBOX", "a: b\r\n\r\n", store.Seen|store.Deleted|store.Flagged)
}

// TestFlagsOfNewMessages: APPEND, COPY and MOVE into a mailbox keep the flags
// that the user may set there, and never fail for others (RFC 4314 §4).
func TestFlagsOfNewMessages(t *testing.T) {
	for rights, want := range map[string]string{
		"lri": "()", "lris": `(\Seen)`, "lrit": `(\Deleted)`, "lriw": `(\Flagged kw)`, "lriswt": `(\Flagged \Deleted \Seen kw)`,
	} {
		for _, command := range []string{
			"APPEND \"Other Users/alice/box\" (\\Seen \\Deleted \\Flagged kw) {8+}\r\na: b\r\n\r\n",
			`COPY 1 "Other Users/alice/box"`, `MOVE 1 "Other Users/alice/box"`,
			`COPY 2 "Other Users/alice/box"`, `MOVE 2 "Other Users/alice/box"`, // within alice's account
		} {
			st := testStore(t)
			shareBox(t, st, rights)
			cfg := testConfig(st)
			cfg.Sharing = &Sharing{}
			c := dialClient(t, testServer(t, cfg))
			c.do("LOGIN bob secret")
			if strings.Contains(command, " 2 ") {
				deliver(t, st, "alice", "yard", "a: b\r\n\r\n", 0)
				deliver(t, st, "alice", "yard", "a: b\r\n\r\n", store.Seen|store.Deleted|store.Flagged)
				c.do(`SELECT "Other Users/alice/yard"`)
			} else {
				c.do("SELECT INBOX")
			}
			c.do("STORE 1:* +FLAGS (kw)")
			if got := c.do(command); !strings.Contains(got, " OK ") {
				t.Errorf("%s: %s with %s", command, got, rights)
			}
			c.do(`EXAMINE "Other Users/alice/box"`)
			got := c.do("UID FETCH * FLAGS")
			if got = strings.ReplaceAll(got, ` \Recent`, ""); !strings.Contains(strings.ReplaceAll(got, `(\Recent)`, "()"), "FLAGS "+want) {
				t.Errorf("%s with %s: %s", command, rights, got)
			}
		}
	}
}

// lines is a client that waits for its answers.
type lines struct {
	t  *testing.T
	n  int
	rw interface {
		Read([]byte) (int, error)
		Write([]byte) (int, error)
	}
	buf []byte
}

func dialClient(t *testing.T, srv *Server) *lines {
	t.Helper()
	nc, err := listenAndServe(t, srv)()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	c := &lines{t: t, rw: nc}
	c.until("* OK")
	return c
}

// do sends a command and returns everything up to its tagged answer.
func (c *lines) do(command string) string {
	c.n++
	tag := fmt.Sprintf("t%d", c.n)
	if _, err := fmt.Fprintf(c.rw, "%s %s\r\n", tag, command); err != nil {
		c.t.Fatal(err)
	}
	return c.until(tag + " ")
}

// until reads to the end of the line that starts so, or of the connection.
func (c *lines) until(start string) string {
	var all strings.Builder
	for {
		if i := strings.Index(string(c.buf), "\r\n"); i >= 0 {
			line := string(c.buf[:i])
			c.buf = c.buf[i+2:]
			all.WriteString(line + "\n")
			if strings.HasPrefix(line, start) {
				return all.String()
			}
			continue
		}
		p := make([]byte, 4096)
		n, err := c.rw.Read(p)
		if err != nil {
			return all.String()
		}
		c.buf = append(c.buf, p[:n]...)
	}
}
