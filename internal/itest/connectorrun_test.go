package itest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestConnectorRun is a day in the life: it collects, says how it stands, reads
// its configuration again, refuses a faulty one, and ends in order.
func TestConnectorRun(t *testing.T) {
	s := newServer(t)
	web := freeAddrs(t, []string{"http"})["http"]
	head := fmt.Sprintf("http = %q\n", web)
	c := newConnector(t, head+pop3Source(s, ""))
	if st := c.status(); st.Running || len(st.Sources) != 1 {
		t.Errorf("before the start: %+v", st)
	}
	fillBoth(t, s, 0, 3)
	c.start()
	eventually(t, 20*time.Second, "nothing is collected", func() bool {
		_, err := os.Stat(c.dir + "/control.sock")
		if err != nil {
			return false
		}
		st := c.status()
		return st.Running && len(st.Sources) == 1 && st.Sources[0].Counts.Fetched == 3 && st.Sources[0].Counts.Removed == 3
	})
	if body := get(t, "http://"+web+"/healthz"); body != "ok\n" {
		t.Errorf("healthz: %q", body)
	}
	var vars struct {
		Connector struct {
			All struct{ Fetched, Bytes int64 }
		}
	}
	if err := json.Unmarshal([]byte(get(t, "http://"+web+"/debug/vars")), &vars); err != nil || vars.Connector.All.Fetched != 3 || vars.Connector.All.Bytes == 0 {
		t.Errorf("vars: %+v, %v", vars, err)
	}
	c.run(2, "once") // somebody runs already

	c.configure(head + "bogus = 1\n")
	c.hup("bogus: unknown name")
	c.configure(head + pop3Source(s, "") + imapSource(s, ""))
	c.hup("the configuration was read again")
	eventually(t, 20*time.Second, "the new source is not collected", func() bool {
		st := c.status()
		return len(st.Sources) == 2 && st.Sources[1].Counts.Fetched == 3
	})
	// What comes later is seen at once: bob's connection idles.
	eventually(t, 20*time.Second, "the source does not idle", func() bool { return c.status().Sources[1].Phase == "idling" })
	fillBoth(t, s, 3, 4)
	eventually(t, 20*time.Second, "new mail is not collected", func() bool { return c.status().Sources[1].Counts.Fetched == 4 })
	c.terminate()
	if st := c.status(); st.Running || st.Sources[1].Remembered == 0 {
		t.Errorf("after the end: %+v", st)
	}
	if strings.Contains(c.log.all(), password) {
		t.Error("the password stands in the log")
	}
}

// hup has the configuration read again, and waits for what the log says of it.
func (c *connector) hup(want string) {
	c.t.Helper()
	if err := c.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		c.t.Fatal(err)
	}
	eventually(c.t, 20*time.Second, "no answer to SIGHUP: "+want, func() bool { return strings.Contains(c.log.all(), want) })
}

func get(t *testing.T, url string) string {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestConnectorCheck: a check says what would be done, changes nothing, and finds
// what is wrong: a password, a certificate.
func TestConnectorCheck(t *testing.T) {
	s := newServer(t)
	fillBoth(t, s, 0, 3)
	host, port := s.hostPort("imaps")
	other := fmt.Sprintf("[[source]]\nname = %%q\nprotocol = \"imaps\"\nhost = %q\nport = %s\nuser = %q\nrecipient = %q\n%%s\n", host, port, bob, bob)
	c := newConnector(t, pop3Source(s, "")+imapSource(s, "leave = \"14d\"")+
		fmt.Sprintf(other, "stranger", "password = \"x\"")+
		fmt.Sprintf(other, "wrong", "tls-ca = \""+s.certFile()+"\"\npassword = \"hunter2\""))
	out := c.run(1, "check")
	for _, want := range []string{
		"alice-pop3: ok: logged in, 3 messages", "3 would be collected; they go to store, and stay on the server: never", "-> alice@example.org (fixed)",
		"bob-imap: ok: logged in, 3 messages", "stay on the server: for 14d",
		"stranger: FAILED: ", "certificate", "wrong: FAILED: ",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in\n%s", want, out)
		}
	}
	if strings.Contains(out+c.log.all(), "hunter2") {
		t.Error("a password is shown")
	}
	c.run(0, "check", "alice-pop3", "bob-imap")
	c.run(2, "check", "nobody")
	c.run(0, "check", "--offline")
	if _, err := os.Stat(c.dir); err == nil {
		t.Error("check made the data directory")
	}
	for _, user := range []string{alice, bob} {
		if n := len(tally(t, s, user)); n != 3 {
			t.Errorf("%s has %d messages behind a check", user, n)
		}
	}
}

