package maildir_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mailstead/mailstead/store"
)

// dovecot is a session of Dovecot's imap process on a tree. Nothing of Dovecot
// is installed as a service: doveconf reads a configuration of the test and
// runs imap on a pipe, logged in already.
type dovecot struct {
	t   *testing.T
	in  io.WriteCloser
	out *bufio.Reader
	tag int
}

// dovecotRoot is where Dovecot's packages lie: MAILSTEAD_DOVECOT, an unpacked
// tree, or the machine itself.
func dovecotRoot(t *testing.T) string {
	t.Helper()
	root := os.Getenv("MAILSTEAD_DOVECOT")
	for _, name := range []string{"usr/bin/doveconf", "usr/lib/dovecot/imap"} {
		if _, err := os.Stat(filepath.Join("/", root, name)); err == nil {
			continue
		}
		if os.Getenv("MAILSTEAD_PEERS") == "required" {
			t.Fatalf("dovecot-imapd is not there (MAILSTEAD_DOVECOT=%q), and MAILSTEAD_PEERS=required", root)
		}
		t.Skip("dovecot-imapd is not installed; MAILSTEAD_DOVECOT may name a directory with its unpacked packages")
	}
	return filepath.Join("/", root)
}

const dovecotConf = `
base_dir = %[1]s/run
state_dir = %[1]s/run
log_path = %[1]s/dovecot.log
mail_location = maildir:%[2]s%[3]s
mail_uid = %[4]d
mail_gid = %[5]d
ssl = no
libexec_dir = %[6]s/usr/lib/dovecot
mail_plugin_dir = %[6]s/usr/lib/dovecot/modules
mail_plugins = listescape
default_login_user = nobody
default_internal_user = nobody
default_internal_group = nogroup
stats_writer_socket_path =
mailbox_list_index = no
namespace inbox {
  inbox = yes
  separator = /
}
`

// startDovecot opens a session on the account's directory. Dovecot refuses to
// work as root, so that root runs it as a user of a namespace of its own.
func startDovecot(t *testing.T, x *tree, layout string) *dovecot {
	t.Helper()
	root, dir := dovecotRoot(t), t.TempDir()
	uid, gid := os.Getuid(), os.Getgid()
	if uid == 0 {
		uid, gid = 1000, 1000
	}
	conf := filepath.Join(dir, "dovecot.conf")
	text := fmt.Sprintf(dovecotConf, dir, x.path(""), layout, uid, gid, root)
	if err := os.WriteFile(conf, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), filepath.Join(root, "usr/bin/doveconf"), "-c", conf, "-m", "imap", "-e", filepath.Join(root, "usr/lib/dovecot/imap"))
	libs, err := filepath.Glob(filepath.Join(root, "usr/lib/*-linux-gnu"))
	if err != nil {
		t.Fatal(err)
	}
	if root != "/" {
		libs = append(libs, filepath.Join(root, "usr/lib/dovecot"))
		cmd.Env = append(os.Environ(), "LD_LIBRARY_PATH="+strings.Join(libs, ":"))
	}
	cmd.Env = append(cmd.Environ(), "USER=alice", "HOME="+dir)
	asUser(cmd, uid, gid)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Skipf("dovecot's imap cannot be run here: %v", err)
	}
	d := &dovecot{t: t, in: in, out: bufio.NewReader(out)}
	t.Cleanup(func() {
		_ = in.Close() // ends the session
		err := cmd.Wait()
		log, _ := os.ReadFile(filepath.Join(dir, "dovecot.log"))
		for line := range strings.Lines(string(log)) {
			if strings.Contains(line, "Error") || strings.Contains(line, "Panic") || strings.Contains(line, "Warning") {
				t.Errorf("dovecot: %s", line)
			}
		}
		if t.Failed() {
			t.Logf("dovecot: %v\n%s%s", err, stderr.Bytes(), log)
		}
	})
	if line, err := d.out.ReadString('\n'); err != nil || !strings.HasPrefix(line, "* PREAUTH") {
		t.Fatalf("dovecot says %q, %v", line, err)
	}
	return d
}

// do runs a command and returns the untagged lines. It must end in OK.
func (d *dovecot) do(format string, args ...any) (lines []string) {
	d.t.Helper()
	d.tag++
	tag := "t" + strconv.Itoa(d.tag)
	if _, err := fmt.Fprintf(d.in, tag+" "+format+"\r\n", args...); err != nil {
		d.t.Fatal(err)
	}
	for {
		line, err := d.out.ReadString('\n')
		if err != nil {
			d.t.Fatalf("dovecot ends the session: %v after %q", err, lines)
		}
		line = strings.TrimRight(line, "\r\n")
		if rest, ours := strings.CutPrefix(line, tag+" "); ours {
			if !strings.HasPrefix(rest, "OK") {
				d.t.Fatalf("%s: dovecot answers %q", fmt.Sprintf(format, args...), line)
			}
			return append(lines, rest)
		}
		lines = append(lines, line)
	}
}

