package smtppeers

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/smtp/smtpclient"
	"github.com/mailstead/mailstead/smtp/smtpserver"
)

// nodeModule wants node and one of its packages.
func nodeModule(t *testing.T, name string) (node string) {
	t.Helper()
	node = program(t, "node")
	if _, err := os.Stat(filepath.Join(os.Getenv("MAILSTEAD_SMTP_PEERS"), "node_modules", name)); err != nil {
		missing(t, "the npm package "+name+" is not there; MAILSTEAD_SMTP_PEERS may name a directory with node_modules")
	}
	return node
}

func testdata(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// TestNodeServer: our client to the npm package smtp-server, by SMTP and LMTP.
func TestNodeServer(t *testing.T) {
	node := nodeModule(t, "smtp-server")
	for _, protocol := range []string{"smtp", "lmtp"} {
		dir := workDir(t)
		id := newIdentity(t, dir)
		addr := freePort(t)
		cmd := exec.Command(node, testdata(t, "server.js"), portOf(addr), dir, protocol)
		cmd.Env = append(os.Environ(), "NODE_PATH="+filepath.Join(os.Getenv("MAILSTEAD_SMTP_PEERS"), "node_modules"))
		start(t, cmd, filepath.Join(dir, "log"))
		out := waitFor(t, cmd, addr)
		c := dial(t, smtpclient.Dialer{LMTP: protocol == "lmtp", TLS: smtpclient.TLSRequired, TLSConfig: id.client, Auth: login}, addr)
		want := "delivered(.) failed(RCPT) delivered(.)"
		to := []string{"one@example.net", "refused@example.net", "late@example.net"}
		if protocol == "lmtp" {
			want = "delivered(.) failed(RCPT) failed(.)"
		}
		for _, text := range []string{message("small", 1), message("large", 20_000)} {
			res := send(t, c, envelope(t, "from@example.org", to...), text, want)
			if res.QueueID != "node" {
				t.Errorf("%s: queue id %q of %v", protocol, res.QueueID, res.Recipients[0].Reply)
			}
			checkNode(t, out, text, "from@example.org", to[0])
		}
		wishes := envelope(t, "from@example.org", "one@example.net")
		wishes.Mail.Params = smtp.MailParams{RequireTLS: true, Return: smtp.ReturnHeaders, EnvelopeID: "id+1 2"}
		wishes.Recipients[0].Params.Notify = smtp.NotifyFailure | smtp.NotifyDelay
		send(t, c, wishes, message("wishes", 1), "delivered(.)")
		eventually(t, 10*time.Second, "the parameters did not arrive", func() bool {
			return strings.Contains(out.String(), `"requireTLS":true,"dsn":{"ret":"HDRS","envid":"id+1 2"},"notify":["FAILURE","DELAY"]`)
		})
		utf8 := message("größe", 1)
		send(t, c, envelope(t, "grüße@bücher.example", "ö@example.net"), utf8, "delivered(.)")
		checkNode(t, out, utf8, "grüße@bücher.example", "ö@example.net")
		if err := c.Quit(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

// checkNode looks for the message in what the server has printed.
func checkNode(t *testing.T, out *output, text, from, to string) {
	t.Helper()
	type message struct {
		From   struct{ Address string }
		To     []string
		User   string
		Secure bool
		Data   string
	}
	eventually(t, 10*time.Second, "the message was not printed", func() bool {
		for line := range strings.Lines(out.String()) {
			var m message
			if json.Unmarshal([]byte(line), &m) == nil && m.Data == text && m.From.Address == from && m.To[0] == to && m.Secure && m.User == user {
				return true
			}
		}
		return false
	})
}

// TestNodemailer: nodemailer to our server, by SMTP and LMTP.
func TestNodemailer(t *testing.T) {
	node := nodeModule(t, "nodemailer")
	for _, protocol := range []string{"smtp", "lmtp"} {
		dir := workDir(t)
		id := newIdentity(t, dir)
		s := newSink(t, smtpserver.Config{TLSConfig: id.server, RequireTLS: true, RequireAuth: true, LMTP: protocol == "lmtp"})
		text, utf8 := message("node", 100), message("größe", 1)
		write(t, filepath.Join(dir, "message"), text)
		write(t, filepath.Join(dir, "utf8"), utf8)
		run(t, "", node, testdata(t, "send.js"), portOf(s.addr), dir, protocol)
		messages := map[string]int{"smtp": 3, "lmtp": 2}[protocol]
		got := s.wait(t, messages)
		if last := got[messages-1]; protocol == "smtp" && (!last.mail.Params.RequireTLS || last.data != text) {
			t.Errorf("%+v", last.mail.Params)
		}
		first, second := got[0], got[1]
		if first.data != text || len(first.rcpts) != 2 || first.mail.Peer.Identity != user || first.mail.Peer.TLS == nil {
			t.Errorf("%s: %v from %q: %.500q", protocol, first.rcpts, first.mail.Peer.Identity, first.data)
		}
		if p := first.mail.Params; p.EnvelopeID != "id+1" || p.Return != smtp.ReturnHeaders || first.rcpts[0].Params.Notify != smtp.NotifyFailure|smtp.NotifyDelay {
			t.Errorf("%s: %+v %+v", protocol, p, first.rcpts[0].Params)
		}
		if second.data != utf8 || !second.mail.Params.UTF8 || second.mail.ReversePath.Local != "grüße" || second.rcpts[0].ForwardPath.Local != "ö" {
			t.Errorf("%s: %+v: %.500q", protocol, second.mail, second.data)
		}
	}
}
