package imapserver

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/acl"
	"github.com/mailstead/mailstead/store/memstore"
)

// memoryConn is a connection whose client has said everything already.
type memoryConn struct {
	in  io.Reader
	out bytes.Buffer
}

func (c *memoryConn) Read(p []byte) (int, error)       { return c.in.Read(p) }
func (c *memoryConn) Write(p []byte) (int, error)      { return c.out.Write(p) }
func (c *memoryConn) Close() error                     { return nil }
func (c *memoryConn) LocalAddr() net.Addr              { return &net.UnixAddr{} }
func (c *memoryConn) RemoteAddr() net.Addr             { return &net.UnixAddr{} }
func (c *memoryConn) SetDeadline(time.Time) error      { return nil }
func (c *memoryConn) SetReadDeadline(time.Time) error  { return nil }
func (c *memoryConn) SetWriteDeadline(time.Time) error { return nil }

// logBook remembers what was logged as an error.
type logBook struct {
	mu     sync.Mutex
	errors bytes.Buffer
}

func (l *logBook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.errors.Write(p)
}

func (l *logBook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.errors.String()
}

const seedMessage = "From: Ann <a@b>\r\nTo: =?utf-8?q?B=C3=A4r?= <c@d>\r\nSubject: s\r\nMIME-Version: 1.0\r\n" +
	"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\none\r\n--x\r\nContent-Type: message/rfc822\r\n\r\n" +
	"Subject: in\r\n\r\ntwo\r\n--x--\r\n"

// FuzzSession gives arbitrary input to a session in each of its states. The
// server neither panics nor hangs, writes whole lines, never answers with an
// internal error, and answers the command behind the input when it is in step.
func FuzzSession(f *testing.F) {
	for _, in := range []string{
		"a NOOP\r\n", "a FETCH 1:* (FLAGS BODY[1.MIME]<0.5> BODY[2.HEADER.FIELDS (x)] ENVELOPE BODYSTRUCTURE)\r\n",
		"a SEARCH RETURN (MIN) CHARSET utf-8 OR NOT (TEXT {3+}\r\nabc SEEN) HEADER a \"b\" SENTON 1-Jan-2020\r\n",
		"a UID STORE 1,2 +FLAGS.SILENT (\\Seen k)\r\na EXPUNGE\r\n", "a LIST (SPECIAL-USE) \"\" (\"*%\") RETURN (CHILDREN)\r\n",
		"a APPEND INBOX (\\Seen) \" 1-Jan-2020 00:00:00 +0000\" {3+}\r\nabc\r\n", "a CREATE a/b (USE (\\Junk))\r\na RENAME a b\r\na DELETE b\r\n",
		"a IDLE\r\nDONE\r\n", "a AUTHENTICATE PLAIN =\r\nAGFsaWNlAHNlY3JldA==\r\n", "a ID (\"a\" NIL)\r\n", "a STATUS INBOX (MESSAGES RECENT)\r\n",
		"a COPY 1:* INBOX\r\na UID MOVE * INBOX\r\n", "a UID SEARCH TEXT two\r\n", "a LSUB \"\" %\r\na ENABLE x\r\na LOGOUT\r\n", "a SEARCH BODY o\r\n",
		"a SETACL INBOX bob +lr\r\na GETACL INBOX\r\na LISTRIGHTS INBOX -bob\r\na MYRIGHTS INBOX\r\na DELETEACL INBOX bob\r\n",
		"a SELECT \"Other Users/bob/INBOX\"\r\na STORE 1 FLAGS (\\Seen k)\r\na MOVE 1 INBOX\r\na NAMESPACE\r\n",
		"a SUBSCRIBE \"Other Users/bob/INBOX\"\r\na LIST (SUBSCRIBED RECURSIVEMATCH) \"\" % RETURN (MYRIGHTS STATUS (SIZE DELETED-STORAGE))\r\n",
		"a SETMETADATA INBOX (/private/comment ~{1+}\r\n\x00 /shared/comment NIL)\r\na GETMETADATA (DEPTH infinity MAXSIZE 9) INBOX (/private)\r\n",
		"a GETQUOTAROOT INBOX\r\na GETQUOTA alice\r\na SETQUOTA bob (STORAGE 5)\r\na CREATE \"Other Users/bob/INBOX/x\"\r\n",
		"a FETCH 1:* (BINARY[1]<0.5> BINARY.SIZE[] PREVIEW (LAZY) EMAILID THREADID SAVEDATE)\r\na UID FETCH 1:* UID (PARTIAL -1:-2 CHANGEDSINCE 1)\r\n",
		"a APPEND INBOX CATENATE (URL \"/INBOX/;UID=1/;SECTION=1\" TEXT {3+}\r\nabc) (\\Seen) ~{1+}\r\na\r\n",
		"a REPLACE 1 INBOX {3+}\r\nabc\r\na UID REPLACE 2 INBOX CATENATE (URL ;UID=2)\r\n",
		"a ENABLE UTF8=ACCEPT\r\na APPEND INBOX UTF8 (~{3+}\r\nabc)\r\na RESETKEY INBOX\r\na GETJMAPACCESS\r\n",
		"a GENURLAUTH \"imap://alice@h/INBOX/;UID=1;URLAUTH=anonymous\" INTERNAL\r\na URLFETCH (\"imap://alice@h/x\" BINARY BODYPARTSTRUCTURE) y\r\n",
	} {
		for state := range uint8(3) {
			f.Add(state, []byte(in))
		}
	}
	f.Fuzz(func(t *testing.T, state uint8, in []byte) { fuzzSession(t, state, in) })
}

