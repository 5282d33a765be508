package imapserver

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/memstore"
)

// urlServer is a server with a name, on which bob submits mail. The INBOX of
// alice has one message.
func urlServer(t *testing.T) (*Server, *memstore.Store) {
	t.Helper()
	st := testStore(t)
	deliver(t, st, "alice", "INBOX", "Subject: s\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"+
		"--b\r\n\r\none\r\n--b\r\nContent-Type: text/html\r\nContent-Transfer-Encoding: base64\r\n\r\ndHdvAA==\r\n"+
		"--b\r\nContent-Transfer-Encoding: x-none\r\n\r\nthree\r\n--b--\r\n", 0)
	cfg := testConfig(st)
	cfg.Hostname = "h"
	cfg.SubmissionUser = func(_ context.Context, user store.AccountID) bool { return user == "bob" }
	return testServer(t, cfg), st
}

// say runs commands of one user and returns what the server said behind the
// login.
func say(t *testing.T, srv *Server, user, commands string) string {
	t.Helper()
	conn := &memoryConn{in: strings.NewReader("z LOGIN " + user + " secret\r\n" + commands)}
	if err := srv.ServeConn(conn); err != nil {
		t.Fatal(err)
	}
	_, out, _ := strings.Cut(conn.out.String(), "z OK ")
	_, out, _ = strings.Cut(out, "\r\n")
	return out
}

// authorized is a URL of alice with its token.
func authorized(t *testing.T, srv *Server, rump string) string {
	t.Helper()
	out := say(t, srv, "alice", "a GENURLAUTH \"imap://alice@h/INBOX/;UID=1"+rump+"\" INTERNAL\r\n")
	parts := strings.Split(out, "\"")
	if len(parts) != 3 {
		t.Fatalf("%s: %q", rump, out)
	}
	return parts[1]
}

func TestURLAccess(t *testing.T) {
	srv, _ := urlServer(t)
	const one, none = " {3}\r\none\r\n", " NIL\r\n"
	for _, tt := range []struct{ rump, user, want string }{
		{";URLAUTH=anonymous", "carol", one},
		{";URLAUTH=authuser", "carol", one},
		{";URLAUTH=user+carol", "carol", one},
		{";URLAUTH=user+carol", "bob", none},
		{";URLAUTH=submit+alice", "bob", one},
		{";URLAUTH=submit+alice", "carol", none},
		{";EXPIRE=2099-01-01T00:00:00Z;URLAUTH=anonymous", "carol", one},
		{";EXPIRE=2020-01-01T00:00:00Z;URLAUTH=anonymous", "alice", none},
	} {
		url := authorized(t, srv, "/;SECTION=1"+tt.rump)
		if out := say(t, srv, tt.user, "a URLFETCH \""+url+"\"\r\n"); out != "* URLFETCH \""+url+"\""+tt.want+"a OK URLFETCH completed\r\n" {
			t.Errorf("%s as %s: %q", tt.rump, tt.user, out)
		}
		forged := strings.Replace(url, "SECTION=1", "SECTION=2", 1)
		if out := say(t, srv, tt.user, "a URLFETCH \""+forged+"\"\r\n"); out != "* URLFETCH \""+forged+"\""+none+"a OK URLFETCH completed\r\n" {
			t.Errorf("forged %s: %q", tt.rump, out)
		}
	}
}

// RESETKEY ends what was authorized before, of one mailbox or of all.
func TestResetKey(t *testing.T) {
	srv, _ := urlServer(t)
	for _, command := range []string{"a RESETKEY\r\n", "a RESETKEY INBOX\r\n", "a RESETKEY INBOX INTERNAL\r\n"} {
		url := authorized(t, srv, ";URLAUTH=anonymous")
		fetch := func() bool { return !strings.Contains(say(t, srv, "bob", "a URLFETCH \""+url+"\"\r\n"), " NIL") }
		if authorized(t, srv, ";URLAUTH=anonymous") != url || !fetch() {
			t.Fatal("the URL is not authorized")
		}
		if say(t, srv, "alice", "a CREATE x\r\na RESETKEY x\r\n"); !fetch() {
			t.Error("the key of another mailbox was reset")
		}
		if say(t, srv, "alice", command); fetch() {
			t.Errorf("%q leaves the URL authorized", command)
		}
	}
}

