package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/examples/internal/answer"
	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/sqlite"
)

// ctl runs a command and returns its exit code and what it wrote.
func ctl(t *testing.T, in string, args ...string) (code int, out, errs string) {
	t.Helper()
	var o, e bytes.Buffer
	code = run(t.Context(), args, streams{strings.NewReader(in), &o, &e})
	return code, o.String(), e.String()
}

// ok runs a command with --json that has to succeed.
func ok[T any](t *testing.T, args ...string) (v T) {
	t.Helper()
	code, out, errs := ctl(t, "secret\n", append([]string{"--json"}, args...)...)
	if code != exitOK {
		t.Fatalf("%v: exit %d\n%s%s", args, code, out, errs)
	}
	if err := json.Unmarshal([]byte(out), &v); err != nil {
		t.Fatalf("%v: %v\n%s", args, err, out)
	}
	return v
}

// deliverTo puts messages into an account of a data directory.
func deliverTo(t *testing.T, dir, name string, n int) {
	t.Helper()
	e, err := sqlite.Open(t.Context(), dir, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	a, err := e.Store().Open(t.Context(), store.AccountID(name))
	if err != nil {
		t.Fatal(err)
	}
	inbox, err := store.MailboxByName(t.Context(), a, store.Inbox)
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		m := store.NewMessage{Mailbox: inbox.ID, Body: strings.NewReader(fmt.Sprintf("Subject: %d\r\n\r\n%d", i, i)), BodySize: -1}
		if _, err := store.AppendMessage(t.Context(), e.Store(), a, "", m); err != nil {
			t.Fatal(err)
		}
	}
}

// TestBackupRestore: accounts, backup, verify, restore into another directory,
// and a second run of each that copies nothing.
func TestBackupRestore(t *testing.T) {
	data, archive, other := filepath.Join(t.TempDir(), "data"), filepath.Join(t.TempDir(), "archive"), filepath.Join(t.TempDir(), "other")
	ok[answer.Account](t, "--data", data, "account", "add", "alice@example.org", "--messages", "100")
	deliverTo(t, data, "alice@example.org", 10)
	if dry := ok[backupResult](t, "--data", data, "--dry-run", "backup", archive); dry.Full != 1 {
		t.Errorf("dry run: %+v", dry)
	}
	if _, err := os.Stat(archive); err == nil {
		t.Error("the dry run made the archive")
	}
	first := ok[backupResult](t, "--data", data, "backup", archive)
	if first.Full != 1 || first.Messages != 10 || first.Bodies != 10 {
		t.Errorf("%+v", first)
	}
	if again := ok[backupResult](t, "--data", data, "backup", archive); again.Unchanged != 1 || again.Bodies != 0 || again.Messages != 0 {
		t.Errorf("the second backup: %+v", again)
	}
	if v := ok[archiveResult](t, "--data", data, "verify", archive, "--compare"); v.Backups != 2 || v.Messages != 10 || v.Compared != 10 {
		t.Errorf("verify: %+v", v)
	}
	if r := ok[restoreResult](t, "--data", other, "restore", archive); r.Accounts != 1 || r.Messages != 10 {
		t.Errorf("restore: %+v", r)
	}
	if r := ok[restoreResult](t, "--data", other, "restore", archive); r.Already != 1 || r.Messages != 0 {
		t.Errorf("the second restore: %+v", r)
	}
	if x := ok[dataResult](t, "--data", other, "verify"); x.Bodies != 10 {
		t.Errorf("verify the data: %+v", x)
	}
	one := ok[restoreResult](t, "--data", other, "restore", archive, "--account=alice@example.org", "--mailbox=INBOX", "--uid=2:3,9", "--into=Back")
	if one.Messages != 3 || one.Mailboxes != 1 {
		t.Errorf("three messages: %+v", one)
	}
	q := ok[answer.Account](t, "--data", other, "account", "quota", "alice@example.org", "--messages", "20")
	if q.Messages != 13 || q.Quota.Messages != 20 {
		t.Errorf("quota: %+v", q)
	}
	list := ok[answer.Accounts](t, "--data", other, "account", "list")
	if len(list.Accounts) != 1 || list.Accounts[0].Quota.Messages != 20 || list.Accounts[0].Mailboxes != 7 {
		t.Errorf("%+v", list)
	}
	pruned := ok[backupResult](t, "--data", data, "backup", archive, "--keep", "1")
	if len(pruned.Removed) != 2 {
		t.Errorf("%+v", pruned)
	}
	backups := ok[struct{ Backups []backupInfo }](t, "backup", archive, "--list")
	if len(backups.Backups) != 1 || backups.Backups[0].Messages != 10 {
		t.Errorf("%+v", backups)
	}
}

