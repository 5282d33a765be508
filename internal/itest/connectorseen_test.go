package itest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// seenBefore is how many messages a mailbox has when another program collects.
const seenBefore = 2

// What fetchmail and getmail have collected and left on a server is not collected
// again once their lists are taken over, and what comes later is. Without the
// lists all of it is.
func TestConnectorSeen(t *testing.T) {
	for _, tt := range []struct {
		name    string
		source  func(s *mailserver, more string) string
		collect func(t *testing.T, s *mailserver) (from string, files []string)
	}{
		{"fetchmail", pop3Source, collectFetchmail},
		{"getmail pop3", pop3Source, func(t *testing.T, s *mailserver) (string, []string) { return collectGetmail(t, s, "pop3s", alice) }},
		{"getmail imap", imapFolders, func(t *testing.T, s *mailserver) (string, []string) { return collectGetmail(t, s, "imaps", bob) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			folders := 1
			if strings.Contains(tt.name, "imap") {
				folders = 2
				s.login(t, bob, "INBOX").ok(`CREATE "Old/2025: a"`)
			}
			fillSeen(t, s, folders, 0, seenBefore)
			from, files := tt.collect(t, s)
			c := newConnector(t, tt.source(s, "leave = \"always\""))
			want := func(dir, text string) {
				t.Helper()
				if out := c.run(0, "--data", dir, "once"); !strings.HasPrefix(out, text) {
					t.Errorf("%s, want %s", out, text)
				}
			}
			want(t.TempDir(), fmt.Sprintf("collected %d,", seenBefore*folders)) // without the lists

			take := append([]string{"import-seen", from}, files...)
			for i, text := range []string{fmt.Sprint(seenBefore, " ids of "), "0 ids of "} {
				if out := c.run(0, take...); strings.Count(out, text) != folders {
					t.Errorf("import-seen, time %d:\n%s", i, out)
				}
			}
			want(c.dir, "collected 0,")
			fillSeen(t, s, folders, seenBefore, seenBefore+1)
			want(c.dir, fmt.Sprintf("collected %d,", folders))
			if out := c.run(0, take...); strings.Count(out, "0 ids of ") != folders {
				t.Errorf("import-seen behind it:\n%s", out)
			}
			want(c.dir, "collected 0,")
		})
	}
}

// imapFolders is bob's INBOX, and a folder whose name getmail's list cannot have.
func imapFolders(s *mailserver, more string) string {
	text := imapSource(s, more+"\nfolders = [\"INBOX\", \"Old/2025: a\"]")
	host, port := s.hostPort("imap")
	_, secure := s.hostPort("imaps")
	return strings.Replace(strings.Replace(text, `"imap"`, `"imaps"`, 1), fmt.Sprintf("host = %q\nport = %s\n", host, port), fmt.Sprintf("host = %q\nport = %s\n", host, secure), 1)
}

func fillSeen(t *testing.T, s *mailserver, folders, from, to int) {
	t.Helper()
	fillBoth(t, s, from, to)
	if folders < 2 {
		return
	}
	ic := s.login(t, bob, "INBOX")
	defer ic.c.Close()
	for id := from; id < to; id++ {
		ic.appendAll(`"Old/2025: a"`, message(100+id))
	}
}

func collectFetchmail(t *testing.T, s *mailserver) (from string, files []string) {
	bin := peer(t, "fetchmail")
	home, maildir := t.TempDir(), newMaildir(t, filepath.Join(t.TempDir(), "mail"))
	host, port := s.hostPort("pop3s")
	rc := writeFile(t, "rc", fmt.Appendf(nil, "set no bouncemail\npoll %s protocol pop3 service %s uidl no dns\nuser %q password %q ssl sslcertck sslcertfile %s "+
		"no rewrite no dropdelivered keep\nmda \"/bin/sh %s\"\n", host, port, alice, password, s.certFile(), syncedDelivery(t, maildir)))
	if err := os.Chmod(rc, 0o600); err != nil {
		t.Fatal(err)
	}
	ids := filepath.Join(home, ".fetchids")
	runPeer(t, false, bin, "-f", rc, "--nodetach", "--nosyslog", "--idfile", ids, "--pidfile", filepath.Join(home, "pid"))
	if n := len(maildirBodies(t, maildir)); n != seenBefore {
		t.Fatalf("fetchmail has collected %d messages", n)
	}
	return "fetchids", []string{ids}
}

func collectGetmail(t *testing.T, s *mailserver, protocol, user string) (from string, files []string) {
	peer(t, "getmail")
	host, port := s.hostPort(protocol)
	class, mailboxes := "SimplePOP3SSLRetriever", ""
	if protocol == "imaps" {
		class, mailboxes = "SimpleIMAPSSLRetriever", `mailboxes = ("INBOX", "Old/2025: a")`
	}
	state, maildir := t.TempDir(), newMaildir(t, filepath.Join(t.TempDir(), "mail"))
	rc := writeFile(t, "getmailrc", fmt.Appendf(nil, "[retriever]\ntype = %s\nserver = %s\nport = %s\nusername = %s\npassword = %s\nca_certs = %s\n%s\n"+
		"[destination]\ntype = MDA_external\npath = /bin/sh\nallow_root_commands = true\narguments = (%q,)\n[options]\nread_all = false\ndelete = false\n",
		class, host, port, user, password, s.certFile(), mailboxes, syncedDelivery(t, maildir)))
	runPeer(t, false, "getmail", "--getmaildir="+state, "--rcfile="+rc)
	files, err := filepath.Glob(filepath.Join(state, "oldmail-*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("getmail has left no list: %v", err)
	}
	return "oldmail", files
}
