package imapserver

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/store"
)

// A rev2Change is one line of RFC 9051 Appendix E: what a client that enabled
// IMAP4rev2 meets.
type rev2Change struct {
	number  int
	about   string
	command string
	want    []string // each matches a line of the answer, the tagged one included
	never   []string // none matches
	where   string   // proved elsewhere, or why there is nothing to prove
}

// rev2Changes are all lines of the appendix, in its order. The mailbox has
// message 1 with \Deleted and message 2; 10 octets and 20.
var rev2Changes = []rev2Change{
	{1, "64-bit sizes", "FETCH 2 (RFC822.SIZE)", []string{`\* 2 FETCH \(RFC822.SIZE 20\)`}, nil, ""},
	{2, "folded in: NAMESPACE", "NAMESPACE", []string{`\* NAMESPACE \(\(.*`}, nil, ""},
	{2, "folded in: UIDPLUS", "UID EXPUNGE 99", []string{`OK .*`}, nil, ""},
	{2, "folded in: ESEARCH", "SEARCH RETURN (MIN COUNT) ALL", []string{`\* ESEARCH \(TAG ".*"\) MIN 1 COUNT 2`}, nil, ""},
	{2, "folded in: SEARCHRES", "SEARCH RETURN (SAVE) SEEN", []string{`OK .*`}, nil, ""},
	{2, "folded in: SEARCHRES", "FETCH $ (UID)", []string{`OK .*`}, []string{`\* .*`}, ""},
	{2, "folded in: ENABLE", "ENABLE IMAP4rev2", []string{`\* ENABLED`}, nil, ""},
	{2, "folded in: LIST-EXTENDED, LIST-STATUS", "LIST (SUBSCRIBED) \"\" * RETURN (STATUS (MESSAGES))", []string{`OK .*`}, nil, ""},
	{2, "folded in: BINARY", "FETCH 2 (BINARY.PEEK[1] BINARY.SIZE[1])", []string{`OK .*`}, nil, ""},
	{2, "folded in: SPECIAL-USE", "LIST \"\" INBOX RETURN (SPECIAL-USE)", []string{`\* LIST \(.*\) "/" INBOX`}, nil, ""},
	{2, "folded in: MOVE, IDLE, UNSELECT, SASL-IR, LITERAL-", "", nil, nil, "dialogues of their own, without ENABLE"},
	{3, "STATUS SIZE and DELETED", "STATUS INBOX (SIZE DELETED)", []string{`\* STATUS INBOX \(SIZE 30 DELETED 1\)`}, nil, ""},
	{4, "ESEARCH always", "SEARCH DELETED", []string{`\* ESEARCH \(TAG ".*"\) ALL 1`}, []string{`\* SEARCH.*`}, ""},
	{4, "ESEARCH always", "UID SEARCH SEEN", []string{`\* ESEARCH \(TAG ".*"\) UID`}, []string{`\* SEARCH.*`}, ""},
	{5, "substring matching", "SEARCH SUBJECT ell", []string{`\* ESEARCH .* ALL 2`}, nil, ""},
	{6, "RFC 2231 parameters", "", nil, nil, "TestJoinContinuations of internal/mime"},
	{7, "COPYUID of MOVE and UID MOVE", "", nil, nil, "testdata/copy_move.txt"},
	{8, "TRYCREATE", "COPY 1 nowhere", []string{`NO \[TRYCREATE\] .*`}, nil, ""},
	{9, "CLOSED", "SELECT INBOX", []string{`\* OK \[CLOSED\] .*`}, nil, ""},
	{10, "LIST at SELECT", "SELECT INBOX", []string{`\* LIST \(\\HasChildren\) "/" INBOX`}, nil, ""},
	{10, "LIST at SELECT", "EXAMINE inbox", []string{`\* LIST \(\\HasChildren\) "/" INBOX \("OLDNAME" \(inbox\)\)`}, nil, ""},
	{11, "no UNSEEN", "SELECT INBOX", []string{`\* 2 EXISTS`}, []string{`.*\[UNSEEN.*`}, ""},
	{12, "no RECENT", "SELECT INBOX", []string{`\* 2 EXISTS`}, []string{`.*RECENT`}, ""},
	{12, `no \Recent`, "FETCH 1:2 (FLAGS)", []string{`\* 1 FETCH \(FLAGS \(\\Deleted\)\)`, `\* 2 FETCH \(FLAGS \(\)\)`}, []string{`.*Recent.*`}, ""},
	{12, "SEARCH NEW", "SEARCH NEW", []string{`\* ESEARCH \(TAG ".*"\)`}, nil, ""},
	{13, `PERMANENTFLAGS with \*`, "SELECT INBOX", []string{`\* OK \[PERMANENTFLAGS \(.*\\\*\)\].*`}, nil, ""},
	{14, "number64 in parameters", "", nil, nil, "a rule of the grammar that no command here uses"},
	{15, "keywords", "STORE 2 +FLAGS ($Forwarded $MDNSent $Junk $NotJunk $Phishing)", []string{`\* 2 FETCH \(UID 2 FLAGS \(\$Forwarded .*\)\)`}, nil, ""},
	{16, "names in UTF-8", `CREATE "Entwürfe"`, []string{`OK .*`}, nil, ""},
	{16, "names in UTF-8", `LIST "" "Entw*"`, []string{`\* LIST \(.*\) "/" "Entwürfe"`}, []string{`.*&APw-.*`}, ""},
	{16, "normalized names", "CREATE \"u\u0308\"", []string{"\\* LIST \\(.*\\) \"/\" \"\u00fc\" \\(\"OLDNAME\" \\(\"u\u0308\"\\)\\)"}, nil, ""},
	{16, "& is itself", `CREATE "R&D"`, []string{`OK .*`}, nil, ""},
	{16, "& is itself", `LIST "" "R&*"`, []string{`\* LIST \(.*\) "/" R&D`}, nil, ""},
	{17, "CHECK", "CHECK", []string{`OK .*`}, nil, ""},
	{18, "RFC822.HEADER", "FETCH 1 (RFC822.HEADER)", []string{`\* 1 FETCH \(RFC822.HEADER \{.*`}, nil, ""},
	{19, "LSUB", `LSUB "" *`, []string{`OK .*`}, nil, ""},
	{20, "IDLE tells of more", "", nil, nil, "a permission; NOTIFY uses it"},
	{21, "UID in what was not asked for", "STORE 1 +FLAGS (\\Seen)", []string{`\* 1 FETCH \(UID 1 FLAGS \(\\Deleted \\Seen\)\)`}, nil, ""},
	{21, "UID in what was not asked for", "FETCH 2 BODY[TEXT]", []string{`\* 2 FETCH \(UID 2 FLAGS \(.*\\Seen.*\) BODY\[TEXT\] .*`}, nil, ""},
	{22, "unknown response codes", "", nil, nil, "a rule for clients"},
	{23, "empty text", "", nil, nil, "a rule for clients; every response here has a text"},
	{24, "text in UTF-8", "", nil, nil, "a permission; every text here is US-ASCII"},
	{25, "TLS", "", nil, nil, "crypto/tls"},
	{26, "ALERT and PREAUTH", "", nil, nil, "neither is sent"},
	{27, "SCRAM-SHA-256", "", nil, nil, "auth/login offers it; there is no DIGEST-MD5"},
	{28, "any command resets the timer", "", nil, nil, "TestIdleTimeout and its neighbours in timeout_test.go"},
	{29, "registration", "", nil, nil, "a rule for IANA; no capability here starts with X"},
	{30, "closing connections", "", nil, nil, "TestShutdown and its neighbours"},
}

