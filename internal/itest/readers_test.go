package itest

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// filled is a server whose alice has n messages, delivered over SMTP one after
// the other: the queue promises no order.
func filled(t *testing.T, n int, flags ...string) (s *mailserver, sent [][]byte) {
	t.Helper()
	s = newServer(t, flags...)
	sc, ic := s.mx(t), s.login(t, alice, "INBOX")
	for i := range n {
		sent = append(sent, message(i))
		if err := sc.deliver("sender@remote.example", alice, sent[i], i%2 == 1); err != nil {
			t.Fatal(err)
		}
		ic.waitFor(i + 1)
	}
	return s, sent
}

// A fetched message is what the scripts in testdata print.
type fetched struct {
	UID           any    `json:"uid"`
	Size          int    `json:"size"`
	Envelope      string `json:"envelope"`
	BodyStructure string `json:"bodystructure"`
	Body          string `json:"body"`
}

func (f fetched) bytes(t *testing.T) []byte {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(f.Body)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func decode(t *testing.T, out string) (list []fetched) {
	t.Helper()
	if err := json.Unmarshal([]byte(out), &list); err != nil {
		t.Fatalf("%v: %.200q", err, out)
	}
	return list
}

// TestReadWithPython reads with imaplib over STARTTLS and with poplib over
// STLS; both see the same bytes, which are the ones that were sent.
func TestReadWithPython(t *testing.T) {
	s, sent := filled(t, 20)
	host, port := s.hostPort("imap")
	byIMAP := decode(t, runPeer(t, false, "python3", script(t, "imap_read.py"), host, port, alice, password))
	host, port = s.hostPort("pop3")
	byPOP3 := decode(t, runPeer(t, false, "python3", script(t, "pop3_read.py"), host, port, alice, password))
	if len(byIMAP) != len(sent) || len(byPOP3) != len(sent) {
		t.Fatalf("%d messages by IMAP, %d by POP3, want %d", len(byIMAP), len(byPOP3), len(sent))
	}
	uids := map[any]bool{}
	for i, m := range byIMAP {
		body := m.bytes(t)
		checkDelivered(t, body, sent[i], "sender@remote.example")
		if pop := byPOP3[i].bytes(t); string(pop) != string(body) {
			t.Errorf("message %d: POP3 RETR differs from IMAP BODY[]: %.200q and %.200q", i, pop, body)
		}
		if byPOP3[i].Size != len(body) {
			t.Errorf("message %d: LIST says %d octets, RETR has %d", i, byPOP3[i].Size, len(body))
		}
		uids[byPOP3[i].UID] = true
		for _, want := range []string{
			fmt.Sprintf(`"itest %d"`, i), `(("Sender" NIL "sender" "remote.example"))`, fmt.Sprintf(`"<itest.%d@remote.example>"`, i),
		} {
			if !strings.Contains(m.Envelope, want) {
				t.Errorf("message %d: envelope %s lacks %s", i, m.Envelope, want)
			}
		}
		want := `("text" "plain" ("charset" "utf-8") nil nil "8bit" ` + textSize(sent[i])
		if !strings.Contains(strings.ToLower(m.BodyStructure), want) {
			t.Errorf("message %d: body structure %s lacks %s", i, m.BodyStructure, want)
		}
	}
	if len(uids) != len(sent) {
		t.Errorf("%d distinct unique-ids for %d messages", len(uids), len(sent))
	}
}

// textSize is the octets and lines of a body, as BODYSTRUCTURE shows them.
func textSize(msg []byte) string {
	_, body, _ := strings.Cut(string(msg), "\r\n\r\n")
	return fmt.Sprintf("%d %d", len(body), strings.Count(body, "\n"))
}

func TestReadWithCurl(t *testing.T) {
	s, sent := filled(t, 3, "-plaintext-auth")
	user := []string{"-sS", "-u", alice + ":" + password}
	curl := func(args ...string) string { return runPeer(t, false, "curl", append(user, args...)...) }
	for i, msg := range sent {
		n := strconv.Itoa(i + 1)
		for name, got := range map[string]string{
			"imap":  curl("imap://" + s.ports["imap"] + "/INBOX;MAILINDEX=" + n),
			"imaps": curl("-k", "imaps://"+s.ports["imaps"]+"/INBOX;MAILINDEX="+n),
			"pop3":  curl("pop3://" + s.ports["pop3"] + "/" + n),
			"pop3s": curl("-k", "pop3s://"+s.ports["pop3s"]+"/"+n),
			"stls":  curl("-k", "--ssl-reqd", "pop3://"+s.ports["pop3"]+"/"+n),
		} {
			t.Run(name+" "+n, func(t *testing.T) { checkDelivered(t, []byte(got), msg, "sender@remote.example") })
		}
	}
	if list := curl("imap://"+s.ports["imap"]+"/", "-X", `LIST "" "*"`); !strings.Contains(strings.ToUpper(list), "INBOX") {
		t.Errorf("LIST: %q", list)
	}
	if found := curl("imap://" + s.ports["imap"] + "/INBOX?SUBJECT%20%22itest%201%22"); strings.TrimSpace(found) != "* SEARCH 2" {
		t.Errorf("SEARCH: %q", found)
	}
}

// TestReadWithMutt lets mutt copy a whole mailbox into an mbox file.
func TestReadWithMutt(t *testing.T) {
	s, sent := filled(t, 10, "-plaintext-auth")
	peer(t, "mutt")
	host, port := s.hostPort("imap")
	dir := t.TempDir()
	mbox := filepath.Join(dir, "copy.mbox")
	rc := writeFile(t, "muttrc", fmt.Appendf(nil, `set folder="imap://%s:%s/" spoolfile="imap://%s:%s/INBOX"
set imap_user=%q imap_pass=%q
set ssl_starttls=no ssl_force_tls=no mbox_type=mbox confirmappend=no confirmcreate=no quit=yes
set header_cache="" mail_check=0 copy=no record="" delete=no move=no
push "<tag-pattern>~A<enter><tag-prefix><copy-message>%s<enter><exit>"
`, host, port, host, port, alice, password, mbox))
	runPeer(t, false, "script", "-qec", "mutt -n -F "+rc, os.DevNull)
	copied, err := os.ReadFile(mbox)
	if err != nil {
		t.Fatal(err)
	}
	for i, msg := range sent {
		header, body, _ := strings.Cut(string(msg), "\r\n\r\n")
		for _, part := range []string{header[strings.Index(header, "Subject:"):strings.Index(header, "\r\nDate:")], body} {
			part = strings.ReplaceAll(part, "\r\n", "\n")
			if !strings.Contains(string(copied), part) {
				t.Errorf("mutt's copy lacks message %d: %.200q", i, part)
			}
		}
	}
}

// TestCollect lets programs that collect a maildrop over POP3 take it: all of
// it arrives, a second run finds nothing new, and a run that deletes leaves the
// maildrop empty.
func TestCollect(t *testing.T) {
	for _, tc := range []struct {
		name, program string
		config        func(s *mailserver, maildir, state string) string
		args          func(rc string, keep bool) []string
	}{
		{"mpop over POP3S", "mpop", func(s *mailserver, maildir, state string) string {
			host, port := s.hostPort("pop3s")
			return fmt.Sprintf("account default\nhost %s\nport %s\ntls on\ntls_starttls off\ntls_certcheck off\nauth user\n"+
				"user %s\npassword %q\nreceived_header off\ndelivery maildir %s\nuidls_file %s\n",
				host, port, alice, password, maildir, state)
		}, func(rc string, keep bool) []string {
			return []string{"-C", rc, "--keep=" + map[bool]string{true: "on", false: "off"}[keep]}
		}},
		{"fetchmail with STLS", "fetchmail", func(s *mailserver, maildir, state string) string {
			host, port := s.hostPort("pop3")
			return fmt.Sprintf("set no bouncemail\nset idfile %q\npoll %s protocol pop3 service %s uidl no dns\n"+
				"user %q password %q sslproto tls1.2+ no sslcertck no rewrite no dropdelivered\n"+
				"mda \"sh -c 'cat >%s/new/$$'\"\n", state, host, port, alice, password, maildir)
		}, func(rc string, keep bool) []string {
			return []string{"-f", rc, "--nodetach", "--nosyslog", map[bool]string{true: "--keep", false: "--nokeep"}[keep]}
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			const n = 5
			s, sent := filled(t, n)
			path := peer(t, tc.program)
			state := filepath.Join(t.TempDir(), "uidls")
			run := func(want int, keep bool) string {
				t.Helper()
				maildir := t.TempDir()
				for _, sub := range []string{"cur", "new", "tmp"} {
					if err := os.Mkdir(filepath.Join(maildir, sub), 0o700); err != nil {
						t.Fatal(err)
					}
				}
				args := tc.args(writeFile(t, "rc", []byte(tc.config(s, maildir, state))), keep)
				// fetchmail ends with status 1 when there is no new mail.
				runPeer(t, false, "sh", append([]string{"-c", `"$@"; s=$?; [ $s = 0 ] || [ $s = 1 -a ` + strconv.Itoa(want) + ` = 0 ]`, "sh", path}, args...)...)
				if bodies := maildirBodies(t, maildir); len(bodies) != want {
					t.Fatalf("%d messages collected, want %d", len(bodies), want)
				}
				return maildir
			}
			bodies := maildirBodies(t, run(n, true))
			for i, msg := range sent {
				if !bodies[string(bodyOf(unix(msg)))] {
					t.Errorf("message %d is not among those collected", i)
				}
			}
			run(0, true)
			if err := os.Remove(state); err != nil {
				t.Fatal(err)
			}
			run(n, false)
			if left := s.login(t, alice, "INBOX").bodies(); len(left) != 0 {
				t.Errorf("%d messages are left after a run that deletes", len(left))
			}
		})
	}
}
