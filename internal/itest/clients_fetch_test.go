package itest

import (
	"fmt"
	"path/filepath"
	"testing"
)

// numbered are bodies of the messages from..to-1 as they lie in a Maildir.
func numbered(from, to int) map[string]bool {
	bodies := map[string]bool{}
	for i := from; i < to; i++ {
		bodies[string(bodyOf(unix(small(i))))] = true
	}
	return bodies
}

func sameBodies(t *testing.T, what string, got, want map[string]bool) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: %d messages, want %d", what, len(got), len(want))
	}
	for b := range want {
		if !got[b] {
			t.Errorf("%s lacks %q", what, b)
		}
	}
}

// testGetmail collects by POP3 and by IMAP: first all, then what is new, and
// then it takes away what it has. getmail misses the end of a delivery that ends
// before it waits for it, and then waits for a minute; so each takes a moment.
func testGetmail(t *testing.T, g guest) {
	peer(t, "getmail")
	state := t.TempDir()
	run := func(protocol string, remove bool) map[string]bool {
		t.Helper()
		host, port := g.hostPort(protocol)
		class, mailboxes := "SimplePOP3SSLRetriever", ""
		if protocol == "imaps" {
			class, mailboxes = "SimpleIMAPSSLRetriever", `mailboxes = ("INBOX",)`
		}
		maildir := newMaildir(t, filepath.Join(t.TempDir(), "mail"))
		rc := writeFile(t, "getmailrc", fmt.Appendf(nil, "[retriever]\ntype = %s\nserver = %s\nport = %s\nusername = %s\npassword = %s\n"+
			"ca_certs = %s\n%s\n[destination]\ntype = MDA_external\npath = /bin/sh\nallow_root_commands = true\n"+
			"arguments = (\"-c\", \"cat >%s/new/$$; sleep 0.2\")\n[options]\nread_all = false\ndelete = %v\ndelivered_to = false\nreceived = false\n",
			class, host, port, g.name, password, g.certFile(), mailboxes, maildir, remove))
		runPeer(t, false, "getmail", "--getmaildir="+state, "--rcfile="+rc)
		return maildirBodies(t, maildir)
	}
	for _, protocol := range []string{"pop3s", "imaps"} {
		g.fill(t, "INBOX", 0, 5)
		sameBodies(t, protocol, run(protocol, false), numbered(0, 5))
		g.fill(t, "INBOX", 5, 7)
		sameBodies(t, protocol+" again", run(protocol, false), numbered(5, 7))
		run(protocol, true)
		same(t, protocol+" leaves", g.fetched(t, "INBOX"), nil)
	}
}

// testFetchmailIMAP collects unseen messages by IMAP and leaves them there, seen.
func testFetchmailIMAP(t *testing.T, g guest) {
	peer(t, "fetchmail")
	g.fill(t, "INBOX", 0, 5)
	host, port := g.hostPort("imaps")
	run := func(want int, keep string) {
		t.Helper()
		maildir := newMaildir(t, t.TempDir())
		rc := writeFile(t, "rc", fmt.Appendf(nil, "set no bouncemail\npoll %s protocol imap service %s no dns\n"+
			"user %q password %q ssl sslproto tls1.2+ sslcertck sslcertfile %s no rewrite no dropdelivered %s\nmda \"sh -c 'cat >%s/new/$$'\"\n",
			host, port, g.name, password, g.certFile(), keep, maildir))
		// Status 1: there is no new mail.
		runPeer(t, false, "sh", "-c", `fetchmail -f "$1" --nodetach --nosyslog; s=$?; [ $s = 0 ] || [ $s = 1 -a "$2" = 0 ]`, "sh", rc, fmt.Sprint(want))
		sameBodies(t, "collected", maildirBodies(t, maildir), numbered(5-want, 5))
	}
	run(5, "keep")
	same(t, "kept", g.fetched(t, "INBOX"), []string{`0 \Seen`, `1 \Seen`, `2 \Seen`, `3 \Seen`, `4 \Seen`})
	run(0, "keep")
	ic := g.login(t, g.name, "INBOX")
	ic.ok(`STORE 4:5 -FLAGS (\Seen)`)
	run(2, "nokeep")
	same(t, "not collected", g.fetched(t, "INBOX"), []string{`0 \Seen`, `1 \Seen`, `2 \Seen`})
}
