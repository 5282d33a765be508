package itest

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A muttUser starts mutt again and again with the same cache of headers.
type muttUser struct {
	program, dir string
	guest
}

// run opens INBOX and copies messages, named by patterns, each to a file of its
// own; a pattern that begins with "thread:" stands for the whole thread.
func (m muttUser) run(t *testing.T, patterns ...string) (files []string, log string) {
	t.Helper()
	dir := t.TempDir()
	_, port := m.hostPort("imaps")
	var push strings.Builder
	for i, p := range patterns {
		files = append(files, filepath.Join(dir, fmt.Sprintf("copy%d", i)))
		if start, thread := strings.CutPrefix(p, "thread:"); thread {
			fmt.Fprintf(&push, "<search>%s<enter><tag-thread>", start)
		} else {
			fmt.Fprintf(&push, "<tag-pattern>%s<enter>", p)
		}
		fmt.Fprintf(&push, "<tag-prefix><copy-message>%s<enter><untag-pattern>~A<enter>", files[i])
	}
	more := ""
	if m.program == "mutt" { // Debian's NeoMutt has no zlib
		more = "imap_deflate=yes"
	}
	rc := writeFile(t, "muttrc", fmt.Appendf(nil, `set folder="imaps://localhost:%[1]s/" spoolfile="imaps://localhost:%[1]s/INBOX"
set imap_user=%[2]q imap_pass=%[3]q certificate_file=%[4]q
set imap_condstore=yes imap_qresync=yes %[7]s header_cache="%[5]s/headers" message_cachedir="%[5]s/bodies" sort=threads
set mbox_type=mbox confirmappend=no confirmcreate=no quit=yes mail_check=0 copy=no record="" delete=no move=no
push "%[6]s<exit>"
`, port, m.name, password, m.certFile(), m.dir, push.String(), more))
	debug := filepath.Join(dir, "debug")
	runPeer(t, false, "script", "-qec", fmt.Sprintf("%s -n -F %s -d 3; cp .%sdebug0 %s", m.program, rc, m.program, debug), os.DevNull)
	text, err := os.ReadFile(debug)
	if err != nil {
		t.Fatal(err)
	}
	return files, string(text)
}

// copied are the numbers of the messages in an mbox file.
func copied(t *testing.T, file string) (numbers []string) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`This is message (\d+)\.`).FindAllStringSubmatch(string(b), -1) {
		numbers = append(numbers, m[1])
	}
	slices.Sort(numbers)
	return numbers
}

// testMutt reads a mailbox in threads, goes away, and is told with QRESYNC enabled
// what has changed meanwhile: the cache of headers is brought up to date, and only
// the headers that are new are read.
func testMutt(t *testing.T, g guest, program string) {
	peer(t, program)
	g.fill(t, "INBOX", 0, 5)
	ic := g.login(t, g.name, "INBOX")
	for i, parent := range []int{5: 2, 6: 5, 7: 2} {
		if i >= 5 {
			reply := strings.Replace(string(small(i)), "Message-ID:", fmt.Sprintf("In-Reply-To: <bulk.%d@remote.example>\r\nMessage-ID:", parent), 1)
			ic.ok("APPEND INBOX {%d+}\r\n%s", len(reply), reply)
		}
	}
	m := muttUser{program, t.TempDir(), g}
	for _, sub := range []string{"headers", "bodies"} {
		if err := os.Mkdir(filepath.Join(m.dir, sub), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	files, log := m.run(t, "~A", "thread:~i bulk.2@remote.example")
	same(t, "all", copied(t, files[0]), []string{"0", "1", "2", "3", "4", "5", "6", "7"})
	same(t, "a thread", copied(t, files[1]), []string{"2", "5", "6", "7"})
	if !strings.Contains(log, "ENABLE QRESYNC") || program == "mutt" && !strings.Contains(log, "COMPRESS DEFLATE") {
		t.Fatalf("%s does not enable QRESYNC, or does not compress: %.2000s", program, log)
	}

	ic.ok(`STORE 2 +FLAGS (\Flagged)`)
	ic.ok(`STORE 4 +FLAGS (\Deleted)`)
	ic.ok("EXPUNGE")
	g.fill(t, "INBOX", 8, 10)
	files, log = m.run(t, "~A", "~F")
	same(t, "all later", copied(t, files[0]), []string{"0", "1", "2", "4", "5", "6", "7", "8", "9"})
	same(t, "flagged", copied(t, files[1]), []string{"1"})
	if !regexp.MustCompile(`UID FETCH 1:8 \(FLAGS\) \(CHANGEDSINCE \d+ VANISHED\)`).MatchString(log) {
		t.Errorf("%s: no resynchronisation in the dialogue: %.3000s", program, log)
	}
	if strings.Contains(log, "QRESYNC failed") && program == "mutt" { // NeoMutt counts wrongly when something vanished, and starts again
		t.Errorf("%s starts again: %.3000s", program, log)
	}
	if n := strings.Count(log, "FETCH 8:9 (UID FLAGS INTERNALDATE"); n != 1 {
		t.Errorf("%s: the two new headers are read %d times: %.3000s", program, n, log)
	}
}
