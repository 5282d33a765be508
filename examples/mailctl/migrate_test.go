package main

import (
	"bytes"
	"context"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/examples/internal/answer"
	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/sqlite"
)

// subjects are the messages of a mailbox by their subjects, in order.
func subjects(t *testing.T, dir, name, mailbox string) (list []string) {
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
	box, err := store.MailboxByName(t.Context(), a, mailbox)
	if err != nil {
		t.Fatal(err)
	}
	for m, err := range a.Messages(t.Context(), box.ID, store.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		c, err := a.Content(t.Context(), box.ID, m.UID)
		if err != nil {
			t.Fatal(err)
		}
		b := make([]byte, c.Size())
		if _, err := c.ReadAt(b, 0); err != nil {
			t.Fatal(err)
		}
		c.Close()
		line, _, _ := strings.Cut(string(b), "\r\n")
		list = append(list, strings.TrimPrefix(line, "Subject: "))
	}
	return list
}

// TestMigrate copies an account into another data directory: a dry run does
// nothing, a second run copies nothing, a third what came meanwhile.
func TestMigrate(t *testing.T) {
	dir := t.TempDir()
	data, other := filepath.Join(dir, "data"), filepath.Join(dir, "other")
	const name = "alice@example.org"
	ok[answer.Account](t, "--data", data, "account", "add", name)
	deliverTo(t, data, name, 10)
	args := []string{"--data", data, "migrate", "account:" + name, "sqlite:" + other + "#alice@example.net", "--create", "--into=Old"}
	if code, _, errs := ctl(t, "", append([]string{"--dry-run"}, args...)...); code != exitUse || !strings.Contains(errs, "no store in") {
		t.Errorf("dry run: exit %d, %s", code, errs)
	}
	ok[answer.Account](t, "--data", other, "account", "add", "alice@example.net")
	if x := ok[migrated](t, append([]string{"--dry-run"}, args...)...); x.Copied != 10 || !x.DryRun {
		t.Errorf("dry run: %+v", x)
	}
	if x := ok[migrated](t, args...); x.Copied != 10 || x.Present != 0 || x.Skipped != 0 {
		t.Errorf("%+v", x)
	}
	if got := subjects(t, other, "alice@example.net", "Old"); len(got) != 10 || got[9] != "9" {
		t.Errorf("%q", got)
	}
	if x := ok[migrated](t, args...); x.Copied != 0 || x.Present != 10 {
		t.Errorf("again: %+v", x)
	}
	deliverTo(t, data, name, 2)
	if x := ok[migrated](t, append(args, "--verify=bodies")...); x.Copied != 2 || x.Verified != 12 || x.Different != 0 {
		t.Errorf("what came meanwhile: %+v", x)
	}
	code, out, errs := ctl(t, "", args...)
	if want := "copied 0 messages (0 B) in 6 mailboxes; 12 were there\n"; code != exitOK || out != want || errs != "" {
		t.Errorf("exit %d, %q, want %q; %s", code, out, want, errs)
	}
}

// TestMigrateLoss: what cannot be copied is told, and the exit code says so.
func TestMigrateLoss(t *testing.T) {
	dir := t.TempDir()
	data, other := filepath.Join(dir, "data"), filepath.Join(dir, "other")
	const name = "alice@example.org"
	ok[answer.Account](t, "--data", data, "account", "add", name)
	deliverTo(t, data, name, 3)
	ok[answer.Account](t, "--data", other, "account", "add", name, "--messages=2")
	args := []string{"--data", data, "migrate", "account:" + name, "sqlite:" + other + "#" + name}
	code, out, errs := ctl(t, "", append([]string{"--json"}, args...)...)
	var x migrated
	if err := json.Unmarshal([]byte(out), &x); err != nil || code != exitFault || x.Failed+x.Skipped == 0 || len(x.Skips) == 0 {
		t.Errorf("exit %d, %s%s", code, out, errs)
	}
	var skips int
	for line := range strings.Lines(errs) {
		var e event
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Errorf("%v: %s", err, line)
		}
		if e.Event == "skipped" && e.About != nil && e.About.Reason == "over quota" {
			skips++
		}
	}
	if skips == 0 {
		t.Errorf("nothing is told: %s", errs)
	}
	code, out, errs = ctl(t, "", args...)
	if code != exitFault || !strings.Contains(out, "NOT WHOLE") && !strings.Contains(out, "SKIPPED") || !strings.Contains(errs, "over quota") {
		t.Errorf("exit %d, %s%s", code, out, errs)
	}
	if x := ok[migrated](t, append(args, "--ignore-quota")...); x.Copied+x.Present != 3 {
		t.Errorf("%+v", x)
	}
}

