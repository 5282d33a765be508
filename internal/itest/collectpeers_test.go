package itest

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The programs of others, with those of their own settings that are safest.

// arrivedIn are the messages in a Maildir.
func arrivedIn(t *testing.T, dir string) (arrived []string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "new", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		arrived = append(arrived, string(b))
	}
	return arrived
}

// syncedDelivery is a program that delivers what it reads into a Maildir, and says
// that it worked when that is on the disk.
func syncedDelivery(t *testing.T, dir string) string {
	t.Helper()
	const text = "#!/bin/sh\ncd %s\nf=$$.$(date +%%s%%N)\ndd of=tmp/$f conv=fsync status=none && exec mv tmp/$f new/$f\n"
	return writeFile(t, "deliver", fmt.Appendf(nil, text, dir))
}

// getmailCollector is getmail; more are lines of its options.
func getmailCollector(name, more string) collector {
	return func(t *testing.T, protocol, addr, user string) collecting {
		t.Helper()
		bin := peer(t, "getmail")
		state, maildir := t.TempDir(), newMaildir(t, filepath.Join(t.TempDir(), "mail"))
		host, port, _ := net.SplitHostPort(addr)
		class, mailboxes := "SimplePOP3Retriever", ""
		if protocol == "imap" {
			class, mailboxes = "SimpleIMAPRetriever", `mailboxes = ("INBOX",)`
		}
		rc := writeFile(t, "getmailrc", fmt.Appendf(nil, "[retriever]\ntype = %s\nserver = %s\nport = %s\nusername = %s\npassword = %s\ntimeout = 10\n%s\n"+
			"[destination]\ntype = MDA_external\npath = /bin/sh\nallow_root_commands = true\narguments = (%q,)\n"+
			"[options]\nread_all = false\ndelete = true\ndelivered_to = false\nreceived = false\n%s",
			class, host, port, user, password, mailboxes, syncedDelivery(t, maildir), more))
		return collecting{
			name: name,
			command: func(ctx context.Context) *exec.Cmd {
				return exec.CommandContext(ctx, bin, "--getmaildir="+state, "--rcfile="+rc)
			},
			arrived: func(t *testing.T) []string { return arrivedIn(t, maildir) },
			done:    func(err error, _ []byte) bool { return err == nil },
		}
	}
}

// fetchmailCollector is fetchmail; more are options of the user. With keep, the
// messages stay on the server.
func fetchmailCollector(name, more string) collector {
	return func(t *testing.T, protocol, addr, user string) collecting {
		t.Helper()
		bin := peer(t, "fetchmail")
		home, maildir := t.TempDir(), newMaildir(t, filepath.Join(t.TempDir(), "mail"))
		host, port, _ := net.SplitHostPort(addr)
		rc := writeFile(t, "rc", fmt.Appendf(nil, "set no bouncemail\npoll %s protocol %s service %s no dns timeout 10 %s\n"+
			"user %q password %q sslproto '' no rewrite no dropdelivered %s mda \"/bin/sh %s\"\n",
			host, protocol, port, map[string]string{"pop3": "uidl"}[protocol], user, password, more, syncedDelivery(t, maildir)))
		return collecting{
			name: name, keeps: strings.HasPrefix(more, "keep"),
			command: func(ctx context.Context) *exec.Cmd {
				cmd := exec.CommandContext(ctx, bin, "-f", rc, "--nodetach", "--nosyslog", "--idfile", filepath.Join(home, "ids"), "--pidfile", filepath.Join(home, "pid"))
				cmd.Env = append(os.Environ(), "HOME="+home, "LC_ALL=C")
				return cmd
			},
			arrived: func(t *testing.T) []string { return arrivedIn(t, maildir) },
			done: func(err error, out []byte) bool {
				status, exited := err.(*exec.ExitError)
				none := exited && status.ExitCode() == 1 // there is no mail
				return err == nil && !bytes.Contains(out, []byte("socket error")) || none
			},
		}
	}
}

// collectPeer is a program of others.
type collectPeer struct {
	name string
	open collector
}

// chosenPeers run with MAILSTEAD_CUTS only.
func chosenPeers() []collectPeer {
	if os.Getenv("MAILSTEAD_CUTS") == "" {
		return nil
	}
	return []collectPeer{
		{"getmail", getmailCollector("getmail", "")},
		{"getmail remembers each", getmailCollector("getmail remembers each", "to_oldmail_on_each_mail = true\n")},
		{"fetchmail", fetchmailCollector("fetchmail", "nokeep fetchall")},
		{"fetchmail expunge 10", fetchmailCollector("fetchmail expunge 10", "nokeep fetchall expunge 10")},
		{"fetchmail keep", fetchmailCollector("fetchmail keep", "keep no fetchall")},
	}
}
