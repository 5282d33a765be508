package main

import (
	"bytes"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/examples/internal/answer"
	"github.com/mailstead/mailstead/smtp/smtptest"
)

// replying answers commands that begin so.
func replying(replies map[string]string) smtptest.Options {
	return smtptest.Options{Reply: func(command string) string {
		for prefix, reply := range replies {
			if strings.HasPrefix(command, prefix) {
				return reply
			}
		}
		return ""
	}}
}

func toOf(m *smtptest.Message) string {
	var list []string
	for i := range m.Recipients {
		list = append(list, m.Recipients[i].ForwardPath.String())
	}
	return strings.Join(list, " ")
}

const letterText = "From: Ann <ann@example.org>\nTo: bob@example.net, Team: carl@example.net, dora@example.net;\nBcc: emil@example.net\nSubject: hi\n\nhello\n"

// TestSend: outcome and exit code by what the server says.
func TestSend(t *testing.T) {
	for _, x := range []struct {
		name, in string
		args     []string
		replies  map[string]string
		exit     int
		out      []string // begins of lines
		from     string
		to       string
	}{
		{
			name: "all of the header", in: letterText,
			out:  []string{"delivered  bob@example.net  250 ", "delivered  carl@example.net", "delivered  dora@example.net", "delivered  emil@example.net"},
			from: "ann@example.org", to: "bob@example.net carl@example.net dora@example.net emil@example.net",
		},
		{
			name: "one refused", in: letterText, args: []string{"--to=bob@example.net", "--to=nobody@example.net", "--to=BOB@example.net", "--to=bob@EXAMPLE.net"},
			replies: map[string]string{"RCPT TO:<nobody": "550 5.1.1 Nobody"}, exit: exitFault,
			out:  []string{"delivered  bob@example.net", "failed     nobody@example.net  550 5.1.1 Nobody", "delivered  BOB@example.net"},
			from: "ann@example.org", to: "bob@example.net BOB@example.net",
		},
		{
			name: "one later", in: letterText, args: []string{"--to=bob@example.net", "--to=full@example.net", "--from=<>"},
			replies: map[string]string{"RCPT TO:<full": "452 4.2.2 Full"}, exit: exitLater,
			out: []string{"delivered  bob@example.net", "deferred   full@example.net  452 4.2.2 Full"}, to: "bob@example.net",
		},
		{
			name: "sender of the message", in: "Sender: sec@example.org\nFrom: a@example.org, b@example.org\n\nx", args: []string{"--to=bob@example.net"},
			out: []string{"delivered  bob@example.net"}, from: "sec@example.org", to: "bob@example.net",
		},
		{
			name: "resent", in: "Resent-To: x@example.org\n" + letterText, exit: exitUse, out: []string{"mailctl: the message was resent"},
		},
		{
			name: "no sender", in: "To: bob@example.net\n\nx", exit: exitUse, out: []string{"mailctl: the message has no From"},
		},
		{
			name: "no recipients", in: "From: bob@example.net\n\nx", exit: exitUse, out: []string{"mailctl: there are no recipients"},
		},
		{
			name: "no header", in: "just a text\nof two lines\n", exit: exitUse, out: []string{"mailctl: the message has no header"},
		},
	} {
		t.Run(x.name, func(t *testing.T) {
			s := smtptest.NewServerWith(t, replying(x.replies))
			code, out, errs := ctl(t, x.in, append([]string{"send", "--server=smtp://" + s.Addr}, x.args...)...)
			lines := strings.Split(strings.TrimSpace(out+errs), "\n")
			if code != x.exit || len(lines) != len(x.out) {
				t.Fatalf("exit %d\n%s%s", code, out, errs)
			}
			for i, want := range x.out {
				if !strings.HasPrefix(lines[i], want) {
					t.Errorf("line %q, want %q", lines[i], want)
				}
			}
			got := s.Messages()
			if x.to == "" {
				if len(got) != 0 {
					t.Errorf("it was sent: %+v", got)
				}
				return
			}
			if len(got) != 1 || got[0].ReversePath.String() != x.from || toOf(&got[0]) != x.to {
				t.Fatalf("%+v", got)
			}
			text := string(got[0].Data)
			if strings.Contains(text, "Bcc:") || !strings.Contains(text, "Message-ID: <") || !strings.Contains(text, "Date: ") || strings.Count(text, "\n") != strings.Count(text, "\r\n") {
				t.Errorf("the message is\n%q", text)
			}
		})
	}
}

// TestSendNowhere: a server that does not answer leaves all deferred.
func TestSendNowhere(t *testing.T) {
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	code, out, _ := ctl(t, letterText, "--json", "send", "--server=smtp://"+addr, "--to=bob@example.net")
	var x sent
	if err := json.Unmarshal([]byte(out), &x); err != nil || code != exitLater || len(x.Recipients) != 1 || x.Recipients[0].Outcome != "deferred" || x.Recipients[0].Error == "" {
		t.Errorf("exit %d, %s", code, out)
	}
	if code, out, _ := ctl(t, letterText, "--dry-run", "send", "--server=smtp://"+addr); code != exitOK || !strings.HasPrefix(out, "would send") {
		t.Errorf("dry run: exit %d, %s", code, out)
	}
}

