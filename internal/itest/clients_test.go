package itest

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A guest is an account that one client has for itself on a server that several
// share.
type guest struct {
	*mailserver
	name string // the whole address
}

// TestClients drives one server with several clients at once, each with TLS,
// a certificate that it verifies, and an account of its own.
func TestClients(t *testing.T) {
	clients := []struct {
		name string
		run  func(t *testing.T, g guest)
	}{
		{"offlineimap", testOfflineIMAP},
		{"mutt", func(t *testing.T, g guest) { testMutt(t, g, "mutt") }},
		{"neomutt", func(t *testing.T, g guest) { testMutt(t, g, "neomutt") }},
		{"alpine", testAlpine},
		{"imapflow over TLS", func(t *testing.T, g guest) { testIMAPFlow(t, g, true) }},
		{"imapflow with STARTTLS", func(t *testing.T, g guest) { testIMAPFlow(t, g, false) }},
		{"imaplib with QRESYNC", testPythonResync},
		{"getmail", testGetmail},
		{"fetchmail", testFetchmailIMAP},
		{"curl", testCurlIMAP},
	}
	var flags []string
	guests := make([]string, len(clients))
	for i := range clients {
		guests[i] = fmt.Sprintf("guest%d@example.org", i)
		flags = append(flags, "-user", guests[i]+":"+password)
	}
	s := newServer(t, flags...)
	for i, c := range clients {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.run(t, guest{s, guests[i]})
		})
	}
}

// offers reports whether the server announces a capability to the guest.
func (g guest) offers(t *testing.T, capability string) (yes bool) {
	t.Helper()
	ic := g.login(t, g.name, "INBOX")
	defer ic.c.Close()
	ic.command(func(line string, _ []string) { yes = slices.Contains(strings.Fields(line), capability) }, "CAPABILITY")
	return yes
}

// fill appends small messages from..to-1 to a mailbox of the guest's.
func (g guest) fill(t *testing.T, mailbox string, from, to int) {
	t.Helper()
	ic := g.login(t, g.name, "INBOX")
	defer ic.c.Close()
	var msgs [][]byte
	for i := from; i < to; i++ {
		msgs = append(msgs, small(i))
	}
	ic.appendAll(mailbox, msgs...)
}

// fetched are number and flags of the messages that fill made, sorted.
func (g guest) fetched(t *testing.T, mailbox string) (lines []string) {
	t.Helper()
	ic := g.login(t, g.name, mailbox)
	defer ic.c.Close()
	numbered := regexp.MustCompile(`This is message (\d+)\.`)
	ic.command(func(line string, literals []string) {
		if m := numbered.FindStringSubmatch(strings.Join(literals, "")); m != nil {
			_, rest, _ := strings.Cut(line, "FLAGS (")
			flags, _, _ := strings.Cut(rest, ")")
			lines = append(lines, m[1]+" "+sortedFlags(flags))
		}
	}, "FETCH 1:* (FLAGS BODY.PEEK[])")
	slices.Sort(lines)
	return lines
}

// same compares what a client and the server hold.
func same(t *testing.T, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: %q, want %q", what, got, want)
	}
}