// TestBadUse: exit 2, and words that help.
func TestBadUse(t *testing.T) {
	dir := t.TempDir()
	for _, x := range []struct {
		args string
		word string
	}{
		{"", "expected one of"},
		{"frobnicate", "unexpected argument"},
		{"backup", "expected"},
		{"--data " + dir + " backup " + dir + "/a", "no store"},
		{"--data " + dir + " verify", "no store"},
		{"--data " + dir + " queue list", "no store"},
		{"--data " + dir + " queue drop", "--all"},
		{"--data " + dir + " queue reroute --to x", "--all"},
		{"--data " + dir + " queue reroute --all", "--to"},
		{"--data " + dir + " queue reroute --all --to a@b", "not the name"},
		{"--data " + dir + " queue bounce --all --reason=", "empty"},
		{"--data " + dir + " queue pause", "destination"},
		{"--data " + dir + " queue rule add x", "no store"},
		{"--data " + dir + " queue history --since yesterday", "--since is a date"},
		{"--data " + dir + " queue history --limit 0", "1 to 10000"},
		{"--data " + dir + " queue shape --top 0", "1 to 1000"},
		{"--data " + dir + " queue shape --by age", "one of"},
		{"--data " + dir + " account passwd x@y", "no password"},
		{"send x", "--server URL, or --queue"},
		{"send x --queue --server smtp://h", "--server URL, or --queue"},
		{"send " + dir + "/none --queue", "no such file"},
		{"send --server http://h", "begins with smtp:"},
		{"send --server smtp://h/x", "want SCHEME"},
		{"send --server submissions://h --tls=off", "does not go with"},
		{"send --server smtp://h --password x", "needs --user"},
		{"send --server smtp://u@h", "needs --password"},
		{"send --server smtp://h --ca " + dir + "/none", "--ca"},
		{"send --server smtp://h --attach x", "--subject"},
		{"send --server smtp://h --from a@b --to c@d", "there is no message"},
		{"import mbox x", "expected"},
		{"export eml", "expected"},
		{"migrate a b", "a place is"},
		{"migrate imap://h/ account:x", "USER@HOST"},
		{"migrate imap://u:secret@h/INBOX account:x", "nothing stands behind"},
		{"migrate imaps://u@h?tls=off account:x", "?tls=off"},
		{"migrate account:x pop3://u@h", "POP3"},
		{"--data " + dir + " migrate account:x maildir:" + dir + "/m", "no store"},
		{"migrate sqlite:" + dir + "#a sqlite:" + dir + "#b", "no store in"},
		{"migrate sqlite:" + dir + " maildir:m", "missing"},
		{"migrate postgres://u:secret@h/%zz#a maildir:m", "postgres"},
		{"migrate account:x maildir:m --verify all", "none"},
		{"dkim genkey", "expected"},
		{"dkim genkey example.org", "expected"},
		{"dkim genkey example.org s_1", "no selector"},
		{"dkim genkey exa/mple s1", "no domain"},
		{"dkim genkey example.org s1 --bits 1024", "2048 to 4096"},
		{"dkim check example.org s1", "there is no key"},
		{"--data " + dir + " backup a --mailbox INBOX", "--account"},
		{"--data " + dir + " restore a --account a --mailbox b --uid 0", "UIDs"},
		{"--data " + dir + " account add nobody", "no address"},
		{"--data @" + dir + "/none backup x", "no such file"},
	} {
		code, out, errs := ctl(t, "", strings.Fields(x.args)...)
		if strings.Contains(errs+out, "secret") {
			t.Errorf("%s: shows a secret: %s%s", x.args, out, errs)
		}
		if code != exitUse || !strings.Contains(errs+out, x.word) {
			t.Errorf("%s: exit %d, %s%s", x.args, code, out, errs)
		}
	}
	if code, out, _ := ctl(t, "", "-h"); code != exitOK || !strings.Contains(out, "restore") {
		t.Errorf("-h: exit %d, %s", code, out)
	}
}