// shareINBOX makes the account bob, who lets alice use his INBOX.
func shareINBOX(t *testing.T, st store.Store) {
	if err := st.Create(t.Context(), "bob", store.AccountInfo{}); err != nil {
		t.Fatal(err)
	}
	box := deliver(t, st, "bob", "INBOX", seedMessage, store.Flagged).Mailbox
	rights := imap.RightsAll &^ imap.RightSeen
	if err := acl.Set(t.Context(), st, "bob", box, "alice", acl.Modification{Rights: rights}); err != nil {
		t.Fatal(err)
	}
}

func fuzzSession(t *testing.T, state uint8, in []byte) {
	st := memstore.New(nil)
	defer st.Close()
	if err := st.Create(t.Context(), "alice", store.AccountInfo{}); err != nil {
		t.Fatal(err)
	}
	shareINBOX(t, st)
	deliver(t, st, "alice", "INBOX", seedMessage, 0)
	deliver(t, st, "alice", "INBOX", "", store.Deleted)
	cfg := testConfig(st)
	cfg.Sharing = &Sharing{}
	cfg.QuotaAdmin = func(context.Context, store.AccountID) bool { return true }
	cfg.Hostname, cfg.JMAPAccess = "h", "https://h/jmap"
	book := &logBook{}
	cfg.Logger = slog.New(slog.NewTextHandler(book, &slog.HandlerOptions{Level: slog.LevelError}))
	srv, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Close()
	start := []string{"", "z1 LOGIN alice secret\r\n", "z1 LOGIN alice secret\r\nz2 SELECT INBOX\r\n"}[state%3]
	conn := &memoryConn{in: io.MultiReader(strings.NewReader(start), bytes.NewReader(in))}
	if err := srv.ServeConn(conn); err != nil {
		t.Fatal(err)
	}
	out := conn.out.String()
	if !strings.HasSuffix(out, "\r\n") {
		t.Errorf("output ends in the middle of a line: %q", out)
	}
	if s := book.String(); s != "" {
		t.Errorf("logged: %s", s)
	}
	if state%3 > 0 && !strings.Contains(out, "z1 OK") {
		t.Errorf("no login: %q", out)
	}
}