// testOfflineIMAP synchronises a Maildir two ways: messages, flags and deletions
// of both sides arrive at the other, and another run changes nothing.
func testOfflineIMAP(t *testing.T, g guest) {
	peer(t, "offlineimap")
	dir := t.TempDir()
	host, port := g.hostPort("imaps")
	rc := writeFile(t, "offlineimaprc", fmt.Appendf(nil, `[general]
accounts = a
metadata = %[1]s/metadata
[Account a]
localrepository = near
remoterepository = far
[Repository near]
type = Maildir
localfolders = %[1]s/mail
[Repository far]
type = IMAP
remotehost = %[2]s
remoteport = %[3]s
ssl = yes
sslcacertfile = %[4]s
remoteuser = %[5]s
remotepass = %[6]s
usecompression = %[7]v
`, dir, host, port, g.certFile(), g.name, password, g.offers(t, "COMPRESS=DEFLATE")))
	run := func() { runPeer(t, false, "offlineimap", "-o", "-c", rc, "-u", "basic") }
	near := func() (lines []string) {
		files, _ := filepath.Glob(filepath.Join(dir, "mail/INBOX/[cn]*/*"))
		for _, f := range files {
			b, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			number, _, _ := strings.Cut(strings.SplitAfter(string(b), "This is message ")[1], ".")
			_, letters, _ := strings.Cut(f, ":2,")
			lines = append(lines, number+" "+letters)
		}
		slices.Sort(lines)
		return lines
	}
	g.fill(t, "INBOX", 0, 6)
	run()
	same(t, "pulled", near(), []string{"0 ", "1 ", "2 ", "3 ", "4 ", "5 "})
	inbox := filepath.Join(dir, "mail/INBOX")
	for i := 6; i < 9; i++ {
		if err := os.WriteFile(filepath.Join(inbox, fmt.Sprintf("cur/1790000000.%d.host:2,F", i)), unix(small(i)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	first, _ := filepath.Glob(filepath.Join(inbox, "[cn]*/*U=1,*"))
	if len(first) != 1 || os.Remove(first[0]) != nil {
		t.Fatalf("files of UID 1: %q", first)
	}
	ic := g.login(t, g.name, "INBOX")
	ic.ok(`STORE 2 +FLAGS (\Answered)`)
	ic.ok(`STORE 3 +FLAGS (\Deleted)`)
	ic.ok("EXPUNGE")
	run()
	same(t, "far after both changed", g.fetched(t, "INBOX"),
		[]string{`1 \Answered`, "3 ", "4 ", "5 ", `6 \Flagged`, `7 \Flagged`, `8 \Flagged`})
	want := []string{"1 R", "3 ", "4 ", "5 ", "6 F", "7 F", "8 F"}
	same(t, "near after both changed", near(), want)
	files := listing(t, dir+"/mail")
	run()
	same(t, "files after another run", listing(t, dir+"/mail"), files)
	same(t, "far after another run", g.fetched(t, "INBOX"),
		[]string{`1 \Answered`, "3 ", "4 ", "5 ", `6 \Flagged`, `7 \Flagged`, `8 \Flagged`})
}

// testIMAPFlow runs testdata/imapflow.cjs.
func testIMAPFlow(t *testing.T, g guest, secure bool) {
	peer(t, "node")
	modules := filepath.Join(unpacked(t, "MAILSTEAD_SMTP_PEERS", "a directory with node_modules of imapflow"), "node_modules")
	_, text := g.hostPort(map[bool]string{true: "imaps", false: "imap"}[secure])
	port, _ := strconv.Atoi(text)
	arg, err := json.Marshal(map[string]any{"port": port, "secure": secure, "ca": g.certFile(), "user": g.name, "password": password})
	if err != nil {
		t.Fatal(err)
	}
	runPeer(t, false, "env", "NODE_PATH="+modules, "node", script(t, "imapflow.cjs"), string(arg))
}

// testPythonResync runs testdata/imap_resync.py.
func testPythonResync(t *testing.T, g guest) {
	if !g.offers(t, "QRESYNC") {
		t.Fatal("QRESYNC is not offered")
	}
	host, port := g.hostPort("imaps")
	out := runPeer(t, false, "python3", script(t, "imap_resync.py"), host, port, g.name, password, "9")
	if n, err := strconv.Atoi(strings.TrimSpace(out)); err != nil || n < 20 {
		t.Errorf("the client was told of %q changes", out)
	}
}

// testCurlIMAP uploads, lists, examines and reads with curl, which verifies the
// certificate.
func testCurlIMAP(t *testing.T, g guest) {
	dir := t.TempDir()
	file := filepath.Join(dir, "message")
	if err := os.WriteFile(file, small(1), 0o600); err != nil {
		t.Fatal(err)
	}
	curl := func(args ...string) string {
		return runPeer(t, false, "curl", append([]string{"-sS", "--cacert", g.certFile(), "-u", g.name + ":" + password}, args...)...)
	}
	imap, imaps := "imap://"+g.ports["imap"]+"/", "imaps://"+g.ports["imaps"]+"/"
	curl("-T", file, imaps+"INBOX")
	curl("--ssl-reqd", "-T", file, imap+"INBOX")
	for _, got := range []string{
		curl(imaps + "INBOX;UID=1"), curl("--ssl-reqd", imap+"INBOX;UID=2"),
		curl("pop3s://" + g.ports["pop3s"] + "/1"), curl("--ssl-reqd", "pop3://"+g.ports["pop3"]+"/2"),
	} {
		if got != string(small(1)) {
			t.Errorf("%q, want %q", got, small(1))
		}
	}
	if got := curl(imaps + "INBOX;UID=1;SECTION=TEXT"); got != string(bodyOf(small(1))) {
		t.Errorf("text: %q", got)
	}
	if got := curl(imaps, "-X", "STATUS INBOX (MESSAGES)"); !strings.Contains(got, "(MESSAGES 2)") {
		t.Errorf("STATUS: %q", got)
	}
	if got := curl("pop3s://" + g.ports["pop3s"]); len(strings.Fields(got)) != 4 { // number and size, twice
		t.Errorf("LIST: %q", got)
	}
}