// RFC 5524, and partial URLs of RFC 5550.
func TestURLFetchForms(t *testing.T) {
	srv, _ := urlServer(t)
	for _, tt := range []struct{ rump, items, want string }{
		{"/;SECTION=2", "", "{8}\r\ndHdvAA=="},
		{"/;SECTION=2", " BINARY", "(BINARY ~{4}\r\ntwo\x00)"},
		{"/;SECTION=2", " BODYPARTSTRUCTURE BODY", `(BODYPARTSTRUCTURE ("text" "html" ("charset" "us-ascii") NIL NIL "base64" 8 0 NIL NIL NIL NIL))` + " (BODY {8}\r\ndHdvAA==)"},
		{"/;SECTION=3", " BINARY", "(BINARY NIL)"},
		{"/;SECTION=2/;PARTIAL=1.2", " BINARY", "(BINARY ~{2}\r\nwo)"},
		{"/;SECTION=2/;PARTIAL=6", " BODY", "(BODY {2}\r\n==)"},
		{"/;SECTION=1.MIME", " BINARY BODYPARTSTRUCTURE", "(BODYPARTSTRUCTURE NIL) (BINARY {2}\r\n\r\n)"},
		{"/;SECTION=4", " BODY", "NIL"},
		{"", " BODYPARTSTRUCTURE", `(BODYPARTSTRUCTURE (("text" "plain" `},
	} {
		url := authorized(t, srv, tt.rump+";URLAUTH=anonymous")
		request := "(\"" + url + "\"" + tt.items + ")"
		if tt.items == "" {
			request = "\"" + url + "\""
		}
		if out := say(t, srv, "bob", "a URLFETCH "+request+"\r\n"); !strings.HasPrefix(out, "* URLFETCH \""+url+"\" "+tt.want) || !strings.HasSuffix(out, "a OK URLFETCH completed\r\n") {
			t.Errorf("%s%s: %q", tt.rump, tt.items, out)
		}
	}
}

// readsStore has messages of which only so many reads succeed.
type readsStore struct {
	store.Store
	left *int
}

type readsAccount struct {
	store.Account
	left *int
}

type readsContent struct {
	store.Content
	left *int
}

func (s readsStore) Open(ctx context.Context, id store.AccountID) (store.Account, error) {
	a, err := s.Store.Open(ctx, id)
	return readsAccount{a, s.left}, err
}

func (a readsAccount) Content(ctx context.Context, id store.MailboxID, uid store.UID) (store.Content, error) {
	c, err := a.Account.Content(ctx, id, uid)
	return readsContent{c, a.left}, err
}

func (c readsContent) ReadAt(p []byte, at int64) (int, error) {
	if *c.left--; *c.left < 0 {
		return 0, store.ErrTemporary
	}
	return c.Content.ReadAt(p, at)
}

// TestURLFetchFails: where a message cannot be read URLFETCH is answered NO
// without the start of a response, or the connection ends in the middle of one;
// never is a broken response followed by an answer.
func TestURLFetchFails(t *testing.T) {
	_, st := urlServer(t)
	left := 1 << 30
	cfg := testConfig(readsStore{st, &left})
	cfg.Hostname = "h"
	srv := testServer(t, cfg)
	for _, tt := range []struct {
		partial, items string
		want           []string
	}{
		{"1.2", "", []string{"cut", "whole"}},
		{"1.2", "BODY", []string{"cut", "whole"}},
		{"0.2", "BINARY", []string{"cut", "refused", "whole"}},
		{"1.2", "BODYPARTSTRUCTURE BINARY", []string{"refused", "whole"}},
	} {
		left = 1 << 30
		url := authorized(t, srv, "/;SECTION=2/;PARTIAL="+tt.partial+";URLAUTH=anonymous")
		request := "(\"" + url + "\" " + tt.items + ")"
		if tt.items == "" {
			request = "\"" + url + "\""
		}
		seen := map[string]bool{}
		for left = range 20 {
			reads := left
			out := say(t, srv, "alice", "a URLFETCH "+request+"\r\nb NOOP\r\n")
			switch {
			case strings.HasSuffix(out, "\r\na OK URLFETCH completed\r\nb OK NOOP completed\r\n") && !strings.Contains(out, "\"\r\n"):
				seen["whole"] = true
			case strings.HasPrefix(out, "a NO [UNAVAILABLE]") && strings.HasSuffix(out, "b OK NOOP completed\r\n"):
				seen["refused"] = true
			case !strings.Contains(out, "a OK") && !strings.Contains(out, "a NO") && !strings.Contains(out, "b OK"):
				seen["cut"] = true
			default:
				t.Errorf("%s after %d reads: %q", tt.items, reads, out)
			}
		}
		if got := slices.Sorted(maps.Keys(seen)); !slices.Equal(got, tt.want) {
			t.Errorf("%s %s: %v, want %v", tt.partial, tt.items, got, tt.want)
		}
	}
}
