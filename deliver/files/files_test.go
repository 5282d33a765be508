package files_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mailstead/mailstead/deliver/files"
	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/smtp/smtptest"
	"github.com/mailstead/mailstead/store/mbox"
)

func path(s string) smtp.ForwardPath {
	p, err := smtp.ParseMailbox(s, true)
	if err != nil {
		panic(err)
	}
	return smtp.ForwardPath{Path: p}
}

func template(t *testing.T, pattern string) func(smtp.ForwardPath) (string, error) {
	t.Helper()
	f, err := files.Template(pattern, "")
	if err != nil {
		t.Fatal(err)
	}
	return f
}

const content = "Subject: x\r\n\r\nFrom here\r\n"

func send(t *testing.T, target *files.Target, b string, to ...string) string {
	t.Helper()
	m := &smtp.Mail{ID: "i", PerRecipient: true, ReversePath: smtp.ReversePath(path("s@b.example")), Received: time.Unix(1e9, 0)}
	tx, err := target.Begin(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Abort()
	var out []string
	word := func(err error) string {
		reply := smtp.ReplyOf(err)
		return fmt.Sprintf("%d%s", reply.Code, reply.Enhanced)
	}
	for _, a := range to {
		if err := tx.Rcpt(t.Context(), []*smtp.Recipient{{ForwardPath: path(a)}})[0]; err != nil {
			out = append(out, "rcpt"+word(err))
		}
	}
	body := smtp.NewBody(strings.NewReader(b), -1)
	body.Prepend([]byte("Received: by us\r\n"))
	statuses, err := tx.Data(t.Context(), body)
	if err != nil {
		return err.Error()
	}
	for _, s := range statuses {
		out = append(out, word(s.Err))
	}
	return strings.Join(out, " ")
}

// read is all files that match, one after the other.
func read(t *testing.T, pattern string) string {
	t.Helper()
	names, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(b)
	}
	return all.String()
}

func TestDeliver(t *testing.T) {
	const lf = "Received: by us\nSubject: x\n\n"
	for _, test := range []struct{ pattern, file, want string }{
		{"/$user", "/ann", "From s@b.example Sun Sep  9 01:46:40 2001\nReturn-Path: <s@b.example>\nDelivered-To: Ann+x@A.example\n" + lf + ">From here\n\n"},
		{"/$domain/$user/", "/a.example/ann/new/*", "Return-Path: <s@b.example>\nDelivered-To: Ann+x@A.example\n" + lf + "From here\n"},
		{"/$extension/Maildir/", "/x/Maildir/new/*", "Return-Path: <s@b.example>\nDelivered-To: Ann+x@A.example\n" + lf + "From here\n"},
	} {
		dir := t.TempDir()
		target := &files.Target{Path: template(t, dir+test.pattern)}
		if got := send(t, target, content, "Ann+x@A.example"); got != "0" {
			t.Errorf("%s: %s", test.pattern, got)
		}
		if got := read(t, dir+test.file); got != test.want {
			t.Errorf("%s: %q, want %q", test.pattern, got, test.want)
		}
	}
	dir := t.TempDir()
	target := &files.Target{Path: template(t, dir+"/$user/"), CRLF: true, NoDeliveredTo: true}
	if send(t, target, content, "ann@a.example"); read(t, dir+"/ann/new/*") != "Return-Path: <s@b.example>\r\nReceived: by us\r\n"+content {
		t.Errorf("with CRLF: %q", read(t, dir+"/ann/new/*"))
	}
}

// An address leads nowhere else.
func TestTemplate(t *testing.T) {
	for _, test := range []struct{ pattern, to, want string }{
		{"/m/$user", "Ann@a.example", "/m/ann"},
		{"/m/$mailbox", "Ann+X@a.example", "/m/ann+x"},
		{"/m/$domain/$user/", "ann+x@XN--MNCHEN-3ya.example", "/m/münchen.example/ann/"},
		{"/m/$$/$user", "ann@a.example", "/m/$/ann"},
		{"/m/$user", `"../etc/passwd"@a.example`, ""},
		{"/m/$user", `".."@a.example`, ""},
		{"/m/$user", `".ssh"@a.example`, ""},
		{"/m/$user", `"a\\b"@a.example`, ""},
		{"/m/x$user", `"/y"@a.example`, ""},
		{"/m/$extension", "ann@a.example", ""},
		{"/m/$extension", `"ann+../x"@a.example`, ""},
		{"/m/$user", `"+x"@a.example`, "/m/+x"},
		{"/m/$domain", "a@[192.0.2.1]", "/m/[192.0.2.1]"},
	} {
		got, err := template(t, test.pattern)(path(test.to))
		if test.want == "" {
			if smtp.ReplyOf(err).Enhanced.String() != "5.1.3" {
				t.Errorf("%s for %s: %q, %v", test.pattern, test.to, got, err)
			}
		} else if got != test.want || err != nil {
			t.Errorf("%s for %s: %q, %v; want %q", test.pattern, test.to, got, err, test.want)
		}
	}
	for _, pattern := range []string{"", "m/$user", "$user", "/m/$name", "/m/../$user", "/m/$"} {
		if _, err := files.Template(pattern, ""); !errors.Is(err, files.ErrTemplate) {
			t.Errorf("%q: %v", pattern, err)
		}
	}
	if f, err := files.Template("/m/$user", "none"); err != nil {
		t.Error(err)
	} else if got, err := f(path("ann+x@a.example")); got != "/m/ann+x" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}