// TestDamagedArchive: exit 1, with the object in the text and in the JSON.
func TestDamagedArchive(t *testing.T) {
	data, archive := filepath.Join(t.TempDir(), "data"), filepath.Join(t.TempDir(), "archive")
	ok[answer.Account](t, "--data", data, "account", "add", "alice@example.org")
	deliverTo(t, data, "alice@example.org", 3)
	ok[backupResult](t, "--data", data, "backup", archive)
	packs, err := filepath.Glob(filepath.Join(archive, "packs", "*", "*"))
	if err != nil || len(packs) != 1 {
		t.Fatal(packs, err)
	}
	b, err := os.ReadFile(packs[0])
	if err != nil {
		t.Fatal(err)
	}
	b[30] ^= 1
	if err := os.WriteFile(packs[0], b, 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, _ := ctl(t, "", "--json", "verify", archive)
	if code != exitFault || !strings.Contains(out, ".pack") {
		t.Errorf("exit %d, %s", code, out)
	}
	if code, _, errs := ctl(t, "", "--data", filepath.Join(t.TempDir(), "x"), "restore", archive); code != exitFault || !strings.Contains(errs, "damaged") {
		t.Errorf("restore: exit %d, %s", code, errs)
	}
	code, out, errs := ctl(t, "", "--data", filepath.Join(t.TempDir(), "x"), "restore", archive, "--partial")
	if code != exitFault || !strings.Contains(out, "2 messages") || !strings.Contains(errs, "message 1") {
		t.Errorf("partial: exit %d, %s%s", code, out, errs)
	}
}

// TestStopped: a command whose context ends exits with 130.
func TestStopped(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	ok[answer.Account](t, "--data", data, "account", "add", "alice@example.org")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out, errs bytes.Buffer
	code := run(ctx, []string{"--data", data, "backup", filepath.Join(t.TempDir(), "a")}, streams{strings.NewReader(""), &out, &errs})
	if code != exitStop || !strings.Contains(errs.String(), "stopped") {
		t.Errorf("exit %d, %s", code, &errs)
	}
}

// TestOwned: where a server owns the data, it is asked, and where it cannot
// be, the text says who it is.
func TestOwned(t *testing.T) {
	data := t.TempDir()
	e, err := sqlite.Open(t.Context(), data, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	code, _, errs := ctl(t, "", "--data", data, "account", "list")
	if code != exitFault || !strings.Contains(errs, fmt.Sprint(os.Getpid())) || !strings.Contains(errs, "stop it first") {
		t.Errorf("exit %d, %s", code, errs)
	}
	l, err := net.Listen("unix", filepath.Join(data, "control.sock"))
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/accounts", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, `{"accounts":[{"name":"alice@example.org","state":"active","messages":3}]}`)
	})
	mux.HandleFunc("POST /v1/backup", func(w http.ResponseWriter, r *http.Request) {
		var in answer.BackupRequest
		if json.NewDecoder(r.Body).Decode(&in) != nil || !filepath.IsAbs(in.Archive) || !in.Full {
			t.Errorf("asked for %+v", in)
		}
		fmt.Fprint(w, `{"progress":{"Done":0,"Total":1}}`+"\n"+`{"item":{"text":"one is missing"}}`+"\n"+`{"result":{"backup":"b","full":1,"missing":1}}`+"\n")
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprintln(w, `{"error":{"code":"not_found","message":"there is no such request"}}`)
	})
	srv := &http.Server{Handler: mux}
	go func() { _ = srv.Serve(l) }()
	defer srv.Close()
	if list := ok[answer.Accounts](t, "--data", data, "account", "list"); len(list.Accounts) != 1 || list.Accounts[0].Messages != 3 {
		t.Errorf("%+v", list)
	}
	code, out, errs := ctl(t, "", "--data", data, "backup", "x", "--full")
	if code != exitFault || !strings.Contains(out, "backup b: 1 accounts in full") || !strings.Contains(errs, "one is missing") {
		t.Errorf("exit %d, %s%s", code, out, errs)
	}
	if code, _, errs := ctl(t, "", "--data", data, "verify"); code != exitFault || !strings.Contains(errs, "no such request") {
		t.Errorf("exit %d, %s", code, errs)
	}
	if code, _, errs := ctl(t, "", "--data", data, "verify", "x", "--compare"); code != exitFault || !strings.Contains(errs, "stop it first") {
		t.Errorf("exit %d, %s", code, errs)
	}
}

// TestAppPasswords works on a data directory without a server, and leaves no
// secret in what is listed.
func TestAppPasswords(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	const name = "alice@example.org"
	ok[answer.Account](t, "--data", data, "account", "add", name)
	made := ok[struct{ Password string }](t, "--data", data, "account", "app-password", "add", name, "phone", "--protocol", "imap", "--protocol", "smtp")
	if made.Password == "" {
		t.Fatal("no password")
	}
	ok[struct{}](t, "--data", data, "account", "app-password", "only", name, "on")
	list := ok[answer.AppPasswords](t, "--data", data, "account", "app-password", "list", name)
	if len(list.AppPasswords) != 1 || list.AppPasswords[0].Label != "phone" || len(list.AppPasswords[0].Protocols) != 2 || !list.Only {
		t.Errorf("%+v", list)
	}
	ok[struct{}](t, "--data", data, "account", "app-password", "revoke", name, "phone")
	if code, _, errs := ctl(t, "", "--data", data, "account", "app-password", "revoke", name, "phone"); code != exitFault || !strings.Contains(errs, "no such app password") {
		t.Errorf("exit %d, %s", code, errs)
	}
	if x := ok[answer.Logins](t, "--data", data, "account", "logins", name); x.Last != nil || x.Name != name {
		t.Errorf("%+v", x)
	}
	if code, out, _ := ctl(t, "", "--data", data, "account", "logins", name); code != exitOK || !strings.Contains(out, "never logged in") {
		t.Errorf("exit %d, %s", code, out)
	}
}
