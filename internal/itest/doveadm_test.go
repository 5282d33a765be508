package itest

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// A dovecotCopy is a mail store of Dovecot's that its doveadm synchronises with
// alice's account over IMAP.
type dovecotCopy struct {
	t         *testing.T
	root, dir string
}

const doveadmConf = `
base_dir = %[1]s/run
state_dir = %[1]s/run
log_path = /dev/stderr
mail_location = mdbox:%[1]s/mail
mail_home = %[1]s/mail
default_login_user = nobody
default_internal_user = nobody
default_internal_group = nogroup
stats_writer_socket_path =
first_valid_uid = 1
mail_uid = nobody
mail_gid = nogroup
imapc_host = 127.0.0.1
imapc_port = %[2]s
imapc_ssl = imaps
imapc_user = %[3]s
imapc_password = %[4]s
imapc_features = rfc822.size fetch-headers
ssl_client_ca_file = %[1]s/cert.pem
namespace inbox {
  inbox = yes
  separator = /
}
`

func newDovecotCopy(t *testing.T, s *mailserver) *dovecotCopy {
	t.Helper()
	d := &dovecotCopy{t, unpacked(t, "MAILSTEAD_DOVECOT", "a directory with the unpacked packages of Dovecot"), sharedDir(t)}
	cert, err := os.ReadFile(s.certFile())
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(s.ports["imaps"])
	for name, text := range map[string][]byte{"cert.pem": cert, "dovecot.conf": fmt.Appendf(nil, doveadmConf, d.dir, port, alice, password)} {
		if err := os.WriteFile(filepath.Join(d.dir, name), text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(d.dir, "mail"), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(d.dir, "mail"), 0o777); err != nil {
		t.Fatal(err)
	}
	return d
}

// certFile has the certificate of the server, which signed it itself.
func (s *mailserver) certFile() string { return filepath.Join(s.data, "cert.pem") }

// doveadm runs a command on Dovecot's side; Dovecot refuses to touch mail as root.
func (d *dovecotCopy) doveadm(input string, args ...string) string {
	d.t.Helper()
	args = append([]string{
		"--reuid", "65534", "--regid", "65534", "--clear-groups", "env", "USER=alice", "HOME=" + filepath.Join(d.dir, "mail"),
		"/usr/bin/doveadm", "-c", filepath.Join(d.dir, "dovecot.conf"),
	}, args...)
	ctx, cancel := context.WithTimeout(d.t.Context(), time.Minute)
	defer cancel()
	cmd := overlaid(d.t, d.root, nil, "setpriv", args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr, cmd.WaitDelay = strings.NewReader(input), &stdout, &stderr, time.Second
	stop := context.AfterFunc(ctx, func() {
		if cmd.Process != nil {
			cmd.Process.Kill()
		}
	})
	defer stop()
	if err := cmd.Run(); err != nil {
		d.t.Fatalf("doveadm %q: %v\n%s%s", args[11:], err, stdout.Bytes(), stderr.Bytes())
	}
	return stdout.String()
}

// picture is what Dovecot's side holds: a line for each mailbox, subscription
// and message, sorted.
func (d *dovecotCopy) picture() (lines []string) {
	d.t.Helper()
	for name := range strings.Lines(d.doveadm("", "mailbox", "list")) {
		lines = append(lines, "mailbox "+strings.TrimSpace(name))
	}
	for name := range strings.Lines(d.doveadm("", "mailbox", "list", "-s")) {
		lines = append(lines, "subscribed "+strings.TrimSpace(name))
	}
	for i, row := range strings.Split(strings.TrimSpace(d.doveadm("", "-f", "tab", "fetch", "mailbox uid flags date.received hdr.message-id", "all")), "\n") {
		if f := strings.Split(row, "\t"); i > 0 && len(f) == 5 {
			lines = append(lines, fmt.Sprintf("message %s %s %s %s %s", f[0], f[1], sortedFlags(f[2]), f[3], f[4]))
		}
	}
	slices.Sort(lines)
	return lines
}

// picture is the same of the server's side. The names of mailboxes here are
// ASCII.
func (s *mailserver) picture(t *testing.T) (lines []string) {
	t.Helper()
	ic := s.login(t, alice, "INBOX")
	defer ic.c.Close()
	var names []string
	ic.command(func(line string, _ []string) {
		name := strings.Trim(line[strings.LastIndex(line, `"/" `)+4:], `"`)
		names, lines = append(names, name), append(lines, "mailbox "+name)
	}, `LIST "" *`)
	ic.command(func(line string, _ []string) {
		lines = append(lines, "subscribed "+strings.Trim(line[strings.LastIndex(line, `"/" `)+4:], `"`))
	}, `LSUB "" *`)
	for _, name := range names {
		ic.ok("SELECT %q", name)
		ic.command(func(line string, literals []string) {
			if len(literals) == 1 {
				lines = append(lines, "message "+name+" "+fetchedLine(t, line, literals[0]))
			}
		}, "FETCH 1:* (UID FLAGS INTERNALDATE BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])")
	}
	slices.Sort(lines)
	return lines
}

func fetchedLine(t *testing.T, line, header string) string {
	t.Helper()
	between := func(from, to string) string {
		_, rest, _ := strings.Cut(line, from)
		value, _, _ := strings.Cut(rest, to)
		return value
	}
	date, err := time.Parse("_2-Jan-2006 15:04:05 -0700", between(`INTERNALDATE "`, `"`))
	if err != nil {
		t.Fatalf("%v in %q", err, line)
	}
	_, id, _ := strings.Cut(header, ":")
	return fmt.Sprintf("%s %s %s %s", between("(UID ", " "), sortedFlags(between("FLAGS (", ")")),
		date.UTC().Format(time.DateTime), strings.TrimSpace(id))
}

// sortedFlags leaves out \Recent, which no two sessions see alike.
func sortedFlags(text string) string {
	flags := slices.DeleteFunc(strings.Fields(text), func(f string) bool { return f == `\Recent` })
	slices.Sort(flags)
	return strings.Join(flags, ",")
}

// TestDoveadm lets Dovecot's replicator read all of an account, bring changes of
// both sides together, and write its own state to the server. Each time both
// sides agree on mailboxes, subscriptions, UIDs, flags, keywords and dates.
func TestDoveadm(t *testing.T) {
	s := newServer(t)
	d := newDovecotCopy(t, s)
	ic := s.login(t, alice, "INBOX")
	for _, name := range []string{"Work", "Work/Sub", "Plain"} {
		ic.ok("CREATE %s", name)
	}
	ic.ok("SUBSCRIBE Work")
	for i := range 30 {
		msg := small(i)
		flags := []string{`\Flagged`, `\Seen $Forwarded kw1`, `\Answered \Draft kw2`, ""}[i%4]
		date := time.Unix(1_700_000_000+int64(i)*86_407, 0).In(time.FixedZone("", (i%5-2)*3600)).Format("02-Jan-2006 15:04:05 -0700")
		ic.ok("APPEND %s (%s) \"%s\" {%d+}\r\n%s", []string{"INBOX", "Work", "Work/Sub"}[i%3], flags, date, len(msg), msg)
	}
	agree := func(what string) {
		t.Helper()
		if ours, theirs := s.picture(t), d.picture(); !slices.Equal(ours, theirs) {
			t.Errorf("%s: the server has\n  %s\nand Dovecot\n  %s", what, strings.Join(ours, "\n  "), strings.Join(theirs, "\n  "))
		}
	}
	d.doveadm("", "backup", "-R", "imapc:")
	agree("after doveadm backup -R")
	if n := len(slices.DeleteFunc(d.picture(), func(l string) bool { return !strings.HasPrefix(l, "message ") })); n != 30 {
		t.Fatalf("Dovecot has %d messages, want 30", n)
	}

	// Both sides change.
	d.doveadm("", "flags", "add", `\Answered $MDNSent`, "mailbox", "Work", "uid", "2")
	d.doveadm("", "flags", "remove", `\Flagged`, "mailbox", "INBOX", "uid", "1")
	d.doveadm("", "expunge", "mailbox", "INBOX", "uid", "3")
	d.doveadm("", "copy", "INBOX", "mailbox", "Work", "uid", "5")
	d.doveadm("", "mailbox", "subscribe", "Work/Sub")
	ic.ok("SELECT INBOX")
	ic.ok(`STORE 4:5 +FLAGS (\Deleted)`)
	ic.ok("EXPUNGE")
	ic.ok("SELECT Work/Sub")
	ic.ok(`STORE 1 FLAGS (\Seen hello)`)
	ic.ok("COPY 2 Plain")
	ic.ok("UNSUBSCRIBE Work")
	before := len(d.picture())
	d.doveadm("", "sync", "imapc:")
	agree("after doveadm sync")
	if now := len(d.picture()); now != before-2+1 { // two expunged, one copied, one subscription for another
		t.Errorf("%d lines after the changes of the server, want %d", now, before-1)
	}

	// What Dovecot has is written to the server.
	d.doveadm(string(unix(small(100))), "save", "-m", "Plain")
	d.doveadm("", "flags", "replace", `\Seen last`, "mailbox", "Plain")
	d.doveadm("", "expunge", "mailbox", "Work", "uid", "1:3")
	d.doveadm("", "backup", "imapc:")
	agree("after doveadm backup")
	was := s.modSeqs(t)
	d.doveadm("", "sync", "imapc:")
	agree("after another run")
	if now := s.modSeqs(t); now != was {
		t.Errorf("a run with nothing to do changed the server: %s, then %s", was, now)
	}
}

// modSeqs is what STATUS says of all mailboxes of alice's.
func (s *mailserver) modSeqs(t *testing.T) string {
	t.Helper()
	ic := s.login(t, alice, "INBOX")
	var lines []string
	for _, name := range []string{"INBOX", "Work", "Work/Sub", "Plain"} {
		ic.command(func(line string, _ []string) { lines = append(lines, line) }, "STATUS %s (MESSAGES UIDNEXT UIDVALIDITY UNSEEN)", name)
	}
	return strings.Join(lines, "\n")
}
