package itest

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestMaildir runs the server on Maildir trees: SMTP in, IMAP and POP3 out, the
// file in new/ within a second for other programs, what they do to it in IMAP,
// and all of it again after kill -9.
func TestMaildir(t *testing.T) {
	needServer(t)
	dir := filepath.Join(t.TempDir(), "mail")
	s := newServer(t, "-store", "maildir:"+dir, "-plaintext-auth")
	tree := filepath.Join(dir, alice)
	sent := message(1)
	sc := s.mx(t)
	if err := sc.deliver("sender@example.net", alice, sent, false); err != nil {
		t.Fatal(err)
	}
	var names []string
	eventually(t, time.Second, "no file in new/", func() bool {
		var err error
		names, err = filepath.Glob(filepath.Join(tree, "new", "*"))
		return err == nil && len(names) == 1
	})
	onDisk, err := os.ReadFile(names[0])
	if err != nil {
		t.Fatal(err)
	}
	checkDelivered(t, onDisk, sent, "sender@example.net")

	ic := s.login(t, alice, "INBOX")
	if got := ic.waitFor(1); got[0] != string(onDisk) {
		t.Errorf("IMAP gives %.200q, the file is %.200q", got[0], onDisk)
	}
	ic.ok(`STORE 1 +FLAGS (\Seen $todo)`)
	ic.ok("CREATE Saved/Deep")
	ic.ok("COPY 1 Saved/Deep")
	for _, pattern := range []string{"cur/*:2,Sa", ".Saved.Deep/cur/*:2,Sa"} {
		if list, err := filepath.Glob(filepath.Join(tree, pattern)); err != nil || len(list) != 1 {
			t.Errorf("%s is %q, %v", pattern, list, err)
		}
	}
	pc := s.pop3(t, alice)
	ids := pc.uidl()
	if len(ids) != 1 {
		t.Errorf("POP3 lists %q", ids)
	}
	pc.command("+OK", "QUIT")

	// Another program delivers and flags.
	foreign := []byte("Subject: foreign\n\nhi\n")
	tmp := filepath.Join(tree, "tmp", "1.foreign.host")
	if err := os.WriteFile(tmp, foreign, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(tmp, filepath.Join(tree, "new", "1.foreign.host")); err != nil {
		t.Fatal(err)
	}
	var bodies []string
	eventually(t, 5*time.Second, "what another program delivered is not in IMAP", func() bool {
		ic.ok("NOOP")
		bodies = ic.bodies()
		return len(bodies) == 2
	})
	if want := string(bytes.ReplaceAll(foreign, []byte("\n"), []byte("\r\n"))); bodies[1] != want {
		t.Errorf("IMAP gives %q, want %q", bodies[1], want)
	}

	s.kill()
	s.start()
	if again := s.login(t, alice, "INBOX").bodies(); !slices.Equal(again, bodies) {
		t.Errorf("after kill -9 IMAP gives %.300q", again)
	}
	if again := s.login(t, alice, "Saved/Deep").bodies(); len(again) != 1 || again[0] != bodies[0] {
		t.Errorf("after kill -9 the copy is %.300q", again)
	}
	if again := s.pop3WhenFree(t).uidl(); len(again) != 2 || again[0] != ids[0] {
		t.Errorf("after kill -9 POP3 lists %q, before %q", again, ids)
	}
}

// TestMaildirKill is TestKillUnderLoad on Maildir trees.
func TestMaildirKill(t *testing.T) {
	killUnderLoad(t, newServer(t, "-store", "maildir:", "-plaintext-auth"), 2)
}

// TestMaildirRefused: a second server on the same tree says who has it.
func TestMaildirRefused(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "mail")
	newServer(t, "-store", "maildir:"+dir)
	out := runPeer(t, true, program(t), "-data", t.TempDir(), "-store", "maildir:"+dir)
	if !strings.Contains(out, "in use") {
		t.Errorf("a second server says %q", out)
	}
}
