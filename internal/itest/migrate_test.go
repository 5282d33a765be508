package itest

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mailstead/mailstead/deliver/migrate"
	"github.com/mailstead/mailstead/deliver/migrate/maildirtree"
	"github.com/mailstead/mailstead/deliver/migrate/storeaccount"
	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/blob/memblob"
	"github.com/mailstead/mailstead/store/memstore"
	"github.com/mailstead/mailstead/store/sqlite"
)

// TestMigrateDovecot migrates an account into Dovecot and out of it again; doveadm
// says what Dovecot then has. MAILSTEAD_FULL=1: 20,000 messages in 50 mailboxes.
func TestMigrateDovecot(t *testing.T) {
	f, dir := newDovecot(t)
	boxes, each := 10, 40
	if os.Getenv("MAILSTEAD_FULL") == "1" {
		boxes, each = 50, 400
	}
	total := int64(boxes * each)
	s := memstore.New(memblob.New())
	from := migrateAccount(t, s, "from")
	fillAccount(t, s, boxes, each)
	dovecot := migrateIMAP(t, "dovecot", f)
	state := &migrate.DirKeeper{Dir: t.TempDir()}
	migratePass(t, from, dovecot, migrate.Options{State: state, Verify: migrate.VerifyBodies}, total)
	migratePass(t, from, dovecot, migrate.Options{State: state}, 0)
	confirm(t, dir, from)

	into := migrateAccount(t, s, "into")
	first := migratePass(t, dovecot, into, migrate.Options{}, total)
	second := migratePass(t, dovecot, into, migrate.Options{}, 0)
	t.Logf("out of Dovecot: %d messages in %v (%.0f a second); second pass %v", total, first, float64(total)/first.Seconds(), second)
	if _, err := migrate.Verify(t.Context(), dovecot, into, migrate.Options{}); err != nil {
		t.Error(err)
	}
	confirm(t, dir, into)
}

func migrateAccount(t *testing.T, s store.Store, id store.AccountID) *storeaccount.Account {
	t.Helper()
	a, err := storeaccount.New(t.Context(), s, id, storeaccount.Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// migratePass is a run that copies so many messages.
func migratePass(t *testing.T, src migrate.Source, dst migrate.Target, o migrate.Options, copied int64) time.Duration {
	t.Helper()
	r, err := migrate.Run(t.Context(), src, dst, o)
	if err != nil || r.Copied != copied {
		t.Fatalf("%v: %d messages copied, want %d: %+v %+v", err, r.Copied, copied, r.Skips, r.Problems)
	}
	return r.Took
}

// fillAccount makes mailboxes with names of all kinds.
func fillAccount(t *testing.T, s store.Store, boxes, each int) {
	t.Helper()
	a, err := s.Open(t.Context(), "from")
	if err != nil {
		t.Fatal(err)
	}
	for b := range boxes {
		id := store.NewMailboxID()
		name := fmt.Sprintf("Ordner %d/Grüße & <%d>", b/5, b)
		if _, err := a.Apply(t.Context(), store.Change{Ops: []store.Op{store.PutMailbox{ID: id, Create: true, Name: name}}}); err != nil {
			t.Fatal(err)
		}
		for n := range each {
			body := fmt.Sprintf("Message-ID: <%d.%d@a.example>\r\nFrom: a@a.example\r\nDate: Mon, 1 Jan 2024 00:00:00 +0000\r\nSubject: %d\r\n\r\n%s", b, n, n, strings.Repeat("a line of text\r\n", n%300))
			_, err := store.AppendMessage(t.Context(), s, a, "", store.NewMessage{
				Mailbox: id, Flags: store.Flags(n) & store.AllFlags, Keywords: []string{fmt.Sprintf("k%d", n%5)},
				Received: time.Unix(1_600_000_000+int64(n), 0), Body: strings.NewReader(body), BodySize: int64(len(body)),
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
}

// confirm compares the numbers that doveadm tells with those of an account.
func confirm(t *testing.T, dir string, a migrate.Source) {
	t.Helper()
	root := unpacked(t, "MAILSTEAD_DOVECOT", "a directory with the unpacked packages of Dovecot")
	cmd := overlaid(t, root, nil, "/usr/bin/doveadm", "-c", filepath.Join(dir, "dovecot.conf"), "-f", "tab", "mailbox", "status", "-u", alice, "-t", "messages unseen", "*")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("doveadm: %v: %s", err, out)
	}
	boxes, err := a.Mailboxes(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var messages, unseen int64
	for i := range boxes {
		messages += max(0, boxes[i].Messages)
		r, err := a.Open(t.Context(), &boxes[i])
		if err != nil {
			t.Fatal(err)
		}
		for m, err := range r.List(t.Context(), false) {
			if err != nil {
				t.Fatal(err)
			}
			if m.Flags&store.Seen == 0 {
				unseen++
			}
		}
		r.Close()
	}
	if want := fmt.Sprintf("%d\t%d", messages, unseen); !strings.Contains(string(out), want) {
		t.Errorf("doveadm tells %q, want %q", out, want)
	}
}

// mbsyncConf pulls everything into a Maildir.
const mbsyncPullConf = `
IMAPStore far
Host 127.0.0.1
Port %s
User %s
Pass %s
SSLType None
AuthMechs LOGIN
PipelineDepth 50

MaildirStore near
Path %[4]s/
Inbox %[4]s/INBOX
SubFolders Verbatim

Channel all
Far :far:
Near :near:
Patterns *
Sync Pull
Create Near
SyncState *
`

// TestMigrateBesideMbsync pulls one account of Dovecot into Maildirs, by turns with
// mbsync and with package migrate, and tells the rates. It judges nothing: see
// migratebench.sh.
func TestMigrateBesideMbsync(t *testing.T) {
	if os.Getenv("MAILSTEAD_MIGRATEBENCH") == "" {
		t.Skip("MAILSTEAD_MIGRATEBENCH is not set")
	}
	mbsync := peer(t, "mbsync")
	f, _ := newDovecot(t)
	s := memstore.New(memblob.New())
	from := migrateAccount(t, s, "from")
	fillAccount(t, s, 20, 250)
	dovecot := migrateIMAP(t, "dovecot", f)
	migratePass(t, from, dovecot, migrate.Options{State: &migrate.DirKeeper{Dir: t.TempDir()}}, 5000)
	_, port, _ := net.SplitHostPort(f.imap)
	for range 5 {
		cpu := cpuTime()
		ours := migratePass(t, dovecot, maildirtree.New(t.TempDir(), maildirtree.Options{}), migrate.Options{}, 5000)
		cpu = cpuTime() - cpu
		dir := t.TempDir()
		conf := filepath.Join(dir, "mbsyncrc")
		if err := os.WriteFile(conf, fmt.Appendf(nil, mbsyncPullConf, port, alice, password, dir), 0o600); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		cmd := exec.CommandContext(t.Context(), mbsync, "-q", "-c", conf, "-a")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("mbsync: %v: %s", err, out)
		}
		theirs := time.Since(start)
		theirCPU := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
		e, err := sqlite.Open(t.Context(), t.TempDir(), sqlite.Options{})
		if err != nil {
			t.Fatal(err)
		}
		into := migratePass(t, dovecot, migrateAccount(t, e.Store(), "into"), migrate.Options{}, 5000)
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		t.Logf("5,000 messages: migrate %v (CPU %v), mbsync %v (CPU %v): %.1f times as fast; into a store on disk %v",
			ours, cpu, theirs, theirCPU, theirs.Seconds()/ours.Seconds(), into)
	}
}

// cpuTime is what this process has used.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