// TestConnectorQueue: what is collected leaves the provider while the server
// behind the queue is down, and waits; what comes when it is up is delivered.
func TestConnectorQueue(t *testing.T) {
	s, target := newServer(t), newServer(t)
	fillBoth(t, s, 0, 5)
	config := "[targets.q]\ntype = \"queue\"\naddress = %q\ntls = \"none\"\n" + pop3Source(s, "")
	c := newConnector(t, fmt.Sprintf(config, freeAddrs(t, []string{"smtp"})["smtp"]))
	c.run(0, "once")
	if left := len(tally(t, s, alice)); left != 0 {
		t.Errorf("%d messages are still on the server", left)
	}
	if st := c.status(); st.Queue.Jobs != 5 {
		t.Errorf("%d jobs wait", st.Queue.Jobs)
	}
	fillBoth(t, s, 5, 8)
	c.configure(fmt.Sprintf(config, target.ports["smtp"]))
	c.start()
	eventually(t, 30*time.Second, "the queue is not delivered", func() bool { return len(tally(t, target, alice)) == 3 })
	c.terminate()
}

// TestConnectorCatchAll: a mailbox of several people, sorted by what the provider
// wrote; what is for nobody goes to quarantine.
func TestConnectorCatchAll(t *testing.T) {
	s := newServer(t)
	ic := s.login(t, alice, "INBOX")
	for _, to := range []string{"bob@firm.example", "Carol <carol@firm.example>", "stranger@elsewhere.example"} {
		ic.appendAll("INBOX", fmt.Appendf(nil, "Delivered-To: %s\r\nReceived: from a by mx.provider.example; Mon, 02 Nov 2026 10:00:00 +0000\r\n"+
			"From: x@remote.example\r\nTo: list@remote.example\r\nSubject: for %s\r\n\r\ntext\r\n", strings.Trim(to[strings.IndexByte(to, '<')+1:], ">"), to))
	}
	ic.c.Close()
	source := strings.Replace(pop3Source(s, "[source.catch-all]\naccept = [\"firm.example\"]\n"), fmt.Sprintf("recipient = %q\n", alice), "", 1)
	c := newConnector(t, "[targets.store]\ntype = \"store\"\naccounts = [\"bob@firm.example\", \"carol@new.example\"]\n"+
		"[[map]]\nfrom = \"carol@firm.example\"\nto = \"carol@new.example\"\n[quarantine]\naccount = \"postmaster@firm.example\"\n"+source)
	out := c.run(0, "once", "--json")
	var got struct {
		All struct{ Fetched, Quarantined, Removed int }
	}
	if err := json.Unmarshal([]byte(out), &got); err != nil || got.All.Fetched != 2 || got.All.Quarantined != 1 || got.All.Removed != 3 {
		t.Errorf("%s, %v", out, err)
	}
	served := newBareServer(t, "-data", c.dir, "-domain", "firm.example", "-user", "bob@firm.example:"+password, "-user", "carol@new.example:"+password, "-user", "postmaster@firm.example:"+password)
	served.start()
	for user, subject := range map[string]string{"bob@firm.example": "for bob@", "carol@new.example": "for Carol"} {
		bodies := served.login(t, user, "INBOX").bodies()
		if len(bodies) != 1 || !strings.Contains(bodies[0], subject) {
			t.Errorf("%s has %q", user, bodies)
		}
	}
	bodies := served.login(t, "postmaster@firm.example", "Quarantine").bodies()
	if len(bodies) != 1 || !strings.Contains(bodies[0], "X-Quarantine: ") {
		t.Errorf("quarantine has %q", bodies)
	}
}