func (d *dovecot) append(box, flags, text string) {
	d.t.Helper()
	d.do("APPEND %s (%s) {%d+}\r\n%s", box, flags, len(text), text)
}

// flags are those of all messages of the selected mailbox by subject, sorted.
func (d *dovecot) flags() map[string]string {
	d.t.Helper()
	out := make(map[string]string)
	re := regexp.MustCompile(`FLAGS \(([^)]*)\)`)
	lines := d.do("FETCH 1:* (FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
	for i, line := range lines {
		m := re.FindStringSubmatch(line)
		if m == nil || i+1 >= len(lines) {
			continue
		}
		list := slices.DeleteFunc(strings.Fields(m[1]), func(f string) bool { return f == `\Recent` })
		slices.Sort(list)
		out[strings.TrimPrefix(lines[i+1], "Subject: ")] = strings.Join(list, " ")
	}
	return out
}

func (x *tree) subjects(box string) (list []string) {
	x.t.Helper()
	for _, m := range x.all(box, store.Query{}) {
		text, err := content(x.t.Context(), x.a, x.box(box).ID, m.UID)
		if err != nil {
			x.t.Fatal(err)
		}
		subject, _, _ := strings.Cut(strings.TrimPrefix(text, "Subject: "), "\r\n")
		list = append(list, subject)
	}
	return list
}

func subject(s string) string { return "Subject: " + s + "\r\n\r\nFrom " + s + "\r\n" }

// TestDovecotReads: what we write is what Dovecot reads.
func TestDovecotReads(t *testing.T) {
	for _, layout := range []string{"", ":UTF-8"} {
		t.Run("mail_location"+layout, func(t *testing.T) {
			dovecotRoot(t)
			x := newTreeWith(t, layout != "")
			x.put(subject("one"), store.Seen|store.Flagged, "$Junk", "todo")
			x.put(subject("two"), store.Draft|store.Answered|store.Deleted)
			x.put(subject("three"), 0, "todo")
			for _, name := range []string{"Été/A.b", "R&D", "INBOX/x"} {
				x.do(store.PutMailbox{ID: store.NewMailboxID(), Create: true, Name: name})
			}
			x.do(store.Copy{Source: x.box(store.Inbox).ID, UIDs: store.UIDs(1), Dest: x.box("Été/A.b").ID})
			d := startDovecot(t, x, layout)
			list := strings.Join(d.do(`LIST "" *`), "\n")
			for _, name := range []string{"&AMk-t&AOk-/A.b", "R&-D", "INBOX/x"} {
				if !strings.Contains(list, `"/" `+name+"\n") {
					t.Errorf("dovecot does not list %s:\n%s", name, list)
				}
			}
			d.do("SELECT INBOX")
			want := map[string]string{"one": `$Junk \Flagged \Seen todo`, "two": `\Answered \Deleted \Draft`, "three": "todo"}
			for subject, flags := range d.flags() {
				if want[subject] != flags {
					t.Errorf("dovecot sees %q with %q, want %q", subject, flags, want[subject])
				}
				delete(want, subject)
			}
			if len(want) > 0 {
				t.Errorf("dovecot does not see %q", want)
			}
			if text := strings.Join(d.do("FETCH 1 (RFC822.SIZE BODY.PEEK[])"), "\n"); !strings.Contains(text, "RFC822.SIZE 26") || !strings.Contains(text, "\n\nFrom one\n") {
				t.Errorf("dovecot reads %q", text)
			}
			d.do("SELECT &AMk-t&AOk-/A.b")
			if got := d.flags()["one"]; got != `$Junk \Flagged \Seen todo` {
				t.Errorf("dovecot sees the copy with %q", got)
			}
		})
	}
}

// TestDovecotWrites: what Dovecot does while our store is open is found, and
// what we do while Dovecot has the mailbox open it finds.
func TestDovecotWrites(t *testing.T) {
	dovecotRoot(t)
	x := newTree(t)
	for _, s := range []string{"one", "two", "three"} {
		x.put(subject(s), 0, "todo")
	}
	d := startDovecot(t, x, "")
	d.do("SELECT INBOX")
	d.append("INBOX", `\Seen $new`, subject("four"))
	d.do(`STORE 1 +FLAGS (\Flagged later)`)
	d.do(`STORE 1 -FLAGS (todo)`)
	d.do("CREATE Saved/Deep")
	d.do("CREATE Else")
	d.do("MOVE 2 Saved/Deep")
	if got := x.subjects(store.Inbox); !slices.Equal(got, []string{"one", "three", "four"}) {
		t.Errorf("INBOX holds %q", got)
	}
	list := x.all(store.Inbox, store.Query{})
	if m := list[0]; m.Flags != store.Flagged || !slices.Equal(m.Keywords, []string{"later"}) {
		t.Errorf("the message that dovecot flagged is %+v", m)
	}
	if m := list[2]; m.Flags != store.Seen || !slices.Equal(m.Keywords, []string{"$new"}) || m.Size != int64(len(subject("four"))) {
		t.Errorf("the message that dovecot stored is %+v", m)
	}
	if got := x.subjects("Saved/Deep"); !slices.Equal(got, []string{"two"}) {
		t.Errorf("Saved/Deep holds %q", got)
	}
	if m := x.all("Saved/Deep", store.Query{})[0]; !slices.Equal(m.Keywords, []string{"todo"}) {
		t.Errorf("the message that dovecot moved is %+v", m)
	}

	deep, gone := x.box("Saved/Deep"), x.box("Else")
	d.do("DELETE Else")
	d.do("RENAME Saved Else")
	if now := x.box("Else/Deep"); now.ID != deep.ID || now.UIDValidity != deep.UIDValidity || now.Messages != 1 {
		t.Errorf("what dovecot renamed was %+v and is %+v", deep, now)
	}
	if x.box("Else").ID == gone.ID {
		t.Error("a mailbox in the place of a deleted one is that one")
	}
	d.do("RENAME Else/Deep Top")
	if x.box("Top").ID != deep.ID {
		t.Error("Top is another mailbox than Else/Deep")
	}
	d.do("DELETE Top")
	if _, err := store.MailboxByName(t.Context(), x.a, "Top"); err == nil {
		t.Error("Top is there after dovecot deleted it")
	}

	at := x.box(store.Inbox).HighestModSeq
	d.do("STORE 2 +FLAGS (\\Deleted)")
	d.do("EXPUNGE")
	if list := x.all(store.Inbox, store.Query{Since: at}); len(list) != 1 || !list[0].Gone {
		t.Errorf("after dovecot's EXPUNGE: %+v", list)
	}

	id := x.box(store.Inbox).ID
	x.do(store.SetFlags{Mailbox: id, UIDs: store.UIDs(1), Flags: store.Seen, Keywords: []string{"ours"}})
	x.put(subject("five"), 0)
	x.do(store.Expunge{Mailbox: id, UIDs: store.UIDs(list[2].UID)})
	x.do(store.PutMailbox{ID: x.box("Else").ID, Name: "Third"})
	d.do("NOOP")
	got := d.flags()
	if len(got) != 2 || got["one"] != `\Flagged \Seen later ours` || got["five"] != "" {
		t.Errorf("dovecot sees %q", got)
	}
	// With its list index Dovecot may miss a rename in the second of one of its own.
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		list := strings.Join(d.do(`LIST "" *`), "\n")
		if strings.Contains(list, " Third\n") && !strings.Contains(list, " Else\n") {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("dovecot lists %s\nof %q", list, x.files("."))
		}
	}
}

