package imapserver

import (
	"fmt"
	"io"
	"strings"
	"testing"
)

// ask runs commands on a selected mailbox of two messages and returns all that
// the server said.
func ask(t *testing.T, in string) string {
	t.Helper()
	st := testStore(t)
	deliver(t, st, "alice", "INBOX", seedMessage, 0)
	deliver(t, st, "alice", "INBOX", "x: y\r\n\r\n", 0)
	srv := testServer(t, testConfig(st))
	conn := &memoryConn{in: io.MultiReader(strings.NewReader("z1 LOGIN alice secret\r\nz2 SELECT INBOX\r\n"), strings.NewReader(in))}
	if err := srv.ServeConn(conn); err != nil {
		t.Fatal(err)
	}
	_, out, ok := strings.Cut(conn.out.String(), "SELECT completed\r\n")
	if !ok {
		t.Fatalf("no SELECT: %q", conn.out.String())
	}
	return out
}

// TestHostile sends what has brought down IMAP servers, or made them slow. The
// session goes on behind each.
func TestHostile(t *testing.T) {
	ranges := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, ",%d:%d", 1+i%2, 2)
		}
		return b.String()[1:]
	}
	tests := []struct{ name, in, want string }{
		{"10,000 NOTs", "a SEARCH " + strings.Repeat("NOT ", 10_000) + "ALL", "a NO [LIMIT]"},
		{"1,900 NOTs", "a SEARCH " + strings.Repeat("NOT ", 1_900) + "ALL", "* SEARCH 1 2\r\na OK"},
		{"10,000 ORs", "a SEARCH " + strings.Repeat("OR ", 10_000) + "ALL", "a NO [LIMIT]"},
		{"20,000 parentheses", "a SEARCH " + strings.Repeat("(", 20_000) + "ALL", "a BAD nested too deeply"},
		{"64 parentheses", "a SEARCH " + strings.Repeat("(", 64) + "ALL" + strings.Repeat(")", 64), "* SEARCH 1 2\r\na OK"},
		{"5,000 keys", "a SEARCH" + strings.Repeat(" ALL", 5_000), "a NO [LIMIT]"},
		{"10,000 ranges", "a FETCH " + ranges(10_000) + " UID", "* 1 FETCH (UID 1)\r\n* 2 FETCH (UID 2)\r\na OK"},
		{"10,001 ranges", "a FETCH " + ranges(10_001) + " UID", "a BAD"},
		{"all UIDs", "a UID FETCH 4294967295:1 UID", "* 1 FETCH (UID 1)\r\n* 2 FETCH (UID 2)\r\na OK"},
		{"20 wildcards", "a LIST \"\" " + strings.Repeat("*a", 20), "a OK"},
		{"partial beyond 32 bits", "a FETCH 1 BODY[]<1.9223372036854775807>", "a BAD"},
		{"partial at the end of 32 bits", "a FETCH 2 BODY.PEEK[]<4294967295.4294967295>", "* 2 FETCH (BODY[]<4294967295> {0}\r\n)\r\na OK"},
		{"literal of 2^63-1", "a LOGIN {9223372036854775807}", "a BAD Already logged in"},
		{"collected literal of 2^62", "a CREATE {4611686018427387904}", "a NO [TOOBIG]"},
		{"too many collected octets", "a LIST \"\" ({200000+}\r\n" + strings.Repeat("x", 200_000) + " {200000})", "a"},
		{"line too long", "a NOOP " + strings.Repeat("x", 70_000), "* BAD"},
		{"part numbers", "a FETCH 1 BODY.PEEK[" + strings.Repeat("1.", 10_000) + "1]", "* 1 FETCH (BODY[1.1."},
		{"1,001 sections", "a FETCH 1 (" + strings.Repeat("BODY.PEEK[] ", 1_000) + "BODY.PEEK[])", "a NO [LIMIT]"},
		{"101 sections to decode", "a FETCH 1 (" + strings.Repeat("BINARY.PEEK[1] ", 100) + "BINARY.SIZE[1])", "a NO [LIMIT]"},
		{"CATENATE of 2^63-1", "a APPEND INBOX CATENATE (URL ;UID=1 TEXT {9223372036854775807}", "a NO [TOOBIG]"},
		{"CATENATE of a long URL", "a APPEND INBOX CATENATE (URL /" + strings.Repeat("x", 20_000) + ")", "a NO [BADURL /xxx"},
		{"nested CATENATE", "a APPEND INBOX CATENATE (CATENATE (TEXT {1+}\r\nx))", "a BAD"},
		{"REPLACE of message 0", "a REPLACE 0 INBOX {1+}\r\nx", "a BAD"},
		{"REPLACE of everything", "a UID REPLACE 1:* INBOX {1+}\r\nx", "a BAD"},
		{"PARTIAL from 0", "a UID FETCH 1 UID (PARTIAL 0:1)", "a BAD"},
		{"1,000 patterns", "a LIST \"\" (" + strings.Repeat("x ", 1_000) + "x)", "a BAD"},
		{"NUL in a literal", "a CREATE {3+}\r\na\x00b", "a BAD"},
		{"CR in a name", "a CREATE {3+}\r\na\rb", "a NO [CANNOT]"},
		{"300 keywords", "a STORE 1 FLAGS (" + keywords(300) + ")", "a NO [LIMIT]"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			out := ask(t, tt.in+"\r\nb NOOP\r\n")
			if !strings.HasPrefix(out, tt.want) {
				t.Errorf("got %.300q, want %q", out, tt.want)
			}
			if !strings.HasSuffix(out, "b OK NOOP completed\r\n") {
				t.Errorf("the next command was not answered: %.300q", out)
			}
		})
	}
}

func keywords(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, " k%d", i)
	}
	return b.String()[1:]
}
