package itest

import (
	"fmt"
	"os"
	"testing"
)

// TestInbound sends one message through each foreign SMTP client, to the MX
// port and over submission, and finds the same bytes in the mailbox.
func TestInbound(t *testing.T) {
	s := newServer(t)
	mxHost, mxPort := s.hostPort("smtp")
	subHost, subPort := s.hostPort("submission")
	_, tlsPort := s.hostPort("submissions")
	const remote = "sender@remote.example"
	for i, tc := range []struct {
		name, from string
		send       func(t *testing.T, file string)
	}{
		{"swaks to MX", remote, func(t *testing.T, file string) {
			runPeer(t, false, "swaks", "--server", mxHost, "--port", mxPort, "--from", remote, "--to", alice, "--data", "@"+stuffed(t, file), "--no-data-fixup")
		}},
		{"swaks to MX with STARTTLS and pipelining", remote, func(t *testing.T, file string) {
			runPeer(t, false, "swaks", "--server", mxHost, "--port", mxPort, "--from", remote, "--to", alice, "--data", "@"+stuffed(t, file), "--no-data-fixup",
				"--tls", "--pipeline")
		}},
		{"swaks to submission", alice, func(t *testing.T, file string) {
			runPeer(t, false, "swaks", "--server", subHost, "--port", subPort, "--from", alice, "--to", alice, "--data", "@"+stuffed(t, file), "--no-data-fixup",
				"--tls", "--auth", "PLAIN", "--auth-user", alice, "--auth-password", password)
		}},
		{"swaks to submissions", alice, func(t *testing.T, file string) {
			runPeer(t, false, "swaks", "--server", subHost, "--port", tlsPort, "--from", alice, "--to", alice, "--data", "@"+stuffed(t, file), "--no-data-fixup",
				"--tls-on-connect", "--auth", "PLAIN", "--auth-user", alice, "--auth-password", password)
		}},
		{"smtplib to MX", remote, func(t *testing.T, file string) {
			runPeer(t, false, "python3", script(t, "smtp_send.py"), mxHost, mxPort, file, remote, alice)
		}},
		{"smtplib to submission", alice, func(t *testing.T, file string) {
			runPeer(t, false, "python3", script(t, "smtp_send.py"), subHost, subPort, file, alice, alice, alice, password)
		}},
		{"curl to MX", remote, func(t *testing.T, file string) {
			runPeer(t, false, "curl", "-sS", "smtp://"+s.ports["smtp"], "--mail-from", remote, "--mail-rcpt", alice, "-T", file)
		}},
		{"curl to submission", alice, func(t *testing.T, file string) {
			runPeer(t, false, "curl", "-sS", "--ssl-reqd", "-k", "smtp://"+s.ports["submission"], "-u", alice+":"+password,
				"--mail-from", alice, "--mail-rcpt", alice, "-T", file)
		}},
		{"msmtp to submission", alice, func(t *testing.T, file string) {
			runPeer(t, false, "sh", "-c", `msmtp="$1"; file="$2"; shift 2; exec "$msmtp" "$@" <"$file"`, "sh", peer(t, "msmtp"), file,
				"--file=/dev/null", "--host="+subHost, "--port="+subPort, "--tls=on", "--tls-certcheck=off", "--auth=plain",
				"--user="+alice, "--passwordeval=printf %s '"+password+"'", "--from="+alice, alice)
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			sent := message(100 + i)
			if tc.from == alice {
				sent = fromAlice(sent)
			}
			tc.send(t, writeFile(t, "message.eml", sent))
			ic := s.login(t, alice, "INBOX")
			got := ic.waitFor(1)
			checkDelivered(t, []byte(got[0]), sent, tc.from)
			ic.ok(`UID STORE 1:* +FLAGS.SILENT (\Deleted)`)
			ic.ok("EXPUNGE")
		})
	}
}

// stuffed is the file as swaks sends it untouched: with its dots doubled and
// the final dot.
func stuffed(t *testing.T, file string) string {
	t.Helper()
	msg, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return writeFile(t, "stuffed.eml", []byte(dotStuff(msg)+".\r\n"))
}

// fromAlice makes a message that alice may submit.
func fromAlice(msg []byte) []byte {
	const old = "From: Sender <sender@remote.example>"
	return fmt.Appendf(nil, "From: Alice <%s>%s", alice, msg[len(old):])
}