// TestDovecotRaces: both change the same mailbox at once, and agree at the end.
func TestDovecotRaces(t *testing.T) {
	dovecotRoot(t)
	x := newTree(t)
	d := startDovecot(t, x, "")
	const n = 40
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range n {
			x.put(subject(fmt.Sprint("ours", i)), 0)
			for _, m := range x.all(store.Inbox, store.Query{}) {
				if m.Flags == 0 {
					x.do(store.SetFlags{Mailbox: x.box(store.Inbox).ID, UIDs: store.UIDs(m.UID), Flags: store.Flagged})
				}
			}
		}
	}()
	d.do("SELECT INBOX")
	for i := range n {
		d.append("INBOX", `\Seen`, subject(fmt.Sprint("theirs", i)))
		d.do("NOOP")
		d.do(`STORE 1:* +FLAGS ($met)`)
	}
	<-done
	d.do("NOOP")
	deadline := time.Now().Add(10 * time.Second)
	for {
		ours := make(map[string]string)
		for _, m := range x.all(store.Inbox, store.Query{}) {
			text, err := content(t.Context(), x.a, x.box(store.Inbox).ID, m.UID)
			if err != nil {
				t.Fatal(err)
			}
			subject, _, _ := strings.Cut(strings.TrimPrefix(text, "Subject: "), "\r\n")
			ours[subject] = imapFlags(m)
		}
		theirs := d.flags()
		if len(ours) == 2*n && fmt.Sprint(ours) == fmt.Sprint(theirs) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("we have %d: %v\ndovecot has %d: %v", len(ours), ours, len(theirs), theirs)
		}
		d.do("NOOP")
	}
}

func imapFlags(m store.Message) string {
	list := slices.Clone(m.Keywords)
	for _, f := range []struct {
		bit  store.Flags
		name string
	}{{store.Seen, `\Seen`}, {store.Flagged, `\Flagged`}, {store.Deleted, `\Deleted`}, {store.Answered, `\Answered`}, {store.Draft, `\Draft`}} {
		if m.Flags&f.bit != 0 {
			list = append(list, f.name)
		}
	}
	slices.Sort(list)
	return strings.Join(list, " ")
}
