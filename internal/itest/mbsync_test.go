package itest

import (
	"bytes"
	"crypto/tls"
	"encoding/pem"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestMbsync pulls a mailbox of 2,000 messages and pushes another of 2,000;
// then nothing is left to do, on either side. mbsync compresses what it sends, and
// flushes by zlib's Z_PARTIAL_FLUSH.
func TestMbsync(t *testing.T) {
	needServer(t)
	t.Parallel()
	const n = 2000
	s := newServer(t)
	peer(t, "mbsync")
	ic := s.login(t, alice, "INBOX")
	ic.ok("CREATE Pull")
	var msgs [][]byte
	for i := range n {
		msgs = append(msgs, small(i))
	}
	ic.appendAll("Pull", msgs...)

	maildir := t.TempDir()
	push := filepath.Join(maildir, "Push")
	for _, sub := range []string{"cur", "new", "tmp"} {
		if err := os.MkdirAll(filepath.Join(push, sub), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for i := range n {
		name := filepath.Join(push, "cur", fmt.Sprintf("1790000000.%d_1.host:2,FS", i))
		if err := os.WriteFile(name, unix(small(n+i)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	rc := mbsyncrc(t, s, maildir)
	runPeer(t, false, "mbsync", "-c", rc, "-a")

	pulled := maildirBodies(t, filepath.Join(maildir, "Pull"))
	if len(pulled) != n {
		t.Fatalf("pulled %d messages, want %d", len(pulled), n)
	}
	for i := range n {
		if !pulled[string(bodyOf(unix(small(i))))] {
			t.Fatalf("message %d is not among those pulled", i)
		}
	}
	ic = s.login(t, alice, "Push")
	bodies := ic.bodies()
	if len(bodies) != n {
		t.Fatalf("pushed %d messages, want %d", len(bodies), n)
	}
	got := map[string]bool{}
	for _, b := range bodies {
		got[string(bodyOf([]byte(b)))] = true
	}
	for i := range n {
		if !got[string(bodyOf(small(n+i)))] {
			t.Fatalf("message %d is not among those pushed", i)
		}
	}

	before, files := state(t, s), listing(t, maildir)
	if out := runPeer(t, false, "mbsync", "-Dn", "-c", rc, "-a"); !strings.Contains(out, "COMPRESS DEFLATE") {
		t.Errorf("mbsync does not compress: %.2000s", out)
	}
	if after := state(t, s); after != before {
		t.Errorf("the second run changed the server: %s, then %s", before, after)
	}
	if again := listing(t, maildir); !slices.Equal(again, files) {
		gone := slices.DeleteFunc(files, func(f string) bool { return slices.Contains(again, f) })
		t.Errorf("the second run changed %d of %d files of the Maildir: %.300q, now %.300q", len(gone), len(again), gone, again)
	}
}

// small is message i with little text.
func small(i int) []byte {
	return fmt.Appendf(nil, "From: a@remote.example\r\nTo: %s\r\nSubject: bulk %d\r\nDate: Mon, 02 Nov 2026 10:00:00 +0000\r\n"+
		"Message-ID: <bulk.%d@remote.example>\r\n\r\nThis is message %d.\r\n.\r\nFrom here on nothing.\r\n", alice, i, i, i)
}

// unix is a message as it stands in a Maildir.
func unix(msg []byte) []byte { return bytes.ReplaceAll(msg, []byte("\r\n"), []byte("\n")) }

// bodyOf is what follows the header, to which mbsync may add a field.
func bodyOf(msg []byte) []byte {
	for _, sep := range []string{"\r\n\r\n", "\n\n"} {
		if _, body, ok := bytes.Cut(msg, []byte(sep)); ok {
			return body
		}
	}
	return nil
}

// mbsyncrc writes a configuration that trusts exactly the server's certificate.
func mbsyncrc(t *testing.T, s *mailserver, maildir string) string {
	t.Helper()
	c, err := tls.Dial("tcp", s.ports["imaps"], insecure())
	if err != nil {
		t.Fatal(err)
	}
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.ConnectionState().PeerCertificates[0].Raw})
	c.Close()
	host, port := s.hostPort("imap")
	return writeFile(t, "mbsyncrc", fmt.Appendf(nil, `IMAPAccount server
Host %s
Port %s
User %s
Pass %s
SSLType STARTTLS
CertificateFile %s

IMAPStore far
Account server

MaildirStore near
Path %s/
Inbox %s/INBOX
SubFolders Verbatim

Channel all
Far :far:
Near :near:
Patterns Pull Push
Create Both
Expunge Both
Sync All
SyncState *
`, host, port, alice, password, writeFile(t, "server.pem", cert), maildir, maildir))
}

// maildirBodies returns the bodies of the messages in a Maildir.
func maildirBodies(t *testing.T, dir string) map[string]bool {
	t.Helper()
	bodies := map[string]bool{}
	for _, sub := range []string{"new", "cur"} {
		files, err := filepath.Glob(filepath.Join(dir, sub, "*"))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			b, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			bodies[string(bodyOf(b))] = true
		}
	}
	return bodies
}

// listing names all files below dir; a Maildir keeps the flags in the names.
func listing(t *testing.T, dir string) (names []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && !strings.HasPrefix(d.Name(), ".") {
			names = append(names, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// state describes both mailboxes on the server, including whether anything was
// ever added.
func state(t *testing.T, s *mailserver) string {
	t.Helper()
	ic := s.login(t, alice, "INBOX")
	var lines []string
	for _, mailbox := range []string{"Pull", "Push"} {
		ic.ok("NOOP")
		ic.command(func(line string, _ []string) { lines = append(lines, line) },
			"STATUS %s (MESSAGES UIDNEXT UNSEEN)", mailbox)
	}
	return strings.Join(lines, "; ")
}