// TestSendAsIs changes nothing but line ends; a line of mbox in front is none of
// the message.
func TestSendAsIs(t *testing.T) {
	s := smtptest.NewServerWith(t, smtptest.Options{})
	code, out, errs := ctl(t, "From ann Thu Jan  1 00:00:00 1970\n"+letterText+"no end", "send", "--as-is", "--to=bob@example.net", "--server=smtp://"+s.Addr)
	if code != exitOK {
		t.Fatalf("exit %d, %s%s", code, out, errs)
	}
	want := strings.ReplaceAll(letterText+"no end\n", "\n", "\r\n")
	if got := s.Messages(); len(got) != 1 || string(got[0].Data) != want {
		t.Errorf("%+v", got)
	}
}

// TestSendText writes a message around a text.
func TestSendText(t *testing.T) {
	s := smtptest.NewServerWith(t, smtptest.Options{})
	file := filepath.Join(t.TempDir(), "x.eml")
	if err := os.WriteFile(file, []byte("Subject: inner\n\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, errs := ctl(t, "Grüße\n", "send", "--subject=Größe", "--from=ann@example.org", "--to=bob@example.net", "--attach="+file, "--server=smtp://"+s.Addr)
	if code != exitOK {
		t.Fatalf("exit %d, %s%s", code, out, errs)
	}
	text := string(s.Messages()[0].Data)
	for _, want := range []string{"From: <ann@example.org>\r\n", "To: <bob@example.net>\r\n", "Subject: =?utf-8?q?Gr=C3=B6=C3=9Fe?=\r\n", "Gr=C3=BC=C3=9Fe", "filename=x.eml", "application/octet-stream", "Message-ID: "} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if strings.Contains(text, "message/rfc822") {
		t.Error("a message is encoded as base64 under its own type")
	}
}

// TestQueueDirectly puts a message into the queue of a directory without a server,
// where rules of the operator hold it.
func TestQueueDirectly(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	ok[answer.Account](t, "--data", data, "account", "add", "bob@example.org")
	ok[answer.Changed](t, "--data", data, "queue", "rule", "add", "all", "--recipient", "carl@example.net")
	x := ok[sent](t, "--data", data, "send", "--queue", "--from=ann@example.org", "--to=bob@example.org", "--to=carl@example.net", "--subject=hi")
	if len(x.Recipients) != 2 || x.Recipients[0].Outcome != "queued" || x.Recipients[1].Outcome != "queued" {
		t.Errorf("%+v", x)
	}
	jobs := ok[answer.Jobs](t, "--data", data, "queue", "list", "--message", x.ID).Jobs
	if len(jobs) != 2 {
		t.Fatalf("%+v", jobs)
	}
	for _, j := range jobs {
		local := strings.HasPrefix(j.Destination, "local/")
		if local != (j.Recipients[0] == "bob@example.org") || (j.Hold == "") != local {
			t.Errorf("%+v", j)
		}
	}
}

// TestLines: line ends become CRLF, however the text is cut.
func TestLines(t *testing.T) {
	for _, x := range []struct {
		in, want       string
		utf8, eightBit bool
	}{
		{in: "", want: ""},
		{in: "A: b", want: "A: b\r\n"},
		{in: "A: b\n\nc\r\nd\re\n", want: "A: b\r\n\r\nc\r\nd\r\ne\r\n"},
		{in: "A: b\r\r\n\r", want: "A: b\r\n\r\n\r\n"},
		{in: "From x\nA: b\n", want: "A: b\r\n"},
		{in: "From x", want: "From x\r\n"},
		{in: "Fro", want: "Fro\r\n"},
		{in: "From: x\n", want: "From: x\r\n"},
		{in: "A: ü\n\nb\n", want: "A: ü\r\n\r\nb\r\n", utf8: true, eightBit: true},
		{in: "A: b\n\nü\n", want: "A: b\r\n\r\nü\r\n", eightBit: true},
	} {
		for step := 1; step <= max(1, len(x.in)); step++ {
			var b bytes.Buffer
			l := newLineWriter(&b, true)
			for rest := []byte(x.in); len(rest) > 0; {
				n := min(step, len(rest))
				if _, err := l.Write(rest[:n]); err != nil {
					t.Fatal(err)
				}
				rest = rest[n:]
			}
			if err := l.end(); err != nil || b.String() != x.want || l.n != int64(len(x.want)) || l.utf8 != x.utf8 || l.eightBit != x.eightBit {
				t.Errorf("%q by %d: %q, %d octets, %v, %v, %v", x.in, step, b.String(), l.n, l.utf8, l.eightBit, err)
			}
		}
	}
}
