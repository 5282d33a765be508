package itest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/imap"
)

// TestConnectorFiles: a Maildir, an mbox file and a program get what is collected,
// whole and once; what a program refuses for now stays on the server.
func TestConnectorFiles(t *testing.T) {
	s := newServer(t)
	const n = 3
	base, runAs := sharedDir(t), ""
	if os.Getuid() == 0 {
		runAs = "run-as = \"65534:65534\"\n"
	}
	refuse, program := filepath.Join(base, "refuse"), filepath.Join(base, "program")
	const script = "[ ! -e %[1]s ] || exit 75\ncat >%[2]s/$$.tmp && mv %[2]s/$$.tmp %[2]s/$1.$$\n"
	err := errors.Join(os.Chmod(base, 0o777), os.WriteFile(program, fmt.Appendf(nil, script, refuse, base), 0o644))
	if err != nil {
		t.Fatal(err)
	}
	text := func(t *testing.T, pattern string) string {
		files, err := filepath.Glob(filepath.Join(base, pattern))
		if err != nil {
			t.Fatal(err)
		}
		var all strings.Builder
		for _, f := range files {
			b, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			all.Write(b)
		}
		return strings.ReplaceAll(all.String(), "\r\n", "\n")
	}
	for _, tt := range []struct{ kind, target, files string }{
		{"maildir", fmt.Sprintf("path = \"%s/$domain/$user/\"\n", base), "example.org/alice/new/*"},
		{"mbox", fmt.Sprintf("path = \"%s/$user.mbox\"\n", base), "alice.mbox"},
		{"program", fmt.Sprintf("command = [\"/bin/sh\", %q, \"${recipient}\"]\n", program) + runAs, alice + ".*"},
	} {
		t.Run(tt.kind, func(t *testing.T) {
			fillBoth(t, s, 0, n)
			c := newConnector(t, fmt.Sprintf("[targets.t]\ntype = %q\n%s", tt.kind, tt.target)+pop3Source(s, ""))
			if tt.kind == "program" {
				if err := os.WriteFile(refuse, nil, 0o600); err != nil {
					t.Fatal(err)
				}
				c.run(1, "once")
				if left := len(tally(t, s, alice)); left != n || text(t, tt.files) != "" {
					t.Errorf("refused: %d messages on the server", left)
				}
				os.Remove(refuse)
			}
			c.run(0, "once")
			c.run(0, "once")
			got := text(t, tt.files)
			for id := range n {
				if found := strings.Count(got, strings.ReplaceAll(string(message(id)), "\r\n", "\n")); found != 1 {
					t.Errorf("message %d is there %d times", id, found)
				}
			}
			if found := strings.Count(got, "\nDelivered-To: "+alice+"\n"); found != n {
				t.Errorf("%d Delivered-To of %d", found, n)
			}
			if left := len(tally(t, s, alice)); left != 0 {
				t.Errorf("%d messages left on the server", left)
			}
		})
	}
}

// TestConnectorSwitchOver moves a user from the old server to the new one while
// his mail stays at the provider: what the old server has does not come again,
// and each message behind the switch goes where the stage says, to both in
// between.
func TestConnectorSwitchOver(t *testing.T) {
	s := newServer(t)
	places := map[string]string{}
	targets := "target = \"new\"\n"
	tables := ""
	for _, name := range []string{"old", "new"} {
		places[name] = newMaildir(t, filepath.Join(t.TempDir(), name))
		tables += fmt.Sprintf("[targets.%s]\ntype = \"lmtp\"\naddress = %q\ntls = \"none\"\n", name, lmtpInto(t, places[name]))
	}
	config := func(place string) string {
		return targets + tables + "[switch-over]\nold = \"old\"\n[[switch-over.stage]]\nuser = \"*\"\nplace = \"old\"\n" +
			fmt.Sprintf("[[switch-over.stage]]\nuser = %q\nplace = %q\n", alice, place) + pop3Source(s, "leave = \"always\"") + imapSource(s, "leave = \"always\"")
	}
	c := newConnector(t, config("old"))
	want := map[string]map[string]map[int]bool{"old": {alice: {}, bob: {}}, "new": {alice: {}, bob: {}}}
	for i, place := range []string{"old", "both", "new"} {
		c.configure(config(place))
		fillBoth(t, s, 2*i, 2*i+2)
		c.run(0, "once")
		for id := 2 * i; id < 2*i+2; id++ {
			want["old"][bob][id] = true
			want["old"][alice][id] = place != "new"
			want["new"][alice][id] = place != "old"
		}
	}
	c.run(0, "once")
	for name, dir := range places {
		arrived := arrivedIn(t, dir)
		for _, user := range []string{alice, bob} {
			for id := range 6 {
				n := 0
				for _, m := range arrived {
					if strings.Contains(m, "\nDelivered-To: "+user+"\n") && strings.HasSuffix(m, strings.ReplaceAll(string(message(id)), "\r\n", "\n")) {
						n++
					}
				}
				if (n == 1) != want[name][user][id] || n > 1 {
					t.Errorf("%s, %s: message %d is there %d times, wanted: %v", name, user, id, n, want[name][user][id])
				}
			}
		}
	}
	if left := len(tally(t, s, alice)); left != 6 {
		t.Errorf("%d messages at the provider", left)
	}
}

// TestConnectorMoveTo: what was collected lies in another folder of the server
// then, as it was, and is not collected from there.
func TestConnectorMoveTo(t *testing.T) {
	s := newServer(t)
	const n = 5
	fillBoth(t, s, 0, n)
	ic := s.login(t, bob, "INBOX")
	ic.ok("CREATE Collected")
	ic.c.Close()
	c := newConnector(t, imapSource(s, "folders = [\"*\"]\nexcept = [\"Collected\"]\nmove-to = \"Collected\""))
	for range 2 {
		c.run(0, "once")
	}
	if lost, doubled := lostAndDoubled(tally(t, c.served(), bob), n); lost+doubled > 0 {
		t.Errorf("%d lost, %d doubled", lost, doubled)
	}
	for folder, want := range map[string]int{imap.Inbox: 0, "Collected": n} {
		ic := s.login(t, bob, folder)
		if bodies := ic.bodies(); len(bodies) != want {
			t.Errorf("%d messages in %s, want %d", len(bodies), folder, want)
		}
		ic.c.Close()
	}
}