// TestMigrateGoesOn: a run that was bounded, and one that was stopped, are gone on
// with, and nothing is doubled.
func TestMigrateGoesOn(t *testing.T) {
	dir := t.TempDir()
	data, other := filepath.Join(dir, "data"), filepath.Join(dir, "other")
	const name = "alice@example.org"
	ok[answer.Account](t, "--data", data, "account", "add", name)
	deliverTo(t, data, name, 30)
	ok[answer.Account](t, "--data", other, "account", "add", name)
	args := []string{"--data", data, "migrate", "account:" + name, "sqlite:" + other + "#" + name}
	code, out, errs := ctl(t, "", append(args, "--max-bytes=100")...)
	if code != exitLater || !strings.Contains(out, "the limit of this run") {
		t.Errorf("exit %d, %s%s", code, out, errs)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var o, e bytes.Buffer
	if code := run(ctx, args, streams{strings.NewReader(""), &o, &e}); code != exitStop || !strings.Contains(e.String(), "goes on from here") {
		t.Errorf("stopped: exit %d, %s", code, &e)
	}
	if x := ok[migrated](t, args...); x.Copied+x.Present != 30 || x.Present == 0 {
		t.Errorf("%+v", x)
	}
	if got := subjects(t, other, name, "INBOX"); len(got) != 30 {
		t.Errorf("%d messages", len(got))
	}
}

// TestFiles: what goes out into files comes back from them, and nothing twice.
func TestFiles(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	ok[answer.Account](t, "--data", data, "account", "add", "alice@example.org")
	deliverTo(t, data, "alice@example.org", 7)
	for _, kind := range []string{"mbox", "maildir", "eml"} {
		t.Run(kind, func(t *testing.T) {
			dir, to := filepath.Join(t.TempDir(), "x"), kind+"@example.org"
			ok[answer.Account](t, "--data", data, "account", "add", to)
			for i, args := range [][]string{
				{"export", kind, "alice@example.org", dir},
				{"export", kind, "alice@example.org", dir},
				{"import", kind, dir, to, "--verify=bodies"},
				{"import", kind, dir, to, "--verify=bodies"},
			} {
				x := ok[migrated](t, append([]string{"--data", data}, args...)...)
				if want := int64(7 * (1 - i%2)); x.Copied != want || x.Copied+x.Present != 7 || x.Skipped+x.Failed+x.Different != 0 {
					t.Errorf("%v: %+v", args, x.Migrated)
				}
			}
			if got := strings.Join(subjects(t, data, to, "INBOX"), " "); got != "0 1 2 3 4 5 6" {
				t.Errorf("%s", got)
			}
			code, _, errs := ctl(t, "", "--data", data, "import", kind, filepath.Join(dir, "none"), to)
			if code != exitUse || !strings.Contains(errs, "there is no") {
				t.Errorf("from nothing: exit %d, %s", code, errs)
			}
		})
	}
}

// TestOneFile: an mbox file holds the one mailbox that is asked for, and becomes
// the one that is asked for.
func TestOneFile(t *testing.T) {
	const name = "alice@example.org"
	data, file := filepath.Join(t.TempDir(), "data"), filepath.Join(t.TempDir(), "old.mbox")
	ok[answer.Account](t, "--data", data, "account", "add", name)
	deliverTo(t, data, name, 3)
	if x := ok[migrated](t, "--data", data, "export", "mbox", name, file, "--include=INBOX"); x.Copied != 3 {
		t.Errorf("%+v", x)
	}
	for range 2 {
		ok[migrated](t, "--data", data, "import", "mbox", file, name)
		ok[migrated](t, "--data", data, "import", "mbox", file, name, "--into=Archive/2020")
	}
	for _, box := range []string{"old", "Archive/2020"} {
		if got := subjects(t, data, name, box); len(got) != 3 {
			t.Errorf("%s: %q", box, got)
		}
	}
	code, _, errs := ctl(t, "", "--data", data, "export", "mbox", name, file)
	if code != exitFault || strings.Count(errs, "skipped: ") == 0 || strings.Contains(errs, "level=") {
		t.Errorf("a whole account into one file: exit %d, %s", code, errs)
	}
}
