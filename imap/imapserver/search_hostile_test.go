package imapserver

import (
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
)

// askCounted is ask that also returns the octets that the session allocated.
func askCounted(t *testing.T, in string) (out string, octets uint64) {
	t.Helper()
	st := testStore(t)
	deliver(t, st, "alice", "INBOX", seedMessage, 0)
	deliver(t, st, "alice", "INBOX", "x: y\r\n\r\n", 0)
	srv := testServer(t, testConfig(st))
	conn := &memoryConn{in: io.MultiReader(strings.NewReader("z1 LOGIN alice secret\r\nz2 SELECT INBOX\r\n"), strings.NewReader(in))}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if err := srv.ServeConn(conn); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	_, out, ok := strings.Cut(conn.out.String(), "SELECT completed\r\n")
	if !ok {
		t.Fatalf("no SELECT: %q", conn.out.String())
	}
	return out, after.TotalAlloc - before.TotalAlloc
}

// TestHostileSearch: what is made to cost a searching command much memory is
// answered, costs less than 1 MiB, and the session goes on.
func TestHostileSearch(t *testing.T) {
	_, idle := askCounted(t, "a NOOP\r\n")
	list := func(n int, format string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, format, i+1)
		}
		return b.String()
	}
	ranges := strings.TrimSuffix(list(9_000, "%d,"), ",")
	for _, tt := range []struct{ name, in, want string }{
		{"10,000 NOTs", "SEARCH " + strings.Repeat("NOT ", 10_000) + "ALL", "a NO [LIMIT]"},
		{"1,999 NOTs", "SEARCH " + strings.Repeat("NOT ", 1_999) + "ALL", "* SEARCH\r\na OK"},
		{"10,000 ORs", "SEARCH " + strings.Repeat("OR ", 10_000) + "ALL", "a NO [LIMIT]"},
		{"990 ORs", "SEARCH " + strings.Repeat("OR SEEN ", 990) + "ALL", "* SEARCH 1 2\r\na OK"},
		{"20,000 parentheses", "SEARCH " + strings.Repeat("(", 20_000) + "ALL", "a BAD nested too deeply"},
		{"parentheses and NOTs", "SEARCH " + strings.Repeat("(NOT ", 60) + "ALL" + strings.Repeat(")", 60), "* SEARCH 1 2\r\na OK"},
		{"64,000 keys", "SEARCH" + strings.Repeat(" 1", 32_000), "a NO [LIMIT]"},
		{"10,000 numbers", "SEARCH " + ranges, "* SEARCH 1 2\r\na OK"},
		{"10,000 UIDs", "UID SEARCH NOT UID " + ranges, "* SEARCH\r\na OK"},
		{"10,000 times all UIDs", "UID SEARCH UID " + strings.TrimSuffix(strings.Repeat("*:1,", 10_000), ","), "* SEARCH 1 2\r\na OK"},
		{"10,001 numbers", "SEARCH " + strings.Repeat("1,", 10_000) + "1", "a BAD"},
		{"numbers over 32 bits", "SEARCH 4294967296", "a BAD"},
		{"the greatest numbers", "SEARCH 4294967295:4294967294 NOT UID 4294967295", "* SEARCH\r\na OK"},
		{"zero", "SEARCH 0", "a BAD"},
		{"a window of all", "SEARCH RETURN (PARTIAL 4294967295:1) ALL", "* ESEARCH (TAG \"a\") PARTIAL (4294967295:1 1:2)\r\na OK"},
		{"the last window", "SEARCH RETURN (PARTIAL -4294967295:-4294967294) ALL", "* ESEARCH (TAG \"a\") PARTIAL (-4294967295:-4294967294 NIL)\r\na OK"},
		{"1,000 texts", "SEARCH " + strings.TrimSuffix(strings.Repeat("BODY xyz ", 1_000), " "), "* SEARCH\r\na OK"},
		{"1,000 fields", "SEARCH " + strings.TrimSuffix(strings.Repeat("NOT HEADER a b ", 660), " "), "* SEARCH 1 2\r\na OK"},
		{"a long text", "SEARCH SUBJECT " + strings.Repeat("x", 60_000), "* SEARCH\r\na OK"},
		{"10,000 result options", "SEARCH RETURN (" + strings.Repeat("MIN ", 10_000) + "MIN) ALL", "* ESEARCH (TAG \"a\") MIN 1\r\na OK"},
		{"10,000 sort criteria", "SORT (" + strings.Repeat("REVERSE DATE ", 4_000) + "TO) UTF-8 ALL", "* SORT "},
		{"10,000 REVERSEs", "SORT (" + strings.Repeat("REVERSE ", 7_000) + "TO) UTF-8 ALL", "a BAD"},
		{"an unknown algorithm", "THREAD " + strings.Repeat("x", 60_000) + " UTF-8 ALL", "a BAD"},
		{"1,000 mailboxes", "ESEARCH IN (mailboxes (" + strings.TrimSpace(list(1_000, "x%d ")) + ")) ALL", "a OK"},
		{"10,000 sources", "ESEARCH IN (" + strings.Repeat("personal ", 7_000) + "personal) ALL", "a BAD"},
		{"10,000 tags", "CANCELUPDATE" + strings.Repeat(` "a"`, 10_000), "a BAD Unknown tag"},
		{"MODSEQ over 63 bits", "SEARCH MODSEQ 18446744073709551615", "a BAD"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			out, octets := askCounted(t, "a "+tt.in+"\r\nb NOOP\r\n")
			if !strings.HasPrefix(out, tt.want) {
				t.Errorf("got %.300q, want %q", out, tt.want)
			}
			if !strings.HasSuffix(out, "b OK NOOP completed\r\n") {
				t.Errorf("the next command was not answered: %.300q", out)
			}
			if octets > idle+1<<20 && !raceDetector {
				t.Errorf("%d octets", octets-idle)
			}
			t.Logf("%d octets", int64(octets)-int64(idle))
		})
	}
}

// TestContextsBounded: what is kept up to date is bounded, and ends with the
// mailbox.
func TestContextsBounded(t *testing.T) {
	var in strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&in, "u%d SEARCH RETURN (UPDATE) ALL\r\n", i)
	}
	out, octets := askCounted(t, in.String()+"b UNSELECT\r\nc SELECT INBOX\r\nd STORE 1 +FLAGS.SILENT (\\Deleted)\r\ne EXPUNGE\r\n")
	if n := strings.Count(out, "NOUPDATE"); n != 1000-16 {
		t.Errorf("%d refusals", n)
	}
	if strings.Contains(out, "REMOVEFROM") {
		t.Error("a context outlived its mailbox")
	}
	if octets > 8<<20 && !raceDetector {
		t.Errorf("%d octets", octets)
	}
}