// TestRev2Changes goes through the appendix line by line.
func TestRev2Changes(t *testing.T) {
	st := testStore(t)
	dial := listenAndServe(t, testServer(t, testConfig(st)))
	deliver(t, st, "alice", "INBOX", "a: 12\r\n\r\nb", store.Deleted)
	deliver(t, st, "alice", "INBOX", "Subject: hello\r\n\r\nyz", 0)
	c := newModelClientOn(t, "a", rev2, dial)
	if !c.has(rev2) {
		t.Fatal("IMAP4rev2 cannot be enabled")
	}
	c.run("CREATE INBOX/below")
	c.selectBox("INBOX")
	next := 1
	for _, change := range rev2Changes {
		if change.number > next+1 || change.number < next {
			t.Errorf("line %d of the appendix stands behind line %d", change.number, next)
		}
		next = change.number
		if change.command == "" {
			if change.where == "" {
				t.Errorf("%d %s: proved nowhere", change.number, change.about)
			}
			continue
		}
		c.open = !strings.HasPrefix(change.command, "SELECT") && !strings.HasPrefix(change.command, "EXAMINE")
		if !c.open {
			c.known = nil
		}
		var lines []string
		c.hear = func(l string) { lines = append(lines, l) }
		lines = append(lines, c.run(change.command))
		change.check(t, lines)
	}
	if next != 30 {
		t.Errorf("the last line is %d", next)
	}
}

func (c *rev2Change) check(t *testing.T, lines []string) {
	t.Helper()
	matches := func(pattern string) bool {
		re := regexp.MustCompile("^(?:" + pattern + ")$")
		return slices.ContainsFunc(lines, re.MatchString)
	}
	for _, want := range c.want {
		if !matches(want) {
			t.Errorf("%d %s: no line of\n%s\nis %s", c.number, c.about, strings.Join(lines, "\n"), want)
		}
	}
	for _, never := range c.never {
		if matches(never) {
			t.Errorf("%d %s: a line of\n%s\nis %s", c.number, c.about, strings.Join(lines, "\n"), never)
		}
	}
}

// TestRev2Whole: IMAP4rev2 is announced with all that it has taken in.
func TestRev2Whole(t *testing.T) {
	s := &session{state: authenticated, srv: &Server{}}
	for _, capability := range []imap.Capability{
		imap.CapIMAP4rev2, imap.CapNamespace, imap.CapUnselect, imap.CapUIDPlus, imap.CapESearch, imap.CapSearchRes,
		imap.CapEnable, imap.CapIdle, imap.CapSASLIR, imap.CapListExtended, imap.CapListStatus, imap.CapMove, imap.CapLiteralPlus,
		imap.CapBinary, imap.CapSpecialUse, imap.CapStatusSize,
	} {
		if !s.offers(capability) {
			t.Errorf("%s is not offered", capability)
		}
	}
}
