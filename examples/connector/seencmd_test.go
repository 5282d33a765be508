package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const seenConfig = `hostname = "h.example"
[targets.s]
type = "store"
accounts = ["a@example.org"]
[[source]]
name = "ann"
protocol = "pop3s"
host = "real.example"
user = "ann"
password = "hunter2"
recipient = "a@example.org"
[[source]]
name = "joe@poll.example"
protocol = "pop3s"
host = "via.example"
user = "joe"
password = "hunter2"
recipient = "a@example.org"
[[source]]
name = "hash"
protocol = "pop3s"
host = "real.example"
user = "hash"
password = "hunter2"
recipient = "a@example.org"
no-unique-ids = true
[[source]]
name = "imap"
protocol = "imaps"
host = "real.example"
user = "ann"
password = "hunter2"
recipient = "a@example.org"
folders = ["INBOX", "x"]
[[source]]
name = "imap-x"
protocol = "imaps"
host = "real.example"
user = "ann-x"
password = "hunter2"
recipient = "a@example.org"
`

// TestImportSeen is about which source a list is of.
func TestImportSeen(t *testing.T) {
	config := write(t, "c.toml", seenConfig)
	dir := t.TempDir()
	list := func(name, text string) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	ids := list("ids", "ann@REAL.example a\njoe@poll.example b\njoe@poll.example c\n")
	strange := list("strange", "ann@real.example a\nbob@other.example b\nhash@real.example x\n")
	bob := list("bob", "bob@other.example b\n")
	bad := list("bad", "ann@real.example new\nnonsense\n")
	pop := list("oldmail-real.example-995-ann", "a\x001\n")
	mails := list("oldmail-real.example-993-ann-INBOX", "1/2\x001\n")
	other := list("oldmail-real.example-993-ann-y", "1/2\x001\n")
	both := list("oldmail-real.example-993-ann-x-INBOX", "1/2\x001\n")
	doubtful := list("oldmail-real.example-993-ann-x-z", "1/2\x001\n")
	for _, tt := range []struct {
		args string
		code int
		want string
	}{
		{"fetchids " + bad, exitUse, bad + ":2: want USER@HOST and a unique-id"},
		{"fetchids " + ids, exitOK, "ann: 1 ids of ann@REAL.example taken over, 0 known before\njoe@poll.example: 2 ids of joe@poll.example taken over, 0 known before\n"},
		{"fetchids " + ids, exitOK, "ann: 0 ids of ann@REAL.example taken over, 1 known before"},
		{"fetchids " + strange, exitFault, strange + ":2: bob@other.example: 1 ids are left out: no source has this server and user: --source names one"},
		{"fetchids " + strange, exitFault, strange + ":3: hash@real.example: 1 ids are left out: hash does not believe"},
		{"fetchids --source ann " + ids, exitUse, ids + ":2: joe@poll.example is a second mailbox"},
		{"fetchids --source ann " + bob, exitOK, "ann: 1 ids of bob@other.example taken over, 0 known before"},
		{"fetchids --source nobody " + bob, exitUse, "--source: there is no source nobody"},
		{"fetchids --source imap " + bob, exitUse, "imap is IMAP, of which fetchmail keeps no list"},
		{"fetchids --folder x " + bob, exitUse, "--folder goes with oldmail and --source"},
		{"oldmail " + bob, exitUse, bob + ":1: the name of a list of getmail begins with oldmail-"},
		{"oldmail " + pop, exitOK, "ann: 1 ids of real.example-995-ann taken over"},
		{"oldmail " + mails + " " + other, exitOK, "imap: 1 ids of real.example-993-ann-INBOX taken over, 0 known before\nimap: 1 ids of real.example-993-ann-y taken over"},
		{"oldmail " + both, exitOK, "imap-x: 1 ids of real.example-993-ann-x-INBOX taken over"},
		{"oldmail " + doubtful, exitFault, "more than one source may be meant"},
		{"oldmail --source imap-x --folder z " + doubtful, exitOK, "imap-x: 1 ids of real.example-993-ann-x-z taken over"},
		{"oldmail --source imap " + pop, exitUse, "--folder says of which folder"},
		{"oldmail --source ann " + mails, exitUse, "has ids of another protocol than that of ann"},
		{"--json fetchids " + ids, exitOK, `{"account":"ann@REAL.example","file":"` + ids + `","source":"ann","marked":0,"known":1}`},
	} {
		args := append([]string{"-c", config, "--data", filepath.Join(dir, "data"), "import-seen"}, strings.Fields(tt.args)...)
		code, out, err := runProgram(t, "", args...)
		if code != tt.code || !strings.Contains(out+err, tt.want) {
			t.Errorf("%s: exit %d, want %d\n%s%swant %s", tt.args, code, tt.code, out, err, tt.want)
		}
	}
}