// One recipient whose mailbox cannot be written does not touch the others.
func TestStatuses(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(dir+"/locked.lock", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(dir+"/folder", 0o700); err != nil {
		t.Fatal(err)
	}
	target := &files.Target{Path: template(t, dir+"/$user"), LockTimeout: 1, Hostname: "mx.a.example"}
	const looping = "Delivered-To: ANN@a.example\r\nReceived: from x by mx.a.example; d\r\n" + content
	got := send(t, target, looping, "ann@a.example", `"../x"@a.example`, "locked@a.example", "folder@a.example", "bob@a.example")
	if want := "rcpt5505.1.3 5545.4.6 4504.2.0 4514.3.0 0"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if _, err := os.Stat(dir + "/ann"); err == nil {
		t.Error("a message that loops was delivered")
	}
	target.LockTimeout = 0
	if got := send(t, target, content, "bob@a.example", "Bob+x@a.example"); got != "0 0" {
		t.Errorf("one file twice: %s", got)
	}
	if n := strings.Count(read(t, dir+"/bob"), "From s@b.example "); n != 3 {
		t.Errorf("%d messages, want 3", n)
	}
}

func TestManyAtOnce(t *testing.T) {
	dir := t.TempDir()
	target := &files.Target{Path: template(t, dir+"/$user")}
	var work sync.WaitGroup
	for range 8 {
		work.Go(func() {
			if got := send(t, target, content, "ann@a.example", "bob@a.example"); got != "0 0" {
				t.Error(got)
			}
		})
	}
	work.Wait()
	f, err := os.Open(dir + "/ann")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	n := 0
	for r := mbox.NewReader(f, mbox.Options{}); ; n++ {
		if _, err := r.Next(); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if n != 8 {
		t.Errorf("%d messages, want 8", n)
	}
}

// judged is a Target in a directory.
type judged struct {
	*files.Target
	dir string
}

func TestIsReceiver(t *testing.T) {
	t.Run("Maildir", func(t *testing.T) {
		smtptest.TestReceiver(t, smtptest.Suite{
			New: func(t *testing.T) smtp.Receiver {
				dir := t.TempDir()
				return judged{&files.Target{Path: func(smtp.ForwardPath) (string, error) { return dir + "/m/", nil }, CRLF: true}, dir}
			},
		})
	})
	t.Run("mbox", func(t *testing.T) {
		smtptest.TestReceiver(t, smtptest.Suite{
			New: func(t *testing.T) smtp.Receiver {
				dir := t.TempDir()
				return judged{&files.Target{Path: template(t, dir+"/$user")}, dir}
			},
			Bad: `"../x"@example.net`,
		})
	})
}

func FuzzTemplate(f *testing.F) {
	f.Add("/m/$user/x$mailbox", "ann", "a.example")
	f.Add("/m/$domain/$extension/", "ann+x", "[192.0.2.1]")
	f.Add("/m/$user", "../x", "b")
	inside := regexp.MustCompile(`(^|/)\.\.(/|$)`)
	f.Fuzz(func(t *testing.T, pattern, local, domain string) {
		name, err := files.Template("/m/"+pattern, "")
		if err != nil || inside.MatchString(pattern) || strings.ContainsAny(pattern, ".") {
			return
		}
		got, err := name(smtp.ForwardPath{Path: smtp.Path{Local: local, Domain: domain}})
		if err == nil && (!strings.HasPrefix(got, "/m/") || inside.MatchString(got) || strings.Count(got, "/") != strings.Count("/m/"+pattern, "/")) {
			t.Errorf("%q for %q@%q: %q", pattern, local, domain, got)
		}
	})
}

// An mbox file has files beside it that serve it: nobody's mail is put there,
// where a delivery to the file would take it away.
func TestFilesBesideAnMbox(t *testing.T) {
	dir := t.TempDir()
	target := &files.Target{Path: template(t, dir+"/$user")}
	for _, user := range []string{"ann.intent", "ann.lock", "ann.LOCK"} {
		if got := send(t, target, content, user+"@a.example"); got != "rcpt5505.1.3" {
			t.Errorf("%s: %s", user, got)
		}
	}
	if got := send(t, target, content, "ann@a.example"); got != "0" {
		t.Errorf("ann: %s", got)
	}
	maildirs := &files.Target{Path: template(t, dir+"/dirs/$user/")}
	if err := os.Mkdir(filepath.Join(dir, "dirs"), 0o700); err != nil {
		t.Fatal(err)
	}
	if got := send(t, maildirs, content, "ann.lock@a.example"); got != "0" {
		t.Errorf("a Maildir has none: %s", got)
	}
}
